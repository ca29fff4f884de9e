//! Precision of the mean of values that depend on those before them.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::moments::mean;

/// Most values that are correlated with each other; of more, batches of neighbours are averaged
/// first.
const VALUES_MAX: usize = 4096;

/// Mean of a series, and how well it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Precision {
    pub(crate) mean: f64,
    /// Variance of the mean.
    pub(crate) variance: f64,
    /// Number of independent values that would give the mean as well, from 1 to the number of
    /// values.
    pub(crate) effective: f64,
}

impl Precision {
    /// Returns that of the values, in at most `VALUES_MAX` squared / 3 steps; `None` of fewer than
    /// two.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mean = mean(values)?;
        let off: Vec<f64> = values.iter().map(|value| value - mean).collect();
        Self::from_residuals(mean, &off)
    }

    /// Returns that of residuals about a straight line, so that a trend within the series does not
    /// look like noise.
    pub(crate) fn about_line(values: &[f64]) -> Option<Self> {
        let mean = mean(values)?;
        let middle = (values.len() as f64 - 1.0) / 2.0;
        let at = |index: usize| index as f64 - middle;
        let (mut with_time, mut of_time) = (0.0, 0.0);
        for (index, value) in values.iter().enumerate() {
            with_time += at(index) * (value - mean);
            of_time += at(index) * at(index);
        }
        let slope = if of_time > 0.0 { with_time / of_time } else { 0.0 };
        let off = values.iter().enumerate().map(|(index, value)| value - mean - slope * at(index));
        Self::from_residuals(mean, &off.collect::<Vec<_>>())
    }

    fn from_residuals(mean: f64, off: &[f64]) -> Option<Self> {
        let count = off.len() as f64;
        if off.len() < 2 {
            return None;
        }
        let whole = covariance(off, 0);
        if whole <= 0.0 {
            return Some(Self { mean, variance: 0.0, effective: count });
        }
        let merged = merged(off);
        let factor = off.len().div_ceil(VALUES_MAX) as f64;
        // Of batches: their variance, and that of the mean from it.
        let of_batches = covariance(&merged, 0);
        let time = correlation_time(&merged) * of_batches / whole * factor;
        let effective = if time > 0.0 { (count / time).clamp(1.0, count) } else { count };
        // Residuals are nearer to their own mean than to the true one: minus one.
        let variance = whole / (effective - 1.0).max(f64::MIN_POSITIVE);
        Some(Self { mean, variance: variance.min(f64::MAX), effective })
    }
}

/// Returns means of neighbours, at most `VALUES_MAX`; the values themselves if they are not more.
fn merged(off: &[f64]) -> Cow<'_, [f64]> {
    let size = off.len().div_ceil(VALUES_MAX);
    if size <= 1 {
        return Cow::Borrowed(off);
    }
    off.chunks_exact(size).map(|chunk| chunk.iter().sum::<f64>() / size as f64).collect()
}

/// Autocovariance at `lag`.
fn covariance(off: &[f64], lag: usize) -> f64 {
    let later = off.get(lag..).unwrap_or_default();
    off.iter().zip(later).map(|(one, other)| one * other).sum::<f64>() / off.len() as f64
}

/// Returns how many values tell as much of the mean as one independent value, by Geyer's initial
/// monotone sequence (1992): sums of two neighbouring autocorrelations as long as they are
/// positive, none greater than the one before. Lags up to a third of the values.
fn correlation_time(off: &[f64]) -> f64 {
    let whole = covariance(off, 0);
    if whole <= 0.0 {
        return 0.0;
    }
    let (mut sum, mut least) = (0.0, f64::INFINITY);
    for lag in (0..(off.len() / 3).max(1)).step_by(2) {
        let pair = (covariance(off, lag) + covariance(off, lag + 1)) / whole;
        if pair <= 0.0 {
            break;
        }
        least = pair.min(least);
        sum += least;
    }
    2.0 * sum - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn constant_series_is_known_exactly() {
        let of = Precision::of(&vec![0.1; 9000]).unwrap();
        assert_eq!((of.effective, of.variance < 1e-20), (9000.0, true));
        assert!(Precision::of(&[1.0]).is_none() && Precision::of(&[]).is_none());
    }

    #[test]
    fn values_in_blocks_count_once_each() {
        let mut random = fastrand::Rng::with_seed(1);
        for (block, count) in [(1, 3000), (10, 3000), (50, 50_000)] {
            let mut values = vec![0.0; count];
            for block in values.chunks_mut(block) {
                block.fill(random.f64());
            }
            let of = Precision::of(&values).unwrap();
            let ratio = of.effective * block as f64 / count as f64;
            assert!((0.7..1.3).contains(&ratio), "{block}: {}", of.effective);
        }
    }

    #[test]
    fn alternation_never_counts_more_than_the_values() {
        let values: Vec<f64> = (0..1000).map(|index| f64::from(index % 2)).collect();
        assert_eq!(Precision::of(&values).unwrap().effective, 1000.0);
        let mut random = fastrand::Rng::with_seed(3);
        let draws: Vec<f64> = (0..1001).map(|_| random.f64()).collect();
        let values: Vec<f64> = draws.windows(2).map(|pair| pair[1] - 0.6 * pair[0]).collect();
        assert_eq!(Precision::of(&values).unwrap().effective, 1000.0);
    }

    #[test]
    fn line_is_no_noise() {
        let values: Vec<f64> = (0..300).map(f64::from).collect();
        let [flat, line] = [Precision::of, Precision::about_line].map(|of| of(&values).unwrap());
        assert!((line.mean - 149.5).abs() < 1e-9 && line.variance < 1e-9, "{line:?}");
        assert!(flat.effective < 10.0, "{flat:?}");
    }
}
