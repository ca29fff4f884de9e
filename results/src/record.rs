//! Result of a job: figures that are counted while it runs, and can be added up over jobs.

use alloc::boxed::Box;
use alloc::vec::Vec;

use fio_job::number::NS_PER_SECOND;
use fio_job::{Direction, Job};

use crate::arrivals::Arrivals;
use crate::classes::Classes;
use crate::counters::Counters;
use crate::histogram::Histogram;
use crate::samples::{Samples, Together};
use crate::steady_state::SteadyReport;
use crate::stolen::Stolen;

/// Result of a job. The caller counts into it while the job runs.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// Job as it ran; its `disks` are the ones that it used.
    pub job: Job,
    /// Reads, including those that verified its writes.
    pub read: DirectionResult,
    /// Writes.
    pub write: DirectionResult,
    /// Discards, which move no data but are counted with the bytes that they discard.
    pub trim: DirectionResult,
    /// Flushes (`fsync=`), which move no bytes.
    pub flush: DirectionResult,
    /// Time from start to end, in nanoseconds: to the later of its last completion and the end of
    /// its time, or to the stop that ended it early.
    pub runtime_ns: u64,
    /// Time at which it began to be measured, in nanoseconds of Xen's system time, which all guests
    /// of a host share; 0 if it was not. It ended when `runtime_ns` was over.
    pub begin_ns: u64,
    /// Time at which the measurement ended, on the same clock.
    pub end_ns: u64,
    /// Counts of I/Os by class of iodepth, batch size and latency.
    pub classes: Classes,
    /// vCPUs that ran the jobs added up here, from the lowest on.
    pub vcpus: Vec<u32>,
    /// Queues of each disk of the run that the job's vCPU used, by a key for disk and vCPU.
    pub queues: Vec<(usize, u32)>,
    /// Largest physical sector of the job's disks in bytes, as their backends say.
    pub physical_sector_bytes: u32,
    /// Most bytes of a read or write that go in one request to one of the job's disks, as its
    /// backend takes and `ringmark_indirect=` allows.
    pub request_bytes_max: u32,
    /// Pages that stay granted and that the backend keeps mapped, by the same key and for all
    /// jobs that used these queues. Empty if no page stays granted, or if the run ended with I/Os
    /// in flight.
    pub pages: Vec<(usize, PagesKept)>,
    /// Time stolen from the vCPU while the job was measured; `None` if the hypervisor does not
    /// report it, or nothing was measured.
    pub stolen: Option<Stolen>,
    /// Time for which the job's next I/O waited for room on a ring, in nanoseconds: it had fewer
    /// than its iodepth in flight, but these I/Os and those of others took all entries or slots.
    pub ring_wait_ns: u64,
    /// Number of jobs added up here.
    pub members: u64,
    /// Samples over time of all jobs that are to be added up; kept by the first of them.
    pub together: Option<Box<Together>>,
    /// Samples by which the job, or the group whose first it is, was to end once it was steady; if
    /// it was to, by fio's rule.
    pub steady_state: Option<SteadyReport>,
    /// Length of the series by which it was found steady and ended, in nanoseconds, if it was, by
    /// the rule `auto`: it is judged by that, too.
    pub steady_ns: Option<u64>,
    /// Value of fio's `error` of a job that ended because it left its bounds; 0 if it did not.
    pub errno: i32,
    /// Cost of the I/Os over all of the job's disks; `None` if other jobs used one of them at the
    /// same time, because their costs cannot be separated.
    pub counters: Option<Counters>,
}

/// Stages of results are those of their jobs ([`fio_job::stages`]).
impl AsRef<Job> for JobResult {
    fn as_ref(&self) -> &Job {
        &self.job
    }
}

impl JobResult {
    /// Returns the result of a job that has done nothing yet.
    pub fn new(job: Job) -> Self {
        Self {
            read: DirectionResult {
                arrivals: Arrivals::of(&job, Direction::Read),
                ..DirectionResult::new(&job, job.rw.reads() || job.reads_back())
            },
            write: DirectionResult {
                arrivals: Arrivals::of(&job, Direction::Write),
                ..DirectionResult::new(&job, job.rw.writes())
            },
            trim: DirectionResult {
                arrivals: Arrivals::of(&job, Direction::Trim),
                ..DirectionResult::new(&job, job.rw.trims())
            },
            flush: DirectionResult::new(&job, job.pace.flush_after.is_some()),
            runtime_ns: 0,
            begin_ns: 0,
            end_ns: 0,
            classes: Classes::default(),
            vcpus: Vec::new(),
            queues: Vec::new(),
            physical_sector_bytes: 0,
            request_bytes_max: 0,
            pages: Vec::new(),
            stolen: None,
            ring_wait_ns: 0,
            members: 1,
            together: None,
            steady_state: None,
            steady_ns: None,
            errno: 0,
            counters: None,
            job,
        }
    }

