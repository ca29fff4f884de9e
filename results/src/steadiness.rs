//! Judgement of each result: whether its rate is steady, and how well the mean is known.

use alloc::format;
use alloc::string::String;

use fio_job::Direction;
use fio_job::number::NS_PER_SECOND;
use serde::{Deserialize, Serialize};
use statistics::steady::{self, Cause, EFFECTIVE_MIN, Shortage, WINDOWS_MIN};

use crate::over_time::{OverTime, Series};
use crate::record::JobResult;
use crate::samples::Together;

/// Steadiness of a job's rate, or of a group's, by the I/Os in its windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steadiness {
    /// Judgement.
    pub verdict: Verdict,
    /// Whole windows that there are.
    pub windows: u64,
    /// Length of each in nanoseconds.
    pub window_ns: u64,
    /// Number of these at the start that are left out, because the rate still settles.
    pub windows_left_out: u64,
    /// Mean rate of the others, in I/Os per second.
    pub iops_mean: f64,
    /// Half width of the 95 % interval of this mean; `None` if it cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops_half_width: Option<f64>,
    /// Number of independent windows that would give the mean as well.
    pub effective_samples: f64,
    /// Mean rates of the first and the last third of the windows that are not left out, if they
    /// differ: the drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops_thirds: Option<[f64; 2]>,
}

/// Judgement of a rate over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The rate stays where it is.
    Steady,
    /// The rate still settles, or the last third differs from the first.
    Drifting,
    /// There are too few windows, or too few effective samples.
    #[default]
    TooShort,
}

impl Steadiness {
    /// Judges a series.
    pub fn of(series: &OverTime) -> Self {
        let judged = steady::steadiness(&series.iops());
        let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
        let (verdict, iops_thirds) = match judged.verdict {
            steady::Verdict::Steady => (Verdict::Steady, None),
            steady::Verdict::Drifting(Cause::Transient) => (Verdict::Drifting, None),
            steady::Verdict::Drifting(Cause::Thirds { from, to }) => {
                (Verdict::Drifting, Some([from, to].map(finite)))
            }
            steady::Verdict::TooShort(Shortage::Windows(_) | Shortage::Samples(_)) => {
                (Verdict::TooShort, None)
            }
        };
        Self {
            verdict,
            windows: series.ios.len() as u64,
            window_ns: series.window_ns,
            windows_left_out: judged.cut as u64,
            iops_mean: finite(judged.mean),
            iops_half_width: judged.half_width.filter(|width| width.is_finite()),
            effective_samples: finite(judged.effective),
            iops_thirds,
        }
    }

    /// Returns whether there are too few windows to judge at all.
    pub fn has_few_windows(&self) -> bool {
        self.windows < WINDOWS_MIN as u64
    }

    /// Returns the least time that can be steady, in seconds.
    pub fn least_s(&self) -> u64 {
        self.window_ns.saturating_mul(WINDOWS_MIN as u64).div_ceil(NS_PER_SECOND)
    }

    /// Returns half the width of the interval in per cent of the mean, if both are known.
    pub fn half_width_percent(&self) -> Option<f64> {
        let width = self.iops_half_width?;
        (self.iops_mean > 0.0).then(|| 100.0 * width / self.iops_mean)
    }

    /// Returns the judgement in a few words of ASCII, such as `steady, +- 0.4 %`.
    pub fn summary(&self) -> String {
        let seconds = |windows: u64| {
            let ns = u128::from(windows) * u128::from(self.window_ns);
            ns as f64 / NS_PER_SECOND as f64
        };
        match (self.verdict, self.iops_thirds) {
            (Verdict::Steady, _) => match self.half_width_percent() {
                Some(percent) => format!("steady, +- {percent:.1} %"),
                None => "steady".into(),
            },
            (Verdict::Drifting, Some([from, to])) if from > 0.0 => {
                let percent = 100.0 * (to / from - 1.0);
                format!("drifting, {percent:+.1} % from its first to its last third")
            }
            (Verdict::Drifting, Some([from, to])) => {
                format!("drifting, from {from:.0} to {to:.0} IOPS")
            }
            (Verdict::Drifting, None) => {
                format!("drifting, not settled after {:.1} s", seconds(self.windows_left_out))
            }
            (Verdict::TooShort, _) if self.has_few_windows() => {
                let missing = WINDOWS_MIN as u64 - self.windows;
                format!("too short to tell, by {:.1} s", seconds(missing))
            }
            (Verdict::TooShort, _) => format!(
                "too short to tell, {:.1} of {EFFECTIVE_MIN:.0} effective samples",
                self.effective_samples
            ),
        }
    }
}

impl JobResult {
    /// Returns its I/Os over time; `None` if it did none.
    ///
    /// Reads that only check what the job wrote are none of its pattern, and are left out.
    pub fn over_time(&self) -> Option<OverTime> {
        let of_own = |direction| self.direction(direction).samples.series();
        let series = self.of_pattern(of_own)?;
        let is_over = self.job.reads_back() && self.write.runtime_ns != 0;
        Some(if is_over { series.until(self.write.runtime_ns) } else { series })
    }

    /// Returns the I/Os over time of jobs that are reported together, of which it is one.
    pub fn series_of(&self, together: &Together) -> Option<OverTime> {
        self.of_pattern(|direction| together.samples(direction).series())
    }

