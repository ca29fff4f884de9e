//! Flushes of a job besides those after every so many writes: after each write, and at its end.

use drivers::blkfront::Operation;

use super::{ActiveJob, Phase};
use crate::engine::batches::Hold;
use crate::engine::data::Place;
use crate::engine::in_flight::{InFlight, JobInFlight};
use crate::engine::target::Next;

impl ActiveJob {
    /// Returns whether an I/O is a write that ends with a flush of its own.
    pub(in crate::engine) fn is_flushed(&self, io: &InFlight) -> bool {
        io.operation == Operation::Write && self.result.job.pace.sync_writes
    }

    /// Returns whether all of its I/Os have ended and the disks must now be flushed: not, as in
    /// fio, if the last thing it did was a flush, or if it failed.
    pub(in crate::engine) fn is_end_flush_due(&self) -> bool {
        self.result.job.pace.end_flush
            && self.is_done()
            && matches!(self.phase, Phase::Free | Phase::Apart)
            && !self.has_flushed
            && !self.timeline.is_stopped()
    }

    /// Begins to flush its disks, whose number is taken from `next_target`.
    pub(super) fn begin_end_flush(&mut self) {
        self.on_fast_path = false;
        self.phase = Phase::EndFlush;
        self.next_target = 0;
    }

    /// Returns the next of these flushes.
    ///
    /// # Errors
    /// Returns what holds it back, as [`next_paced`](Self::next_paced) does.
    pub(super) fn next_end_flush(&mut self, in_flight: &JobInFlight<'_>) -> Result<Next, Hold> {
        let target = self.targets.get(self.next_target).filter(|_| self.outstanding == 0);
        let Some(disk) = target.map(|target| target.disk) else {
            return Err(Hold::End);
        };
        if self.timeline.is_stopped() {
            return Err(Hold::End);
        }
        if !in_flight.has_room(disk) {
            return self.wait_for_room();
        }
        self.next_target += 1;
        Ok(Next::flush(disk))
    }
}

impl Next {
    /// Returns a flush of a disk.
    pub(super) fn flush(disk: usize) -> Self {
        let place = Place { disk, offset: 0 };
        Self { place, disk_offset: 0, operation: Operation::Flush, bytes: 0 }
    }
}
