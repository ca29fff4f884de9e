//! Steadiness of a run, from its rates in windows of equal length.
//!
//! By default windows are 100 ms long, without gaps, and those in which nothing was done are zeros.
//! Of `n` windows:
//! 1. fewer than [`WINDOWS_MIN`]: too short;
//! 2. MSER-5 leaves out more than a third at the start: drifting (the transient does not end);
//! 3. the first and the last third of the rest differ by more than [`DIFFERENCE_MAX`] of the mean,
//!    and by more than noise explains (two-sided t-test at 0.01, with the effective number of
//!    samples of each third): drifting;
//! 4. fewer than [`EFFECTIVE_MIN`] effective samples: too short;
//! 5. else steady.
//!
//! Takes time in proportion to the windows, plus at most some 10 million multiplications, and
//! memory for two copies of them. Error rates: docs/statistics.md.

use alloc::vec::Vec;

use crate::correlation::Precision;
use crate::mser;
use crate::student::{TWO_SIDED_95, quantile};

/// Fewest windows that can be steady: 30 s of 100 ms.
pub const WINDOWS_MIN: usize = 300;

/// Fewest effective samples that can be steady.
pub const EFFECTIVE_MIN: f64 = 20.0;

/// Relative difference of the first and the last third that is always accepted.
pub const DIFFERENCE_MAX: f64 = 0.02;

/// Quantile of the t-test of the thirds: two-sided, at 0.01.
const TEST: f64 = 0.995;

/// Judgement of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Its rate stays where it is, as far as can be told.
    Steady,
    /// Its rate changes.
    Drifting(Cause),
    /// Says too little.
    TooShort(Shortage),
}

/// Reason to call a run drifting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// MSER-5 would leave out more than a third of the windows.
    Transient,
    /// First and last third, after what MSER-5 leaves out, differ.
    Thirds {
        /// Mean rate of the first third.
        from: f64,
        /// Mean rate of the last third.
        to: f64,
    },
}

/// Scarcity that makes a run too short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shortage {
    /// Number of windows, fewer than [`WINDOWS_MIN`].
    Windows(usize),
    /// Effective number of samples, fewer than [`EFFECTIVE_MIN`].
    Samples(f64),
}

/// Steadiness of a run, its mean rate, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steadiness {
    /// Judgement.
    pub verdict: Verdict,
    /// Number of windows at the start that MSER-5 leaves out.
    pub cut: usize,
    /// Mean rate of the other windows, whatever the verdict; 0 if there are none.
    pub mean: f64,
    /// Half width of the 95 % interval of the mean: t(`effective` - 1) standard errors. 0 if all
    /// windows are alike; `None` for fewer than two effective samples. Of a drifting run it tells
    /// the mean of these windows only, and not what comes next.
    pub half_width: Option<f64>,
    /// Number of independent windows that would give the mean as well (Geyer's initial monotone
    /// sequence), at most the number of windows; 0 if there are none.
    pub effective: f64,
}

impl Steadiness {
    fn too_short(windows: usize) -> Self {
        Self {
            verdict: Verdict::TooShort(Shortage::Windows(windows)),
            cut: 0,
            mean: 0.0,
            half_width: None,
            effective: 0.0,
        }
    }
}

/// Returns the steadiness of the rates in windows of equal length, in their order.
///
/// A series with a value that is negative or not finite counts as one without windows.
pub fn steadiness(rates: &[f64]) -> Steadiness {
    if !rates.iter().all(|&rate| (0.0..=f64::MAX).contains(&rate)) {
        return Steadiness::too_short(0);
    }
    // Of the greatest, so that no square overflows.
    let unit = rates.iter().copied().fold(0.0, f64::max);
    let scaled: Vec<f64> =
        rates.iter().map(|rate| if unit > 0.0 { rate / unit } else { 0.0 }).collect();
    let cut = mser::cut(&scaled);
    let rest = scaled.get(cut..).unwrap_or_default();
    let Some(precision) = Precision::of(rest) else {
        return Steadiness { mean: unit, ..Steadiness::too_short(rates.len()) };
    };
    let verdict = if rates.len() < WINDOWS_MIN {
        Verdict::TooShort(Shortage::Windows(rates.len()))
    } else if cut > rates.len() / 3 || (cut > 0 && precision.mean <= 0.0) {
        Verdict::Drifting(Cause::Transient)
    } else if let Some((from, to)) = thirds(rest, precision.mean) {
        Verdict::Drifting(Cause::Thirds { from: from * unit, to: to * unit })
    } else if precision.effective < EFFECTIVE_MIN {
        Verdict::TooShort(Shortage::Samples(precision.effective))
    } else {
        Verdict::Steady
    };
    Steadiness {
        verdict,
        cut,
        mean: precision.mean * unit,
        half_width: half_width(precision).map(|relative| relative * unit),
        effective: precision.effective,
    }
}

fn half_width(of: Precision) -> Option<f64> {
    if of.effective < 2.0 {
        return None;
    }
    Some(quantile(TWO_SIDED_95, of.effective - 1.0)? * libm::sqrt(of.variance))
}

/// Returns the means of the first and last third, if they differ.
fn thirds(rest: &[f64], mean: f64) -> Option<(f64, f64)> {
    let third = rest.len() / 3;
    let of = |start: usize| Precision::about_line(rest.get(start..start + third)?);
    let (first, middle, last) = (of(0)?, of(third)?, of(rest.len() - third)?);
    // The middle one of their variances: a step within a third is noise in that third only.
    let mut all = [first, middle, last];
    all.sort_unstable_by(|one, other| one.variance.total_cmp(&other.variance));
    let variance = 2.0 * all[1].variance;
    let freedom = 2.0 * (all[1].effective - 1.0).max(0.5);
    let bound = quantile(TEST, freedom)? * libm::sqrt(variance);
    let difference = (first.mean - last.mean).abs();
    (difference > DIFFERENCE_MAX * mean && difference > bound).then_some((first.mean, last.mean))
}
