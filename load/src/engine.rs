//! Loop that keeps the I/Os of jobs in flight on their disks' queue pairs, and times each.
//!
//! An [`Engine`] owns its disks and runs on one vCPU, step by step: its caller calls
//! [`pass`](Engine::pass) until the jobs have [ended](Pass::Done), and sleeps when told to. A guest
//! does nothing else meanwhile ([`crate::worker`]); a simulator may step several in turn. The path
//! of every I/O is in `engine/pass.rs` and `engine/replace.rs`, the part that only some jobs need
//! in `engine/paced.rs`, and that of I/Os of several requests in `engine/split.rs`.

mod active_job;
mod alarm;
mod arrivals;
mod backlog;
mod batches;
mod bounds;
mod covered;
mod data;
mod disk;
mod due;
mod group;
mod in_flight;
mod io_data;
mod kept;
mod lane;
mod open_loop;
mod outcome;
mod paced;
mod pacer;
mod parts;
mod pass;
mod passes;
mod ramp;
mod replace;
mod ring_wait;
mod service;
mod share;
mod split;
mod steady;
mod stolen;
mod target;
mod time;
mod timeline;
mod turns;

use alloc::string::String;
use alloc::vec::Vec;

use drivers::Vcpu;
use drivers::blkfront::{Held, QueuePair};
use fio_job::{LatencyFrom, Poll};
use results::{Counters, JobResult};

use crate::wait::Waiter;
use active_job::ActiveJob;
use alarm::Alarm;
use due::DueTimes;
use group::Group;
use in_flight::{InFlightTable, Stall};
use kept::Windows;
use parts::Parts;
use share::{DISKS_BITS, WRITES_BITS};
use split::Split;
use steady::Watch;
use stolen::{Clocks, Theft};
use turns::Turns;

pub use disk::Disk;
pub use outcome::{Control, Moved, Outcome, Progress, RunError};
pub use pass::Pass;
pub use share::{Share, StageJob};
pub use time::{REQUEST_TIMEOUT_NS, TICK_NS};

/// Most heap that a slot of a queue takes here, in bytes, whatever its jobs are.
pub const SLOT_HEAP_BYTES: usize = in_flight::SLOT_BYTES + due::SLOT_BYTES + parts::SLOT_BYTES;

/// Jobs that run together on one vCPU, and their disks.
#[derive(Debug)]
pub struct Engine<'v, 'a, V> {
    vcpu: &'v V,
    disks: Vec<Disk<'a>>,
    jobs: Vec<ActiveJob>,
    /// Requests in flight, by disk and queue.
    in_flight: Vec<Vec<InFlightTable>>,
    /// Due times of these, as far as their jobs count from them.
    due: DueTimes,
    /// Queues that I/Os go to.
    turns: Turns,
    /// I/Os of several requests, or that wait for room, by disk.
    splits: Vec<Split>,
    /// Slots of an I/O that has just ended; empty in between.
    ended_slots: Vec<Held>,
    /// Counters of each disk before the run.
    before: Vec<Counters>,
    /// Groups of jobs that are reported together.
    groups: Vec<Group>,
    /// Watches over jobs that end once they are steady.
    watches: Vec<Watch>,
    /// Whether a job must be serviced again whenever something completes.
    any_paced: bool,
    /// Whether a job waits for room on a ring.
    any_waits: bool,
    /// Number of the job that is serviced first.
    first_job: usize,
    /// Time at which a job must be serviced again even if nothing completes.
    alarm: Alarm,
    /// Whether making or checking the data of I/Os takes a time that belongs to no latency.
    takes_long: bool,
    /// Number of writes issued, so that no two carry the same data.
    writes: u64,
    /// Time at which the first pass was to begin.
    start_ns: u64,
    /// Time of the next call of the observer.
    tick_ns: u64,
    /// Whether an I/O has completed.
    begun: bool,
    waiter: Waiter,
    windows: Windows,
    /// Number of the vCPU.
    id: u32,
    error: Option<RunError>,
    first_failure: Option<String>,
    /// Whether a failure is to end the jobs of the other loops, too.
    ends_all: bool,
}

