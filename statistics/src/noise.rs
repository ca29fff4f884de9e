//! Disturbances that show in the figures themselves: two modes, and outliers.
//!
//! Both are told only if they are more than chance and matter: by [`RELATIVE_MIN`] of the rate, and
//! by more than four times what the values can resolve. Fewer than [`VALUES_MIN`] values tell
//! neither. Bounds are those that one series in a hundred exceeds by chance, by simulation: for
//! modes of uniform and of exponential values, the worst of the distributions with one mode that
//! were tried, for outliers of normal ones. Takes `n` log `n` steps. Error rates:
//! docs/statistics.md.

use alloc::vec::Vec;

use crate::moments::mean;

/// Fewest values that are judged.
pub const VALUES_MIN: usize = 6;

/// Least difference that is told, of the median.
pub const RELATIVE_MIN: f64 = 0.05;

/// Least share of the values in a mode, beside that of two values.
pub const SHARE_MIN: f64 = 0.1;

/// Least difference that is told, in steps of the values.
const STEPS_MIN: f64 = 4.0;

/// Bounds of the distance of two modes, in standard deviations within them, from so many effective
/// values on.
const MODES: [(f64, f64); 11] = [
    (6.0, 12.6),
    (7.0, 10.8),
    (8.0, 10.1),
    (10.0, 9.1),
    (15.0, 8.0),
    (25.0, 6.6),
    (50.0, 5.7),
    (100.0, 5.0),
    (200.0, 4.6),
    (400.0, 4.2),
    (1000.0, 3.9),
];

/// Bounds of the distance of an outlier, in standard deviations by the median absolute deviation,
/// from so many effective values on.
const OUTLIERS: [(f64, f64); 13] = [
    (6.0, 10.7),
    (8.0, 8.8),
    (10.0, 7.2),
    (12.0, 6.5),
    (15.0, 6.1),
    (20.0, 5.3),
    (30.0, 4.9),
    (50.0, 4.5),
    (200.0, 4.7),
    (500.0, 4.9),
    (2000.0, 5.2),
    (10_000.0, 5.6),
    (50_000.0, 6.0),
];

/// Standard deviation of normal values whose median absolute deviation is 1.
const DEVIATION: f64 = 1.4826;

/// Values to judge: rates of runs, or rates in windows of one run.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    values: &'a [f64],
    effective: f64,
    step: f64,
}

/// Modes of a series that has two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modes {
    /// Mean of the lower mode.
    pub low: f64,
    /// Mean of the upper mode.
    pub high: f64,
    /// Share of the values in the lower mode, from 0 to 1.
    pub share_low: f64,
}

/// Outliers of a series that has some.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outliers {
    /// Number of outliers.
    pub count: usize,
    /// Number of all values.
    pub of: usize,
    /// Median of all values.
    pub median: f64,
    /// Outlier that is farthest from the median.
    pub worst: f64,
}

impl<'a> Series<'a> {
    /// Returns rates of runs, each independent of the others.
    ///
    /// `None` if a value is negative or not finite.
    pub fn of_runs(values: &'a [f64]) -> Option<Self> {
        Self::new(values, values.len() as f64, 0.0)
    }

    /// Returns rates in windows, `effective` of them independent (see
    /// [`Steadiness`](crate::steady::Steadiness)), one I/O in a window being `step`.
    ///
    /// `None` if a value is negative or not finite.
    pub fn of_windows(values: &'a [f64], effective: f64, step: f64) -> Option<Self> {
        Self::new(values, effective, step)
    }

    fn new(values: &'a [f64], effective: f64, step: f64) -> Option<Self> {
        let is_good = |value: f64| (0.0..=f64::MAX).contains(&value);
        let all_good = is_good(effective) && is_good(step) && values.iter().all(|&v| is_good(v));
        all_good.then_some(Self { values, effective, step })
    }

