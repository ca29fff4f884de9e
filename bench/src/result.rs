//! What came of a job: the figures, a [`table()`] of them for people at the guest's console, and a
//! [`Report`] with all that fio tells, which a guest [`emit`]s for whoever collects it.

mod collect;
mod distribution;
pub mod frame;
mod group;
mod json;
mod logs;
mod marks;
mod normal;
mod number;
mod pairs;
mod report;
mod samples;
mod spread;
mod table;
mod terse;

use crate::histogram::Histogram;
use crate::job::Job;
use crate::pattern::Direction;
use crate::size::NS_PER_SECOND;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::{Add, Sub};
use drivers::blkfront::PagesKept;
use serde::{Deserialize, Serialize};

pub use collect::emit;
pub use distribution::Distribution;
pub use json::{json, json_plus};
pub use logs::{LogFile, LogsError, log_names, take_logs};
pub(crate) use marks::STOLEN_PERCENT_MAX;
pub use normal::normal;
pub use pairs::Pairs;
pub use report::{Extra, Flushes, Job as JobReport, JobLog, Latency, Report, Run, Side};
pub use samples::{Log, Rates, Sample, Samples, Together};
pub use spread::Spread;
pub use table::table;
pub use terse::terse;

/// Heap that the results of jobs take while they run and when they are reported, in bytes: a
/// histogram of 15 KiB for reads, writes and flushes each and what else is counted, the samples of
/// logs, and the text of one job, however its latencies spread.
pub fn heap_bytes(jobs: &[Job]) -> usize {
    const JOB: usize = 52 << 10;
    const REPORT: usize = 768 << 10;
    // 32 bytes in memory, twice at the end, and a text of 30 while it grows.
    const SAMPLE: usize = 2 * 32 + 3 * 30;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    jobs.iter().map(|job| JOB + log(job)).sum::<usize>() + REPORT
}

/// The longest report of jobs as a guest [`emit`]s it, in bytes, however their latencies spread:
/// who reads one need not take more.
pub fn report_bytes_max(jobs: &[Job]) -> usize {
    // Five histograms with a count in each bin are 260 KiB; options are as long as they are given.
    const JOB: usize = 512 << 10;
    const SAMPLE: usize = 64;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    let jobs: usize = jobs.iter().map(|job| JOB + log(job)).sum();
    (JOB + jobs).min(frame::BYTES_MAX)
}

/// What a job did. The caller adds it up while the job runs.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// The job as it ran; its `disks` are the ones that it used.
    pub job: Job,
    /// Its reads, and those that verified its writes.
    pub read: DirectionResult,
    /// Its writes.
    pub write: DirectionResult,
    /// Its discards, which move no bytes but are counted with those that they give up.
    pub trim: DirectionResult,
    /// Its flushes (`fsync=`), which move no bytes.
    pub flush: DirectionResult,
    /// From its start to its end: the later of its last completion and the end of its time, or of
    /// the stop that ended it early.
    pub runtime_ns: u64,
    /// How the I/Os spread.
    pub distribution: Distribution,
    /// By disk of its run, what the backend keeps mapped of the pages that stay granted; for all
    /// that used the disk. Empty where no page stays granted, or the run ended in flight.
    pub pages: Vec<(usize, PagesKept)>,
    /// What was stolen of the time in which it was measured; `None` where the hypervisor does not
    /// tell, or nothing was measured.
    pub stolen: Option<Stolen>,
    /// Jobs that are added up here.
    pub members: u64,
    /// Of the first of several jobs that are to be added up: what all of them did, by and by.
    pub together: Option<Box<Together>>,
    /// What the I/Os cost, over all of the job's disks; `None` when other jobs used one of them at
    /// the same time, for what they cost cannot be told apart.
    pub counters: Option<Counters>,
}

impl JobResult {
    /// Nothing done yet.
    pub fn new(job: Job) -> Self {
        Self {
            read: DirectionResult::new(&job, job.rw.reads() || job.reads_back()),
            write: DirectionResult::new(&job, job.rw.writes()),
            trim: DirectionResult::new(&job, job.rw.trims()),
            flush: DirectionResult::new(&job, job.pace.flush_after.is_some()),
            runtime_ns: 0,
            distribution: Distribution::default(),
            pages: Vec::new(),
            stolen: None,
            members: 1,
            together: None,
            counters: None,
            job,
        }
    }

    /// Begins anew, but keeps the counts of errors.
    pub fn forget_figures(&mut self) {
        let errors = |side: &DirectionResult| side.errors;
        let [read, write] = [&self.read, &self.write].map(errors);
        let [trim, flush] = [&self.trim, &self.flush].map(errors);
        *self = Self { together: self.together.take(), ..Self::new(self.job.clone()) };
        (self.read.errors, self.write.errors) = (read, write);
        (self.trim.errors, self.flush.errors) = (trim, flush);
    }

