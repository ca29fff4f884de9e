//! Samples that are not paired, and two means.

use statistics::samples::{Mean, Method, Verdict, compare, compare_means};
use statistics::steady::steadiness;

use crate::draws::{Draws, Noise, Windows};
use crate::{bar, percent};

const DRAWS: u32 = 20_000;

fn rates(draws: &mut Draws, count: usize, noise: Noise, times: f64) -> Vec<f64> {
    (0..count).map(|_| times * draws.rate(noise)).collect()
}

#[test]
fn intervals_cover_the_true_ratio() {
    // Of four runs with outliers the t interval is wide.
    for (noise, most) in [(Noise::Normal, 97.5), (Noise::Skewed, 97.5), (Noise::Outliers, 98.5)] {
        for (a, b) in [(4, 4), (6, 6), (6, 10), (10, 10)] {
            let mut draws = Draws::seeded((a * 100 + b) as u64);
            let share = percent(DRAWS, || {
                let one = rates(&mut draws, a, noise, 1.05);
                let found = compare(&one, &rates(&mut draws, b, noise, 1.0)).unwrap();
                (found.low..=found.high).contains(&1.05)
            });
            bar(&format!("coverage, {a} and {b} runs, {noise:?}"), share, 93.5, most);
        }
    }
}

#[test]
fn few_runs_claim_little() {
    for (a, b) in [(2, 2), (3, 3), (2, 6), (2, 20), (3, 20), (5, 20)] {
        let mut draws = Draws::seeded(9);
        let share = percent(DRAWS, || {
            let one = rates(&mut draws, a, Noise::Normal, 1.0);
            let found = compare(&one, &rates(&mut draws, b, Noise::Normal, 1.0)).unwrap();
            found.verdict() != Verdict::NoDifference
        });
        bar(&format!("false claims, {a} and {b} runs"), share, 0.0, 6.0);
    }
}

#[test]
fn means_of_two_runs_are_compared_by_their_intervals() {
    let mut draws = Draws::seeded(11);
    let windows = Windows { count: 600, spread: 0.05, phi: 0.5 };
    let mut mean = |level: f64| {
        let of = steadiness(&draws.windows(&windows, |_| level));
        let half_width = of.half_width.unwrap();
        Mean { mean: of.mean, half_width, effective: of.effective }
    };
    let share = percent(4000, || {
        let found = compare_means(mean(1.0), mean(0.9)).unwrap();
        (found.low..=found.high).contains(&(1.0 / 0.9))
    });
    bar("coverage, means of two runs", share, 92.0, 97.0);
}

#[test]
fn interval_of_two_means_is_that_of_their_errors() {
    let a = Mean { mean: 110.0, half_width: 2.2, effective: 1e6 };
    let b = Mean { mean: 100.0, half_width: 1.0, effective: 1e6 };
    let found = compare_means(a, b).unwrap();
    // 2 % and 1 %: the root of 5, in per cent.
    assert!((found.ratio - 1.1).abs() < 1e-12 && found.method == Method::Means, "{found:?}");
    assert!(((found.high / 1.1).ln() - 0.05_f64.sqrt() / 10.0).abs() < 1e-6, "{found:?}");
    assert_eq!(found.verdict(), Verdict::Faster);
    let exact = Mean { half_width: 0.0, ..b };
    let found = compare_means(exact, exact).unwrap();
    assert_eq!((found.low, found.ratio, found.high), (1.0, 1.0, 1.0));
    for bad in [
        Mean { mean: 0.0, ..a },
        Mean { mean: f64::NAN, ..a },
        Mean { half_width: -1.0, ..a },
        Mean { half_width: f64::INFINITY, ..a },
        Mean { effective: 1.5, ..a },
        Mean { effective: f64::NAN, ..a },
    ] {
        assert_eq!((compare_means(bad, b), compare_means(b, bad)), (None, None), "{bad:?}");
    }
    let wide = Mean { half_width: f64::MAX, ..a };
    assert!(compare_means(wide, b).is_some_and(|of| of.high.is_finite() && of.low > 0.0));
}

#[test]
fn runs_that_are_alike_have_no_width() {
    for count in [2, 5, 6, 30] {
        let found = compare(&vec![1234.5; count], &vec![1234.5; count]).unwrap();
        assert_eq!((found.low, found.high, found.verdict()), (1.0, 1.0, Verdict::NoDifference));
        let found = compare(&vec![1234.5; count], &vec![1000.0; count]).unwrap();
        assert_eq!((found.low, found.verdict()), (found.high, Verdict::Faster));
        assert_eq!(found.count, 2 * count);
    }
    assert_eq!(compare(&[1.0], &[1.0, 2.0]), None);
    assert_eq!(compare(&[1.0, 0.0], &[1.0, 2.0]), None);
    assert_eq!(compare(&[1.0, 2.0], &[1.0, f64::INFINITY]), None);
}