    /// Returns both modes, if the values have two.
    ///
    /// Values are split in two where the variance within both parts is least. These are modes if
    /// their means are farther apart, in terms of the standard deviation within, than chance
    /// explains, and each has [`SHARE_MIN`] of the values, and at least two.
    pub fn modes(&self) -> Option<Modes> {
        let bound = bound(&MODES, self.effective.min(self.values.len() as f64))?;
        let (unit, sorted) = self.sorted();
        let center = mean(&sorted)?;
        let size = sorted.len() as f64;
        let least = (libm::ceil(size * SHARE_MIN) as usize).max(2);
        let all: f64 = sorted.iter().map(|value| (value - center) * (value - center)).sum();
        let (mut sum, mut best) = (0.0, (0.0, 0.0, 0.0, 0.0));
        for (index, value) in sorted.iter().enumerate() {
            // About the mean, so the sum of the others is what lacks to 0.
            sum += value - center;
            let below = index + 1;
            if below < least || sorted.len() - below < least {
                continue;
            }
            let count = below as f64;
            let (low, high) = (sum / count, -sum / (size - count));
            let between = count * low * low + (size - count) * high * high;
            if between > best.0 {
                best = (between, low, high, count / size);
            }
        }
        let (between, low, high, share_low) = best;
        let within = libm::sqrt((all - between).max(0.0) / (size - 2.0));
        let apart = high - low;
        let is_apart = apart > bound * within && apart > self.least(unit, &sorted);
        let (low, high) = ((center + low) * unit, (center + high) * unit);
        is_apart.then_some(Modes { low, high, share_low })
    }

    /// Returns the outliers, if there are any.
    ///
    /// An outlier is farther from the median, in terms of the median absolute deviation, than
    /// chance explains. Of windows, on a scale of square roots, on which counts have the same
    /// spread everywhere.
    pub fn outliers(&self) -> Option<Outliers> {
        let effective = self.effective.min(self.values.len() as f64);
        let bound = bound(&OUTLIERS, effective)?.max(bound(&OUTLIERS, self.values.len() as f64)?);
        let (unit, sorted) = self.sorted();
        let step = self.step / unit;
        let scaled = |value: f64| {
            if step > 0.0 { 2.0 * libm::sqrt(value / step + 0.375) } else { value }
        };
        let middle = median(&sorted);
        let distance = |value: f64| (scaled(value) - scaled(middle)).abs();
        let mut distances: Vec<f64> = sorted.iter().map(|&value| distance(value)).collect();
        distances.sort_unstable_by(f64::total_cmp);
        // A count is known to half a step.
        let spread = DEVIATION * (median(&distances) + distance(middle + step / 2.0));
        let (by_chance, least) = (bound * spread, self.least(unit, &sorted));
        let is_outlier =
            |value: &f64| distance(*value) > by_chance && (value - middle).abs() > least;
        let mut found: Vec<f64> = sorted.into_iter().filter(is_outlier).collect();
        found.sort_unstable_by(|one, other| distance(*one).total_cmp(&distance(*other)));
        let worst = *found.last()?;
        let [median, worst] = [middle, worst].map(|value| value * unit);
        Some(Outliers { count: found.len(), of: self.values.len(), median, worst })
    }

    /// Returns the greatest value, and all in terms of it, so that no square overflows; ascending.
    fn sorted(&self) -> (f64, Vec<f64>) {
        let unit = self.values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let mut sorted: Vec<f64> = self.values.iter().map(|value| value / unit).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        (unit, sorted)
    }

    /// Returns the least difference that is told.
    fn least(&self, unit: f64, sorted: &[f64]) -> f64 {
        (RELATIVE_MIN * median(sorted)).max(STEPS_MIN * self.step / unit)
    }
}

/// Returns the bound for that many effective values; `None` if they are too few.
fn bound(bounds: &[(f64, f64)], effective: f64) -> Option<f64> {
    bounds.iter().rev().find(|(from, _)| effective >= *from).map(|&(_, bound)| bound)
}

fn median(sorted: &[f64]) -> f64 {
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    f64::midpoint(at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2))
}
