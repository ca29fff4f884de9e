//! The loop: keeps the I/Os of jobs in flight on their queue pairs, and times each.
//!
//! One pass looks at every queue, completes what is there, puts the next I/O of the same job in its
//! place, and then tells the backends, once each. The clock is read once in a pass that completes
//! something (for each completion when data is checked); an I/O put in that pass starts then, so
//! the wait for the rest of its batch counts into its latency. While all goes well nothing here
//! allocates once the first I/Os are out.

mod data;
mod running;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use drivers::blkfront::{Broken, Completion, DiskInfo, IoError, Operation, QueuePair, Slot};
use drivers::hypervisor::Hypervisor;
use xen_abi::blkif::SECTOR_SIZE;

use crate::file_map::FileMap;
use crate::job::{Job, JobError, Poll};
use crate::pattern::Direction;
use crate::result::{Counters, DirectionResult, JobResult};
use crate::size::Bytes;
use crate::wait::{Step, Waiter};
use data::Place;
use running::{Flights, Next, Running};

/// A backend that completes nothing for so long is given up, in nanoseconds.
pub const REQUEST_TIMEOUT_NS: u64 = 30_000_000_000;
/// How often the observer is asked, in nanoseconds.
pub const TICK_NS: u64 = 1_000_000_000;

/// A connected disk that jobs may name.
#[derive(Debug)]
pub struct Disk<'d, 'a, H> {
    /// As in `filename=`.
    pub name: &'d str,
    /// What the backend said of it.
    pub info: DiskInfo,
    /// Its data path, with nothing in flight and a free slot for each I/O of each of its jobs.
    pub queue: &'d mut QueuePair<'a, H>,
    /// The files on it that jobs name.
    pub files: &'d [FileMap],
}

impl<H> Disk<'_, '_, H> {
    /// The file that a job of this disk names, if it names one.
    fn file(&self, job: &Job) -> Result<Option<&FileMap>, JobError> {
        let Some(path) = &job.file else { return Ok(None) };
        let file = self.files.iter().find(|file| file.path == *path);
        file.map(Some).ok_or_else(|| JobError::NoFile(path.clone()))
    }
}

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// A job does not fit a disk.
    Job(JobError),
    /// A job would write to a disk that is read-only.
    ReadOnly {
        /// The job.
        job: String,
        /// The disk.
        disk: String,
    },
    /// A job's blocks are more than a disk's backend takes in one request.
    BlockTooLarge {
        /// The job.
        job: String,
        /// Its block, in bytes.
        bs_bytes: u32,
        /// The disk.
        disk: String,
        /// What its backend takes, in bytes.
        most_bytes: u32,
    },
    /// A disk's backend broke the protocol.
    Broken(String, Broken),
    /// A disk's backend owes requests and completed none for [`REQUEST_TIMEOUT_NS`].
    Stuck {
        /// The disk.
        disk: String,
        /// Requests that it owes.
        outstanding: u32,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(error) => error.fmt(f),
            Self::ReadOnly { job, disk } => write!(
                f,
                "job {job} writes, but {disk} is read-only; attach it with mode w or use rw=read"
            ),
            Self::BlockTooLarge { job, bs_bytes, disk, most_bytes } => write!(
                f,
                "job {job}: bs={} is more than the backend of {disk} takes in one request; use at \
                 most bs={}",
                Bytes((*bs_bytes).into()),
                Bytes((*most_bytes).into())
            ),
            Self::Broken(disk, broken) => write!(f, "{disk}: {broken}"),
            Self::Stuck { disk, outstanding } => write!(
                f,
                "{disk}: backend completed none of {outstanding} requests for {} s",
                REQUEST_TIMEOUT_NS / 1_000_000_000
            ),
        }
    }
}

impl core::error::Error for RunError {}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// One for each job, as far as it got.
    pub results: Vec<JobResult>,
    /// Why the run ended early, if it did.
    pub error: Option<RunError>,
    /// The first I/O that failed or whose data was wrong, if any did.
    pub first_failure: Option<String>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Since the start of the run.
    pub elapsed_ns: u64,
    /// What was read since the start.
    pub read: Moved,
    /// What was written since the start.
    pub written: Moved,
    /// How long the run will take in all, where jobs say.
    pub expected_ns: Option<u64>,
}

