//! Open loop: I/Os by the times at which a rate makes them due, whether the disk keeps up or not
//! (`latency_from=due`).
//!
//! A latency from submission begins only when the iodepth has room, so a disk that stalls has few
//! bad ones. A latency from the due time has all of the wait.

use alloc::boxed::Box;

use fio_job::{Direction, Job};
use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::latency::Latency;

/// Arrivals of a job in one direction while it was measured.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Number of I/Os that were due.
    pub due: u64,
    /// Number of those that were due before the end of the measurement, and never put.
    pub backlog: u64,
    /// Times for which I/Os that were due found no room in the iodepth or on a ring.
    pub held: Delays,
    /// Times by which the guest itself put I/Os late for which there was room.
    pub late: Delays,
    /// Latencies, from due time to completion, of the I/Os whose latencies from submission count.
    pub latency: Histogram,
}

impl Arrivals {
    /// Returns the arrivals of a job in a direction before the first one; `None` if they are not
    /// counted.
    pub(crate) fn of(job: &Job, direction: Direction) -> Option<Box<Self>> {
        let (held, late) = (Delays::default(), Delays::default());
        let begin = || Self { due: 0, backlog: 0, held, late, latency: Histogram::new() };
        job.counts_from_due(direction).then(|| Box::new(begin()))
    }

    /// Counts an I/O that was put, after it was held back and late for so long, in nanoseconds.
    pub fn count(&mut self, held_ns: u64, late_ns: u64) {
        self.due += 1;
        self.held.count(held_ns);
        self.late.count(late_ns);
    }

    /// Counts those that were due and are never put.
    pub fn end(&mut self, backlog: u64) {
        self.backlog = self.backlog.saturating_add(backlog);
        self.due = self.due.saturating_add(backlog);
    }

    /// Adds the arrivals of another job.
    pub(crate) fn add(&mut self, other: &Self) {
        self.due = self.due.saturating_add(other.due);
        self.backlog = self.backlog.saturating_add(other.backlog);
        self.held.add(other.held);
        self.late.add(other.late);
        self.latency.merge(&other.latency);
    }
}

/// Sums that show whether a disk keeps up, and the guest itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// I/Os that were due, and those of them that were never put.
    pub(crate) due: u64,
    pub(crate) backlog: u64,
    /// Time by which the guest was late, in nanoseconds.
    pub(crate) late_ns: f64,
    /// Number of latencies, and their sum in nanoseconds.
    pub(crate) timed: f64,
    pub(crate) latency_ns: f64,
}

impl Totals {
    /// Returns the sum of several directions.
    pub(crate) fn sum(sides: impl Iterator<Item = Self>) -> Self {
        sides.fold(Self::default(), |sum, one| Self {
            due: sum.due.saturating_add(one.due),
            backlog: sum.backlog.saturating_add(one.backlog),
            late_ns: sum.late_ns + one.late_ns,
            timed: sum.timed + one.timed,
            latency_ns: sum.latency_ns + one.latency_ns,
        })
    }
}

impl From<&Arrivals> for Totals {
    fn from(Arrivals { due, backlog, late, latency, .. }: &Arrivals) -> Self {
        let moments = latency.moments();
        Self {
            due: *due,
            backlog: *backlog,
            late_ns: late.total_ns as f64,
            timed: moments.count() as f64,
            latency_ns: moments.sum() as f64,
        }
    }
}

impl From<&OpenSide> for Totals {
    fn from(OpenSide { due, backlog, late, lat_ns, .. }: &OpenSide) -> Self {
        let timed = lat_ns.count as f64;
        Self {
            due: *due,
            backlog: *backlog,
            late_ns: late.total_ns as f64,
            timed,
            latency_ns: lat_ns.mean * timed,
        }
    }
}

/// Delays of I/Os, those of no time left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delays {
    /// Number of I/Os.
    #[serde(rename = "N")]
    pub count: u64,
    /// Sum of the delays in nanoseconds.
    pub total_ns: u64,
    /// Greatest in nanoseconds.
    pub max_ns: u64,
}

impl Delays {
    fn count(&mut self, ns: u64) {
        self.add(Self { count: u64::from(ns != 0), total_ns: ns, max_ns: ns });
    }

    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.total_ns = self.total_ns.saturating_add(other.total_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

/// Arrivals of a job, as reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenLoop {
    /// Reads, if their rate was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<OpenSide>,
    /// Writes, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<OpenSide>,
    /// Trims, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim: Option<OpenSide>,
}

impl OpenLoop {
    /// Returns the arrivals in the direction of this name.
    pub fn side(&self, direction: &str) -> Option<&OpenSide> {
        match direction {
            "read" => self.read.as_ref(),
            "write" => self.write.as_ref(),
            "trim" => self.trim.as_ref(),
            _ => None,
        }
    }
}

/// Arrivals in one direction, as reported: see [`Arrivals`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenSide {
    /// I/Os that were due.
    pub due: u64,
    /// I/Os that were due and never put.
    pub backlog: u64,
    /// Times for which there was no room.
    pub held: Delays,
    /// Times by which the guest was late.
    pub late: Delays,
    /// Latency from due time to completion.
    pub lat_ns: Latency,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals() -> Arrivals {
        let line = "rw=read rate_iops=9 filename=xvda";
        let job = &fio_job::parse(line).expect(line)[0];
        *Arrivals::of(job, Direction::Read).expect("a job with a rate")
    }

    #[test]
    fn only_what_has_a_rate_has_arrivals() {
        for (line, has) in [
            ("rw=read", [false; 3]),
            ("rw=rw rate_iops=9", [true, true, false]),
            ("rw=rw rate_iops=,9", [false, true, false]),
            ("rw=read rate=1m,2m", [true, false, false]),
            ("rw=read rate=1m latency_from=submit", [false; 3]),
            ("rw=write rate=1m verify=crc32c", [false, true, false]),
            ("rw=trim rate=,,1m", [false, false, true]),
            ("rw=randtrim rate_iops=9", [false, false, true]),
            ("rw=trim rate_iops=9,", [false; 3]),
        ] {
            let line = std::format!("{line} filename=xvda");
            let job = &fio_job::parse(&line).expect(&line)[0];
            let found = Direction::ALL.map(|d| Arrivals::of(job, d).is_some());
            assert_eq!(found, has, "{line}");
        }
    }

    #[test]
    fn delays_of_no_time_are_none() {
        let mut all = arrivals();
        for (held_ns, late_ns) in [(0, 0), (5, 0), (7, 2)] {
            all.count(held_ns, late_ns);
        }
        all.end(4);
        assert_eq!((all.due, all.backlog), (7, 4));
        assert_eq!(all.held, Delays { count: 2, total_ns: 12, max_ns: 7 });
        assert_eq!(all.late, Delays { count: 1, total_ns: 2, max_ns: 2 });
        let mut sum = arrivals();
        sum.latency.record(3, 1);
        all.latency.record(5, 2);
        (0..2).for_each(|_| sum.add(&all));
        assert_eq!((sum.due, sum.backlog, sum.held.count, sum.held.max_ns), (14, 8, 4, 7));
        assert_eq!((sum.late.total_ns, sum.latency.moments().count()), (4, 5));
    }

    #[test]
    fn absurd_delays_do_no_harm() {
        let mut all = arrivals();
        (0..2).for_each(|_| all.count(u64::MAX, u64::MAX));
        (0..2).for_each(|_| all.end(u64::MAX));
        assert_eq!((all.due, all.backlog, all.held.total_ns), (u64::MAX, u64::MAX, u64::MAX));
    }
}
