//! Counts of I/Os by the times at which they were due, for jobs with an open loop.
//!
//! What has no rate has no due time: flushes, what is read back, and a direction whose rate is not
//! set. An I/O that fails has no latency.

use drivers::blkfront::Operation;
use fio_job::Direction;

use super::{ActiveJob, Phase};
use crate::engine::batches::Hold;
use crate::engine::open_loop::{OpenLoop, Wait};
use crate::engine::target::direction_of;
use crate::engine::time::NEVER;

impl ActiveJob {
    /// Returns whether latencies count from due times, too.
    pub(in crate::engine) fn counts_from_due(&self) -> bool {
        self.open_loop.is_some()
    }

    /// Returns the due time of the I/O that was chosen last, [`NEVER`] if it has none; `None` if
    /// nothing counts from due times.
    pub(in crate::engine) fn due_ns(&self) -> Option<u64> {
        self.open_loop.as_ref().map(OpenLoop::due_ns)
    }

    /// Notes why no other I/O is put from `now_ns` on, or still.
    pub(in crate::engine) fn note_hold(&mut self, hold: Hold, now_ns: u64) {
        if let Some(open_loop) = &mut self.open_loop {
            let is_full = matches!(hold, Hold::Depth | Hold::Room | Hold::Block);
            open_loop.note_full(is_full, now_ns);
        }
    }

    /// Counts an I/O that was due at `due_ns`, found room in the pass of `now_ns`, and was put at
    /// `start_ns`.
    pub(in crate::engine) fn count_arrival(
        &mut self,
        operation: Operation,
        due_ns: u64,
        now_ns: u64,
        start_ns: u64,
    ) {
        let (Some(open_loop), Some(direction)) = (&self.open_loop, direction_of(operation)) else {
            return;
        };
        let Wait { held_ns, late_ns } = open_loop.wait(due_ns, now_ns, start_ns);
        let arrivals = self.result.direction_mut(direction).arrivals.as_mut();
        if let Some(arrivals) = arrivals.filter(|_| due_ns != NEVER) {
            arrivals.count(held_ns, late_ns);
        }
    }

    /// Counts the latency from `due_ns` on of an I/O that was put at `start_ns` and succeeded.
    pub(in crate::engine) fn count_from_due(
        &mut self,
        operation: Operation,
        due_ns: u64,
        start_ns: u64,
        now_ns: u64,
    ) {
        let Some(direction) = direction_of(operation) else { return };
        let times = due_ns != NEVER && self.timeline.times(start_ns);
        let arrivals = self.result.direction_mut(direction).arrivals.as_mut();
        if let Some(arrivals) = arrivals.filter(|_| times) {
            arrivals.latency.record(now_ns.saturating_sub(due_ns), 1);
        }
    }

    /// Ends the arrivals of a job whose time ends at `now_ns` or has ended before: I/Os that are
    /// due until then and were not put never will be, as far as the job has any left.
    pub(super) fn end_arrivals(&mut self, now_ns: u64) {
        let has_ended = self.phase == Phase::ReadBack || self.is_out_of_ios();
        let (end_ns, to_go) = (now_ns.min(self.timeline.end_ns()), self.ios_to_go());
        let Some(open_loop) = &mut self.open_loop else { return };
        if core::mem::replace(&mut open_loop.has_ended, true) || has_ended || end_ns == NEVER {
            return;
        }
        let start_ns = self.timeline.start_ns();
        let mut left = to_go.unwrap_or(u64::MAX);
        for direction in Direction::ALL {
            let backlog = self.pacer.arrivals().backlog(direction, start_ns, end_ns).min(left);
            if let Some(arrivals) = &mut self.result.direction_mut(direction).arrivals {
                arrivals.end(backlog);
                left -= backlog;
            }
        }
    }
}