/// I/Os that completed in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    /// How many.
    pub ios: u64,
    /// What they moved.
    pub bytes: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Put no more I/Os, and end when those in flight are done.
    Stop,
}

/// Runs jobs together, each on its disks, and asks `observe` when the first I/O has completed and
/// then about once a second. The time that `observe` takes is part of the measurement.
///
/// The disks are polled as the first job says.
pub fn run<H: Hypervisor>(
    hypervisor: &H,
    jobs: Vec<Job>,
    disks: &mut [Disk<'_, '_, H>],
    observe: &mut impl FnMut(&Progress) -> Verdict,
) -> Outcome {
    let before: Vec<Counters> = disks.iter().map(|disk| counters(disk.queue)).collect();
    let mut engine = Engine {
        running: Vec::new(),
        in_flight: disks.iter().map(|_| [const { None }; SLOTS_MAX]).collect(),
        progress_ns: disks.iter().map(|_| 0).collect(),
        checks_data: jobs.iter().any(|job| job.verify.is_some()),
        writes: 0,
        first_failure: None,
    };
    let error = engine
        .start(hypervisor, jobs, disks)
        .and_then(|()| engine.run(hypervisor, disks, observe))
        .err();
    let after = disks.iter().map(|disk| counters(disk.queue));
    let used: Vec<Counters> = after.zip(before).map(|(after, before)| after - before).collect();
    let shared: Vec<bool> = (0..disks.len()).map(|disk| engine.jobs_on(disk) > 1).collect();
    let results =
        engine.running.into_iter().map(|running| running.into_result(&used, &shared)).collect();
    Outcome { results, error, first_failure: engine.first_failure }
}

/// Slots that a disk can have: the entries of a ring.
const SLOTS_MAX: usize = drivers::ring::ENTRIES as usize;

struct Engine {
    running: Vec<Running>,
    /// By disk and slot.
    in_flight: Vec<[Option<InFlight>; SLOTS_MAX]>,
    /// By disk, when it last completed something or owed nothing.
    progress_ns: Vec<u64>,
    /// Checking takes time, so the clock is read for each completion.
    checks_data: bool,
    /// Writes put, so that no two carry the same data.
    writes: u64,
    first_failure: Option<String>,
}

/// What the completion of an I/O needs to know.
#[derive(Clone, Copy)]
struct InFlight {
    running: u32,
    direction: Direction,
    offset: u64,
    start_ns: u64,
}

impl Engine {
    /// Fits the jobs to the disks and puts their first I/Os.
    fn start<H: Hypervisor>(
        &mut self,
        hypervisor: &H,
        jobs: Vec<Job>,
        disks: &mut [Disk<'_, '_, H>],
    ) -> Result<(), RunError> {
        let run_ns = hypervisor.now_ns();
        for (number, job) in jobs.into_iter().enumerate() {
            self.running.push(Running::new(job, number, run_ns, disks)?);
        }
        for (number, disk) in disks.iter_mut().enumerate() {
            let writers = self.running.iter().filter(|running| running.writes_to(number));
            if let Some(bytes) = writers.map(|running| running.result.job.bs_bytes).max() {
                data::fill_all(disk.queue, bytes);
            }
        }
        // All of the above takes time that is no I/O's.
        let now_ns = hypervisor.now_ns();
        self.progress_ns.fill(now_ns);
        for number in 0..self.running.len() {
            self.running[number].begin(now_ns);
            self.put_first(number, disks, now_ns);
        }
        self.running.iter_mut().for_each(Running::end_pass);
        kick_all(disks)
    }

    fn jobs_on(&self, disk: usize) -> usize {
        self.running.iter().filter(|running| running.uses(disk)).count()
    }

    /// Fills a job's iodepth.
    fn put_first<H: Hypervisor>(
        &mut self,
        number: usize,
        disks: &mut [Disk<'_, '_, H>],
        now_ns: u64,
    ) {
        for _ in 0..self.running[number].result.job.iodepth {
            self.put_next(number, None, disks, now_ns);
        }
    }

