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
        self.open += ios;
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
            self.closed.ios.push(u32::try_from(self.open).unwrap_or(u32::MAX));
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

/// Returns the heap that the series of a job take, in bytes: those of reads and writes, and of a
/// group that it is in.
pub(crate) fn heap_bytes(job: &Job) -> usize {
    let of_group = if job.reporting.with_group { 3 } else { 0 };
    (2 + of_group) * room(job.runtime_ns) * size_of::<u32>()
}

/// I/Os of a job over time, of all directions of its pattern. What is read back to verify it is
/// left out, as is a ramp.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverTime {
    /// Length of a window in nanoseconds; the first begins with the measurement.
    pub window_ns: u64,
    /// I/Os that completed in each window, up to 2^32 - 1.
    #[serde(deserialize_with = "at_most::<WINDOWS_MAX, _, _>")]
    pub ios: Vec<u32>,
}

impl OverTime {
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
            let sum = pair.map_or(0, |&[one, other]: &[u32; 2]| one.saturating_add(other));
            if let Some(window) = self.ios.get_mut(merged) {
                *window = sum;
            }
        }
        self.ios.truncate(whole);
    }

    /// Returns the rate in each window, in I/Os per second.
    pub fn iops(&self) -> Vec<f64> {
        let windows_per_second = NS_PER_SECOND as f64 / self.window_ns.max(1) as f64;
        self.ios.iter().map(|&ios| f64::from(ios) * windows_per_second).collect()
    }
}
