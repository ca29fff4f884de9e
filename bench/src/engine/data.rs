//! What is in a slot's pages: filled before a write, checked after a read.

use alloc::vec::Vec;

use drivers::blkfront::{QueuePair, Slot};
use drivers::hypervisor::Hypervisor;
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::SECTOR_SIZE;

use crate::verify::{Mismatch, VerifyPattern};

/// Fills all free slots with noise, each with its own; [`stamp`] does the rest for each write.
pub(super) fn fill_all<H: Hypervisor>(queue: &mut QueuePair<'_, H>, bytes: u32) {
    let slots: Vec<Slot> = core::iter::from_fn(|| queue.acquire()).collect();
    for slot in slots {
        // A linear congruential generator (Knuth's MMIX).
        let mut word = slot.index() as u64;
        for offset in (0..bytes as usize).step_by(8) {
            word = word
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            queue.write_data(&slot, offset, &word.to_le_bytes());
        }
        queue.release(slot);
    }
}

/// Makes every sector of a write unlike all others, so that no backend saves work on equal data
/// (fio's `scramble_buffers`, which is on by default).
#[inline]
pub(super) fn stamp<H: Hypervisor>(
    queue: &mut QueuePair<'_, H>,
    slot: &Slot,
    offset: u64,
    number: u64,
    bytes: u32,
) {
    for start in (0..bytes as usize).step_by(SECTOR_SIZE as usize) {
        let place = (offset + start as u64).to_le_bytes();
        queue.write_data(slot, start, &place);
        queue.write_data(slot, start + place.len(), &number.to_le_bytes());
    }
}

/// Fills a slot with the pattern of the block at `offset`.
pub(super) fn fill<H: Hypervisor>(
    pattern: &VerifyPattern,
    queue: &mut QueuePair<'_, H>,
    slot: &Slot,
    offset: u64,
    bytes: u32,
) {
    let mut page = [0; PAGE_SIZE];
    for start in (0..bytes as usize).step_by(PAGE_SIZE) {
        let part = &mut page[..PAGE_SIZE.min(bytes as usize - start)];
        pattern.fill(offset, start, part);
        queue.write_data(slot, start, part);
    }
}

/// Compares what was read with the pattern of the block at `offset`.
pub(super) fn check<H: Hypervisor>(
    pattern: &VerifyPattern,
    queue: &QueuePair<'_, H>,
    slot: &Slot,
    offset: u64,
    bytes: u32,
) -> Result<(), Mismatch> {
    let mut page = [0; PAGE_SIZE];
    for start in (0..bytes as usize).step_by(PAGE_SIZE) {
        let part = &mut page[..PAGE_SIZE.min(bytes as usize - start)];
        queue.read_data(slot, start, part);
        pattern.check(offset, start, part)?;
    }
    Ok(())
}
