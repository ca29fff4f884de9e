//! Student's t distribution: its quantiles, for any degrees of freedom, also broken ones.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

/// Degrees of freedom from which the quantile is expanded about the normal one; the error of that
/// is below 1e-11.
const EXPANDED_FROM: f64 = 1000.0;

/// Most steps of an iteration; what converges takes less than a tenth.
const STEPS_MAX: usize = 1000;

/// Quantile that a two-sided interval of 95 % takes.
pub(crate) const TWO_SIDED_95: f64 = 0.975;

/// Power with which a difference is to be noticed.
pub(crate) const POWER: f64 = 0.8;

/// Returns the quantile of Student's t distribution: what a variable with `freedom` degrees of
/// freedom stays below with probability `p`.
///
/// `None` unless 0 < `p` < 1 and `freedom` > 0. Infinite `freedom` gives the normal quantile.
pub fn quantile(p: f64, freedom: f64) -> Option<f64> {
    let is_good = p > 0.0 && p < 1.0 && freedom > 0.0;
    if !is_good {
        return None;
    }
    let tail = p.min(1.0 - p);
    let normal = solve(tail, 0.0, normal_tail, normal_density);
    let size = if freedom >= EXPANDED_FROM {
        expanded(normal, freedom)
    } else {
        let density = |t: f64| density(t, freedom);
        solve(tail, normal, |t| upper_tail(t, freedom), density)
    };
    size.is_finite().then_some(if p < 0.5 { -size } else { size })
}

/// Returns the probability that a variable with `freedom` degrees of freedom exceeds `t` >= 0.
pub(crate) fn upper_tail(t: f64, freedom: f64) -> f64 {
    let square = t * t;
    let (a, b) = (freedom / 2.0, 0.5);
    0.5 * incomplete_beta(a, b, freedom / (freedom + square), square / (freedom + square))
}

/// Finds where a tail that falls ever more slowly is `tail`, by Newton's method from its left, from
/// which it never overshoots.
fn solve(tail: f64, start: f64, tail_of: impl Fn(f64) -> f64, density: impl Fn(f64) -> f64) -> f64 {
    let mut t = start;
    for _ in 0..STEPS_MAX {
        let next = t + (tail_of(t) - tail) / density(t);
        let is_further = next > t;
        if !is_further {
            break;
        }
        t = next;
    }
    t
}

fn normal_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

fn normal_density(z: f64) -> f64 {
    libm::exp(-0.5 * z * z) / libm::sqrt(2.0 * PI)
}

fn density(t: f64, freedom: f64) -> f64 {
    let power = -(freedom + 1.0) / 2.0 * libm::log1p(t * t / freedom);
    libm::exp(power - ln_beta(freedom / 2.0, 0.5)) / libm::sqrt(freedom)
}

/// Cornish-Fisher expansion of the quantile about the normal one (Abramowitz and Stegun, 26.7.5).
fn expanded(z: f64, freedom: f64) -> f64 {
    let s = z * z;
    let terms = [
        z * (s + 1.0) / 4.0,
        z * ((5.0 * s + 16.0) * s + 3.0) / 96.0,
        z * (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| (sum + term) / freedom) + z
}

fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// Regularised incomplete beta function at `x`, with `y` = 1 - `x` told as well, for that is exact
/// where `x` is near 1.
fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = libm::exp(a * libm::log(x) + b * libm::log(y) - ln_beta(a, b));
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, x) / a
    } else {
        1.0 - front * continued_fraction(b, a, y) / b
    }
}

/// Continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8), by Lentz's
/// method. Takes about the square root of the greater of `a` and `b` steps.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_0 = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / away_from_0(1.0 - (a + b) * x / (a + 1.0));
    let mut value = below;
    for step in 1..STEPS_MAX {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            below = 1.0 / away_from_0(1.0 + coefficient * below);
            above = away_from_0(1.0 + coefficient / above);
            change = above * below;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probability, degrees of freedom, quantile: by mpmath, and scipy.stats.t.ppf, which agree.
    const KNOWN: [(f64, f64, f64); 40] = [
        (0.8, 0.5, 2.512717953665919),
        (0.8, 1.0, 1.3763819204711736),
        (0.8, 2.37, 1.0209331751034871),
        (0.8, 5.0, 0.9195437802408261),
        (0.8, 11.25, 0.8747494246482665),
        (0.8, 30.0, 0.8537672614712977),
        (0.8, 99.5, 0.8452486358658247),
        (0.8, 999.0, 0.8419811822589465),
        (0.8, 12345.6, 0.8416503494427012),
        (0.8, 1e9, 0.8416212339323551),
        (0.975, 0.5, 164.55767348048852),
        (0.975, 1.0, 12.706204736174705),
        (0.975, 2.37, 3.7189208397974585),
        (0.975, 5.0, 2.5705818356363155),
        (0.975, 11.25, 2.1950324272758497),
        (0.975, 30.0, 2.042272456301238),
        (0.975, 99.5, 1.9840936109906242),
        (0.975, 999.0, 1.96234146113345),
        (0.975, 12345.6, 1.9601561582595104),
        (0.975, 1e9, 1.9599639869123255),
        (0.995, 0.5, 4113.964588804181),
        (0.995, 1.0, 63.65674116287158),
        (0.995, 2.37, 7.680186673810438),
        (0.995, 5.0, 4.032142983555228),
        (0.995, 11.25, 3.0919933589606905),
        (0.995, 30.0, 2.7499956535672254),
        (0.995, 99.5, 2.626146672063148),
        (0.995, 999.0, 2.580759637267637),
        (0.995, 12345.6, 2.576227604425214),
        (0.995, 1e9, 2.5758293084654484),
        (0.99999, 0.5, 1028491156.31634),
        (0.99999, 1.0, 31830.988607907093),
        (0.99999, 2.37, 107.33695188158666),
        (0.99999, 5.0, 15.546854534954756),
        (0.99999, 11.25, 7.0065568958124045),
        (0.99999, 30.0, 5.054032421446494),
        (0.99999, 99.5, 4.47954653176338),
        (0.99999, 999.0, 4.285458337387215),
        (0.99999, 12345.6, 4.266548637446998),
        (0.99999, 1e9, 4.264890814382885),
    ];

    #[test]
    fn quantiles_are_those_of_tables() {
        for (p, freedom, t) in KNOWN {
            let found = quantile(p, freedom).unwrap();
            assert!((found / t - 1.0).abs() < 1e-9, "p {p}, {freedom}: {found}, not {t}");
            let mirrored = quantile(1.0 - p, freedom).unwrap();
            assert!((mirrored / -t - 1.0).abs() < 1e-9, "p {p}, {freedom}: {mirrored}");
        }
    }

    #[test]
    fn expansion_and_exact_value_meet() {
        for p in [0.6, 0.8, 0.975, 0.995, 0.9999] {
            let [below, above] = [999.999_999_9, 1000.0].map(|df| quantile(p, df).unwrap());
            assert!((below - above).abs() < 1e-9, "{p}: {below}, {above}");
        }
    }

    #[test]
    fn what_is_no_probability_has_no_quantile() {
        assert_eq!(quantile(1.5, f64::INFINITY), None);
        let bad = [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY];
        assert!(bad.iter().all(|&p| quantile(p, 5.0).is_none()));
        let bad = [0.0, -1.0, f64::NAN, f64::NEG_INFINITY];
        assert!(bad.iter().all(|&freedom| quantile(0.975, freedom).is_none()));
        assert_eq!(quantile(0.5, 3.0), Some(0.0));
        assert!(quantile(0.975, 1e-9).is_none_or(f64::is_finite));
    }
}