    /// Begins anew, but keeps the counts of errors.
    pub fn forget_figures(&mut self) {
        let errors = |side: &DirectionResult| side.errors;
        let [read, write] = [&self.read, &self.write].map(errors);
        let [trim, flush] = [&self.trim, &self.flush].map(errors);
        let (together, errno) = (self.together.take(), self.errno);
        *self = Self { together, errno, ..Self::new(self.job.clone()) };
        (self.read.errors, self.write.errors) = (read, write);
        (self.trim.errors, self.flush.errors) = (trim, flush);
    }

    /// Counts I/Os that succeeded; their latencies are counted
    /// [for themselves](Self::count_latency).
    #[inline]
    pub fn count_done(&mut self, done: &Done) {
        let side = self.direction_mut(done.direction);
        side.ios += u64::from(done.ios);
        side.bytes += u64::from(done.bytes) * u64::from(done.ios);
        side.samples.record(done.elapsed_ns, done.bytes, done.ios);
        side.samples.record_latencies(done.latencies_ns, done.timed);
    }

    /// Counts the latency of `ios` I/Os that succeeded.
    #[inline]
    pub fn count_latency(&mut self, direction: Direction, latency_ns: u64, ios: u32) {
        self.direction_mut(direction).latency.record(latency_ns, ios);
        self.classes.latency(latency_ns, ios);
    }

    /// Returns the sum of the jobs, as fio reports a group; `None` if there are no jobs. The
    /// options are those of the first job.
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
            sum.begin_ns = sum.begin_ns.min(other.begin_ns);
            sum.end_ns = sum.end_ns.max(other.end_ns);
            sum.classes.merge(&other.classes);
            sum.vcpus.extend(&other.vcpus);
            sum.queues.extend(&other.queues);
            sum.physical_sector_bytes = sum.physical_sector_bytes.max(other.physical_sector_bytes);
            sum.request_bytes_max = sum.request_bytes_max.max(other.request_bytes_max);
            sum.add_pages(other);
            sum.stolen = sum.stolen.zip(other.stolen).map(|(sum, other)| sum + other);
            sum.ring_wait_ns += other.ring_wait_ns;
            sum.members += other.members;
            sum.errno = if sum.errno == 0 { other.errno } else { sum.errno };
            sum.counters = sum.counters.zip(other.counters).map(|(sum, other)| sum + other);
        }
        sum.vcpus.sort_unstable();
        sum.vcpus.dedup();
        sum.queues.sort_unstable();
        sum.queues.dedup();
        Some(sum)
    }

    /// Adds the pages of the disks of a job that ran at the same time, each queue once.
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

    /// Returns the recently used pages that the backends keep mapped, over all disks; `None` if
    /// they were not counted. Pages that are not kept are mapped for each request, whatever
    /// `grants=` says.
    pub fn pages_kept(&self) -> Option<PagesKept> {
        self.pages
            .iter()
            .map(|&(_, pages)| pages)
            .reduce(|sum, one| PagesKept { used: sum.used + one.used, kept: sum.kept + one.kept })
    }

    /// Returns the figures of one direction.
    pub fn direction(&self, direction: Direction) -> &DirectionResult {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
            Direction::Trim => &self.trim,
        }
    }

    /// Returns the figures of one direction, to add to.
    pub fn direction_mut(&mut self, direction: Direction) -> &mut DirectionResult {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
            Direction::Trim => &mut self.trim,
        }
    }

    /// Returns the number of I/Os that succeeded, in all directions.
    pub fn ios(&self) -> u64 {
        self.read.ios + self.write.ios + self.trim.ios
    }

    /// Returns the number of I/Os and flushes that failed.
    pub fn errors(&self) -> u64 {
        self.read.errors + self.write.errors + self.trim.errors + self.flush.errors
    }
}

/// Pages that a backend keeps mapped between requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PagesKept {
    /// Pages that the I/Os used recently.
    pub used: u32,
    /// Number of these pages that stay mapped.
    pub kept: u32,
}

/// I/Os that succeeded at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Number of the I/Os.
    pub ios: u32,
    /// Direction of the data.
    pub direction: Direction,
    /// Bytes that each moved.
    pub bytes: u32,
    /// Time since their direction began, in nanoseconds.
    pub elapsed_ns: u64,
    /// Number of those whose latency counts: they were submitted after the ramp.
    pub timed: u32,
    /// Sum of the times from their submission to completion, in nanoseconds.
    pub latencies_ns: u64,
}

