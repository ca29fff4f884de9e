//! Bandwidth and IOPS over time: one sample for each window of a fixed time grid, zero where
//! nothing was done.
//!
//! The grid begins when the direction begins. Its windows last 500 ms, as fio's `bwavgtime` and
//! `iopsavgtime`, or `log_avg_msec` if a log is kept. The last window ends when the direction ends,
//! and is weighted by its length, so the mean of all samples is the total divided by the time.

use alloc::vec::Vec;
use fio_job::Direction;
use fio_job::number::NS_PER_SECOND;
use fio_job::{Job, LOG_SAMPLES_MAX};
use serde::{Deserialize, Serialize};

use crate::list::at_most;
use crate::over_time::Series;

/// Default of fio's `bwavgtime` and `iopsavgtime`.
const WINDOW_NS: u64 = NS_PER_SECOND / 2;

/// Samples of one direction of a job.
#[derive(Clone, Debug)]
pub struct Samples {
    window_ns: u64,
    /// Start of the direction, in nanoseconds since the start of its job.
    start_ns: u64,
    /// Time up to which I/Os are counted together, in nanoseconds since the start of the
    /// direction: the next end of a window, of the samples or the series; 0 before the first I/O.
    end_ns: u64,
    /// I/Os since the last such end.
    open: Window,
    /// End of the sample's window, likewise; 0 before the first I/O.
    sample_end_ns: u64,
    /// I/Os in it until the last such end.
    sample: Window,
    series: Series,
    bw: Rates,
    iops: Rates,
    log: Log,
}

/// I/O done in a window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    ios: u64,
    bytes: u64,
    /// Sum of the latencies of `timed` I/Os.
    latency_ns: u64,
    timed: u64,
}

/// Figures of a window; an array in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 4]", into = "[u64; 4]")]
pub struct Sample {
    /// End of the window, in milliseconds since the job's start, rounded up.
    pub end_ms: u64,
    /// KiB per second, rounded.
    pub bw: u64,
    /// I/Os per second, rounded.
    pub iops: u64,
    /// Mean latency in nanoseconds, rounded; 0 if no I/O has a latency.
    pub latency_ns: u64,
}

impl From<[u64; 4]> for Sample {
    fn from([end_ms, bw, iops, latency_ns]: [u64; 4]) -> Self {
        Self { end_ms, bw, iops, latency_ns }
    }
}

impl From<Sample> for [u64; 4] {
    fn from(Sample { end_ms, bw, iops, latency_ns }: Sample) -> Self {
        [end_ms, bw, iops, latency_ns]
    }
}

/// Log of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Samples in order, as many as there was room for.
    #[serde(deserialize_with = "at_most::<{ LOG_SAMPLES_MAX as usize }, _, _>")]
    pub samples: Vec<Sample>,
    /// Number of samples dropped for want of room.
    pub dropped: u64,
}

impl Log {
    fn push(&mut self, sample: Sample) {
        if self.samples.len() < self.samples.capacity() {
            self.samples.push(sample);
        } else {
            self.dropped += 1;
        }
    }
}

impl Default for Samples {
    /// Returns samples without a log.
    fn default() -> Self {
        Self {
            window_ns: WINDOW_NS,
            start_ns: 0,
            end_ns: 0,
            open: Window::default(),
            sample_end_ns: 0,
            sample: Window::default(),
            series: Series::default(),
            bw: Rates::default(),
            iops: Rates::default(),
            log: Log::default(),
        }
    }
}

impl Samples {
    /// Returns the samples of a job, with room for its log if it keeps one: nothing allocates while
    /// it runs.
    pub fn new(job: &Job) -> Self {
        let series = Series::new(job.runtime_ns);
        let Some(samples) = log_samples(job) else { return Self { series, ..Self::default() } };
        Self {
            window_ns: window_ns(job),
            log: Log { samples: Vec::with_capacity(samples), dropped: 0 },
            series,
            ..Self::default()
        }
    }

    /// Begins the direction this many nanoseconds after its job, unless it already has I/Os.
    pub fn begin(&mut self, start_ns: u64) {
        if self.end_ns == 0 {
            self.start_ns = start_ns;
        }
    }

