//! Judgement of each result: whether its rate is steady, and how well the mean is known.

use alloc::format;
use alloc::string::String;

use fio_job::number::NS_PER_SECOND;
use serde::{Deserialize, Serialize};
use statistics::steady::{self, Cause, EFFECTIVE_MIN, Shortage, WINDOWS_MIN};

use crate::over_time::OverTime;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
