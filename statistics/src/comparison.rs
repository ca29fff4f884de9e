//! Outcome of a comparison of two systems: a ratio, its interval, a verdict.

use crate::student::{POWER, TWO_SIDED_95, quantile};

/// Ratio of two systems' rates, A to B.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Estimate.
    pub ratio: f64,
    /// Least ratio in the 95 % interval.
    pub low: f64,
    /// Greatest ratio in the 95 % interval.
    pub high: f64,
    /// Number of pairs; of samples that are not paired, of values in both.
    pub count: usize,
    /// Kind of estimate and interval.
    pub method: Method,
    /// Least ratio above 1 that would have been noticed with a power of 80 %, by the spread of
    /// these values; 1 if they are all alike.
    pub detectable: f64,
}

/// Kind of estimate and interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Geometric mean, with the t interval of the logarithms.
    T,
    /// Hodges-Lehmann estimate, with the interval of Wilcoxon's signed-rank test.
    SignedRank,
    /// Ratio of geometric means, with Welch's interval of the logarithms.
    Welch,
    /// Hodges-Lehmann estimate of shift, with the interval of Wilcoxon's rank-sum test.
    RankSum,
    /// Ratio of two means, from the interval of each.
    Means,
}

/// Judgement of two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A's rate is above B's: the whole interval is above 1.
    Faster,
    /// A's rate is below B's: the whole interval is below 1.
    Slower,
    /// Interval holds 1: no difference is shown. Not that there is none.
    NoDifference,
}

impl Comparison {
    /// Returns the verdict by the interval.
    pub fn verdict(&self) -> Verdict {
        if self.low > 1.0 {
            Verdict::Faster
        } else if self.high < 1.0 {
            Verdict::Slower
        } else {
            Verdict::NoDifference
        }
    }

    /// Outcome from logarithms. `error` is the standard error of the estimate, for `detectable`
    /// only.
    pub(crate) fn from_logarithms(
        middle: f64,
        interval: (f64, f64),
        count: usize,
        method: Method,
        (error, freedom): (f64, f64),
    ) -> Option<Self> {
        let detectable = exp(quantiles(freedom)? * error);
        let (low, high) = (exp(interval.0), exp(interval.1));
        let ratio = exp(middle).clamp(low, high);
        Some(Self { ratio, low, high, count, method, detectable })
    }
}

/// Returns how many standard errors a difference must have to be noticed.
pub(crate) fn quantiles(freedom: f64) -> Option<f64> {
    Some(quantile(TWO_SIDED_95, freedom)? + quantile(POWER, freedom)?)
}

/// Returns a number that is finite and above 0, for any logarithm.
fn exp(logarithm: f64) -> f64 {
    libm::exp(logarithm.clamp(-700.0, 700.0))
}
