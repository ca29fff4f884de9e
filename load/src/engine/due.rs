//! Due times of the requests in flight, by slot: a table that only jobs with an open loop have, so
//! that what is noted of each request in flight stays small.

use alloc::vec;
use alloc::vec::Vec;

use drivers::blkfront::QueuePair;

use super::disk::Disk;
use super::time::NEVER;

/// Bytes of the table for each slot.
pub(super) const SLOT_BYTES: usize = size_of::<u64>();

/// Due times of requests that are whole I/Os, by disk, queue and slot; empty if no job counts from
/// them.
#[derive(Debug, Default)]
pub(super) struct DueTimes(Vec<Vec<Vec<u64>>>);

impl DueTimes {
    /// Returns the table for the queues of these disks.
    pub(super) fn new(disks: &[Disk<'_>]) -> Self {
        let of_queue = |queue: &QueuePair<'_>| vec![NEVER; queue.slots()];
        Self(disks.iter().map(|disk| disk.queues.iter().map(of_queue).collect()).collect())
    }

    /// Notes when the request in a slot was due, in nanoseconds; [`NEVER`] for one without such a
    /// time.
    pub(super) fn set(&mut self, (disk, queue, slot): (usize, usize, usize), due_ns: u64) {
        self.0[disk][queue][slot] = due_ns;
    }

    /// Returns when the request in a slot was due.
    pub(super) fn get(&self, (disk, queue, slot): (usize, usize, usize)) -> u64 {
        self.0[disk][queue][slot]
    }
}