impl<'v, 'a, V: Vcpu> Engine<'v, 'a, V> {
    /// Fits jobs to their disks, without any I/O yet. Polls the disks as the first job says. An
    /// error here is in the [outcome](Self::finish).
    pub fn prepare(vcpu: &'v V, share: Share<'a>) -> Self {
        let Share { vcpu: id, jobs, disks } = share;
        let tables = |disk: &Disk<'_>| disk.queues.iter().map(InFlightTable::new).collect();
        let poll = jobs.first().map_or(Poll::Auto, |first| first.job.poll);
        let has_due_times = |one: &StageJob| one.job.pace.latency_from == LatencyFrom::Due;
        let stays_awake = poll == Poll::Auto && jobs.iter().any(has_due_times);
        let mut engine = Self {
            vcpu,
            jobs: Vec::new(),
            in_flight: disks.iter().map(tables).collect(),
            due: DueTimes::default(),
            turns: Turns::new(&disks),
            splits: Vec::new(),
            ended_slots: Vec::new(),
            before: disks.iter().map(Disk::counters).collect(),
            groups: Vec::new(),
            watches: Vec::new(),
            any_paced: true,
            any_waits: false,
            first_job: 0,
            alarm: Alarm::new(stays_awake),
            takes_long: jobs.iter().any(|one| data::takes_long(&one.job)),
            writes: u64::from(id) << WRITES_BITS,
            start_ns: 0,
            tick_ns: 0,
            begun: false,
            waiter: Waiter::new(poll),
            windows: Windows::default(),
            id,
            error: None,
            first_failure: None,
            ends_all: false,
            disks,
        };
        if stays_awake {
            // A yield may outlast the time at which an I/O is due.
            engine.waiter.never_yield();
        }
        if let Err(error) = engine.fit(jobs) {
            engine.abandon(error);
        }
        engine
    }

    fn fit(&mut self, jobs: Vec<StageJob>) -> Result<(), RunError> {
        for Disk { name, queues, .. } in &self.disks {
            if let Some(broken) = queues.iter().find_map(QueuePair::broken) {
                return Err(RunError::Broken(name.clone(), broken));
            }
        }
        let run_ns = self.vcpu.now_ns();
        for job in jobs {
            self.jobs.push(ActiveJob::new(job, run_ns, &self.disks)?);
        }
        if self.jobs.iter().any(ActiveJob::counts_from_due) {
            self.due = DueTimes::new(&self.disks);
        }
        self.splits = split::prepare(&self.disks, &mut self.jobs);
        self.ended_slots = Vec::with_capacity(split::held_max(&self.splits));
        self.groups = group::find(&mut self.jobs);
        self.watches = steady::find(&self.jobs);
        for (number, disk) in self.disks.iter_mut().enumerate() {
            let users = self.jobs.iter().filter(|job| job.uses(number));
            if let Some(after) = users.map(|job| job.result.job.event_after).min() {
                disk.queues.iter_mut().for_each(|queue| queue.set_event_after(after));
            }
            let writers = self.jobs.iter().filter(|job| job.writes_to(number));
            if let Some(bytes) = writers.map(|job| job.result.job.bs_bytes).max() {
                disk.queues.iter_mut().for_each(|queue| data::fill_all(queue, bytes));
            }
        }
        Ok(())
    }

    /// Sees to it that the vCPU never yields, since others need it for their events; to be called
    /// before the first pass.
    pub fn never_yield(&mut self) {
        self.waiter.never_yield();
    }

    /// Makes random maps and the tables that checks need, with room left for each of the `loops` of
    /// the stage.
    /// They may take nearly all memory, so all loops allocate everything else before. An error here
    /// is in the [outcome](Self::finish).
    pub fn make_tables(&mut self, loops: usize) {
        let made = self.jobs.iter_mut().try_for_each(|job| job.make_tables(loops));
        if let Err(error) = made {
            self.abandon(error);
        }
    }

    /// Returns whether an error has ended the run.
    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Issues the first I/Os and starts the clocks, unless there was an error.
    pub fn begin(&mut self) {
        if self.has_failed() {
            return;
        }
        // The setup so far took time that belongs to no I/O.
        let now_ns = self.vcpu.now_ns();
        self.in_flight.iter_mut().flatten().for_each(|table| table.progress_ns = now_ns);
        let theft = Theft::new(&self.clocks());
        self.jobs.iter_mut().for_each(|job| job.begin(now_ns, theft));
        if let Err(error) = self.service_paced(now_ns).and_then(|()| self.show_all()) {
            self.abandon(error);
            return;
        }
        self.start_ns = self.vcpu.now_ns();
        self.tick_ns = self.start_ns.saturating_add(TICK_NS);
        self.windows = Windows::begin(&mut self.disks, self.start_ns);
    }

