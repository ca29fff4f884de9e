//! Bytes of I/Os in the pages of slots, and the noise that fills them.

use core::ops::Range;
use core::slice;

use drivers::blkfront::{Held, QueuePair, Slot};
use xen_abi::PAGE_SIZE;

/// Linear congruential generator (Knuth's MMIX).
pub(super) struct Noise(pub(super) u64);

impl Noise {
    /// Returns the next 8 bytes.
    pub(super) fn next_word(&mut self) -> [u8; 8] {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.to_le_bytes()
    }

    /// Fills `out`, and leaves what is left of a word.
    pub(super) fn fill(&mut self, out: &mut [u8]) {
        for part in out.chunks_mut(8) {
            part.copy_from_slice(&self.next_word()[..part.len()]);
        }
    }
}

/// Data of an I/O, in the slots of its requests.
pub(super) struct IoData<'q, 'a, S> {
    queue: &'q mut QueuePair<'a>,
    /// Slots in the order of their data.
    slots: &'q [S],
    /// Bytes in each slot but the last.
    request_bytes: usize,
}

impl<'q, 'a> IoData<'q, 'a, Slot> {
    /// Returns the data of an I/O of one request.
    pub(super) fn of_slot(queue: &'q mut QueuePair<'a>, slot: &'q Slot) -> Self {
        Self { queue, slots: slice::from_ref(slot), request_bytes: usize::MAX }
    }
}

impl<'q, 'a> IoData<'q, 'a, Held> {
    /// Returns the data of an I/O of several requests of `request_bytes` bytes.
    pub(super) fn of_slots(
        queue: &'q mut QueuePair<'a>,
        slots: &'q [Held],
        request_bytes: u32,
    ) -> Self {
        Self { queue, slots, request_bytes: request_bytes as usize }
    }
}

impl<S: AsRef<Slot>> IoData<'_, '_, S> {
    /// Writes bytes of one page, from `offset` on.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let slot = self.slots[offset / self.request_bytes].as_ref();
        self.queue.write_data(slot, offset % self.request_bytes, bytes);
    }

    /// Reads bytes of one page, from `offset` on.
    pub(super) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let slot = self.slots[offset / self.request_bytes].as_ref();
        self.queue.read_data(slot, offset % self.request_bytes, bytes);
    }
}

/// Returns the pieces of `range`, none of which crosses a page.
pub(super) fn parts(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end_of =
        move |start: usize| (start / PAGE_SIZE + 1).saturating_mul(PAGE_SIZE).min(range.end);
    let first = range.start..end_of(range.start);
    core::iter::successors(Some(first), move |part| Some(part.end..end_of(part.end)))
        .take_while(|part| !part.is_empty())
}
