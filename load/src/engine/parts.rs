//! I/Os of one queue that are split into several requests, their parts, until the last has ended.

use alloc::vec;
use alloc::vec::Vec;

use drivers::blkfront::{Held, IoError, QueuePair};

use super::in_flight::InFlight;
use super::time::NEVER;

/// Bytes of a table for each slot, twice what it has, for there is one more I/O than slots.
pub(super) const SLOT_BYTES: usize = 2
    * (size_of::<Option<SplitIo>>()
        + size_of::<u32>()
        + size_of::<Part>()
        + size_of::<Option<Held>>());

/// I/O in one or more parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct SplitIo {
    /// Facts about the whole I/O; it starts when its first part is put.
    pub(super) io: InFlight,
    /// Time at which it was due, in nanoseconds; [`NEVER`] if it has no such time.
    pub(super) due_ns: u64,
    /// Whether its data is checked when it has ended, so that its slots are held until then.
    pub(super) is_checked: bool,
    /// Whether its last part is a flush that is still to be put.
    is_flushed: bool,
    /// Offset and error of the first part that failed.
    pub(super) failed: Option<(u64, IoError)>,
    /// Number of parts in flight.
    in_flight: u32,
    /// Whether all of its parts were put.
    is_whole: bool,
    /// Slots of its first part and of its last one so far.
    ends: Option<(u16, u16)>,
}

/// Part of an I/O, by its slot.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Number of its I/O.
    io: u32,
    /// Offset of its first byte, as of the I/O's place.
    offset: u64,
    /// Slot of the part behind it, if that was put.
    next: u16,
}

/// I/Os of one queue that have not ended.
#[derive(Debug)]
pub(super) struct Parts {
    /// I/Os by number.
    ios: Vec<Option<SplitIo>>,
    /// Numbers that no I/O has.
    free: Vec<u32>,
    /// Parts by slot.
    parts: Vec<Part>,
    /// Slots of parts that have ended and whose data is still to be checked, by number.
    held: Vec<Option<Held>>,
}

impl Parts {
    pub(super) fn new(queue: &QueuePair<'_>) -> Self {
        let slots = queue.slots();
        // Each has at least one slot, but for one that has none yet.
        let ios = slots + 1;
        Self {
            ios: vec![None; ios],
            free: (0..ios as u32).rev().collect(),
            parts: vec![Part::default(); slots],
            held: (0..slots).map(|_| None).collect(),
        }
    }

    /// Begins an I/O; returns its number.
    ///
    /// # Panics
    /// If there are more I/Os than slots, which is a bug of the caller.
    pub(super) fn begin(
        &mut self,
        io: InFlight,
        due_ns: Option<u64>,
        is_checked: bool,
        is_flushed: bool,
    ) -> u32 {
        let number = self.free.pop().expect("no more I/Os than slots");
        self.ios[number as usize] = Some(SplitIo {
            io,
            due_ns: due_ns.unwrap_or(NEVER),
            is_checked,
            is_flushed,
            failed: None,
            in_flight: 0,
            is_whole: false,
            ends: None,
        });
        number
    }

    /// Notes that the next part of an I/O, which begins at `offset`, is put at `now_ns`. Returns
    /// when the I/O was due if this is its first part.
    pub(super) fn put(
        &mut self,
        number: u32,
        slot: usize,
        offset: u64,
        now_ns: u64,
    ) -> Option<u64> {
        let split = self.ios[number as usize].as_mut().expect("an I/O that has begun");
        let slot = slot as u16;
        self.parts[usize::from(slot)] = Part { io: number, offset, next: 0 };
        split.in_flight += 1;
        let is_first = split.ends.is_none();
        split.ends = Some(match split.ends {
            None => {
                split.io.start_ns = now_ns;
                (slot, slot)
            }
            Some((first, last)) => {
                // Only who holds all slots until the end goes through them.
                if split.is_checked {
                    self.parts[usize::from(last)].next = slot;
                }
                (first, slot)
            }
        });
        is_first.then_some(split.due_ns)
    }

    /// Notes that all parts of an I/O were put.
    pub(super) fn complete(&mut self, number: u32) {
        let split = self.ios[number as usize].as_mut().expect("an I/O that has begun");
        split.is_whole = true;
    }

    /// Notes the end of the part in a slot; returns the number of its I/O, and whether that ends.
    pub(super) fn end(&mut self, slot: usize, result: Result<(), IoError>) -> (u32, bool) {
        let Part { io: number, offset, .. } = self.parts[slot];
        let split = self.ios[number as usize].as_mut().expect("a part of an I/O");
        if let Err(error) = result {
            split.failed.get_or_insert((offset, error));
        }
        split.in_flight -= 1;
        (number, split.is_whole && split.in_flight == 0)
    }

    /// Puts the flush of a write whose other parts have ended well into the slot of one of them;
    /// returns the write, unless it has no flush or had it.
    pub(super) fn begin_flush(&mut self, number: u32, slot: usize) -> Option<InFlight> {
        let split = self.ios[number as usize].as_mut().expect("an I/O that ended");
        let flushes = core::mem::take(&mut split.is_flushed) && split.failed.is_none();
        split.in_flight += u32::from(flushes);
        flushes.then(|| {
            self.parts[slot] = Part { io: number, offset: split.io.offset, next: 0 };
            split.io
        })
    }

    /// Returns whether the data of an I/O is checked when it has ended.
    pub(super) fn is_checked(&self, number: u32) -> bool {
        self.ios[number as usize].as_ref().is_some_and(|split| split.is_checked)
    }

    /// Keeps the slot of a part that has ended.
    pub(super) fn hold(&mut self, held: Held) {
        let slot = held.as_ref().index();
        self.held[slot] = Some(held);
    }

    /// Takes an I/O that has ended, and moves its held slots, in the order of its data, to `slots`.
    pub(super) fn take(&mut self, number: u32, slots: &mut Vec<Held>) -> SplitIo {
        let split = self.ios[number as usize].take().expect("an I/O that ended");
        self.free.push(number);
        if let Some((first, last)) = split.ends.filter(|_| split.is_checked) {
            let mut slot = first;
            slots.extend(self.held[usize::from(slot)].take());
            while slot != last {
                slot = self.parts[usize::from(slot)].next;
                slots.extend(self.held[usize::from(slot)].take());
            }
        }
        split
    }

    /// Returns the I/Os that have not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = &InFlight> {
        self.ios.iter().flatten().map(|split| &split.io)
    }
}