    fn read_back_where_due<H: Hypervisor>(&mut self, disks: &mut [Disk<'_, '_, H>], now_ns: u64) {
        for number in 0..self.running.len() {
            if self.running[number].is_reading_back_due() {
                self.running[number].begin_reading_back(now_ns);
                self.put_first(number, disks, now_ns);
            }
        }
    }

    fn run<H: Hypervisor>(
        &mut self,
        hypervisor: &H,
        disks: &mut [Disk<'_, '_, H>],
        observe: &mut impl FnMut(&Progress) -> Verdict,
    ) -> Result<(), RunError> {
        let start_ns = hypervisor.now_ns();
        let poll = self.running.first().map_or(Poll::Auto, |first| first.result.job.poll);
        let mut waiter = Waiter::new(poll);
        // The first completion makes the first tick.
        let mut tick_ns = start_ns.saturating_add(REQUEST_TIMEOUT_NS);
        let mut begun = false;
        while self.running.iter().any(|running| running.outstanding != 0) {
            let completed_ns = self.complete_all(hypervisor, disks)?;
            if let Some(now_ns) = completed_ns {
                self.read_back_where_due(disks, now_ns);
                self.running.iter_mut().for_each(Running::end_pass);
            }
            kick_all(disks)?;
            let now_ns = completed_ns.unwrap_or_else(|| hypervisor.now_ns());
            let begins = completed_ns.is_some() && !begun;
            if begins || now_ns >= tick_ns {
                begun |= begins;
                tick_ns = now_ns.saturating_add(TICK_NS);
                self.give_up_the_stuck(disks, now_ns)?;
                if observe(&self.progress(start_ns, now_ns)) == Verdict::Stop {
                    self.running.iter_mut().for_each(Running::stop);
                }
            }
            if completed_ns.is_some() {
                waiter.progress(now_ns);
                continue;
            }
            match waiter.idle(now_ns) {
                Step::Poll => core::hint::spin_loop(),
                Step::Sleep => {
                    hypervisor.prepare_wait();
                    // All of them, also behind one that has work: each must be armed anew.
                    let work = disks.iter_mut().fold(false, |work, disk| disk.queue.arm() | work);
                    if !work {
                        self.running.iter_mut().for_each(Running::count_sleep);
                        hypervisor.wait(tick_ns.min(now_ns.saturating_add(TICK_NS)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Fails when a disk owes requests and has completed none for too long.
    fn give_up_the_stuck<H: Hypervisor>(
        &mut self,
        disks: &[Disk<'_, '_, H>],
        now_ns: u64,
    ) -> Result<(), RunError> {
        for (disk, progress_ns) in disks.iter().zip(&mut self.progress_ns) {
            let outstanding = disk.queue.outstanding();
            if outstanding == 0 {
                *progress_ns = now_ns;
            } else if now_ns.saturating_sub(*progress_ns) >= REQUEST_TIMEOUT_NS {
                return Err(RunError::Stuck { disk: disk.name.into(), outstanding });
            }
        }
        Ok(())
    }

    /// Completes what is there on all queues; answers the time of it, if there was anything.
    #[inline]
    fn complete_all<H: Hypervisor>(
        &mut self,
        hypervisor: &H,
        disks: &mut [Disk<'_, '_, H>],
    ) -> Result<Option<u64>, RunError> {
        let mut time_ns: Option<u64> = None;
        for number in 0..disks.len() {
            loop {
                let disk = &mut disks[number];
                let broken = |broken| RunError::Broken(disk.name.into(), broken);
                let Some(completion) = disk.queue.poll().map_err(broken)? else {
                    break;
                };
                let now_ns = match time_ns {
                    Some(now_ns) if !self.checks_data => now_ns,
                    _ => hypervisor.now_ns(),
                };
                time_ns = Some(now_ns);
                self.progress_ns[number] = now_ns;
                self.complete(number, completion, disks, now_ns);
            }
        }
        Ok(time_ns)
    }

    #[inline]
    fn complete<H: Hypervisor>(
        &mut self,
        disk_number: usize,
        completion: Completion,
        disks: &mut [Disk<'_, '_, H>],
        now_ns: u64,
    ) {
        let Completion { slot, result } = completion;
        let io =
            self.in_flight[disk_number][slot.index()].take().expect("the queue checked the id");
        let number = io.running as usize;
        let running = &mut self.running[number];
        running.count_completed();
        match result {
            Ok(()) => {
                running.count(io.direction, now_ns, now_ns - io.start_ns);
                if io.direction == Direction::Read
                    && let Some(checks) = running.read_checks()
                {
                    let Disk { name, queue, .. } = &disks[disk_number];
                    let place = Place { disk: disk_number, offset: io.offset };
                    if let Err(wrong) = checks.check(queue, &slot, place) {
                        running.count_mismatch();
                        self.first_failure.get_or_insert_with(|| format!("{name}: {wrong}"));
                    }
                }
            }
            Err(error) => {
                running.result.direction_mut(io.direction).errors += 1;
                running.stop();
                let name = disks[disk_number].name;
                self.first_failure.get_or_insert_with(|| failure(name, &io, error));
            }
        }
        self.put_next(number, Some((disk_number, slot)), disks, now_ns);
    }

    /// Puts a job's next I/O, if it has one, in a slot that just became free if it fits.
    #[inline]
    fn put_next<H: Hypervisor>(
        &mut self,
        number: usize,
        free: Option<(usize, Slot)>,
        disks: &mut [Disk<'_, '_, H>],
        now_ns: u64,
    ) {
        let running = &mut self.running[number];
        let flights = Flights { all: &self.in_flight, running: number as u32 };
        let Some(Next { place, direction, disk_offset }) = running.next_io(now_ns, &flights) else {
            if let Some((disk_number, slot)) = free {
                disks[disk_number].queue.release(slot);
            }
            return;
        };
        let Place { disk: disk_number, offset } = place;
        let slot = match free {
            Some((home, slot)) if home == disk_number => slot,
            other => {
                if let Some((home, slot)) = other {
                    disks[home].queue.release(slot);
                }
                disks[disk_number].queue.acquire().expect("a slot for each I/O")
            }
        };
        let queue = &mut *disks[disk_number].queue;
        let bytes = running.result.job.bs_bytes;
        let operation = match direction {
            Direction::Read => Operation::Read,
            Direction::Write => {
                match &mut running.checks {
                    Some(checks) => checks.fill(queue, &slot, place, self.writes),
                    None => data::stamp(queue, &slot, offset, self.writes, bytes),
                }
                self.writes += 1;
                Operation::Write
            }
        };
        self.in_flight[disk_number][slot.index()] =
            Some(InFlight { running: number as u32, direction, offset, start_ns: now_ns });
        running.count_put();
        queue.submit(slot, operation, disk_offset / u64::from(SECTOR_SIZE), bytes);
    }

    fn progress(&self, start_ns: u64, now_ns: u64) -> Progress {
        let results = || self.running.iter().map(|running| &running.result);
        let longest = |job: &Job| job.runtime_ns.filter(|_| job.time_based);
        Progress {
            elapsed_ns: now_ns - start_ns,
            read: moved(results().map(|result| &result.read)),
            written: moved(results().map(|result| &result.write)),
            expected_ns: results().filter_map(|result| longest(&result.job)).max(),
        }
    }
}

fn moved<'r>(sides: impl Iterator<Item = &'r DirectionResult> + Clone) -> Moved {
    Moved {
        ios: sides.clone().map(|side| side.ios).sum(),
        bytes: sides.map(|side| side.bytes).sum(),
    }
}

fn kick_all<H: Hypervisor>(disks: &mut [Disk<'_, '_, H>]) -> Result<(), RunError> {
    for disk in disks {
        disk.queue.kick().map_err(|broken| RunError::Broken(disk.name.into(), broken))?;
    }
    Ok(())
}

fn failure(disk: &str, io: &InFlight, error: IoError) -> String {
    format!("{disk}: {:?} at byte {}: {error}", io.direction, io.offset)
}

/// The queue's counters, as results name them.
fn counters<H: Hypervisor>(queue: &QueuePair<'_, H>) -> Counters {
    let counters = queue.counters();
    Counters {
        requests: counters.reads + counters.writes + counters.flushes + counters.discards,
        notifications: counters.notifications,
        events: counters.events,
        grants_made: counters.grants,
        copies_made: counters.copies,
        sleeps: 0,
    }
}
