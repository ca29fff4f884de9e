//! Steadiness: what is accepted, what is refused, and how often the interval holds the mean.

use statistics::steady::{Cause, Shortage, Steadiness, Verdict, WINDOWS_MIN, steadiness};

use crate::draws::{Draws, Windows};
use crate::{bar, percent};

const DRAWS: u32 = 2000;

/// One minute, as the bars want it.
const MINUTE: Windows = Windows { count: 600, spread: 0.05, phi: 0.5 };

fn accepted(windows: Windows, level: impl Fn(f64) -> f64) -> f64 {
    let mut draws = Draws::seeded(7);
    percent(DRAWS, || steadiness(&draws.windows(&windows, &level)).verdict == Verdict::Steady)
}

#[test]
fn what_is_stationary_is_accepted() {
    bar("accepted, stationary", accepted(MINUTE, |_| 1.0), 97.0, 100.0);
    let independent = Windows { phi: 0.0, ..MINUTE };
    bar("accepted, stationary, phi 0", accepted(independent, |_| 1.0), 99.0, 100.0);
    let start = |t| if t < 0.1 { 0.5 } else { 1.0 };
    bar("accepted, stationary after a start at half", accepted(MINUTE, start), 97.0, 100.0);
}

#[test]
fn drifts_and_steps_are_refused() {
    bar("accepted, drift of -10 %", accepted(MINUTE, |t| 1.05 - 0.1 * t), 0.0, 3.0);
    bar("accepted, drift of +10 %", accepted(MINUTE, |t| 0.95 + 0.1 * t), 0.0, 3.0);
    for (at, size, most) in [(0.7, -0.1, 2.0), (0.7, 0.1, 2.0), (0.9, -0.2, 2.0), (0.5, -0.1, 2.0)]
    {
        let step = |t| if t < at { 1.0 } else { 1.0 + size };
        bar(&format!("accepted, step of {size} at {at}"), accepted(MINUTE, step), 0.0, most);
    }
}

#[test]
fn where_the_rule_is_weak() {
    // Not bars that it should have, but what it has: noise that is large and stays long.
    let noisy = Windows { spread: 0.1, phi: 0.7, ..MINUTE };
    bar(
        "accepted, drift of -5 %, CV 10 %, phi 0.7",
        accepted(noisy, |t| 1.025 - 0.05 * t),
        82.0,
        90.0,
    );
    bar(
        "accepted, drift of -10 %, CV 10 %, phi 0.7",
        accepted(noisy, |t| 1.05 - 0.1 * t),
        40.0,
        50.0,
    );
    bar("accepted, drift of -5 %", accepted(MINUTE, |t| 1.025 - 0.05 * t), 12.0, 22.0);
    let slow = Windows { phi: 0.9, ..MINUTE };
    bar("accepted, stationary, phi 0.9", accepted(slow, |_| 1.0), 88.0, 95.0);
    bar("accepted, drift of -10 %, phi 0.9", accepted(slow, |t| 1.05 - 0.1 * t), 22.0, 33.0);
    let half = Windows { count: 300, ..MINUTE };
    bar("accepted, stationary, 30 s", accepted(half, |_| 1.0), 95.0, 99.0);
    bar("accepted, drift of -10 %, 30 s", accepted(half, |t| 1.05 - 0.1 * t), 4.0, 10.0);
}

#[test]
fn half_width_covers_the_mean() {
    let cases = [(0.0, 4000, 97.0), (0.5, 20_000, 96.0), (0.7, 4000, 96.0), (0.9, 4000, 96.0)];
    for (phi, count, most) in cases {
        let least = if phi > 0.8 { 89.0 } else { 92.0 };
        let mut draws = Draws::seeded(8);
        let windows = Windows { phi, ..MINUTE };
        let share = percent(count, || {
            let of = steadiness(&draws.windows(&windows, |_| 1.0));
            (of.mean - 1000.0).abs() <= of.half_width.unwrap_or(0.0)
        });
        bar(&format!("half width covers the mean, phi {phi}"), share, least, most);
    }
}

#[test]
fn a_disk_that_died_is_not_steady() {
    for alive in [1, 5, 30, 50] {
        let rates: Vec<f64> =
            (0..600).map(|window| if window < alive { 1000.0 } else { 0.0 }).collect();
        let found = steadiness(&rates);
        assert_eq!(found.verdict, Verdict::Drifting(Cause::Transient), "{alive}: {found:?}");
    }
}