/// Figures of a job in one direction.
#[derive(Clone, Debug, Default)]
pub struct DirectionResult {
    /// I/Os that the backend completed in the runtime, whether their data was right or not. With a
    /// ramp, I/Os that completed between its end and the end of the job's time.
    pub ios: u64,
    /// Bytes that they moved.
    pub bytes: u64,
    /// I/Os that failed, or whose data was wrong.
    pub errors: u64,
    /// Runtime of the job in nanoseconds, without the phase in which the direction does nothing:
    /// data is read back only after it was written. 0 if it did nothing.
    pub runtime_ns: u64,
    /// I/Os among `ios` that completed when the job's time was already over.
    pub late_ios: u64,
    /// Part of the runtime before the job's time was over, in nanoseconds: all but the wait for the
    /// I/Os that were then in flight.
    pub window_ns: u64,
    /// Latencies, from submission to completion, of the I/Os that succeeded and were submitted
    /// after the ramp.
    pub latency: Histogram,
    /// Bandwidth and IOPS over time.
    pub samples: Samples,
    /// I/Os by the times at which they were due, if that is counted.
    pub arrivals: Option<Box<Arrivals>>,
}

impl DirectionResult {
    fn new(job: &Job, has_ios: bool) -> Self {
        if !has_ios {
            return Self::default();
        }
        Self { latency: Histogram::new(), samples: Samples::new(job), ..Self::default() }
    }

    /// Adds the figures of another job of the same group: rates add up, and the longest runtime
    /// counts. Samples over time can only be added up while the jobs run.
    fn add(&mut self, other: &Self) {
        self.ios += other.ios;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.runtime_ns = self.runtime_ns.max(other.runtime_ns);
        self.late_ios += other.late_ios;
        self.window_ns = self.window_ns.max(other.window_ns);
        self.latency.merge(&other.latency);
        match (&mut self.arrivals, &other.arrivals) {
            (Some(arrivals), Some(others)) => arrivals.add(others),
            (None, Some(others)) => self.arrivals = Some(others.clone()),
            (_, None) => {}
        }
    }

    /// Returns the I/Os per second; 0 if no time passed.
    pub fn iops(&self) -> f64 {
        per_second(self.ios, self.runtime_ns)
    }

    /// Returns the I/Os per second before the job's time was over; 0 if it had none.
    pub fn iops_in_window(&self) -> f64 {
        per_second(self.ios.saturating_sub(self.late_ios), self.window_ns)
    }

    /// Returns the bytes per second; 0 if no time passed.
    pub fn bytes_per_second(&self) -> f64 {
        per_second(self.bytes, self.runtime_ns)
    }
}

fn per_second(count: u64, ns: u64) -> f64 {
    if ns == 0 { 0.0 } else { count as f64 * NS_PER_SECOND as f64 / ns as f64 }
}

/// Returns a result for the tests to print: reads at 1,500 IOPS, writes at 500, for two seconds.
#[cfg(test)]
pub(crate) fn sample() -> JobResult {
    let jobs = fio_job::parse("name=mix rw=randrw iodepth=32 runtime=10 filename=/dev/xvda")
        .expect("a good command line");
    let mut result = JobResult::new(jobs.into_iter().next().expect("one job"));
    for (direction, ios) in [(Direction::Read, 3_000), (Direction::Write, 1_000)] {
        for io in 1..=ios {
            let elapsed_ns = 2 * NS_PER_SECOND * io / ios;
            let latencies_ns = 20_000 + io - 1;
            result.classes.put(32, 1);
            let (ios, bytes, timed) = (1, 4096, 1);
            result.count_latency(direction, latencies_ns, ios);
            result.count_done(&Done { ios, direction, bytes, elapsed_ns, timed, latencies_ns });
        }
        let side = result.direction_mut(direction);
        side.runtime_ns = 2 * NS_PER_SECOND;
        side.window_ns = side.runtime_ns;
        side.samples.finish(2 * NS_PER_SECOND);
    }
    result.runtime_ns = 2 * NS_PER_SECOND;
    result.classes.submitted(32);
    result.classes.completed(32);
    result.pages.push((0, PagesKept { used: 32, kept: 32 }));
    result.stolen = Some(Stolen { ns: 1_000_000, of_ns: 2 * NS_PER_SECOND });
    result.counters = Some(Counters { requests: 4_000, notifications: 125, ..Counters::default() });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let result = sample();
        assert_eq!(result.read.iops(), 1_500.0);
        assert_eq!(result.write.bytes_per_second(), 500.0 * 4096.0);
        assert_eq!(DirectionResult::default().iops(), 0.0);
        assert_eq!(DirectionResult::default().iops_in_window(), 0.0);
    }

    #[test]
    fn a_drain_is_in_no_window() {
        let mut result = sample();
        assert_eq!(result.read.iops_in_window(), result.read.iops());
        (result.read.late_ios, result.read.runtime_ns) = (32, 12 * NS_PER_SECOND);
        assert_eq!((result.read.iops(), result.read.iops_in_window()), (250.0, 1_484.0));
        let sum = JobResult::sum(&[result.clone(), result]).expect("two jobs");
        assert_eq!(sum.read.iops_in_window(), 2.0 * 1_484.0);
    }
}