    /// Returns the sum of the series of the directions of its pattern.
    fn of_pattern<'s>(&self, series: impl Fn(Direction) -> &'s Series) -> Option<OverTime> {
        let rw = self.job.rw;
        let has = |direction: &Direction| match direction {
            Direction::Read => rw.reads(),
            Direction::Write => rw.writes(),
            Direction::Trim => rw.trims(),
        };
        let mut sum = OverTime::default();
        Direction::ALL.into_iter().filter(has).for_each(|one| sum.add(series(one).closed()));
        (!sum.ios.is_empty()).then_some(sum)
    }

    /// Returns whether its rate is steady; `None` if it did nothing. A job that was ended because
    /// it was steady is judged by what it was judged by then.
    pub fn steadiness(&self) -> Option<Steadiness> {
        let series = self.over_time()?.until(self.steady_ns.unwrap_or(u64::MAX));
        Some(Steadiness::of(&series))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Returns what is said of a series of windows of 100 ms.
    fn of(ios: impl IntoIterator<Item = u64>) -> Steadiness {
        Steadiness::of(&OverTime { window_ns: NS_PER_SECOND / 10, ios: ios.into_iter().collect() })
    }

    /// Returns windows that vary by some per cent and mean nothing by it.
    fn noise(count: u32) -> impl Iterator<Item = u64> {
        (0..count).map(|n| 1_000 + u64::from(n.wrapping_mul(2_654_435_761) >> 26))
    }

    #[test]
    fn a_rate_is_steady_drifting_or_not_known_for_long_enough() {
        let steady = of(noise(400));
        assert_eq!((steady.verdict, steady.windows), (Verdict::Steady, 400));
        let percent = steady.half_width_percent().expect("an interval");
        assert!(percent > 0.0 && percent < 1.0, "{percent}");
        assert!((steady.iops_mean - 10_315.0).abs() < 100.0, "{steady:?}");
        assert_eq!(steady.summary(), format!("steady, +- {percent:.1} %"));
        let drifting = of((0..600).map(|n| 2_000 - n));
        assert_eq!(drifting.verdict, Verdict::Drifting);
        let summary = drifting.summary();
        assert!(summary.starts_with("drifting, "), "{summary}");
        let short = of(noise(210));
        assert_eq!((short.verdict, short.has_few_windows()), (Verdict::TooShort, true));
        assert_eq!(short.summary(), "too short to tell, by 9.0 s");
        let dead = of([0; 400]);
        assert!(dead.iops_mean == 0.0 && dead.half_width_percent().is_none(), "{dead:?}");
    }

    #[test]
    fn each_judgement_has_its_words() {
        let of = |verdict, iops_thirds| Steadiness {
            verdict,
            windows: 600,
            window_ns: NS_PER_SECOND / 10,
            windows_left_out: 250,
            iops_mean: 200.0,
            iops_half_width: Some(1.0),
            effective_samples: 12.34,
            iops_thirds,
        };
        for (verdict, thirds, text) in [
            (Verdict::Steady, None, "steady, +- 0.5 %"),
            (
                Verdict::Drifting,
                Some([200.0, 150.0]),
                "drifting, -25.0 % from its first to its last third",
            ),
            (Verdict::Drifting, Some([0.0, 150.0]), "drifting, from 0 to 150 IOPS"),
            (Verdict::Drifting, None, "drifting, not settled after 25.0 s"),
            (Verdict::TooShort, None, "too short to tell, 12.3 of 20 effective samples"),
        ] {
            assert_eq!(of(verdict, thirds).summary(), text);
        }
    }

    /// Returns a job's result whose reads and writes have so many I/Os each millisecond.
    fn result(line: &str, per_ms: [u32; 2], read_ms: u64, write_ms: u64) -> JobResult {
        let mut result = JobResult::new(fio_job::parse(line).expect(line).remove(0));
        let sides = [(per_ms[0], read_ms), (per_ms[1], write_ms)];
        for (direction, (ios, ms)) in Direction::ALL.into_iter().zip(sides) {
            let side = result.direction_mut(direction);
            (1..=ms).for_each(|ms| side.samples.record(ms * 1_000_000, 512, ios));
            side.runtime_ns = ms * 1_000_000;
            side.samples.finish(side.runtime_ns);
        }
        result
    }

    #[test]
    fn directions_add_up_and_what_only_checks_is_left_out() {
        let ios = |line, read_ms, write_ms| {
            let result = result(line, [2, 3], read_ms, write_ms);
            result.over_time().map(|series| series.ios)
        };
        assert_eq!(ios("rw=randrw filename=xvda", 200, 200), Some(Vec::from([500, 500])));
        assert_eq!(ios("rw=randread filename=xvda", 200, 0), Some(Vec::from([200, 200])));
        let verify = "rw=randwrite verify=crc32c filename=xvda";
        assert_eq!(ios(verify, 300, 200), Some(Vec::from([300, 300])));
        let both = "rw=randrw verify=crc32c filename=xvda";
        assert_eq!(ios(both, 300, 200), Some(Vec::from([500, 500])));
        assert_eq!(ios("rw=randread filename=xvda", 50, 0), None);
    }

    #[test]
    fn a_job_that_was_ended_is_judged_by_what_ended_it() {
        let mut result = result("rw=randread filename=xvda", [1, 0], 31_000, 0);
        assert_eq!(result.steadiness().map(|one| one.windows), Some(310));
        result.steady_ns = Some(30_000_000_000);
        assert_eq!(result.steadiness().map(|one| one.windows), Some(300));
        assert_eq!(result.over_time().map(|series| series.ios.len()), Some(310));
    }
}
