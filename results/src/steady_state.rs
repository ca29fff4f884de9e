//! fio's steady state (`steadystate=`): a sample for each of the last seconds, and the criterion by
//! which they end a job, as in fio's steadystate.c.
//!
//! Two things are not fio's: rates are divided by the time from sample to sample, which fio
//! multiplies by, and samples that are all 0 attain nothing.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use fio_job::number::NS_PER_SECOND;
use fio_job::{Criterion, Job, Judged, SteadyState};
use serde::{Deserialize, Serialize};

use crate::list::at_most;

/// Most samples that are read: a day of seconds.
const DATA_MAX: usize = 86_400;

/// Watch over a job or a group that ends once its samples are steady.
#[derive(Clone, Debug)]
pub struct SteadyWatch {
    rule: Judged,
    /// Last samples, in I/Os and bytes per second, the oldest first.
    samples: VecDeque<[u64; 2]>,
    /// Time since the start, I/Os and bytes at the last look.
    last: [u64; 3],
    /// Greatest difference of a sample from their mean, if that is the criterion.
    deviation: f64,
    /// Slope for each sample, if that is the criterion.
    slope: f64,
    /// Value of the criterion, in the unit of its limit.
    value: f64,
    is_attained: bool,
}

impl SteadyWatch {
    /// Returns a watch that has seen nothing, with room for its samples: nothing allocates later.
    pub fn new(rule: Judged) -> Self {
        Self {
            samples: VecDeque::with_capacity(rule.samples as usize),
            rule,
            last: [0; 3],
            deviation: 0.0,
            slope: 0.0,
            value: 0.0,
            is_attained: false,
        }
    }

    /// Returns whether a sample is due this many nanoseconds after the start, for who looks each
    /// `tick_ns`.
    pub fn is_due(&self, elapsed_ns: u64, tick_ns: u64) -> bool {
        let spent_ns = elapsed_ns.saturating_sub(self.last[0]);
        spent_ns.saturating_add(tick_ns / 2) >= self.rule.interval_ns
    }

    /// Takes a sample: what was done in all, this many nanoseconds after the start. Returns whether
    /// the criterion is met, from when on there are no more samples.
    pub fn look(&mut self, elapsed_ns: u64, ios: u64, bytes: u64) -> bool {
        let [last_ns, last_ios, last_bytes] = self.last;
        self.last = [elapsed_ns, ios, bytes];
        let spent_ns = elapsed_ns.saturating_sub(last_ns);
        if self.is_attained || spent_ns == 0 || last_ns < self.rule.ramp_ns {
            return self.is_attained;
        }
        let rate = |now: u64, before: u64| {
            let done = u128::from(now.saturating_sub(before)) * u128::from(NS_PER_SECOND);
            u64::try_from(done / u128::from(spent_ns)).unwrap_or(u64::MAX)
        };
        if self.samples.len() >= self.rule.samples as usize {
            self.samples.pop_front();
        }
        self.samples.push_back([rate(ios, last_ios), rate(bytes, last_bytes)]);
        if self.samples.len() >= self.rule.samples as usize {
            self.judge();
        }
        self.is_attained
    }

    /// Judges as many samples as the rule asks for.
    fn judge(&mut self) {
        let Criterion { of_bytes, of_slope, limit, in_percent } = self.rule.criterion;
        let values = || self.samples.iter().map(|sample| sample[usize::from(of_bytes)] as f64);
        let count = self.samples.len().max(1) as f64;
        let mean = values().sum::<f64>() / count;
        let value = if of_slope {
            self.slope = slope(values(), count);
            self.slope.abs()
        } else {
            self.deviation = values().map(|value| (value - mean).abs()).fold(0.0, f64::max);
            self.deviation
        };
        // As in fio, which drops the fraction of the mean for the slope.
        let whole = if of_slope { libm::trunc(mean) } else { mean };
        if whole <= 0.0 {
            self.value = 0.0;
            return;
        }
        let value = if in_percent { 100.0 * value / whole } else { value };
        self.value = if of_slope && self.slope < 0.0 { -value } else { value };
        self.is_attained = value < limit.to_f64();
    }

