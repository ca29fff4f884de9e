//! MSER-5: where the transient at the start of a run ends (White, 1997).

use alloc::vec::Vec;

/// Values in a batch.
const BATCH: usize = 5;

/// Returns how many values at the start to leave out, so that the mean of the rest has the least
/// standard error: a multiple of 5, at most half of them. Linear.
pub(crate) fn cut(values: &[f64]) -> usize {
    let batches: Vec<f64> =
        values.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    // From the end, for the rest grows by one batch at a time (Welford).
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (start, value) in batches.iter().enumerate().rev() {
        count += 1.0;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
        let error = squares / (count * count);
        if start <= batches.len() / 2 && error <= best.0 {
            best = (error, start);
        }
    }
    best.1 * BATCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn start_that_differs_is_cut() {
        let mut values = vec![2.0; 100];
        assert_eq!(cut(&values), 0);
        values[..30].fill(1.0);
        assert_eq!(cut(&values), 30);
        values[30] = 1.5;
        assert_eq!(cut(&values), 35);
        values[..90].fill(1.0);
        assert!(cut(&values) <= 50);
    }

    #[test]
    fn few_values_are_kept() {
        for count in 0..10 {
            let values: Vec<f64> = (0..count).map(f64::from).collect();
            assert_eq!(cut(&values), 0, "{count}");
        }
    }
}
