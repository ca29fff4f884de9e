//! Modes and outliers: false alarms, and what is found.

use statistics::noise::{Modes, Outliers, Series};
use statistics::steady::steadiness;

use crate::draws::{Draws, Noise, Windows};
use crate::{bar, percent};

/// Returns the shares of draws with modes and with outliers, in per cent.
fn found(draws: u32, mut draw: impl FnMut() -> Vec<f64>, step: Option<f64>) -> [f64; 2] {
    let (mut modes, mut outliers) = (0, 0);
    for _ in 0..draws {
        let values = draw();
        let series = match step {
            Some(step) => Series::of_windows(&values, steadiness(&values).effective, step),
            None => Series::of_runs(&values),
        };
        let series = series.unwrap();
        modes += u32::from(series.modes().is_some());
        outliers += u32::from(series.outliers().is_some());
    }
    [modes, outliers].map(|count| 100.0 * f64::from(count) / f64::from(draws))
}

/// Law of a rate.
type Law = fn(&mut Draws) -> f64;

#[test]
fn runs_alike_are_rarely_flagged() {
    for count in [6, 7, 8, 9, 10, 12, 20, 30] {
        let mut draws = Draws::seeded(count as u64);
        let kinds: [(&str, Law); 3] = [
            ("normal", |draws| draws.rate(Noise::Normal)),
            ("uniform", |draws| 900.0 + 200.0 * draws.uniform()),
            ("exponential", |draws| 1000.0 + 100.0 * draws.exponential()),
        ];
        for (name, kind) in kinds {
            let draw = || (0..count).map(|_| kind(&mut draws)).collect();
            let [modes, outliers] = found(5000, draw, None);
            bar(&format!("false modes, {count} runs, {name}"), modes, 0.0, 1.5);
            // Of a skewed distribution the long tail is told.
            if name != "exponential" {
                bar(&format!("false outliers, {count} runs, {name}"), outliers, 0.0, 1.5);
            }
        }
    }
}

#[test]
fn windows_of_one_mode_are_rarely_flagged() {
    for (phi, count) in [(0.0, 600), (0.5, 600), (0.9, 600), (0.5, 3000)] {
        let mut draws = Draws::seeded(5);
        let windows = Windows { count, spread: 0.08, phi };
        let [modes, outliers] = found(1000, || draws.windows(&windows, |_| 1.0), Some(10.0));
        bar(&format!("false modes, {count} windows, phi {phi}"), modes, 0.0, 1.0);
        bar(&format!("false outliers, {count} windows, phi {phi}"), outliers, 0.0, 2.0);
    }
    for mean in [0.3, 1.0, 3.0, 10.0, 100.0] {
        let mut draws = Draws::seeded(6);
        let draw = || (0..600).map(|_| 10.0 * draws.poisson(mean)).collect();
        let [modes, outliers] = found(500, draw, Some(10.0));
        bar(&format!("false modes, {mean} arrivals in a window"), modes, 0.0, 1.0);
        bar(&format!("false outliers, {mean} arrivals in a window"), outliers, 0.0, 2.0);
    }
}

#[test]
fn modes_are_found_with_their_size() {
    for (count, ratio, least) in [(6, 1.4, 75.0), (8, 1.4, 95.0), (10, 1.4, 99.0), (20, 1.2, 70.0)]
    {
        let mut draws = Draws::seeded(1);
        let share = percent(2000, || {
            let one = |at| if at % 2 == 0 { 1.0 } else { ratio } * (1.0 + 0.02 * draws.normal());
            let values: Vec<f64> = (0..count).map(one).collect();
            Series::of_runs(&values).unwrap().modes().is_some()
        });
        bar(&format!("modes found, {count} runs, {ratio}"), share, least, 100.0);
    }
    let mut draws = Draws::seeded(2);
    let windows = Windows { count: 600, spread: 0.03, phi: 0.3 };
    let values = draws.windows(&windows, |t| if t * 20.0 % 2.0 < 0.5 { 1.5 } else { 1.0 });
    let modes = Series::of_windows(&values, 150.0, 10.0).unwrap().modes().unwrap();
    assert!((modes.low - 1000.0).abs() < 10.0 && (modes.high - 1500.0).abs() < 10.0, "{modes:?}");
    assert!((modes.share_low - 0.75).abs() < 0.01, "{modes:?}");
}

