//! What came of a job: the figures, a [`table()`] of them for people, a [`json_line`] for machines.

pub mod frame;
mod json;
mod table;

use crate::histogram::Histogram;
use crate::job::Job;
use crate::pattern::Direction;
use crate::size::NS_PER_SECOND;
use core::ops::{Add, Sub};
use serde::Serialize;

pub use json::{PREFIX, json_line};
pub use table::table;

/// What a job did. The caller adds it up while the job runs.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// The job as it ran; its `disks` are the ones that it used.
    pub job: Job,
    /// Its reads, and those that verified its writes.
    pub read: DirectionResult,
    /// Its writes.
    pub write: DirectionResult,
    /// What the I/Os cost, over all of the job's disks; `None` when other jobs used one of them at
    /// the same time, for what they cost cannot be told apart.
    pub counters: Option<Counters>,
}

impl JobResult {
    /// Nothing done yet.
    pub fn new(job: Job) -> Self {
        let reads_back = job.verify.as_ref().is_some_and(|verify| verify.after_write);
        Self {
            read: DirectionResult::new(job.rw.reads() || reads_back),
            write: DirectionResult::new(job.rw.writes()),
            counters: None,
            job,
        }
    }

    /// The figures of one direction, to add to.
    pub fn direction_mut(&mut self, direction: Direction) -> &mut DirectionResult {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }

    /// I/Os that succeeded, in both directions.
    pub fn ios(&self) -> u64 {
        self.read.ios + self.write.ios
    }

    /// I/Os that failed, in both directions.
    pub fn errors(&self) -> u64 {
        self.read.errors + self.write.errors
    }
}

/// What a job did in one direction.
#[derive(Clone, Debug, Default)]
pub struct DirectionResult {
    /// I/Os that the backend did, whether their data was right or not.
    pub ios: u64,
    /// What they moved.
    pub bytes: u64,
    /// I/Os that failed, or whose data was wrong.
    pub errors: u64,
    /// From the first submission to the last completion.
    pub runtime_ns: u64,
    /// From submission to completion of each I/O that succeeded.
    pub latency: Histogram,
}

impl DirectionResult {
    fn new(has_ios: bool) -> Self {
        let latency = if has_ios { Histogram::new() } else { Histogram::default() };
        Self { latency, ..Self::default() }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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

/// Results to print, shared by the tests of the two formats.
#[cfg(test)]
fn sample() -> JobResult {
    let jobs = crate::job::parse("name=mix rw=randrw iodepth=32 runtime=10 filename=/dev/xvda")
        .expect("a good command line");
    let mut result = JobResult::new(jobs.into_iter().next().expect("one job"));
    for (direction, ios) in [(Direction::Read, 3_000), (Direction::Write, 1_000)] {
        let side = result.direction_mut(direction);
        side.ios = ios;
        side.bytes = ios * 4096;
        side.runtime_ns = 2 * NS_PER_SECOND;
        (0..ios).for_each(|io| side.latency.record(20_000 + io));
    }
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
