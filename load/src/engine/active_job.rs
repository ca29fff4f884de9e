//! Job under way: chooses its next I/O and counts those that have ended.

mod bounded;
mod count;
mod end;
mod flushes;
mod from_due;
mod next;
mod next_pass;
mod phases;

use alloc::boxed::Box;
use alloc::vec::Vec;

use drivers::Vcpu;
use drivers::blkfront::{Operation, QueuePair, Slot};

use super::backlog::Backlog;
use super::batches::{Batches, Hold};
use super::bounds::Judge;
use super::data::{self, Checks, Part};
use super::disk::Disk;
use super::in_flight::InFlight;
use super::io_data::IoData;
use super::open_loop::OpenLoop;
use super::outcome::{Moved, RunError};
use super::pacer::Pacer;
use super::passes::Passes;
use super::ring_wait::RingWait;
use super::service::Service;
use super::share::StageJob;
use super::stolen::{Clocks, Theft};
use super::target::{Next, Target};
use super::time::NEVER;
use super::timeline::Timeline;
use crate::pattern::Pattern;
use fio_job::{Direction, JobError};
use results::{Counters, DirectionResult, JobResult};

pub(super) use count::Ended;

/// Job that is under way.
#[derive(Debug)]
pub(super) struct ActiveJob {
    pub(super) result: JobResult,
    /// Whether each I/O is issued as one completes, without asking the pacer.
    pub(super) on_fast_path: bool,
    /// Whether its I/Os may take several requests each, or wait for room on a ring.
    pub(super) is_split: bool,
    targets: Vec<Target>,
    passes: Passes,
    /// Whether each pass ends, and what follows it is done, before the next begins.
    breaks: bool,
    next_target: usize,
    /// Choice of the next disk, if they are not taken in turn.
    service: Option<Box<Service>>,
    /// Disk of the last I/O, and so of a flush.
    last_disk: usize,
    /// Whether a flush was put after the last I/O.
    has_flushed: bool,
    /// Writes to be read back between others.
    backlog: Option<Box<Backlog>>,
    pub(super) outstanding: u32,
    /// I/Os issued and completed in this pass of the loop.
    put: u32,
    completed: u32,
    /// fio's loop, if it has batch options.
    batches: Option<Batches>,
    pub(super) checks: Option<Checks>,
    phase: Phase,
    /// Phase of the I/Os of its pattern.
    pattern_phase: Phase,
    pacer: Pacer,
    /// Open loop, if latencies count from due times, too.
    open_loop: Option<OpenLoop>,
    timeline: Timeline,
    /// Number of errors until the ramp's end.
    ramp_errors: u64,
    /// Number of the group of jobs that is reported together with it, if there are others.
    pub(super) group: Option<usize>,
    /// Time at which to ask again even if nothing completes.
    pub(super) wake_ns: u64,
    /// Whether its next I/O waits for room on a ring.
    pub(super) awaits_room: bool,
    ring_wait: RingWait,
    /// Judge of its rates and latencies, if they have bounds.
    judge: Option<Box<Judge>>,
    sleeps: u64,
}

/// Choice of which of the next I/Os are issued, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Every I/O, in order.
    Free,
    /// Only I/Os to blocks without one of the job's in flight, so that each block's data is known
    /// (fio's `serialize_overlap`, but the next block is taken instead of waiting for this one).
    Apart,
    /// Flushes of its disks, one after the other.
    EndFlush,
    /// The writes once more, as reads.
    ReadBack,
}

