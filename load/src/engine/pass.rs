//! Single pass of the loop: the hot half of the engine.
//!
//! A pass polls every queue, completes what it finds there, issues the next I/O of the same job in
//! its place, and then notifies the backends, once each. The clock is read once for each queue with
//! completions, after the look at it: later completions wait for the next pass, so no latency is
//! shorter than the backend's own. An I/O issued in its place starts with the same reading, which
//! is before anybody can see it, so the wait for the rest of its batch counts into its latency; if
//! making the data of a write or checking that of a read takes long, the clock is read again for
//! each. Without errors nothing here allocates once the first I/Os are issued.

use alloc::format;

use drivers::Vcpu;
use drivers::blkfront::{Broken, Completion, IoError, Operation, Slot};

use super::Engine;
use super::active_job::ActiveJob;
use super::data::Place;
use super::disk::Disk;
use super::in_flight::InFlight;
use super::io_data::IoData;
use super::lane::Lane;
use super::outcome::{Control, Progress, RunError};
use super::target::Next;
use super::time::TICK_NS;
use crate::verify::Mismatch;
use crate::wait::Step;

/// Result of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// There is or may be more to do at once.
    Again,
    /// There is nothing to do until an event comes or until this time, in nanoseconds of system
    /// time. All queues are armed, and the caller's next step is [`Vcpu::wait`].
    SleepUntil(u64),
    /// The jobs have ended.
    Done,
}

/// Place where an I/O is in flight, or may be.
pub(super) struct Route {
    pub(super) disk: usize,
    pub(super) queue: usize,
    pub(super) slot: Slot,
}

impl<V: Vcpu> Engine<'_, '_, V> {
    /// Does one pass, and calls `observe` when the first I/O has completed and then about once a
    /// second. The time that `observe` takes is part of the measurement.
    #[inline]
    pub fn pass(&mut self, observe: &mut dyn FnMut(&Progress) -> Control) -> Pass {
        if self.jobs.iter().all(ActiveJob::is_done) {
            return Pass::Done;
        }
        let completed_ns = match self.complete_all() {
            Ok(completed_ns) => completed_ns,
            Err(error) => return self.abandon(error),
        };
        if let Some(now_ns) = completed_ns {
            let served = if self.any_paced { self.service_paced(now_ns) } else { Ok(()) };
            if let Err(error) = served.and_then(|()| self.show_all()) {
                return self.abandon(error);
            }
        }
        let now_ns = completed_ns.unwrap_or_else(|| self.vcpu.now_ns());
        let begins = completed_ns.is_some() && !self.begun;
        if begins || now_ns >= self.tick_ns {
            self.begun |= begins;
            if let Err(error) = self.tick(now_ns, observe) {
                return self.abandon(error);
            }
        }
        if completed_ns.is_some() {
            self.waiter.progress(now_ns, || Disk::work(&self.disks));
            return Pass::Again;
        }
        if now_ns >= self.alarm.awake_from_ns() {
            return self.heed_alarm(now_ns);
        }
        match self.waiter.idle(now_ns) {
            Step::Poll => {
                core::hint::spin_loop();
                Pass::Again
            }
            Step::Yield => {
                self.give_way(now_ns);
                Pass::Again
            }
            Step::Sleep => self.prepare_sleep(now_ns),
        }
    }

    /// Yields.
    fn give_way(&mut self, now_ns: u64) {
        let had_ns = || self.waiter.asks().then(|| self.vcpu.stolen_ns()).flatten();
        let before_ns = had_ns();
        // To ask takes time, too.
        let from_ns = before_ns.map_or(now_ns, |_| self.vcpu.now_ns());
        self.vcpu.yield_now();
        let ns = self.vcpu.now_ns().saturating_sub(from_ns);
        let others_ns = had_ns().zip(before_ns).map(|(had, before)| had.wrapping_sub(before));
        self.waiter.note_yield(ns, others_ns);
    }

    /// Services the jobs once it is time to.
    #[cold]
    fn heed_alarm(&mut self, now_ns: u64) -> Pass {
        if !self.alarm.goes_off(now_ns) {
            core::hint::spin_loop();
            return Pass::Again;
        }
        match self.service_paced(now_ns).and_then(|()| self.show_all()) {
            Ok(()) => Pass::Again,
            Err(error) => self.abandon(error),
        }
    }

    /// Does the work that is due about once a second.
    #[cold]
    fn tick(
        &mut self,
        now_ns: u64,
        observe: &mut dyn FnMut(&Progress) -> Control,
    ) -> Result<(), RunError> {
        self.tick_ns = now_ns.saturating_add(TICK_NS);
        self.give_up_the_stuck(now_ns)?;
        self.windows.tick(&mut self.disks, now_ns);
        self.end_the_steady(now_ns);
        match observe(&self.progress(now_ns)) {
            Control::Continue => {}
            Control::Stop => self.stop_all(now_ns),
            Control::Abandon => return Err(RunError::Abandoned),
        }
        Ok(())
    }

