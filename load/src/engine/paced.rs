//! Jobs that are held back: by rates, pauses, batches, ramps, phases. The cold half of the engine.

use alloc::string::String;

use drivers::Vcpu;
use drivers::blkfront::Operation;

use super::Engine;
use super::active_job::ActiveJob;
use super::batches::Hold;
use super::in_flight::{InFlight, JobInFlight};
use super::outcome::RunError;
use super::pass::Route;
use super::time::NEVER;

impl<V: Vcpu> Engine<'_, '_, V> {
    /// Services the jobs that are not on the fast path: issues the I/Os that are due, ends ramps,
    /// and begins to read back. Notes which of all jobs have ended. Fails if a disk is broken.
    #[cold]
    pub(super) fn service_paced(&mut self, now_ns: u64) -> Result<(), RunError> {
        (self.any_paced, self.any_waits) = (false, false);
        let mut wake_ns = NEVER;
        let clocks = self.clocks();
        let count = self.jobs.len();
        for number in self.first_job..self.first_job + count {
            let index = if number < count { number } else { number - count };
            let job = &self.jobs[index];
            if job.on_fast_path && !job.is_end_flush_due() && !job.is_next_pass_due(now_ns) {
                self.jobs[index].note_end(&clocks);
                continue;
            }
            if self.jobs[index].is_ramp_over(now_ns) {
                self.end_ramp(index);
            }
            self.jobs[index].note_begin(&clocks, now_ns);
            self.fill(index, now_ns)?;
            while self.jobs[index].begin_next_phase(now_ns) {
                self.fill(index, now_ns)?;
            }
            if let Some(why) = self.jobs[index].judge_rates(now_ns) {
                self.end_out_of_bounds(index, why, now_ns);
            }
            let job = &mut self.jobs[index];
            job.update_fast_path();
            job.note_end(&clocks);
            self.any_paced |= !job.on_fast_path;
            wake_ns = wake_ns.min(job.wake_ns);
        }
        if self.jobs.iter().any(ActiveJob::ends_others) && !self.ends_all {
            self.ends_all = true;
            self.stop_all(now_ns);
        }
        self.alarm.set(wake_ns, now_ns);
        // Jobs that wait for room get what is free by turns.
        self.first_job = if self.any_waits { (self.first_job + 1) % count } else { 0 };
        Ok(())
    }

    /// Ends what is to end with a job that has left its bounds.
    #[cold]
    fn end_out_of_bounds(&mut self, index: usize, why: String, now_ns: u64) {
        self.first_failure.get_or_insert(why);
        self.end_all_if(true, index, now_ns);
    }

    /// Judges the latency of an I/O that has succeeded.
    pub(super) fn judge_latency(&mut self, io: &InFlight, now_ns: u64) {
        let index = io.job_index as usize;
        if let Some(why) = self.jobs[index].judge_latency(io, now_ns) {
            self.end_out_of_bounds(index, why, now_ns);
        }
    }

    /// Ends the ramp of a job.
    #[cold]
    pub(super) fn end_ramp(&mut self, index: usize) {
        let used = self.used();
        self.jobs[index].end_ramp(used);
    }

    /// Issues the I/Os that a job may issue now.
    fn fill(&mut self, index: usize, now_ns: u64) -> Result<(), RunError> {
        self.jobs[index].begin_filling();
        let hold = self.fill_while_allowed(index, now_ns)?;
        self.jobs[index].note_hold(hold, now_ns);
        if self.jobs[index].is_split {
            self.note_wait(index, hold == Hold::Room, now_ns);
        }
        Ok(())
    }

    /// Issues I/Os of a job until something holds it back; returns what that is.
    fn fill_while_allowed(&mut self, index: usize, now_ns: u64) -> Result<Hold, RunError> {
        if self.jobs[index].is_split && !self.put_rest(index, now_ns) {
            return Ok(Hold::Room);
        }
        while self.jobs[index].may_put() {
            let shows = match self.issue(index, now_ns) {
                Ok(shows) => shows,
                Err(hold) if self.jobs[index].hold(hold) => true,
                Err(hold) => return Ok(hold),
            };
            if shows {
                self.kick_all()?;
            }
        }
        Ok(Hold::Depth)
    }

    /// Issues the next I/O of a job, unless something holds it back; returns whether the backends
    /// must see at once what was issued.
    fn issue(&mut self, index: usize, now_ns: u64) -> Result<bool, Hold> {
        if self.jobs[index].is_split {
            return self.issue_split(index, now_ns);
        }
        let in_flight = JobInFlight { all: &self.in_flight, job_index: index as u32, room: None };
        let next = self.jobs[index].next_paced(now_ns, &in_flight)?;
        let disk = next.place.disk;
        let (queue, slot) = self.turns.acquire(&mut self.disks, disk);
        if next.operation == Operation::Read
            && let Some(checks) = self.jobs[index].read_checks()
        {
            let queue = &mut self.disks[disk].queues[queue];
            checks.poison(queue, &slot, next.place, next.bytes);
        }
        let at = (disk, queue, slot.index());
        let start_ns = self.put(index, next, Route { disk, queue, slot }, now_ns);
        if let Some(due_ns) = self.jobs[index].due_ns() {
            self.due.set(at, due_ns);
            self.jobs[index].count_arrival(next.operation, due_ns, now_ns, start_ns);
        }
        Ok(self.jobs[index].count_paced())
    }
}
