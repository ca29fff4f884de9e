//! Count, extremes, mean and deviation of whole numbers, from sums that are exact.

/// Statistics of a series of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moments {
    count: u64,
    min: u64,
    max: u64,
    sum: u128,
    sum_squares: u128,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0, min: u64::MAX, max: 0, sum: 0, sum_squares: 0 }
    }
}

impl Moments {
    /// Counts the same value this many times, at least once.
    #[inline]
    pub fn record(&mut self, value: u64, times: u32) {
        self.count += u64::from(times);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let sum = u128::from(value) * u128::from(times);
        self.sum += sum;
        let squares = match u64::try_from(sum) {
            Ok(sum) => u128::from(sum) * u128::from(value),
            // Saturates only for latencies of centuries.
            Err(_) => sum.saturating_mul(value.into()),
        };
        self.sum_squares = self.sum_squares.saturating_add(squares);
    }

    /// Adds the values of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.sum_squares = self.sum_squares.saturating_add(other.sum_squares);
    }

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the least value, or 0 if there is none.
    pub fn min(&self) -> u64 {
        if self.count == 0 { 0 } else { self.min }
    }

    /// Returns the greatest value, or 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Returns the sum of the values.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Returns the mean, or 0 if there is no value.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// Returns the sample standard deviation; 0 for fewer than two values.
    pub fn stddev(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        // Integers relative to the rounded mean: a difference of large sums has to be exact.
        let count = u128::from(self.count);
        let (mean, rest) = (self.sum / count, self.sum % count);
        let squares = self.sum_squares.saturating_sub(mean.saturating_mul(self.sum + rest));
        let squares = squares as f64 - rest as f64 * (rest as f64 / count as f64);
        libm::sqrt(squares.max(0.0) / (count - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn moments_of(values: &[u64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|&value| moments.record(value, 1));
        moments
    }

    #[test]
    fn worked_by_hand() {
        let moments = moments_of(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!((moments.mean(), moments.min(), moments.max()), (5.0, 2, 9));
        assert!((moments.stddev() - libm::sqrt(32.0 / 7.0)).abs() < 1e-12);
        let far_apart = moments_of(&[1_000_000_000_000, 1_000_000_000_200]);
        assert!((far_apart.stddev() - 200.0 / libm::sqrt(2.0)).abs() < 1e-9);
        let none = Moments::default();
        assert_eq!((none.min(), none.max(), none.mean(), none.stddev()), (0, 0, 0.0, 0.0));
    }

    #[test]
    fn absurd_values_do_not_overflow() {
        assert_eq!(moments_of(&[u64::MAX; 5]).max(), u64::MAX);
        assert!(moments_of(&[u64::MAX; 5]).stddev().is_finite());
    }

    proptest! {
        #[test]
        fn stddev_agrees_with_two_passes(values in vec(0..1_u64 << 40, 2..100)) {
            let count = values.len() as f64;
            let mean = values.iter().map(|&value| value as f64).sum::<f64>() / count;
            let squares: Vec<f64> = values.iter().map(|&v| (v as f64 - mean).powi(2)).collect();
            let exact = (squares.iter().sum::<f64>() / (count - 1.0)).sqrt();
            let found = moments_of(&values).stddev();
            prop_assert!((found - exact).abs() <= exact * 1e-9, "{found}, exactly {exact}");
        }

        #[test]
        fn merged_is_as_recorded_together(
            one in vec(any::<u32>(), 0..50), two in vec(any::<u32>(), 0..50),
        ) {
            let values = |part: &[u32]| part.iter().map(|&v| u64::from(v)).collect::<Vec<_>>();
            let mut merged = moments_of(&values(&one));
            merged.merge(&moments_of(&values(&two)));
            prop_assert_eq!(merged, moments_of(&values(&[one, two].concat())));
        }
    }
}
