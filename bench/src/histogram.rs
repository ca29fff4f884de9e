//! Latencies in fio's buckets (stat.h): exact to 127 ns, then 64 buckets for each power of two.
//!
//! A bucket's width is at most 1/64 of its values, up to 17 s; beyond, everything is in the last.

use alloc::boxed::Box;
use alloc::vec;

/// Bits of a value that its bucket keeps, after the leading one (`FIO_IO_U_PLAT_BITS`).
const BITS: u32 = 6;
/// Buckets for each power of two (`FIO_IO_U_PLAT_VAL`).
const GROUP: usize = 1 << BITS;
/// All buckets (`FIO_IO_U_PLAT_NR`).
const BUCKETS: usize = 29 * GROUP;

/// fio's default `percentile_list`, in hundredths of a per cent.
pub const PERCENTILES: [u32; 17] = [
    100, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 9_500, 9_900, 9_950,
    9_990, 9_995, 9_999,
];

/// What became of some number of latencies, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Empty, or all [`BUCKETS`].
    counts: Box<[u64]>,
    count: u64,
    min_ns: u64,
    max_ns: u64,
    sum_ns: u128,
    sum_squares: u128,
}

impl Default for Histogram {
    /// For nothing to be recorded in: without buckets, which take 15 KiB.
    fn default() -> Self {
        Self {
            counts: Box::default(),
            count: 0,
            min_ns: u64::MAX,
            max_ns: 0,
            sum_ns: 0,
            sum_squares: 0,
        }
    }
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice(), ..Self::default() }
    }

    /// Counts one latency.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        if let Some(count) = self.counts.get_mut(bucket_of(ns)) {
            *count += 1;
        }
        self.count += 1;
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        self.sum_ns += u128::from(ns);
        // Saturates only for values of centuries.
        self.sum_squares = self.sum_squares.saturating_add(u128::from(ns) * u128::from(ns));
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The least, or 0 if there is none.
    pub fn min_ns(&self) -> u64 {
        if self.count == 0 { 0 } else { self.min_ns }
    }

    /// The greatest, or 0 if there is none.
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The mean, or 0 if there is none.
    pub fn mean_ns(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum_ns as f64 / self.count as f64 }
    }

    /// The sample standard deviation in whole nanoseconds, rounded down; 0 for fewer than two.
    pub fn stddev_ns(&self) -> u64 {
        if self.count < 2 {
            return 0;
        }
        // Exact integers about the rounded mean, as a difference of large sums must be.
        let count = u128::from(self.count);
        let (mean, rest) = (self.sum_ns / count, self.sum_ns % count);
        let squares = self.sum_squares.saturating_sub(mean.saturating_mul(self.sum_ns + rest));
        let variance = squares.saturating_sub(rest * rest / count) / (count - 1);
        u64::try_from(variance.isqrt()).unwrap_or(u64::MAX)
    }

    /// The latency that `hundredths` of a per cent do not exceed (9_990 is the 99.9th percentile),
    /// or 0 if there is none. It is the middle of fio's bucket, but never outside of what was
    /// recorded.
    pub fn percentile_ns(&self, hundredths: u32) -> u64 {
        let wanted = u128::from(self.count) * u128::from(hundredths);
        let mut seen = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += u128::from(count) * 10_000;
            if count > 0 && seen >= wanted {
                return middle_of(bucket).clamp(self.min_ns, self.max_ns);
            }
        }
        self.max_ns
    }
}

/// The bucket of a value: the value itself, or its leading bit's group and the 6 bits after that.
#[inline]
fn bucket_of(ns: u64) -> usize {
    let dropped_bits = ns.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    // Below 2^7 nothing is dropped; above, the kept bits hold the leading one, worth a group.
    let kept = (ns >> dropped_bits) as usize;
    (dropped_bits as usize * GROUP + kept).min(BUCKETS - 1)
}

/// The middle of a bucket's values.
fn middle_of(bucket: usize) -> u64 {
    let dropped_bits = (bucket / GROUP).saturating_sub(1);
    let kept = (bucket - dropped_bits * GROUP) as u64;
    (kept << dropped_bits) + ((1 << dropped_bits) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn histogram_of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|&ns| histogram.record(ns));
        histogram
    }

    #[test]
    fn buckets_are_fios() {
        // Worked by hand from the formulas in fio's stat.h.
        for (ns, bucket, middle) in [
            (0, 0, 0),
            (127, 127, 127),
            (128, 128, 129),
            (129, 128, 129),
            (130, 129, 131),
            (255, 191, 255),
            (256, 192, 258),
            (25_600, 8 * 64 + 100, 25_728),
        ] {
            assert_eq!((bucket_of(ns), middle_of(bucket_of(ns))), (bucket, middle), "{ns}");
        }
        assert_eq!(bucket_of((1 << 34) - 1), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_recorded() {
        let empty = Histogram::new();
        assert_eq!((empty.count(), empty.min_ns(), empty.max_ns()), (0, 0, 0));
        assert_eq!((empty.mean_ns(), empty.stddev_ns(), empty.percentile_ns(5_000)), (0.0, 0, 0));
    }

    #[test]
    fn moments() {
        let histogram = histogram_of(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!(histogram.mean_ns(), 5.0);
        // The sample variance is 32 / 7.
        assert_eq!(histogram.stddev_ns(), 2);
        let far_apart = histogram_of(&[1_000_000_000_000, 1_000_000_000_200]);
        assert_eq!(far_apart.stddev_ns(), 141);
    }

    #[test]
    fn absurd_latencies_do_not_overflow() {
        let histogram = histogram_of(&[u64::MAX; 5]);
        assert_eq!(histogram.max_ns(), u64::MAX);
        assert_eq!(histogram.percentile_ns(5_000), u64::MAX);
        let _ = histogram.stddev_ns();
    }

    proptest! {
        #[test]
        fn percentiles_agree_with_a_sort(
            values in vec(prop_oneof![0..200_u64, 0..1_u64 << 20, 0..1_u64 << 34], 1..400),
        ) {
            let histogram = histogram_of(&values);
            let mut sorted = values.clone();
            sorted.sort_unstable();
            for hundredths in PERCENTILES.into_iter().chain([1, 10_000]) {
                let rank = (sorted.len() * hundredths as usize).div_ceil(10_000);
                let exact = sorted[rank - 1];
                let found = histogram.percentile_ns(hundredths);
                prop_assert!(
                    found.abs_diff(exact) <= exact >> BITS,
                    "{hundredths}: {found}, exactly {exact}"
                );
            }
        }

        #[test]
        fn stddev_agrees_with_two_passes(values in vec(0..1_u64 << 40, 2..100)) {
            let count = values.len() as f64;
            let mean = values.iter().map(|&ns| ns as f64).sum::<f64>() / count;
            let squares: Vec<f64> = values.iter().map(|&ns| (ns as f64 - mean).powi(2)).collect();
            let exact = (squares.iter().sum::<f64>() / (count - 1.0)).sqrt();
            let found = histogram_of(&values).stddev_ns() as f64;
            prop_assert!((found - exact).abs() <= 1.0 + exact * 1e-9, "{found}, exactly {exact}");
        }

        #[test]
        fn buckets_hold_their_middle(ns in 0..1_u64 << 34) {
            prop_assert_eq!(bucket_of(middle_of(bucket_of(ns))), bucket_of(ns));
        }
    }
}
