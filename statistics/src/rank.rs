//! Exact distributions of Wilcoxon's statistics, and order statistics of many sums that nobody has
//! to write down.

use alloc::vec;
use alloc::vec::Vec;

use crate::student::{TWO_SIDED_95, quantile};

/// Share that an interval of 95 % may miss on either side.
const TAIL: f64 = 0.025;

/// Most pairs with the exact distribution of signed ranks; the normal one with a continuity
/// correction beyond.
pub(crate) const SIGNED_RANK_EXACT_MAX: usize = 50;

/// Most values, of both samples, with the exact distribution of rank sums: all counts of orders
/// stay below 2^53.
pub(crate) const RANK_SUM_EXACT_MAX: usize = 50;

/// Returns which of the means of all two of `count` values, from below and from above, are the ends
/// of a 95 % interval, from 1; 0 if there is none, as with fewer than six values.
pub(crate) fn signed_rank_end(count: usize) -> usize {
    let sums = count * (count + 1) / 2;
    if count > SIGNED_RANK_EXACT_MAX {
        let n = count as f64;
        let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0;
        return outside_of_normal(sums as f64 / 2.0, variance);
    }
    // Sums of subsets of the ranks, each with its probability.
    let mut chances = vec![0.0; sums + 1];
    chances[0] = 1.0;
    for rank in 1..=count {
        for sum in (0..=sums).rev() {
            let with = if sum >= rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = 0.5 * (chances[sum] + with);
        }
    }
    outside(&chances)
}

/// Returns the same as [`signed_rank_end`], of the differences of two samples.
pub(crate) fn rank_sum_end(one: usize, other: usize) -> usize {
    let pairs = one * other;
    if one + other > RANK_SUM_EXACT_MAX {
        let (n, m) = (one as f64, other as f64);
        return outside_of_normal(n * m / 2.0, n * m * (n + m + 1.0) / 12.0);
    }
    // Gaussian binomial coefficient: (1 - q^(other + i)) / (1 - q^i) for each i.
    let mut orders = vec![0_i64; pairs + 1];
    orders[0] = 1;
    for i in 1..=one {
        for at in (other + i..=pairs).rev() {
            orders[at] -= orders[at - other - i];
        }
        for at in i..=pairs {
            orders[at] += orders[at - i];
        }
    }
    let all: i64 = orders.iter().sum();
    outside(&orders.iter().map(|&count| count as f64 / all as f64).collect::<Vec<_>>())
}

fn outside(chances: &[f64]) -> usize {
    let mut sum = 0.0;
    let is_outside = |chance: &&f64| {
        sum += **chance;
        // A tail of exactly that share is outside, however it was rounded.
        sum <= TAIL + 1e-12
    };
    chances.iter().take_while(is_outside).count()
}

fn outside_of_normal(mean: f64, variance: f64) -> usize {
    let z = quantile(TWO_SIDED_95, f64::INFINITY).unwrap_or(1.96);
    (mean - z * libm::sqrt(variance) - 0.5).max(0.0) as usize + 1
}

/// Many values of which only their number up to a bound is known.
pub(crate) struct Counted<F: Fn(f64) -> usize> {
    /// Number of all.
    pub(crate) count: usize,
    /// Number of those that do not exceed a bound.
    pub(crate) up_to: F,
}

impl<F: Fn(f64) -> usize> Counted<F> {
    /// Middle value, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let (lower, upper) = (self.count.div_ceil(2), self.count / 2 + 1);
        f64::midpoint(self.nth(lower), self.nth(upper))
    }

    /// The `end`-th value from below and from above, from 1.
    pub(crate) fn interval(&self, end: usize) -> (f64, f64) {
        (self.nth(end), self.nth(self.count - end + 1))
    }

    /// Exactly the `nth` from below, from 1, by bisection of all floats: at most 64 counts.
    fn nth(&self, nth: usize) -> f64 {
        let (mut low, mut high) = (key(f64::MIN), key(f64::MAX));
        while low < high {
            let middle = low.midpoint(high);
            if (self.up_to)(value(middle)) >= nth { high = middle } else { low = middle + 1 }
        }
        // Not -0.
        value(low) + 0.0
    }
}

const SIGN: u64 = 1 << 63;

