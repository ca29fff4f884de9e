//! Number of I/Os in windows of equal length from the start to the end: the series by which a rate
//! is judged steady or not.
//!
//! Windows last 100 ms at first. When there is no room for more, neighbours are merged and windows
//! last twice as long, so a series takes a bounded memory and a long run always has half as many
//! windows as there is room for, or more. Windows in which nothing was done count 0. A last window
//! that the end cuts short is left out.

use alloc::vec::Vec;

use fio_job::Job;
use fio_job::number::NS_PER_SECOND;
use serde::{Deserialize, Serialize};

use crate::list::at_most;

/// Length of a window before any are merged, in nanoseconds.
pub const WINDOW_NS: u64 = NS_PER_SECOND / 10;
/// Most windows of a series; even, so that all can be merged with a neighbour.
pub const WINDOWS_MAX: usize = 1_200;
/// Windows of the time for which a job may go on after its end: a backend's silence.
const WINDOWS_BEHIND: u64 = 300;

/// Series of one direction of a job, or of a group, while it grows.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// End of the open window, in nanoseconds since the start; never reached without room.
    end_ns: u64,
    /// I/Os in the open window.
    open: u64,
    /// Most windows, even; 0 if no series is kept.
    room: usize,
    /// Windows before.
    closed: OverTime,
}

impl Default for Series {
    /// Returns a series that is not kept.
    fn default() -> Self {
        Self { end_ns: u64::MAX, open: 0, room: 0, closed: OverTime::default() }
    }
}

impl Series {
    /// Returns a series with room for a job that runs this long, if that is known: nothing
    /// allocates while it grows.
    pub(crate) fn new(runtime_ns: Option<u64>) -> Self {
        let room = room(runtime_ns);
        let closed = OverTime { window_ns: WINDOW_NS, ios: Vec::with_capacity(room) };
        Self { end_ns: WINDOW_NS, open: 0, room, closed }
    }

    /// Returns the end of the open window, in nanoseconds since the start.
    pub(crate) fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Counts I/Os in the open window.
    pub(crate) fn count(&mut self, ios: u64) {
        self.open = self.open.saturating_add(ios);
    }

    /// Closes the windows before the one that contains this time. Takes some thousand steps at
    /// most, however long nothing was done, since windows grow.
    pub(crate) fn go_on_to(&mut self, elapsed_ns: u64) {
        while elapsed_ns > self.end_ns {
            self.close();
        }
    }

    /// Ends the series, maybe within a window, which is left out.
    pub(crate) fn finish(&mut self, elapsed_ns: u64) {
        self.go_on_to(elapsed_ns);
        if elapsed_ns == self.end_ns {
            self.close();
        }
        self.open = 0;
    }

    /// Closes the open window; without room for it, it becomes the first half of one that lasts
    /// twice as long, as two of those before become one each.
    fn close(&mut self) {
        self.end_ns = self.end_ns.saturating_add(self.closed.window_ns);
        if self.closed.ios.len() < self.room {
            self.closed.ios.push(self.open);
            self.open = 0;
        } else {
            self.closed.widen();
        }
    }

    /// Adds another that has ended, of the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        self.closed.add(&other.closed);
    }

    /// Returns the whole windows so far.
    pub(crate) fn closed(&self) -> &OverTime {
        &self.closed
    }
}

/// Returns the most windows of a job that runs this long, if that is known; an even number.
fn room(runtime_ns: Option<u64>) -> usize {
    let most = WINDOWS_MAX as u64;
    let needed = runtime_ns.map_or(most, |ns| (ns / WINDOW_NS).saturating_add(WINDOWS_BEHIND));
    needed.min(most).next_multiple_of(2) as usize
}

/// Returns the heap that the series of a job take, in bytes: those of reads, writes and flushes,
/// and of a group that it is in.
pub(crate) fn heap_bytes(job: &Job) -> usize {
    let of_group = if job.reporting.with_group { 3 } else { 0 };
    (3 + of_group) * room(job.runtime_ns) * size_of::<u64>()
}

