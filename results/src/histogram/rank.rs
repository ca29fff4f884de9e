//! Rank of a percentile among samples, rounded exactly as in fio.
//!
//! fio's `calc_clat_percentiles` takes the first bucket for which
//! `sum >= (long double)percentile / 100.0 * count`; on x86 a long double has 64 bits of mantissa.
//! fio is built with -ffast-math, so what is computed is `percentile * (0.01L * count)`, and the
//! rounding of that decides at the edges: the 99.9th percentile of 1,000 samples is the 1,000th.

/// Bits in the mantissa of a long double.
const MANTISSA_BITS: u32 = 64;
/// Mantissa of the long double nearest to 0.01: divided by 2 to the shift.
const HUNDREDTH: u64 = 0xa3d7_0a3d_70a3_d70a;
const HUNDREDTH_SHIFT: i32 = 70;

/// Product of `percent` and `count` as a long double: `mantissa` divided by 2 to the `shift`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    mantissa: u64,
    shift: i32,
}

impl Rank {
    /// Returns the rank of a percentile that is more than 0 and at most 100.
    pub(super) fn new(percent: f64, count: u64) -> Self {
        let bits = percent.to_bits();
        let exponent = ((bits >> (f64::MANTISSA_DIGITS - 1)) & 0x7ff) as i32;
        let one = 1 << (f64::MANTISSA_DIGITS - 1);
        let mantissa = (bits & (one - 1)) | one;
        let hundredths = Self::round(u128::from(HUNDREDTH) * u128::from(count), HUNDREDTH_SHIFT);
        // percent = mantissa / 2^(1075 - exponent)
        let shift = hundredths.shift + 1075 - exponent;
        Self::round(u128::from(mantissa) * u128::from(hundredths.mantissa), shift)
    }

    /// Returns `value / 2^shift`, rounded to the nearest; ties go to even.
    fn round(value: u128, shift: i32) -> Self {
        let dropped = (u128::BITS - value.leading_zeros()).saturating_sub(MANTISSA_BITS);
        let kept = value >> dropped;
        let rest = value - (kept << dropped);
        let half = (1 << dropped) >> 1;
        let up = dropped > 0 && (rest > half || (rest == half && kept & 1 == 1));
        match u64::try_from(kept + u128::from(up)) {
            Ok(mantissa) => Self { mantissa, shift: shift - dropped as i32 },
            // Rounded up to 2^64.
            Err(_) => Self { mantissa: 1 << 63, shift: shift - dropped as i32 - 1 },
        }
    }

    /// Returns whether this number of samples reaches the rank.
    pub(super) fn is_reached_by(self, samples: u64) -> bool {
        match self.shift {
            // Only an invalid percentile needs more than 2^64 samples.
            ..0 => self.mantissa == 0,
            0..64 => u128::from(samples) << self.shift >= u128::from(self.mantissa),
            64.. => samples > 0 || self.mantissa == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the least number of samples that reaches the rank.
    fn rank(percent: f64, count: u64) -> u64 {
        let rank = Rank::new(percent, count);
        let least = (0..=count).find(|&samples| rank.is_reached_by(samples));
        least.expect("all samples reach any percentile")
    }

    #[test]
    fn edges_are_fios() {
        // From the expression above, in C on x86-64.
        for (percent, count, samples) in [
            (99.9, 1_000, 1_000),
            (99.9, 10_000, 9_991),
            (99.99, 10_000, 9_999),
            (99.95, 2_000, 2_000),
            (90.0, 10, 9),
            (70.0, 10, 7),
            (1.0, 100, 1),
            (9.0, 300, 27),
            (30.0, 3_300, 990),
            (60.0, 3_300, 1_980),
            (50.0, 3, 2),
            (29.0, 100, 29),
            (57.0, 100, 57),
            (0.1, 1_000, 2),
            (0.001, 5, 1),
            (100.0, 7, 7),
        ] {
            assert_eq!(rank(percent, count), samples, "{percent} of {count}");
        }
    }

    #[test]
    fn nothing_overflows() {
        for percent in [f64::MIN_POSITIVE, 5e-324, 0.0, 1e-300, 1.0, 100.0, f64::MAX, f64::NAN] {
            for count in [0, 1, u64::MAX] {
                let _ = Rank::new(percent, count).is_reached_by(u64::MAX);
            }
        }
        assert!(Rank::new(100.0, u64::MAX).is_reached_by(u64::MAX));
        // The same in C: 0.01L is less than a hundredth.
        assert!(Rank::new(100.0, u64::MAX).is_reached_by(u64::MAX - 1));
        assert!(!Rank::new(100.0, u64::MAX).is_reached_by(u64::MAX - 2));
    }
}
