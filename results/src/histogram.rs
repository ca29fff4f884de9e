//! Latencies in fio's buckets (stat.h): exact to 127 ns, then 64 buckets for each power of two.
//!
//! A bucket's width is at most 1/64 of its values. fio's end at 17 s; here more of the same kind
//! follow, up to 18 minutes, and everything beyond is in the last.

mod moments;
mod rank;

use alloc::boxed::Box;
use alloc::vec;

pub use moments::Moments;
use rank::Rank;

/// Bits of a value that its bucket keeps, after the leading one (`FIO_IO_U_PLAT_BITS`).
const BITS: u32 = 6;
/// Buckets for each power of two (`FIO_IO_U_PLAT_VAL`).
const GROUP: usize = 1 << BITS;
/// Number of buckets, where fio has 29 groups (`FIO_IO_U_PLAT_NR`).
pub const BUCKETS: usize = 35 * GROUP;

/// Histogram of latencies, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Counts of all [`BUCKETS`], or empty (the default) if nothing is to be recorded.
    counts: Box<[u64]>,
    moments: Moments,
}

impl Histogram {
    /// Returns an empty histogram, of 18 KiB.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice(), ..Self::default() }
    }

    /// Counts the same latency this many times, at least once.
    #[inline]
    pub fn record(&mut self, ns: u64, times: u32) {
        if let Some(count) = self.counts.get_mut(bucket_of(ns)) {
            *count += u64::from(times);
        }
        self.moments.record(ns, times);
    }

    /// Adds the latencies of `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            let pairs = self.counts.iter_mut().zip(&other.counts);
            pairs.for_each(|(count, others)| *count += others);
        }
        self.moments.merge(&other.moments);
    }

    /// Returns the count, extremes, mean and deviation, all exact.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Returns fio's bins, ascending: the middle of each bucket that has latencies, and their
    /// number.
    pub fn bins(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        counts.map(|(bucket, &count)| (middle_of(bucket), count))
    }

    /// Returns the latency that `percent` of the samples do not exceed (more than 0, at most 100),
    /// or 0 if there are no samples. As in fio it is the middle of a bucket, but never more than
    /// the greatest latency, which also stands for all in the last bucket.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let rank = Rank::new(percent, self.moments.count());
        let mut seen = 0;
        let mut reach = |count| {
            seen += count;
            rank.is_reached_by(seen)
        };
        let found = self.bins().find(|&(_, count)| reach(count)).map_or(0, |(middle, _)| middle);
        let max_ns = self.moments.max();
        if found < middle_of(BUCKETS - 1) { found.min(max_ns) } else { max_ns }
    }
}

/// Returns the bucket of a value: the value itself, or the group of its leading bit and the 6 bits
/// after that.
#[inline]
fn bucket_of(ns: u64) -> usize {
    let dropped_bits = ns.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    // Below 2^7 nothing is dropped; above, the kept bits hold the leading one, worth a group.
    let kept = (ns >> dropped_bits) as usize;
    (dropped_bits as usize * GROUP + kept).min(BUCKETS - 1)
}

/// Returns the middle of a bucket's values.
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
        values.iter().for_each(|&ns| histogram.record(ns, 1));
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
        // fio's last.
        assert_eq!(bucket_of((1 << 34) - 1), 29 * 64 - 1);
        assert_eq!(bucket_of((1 << 40) - 1), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_recorded() {
        let empty = Histogram::new();
        assert_eq!((empty.bins().count(), empty.percentile_ns(50.0)), (0, 0));
    }

    #[test]
    fn what_is_absurd_lands_in_the_last_bucket() {
        let histogram = histogram_of(&[u64::MAX; 5]);
        assert_eq!(histogram.bins().collect::<Vec<_>>(), [(middle_of(BUCKETS - 1), 5)]);
        assert_eq!(histogram.moments().max(), u64::MAX);
        assert_eq!(histogram.percentile_ns(50.0), u64::MAX);
    }

    #[test]
    fn a_minute_is_a_minute() {
        const S: u64 = 1_000_000_000;
        let histogram = histogram_of(&[S, 20 * S, 60 * S, 60 * S, 900 * S]);
        for (percent, seconds) in [(20.0, 1), (40.0, 20), (50.0, 60), (80.0, 60), (100.0, 900)] {
            let (found, exact) = (histogram.percentile_ns(percent), seconds * S);
            assert!(found.abs_diff(exact) <= exact >> (BITS + 1), "{percent}: {found}");
        }
    }

    #[test]
    fn no_percentile_exceeds_the_maximum() {
        // The middle of its bucket is 25,728.
        let histogram = histogram_of(&[100, 25_600]);
        assert_eq!([50.0, 99.0].map(|percent| histogram.percentile_ns(percent)), [100, 25_600]);
    }

    proptest! {
        #[test]
        fn percentiles_agree_with_a_sort(
            values in vec(prop_oneof![0..200_u64, 0..1_u64 << 20, 0..1_u64 << 40], 1..400),
        ) {
            let histogram = histogram_of(&values);
            let mut sorted = values.clone();
            sorted.sort_unstable();
            for percent in fio_job::PERCENTILES.into_iter().chain([0.01, 100.0]) {
                // The next bucket where the rounding of the percentile decides.
                let rank = sorted.len() as f64 * percent / 100.0;
                let exact = [rank - 1e-6, rank + 1e-6].map(|rank| {
                    sorted[(rank.ceil() as usize).clamp(1, sorted.len()) - 1]
                });
                let found = histogram.percentile_ns(percent);
                prop_assert!(
                    exact.iter().any(|&exact| found.abs_diff(exact) <= exact >> BITS),
                    "{percent}: {found}, exactly {exact:?}"
                );
                prop_assert!(found <= histogram.moments().max());
            }
        }

        #[test]
        fn merged_is_as_recorded_together(
            one in vec(0..1_u64 << 34, 0..50), two in vec(0..1_u64 << 34, 0..50),
        ) {
            let mut merged = Histogram::default();
            merged.merge(&histogram_of(&one));
            merged.merge(&histogram_of(&two));
            let together = histogram_of(&[one, two].concat());
            prop_assert!(merged.bins().eq(together.bins()));
            prop_assert_eq!(merged.moments(), together.moments());
        }

        #[test]
        fn buckets_hold_their_middle(ns in 0..1_u64 << 40) {
            prop_assert_eq!(bucket_of(middle_of(bucket_of(ns))), bucket_of(ns));
        }
    }
}