impl ActiveJob {
    /// Returns a job of the run that begins at `run_ns`.
    pub(super) fn new(
        stage_job: StageJob,
        run_ns: u64,
        disks: &[Disk<'_>],
    ) -> Result<Self, RunError> {
        let StageJob { job, number, group, is_alone } = stage_job;
        // Jobs that run together visit different blocks; the first job of each stage visits the
        // same.
        let seed = job.randseed.unwrap_or(run_ns).wrapping_add(number as u64);
        let mut targets = Vec::new();
        let (mut physical_sector_bytes, mut request_bytes_max) = (0, 0);
        for (disk_number, disk) in disks.iter().enumerate() {
            if !job.disks.contains(&disk.name) {
                continue;
            }
            disk.check(&job)?;
            physical_sector_bytes = disk.info.physical_sector_bytes.max(physical_sector_bytes);
            request_bytes_max = disk.info.request_bytes_max.max(request_bytes_max);
            let sector_bytes = disk.info.logical_sector_bytes;
            let file = disk.file(&job).map_err(RunError::Job)?;
            let size_bytes = file.map_or(disk.info.bytes(), |file| file.size_bytes);
            let name =
                file.map_or_else(|| disk.name.clone(), |file| alloc::format!("{}", file.path));
            let region = job.resolve(&name, size_bytes, sector_bytes).map_err(RunError::Job)?;
            if let Some(file) = file {
                file.check(&job, region, sector_bytes).map_err(RunError::Job)?;
            }
            let pattern = Pattern::new(&job, region, seed);
            targets.push(Target::new(disk_number, file, &job, region, pattern));
        }
        let service = Service::of(&job, targets.len(), seed);
        let passes = next_pass::first(&job, &mut targets, service.is_some());
        let breaks = job.reads_back() || job.pace.end_flush;
        let checks = Checks::new(&job, number, is_alone, run_ns, disks.len());
        let apart = job.rw.writes() && checks.as_ref().is_some_and(Checks::needs_blocks_apart)
            || job.serialize_overlap;
        let phase = if apart { Phase::Apart } else { Phase::Free };
        Ok(Self {
            on_fast_path: false,
            is_split: false,
            phase,
            pattern_phase: phase,
            pacer: Pacer::new(&job, seed),
            open_loop: OpenLoop::of(&job),
            judge: Judge::of(&job),
            batches: job.pace.batch.map(|batch| Batches::new(batch, job.iodepth)),
            checks,
            result: JobResult { physical_sector_bytes, request_bytes_max, ..JobResult::new(job) },
            targets,
            service,
            passes,
            breaks,
            next_target: 0,
            last_disk: 0,
            has_flushed: false,
            backlog: None,
            outstanding: 0,
            put: 0,
            completed: 0,
            timeline: Timeline::unbegun(),
            ramp_errors: 0,
            group,
            wake_ns: NEVER,
            awaits_room: false,
            ring_wait: RingWait::default(),
            sleeps: 0,
        })
    }

    /// Makes its random maps and the tables that its checks need, with room left for each of the
    /// `loops` of the stage.
    ///
    /// # Errors
    /// Fails if there is no memory for them.
    pub(super) fn make_tables(&mut self, loops: usize) -> Result<(), RunError> {
        for target in &mut self.targets {
            let no_memory =
                |map_bytes| JobError::NoMap { job: self.result.job.name.clone(), map_bytes };
            target.make_map(loops).map_err(|bytes| RunError::Job(no_memory(bytes)))?;
        }
        let Some(checks) = &mut self.checks else { return Ok(()) };
        let mut targets = self.targets.iter();
        targets
            .try_for_each(|target| {
                checks.track(&self.result.job, target.disk, target.region, target.most_ios, loops)
            })
            .map_err(RunError::Job)?;
        let ios = self.targets.iter().fold(0, |sum: u64, target| sum.saturating_add(target.left));
        self.backlog = Backlog::of(&self.result.job, ios, loops).map_err(RunError::Job)?;
        Ok(())
    }

    /// Starts its clock now, or at the end of its delay.
    pub(super) fn begin(&mut self, now_ns: u64, theft: Theft) {
        self.timeline = Timeline::new(&self.result.job, now_ns, theft);
    }

    /// Returns how long the job will have taken since `from_ns`, in nanoseconds, estimated from its
    /// runtime or from its progress; `None` if neither says.
    pub(super) fn expected_ns(&self, from_ns: u64, now_ns: u64) -> Option<u64> {
        let job = &self.result.job;
        let end_ns = self.timeline.end_ns();
        let by_time_ns = (end_ns != NEVER).then(|| end_ns.saturating_sub(from_ns));
        if job.time_based {
            return by_time_ns;
        }
        let done = (self.result.read.bytes + self.result.write.bytes) as f64;
        let Some(to_go) = self.bytes_to_go().filter(|_| done > 0.0) else { return by_time_ns };
        let to_go = to_go as f64;
        // Every write is still to be read back.
        let twice = job.reads_back() && self.phase != Phase::ReadBack;
        let parts = if twice { 2.0 } else { 1.0 };
        let so_far_ns = now_ns.saturating_sub(from_ns) as f64;
        let by_bytes_ns = (so_far_ns * (done + to_go) * parts / done) as u64;
        Some(by_time_ns.map_or(by_bytes_ns, |by_time_ns| by_bytes_ns.min(by_time_ns)))
    }

    pub(super) fn uses(&self, disk: usize) -> bool {
        self.targets.iter().any(|target| target.disk == disk)
    }

    pub(super) fn writes_to(&self, disk: usize) -> bool {
        self.result.job.rw.writes() && self.uses(disk)
    }

    /// Counts an I/O that is now in flight.
    #[inline]
    pub(super) fn count_put(&mut self) {
        self.outstanding += 1;
        self.put += 1;
        self.result.classes.put(self.outstanding, 1);
    }

    /// Counts an I/O that is no longer in flight.
    #[inline]
    pub(super) fn count_completed(&mut self, now_ns: u64) {
        self.outstanding -= 1;
        self.completed += 1;
        self.timeline.note_end(now_ns);
    }

    /// Counts the I/Os issued and completed in this pass by the size of their batch.
    #[inline]
    pub(super) fn end_pass(&mut self) {
        if self.put > 0 {
            self.result.classes.submitted(self.put);
        }
        if self.completed > 0 {
            self.result.classes.completed(self.completed);
        }
        (self.put, self.completed) = (0, 0);
    }

    /// Returns whether nothing is in flight and nothing will be.
    pub(super) fn is_done(&self) -> bool {
        self.outstanding == 0 && self.wake_ns == NEVER && !self.awaits_room
    }

    /// Notes, once, that it is measured from now on or since a moment ago.
    pub(super) fn note_begin(&mut self, clocks: &Clocks<'_, impl Vcpu>, now_ns: u64) {
        self.timeline.note_begin(clocks, now_ns);
    }

    /// Notes the time stolen from it, if it is done.
    pub(super) fn note_end(&mut self, clocks: &Clocks<'_, impl Vcpu>) {
        if self.is_done() {
            self.end(clocks);
        }
    }

    /// Notes the time stolen from it; it ends now or has ended.
    pub(super) fn end(&mut self, clocks: &Clocks<'_, impl Vcpu>) {
        self.timeline.end(clocks);
    }

    /// Returns for how long the I/Os of its pattern have been measured at `now_ns`, in nanoseconds;
    /// `None` before they are, and once they have ended.
    pub(super) fn measured_ns(&self, now_ns: u64) -> Option<u64> {
        let is_under_way = !self.is_done() && !self.timeline.is_stopped();
        let is_measured = is_under_way && !matches!(self.phase, Phase::EndFlush | Phase::ReadBack);
        (is_measured && !self.timeline.is_in_ramp() && !self.timeline.is_over(now_ns))
            .then(|| self.timeline.pattern_ns(now_ns))
            .flatten()
    }

    /// Returns what its pattern has done so far, without a ramp.
    pub(super) fn done(&self) -> Moved {
        let JobResult { read, write, trim, .. } = &self.result;
        match self.phase {
            _ if self.timeline.is_in_ramp() => Moved::default(),
            Phase::ReadBack => Moved::of([write, trim].into_iter()),
            _ => Moved::of([read, write, trim].into_iter()),
        }
    }

    /// Returns whether it reads back what it has written.
    pub(super) fn is_reading_back(&self) -> bool {
        self.phase == Phase::ReadBack
    }

    /// Returns the earliest time, in nanoseconds, at which a direction of its group may end: the
    /// end of its own; 0 if it has none.
    pub(super) fn end_together(&self, direction: Direction) -> u64 {
        let own = self.result.direction(direction);
        let end_ns = self.timeline.clock_ns(direction).saturating_add(own.runtime_ns);
        if own.runtime_ns == 0 { 0 } else { end_ns }
    }

    #[inline]
    fn figures(&mut self, operation: Operation) -> &mut DirectionResult {
        match operation {
            Operation::Read => &mut self.result.read,
            Operation::Write => &mut self.result.write,
            Operation::Discard | Operation::SecureDiscard => &mut self.result.trim,
            _ => &mut self.result.flush,
        }
    }

    /// Counts an I/O that failed at `now_ns`; returns whether the job ends because of it.
    pub(super) fn count_failure(&mut self, operation: Operation, now_ns: u64) -> bool {
        self.figures(operation).errors += 1;
        let on_error = self.result.job.on_error;
        let goes_on = if operation == Operation::Read { on_error.read } else { on_error.write };
        if !goes_on {
            self.stop(now_ns);
        }
        !goes_on
    }

    /// Counts an I/O that is still in flight when the run ends at `now_ns`: it has failed.
    pub(super) fn count_lost(&mut self, io: &InFlight, now_ns: u64) {
        self.figures(io.whole().operation).errors += 1;
        self.timeline.note_end(now_ns);
        self.outstanding -= 1;
    }

    /// Counts a read that returned the wrong data at `now_ns`; returns whether the job ends because
    /// of it.
    pub(super) fn count_mismatch(&mut self, now_ns: u64) -> bool {
        self.result.read.errors += 1;
        let fatal = self.result.job.verify.as_ref().is_some_and(|verify| verify.fatal);
        if fatal {
            self.stop(now_ns);
        }
        fatal
    }

    /// Counts a sleep of the vCPU as one of this job's if the job waits for something.
    pub(super) fn count_sleep(&mut self) {
        self.sleeps += u64::from(self.outstanding != 0);
    }

    /// Returns the next I/O of a job on the [fast path](Self::on_fast_path), on its disks in turn,
    /// as fio takes its files, if this pass through its regions has any left.
    #[inline(always)]
    pub(super) fn next_fast(&mut self, now_ns: u64) -> Option<Next> {
        if self.timeline.is_over(now_ns) {
            return None;
        }
        match &mut self.targets[..] {
            [target] => target.next_fast(),
            _ => self.next_in_turn(),
        }
    }

    /// Returns whether all of its I/Os go to one disk.
    pub(super) fn has_one_target(&self) -> bool {
        self.targets.len() == 1
    }

    #[inline(always)]
    fn next_in_turn(&mut self) -> Option<Next> {
        (0..self.targets.len()).find_map(|_| {
            let number = self.next_target;
            self.advance_target();
            self.targets[number].next_fast()
        })
    }

    /// Fills a slot for a write of one request, number `writes` of the run, and counts it there.
    #[inline(always)]
    pub(super) fn fill(
        &mut self,
        writes: &mut u64,
        queue: &mut QueuePair<'_>,
        slot: &Slot,
        next: &Next,
    ) {
        match &mut self.checks {
            Some(checks) => {
                checks.fill(IoData::of_slot(queue, slot), next.place, next.bytes);
            }
            None => {
                let block = Part { block_offset: next.place.offset, at: 0, bytes: next.bytes };
                data::fill(&self.result.job.buffers, queue, slot, block, *writes);
            }
        }
        *writes += 1;
    }

    /// Forgets what the next I/O waited for.
    pub(super) fn begin_filling(&mut self) {
        (self.wake_ns, self.awaits_room) = (self.timeline.ramp_end_ns(), false);
    }

    /// Returns the number of I/Os that count for the iodepth.
    fn depth(&self) -> u32 {
        self.outstanding + self.batches.as_ref().map_or(0, Batches::ended)
    }

    /// Returns whether another I/O may be issued now, as far as its iodepth and batches decide.
    pub(super) fn may_put(&mut self) -> bool {
        let Self { batches, outstanding, completed, result, .. } = self;
        match batches {
            Some(batches) => {
                batches.take(core::mem::take(completed), *outstanding, &mut result.classes)
            }
            None => *outstanding < result.job.iodepth,
        }
    }

    /// Counts an I/O that is now in flight; returns whether the backends must see at once what was
    /// issued.
    pub(super) fn count_paced(&mut self) -> bool {
        if self.phase == Phase::EndFlush {
            self.outstanding += 1;
            return false;
        }
        let Some(batches) = &mut self.batches else {
            self.count_put();
            return false;
        };
        self.outstanding += 1;
        batches.put(self.outstanding, &mut self.result.classes)
    }

    /// Notes what holds back the next I/O; returns whether it is to be asked for again once the
    /// backends see what was issued, and as many have completed as its batches say.
    pub(super) fn hold(&mut self, hold: Hold) -> bool {
        let Self { batches, outstanding, result, .. } = self;
        let batches = batches.as_mut();
        batches.is_some_and(|batches| batches.hold(hold, *outstanding, &mut result.classes))
    }

    #[inline]
    fn advance_target(&mut self) {
        let next = self.next_target + 1;
        self.next_target = if next == self.targets.len() { 0 } else { next };
    }

    /// Returns whether the ramp ended, by `now_ns` or before; then [`end_ramp`](Self::end_ramp) is
    /// due.
    pub(super) fn is_ramp_over(&self, now_ns: u64) -> bool {
        now_ns >= self.timeline.ramp_end_ns()
    }

    /// Returns whether an I/O that completed at `now_ns` did so after a ramp whose end is still
    /// due.
    pub(super) fn has_left_ramp(&self, now_ns: u64) -> bool {
        now_ns > self.timeline.ramp_end_ns()
    }

    /// Discards the figures measured until the end of the ramp, in which the disks counted `used`;
    /// keeps the errors.
    pub(super) fn end_ramp(&mut self, used: Vec<Counters>) {
        self.result.forget_figures();
        self.ramp_errors = self.result.errors();
        self.ring_wait.start_anew(self.timeline.ramp_end_ns());
        self.timeline.end_ramp(used);
        self.pacer.start_anew();
        self.judge.iter_mut().for_each(|judge| judge.start_anew());
        self.sleeps = 0;
    }

    /// Moves the job to the loop's fast path, if it may go there from now on.
    pub(super) fn update_fast_path(&mut self) {
        let job = &self.result.job;
        let pace = &job.pace;
        let any_paced = pace.rate.is_some()
            || pace.think.is_some()
            || pace.flush_after.is_some()
            || pace.sync_writes
            || pace.batch.is_some()
            || job.bs_mix.is_some()
            || self.judge.is_some()
            || self.service.is_some();
        let waits = self.wake_ns != NEVER || self.timeline.ramp_end_ns() != NEVER;
        let checks = job.rw.reads() && self.read_checks().is_some();
        let is_held_back = any_paced || waits || self.is_split;
        self.on_fast_path =
            self.phase == Phase::Free && !job.reads_back() && !checks && !is_held_back;
    }

    /// Stops issuing I/Os, from `now_ns` on.
    pub(super) fn stop(&mut self, now_ns: u64) {
        self.note_wait(false, now_ns);
        self.end_arrivals(now_ns);
        self.timeline.stop(now_ns, self.is_out_of_ios());
        (self.wake_ns, self.awaits_room) = (NEVER, false);
    }

    /// Notes whether the next I/O, or the rest of one, waits for room on a ring from now on, or
    /// still. Whoever issues no more waits for nothing.
    pub(super) fn note_wait(&mut self, waits: bool, now_ns: u64) {
        let waits = waits && !self.timeline.is_stopped();
        self.ring_wait.note(waits, now_ns.min(self.timeline.end_ns()));
    }

    /// Returns how a read at this point is checked, if it is.
    pub(super) fn read_checks(&self) -> Option<&Checks> {
        let checked = self.phase != Phase::Free || !self.result.job.rw.writes();
        self.checks.as_ref().filter(|_| checked)
    }
}