#[test]
fn outliers_are_found_with_their_size() {
    for (count, size, least) in [(6, 0.7, 65.0), (8, 0.7, 85.0), (10, 0.7, 97.0), (10, 1.2, 75.0)] {
        let mut draws = Draws::seeded(3);
        let share = percent(2000, || {
            let one = |at| if at == 2 { size } else { 1.0 } * (1.0 + 0.02 * draws.normal());
            let values: Vec<f64> = (0..count).map(one).collect();
            Series::of_runs(&values).unwrap().outliers().is_some()
        });
        bar(&format!("outlier found, {count} runs, {size}"), share, least, 100.0);
    }
    let mut values =
        Draws::seeded(4).windows(&Windows { count: 600, spread: 0.05, phi: 0.0 }, |_| 1.0);
    values[200..203].fill(0.0);
    let found = Series::of_windows(&values, 600.0, 10.0).unwrap().outliers().unwrap();
    assert_eq!((found.count, found.of, found.worst), (3, 600, 0.0));
    // The farthest is told, and few effective windows tell less.
    values[300] = 500.0;
    let found = |effective| Series::of_windows(&values, effective, 10.0).unwrap().outliers();
    assert_eq!(found(600.0).map(|all| (all.count, all.worst)), Some((4, 0.0)));
    assert_eq!(found(6.0).map(|all| (all.count, all.worst)), Some((3, 0.0)));
    let found = found(600.0).unwrap();
    assert!((found.median - 1000.0).abs() < 10.0, "{found:?}");
}

#[test]
fn bounds_are_where_they_are_said_to_be() {
    // 5 % of the median: alike but for one; and modes without any noise.
    let with = |other: f64| [1000.0, 1000.0, other, 1000.0, 1000.0, 1000.0];
    let outliers = |other| Series::of_runs(&with(other)).unwrap().outliers();
    assert_eq!(outliers(1049.9), None);
    let found = Outliers { count: 1, of: 6, median: 1000.0, worst: 1050.1 };
    assert_eq!(outliers(1050.1), Some(found));
    let modes = |high: f64| {
        let values = [1000.0, high, 1000.0, high, 1000.0, 1000.0];
        Series::of_runs(&values).unwrap().modes()
    };
    assert_eq!(modes(1049.9), None);
    let found = modes(1050.1).unwrap();
    assert!((found.share_low - 2.0 / 3.0).abs() < 1e-12 && (found.high - 1050.1).abs() < 1e-9);
    // Four steps of a window.
    let values = |high| [0.0, high, 0.0, high, 0.0, 0.0];
    let modes = |high| Series::of_windows(&values(high), 6.0, 10.0).unwrap().modes();
    assert_eq!(modes(40.0), None);
    assert_eq!(modes(50.0), Some(Modes { low: 0.0, high: 50.0, share_low: 4.0 / 6.0 }));
    // Few values, few effective ones, and none.
    assert_eq!(Series::of_runs(&[1.0, 9.0, 1.0, 9.0, 1.0]).unwrap().modes(), None);
    assert_eq!(Series::of_runs(&[1.0, 1.0, 9.0, 1.0, 1.0]).unwrap().outliers(), None);
    assert_eq!(Series::of_windows(&values(50.0), 5.9, 10.0).unwrap().modes(), None);
    assert!(Series::of_runs(&[]).unwrap().modes().is_none());
    for bad in [f64::NAN, -1.0, f64::INFINITY] {
        assert!(Series::of_runs(&[1.0, bad]).is_none(), "{bad}");
        assert!(Series::of_windows(&[1.0], bad, 0.0).is_none(), "{bad}");
    }
}
