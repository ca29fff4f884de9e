//! Queues with their requests in flight, as the fast path takes completions from one and issues
//! what comes next.

use alloc::vec::Vec;

use drivers::blkfront::{Operation, QueuePair, Slot};

use super::disk::Disk;
use super::in_flight::{InFlight, InFlightTable};
use super::turns::Turns;

/// Queue pair, and the table of its requests in flight.
pub(super) struct Lane<'l, 'a> {
    pub(super) queue: &'l mut QueuePair<'a>,
    pub(super) table: &'l mut InFlightTable,
}

impl Lane<'_, '_> {
    /// Issues a request from `sector` on, in units of 512 bytes; the backend sees it at the end of
    /// the pass.
    #[inline(always)]
    pub(super) fn put(self, slot: Slot, sector: u64, io: InFlight) {
        if self.queue.outstanding() == 0 {
            self.table.progress_ns = io.start_ns;
        }
        let InFlight { operation, bytes, .. } = io;
        self.table.begin(&slot, io);
        self.queue.submit(slot, operation, sector, bytes);
    }

    /// Issues the flush that is a part of a write, whose last request has just ended.
    pub(super) fn put_flush(self, slot: Slot, write: InFlight) {
        self.table.begin(&slot, write.as_flush());
        self.queue.submit(slot, Operation::Flush, 0, 0);
    }
}

/// Lanes of a job that is polled on one of them.
pub(super) trait Lanes<'a> {
    /// Returns the one that is polled.
    fn polled(&mut self) -> Lane<'_, 'a>;

    /// Returns a lane and a slot for an I/O to disk number `disk`, in place of the one that ended
    /// in `slot`.
    fn place(&mut self, slot: Slot, disk: usize) -> (Lane<'_, 'a>, Slot);
}

/// The only lane of a job with one disk that has one queue.
impl<'a> Lanes<'a> for Lane<'_, 'a> {
    #[inline(always)]
    fn polled(&mut self) -> Lane<'_, 'a> {
        Lane { queue: self.queue, table: self.table }
    }

    #[inline(always)]
    fn place(&mut self, slot: Slot, _disk: usize) -> (Lane<'_, 'a>, Slot) {
        (self.polled(), slot)
    }
}

/// Lanes of a job with several disks or queues.
pub(super) struct Several<'l, 'a> {
    pub(super) disks: &'l mut [Disk<'a>],
    pub(super) in_flight: &'l mut [Vec<InFlightTable>],
    pub(super) turns: &'l Turns,
    /// Disk and queue of the one that is polled.
    pub(super) polled: (usize, usize),
}

impl<'a> Several<'_, 'a> {
    #[inline(always)]
    fn lane(&mut self, disk: usize, queue: usize) -> Lane<'_, 'a> {
        let table = &mut self.in_flight[disk][queue];
        Lane { queue: &mut self.disks[disk].queues[queue], table }
    }
}

impl<'a> Lanes<'a> for Several<'_, 'a> {
    #[inline(always)]
    fn polled(&mut self) -> Lane<'_, 'a> {
        let (disk, queue) = self.polled;
        self.lane(disk, queue)
    }

    #[inline(always)]
    fn place(&mut self, slot: Slot, disk: usize) -> (Lane<'_, 'a>, Slot) {
        let Lane { queue, table } = self.polled();
        table.end(&slot);
        queue.release(slot);
        let (queue, slot) = self.turns.acquire(self.disks, disk);
        (self.lane(disk, queue), slot)
    }
}