    /// Arms all queues; returns [`Pass::Again`] if one of them has work after all.
    fn prepare_sleep(&mut self, now_ns: u64) -> Pass {
        self.vcpu.prepare_wait();
        // All of them, even after one that has work: each must be armed again.
        let mut until_ns = Some(self.tick_ns);
        for queue in self.disks.iter_mut().flat_map(|disk| disk.queues.iter_mut()) {
            let armed = queue.arm(self.vcpu);
            until_ns = until_ns.zip(armed).map(|(until, one)| until.min(one));
        }
        let Some(until_ns) = until_ns else { return Pass::Again };
        self.jobs.iter_mut().for_each(ActiveJob::count_sleep);
        let latest_ns = until_ns.min(now_ns.saturating_add(TICK_NS));
        Pass::SleepUntil(self.alarm.sleep_until(latest_ns))
    }

    /// Completes the responses found on each queue; returns the time of the last look that found
    /// any.
    #[inline]
    fn complete_all(&mut self) -> Result<Option<u64>, RunError> {
        let (mut time_ns, mut failure) = (None, None);
        for disk in 0..self.disks.len() {
            for queue in 0..self.disks[disk].queues.len() {
                match self.complete_queue(disk, queue) {
                    Ok(completed_ns) => time_ns = completed_ns.or(time_ns),
                    Err(broken) => failure = failure.or_else(|| Some(self.broken(disk, broken))),
                }
            }
        }
        // What others did counts although one is broken.
        if let Some(failure) = failure {
            return Err(failure);
        }
        // A job limited by time must not go on because others used up their time.
        Ok(if self.takes_long { time_ns.map(|_| self.vcpu.now_ns()) } else { time_ns })
    }

    /// Completes the responses found on a queue; returns the time of that, if there are any.
    #[inline(always)]
    fn complete_queue(&mut self, disk: usize, queue: usize) -> Result<Option<u64>, Broken> {
        if !self.disks[disk].queues[queue].look()? {
            return Ok(None);
        }
        let now_ns = self.vcpu.now_ns();
        self.in_flight[disk][queue].progress_ns = now_ns;
        let mut taken = self.disks[disk].queues[queue].poll_seen()?;
        while let Some(completion) = taken {
            let next = self.next_plain(disk, queue, &completion, now_ns);
            let Completion { slot, result } = completion;
            let route = Route { disk, queue, slot };
            taken = match next {
                Some(next) => self.replace_alike(route, next, now_ns)?,
                None => {
                    self.complete(route, result, now_ns);
                    self.vcpu.has_completed();
                    self.disks[disk].queues[queue].poll_seen()?
                }
            };
        }
        Ok(Some(now_ns))
    }

    /// Completes a request, whatever it is.
    #[inline(never)]
    fn complete(&mut self, route: Route, result: Result<(), IoError>, now_ns: u64) {
        let table = &mut self.in_flight[route.disk][route.queue];
        let io = table.end(&route.slot);
        let index = io.job_index as usize;
        if !self.jobs[index].on_fast_path {
            if self.jobs[index].has_left_ramp(now_ns) {
                self.end_ramp(index);
            }
            if self.jobs[index].is_split {
                return self.complete_part(route, result, now_ns);
            }
            if result.is_ok() && self.jobs[index].is_flushed(&io) {
                let Route { disk, queue, slot } = route;
                let table = &mut self.in_flight[disk][queue];
                let queue = &mut self.disks[disk].queues[queue];
                return Lane { queue, table }.put_flush(slot, io);
            }
        }
        let job = &mut self.jobs[index];
        job.count_completed(now_ns);
        match result {
            Ok(()) => {
                let io = io.whole();
                let group = job.group.map(|group| &mut self.groups[group]);
                job.count(&io, now_ns, group);
                if !job.on_fast_path {
                    self.complete_paced(&route, &io, now_ns);
                }
            }
            Err(error) => self.fail(route.disk, &io, error, now_ns),
        }
        if self.jobs[index].on_fast_path {
            self.put_next(index, route, now_ns);
        } else {
            self.disks[route.disk].queues[route.queue].release(route.slot);
        }
    }

