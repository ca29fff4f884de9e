//! What a job did: figures that add up while it runs, and are added up over jobs.

use alloc::boxed::Box;
use alloc::vec::Vec;

use fio_job::number::NS_PER_SECOND;
use fio_job::{Direction, Job};

use crate::classes::Classes;
use crate::counters::Counters;
use crate::histogram::Histogram;
use crate::samples::{Samples, Together};
use crate::stolen::Stolen;

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
    pub classes: Classes,
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

/// A result divides into stages as its job does ([`fio_job::stages`]).
impl AsRef<Job> for JobResult {
    fn as_ref(&self) -> &Job {
        &self.job
    }
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
            classes: Classes::default(),
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
        self.classes.latency(done.latency_ns);
    }

    /// Counts an I/O that succeeded, but was put before anything was measured: it has no latency.
    pub fn count_done(&mut self, done: &Done) {
        self.direction_mut(done.direction).count_done(done);
    }

    /// Counts the latency of an I/O that succeeded when nothing was counted any more.
    pub fn count_latency(&mut self, done: &Done) {
        self.direction_mut(done.direction).latency.record(done.latency_ns);
        self.classes.latency(done.latency_ns);
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
            sum.classes.merge(&other.classes);
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

/// Pages that a backend keeps mapped between requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PagesKept {
    /// Pages that the I/Os used of late.
    pub used: u32,
    /// Those of them that stay mapped.
    pub kept: u32,
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

/// A result to print, shared by the tests: reads at 1,500 IOPS, writes at 500, for two seconds.
#[cfg(test)]
pub(crate) fn sample() -> JobResult {
    let jobs = fio_job::parse("name=mix rw=randrw iodepth=32 runtime=10 filename=/dev/xvda")
        .expect("a good command line");
    let mut result = JobResult::new(jobs.into_iter().next().expect("one job"));
    for (direction, ios) in [(Direction::Read, 3_000), (Direction::Write, 1_000)] {
        for io in 1..=ios {
            let elapsed_ns = 2 * NS_PER_SECOND * io / ios;
            let latency_ns = 20_000 + io - 1;
            result.classes.put(32);
            result.count(&Done { direction, bytes: 4096, latency_ns, elapsed_ns });
        }
        let side = result.direction_mut(direction);
        side.runtime_ns = 2 * NS_PER_SECOND;
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
    }
}