/// Number in the order of floats.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

/// Means of all two values, each with itself too (Walsh averages), of values in ascending order.
/// Counting is linear.
pub(crate) fn walsh(sorted: &[f64]) -> Counted<impl Fn(f64) -> usize> {
    let up_to = move |bound: f64| {
        let (mut end, mut count) = (sorted.len(), 0);
        for (start, one) in sorted.iter().enumerate() {
            while end > start && f64::midpoint(*one, sorted[end - 1]) > bound {
                end -= 1;
            }
            if end <= start {
                break;
            }
            count += end - start;
        }
        count
    };
    Counted { count: sorted.len() * (sorted.len() + 1) / 2, up_to }
}

/// Differences of each value of one sample and each of the other, both in ascending order. Counting
/// is linear.
pub(crate) fn differences(one: &[f64], other: &[f64]) -> Counted<impl Fn(f64) -> usize> {
    let up_to = move |bound: f64| {
        let (mut start, mut count) = (0, 0);
        for a in one {
            while start < other.len() && a - other[start] > bound {
                start += 1;
            }
            count += other.len() - start;
        }
        count
    };
    Counted { count: one.len() * other.len(), up_to }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_tails_are_those_of_tables() {
        // Two-sided 0.05: Wilcoxon 1945, Mann and Whitney 1947; one more, as 0 counts.
        let tables = [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (15, 25), (20, 52), (25, 89)];
        for (count, critical) in tables {
            assert_eq!(signed_rank_end(count), critical + 1, "{count}");
        }
        for count in 1..6 {
            assert_eq!(signed_rank_end(count), 0, "{count}");
        }
        let tables = [(6, 6, 5), (6, 10, 11), (8, 8, 13), (10, 10, 23), (20, 20, 127), (4, 4, 0)];
        for (one, other, critical) in tables {
            assert_eq!(rank_sum_end(one, other), critical + 1, "{one}, {other}");
            assert_eq!(rank_sum_end(other, one), critical + 1, "{other}, {one}");
        }
    }

    #[test]
    fn normal_distribution_goes_on_where_the_exact_one_ends() {
        let last = signed_rank_end(SIGNED_RANK_EXACT_MAX);
        let next = signed_rank_end(SIGNED_RANK_EXACT_MAX + 1);
        assert!((last, next) == (435, 454), "{last}, {next}");
        let (last, next) = (rank_sum_end(25, 25), rank_sum_end(25, 26));
        assert!((212..=213).contains(&last) && (220..=224).contains(&next), "{last}, {next}");
    }

    #[test]
    fn middle_is_that_of_both_in_the_middle() {
        assert_eq!(walsh(&[0.0, 1.0]).median(), 0.5);
        assert_eq!(differences(&[1.0, 2.0], &[0.0]).median(), 1.5);
        assert_eq!(walsh(&[0.0, 2.0, 10.0]).median(), (2.0 + 5.0) / 2.0);
    }

    #[test]
    fn order_statistics_are_those_of_the_sorted_list() {
        let mut random = fastrand::Rng::with_seed(2);
        for size in [1, 2, 5, 9] {
            let mut draw = || {
                let mut all: Vec<f64> =
                    (0..size).map(|_| f64::from(random.i32(-6..6)) / 7.0).collect();
                all.sort_unstable_by(f64::total_cmp);
                all
            };
            let (one, other) = (draw(), draw());
            let mut means = Vec::new();
            for (at, a) in one.iter().enumerate() {
                means.extend(one[at..].iter().map(|b| f64::midpoint(*a, *b) + 0.0));
            }
            means.sort_unstable_by(f64::total_cmp);
            let walsh = walsh(&one);
            let found: Vec<f64> = (1..=walsh.count).map(|nth| walsh.nth(nth)).collect();
            assert_eq!(found, means);
            let mut gaps: Vec<f64> =
                one.iter().flat_map(|a| other.iter().map(move |b| a - b)).collect();
            gaps.sort_unstable_by(f64::total_cmp);
            let differences = differences(&one, &other);
            let found: Vec<f64> = (1..=differences.count).map(|nth| differences.nth(nth)).collect();
            assert_eq!(found, gaps);
        }
    }
}