    /// Counts `ios` I/Os of `bytes` each that completed this many nanoseconds after the direction's
    /// start. Times never go back.
    #[inline]
    pub fn record(&mut self, elapsed_ns: u64, bytes: u32, ios: u32) {
        if elapsed_ns > self.end_ns {
            self.open_window_of(elapsed_ns);
        }
        self.open.ios += u64::from(ios);
        self.open.bytes += u64::from(bytes) * u64::from(ios);
    }

    /// Counts the latencies of `ios` I/Os that were among the last to be [recorded](Self::record),
    /// `sum_ns` nanoseconds in all.
    #[inline]
    pub fn record_latencies(&mut self, sum_ns: u64, ios: u32) {
        self.open.latency_ns = self.open.latency_ns.saturating_add(sum_ns);
        self.open.timed += u64::from(ios);
    }

    /// Ends the direction this many nanoseconds after its start.
    pub fn finish(&mut self, elapsed_ns: u64) {
        if self.end_ns == 0 && self.open.ios == 0 {
            return;
        }
        self.open_window_of(elapsed_ns);
        self.series.finish(elapsed_ns);
        let spent_ns = elapsed_ns.saturating_sub(self.sample_end_ns - self.window_ns).max(1);
        self.close(elapsed_ns, spent_ns);
    }

    /// Closes the windows before the ones that contain this time.
    #[cold]
    fn open_window_of(&mut self, elapsed_ns: u64) {
        let open = core::mem::take(&mut self.open);
        self.series.count(open.ios);
        self.series.go_on_to(elapsed_ns);
        self.sample.add(&open);
        self.open_sample_of(elapsed_ns);
        self.end_ns = self.sample_end_ns.min(self.series.end_ns());
    }

    /// Closes the windows of samples before the one that contains this time.
    fn open_sample_of(&mut self, elapsed_ns: u64) {
        self.sample_end_ns = self.sample_end_ns.max(self.window_ns);
        if elapsed_ns <= self.sample_end_ns {
            return;
        }
        self.close(self.sample_end_ns, self.window_ns);
        let empty = (elapsed_ns - self.sample_end_ns - 1) / self.window_ns;
        self.bw.record(0.0, 1.0, empty);
        self.iops.record(0.0, 1.0, empty);
        let room = (self.log.samples.capacity() - self.log.samples.len()) as u64;
        for window in 1..=empty.min(room) {
            let end_ns = self.sample_end_ns + window * self.window_ns;
            self.log_window(Window::default(), end_ns, 1);
        }
        self.log.dropped += empty.saturating_sub(room);
        let last_ns = self.sample_end_ns + empty * self.window_ns;
        self.sample_end_ns = last_ns.saturating_add(self.window_ns);
    }

    /// Closes the window of a sample at its end, this many nanoseconds after the start.
    fn close(&mut self, end_ns: u64, spent_ns: u64) {
        let window = core::mem::take(&mut self.sample);
        let weight = spent_ns as f64 / self.window_ns as f64;
        self.bw.record(window.bw(spent_ns), weight, 1);
        self.iops.record(window.iops(spent_ns), weight, 1);
        self.log_window(window, end_ns, spent_ns);
    }

    fn log_window(&mut self, window: Window, end_ns: u64, spent_ns: u64) {
        self.log.push(Sample {
            end_ms: self.start_ns.saturating_add(end_ns).div_ceil(1_000_000),
            bw: libm::round(window.bw(spent_ns)) as u64,
            iops: libm::round(window.iops(spent_ns)) as u64,
            latency_ns: window.latency_ns.saturating_add(window.timed / 2) / window.timed.max(1),
        });
    }

    /// Returns the statistics in KiB per second.
    pub fn bw(&self) -> &Rates {
        &self.bw
    }

    /// Returns the statistics in I/Os per second.
    pub fn iops(&self) -> &Rates {
        &self.iops
    }

    /// Returns the series of its I/Os in short windows, if it has ended.
    pub(crate) fn series(&self) -> &Series {
        &self.series
    }