    /// Counts an I/O that succeeded.
    #[inline]
    pub fn count(&mut self, done: &Done) {
        let side = self.direction_mut(done.direction);
        side.count_done(done);
        side.latency.record(done.latency_ns);
        side.samples.record_latency(done.latency_ns);
        self.distribution.latency(done.latency_ns);
    }

    /// Counts an I/O that succeeded, but was put before anything was measured: it has no latency.
    pub fn count_done(&mut self, done: &Done) {
        self.direction_mut(done.direction).count_done(done);
    }

    /// Counts the latency of an I/O that succeeded when nothing was counted any more.
    pub fn count_latency(&mut self, done: &Done) {
        self.direction_mut(done.direction).latency.record(done.latency_ns);
        self.distribution.latency(done.latency_ns);
    }

    /// Jobs added up, as fio reports those of a group; `None` for none. The job's options are those
    /// of the first.
    pub fn sum(results: &[Self]) -> Option<Self> {
        let (first, rest) = results.split_first()?;
        let mut sum = first.clone();
        if let Some(together) = sum.together.take().filter(|_| !rest.is_empty()) {
            for direction in Direction::ALL {
                sum.direction_mut(direction).samples = together.samples(direction).clone();
            }
        }
        for other in rest {
            sum.read.add(&other.read);
            sum.write.add(&other.write);
            sum.trim.add(&other.trim);
            sum.flush.add(&other.flush);
            sum.runtime_ns += other.runtime_ns;
            sum.distribution.merge(&other.distribution);
            sum.add_pages(other);
            sum.stolen = sum.stolen.zip(other.stolen).map(|(sum, other)| sum + other);
            sum.members += other.members;
            sum.counters = sum.counters.zip(other.counters).map(|(sum, other)| sum + other);
        }
        Some(sum)
    }

    /// Adds the pages of the disks of a job that ran at the same time, each disk once.
    fn add_pages(&mut self, other: &Self) {
        if self.pages.is_empty() || other.pages.is_empty() {
            return self.pages.clear();
        }
        for &(disk, pages) in &other.pages {
            if self.pages.iter().all(|&(counted, _)| counted != disk) {
                self.pages.push((disk, pages));
            }
        }
    }

    /// What the backends keep mapped of the pages that the I/Os used of late, over all disks;
    /// `None` if that was not counted. Pages that are not kept are mapped for each request,
    /// whatever `grants=` says.
    pub fn pages_kept(&self) -> Option<PagesKept> {
        self.pages
            .iter()
            .map(|&(_, pages)| pages)
            .reduce(|sum, one| PagesKept { used: sum.used + one.used, kept: sum.kept + one.kept })
    }

    /// The figures of one direction.
    pub fn direction(&self, direction: Direction) -> &DirectionResult {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
            Direction::Trim => &self.trim,
        }
    }

    /// The figures of one direction, to add to.
    pub fn direction_mut(&mut self, direction: Direction) -> &mut DirectionResult {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
            Direction::Trim => &mut self.trim,
        }
    }

    /// I/Os that succeeded, in all directions.
    pub fn ios(&self) -> u64 {
        self.read.ios + self.write.ios + self.trim.ios
    }

    /// I/Os and flushes that failed.
    pub fn errors(&self) -> u64 {
        self.read.errors + self.write.errors + self.trim.errors + self.flush.errors
    }
}

/// Time in which the vCPU wanted to run and did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stolen {
    /// How long, in nanoseconds.
    pub ns: u64,
    /// Of how long, in nanoseconds.
    pub of_ns: u64,
}

impl Stolen {
    /// The share, in per cent; 0 of no time.
    pub fn percent(&self) -> f64 {
        if self.of_ns == 0 { 0.0 } else { self.ns as f64 * 100.0 / self.of_ns as f64 }
    }
}

impl Add for Stolen {
    type Output = Self;

    /// Of jobs that are added up, as their runtimes are.
    fn add(self, other: Self) -> Self {
        Self { ns: self.ns.saturating_add(other.ns), of_ns: self.of_ns.saturating_add(other.of_ns) }
    }
}

/// An I/O that succeeded.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Read or write.
    pub direction: Direction,
    /// What it moved.
    pub bytes: u32,
    /// From submission to completion.
    pub latency_ns: u64,
    /// How long its direction has been under way.
    pub elapsed_ns: u64,
}