    /// Returns fio's report of it.
    pub fn report(&self) -> SteadyReport {
        let Judged { criterion, samples, interval_ns, .. } = self.rule;
        let unit = if criterion.in_percent { "%" } else { "" };
        let data = |which: usize| {
            // fio prints the samples that it does not have as 0.
            let mut data = vec![0; samples as usize];
            for (place, sample) in data.iter_mut().zip(&self.samples) {
                *place = sample[which];
            }
            data
        };
        let mean = |data: &[u64]| {
            let sum: u128 = data.iter().map(|&value| u128::from(value)).sum();
            u64::try_from(sum / data.len().max(1) as u128).unwrap_or(u64::MAX)
        };
        let (iops, bw) = (data(0), data(1));
        SteadyReport {
            ss: format!("{}:{:.6}{unit}", criterion.figure(), criterion.limit.to_f64()),
            duration: u64::from(samples) * (interval_ns / NS_PER_SECOND),
            attained: self.is_attained.into(),
            criterion: format!("{:.6}{unit}", self.value),
            max_deviation: self.deviation,
            slope: self.slope,
            data: SteadyData { bw_mean: mean(&bw), iops_mean: mean(&iops), iops, bw },
        }
    }
}

/// Returns the slope of the least squares, for each step from value to value.
fn slope(values: impl Iterator<Item = f64> + Clone, count: f64) -> f64 {
    let middle = (count - 1.0) / 2.0;
    let places = || (0..).map(|place: u32| f64::from(place) - middle);
    let products: f64 = places().zip(values.clone()).map(|(place, value)| place * value).sum();
    let squares: f64 = places().zip(values).map(|(place, _)| place * place).sum();
    if squares > 0.0 { products / squares } else { 0.0 }
}

/// Returns the heap that the samples of a job take, in bytes: while it runs, and when they are
/// reported.
pub(crate) fn heap_bytes(job: &Job) -> usize {
    // The text grows by doubling.
    4 * samples(job) * size_of::<[u64; 2]>() + 3 * report_bytes_max(job)
}

/// Returns the length of the longest report of a job's samples, in bytes.
pub(crate) fn report_bytes_max(job: &Job) -> usize {
    const SAMPLE: usize = "18446744073709551615,".len();
    2 * samples(job) * SAMPLE
}

fn samples(job: &Job) -> usize {
    match job.steady_state {
        Some(SteadyState::Within(Judged { samples, .. })) => samples as usize,
        Some(SteadyState::Auto) | None => 0,
    }
}

/// fio's report of a steady state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SteadyReport {
    /// Criterion and limit, such as `iops:2.000000%`.
    pub ss: String,
    /// Time that is looked at, in seconds.
    pub duration: u64,
    /// 1 if the criterion was met, and ended the job.
    pub attained: u64,
    /// Last value of the criterion, in the unit of the limit.
    pub criterion: String,
    /// Greatest difference of a sample from their mean, if that is the criterion.
    pub max_deviation: f64,
    /// Slope for each sample, if that is the criterion.
    pub slope: f64,
    /// Last samples.
    pub data: SteadyData,
}