    /// Returns the log, if the job keeps one.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

/// Returns the most samples of the job's log; `None` if it keeps no log.
pub fn log_samples(job: &Job) -> Option<usize> {
    let samples = match job.runtime_ns {
        // The samples that the end cuts short are included.
        Some(runtime_ns) => runtime_ns / window_ns(job) + 2,
        None => LOG_SAMPLES_MAX,
    };
    job.reporting.has_log().then_some(samples.min(LOG_SAMPLES_MAX) as usize)
}

fn window_ns(job: &Job) -> u64 {
    u64::from(job.reporting.log_avg_ms.max(1)) * 1_000_000
}

impl Window {
    fn add(&mut self, other: &Self) {
        self.ios += other.ios;
        self.bytes += other.bytes;
        self.latency_ns = self.latency_ns.saturating_add(other.latency_ns);
        self.timed += other.timed;
    }

    fn bw(&self, spent_ns: u64) -> f64 {
        per_second(self.bytes, spent_ns) / 1024.0
    }

    fn iops(&self, spent_ns: u64) -> f64 {
        per_second(self.ios, spent_ns)
    }
}

fn per_second(count: u64, ns: u64) -> f64 {
    count as f64 * NS_PER_SECOND as f64 / ns as f64
}

/// I/O of jobs that are reported together: the sum over all of them in each window, by direction.
#[derive(Clone, Debug)]
pub struct Together([Part; 3]);

#[derive(Clone, Debug)]
struct Part {
    /// Time at which the first of the jobs began this direction, in nanoseconds of system time.
    from_ns: Option<u64>,
    samples: Samples,
}

impl Together {
    /// Returns figures without any I/O of jobs that run this long, if that is known: the longest
    /// of them.
    pub fn new(runtime_ns: Option<u64>) -> Self {
        let samples = || Samples { series: Series::new(runtime_ns), ..Samples::default() };
        Self([(); 3].map(|()| Part { from_ns: None, samples: samples() }))
    }

    /// Counts `ios` I/Os of `bytes` each of a job that began its direction at `from_ns`, and
    /// completed them at `now_ns`.
    pub fn record(
        &mut self,
        direction: Direction,
        from_ns: u64,
        now_ns: u64,
        bytes: u32,
        ios: u32,
    ) {
        let part = &mut self.0[direction as usize];
        let from_ns = *part.from_ns.get_or_insert(from_ns);
        part.samples.record(now_ns.saturating_sub(from_ns), bytes, ios);
    }

    /// Ends this direction at `end_ns`, when the last of the jobs ended it.
    pub fn finish(&mut self, direction: Direction, end_ns: u64) {
        let Part { from_ns, samples } = &mut self.0[direction as usize];
        samples.finish(end_ns.saturating_sub(from_ns.unwrap_or(end_ns)));
    }

    /// Adds the samples of jobs of other loops, which began at the same time: rates add up, window
    /// by window. Of the windows only statistics are left, so the least and the greatest rate are
    /// the sums of each one's, as in fio, and the deviation that of independent rates.
    pub fn add(&mut self, other: &Self) {
        for (part, other) in self.0.iter_mut().zip(&other.0) {
            part.from_ns = part.from_ns.or(other.from_ns);
            part.samples.bw.add(&other.samples.bw);
            part.samples.iops.add(&other.samples.iops);
            part.samples.series.add(&other.samples.series);
        }
    }

    /// Returns the samples of one direction.
    pub fn samples(&self, direction: Direction) -> &Samples {
        &self.0[direction as usize].samples
    }
}

/// Statistics of rates as in fio, each weighted by the length of its window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    /// Number of rates.
    pub count: u64,
    /// Lowest rate of a whole window, or of the only one; 0 if there is none.
    pub min: u64,
    /// Highest rate, likewise.
    pub max: u64,
    /// Mean, or 0 if there is no rate.
    pub mean: f64,
    /// Sum of the weights, in whole windows.
    weight: f64,
    /// Weighted sum of the squared differences from the mean.
    squares: f64,
}

impl Rates {
    /// Counts the same rate for `times` windows, each this fraction of a whole one.
    fn record(&mut self, rate: f64, weight: f64, times: u64) {
        if times == 0 {
            return;
        }
        let rounded = libm::round(rate) as u64;
        // The rate of a short window may depend on a single I/O.
        if self.count == 0 {
            (self.min, self.max) = (rounded, rounded);
        } else if weight >= 1.0 {
            (self.min, self.max) = (self.min.min(rounded), self.max.max(rounded));
        }
        self.count += times;
        let weight = weight * times as f64;
        let before = rate - self.mean;
        self.weight += weight;
        self.mean += before * weight / self.weight;
        self.squares += weight * before * (rate - self.mean);
    }

