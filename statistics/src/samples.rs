//! Comparison of two systems that were not measured in pairs: several runs of each, or one run of
//! each whose mean is known with an interval.

use alloc::vec::Vec;

pub use crate::comparison::{Comparison, Method, Verdict};
use crate::moments::{Moments, welch};
use crate::rank::{differences, rank_sum_end};
use crate::student::{TWO_SIDED_95, quantile};

/// Fewest values of either sample for the rank-sum interval.
pub const RANKED_FROM: usize = 6;

/// Mean of a run, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// Mean rate.
    pub mean: f64,
    /// Half width of its 95 % interval.
    pub half_width: f64,
    /// Effective number of samples that it is the mean of, at least 2.
    pub effective: f64,
}

/// Compares rates of two systems, from several runs of each.
///
/// Logarithms: Welch's interval if either sample has fewer than [`RANKED_FROM`] values, else the
/// Hodges-Lehmann estimate with the interval of the rank-sum test, exact up to 50 values of both.
/// `None` if either has fewer than 2, or a value that is not positive and finite. For `n` values
/// takes memory for `n` and `n` log `n` steps.
pub fn compare(a: &[f64], b: &[f64]) -> Option<Comparison> {
    let (mut a, mut b) = (logarithms(a)?, logarithms(b)?);
    let (of_a, of_b) = (Moments::of(&a)?, Moments::of(&b)?);
    let freedom = welch((of_a.of_mean(), of_a.count - 1.0), (of_b.of_mean(), of_b.count - 1.0));
    let error = libm::sqrt(of_a.of_mean() + of_b.of_mean());
    let (method, middle, interval) = if a.len().min(b.len()) < RANKED_FROM {
        let middle = of_a.mean - of_b.mean;
        let half = quantile(TWO_SIDED_95, freedom)? * error;
        (Method::Welch, middle, (middle - half, middle + half))
    } else {
        a.sort_unstable_by(f64::total_cmp);
        b.sort_unstable_by(f64::total_cmp);
        let differences = differences(&a, &b);
        let end = rank_sum_end(a.len(), b.len());
        (Method::RankSum, differences.median(), differences.interval(end))
    };
    let count = a.len() + b.len();
    Comparison::from_logarithms(middle, interval, count, method, (error, freedom))
}

/// Compares two systems by one run of each.
///
/// The error of the ratio's logarithm is that of both means, relative to them; this holds as long
/// as they are small. It knows nothing of what differs from run to run. `None` for a mean that is
/// not positive and finite, a half width that is negative or not finite, and fewer than 2 effective
/// samples.
pub fn compare_means(a: Mean, b: Mean) -> Option<Comparison> {
    let (of_a, of_b) = (relative_error(a)?, relative_error(b)?);
    let ratio = a.mean / b.mean;
    if !(ratio > 0.0 && ratio <= f64::MAX) {
        return None;
    }
    let (one, other) = (of_a * of_a, of_b * of_b);
    let error = libm::sqrt(one + other);
    let freedom = welch((one, a.effective - 1.0), (other, b.effective - 1.0));
    let (middle, half) = (libm::log(ratio), quantile(TWO_SIDED_95, freedom)? * error);
    let count = (a.effective + b.effective) as usize;
    let interval = (middle - half, middle + half);
    Comparison::from_logarithms(middle, interval, count, Method::Means, (error, freedom))
}

/// Standard error of a mean in terms of the mean.
fn relative_error(of: Mean) -> Option<f64> {
    let is_good = of.mean > 0.0
        && of.mean <= f64::MAX
        && (0.0..=f64::MAX).contains(&of.half_width)
        && (2.0..=f64::MAX).contains(&of.effective);
    let t = is_good.then(|| quantile(TWO_SIDED_95, of.effective - 1.0))??;
    let error = of.half_width / t / of.mean;
    // What is beyond has an interval without bounds anyway.
    Some(error.min(1e6))
}

fn logarithms(values: &[f64]) -> Option<Vec<f64>> {
    let one = |&value: &f64| (value > 0.0 && value <= f64::MAX).then(|| libm::log(value));
    values.iter().map(one).collect()
}