/// I/Os of a job over time, of all directions of its pattern. What is read back to verify it is
/// left out, as is a ramp.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverTime {
    /// Length of a window in nanoseconds; the first begins with the measurement.
    pub window_ns: u64,
    /// I/Os that completed in each window.
    #[serde(deserialize_with = "at_most::<WINDOWS_MAX, _, _>")]
    pub ios: Vec<u64>,
}

impl OverTime {
    /// Returns its length in nanoseconds.
    pub fn length_ns(&self) -> u64 {
        self.window_ns.saturating_mul(self.ios.len() as u64)
    }

    /// Returns the whole windows of its first so many nanoseconds.
    pub(crate) fn until(mut self, ns: u64) -> Self {
        let windows = ns / self.window_ns.max(1);
        self.ios.truncate(usize::try_from(windows).unwrap_or(usize::MAX));
        self
    }

    /// Adds another of the same time, window by window. The sum is as long as the longer of them.
    pub(crate) fn add(&mut self, other: &Self) {
        if other.ios.is_empty() {
            return;
        }
        if self.ios.is_empty() {
            self.clone_from(other);
            return;
        }
        let mut other = other.clone();
        while self.window_ns < other.window_ns {
            self.widen();
        }
        while other.window_ns < self.window_ns {
            other.widen();
        }
        if self.ios.len() < other.ios.len() {
            core::mem::swap(&mut self.ios, &mut other.ios);
        }
        for (window, other) in self.ios.iter_mut().zip(other.ios) {
            *window = window.saturating_add(other);
        }
    }

    /// Merges each two windows. One without a neighbour is dropped.
    fn widen(&mut self) {
        self.window_ns = self.window_ns.saturating_mul(2);
        let whole = self.ios.len() / 2;
        for merged in 0..whole {
            let pair = self.ios.get(2 * merged..).and_then(|rest| rest.first_chunk());
            let sum = pair.map_or(0, |&[one, other]: &[u64; 2]| one.saturating_add(other));
            if let Some(window) = self.ios.get_mut(merged) {
                *window = sum;
            }
        }
        self.ios.truncate(whole);
    }

