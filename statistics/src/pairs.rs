//! Comparison of two systems by pairs of runs, one on each, that alternate (ABBA): what disturbs
//! both runs of a pair leaves their ratio alone.
//!
//! d = ln(A / B) of each pair. Fewer than [`RANKED_FROM`] pairs: mean and t interval of d. Else the
//! Hodges-Lehmann estimate (the median of the means of all two d) with the interval of the
//! signed-rank test, exact up to 50 pairs; an outlier moves it little. Pairs that are all alike
//! have an interval of no width.

use alloc::vec::Vec;

use crate::comparison::quantiles;
pub use crate::comparison::{Comparison, Method, Verdict};
use crate::moments::Moments;
use crate::rank::{signed_rank_end, walsh};
use crate::student::{TWO_SIDED_95, quantile};

/// Fewest pairs that an exact signed-rank interval of 95 % can be told of.
pub const RANKED_FROM: usize = 6;

/// Most pairs that are ever asked for.
pub const PAIRS_MAX: usize = 1_000_000;

/// Compares rates of two systems, measured in pairs (A, B).
///
/// `None` for fewer than 2 pairs, or a pair without a ratio: a rate that is not positive and
/// finite. For `n` pairs takes memory for `n` and `n` log `n` steps.
pub fn compare(pairs: &[(f64, f64)]) -> Option<Comparison> {
    let mut d = logarithms(pairs)?;
    let moments = Moments::of(&d)?;
    let (error, freedom) = (libm::sqrt(moments.of_mean()), moments.count - 1.0);
    let (method, middle, interval) = if d.len() < RANKED_FROM {
        let half = quantile(TWO_SIDED_95, freedom)? * error;
        (Method::T, moments.mean, (moments.mean - half, moments.mean + half))
    } else {
        d.sort_unstable_by(f64::total_cmp);
        let means = walsh(&d);
        (Method::SignedRank, means.median(), means.interval(signed_rank_end(d.len())))
    };
    Comparison::from_logarithms(middle, interval, d.len(), method, (error, freedom))
}

/// Returns how many pairs are needed in all to notice a relative difference (0.02: 2 %) with a
/// power of 80 %, by the spread so far: an even number, from 2 to [`PAIRS_MAX`].
///
/// `None` where [`compare`] has none, or if `resolve` is not positive and finite.
pub fn pairs_needed(pairs: &[(f64, f64)], resolve: f64) -> Option<usize> {
    let spread = libm::sqrt(Moments::of(&logarithms(pairs)?)?.variance);
    if !(resolve > 0.0 && resolve <= f64::MAX) {
        return None;
    }
    let bound = libm::log1p(resolve);
    let is_enough = |pairs: usize| {
        let count = pairs as f64;
        quantiles(count - 1.0).is_some_and(|t| t * spread / libm::sqrt(count) <= bound)
    };
    // In twos: the least is in (low, high].
    let (mut low, mut high) = (0, PAIRS_MAX / 2);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if is_enough(2 * middle) { high = middle } else { low = middle }
    }
    Some(2 * high)
}

fn logarithms(pairs: &[(f64, f64)]) -> Option<Vec<f64>> {
    pairs.iter().map(|&(a, b)| logarithm(a, b)).collect()
}

fn logarithm(a: f64, b: f64) -> Option<f64> {
    let is_rate = |rate: f64| rate > 0.0 && rate <= f64::MAX;
    let ratio = a / b;
    (is_rate(a) && is_rate(b) && is_rate(ratio)).then(|| libm::log(ratio))
}