    /// Does what a job on the fast path leaves out when an I/O has succeeded.
    fn complete_paced(&mut self, route: &Route, io: &InFlight, now_ns: u64) {
        let InFlight { job_index, operation, start_ns, .. } = *io;
        let job = &mut self.jobs[job_index as usize];
        if job.counts_from_due() {
            let due_ns = self.due.get((route.disk, route.queue, route.slot.index()));
            job.count_from_due(operation, due_ns, start_ns, now_ns);
        }
        self.judge_latency(io, now_ns);
        if operation == Operation::Read {
            self.check(route, io, now_ns);
        }
    }

    /// Checks the data of a read, if its job does so.
    fn check(&mut self, route: &Route, io: &InFlight, now_ns: u64) {
        let Some(checks) = self.jobs[io.job_index as usize].read_checks() else { return };
        let queue = &mut self.disks[route.disk].queues[route.queue];
        let data = IoData::of_slot(queue, &route.slot);
        let place = Place { disk: route.disk, offset: io.offset };
        let wrong = checks.check(data, place, io.bytes).err();
        self.note_check(route.disk, io, wrong, now_ns);
    }

    /// Notes what is wrong with the data of a read, if anything is.
    pub(super) fn note_check(
        &mut self,
        disk: usize,
        io: &InFlight,
        wrong: Option<Mismatch>,
        now_ns: u64,
    ) {
        let Some(wrong) = wrong else { return };
        let index = io.job_index as usize;
        let job = &mut self.jobs[index];
        let ends = job.count_mismatch(now_ns);
        if ends || !job.result.job.on_error.verify {
            let disk = &self.disks[disk].name;
            self.first_failure.get_or_insert_with(|| format!("{disk}: {wrong}"));
        }
        self.end_all_if(ends, index, now_ns);
    }

    #[cold]
    pub(super) fn fail(&mut self, disk: usize, io: &InFlight, error: IoError, now_ns: u64) {
        let index = io.job_index as usize;
        let ends = self.jobs[index].count_failure(io.whole().operation, now_ns);
        if ends {
            let disk = &self.disks[disk].name;
            let failure = || format!("{disk}: {:?} at byte {}: {error}", io.operation, io.offset);
            self.first_failure.get_or_insert_with(failure);
        }
        self.end_all_if(ends, index, now_ns);
    }

    /// Ends all jobs if a failure ended a job with `exitall_on_error`.
    pub(super) fn end_all_if(&mut self, ends: bool, index: usize, now_ns: u64) {
        if ends && self.jobs[index].result.job.exitall_on_error {
            self.ends_all = true;
            self.stop_all(now_ns);
        }
    }

    /// Issues the next I/O of a job on the fast path, if it has one.
    fn put_next(&mut self, index: usize, route: Route, now_ns: u64) {
        self.disks[route.disk].queues[route.queue].release(route.slot);
        let job = &mut self.jobs[index];
        let next = job.next_fast(now_ns);
        let Some(next) = next.or_else(|| job.next_of_next_pass(now_ns)) else {
            // The job ends with this I/O or one of those in flight, and that must be noted.
            self.any_paced = true;
            return;
        };
        self.jobs[index].count_put();
        let disk = next.place.disk;
        let (queue, slot) = self.turns.acquire(&mut self.disks, disk);
        self.put(index, next, Route { disk, queue, slot }, now_ns);
    }

    /// Issues an I/O on its queue; the backend sees it at the end of the pass. Returns when it
    /// started.
    pub(super) fn put(&mut self, index: usize, next: Next, route: Route, now_ns: u64) -> u64 {
        let Route { disk, queue, slot } = route;
        let table = &mut self.in_flight[disk][queue];
        let queue = &mut self.disks[disk].queues[queue];
        if next.operation == Operation::Write {
            self.jobs[index].fill(&mut self.writes, queue, &slot, &next);
        }
        let start_ns = if self.takes_long { self.vcpu.now_ns() } else { now_ns };
        Lane { queue, table }.put(slot, next.sector(), next.in_flight(index as u32, start_ns));
        start_ns
    }

    /// Publishes the issued requests to the backends, once each. Only a pass that issued or
    /// completed any needs it.
    pub(super) fn show_all(&mut self) -> Result<(), RunError> {
        self.jobs.iter_mut().for_each(ActiveJob::end_pass);
        self.kick_all()
    }

    /// Publishes the issued requests to the backends, as [`show_all`](Self::show_all) does.
    #[inline]
    pub(super) fn kick_all(&mut self) -> Result<(), RunError> {
        for Disk { name, queues, .. } in &mut self.disks {
            for queue in queues {
                queue.kick(self.vcpu).map_err(|broken| RunError::Broken(name.clone(), broken))?;
            }
        }
        self.turns.end_pass(&self.disks);
        Ok(())
    }

    #[cold]
    fn broken(&self, disk: usize, broken: Broken) -> RunError {
        RunError::Broken(self.disks[disk].name.clone(), broken)
    }
}