    /// Returns the rate in each window, in I/Os per second.
    pub fn iops(&self) -> Vec<f64> {
        let windows_per_second = NS_PER_SECOND as f64 / self.window_ns.max(1) as f64;
        self.ios.iter().map(|&ios| ios as f64 * windows_per_second).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const MS: u64 = 1_000_000;

    /// Returns a series of a job of this runtime, in which each of these many I/Os completed at a
    /// time in milliseconds, until the end.
    fn series(runtime_ms: Option<u64>, ios: &[(u64, u64)], end_ms: u64) -> Series {
        let mut series = Series::new(runtime_ms.map(|ms| ms * MS));
        for (ms, count) in ios {
            series.go_on_to(ms * MS);
            series.count(*count);
        }
        series.finish(end_ms * MS);
        series
    }

    #[test]
    fn a_window_holds_its_end_and_windows_without_ios_are_zeros() {
        let ios = [(1, 1), (100, 2), (101, 4), (550, 8), (600, 16), (649, 32)];
        let over_time = series(None, &ios, 650).closed;
        assert_eq!(over_time.ios, [3, 4, 0, 0, 0, 24], "the last 50 ms are left out");
        assert_eq!((over_time.window_ns, over_time.length_ns()), (100 * MS, 600 * MS));
        assert_eq!(over_time.iops()[..3], [30.0, 40.0, 0.0]);
        assert_eq!(series(None, &ios, 700).closed.ios, [3, 4, 0, 0, 0, 24, 32]);
        assert_eq!(series(None, &ios, 1_000).closed.ios, [3, 4, 0, 0, 0, 24, 32, 0, 0, 0]);
        assert!(series(None, &[(1, 5)], 99).closed.ios.is_empty());
    }

    #[test]
    fn a_long_run_has_half_as_many_windows_as_there_is_room_for_or_more() {
        for seconds in [59, 60, 120, 121, 500, 86_400] {
            let ios: Vec<(u64, u64)> = (1..=seconds * 2).map(|io| (io * 500, 1)).collect();
            let series = series(None, &ios, seconds * 1_000);
            let OverTime { window_ns, ios } = &series.closed;
            assert!(ios.len() <= WINDOWS_MAX && ios.capacity() == WINDOWS_MAX, "{seconds}");
            assert!(ios.len() >= (WINDOWS_MAX / 2).min(seconds as usize * 10), "{seconds}");
            let end_ns = seconds * 1_000 * MS;
            assert_eq!(
                ios.len() as u64,
                end_ns / window_ns,
                "{seconds}: no whole window is left out"
            );
            let length_ns = series.closed.length_ns();
            let total: u64 = ios.iter().sum();
            assert_eq!(total, length_ns / (500 * MS), "{seconds}");
            let even = window_ns / (500 * MS);
            assert!(ios.iter().all(|&one| one.abs_diff(even) <= 1), "{seconds}");
        }
    }

    #[test]
    fn what_is_merged_is_at_its_time() {
        // As many I/Os in a window as its number says, and twice as long windows.
        let ios: Vec<(u64, u64)> = (0..1_800).map(|n| (n * 100 + 50, n)).collect();
        let over_time = series(None, &ios, 180_000).closed;
        assert_eq!((over_time.window_ns, over_time.ios.len()), (200 * MS, 900));
        assert!((0..).zip(&over_time.ios).all(|(n, &ios)| ios == 4 * n + 1));
        assert_eq!(over_time.iops()[..2], [5.0, 25.0]);
    }

    #[test]
    fn a_known_runtime_takes_less_memory_and_may_be_exceeded() {
        let short = series(Some(3_000), &[(50, 7)], 3_000);
        assert_eq!((short.room, short.closed.ios.len()), (330, 30));
        let late = series(Some(3_000), &[(50, 7)], 40_000);
        assert_eq!((late.closed.ios.len(), late.closed.window_ns), (200, 200 * MS));
        assert!(late.closed.ios.capacity() == 330 && late.closed.ios[0] == 7);
        assert_eq!(room(Some(u64::MAX)), WINDOWS_MAX);
        let line = "rw=randrw runtime=3 filename=xvda group_reporting";
        assert_eq!(heap_bytes(&fio_job::parse(line).expect(line)[0]), 6 * 330 * 8);
    }

    #[test]
    fn a_sum_is_window_by_window() {
        let mut sum = series(None, &[(50, 1), (150, 2), (250, 3)], 300);
        sum.add(&series(None, &[(50, 10), (350, 40)], 400));
        assert_eq!(sum.closed.ios, [11, 2, 3, 40]);
        sum.add(&Series::default());
        assert_eq!(sum.closed.ios, [11, 2, 3, 40]);
        let mut none = Series::default();
        none.add(&sum);
        assert_eq!(none.closed.ios, [11, 2, 3, 40]);
        // Windows of different lengths.
        let long = series(Some(1), &[(50, 1), (150, 1), (250, 1)], 40_000);
        assert_eq!(long.closed.window_ns, 200 * MS);
        for (mut one, other) in [(sum.clone(), long.clone()), (long, sum)] {
            one.add(&other);
            assert_eq!((one.closed.window_ns, &one.closed.ios[..3]), (200 * MS, &[15, 44, 0][..]));
        }
    }

    #[test]
    fn any_time_takes_a_bounded_number_of_steps() {
        let mut series = Series::new(None);
        series.count(u64::MAX);
        series.go_on_to(u64::MAX - 1);
        series.count(1);
        series.finish(u64::MAX);
        assert_eq!(series.closed.ios.first(), Some(&u64::MAX));
        assert!(series.closed.ios.len() <= WINDOWS_MAX);
        assert_eq!(series.closed.clone().until(0).ios, vec![0; 0]);
        let mut unkept = Series::default();
        unkept.count(1);
        unkept.finish(u64::MAX);
        assert_eq!(unkept.closed, OverTime::default());
    }
}