    /// Returns the outcome of the jobs, and the disks. Jobs that have not ended end here with what
    /// they have; requests in flight stay in flight.
    pub fn finish(mut self) -> (Outcome, Vec<Disk<'a>>) {
        if !self.jobs.iter().all(ActiveJob::is_done) {
            let now_ns = self.vcpu.now_ns();
            self.stop_all(now_ns);
        }
        let clocks = self.clocks();
        self.jobs.iter_mut().for_each(|job| job.end(&clocks));
        if self.error.is_none() {
            let nothing_measured = self.jobs.iter().find_map(ActiveJob::nothing_measured);
            self.first_failure = self.first_failure.or(nothing_measured);
        }
        let used = self.used();
        let kept = kept::count(&self.disks);
        self.jobs.iter_mut().for_each(ActiveJob::end_phase);
        group::end(self.groups, &mut self.jobs);
        steady::end(self.watches, &mut self.jobs);
        let jobs_on = |disk| self.jobs.iter().filter(|job| job.uses(disk)).count();
        let shared: Vec<bool> = (0..self.disks.len()).map(|disk| jobs_on(disk) > 1).collect();
        let queues = self.disks.iter().map(|disk| disk.queues.len() as u32);
        let first = (self.id as usize) << DISKS_BITS;
        let keys: Vec<_> = (first..).zip(queues).collect();
        let vcpus = [self.id];
        let result = |job: ActiveJob| JobResult {
            vcpus: vcpus.to_vec(),
            ..job.into_result(&used, &shared, &kept, &keys)
        };
        let results = self.jobs.into_iter().map(result).collect();
        let Self { error, first_failure, ends_all, .. } = self;
        let ends_all = ends_all || error.is_some();
        let outcome = Outcome { results, error, first_failure, ends_all };
        (outcome, self.disks)
    }

    /// Returns the clocks by which time is stolen.
    fn clocks(&self) -> Clocks<'v, V> {
        Clocks { vcpu: self.vcpu, lent_ns: self.waiter.lent_ns() }
    }

    /// Returns the counters of the disks since the run began.
    fn used(&self) -> Vec<Counters> {
        let now = self.disks.iter().map(Disk::counters);
        now.zip(&self.before).map(|(now, before)| now - *before).collect()
    }

    /// Fails if a backend has requests in flight on a queue that it does not complete.
    fn give_up_the_stuck(&mut self, now_ns: u64) -> Result<(), RunError> {
        for (disk, tables) in self.disks.iter().zip(&mut self.in_flight) {
            for (queue, table) in disk.queues.iter().zip(tables) {
                let name = || disk.name.clone();
                let outstanding = queue.outstanding();
                match table.stall(queue, now_ns) {
                    None => {}
                    Some(Stall::Silent) => {
                        return Err(RunError::Stuck { disk: name(), outstanding });
                    }
                    Some(Stall::Starved(overdue)) => {
                        return Err(RunError::Overdue { disk: name(), overdue, outstanding });
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the run with an error: I/Os still in flight have failed, and took until now.
    #[cold]
    fn abandon(&mut self, error: RunError) -> Pass {
        let now_ns = self.vcpu.now_ns();
        for io in self.in_flight.iter().flatten().flat_map(InFlightTable::iter) {
            let job = &mut self.jobs[io.job_index as usize];
            if !job.is_split {
                job.count_lost(io, now_ns);
            }
        }
        let queues = self.splits.iter().flat_map(|split| &split.queues);
        for io in queues.flat_map(Parts::open) {
            self.jobs[io.job_index as usize].count_lost(io, now_ns);
        }
        self.stop_all(now_ns);
        self.error = Some(error);
        Pass::Done
    }

    /// Stops issuing I/Os of all jobs, from `now_ns` on.
    fn stop_all(&mut self, now_ns: u64) {
        self.jobs.iter_mut().for_each(|job| job.stop(now_ns));
    }

    /// Returns the progress at a time not before the beginning, in nanoseconds of system time.
    pub(crate) fn progress(&self, now_ns: u64) -> Progress {
        let results = || self.jobs.iter().map(|job| &job.result);
        let expected_ns = self.jobs.iter().map(|job| job.expected_ns(self.start_ns, now_ns));
        Progress {
            elapsed_ns: now_ns.saturating_sub(self.start_ns),
            read: Moved::of(results().map(|result| &result.read)),
            written: Moved::of(results().map(|result| &result.write)),
            expected_ns: expected_ns.reduce(|one, other| Some(one?.max(other?))).flatten(),
        }
    }
}