#[test]
fn constant_rate_is_known_exactly() {
    for (rate, start, cut) in [(1234.5, 0, 0), (0.0, 0, 0), (1e300, 0, 0), (1000.0, 37, 40)] {
        let mut rates = vec![rate; 600];
        rates[..start].fill(3.0 * rate);
        let expected = Steadiness {
            verdict: Verdict::Steady,
            cut,
            mean: rate,
            half_width: Some(0.0),
            effective: (600 - cut) as f64,
        };
        let found = steadiness(&rates);
        assert!((found.mean - rate).abs() <= 1e-12 * rate, "{found:?}");
        assert_eq!(Steadiness { mean: rate, ..found }, expected);
    }
}

#[test]
fn small_differences_are_accepted_however_sure() {
    let step = |size: f64| (0..600).map(|at| if at < 300 { 1000.0 } else { size }).collect();
    let noisy = |mut rates: Vec<f64>| {
        rates.iter_mut().step_by(2).for_each(|rate| *rate += 100.0);
        steadiness(&rates)
    };
    assert!(!matches!(noisy(step(1015.0)).verdict, Verdict::Drifting(_)));
    assert!(matches!(noisy(step(1030.0)).verdict, Verdict::Drifting(_)));
}

#[test]
fn reasons_are_told() {
    let mut draws = Draws::seeded(3);
    let few = draws.windows(&Windows { count: WINDOWS_MIN - 1, ..MINUTE }, |_| 1.0);
    let found = steadiness(&few);
    assert_eq!(found.verdict, Verdict::TooShort(Shortage::Windows(299)));
    assert!(found.half_width.is_some_and(|half| half > 0.0 && half < 20.0), "{found:?}");

    let mut rates = draws.windows(&MINUTE, |t| if t < 0.45 { 0.5 } else { 1.0 });
    let found = steadiness(&rates);
    assert_eq!(found.verdict, Verdict::Drifting(Cause::Transient));
    assert!((270..=275).contains(&found.cut), "{found:?}");

    rates = draws.windows(&MINUTE, |t| if t < 0.7 { 1.0 } else { 0.8 });
    let Verdict::Drifting(Cause::Thirds { from, to }) = steadiness(&rates).verdict else {
        panic!("{:?}", steadiness(&rates));
    };
    assert!((980.0..1020.0).contains(&from) && (800.0..840.0).contains(&to), "{from}, {to}");

    // A wave of 12 s, of which five pass.
    rates = (0..600).map(|at| 1000.0 + 100.0 * (f64::from(at) / 19.1).sin()).collect();
    let Verdict::TooShort(Shortage::Samples(effective)) = steadiness(&rates).verdict else {
        panic!("{:?}", steadiness(&rates));
    };
    assert!(effective < 20.0);
}

#[test]
fn series_of_any_kind_end() {
    for (rates, mean) in [(vec![], 0.0), (vec![5.0], 5.0), (vec![4.0, 6.0], 5.0)] {
        let found = steadiness(&rates);
        assert_eq!(found.verdict, Verdict::TooShort(Shortage::Windows(rates.len())));
        assert_eq!(found.mean, mean);
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let mut rates = vec![1.0; 600];
        rates[300] = bad;
        assert_eq!(steadiness(&rates).verdict, Verdict::TooShort(Shortage::Windows(0)), "{bad}");
    }
    // The most work: correlations that do not end, in 100,000 windows.
    let ramp: Vec<f64> = (0..100_000).map(f64::from).collect();
    assert!(matches!(steadiness(&ramp).verdict, Verdict::Drifting(_)));
    // Half of one, half of the other: hardly more than one effective sample.
    let halves: Vec<f64> = (0..12).map(|at| if at < 6 { 1.0 } else { 2.0 }).collect();
    let found = steadiness(&halves);
    assert!(found.effective >= 2.0 || found.half_width.is_none(), "{found:?}");
    let ends = [0.0, f64::MIN_POSITIVE, f64::MAX, 5e-324];
    let mixed: Vec<f64> = (0..600).map(|at| ends[at % 4]).collect();
    let found = steadiness(&mixed);
    assert!(found.mean.is_finite() && found.half_width.is_none_or(f64::is_finite), "{found:?}");
}