/// What a job did in one direction.
#[derive(Clone, Debug, Default)]
pub struct DirectionResult {
    /// I/Os that the backend did in the runtime, whether their data was right or not. After a ramp
    /// these are those that ended from its end on until the end of the job's time.
    pub ios: u64,
    /// What they moved.
    pub bytes: u64,
    /// I/Os that failed, or whose data was wrong.
    pub errors: u64,
    /// As the job's, but without the phase that the direction has no part in: what is read back was
    /// written before. 0 if it did nothing.
    pub runtime_ns: u64,
    /// From submission to completion of each I/O that succeeded, and was put after the ramp.
    pub latency: Histogram,
    /// Bandwidth and IOPS by and by.
    pub samples: Samples,
}

impl DirectionResult {
    fn new(job: &Job, has_ios: bool) -> Self {
        if !has_ios {
            return Self::default();
        }
        Self { latency: Histogram::new(), samples: Samples::new(job), ..Self::default() }
    }

    #[inline]
    fn count_done(&mut self, done: &Done) {
        self.ios += 1;
        self.bytes += u64::from(done.bytes);
        self.samples.record(done.elapsed_ns, done.bytes.into());
    }

    /// Adds what a job of the same group did: rates add up, and the longest run counts. What jobs
    /// did by and by can only be added up while they run.
    fn add(&mut self, other: &Self) {
        self.ios += other.ios;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.runtime_ns = self.runtime_ns.max(other.runtime_ns);
        self.latency.merge(&other.latency);
    }

    /// I/Os a second; 0 if no time passed.
    pub fn iops(&self) -> f64 {
        self.per_second(self.ios)
    }

    /// Bytes a second; 0 if no time passed.
    pub fn bytes_per_second(&self) -> f64 {
        self.per_second(self.bytes)
    }

    fn per_second(&self, count: u64) -> f64 {
        if self.runtime_ns == 0 {
            return 0.0;
        }
        count as f64 * NS_PER_SECOND as f64 / self.runtime_ns as f64
    }
}

/// What the I/Os of a job cost. The difference of two snapshots is what happened in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests put on rings.
    pub requests: u64,
    /// Event channel notifications sent to backends.
    pub notifications: u64,
    /// Events from backends that were seen before a sleep; some may stand for several.
    pub events: u64,
    /// Grant entries made.
    pub grants_made: u64,
    /// Copies between granted and private pages, one for each segment.
    pub copies_made: u64,
    /// Times that the vCPU slept for want of responses.
    pub sleeps: u64,
}

impl Counters {
    fn zip(self, other: Self, with: fn(u64, u64) -> u64) -> Self {
        Self {
            requests: with(self.requests, other.requests),
            notifications: with(self.notifications, other.notifications),
            events: with(self.events, other.events),
            grants_made: with(self.grants_made, other.grants_made),
            copies_made: with(self.copies_made, other.copies_made),
            sleeps: with(self.sleeps, other.sleeps),
        }
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        self.zip(earlier, u64::wrapping_sub)
    }
}

/// A result to print, shared by the tests: reads at 1,500 IOPS, writes at 500, for two seconds.
#[cfg(test)]
fn sample() -> JobResult {
    let jobs = crate::job::parse("name=mix rw=randrw iodepth=32 runtime=10 filename=/dev/xvda")
        .expect("a good command line");
    let mut result = JobResult::new(jobs.into_iter().next().expect("one job"));
    for (direction, ios) in [(Direction::Read, 3_000), (Direction::Write, 1_000)] {
        for io in 1..=ios {
            let elapsed_ns = 2 * NS_PER_SECOND * io / ios;
            let latency_ns = 20_000 + io - 1;
            result.distribution.put(32);
            result.count(&Done { direction, bytes: 4096, latency_ns, elapsed_ns });
        }
        let side = result.direction_mut(direction);
        side.runtime_ns = 2 * NS_PER_SECOND;
        side.samples.finish(2 * NS_PER_SECOND);
    }
    result.runtime_ns = 2 * NS_PER_SECOND;
    result.distribution.submitted(32);
    result.distribution.completed(32);
    result.pages.push((0, PagesKept { used: 32, kept: 32 }));
    result.stolen = Some(Stolen { ns: 1_000_000, of_ns: 2 * NS_PER_SECOND });
    result.counters = Some(Counters { requests: 4_000, notifications: 125, ..Counters::default() });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_and_subtract_field_by_field() {
        let one = Counters {
            requests: 1,
            notifications: 2,
            events: 3,
            grants_made: 4,
            copies_made: 5,
            sleeps: 6,
        };
        let two = one + one;
        assert_eq!(two.sleeps, 12);
        assert_eq!(two.events, 6);
        assert_eq!(two - one, one);
    }

    #[test]
    fn rates() {
        let result = sample();
        assert_eq!(result.read.iops(), 1_500.0);
        assert_eq!(result.write.bytes_per_second(), 500.0 * 4096.0);
        assert_eq!(DirectionResult::default().iops(), 0.0);
    }
}
