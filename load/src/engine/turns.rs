//! Choice of the queue that the next I/Os to a disk go to, where the loop has several.
//!
//! All I/Os of a pass go to one queue as long as it has slots, so that the backend is notified once
//! and one of its threads wakes; those of the next pass go to the queue with the fewest in flight.
//! So a backend whose threads run side by side still gets work for all of them: its completions
//! come one after the other, and each pass finds few.

use alloc::vec;
use alloc::vec::Vec;

use drivers::blkfront::{QueuePair, Slot};

use super::disk::Disk;

/// Number of the queue whose turn it is, by disk.
#[derive(Debug)]
pub(super) struct Turns(Vec<usize>);

impl Turns {
    /// Begins with the first queue of each disk.
    pub(super) fn new(disks: &[Disk<'_>]) -> Self {
        Self(vec![0; disks.len()])
    }

    /// Returns a slot for an I/O to disk number `number`, and its queue.
    ///
    /// # Panics
    /// If there is no free slot, which is a bug unless the disk's jobs wait for room.
    #[inline]
    pub(super) fn acquire(&self, disks: &mut [Disk<'_>], number: usize) -> (usize, Slot) {
        let (queues, turn) = (&mut disks[number].queues, self.0[number]);
        if let Some(slot) = queues[turn].acquire() {
            return (turn, slot);
        }
        let mut others = queues.iter_mut().enumerate();
        let found = others.find_map(|(queue, one)| Some((queue, one.acquire()?)));
        found.expect("a slot for each I/O")
    }

    /// Ends the turns of a pass.
    #[inline]
    pub(super) fn end_pass(&mut self, disks: &[Disk<'_>]) {
        for (turn, disk) in self.0.iter_mut().zip(disks) {
            if disk.queues.len() > 1 {
                let queues = (0..).zip(&disk.queues);
                let next = queues.min_by_key(|(_, queue)| QueuePair::outstanding(queue));
                *turn = next.map_or(0, |(number, _)| number);
            }
        }
    }
}
