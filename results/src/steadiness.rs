//! Judgement of each result: whether its rate is steady, and how well the mean is known.

use alloc::format;
use alloc::string::String;

use fio_job::number::NS_PER_SECOND;
use serde::{Deserialize, Serialize};
use statistics::steady::{self, Cause, EFFECTIVE_MIN, Shortage, WINDOWS_MIN};

use crate::over_time::OverTime;
use crate::record::JobResult;

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
        let rw = self.job.rw;
        let sides =
            [(rw.reads(), &self.read), (rw.writes(), &self.write), (rw.trims(), &self.trim)];
        let of_pattern = sides.into_iter().filter_map(|(has, side)| has.then_some(side));
        let mut over_time = OverTime::default();
        of_pattern.for_each(|side| over_time.add(side.samples.series().closed()));
        if self.job.reads_back()
            && let Some(windows) = self.write.runtime_ns.checked_div(over_time.window_ns)
        {
            over_time.ios.truncate(usize::try_from(windows).unwrap_or(usize::MAX));
        }
        (over_time.window_ns != 0 && self.ios() != 0).then_some(over_time)
    }

    /// Returns whether its rate is steady; `None` if it did nothing.
    pub fn steadiness(&self) -> Option<Steadiness> {
        self.over_time().map(|series| Steadiness::of(&series))
    }
}
