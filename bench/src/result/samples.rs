//! Bandwidth and IOPS by and by: a sample for each window of time that saw I/Os, as fio takes them.
//!
//! A window begins with the end of the one before, and ends with the first completion after its
//! time: fio's `bwavgtime` and `iopsavgtime` of 500 ms, or `log_avg_msec` where a log is kept.

use crate::job::{Job, LOG_SAMPLES_MAX};
use crate::size::NS_PER_SECOND;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// fio's default for `bwavgtime` and `iopsavgtime`.
const WINDOW_NS: u64 = NS_PER_SECOND / 2;

/// The samples of one direction of a job.
#[derive(Clone, Debug)]
pub struct Samples {
    window_ns: u64,
    /// None before the first I/O.
    window: Option<Window>,
    bw: Rates,
    iops: Rates,
    log: Log,
}

/// What was done since a point in time.
#[derive(Clone, Copy, Debug)]
struct Window {
    from_ns: u64,
    ios: u64,
    bytes: u64,
    latency_ns: u64,
}

/// What a window came to; an array in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 4]", into = "[u64; 4]")]
pub struct Sample {
    /// Its end, in milliseconds since the job's start.
    pub end_ms: u64,
    /// KiB a second.
    pub bw: u64,
    /// I/Os a second.
    pub iops: u64,
    /// Mean latency in nanoseconds, rounded.
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

/// The samples of one direction, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// In their order, as many as there was room for.
    pub samples: Vec<Sample>,
    /// Those that there was no room for.
    pub dropped: u64,
}

impl Default for Samples {
    /// Without a log.
    fn default() -> Self {
        Self {
            window_ns: WINDOW_NS,
            window: None,
            bw: Rates::default(),
            iops: Rates::default(),
            log: Log::default(),
        }
    }
}

impl Samples {
    /// For a job, with room for its log if it has one: nothing allocates while it runs.
    pub fn new(job: &Job) -> Self {
        let Some(samples) = log_samples(job) else { return Self::default() };
        Self {
            window_ns: window_ns(job),
            log: Log { samples: Vec::with_capacity(samples), dropped: 0 },
            ..Self::default()
        }
    }

    /// Counts an I/O that completed `elapsed_ns` after its job's start.
    #[inline]
    pub fn record(&mut self, elapsed_ns: u64, bytes: u64, latency_ns: u64) {
        let from_ns = elapsed_ns.saturating_sub(latency_ns);
        let fresh = Window { from_ns, ios: 0, bytes: 0, latency_ns: 0 };
        let window = self.window.get_or_insert(fresh);
        window.ios += 1;
        window.bytes += bytes;
        window.latency_ns = window.latency_ns.saturating_add(latency_ns);
        let spent_ns = elapsed_ns.saturating_sub(window.from_ns);
        if spent_ns >= self.window_ns {
            let sample = window.close(elapsed_ns, spent_ns);
            self.window = Some(Window { from_ns: elapsed_ns, ios: 0, bytes: 0, latency_ns: 0 });
            self.take(sample);
        }
    }

    fn take(&mut self, sample: Sample) {
        self.bw.record(sample.bw);
        self.iops.record(sample.iops);
        let Log { samples, dropped } = &mut self.log;
        if samples.len() < samples.capacity() {
            samples.push(sample);
        } else {
            *dropped += 1;
        }
    }

    /// Adds those of a job that ran at the same time. Logs are not added up.
    pub(super) fn add(&mut self, other: &Self) {
        self.bw.add(&other.bw);
        self.iops.add(&other.iops);
    }

    /// KiB a second.
    pub fn bw(&self) -> &Rates {
        &self.bw
    }

    /// I/Os a second.
    pub fn iops(&self) -> &Rates {
        &self.iops
    }

    /// All of them, where the job keeps a log.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

/// How many samples a log may get; `None` where none is kept.
pub(super) fn log_samples(job: &Job) -> Option<usize> {
    let samples = match job.runtime_ns {
        // Those that are cut short by the end, too.
        Some(runtime_ns) => runtime_ns / window_ns(job) + 2,
        None => LOG_SAMPLES_MAX,
    };
    job.reporting.has_log().then_some(samples.min(LOG_SAMPLES_MAX) as usize)
}

fn window_ns(job: &Job) -> u64 {
    u64::from(job.reporting.log_avg_ms.max(1)) * 1_000_000
}

impl Window {
    fn close(self, elapsed_ns: u64, spent_ns: u64) -> Sample {
        let per_second = |count: u64| {
            let rate = u128::from(count) * u128::from(NS_PER_SECOND) / u128::from(spent_ns.max(1));
            u64::try_from(rate).unwrap_or(u64::MAX)
        };
        Sample {
            end_ms: elapsed_ns / 1_000_000,
            bw: per_second(self.bytes) / 1024,
            iops: per_second(self.ios),
            latency_ns: self.latency_ns.saturating_add(self.ios / 2) / self.ios.max(1),
        }
    }
}

/// fio's statistics of rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    /// How many there are.
    pub count: u64,
    /// The least, or 0 if there is none.
    pub min: u64,
    /// The greatest, or 0 if there is none.
    pub max: u64,
    /// The mean, or 0 if there is none.
    pub mean: f64,
    /// The sum of the squares of what each differs from the mean by.
    squares: f64,
}

