//! Mean and variance of independent values, and of their differences.

/// Returns the mean; `None` of no values. Exact if all are alike.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    Some(first + values.iter().map(|value| value - first).sum::<f64>() / values.len() as f64)
}

/// Mean and variance of values, from their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    pub(crate) count: f64,
    pub(crate) mean: f64,
    /// Unbiased variance of the values.
    pub(crate) variance: f64,
}

impl Moments {
    /// Returns those of the values; `None` of fewer than two.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let (mean, count) = (mean(values)?, values.len() as f64);
        if values.len() < 2 {
            return None;
        }
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Some(Self { count, mean, variance: squares / (count - 1.0) })
    }

    /// Variance of the mean.
    pub(crate) fn of_mean(self) -> f64 {
        self.variance / self.count
    }
}

/// Returns the degrees of freedom of the difference of two means, by Welch and Satterthwaite, from
/// the variance and degrees of freedom of each, at most twice the lesser: a small sample whose
/// spread is small by chance does not inherit what the other knows.
pub(crate) fn welch(one: (f64, f64), other: (f64, f64)) -> f64 {
    let (sum, most) = (one.0 + other.0, 2.0 * one.1.min(other.1));
    if sum <= 0.0 {
        return most;
    }
    // As shares, so that no square underflows.
    let part = |(variance, freedom): (f64, f64)| (variance / sum) * (variance / sum) / freedom;
    (1.0 / (part(one) + part(other))).min(most)
}