    /// Adds the rates of another in the same windows, as far as both have them.
    fn add(&mut self, other: &Self) {
        let weight = self.weight.max(other.weight);
        if weight > 0.0 {
            self.mean = (self.mean * self.weight + other.mean * other.weight) / weight;
        }
        self.weight = weight;
        self.count = self.count.max(other.count);
        self.min = self.min.saturating_add(other.min);
        self.max = self.max.saturating_add(other.max);
        self.squares += other.squares;
    }

    /// Returns the sample standard deviation; 0 for one window or none.
    pub fn stddev(&self) -> f64 {
        if self.count < 2 || self.weight <= 1.0 {
            return 0.0;
        }
        libm::sqrt(self.squares.max(0.0) / (self.weight - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Records an I/O of 4 KiB each millisecond, or each `step`.
    fn steady(samples: &mut Samples, ms: core::ops::RangeInclusive<u64>, step_ms: usize) {
        ms.step_by(step_ms).for_each(|ms| {
            samples.record(ms * MS, 4_096, 1);
            samples.record_latencies(step_ms as u64 * MS, 1);
        });
    }

    #[test]
    fn a_window_is_a_sample() {
        let mut samples = Samples::default();
        // 1,000 IOPS of 4 KiB for 1 s, then 500 IOPS for 1 s.
        steady(&mut samples, 1..=1_000, 1);
        steady(&mut samples, 1_002..=2_000, 2);
        samples.finish(2_000 * MS);
        let iops = samples.iops();
        assert_eq!((iops.count, iops.min, iops.max, iops.mean), (4, 500, 1_000, 750.0));
        assert!((iops.stddev() - 288.675_134).abs() < 1e-6);
        let bw = samples.bw();
        assert_eq!((bw.count, bw.min, bw.max, bw.mean), (4, 2_000, 4_000, 3_000.0));
    }

    #[test]
    fn a_stall_is_windows_of_zeros() {
        let mut samples = Samples::default();
        steady(&mut samples, 1..=1_000, 1);
        steady(&mut samples, 2_201..=2_500, 1);
        samples.finish(2_500 * MS);
        let iops = samples.iops();
        assert_eq!((iops.count, iops.min, iops.max, iops.mean), (5, 0, 1_000, 520.0));
    }

    #[test]
    fn what_waits_at_the_ends_counts() {
        let mut samples = Samples::default();
        steady(&mut samples, 1_001..=1_500, 1);
        samples.finish(3_250 * MS);
        let iops = samples.iops();
        assert_eq!((iops.count, iops.min, iops.max), (7, 0, 1_000));
        assert!((iops.mean - 500.0 / 3.25).abs() < 1e-9, "{}", iops.mean);
    }

    #[test]
    fn the_mean_is_what_was_done_over_the_time() {
        // 7 per second, for times that are not whole windows.
        for end_ms in [100, 300, 499, 500, 501, 999, 3_333, 10_000] {
            let mut samples = Samples::default();
            let ios = (0..).map(|io| io * 1_000 / 7).take_while(|&ms| ms <= end_ms);
            let count = ios.inspect(|&ms| samples.record(ms * MS, 512, 1)).count();
            samples.finish(end_ms * MS);
            let expected = count as f64 * 1_000.0 / end_ms as f64;
            assert!((samples.iops().mean / expected - 1.0).abs() < 1e-9, "{end_ms}");
            assert!((samples.bw().mean / expected * 2.0 - 1.0).abs() < 1e-9, "{end_ms}");
            assert_eq!(samples.iops().count, end_ms.div_ceil(500));
        }
    }

    #[test]
    fn a_short_window_is_no_extreme_and_weighs_little() {
        let mut samples = Samples::default();
        steady(&mut samples, 1..=1_000, 1);
        samples.record(1_001 * MS, 4_096, 1);
        samples.finish(1_001 * MS);
        let iops = samples.iops();
        assert_eq!((iops.count, iops.min, iops.max), (3, 1_000, 1_000));
        assert!(iops.mean == 1_000.0 && iops.stddev() == 0.0);
        // Four in the last two milliseconds are not 2,000 per second.
        (0..4).for_each(|_| samples.record(1_002 * MS, 4_096, 1));
        samples.finish(1_002 * MS);
        assert_eq!(samples.iops().max, 1_000);
        let mut alone = Samples::default();
        steady(&mut alone, 1..=10, 1);
        alone.finish(20 * MS);
        assert_eq!((alone.iops().min, alone.iops().max, alone.iops().mean), (500, 500, 500.0));
    }

    #[test]
    fn a_window_holds_its_end_and_not_its_start() {
        let mut samples = Samples::default();
        samples.record(500 * MS, 512, 1);
        samples.record(500 * MS + 1, 512, 1);
        samples.finish(1_000 * MS);
        assert_eq!((samples.iops().min, samples.iops().max), (2, 2));
    }

    #[test]
    fn nothing_has_no_samples() {
        let mut samples = Samples::default();
        samples.finish(60_000 * MS);
        assert_eq!(samples.iops(), &Rates::default());
    }

    #[test]
    fn jobs_together_add_up_window_by_window() {
        // One is done in the first half second and the other in the second: never both at once.
        let mut together = Together::new(None);
        let read = Direction::Read;
        (1..=500).for_each(|ms| together.record(read, 5_000 * MS, (5_000 + ms) * MS, 4_096, 1));
        (501..=1_000).for_each(|ms| together.record(read, 5_000 * MS, (5_000 + ms) * MS, 4_096, 1));
        together.finish(read, 6_000 * MS);
        together.finish(Direction::Write, 6_000 * MS);
        let iops = together.samples(read).iops();
        assert_eq!((iops.count, iops.min, iops.max, iops.mean), (2, 1_000, 1_000, 1_000.0));
        assert_eq!(together.samples(Direction::Write).iops().count, 0);
    }

    #[test]
    fn a_log_keeps_what_there_is_room_for() {
        let line = "runtime=1 log_avg_msec=250 write_bw_log=x";
        let job = fio_job::parse(line).expect(line).pop().expect("a job");
        let mut samples = Samples::new(&job);
        steady(&mut samples, 1..=1_000, 1);
        steady(&mut samples, 2_501..=3_000, 1);
        samples.finish(3_000 * MS);
        let Log { samples: kept, dropped } = samples.log();
        let ends: Vec<u64> = kept.iter().map(|sample| sample.end_ms).collect();
        assert_eq!((&ends[..], *dropped), (&[250, 500, 750, 1_000, 1_250, 1_500][..], 6));
        let (full, empty) = kept.split_at(4);
        assert!(full.iter().all(|sample| (sample.iops, sample.bw) == (1_000, 4_000)));
        assert!(full.iter().all(|sample| sample.latency_ns == MS));
        assert!(empty.iter().all(|sample| [sample.iops, sample.bw, sample.latency_ns] == [0; 3]));
        let no_log = fio_job::parse("runtime=1").expect("a line").pop().expect("a job");
        assert_eq!(log_samples(&no_log), None);
    }

    #[test]
    fn a_log_has_its_last_window_and_the_jobs_time() {
        let line = "log_avg_msec=100 write_bw_log=x";
        let job = fio_job::parse(line).expect(line).pop().expect("a job");
        let mut samples = Samples::new(&job);
        samples.begin(7_000 * MS);
        steady(&mut samples, 1..=150, 1);
        samples.finish(150 * MS);
        let samples = samples.log().samples.clone();
        let found: Vec<_> = samples.iter().map(|sample| (sample.end_ms, sample.iops)).collect();
        assert_eq!(found, [(7_100, 1_000), (7_150, 1_000)]);
    }

    #[test]
    fn absurd_times_do_no_harm() {
        for end_ns in [0, 5, u64::MAX] {
            let mut samples = Samples::default();
            samples.record(0, u32::MAX, u32::MAX);
            samples.record(u64::MAX, 0, 1);
            samples.record_latencies(u64::MAX, 1);
            samples.record(5, 0, 1);
            samples.finish(end_ns);
            assert!(samples.iops().mean.is_finite() && samples.iops().stddev().is_finite());
        }
    }
}
