//! Pairs: coverage of the interval, false claims, and what is noticed.

use statistics::pairs::{Method, Verdict, compare, pairs_needed};

use crate::draws::{Draws, Noise};
use crate::{bar, percent};

const DRAWS: u32 = 20_000;

fn pairs(draws: &mut Draws, count: usize, noise: Noise, ratio: f64) -> Vec<(f64, f64)> {
    (0..count).map(|_| (ratio * draws.rate(noise), draws.rate(noise))).collect()
}

#[test]
fn intervals_cover_the_true_ratio() {
    for noise in [Noise::Normal, Noise::Skewed, Noise::Outliers] {
        for count in [4, 6, 8, 10, 16] {
            let mut draws = Draws::seeded(count as u64);
            let share = percent(DRAWS, || {
                let found = compare(&pairs(&mut draws, count, noise, 1.05)).unwrap();
                (found.low..=found.high).contains(&1.05)
            });
            bar(&format!("coverage, {count} pairs, {noise:?}"), share, 93.5, 97.5);
        }
    }
}

#[test]
fn equal_systems_are_rarely_told_apart() {
    for noise in [Noise::Normal, Noise::Skewed, Noise::Outliers] {
        for count in [3, 4, 6, 8, 10] {
            let mut draws = Draws::seeded(100 + count as u64);
            let share = percent(DRAWS, || {
                let found = compare(&pairs(&mut draws, count, noise, 1.0)).unwrap();
                found.verdict() != Verdict::NoDifference
            });
            bar(&format!("false claims, {count} pairs, {noise:?}"), share, 0.0, 6.0);
        }
    }
}

#[test]
fn interval_is_of_t_below_six_pairs_and_of_ranks_from_there_on() {
    let mut draws = Draws::seeded(1);
    for (count, method) in [(2, Method::T), (5, Method::T), (6, Method::SignedRank)] {
        let found = compare(&pairs(&mut draws, count, Noise::Normal, 1.0)).unwrap();
        assert_eq!((found.method, found.count), (method, count));
        assert!(found.low <= found.ratio && found.ratio <= found.high, "{found:?}");
    }
    // The interval of six is that of the means of all two: with the least, and the greatest.
    let six = [1.1, 0.9, 1.3, 1.2, 1.05, 0.97].map(|ratio| (ratio, 1.0));
    let found = compare(&six).unwrap();
    assert!((found.low - 0.9).abs() < 1e-12 && (found.high - 1.3).abs() < 1e-12, "{found:?}");
}

/// Spread of ln(A / B) where both runs have 5 %; with pairs that have exactly this one.
fn pairs_of_spread(count: usize) -> Vec<(f64, f64)> {
    let spread = 0.05 * 2.0_f64.sqrt();
    let raw: Vec<f64> = (0..count).map(|index| index as f64).collect();
    let mean = raw.iter().sum::<f64>() / count as f64;
    let variance = raw.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count as f64 - 1.0);
    raw.iter().map(|x| (((x - mean) / variance.sqrt() * spread).exp(), 1.0)).collect()
}

#[test]
fn detectable_ratio_is_by_the_spread_and_the_number() {
    for (count, percent) in [(3, 24.5), (5, 12.5), (6, 10.6), (8, 8.5)] {
        let pairs = pairs_of_spread(count);
        let found = compare(&pairs).unwrap().detectable;
        assert!(((found - 1.0) * 100.0 - percent).abs() < 0.05, "{count}: {found}");
        // As many pairs as there are resolve just that, and two fewer do not.
        let even = count.next_multiple_of(2);
        assert_eq!(pairs_needed(&pairs, found - 1.0 + 1e-9), Some(even), "{count}");
        assert!(pairs_needed(&pairs, found - 1.0 - 1e-3) > Some(even - 1), "{count}");
    }
}

#[test]
fn what_is_detectable_is_noticed_four_times_in_five() {
    // By t, at the number of pairs that the rule says; ranks lose some power.
    for (count, least, most) in [(5, 74.0, 86.0), (10, 72.0, 86.0), (20, 72.0, 86.0)] {
        let mut draws = Draws::seeded(7);
        let ratio = compare(&pairs_of_spread(count)).unwrap().detectable;
        let share = percent(5000, || {
            let found = compare(&pairs(&mut draws, count, Noise::Normal, ratio)).unwrap();
            found.verdict() == Verdict::Faster
        });
        bar(&format!("noticed, {count} pairs"), share, least, most);
    }
}

#[test]
fn pairs_needed_are_even_and_bounded() {
    let alike = [(2.0, 1.0); 3];
    assert_eq!(pairs_needed(&alike, 0.02), Some(2));
    let wild = [(1e300, 1.0), (1.0, 1e300)];
    assert_eq!(pairs_needed(&wild, 1e-9), Some(statistics::pairs::PAIRS_MAX));
    let some = pairs_of_spread(6);
    // (1.984 + 0.845)^2 (0.0707 / ln 1.02)^2 = 102.04.
    assert_eq!(pairs_needed(&some, 0.02), Some(104));
    for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(pairs_needed(&some, bad), None, "{bad}");
    }
}

#[test]
fn pairs_that_are_alike_have_no_width() {
    for (a, verdict) in [
        (1000.0, Verdict::NoDifference),
        (1000.5, Verdict::Faster),
        (999.9, Verdict::Slower),
        (1234.567, Verdict::Faster),
    ] {
        for count in [2, 3, 5, 6, 7, 40, 60] {
            let found = compare(&vec![(a, 1000.0); count]).unwrap();
            assert_eq!(found.verdict(), verdict, "{a}, {count}");
            assert_eq!((found.low, found.high, found.detectable), (found.ratio, found.ratio, 1.0));
            assert!((found.ratio - a / 1000.0).abs() < 1e-12, "{found:?}");
        }
    }
    // One that differs does not make the others' ratio uncertain, nor six zeros a difference.
    let mut pairs = vec![(5.0, 5.0); 9];
    pairs.push((9.0, 5.0));
    let found = compare(&pairs).unwrap();
    assert_eq!((found.ratio, found.low, found.verdict()), (1.0, 1.0, Verdict::NoDifference));
}

#[test]
fn rates_that_are_none_are_not_compared() {
    assert_eq!(compare(&[]), None);
    assert_eq!(compare(&[(1.0, 2.0)]), None);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(compare(&[(1.0, 2.0), (bad, 1.0)]), None, "{bad}");
        assert_eq!(compare(&[(1.0, 2.0), (1.0, bad)]), None, "{bad}");
        assert_eq!(pairs_needed(&[(1.0, 2.0), (1.0, bad)], 0.1), None, "{bad}");
    }
    assert_eq!(compare(&[(1.0, 2.0), (f64::MAX, f64::MIN_POSITIVE)]), None);
    let wide = compare(&[(1e300, 1.0), (1.0, 1e300)]).unwrap();
    assert!(wide.low > 0.0 && wide.high.is_finite() && wide.detectable.is_finite(), "{wide:?}");
}