impl Rates {
    fn record(&mut self, rate: u64) {
        self.min = if self.count == 0 { rate } else { self.min.min(rate) };
        self.max = self.max.max(rate);
        let before = rate as f64 - self.mean;
        self.count += 1;
        self.mean += before / self.count as f64;
        self.squares += before * (rate as f64 - self.mean);
    }

    /// Adds the rates of a job that ran at the same time, as fio does for `group_reporting`: they
    /// add up, and are no more samples of one thing.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.min += other.min;
        self.max += other.max;
        self.mean += other.mean;
        self.squares += other.squares;
    }

    /// The sample standard deviation; 0 for fewer than two.
    pub fn stddev(&self) -> f64 {
        match self.count {
            0 | 1 => 0.0,
            count => libm::sqrt(self.squares / (count - 1) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_window_is_a_sample() {
        let mut samples = Samples::default();
        // 1,000 IOPS of 4 KiB for 1 s, then 500 IOPS for 1 s; then too little time for a sample.
        (1..=1_000).for_each(|io| samples.record(io * MS, 4_096, MS));
        (1..=500).for_each(|io| samples.record(1_000 * MS + io * 2 * MS, 4_096, 2 * MS));
        samples.record(2_300 * MS, 4_096, 2 * MS);
        let iops = samples.iops();
        assert_eq!((iops.count, iops.min, iops.max, iops.mean), (4, 500, 1_000, 750.0));
        assert!((iops.stddev() - 288.675_134).abs() < 1e-6);
        let bw = samples.bw();
        assert_eq!((bw.count, bw.min, bw.max, bw.mean), (4, 2_000, 4_000, 3_000.0));
    }

    #[test]
    fn what_waits_before_the_first_io_is_no_part_of_its_window() {
        let mut samples = Samples::default();
        (0..=500).for_each(|io| samples.record(60_000 * MS + io * MS, 4_096, MS));
        assert_eq!(samples.iops().min, 1_000);
    }

    #[test]
    fn rates_of_a_group_add_up() {
        let mut rates = Rates::default();
        [1_000, 3_000].into_iter().for_each(|rate| rates.record(rate));
        let mut sum = Rates::default();
        sum.add(&rates);
        assert_eq!(sum, rates);
        sum.add(&rates);
        assert_eq!((sum.count, sum.min, sum.max, sum.mean), (4, 2_000, 6_000, 4_000.0));
        // As fio: the squares of both, over 3.
        assert!((sum.stddev() - libm::sqrt(4e6 / 3.0)).abs() < 1e-9);
    }

    #[test]
    fn a_log_keeps_what_there_is_room_for() {
        let line = "runtime=1 log_avg_msec=250 write_bw_log=x";
        let job = crate::job::parse(line).expect(line).pop().expect("a job");
        let mut samples = Samples::new(&job);
        (1..=3_000).for_each(|io| samples.record(io * MS, 4_096, MS));
        let Log { samples: kept, dropped } = samples.log();
        let ends: Vec<u64> = kept.iter().map(|sample| sample.end_ms).collect();
        assert_eq!((&ends[..], *dropped), (&[250, 500, 750, 1_000, 1_250, 1_500][..], 6));
        assert!(kept.iter().all(|sample| (sample.iops, sample.bw) == (1_000, 4_000)));
        let no_log = crate::job::parse("runtime=1").expect("a line").pop().expect("a job");
        assert_eq!(log_samples(&no_log), None);
    }

    #[test]
    fn absurd_times_do_no_harm() {
        let mut samples = Samples::default();
        samples.record(0, u64::MAX, u64::MAX);
        samples.record(u64::MAX, 0, u64::MAX);
        samples.record(5, 0, 0);
        assert_eq!(samples.iops().count, 1);
    }
}