/// Samples of a steady state, the oldest first; those that there was no time for are 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteadyData {
    /// Mean in bytes per second.
    pub bw_mean: u64,
    /// Mean in I/Os per second.
    pub iops_mean: u64,
    /// I/Os per second.
    #[serde(deserialize_with = "at_most::<DATA_MAX, _, _>")]
    pub iops: Vec<u64>,
    /// Bytes per second.
    #[serde(deserialize_with = "at_most::<DATA_MAX, _, _>")]
    pub bw: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const SECOND: u64 = NS_PER_SECOND;

    /// Returns the watch of a job's options after samples of so many I/Os of 4 KiB in a second
    /// each, or after it was attained.
    fn watched(line: &str, iops: &[u64]) -> SteadyWatch {
        let job = fio_job::parse(line).expect(line).remove(0);
        let Some(SteadyState::Within(rule)) = job.steady_state else { panic!("{line}") };
        let mut watch = SteadyWatch::new(rule);
        let (mut ios, mut seconds) = (0, 0);
        for one in iops {
            (ios, seconds) = (ios + one, seconds + 1);
            if watch.look(seconds * SECOND, ios, ios * 4096) {
                break;
            }
        }
        watch
    }

    #[test]
    fn the_greatest_deviation_is_compared_with_the_limit() {
        // fio 3.33: data 1000, 1001, 1000: criterion 0.066644%, max_deviation 0.666667.
        let report = watched("ss=iops:2% ss_dur=3", &[1_000, 1_001, 1_000]).report();
        assert_eq!((&*report.ss, report.duration, report.attained), ("iops:2.000000%", 3, 1));
        assert_eq!(report.criterion, "0.066644%");
        assert!((report.max_deviation - 2.0 / 3.0).abs() < 1e-12 && report.slope == 0.0);
        assert_eq!((report.data.iops_mean, report.data.bw_mean), (1_000, 4_097_365));
        assert_eq!(report.data.iops, [1_000, 1_001, 1_000]);
        // The limit itself is not below the limit.
        let at = |limit: &str| watched(&("ss_dur=2 ss=iops:".to_string() + limit), &[90, 110]);
        assert!(!at("10").is_attained && !at("10%").is_attained);
        assert!(at("10.1").is_attained && at("10.1%").is_attained);
    }

    #[test]
    fn the_slope_is_that_of_the_least_squares() {
        let report = watched("ss=iops_slope:10% ss_dur=4", &[100, 112, 118, 130]).report();
        assert!((report.slope - 9.6).abs() < 1e-9, "{report:?}");
        assert_eq!((&*report.criterion, report.attained), ("8.347826%", 1));
        let down = watched("ss=bw_slope:1k ss_dur=2", &[10, 9]).report();
        assert_eq!((&*down.criterion, down.attained), ("-4096.000000", 0));
        assert_eq!((down.slope, down.max_deviation), (-4096.0, 0.0));
    }

    #[test]
    fn only_the_last_samples_count() {
        let watch = watched("ss=iops:5% ss_dur=3", &[10, 50, 90, 100, 101, 99, 7]);
        assert_eq!(watch.report().data.iops, [100, 101, 99]);
        assert_eq!(watch.report().attained, 1);
        let watch = watched("ss=iops:5% ss_dur=3 ss_ramp=2", &[5, 5, 5, 5]);
        assert_eq!((watch.report().data.iops, watch.is_attained), (vec![5, 5, 0], false));
        assert_eq!(watch.report().data.iops_mean, 3);
    }

    #[test]
    fn a_job_that_does_nothing_is_not_steady() {
        for rule in ["iops:5%", "iops:5", "bw_slope:5%", "bw_slope:5"] {
            let report = watched(&("ss_dur=3 ss=".to_string() + rule), &[0; 9]).report();
            assert_eq!((report.attained, report.slope, report.max_deviation), (0, 0.0, 0.0));
        }
    }

    #[test]
    fn samples_are_taken_once_in_an_interval() {
        let job = fio_job::parse("ss_dur=60 ss_interval=20").expect("a rule").remove(0);
        let Some(SteadyState::Within(rule)) = job.steady_state else { panic!() };
        let mut watch = SteadyWatch::new(rule);
        let due = (1..=100).filter(|second| {
            // Ticks are late by some microseconds each.
            let now_ns = second * (SECOND + 5_000);
            watch.is_due(now_ns, SECOND) && {
                watch.look(now_ns, second * 100, 0);
                true
            }
        });
        assert_eq!(due.collect::<Vec<_>>(), [20, 40, 60, 80, 100]);
        assert_eq!(watch.report().duration, 60);
    }

    #[test]
    fn absurd_counts_do_no_harm() {
        let job = fio_job::parse("ss_dur=2 ss=bw:1%").expect("a rule").remove(0);
        let Some(SteadyState::Within(rule)) = job.steady_state else { panic!() };
        let mut watch = SteadyWatch::new(rule);
        for (ns, count) in [(0, 5), (1, u64::MAX), (1, 0), (2, 7), (u64::MAX, u64::MAX), (3, 0)] {
            watch.look(ns, count, count);
            assert!(watch.report().max_deviation.is_finite());
        }
    }
}
