//! Properties of all rules, whatever the values are: scale, order, ends, no panic.

use proptest::prelude::*;
use statistics::noise::Series;
use statistics::{pairs, samples, steady, student};

fn rate() -> impl Strategy<Value = f64> {
    (-30.0_f64..30.0).prop_map(f64::exp)
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(0.0), Just(1.0), 0.0..2000.0]
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() }
}

fn seeded() -> proptest::test_runner::TestRunner {
    let rng = proptest::test_runner::TestRng::deterministic_rng(
        proptest::test_runner::RngAlgorithm::ChaCha,
    );
    proptest::test_runner::TestRunner::new_with_rng(config(), rng)
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()) + 1e-12
}

fn same(one: &statistics::Comparison, other: &statistics::Comparison) -> bool {
    near(one.ratio, other.ratio)
        && near(one.low, other.low)
        && near(one.high, other.high)
        && near(one.detectable, other.detectable)
}

#[test]
fn pairs_keep_their_ratio_in_any_unit_and_order() {
    let pairs = prop::collection::vec((rate(), rate()), 2..14);
    let run = |(mut all, unit): (Vec<(f64, f64)>, f64)| {
        let found = pairs::compare(&all).unwrap();
        prop_assert!(found.low <= found.ratio && found.ratio <= found.high);
        let swapped: Vec<_> = all.iter().map(|&(a, b)| (b, a)).collect();
        let turned = pairs::compare(&swapped).unwrap();
        prop_assert!(near(turned.ratio, 1.0 / found.ratio) && near(turned.low, 1.0 / found.high));
        all.reverse();
        for (a, b) in &mut all {
            (*a, *b) = (*a * unit, *b * unit);
        }
        prop_assert!(same(&found, &pairs::compare(&all).unwrap()));
        Ok(())
    };
    seeded().run(&(pairs, rate()), run).unwrap();
}

#[test]
fn samples_keep_their_ratio_in_any_unit_and_order() {
    let sample = || prop::collection::vec(rate(), 2..12);
    let run = |(mut a, mut b, unit): (Vec<f64>, Vec<f64>, f64)| {
        let found = samples::compare(&a, &b).unwrap();
        prop_assert!(found.low <= found.ratio && found.ratio <= found.high);
        let turned = samples::compare(&b, &a).unwrap();
        prop_assert!(near(turned.ratio, 1.0 / found.ratio) && near(turned.low, 1.0 / found.high));
        a.reverse();
        b.rotate_left(1);
        let scaled = |all: &[f64]| all.iter().map(|rate| rate * unit).collect::<Vec<_>>();
        prop_assert!(same(&found, &samples::compare(&scaled(&a), &scaled(&b)).unwrap()));
        Ok(())
    };
    seeded().run(&(sample(), sample(), rate()), run).unwrap();
}

#[test]
fn steadiness_is_the_same_in_any_unit() {
    let series = prop::collection::vec(500.0_f64..1500.0, 0..700);
    let run = |(rates, unit): (Vec<f64>, f64)| {
        let found = steady::steadiness(&rates);
        // A power of two changes no digit.
        let unit = unit.log2().round().exp2();
        let scaled: Vec<f64> = rates.iter().map(|rate| rate * unit).collect();
        let other = steady::steadiness(&scaled);
        prop_assert_eq!((found.cut, found.effective), (other.cut, other.effective));
        prop_assert_eq!(found.mean * unit, other.mean);
        prop_assert_eq!(found.half_width.map(|half| half * unit), other.half_width);
        prop_assert!(found.cut <= rates.len() / 2 && found.effective <= rates.len() as f64);
        Ok(())
    };
    seeded().run(&(series, rate()), run).unwrap();
}

#[test]
fn noise_is_the_same_in_any_unit_and_order() {
    let series = prop::collection::vec(prop_oneof![90.0..110.0, 190.0..210.0], 0..40);
    let run = |mut values: Vec<f64>| {
        let found = Series::of_runs(&values).unwrap();
        let found = (found.modes(), found.outliers());
        values.reverse();
        let mut other: Vec<f64> = values.iter().map(|value| value * 4.0).collect();
        other.reverse();
        let again = Series::of_runs(&other).unwrap();
        let quarter = again.modes().map(|modes| modes.low / 4.0);
        prop_assert_eq!(found.0.map(|modes| modes.low), quarter);
        prop_assert_eq!(found.1.map(|all| all.count), again.outliers().map(|all| all.count));
        Ok(())
    };
    seeded().run(&series, run).unwrap();
}

#[test]
fn nothing_panics_or_gives_what_is_no_number() {
    let numbers = || prop::collection::vec(any_number(), 0..400);
    let run = |(one, other, p, freedom): (Vec<f64>, Vec<f64>, f64, f64)| {
        prop_assert!(student::quantile(p, freedom).is_none_or(f64::is_finite));
        let all: Vec<_> = one.iter().copied().zip(other.iter().copied()).collect();
        let mean = |mean, half_width| samples::Mean { mean, half_width, effective: freedom };
        for found in [
            pairs::compare(&all),
            samples::compare(&one, &other),
            samples::compare_means(mean(p, freedom), mean(freedom, p)),
        ] {
            let all = found.map(|of| [of.ratio, of.low, of.high, of.detectable]);
            prop_assert!(all.is_none_or(|all| all.iter().all(|v| v.is_finite())), "{found:?}");
        }
        let _ = pairs::pairs_needed(&all, p);
        for values in [one.clone(), one.iter().map(|value| value.abs()).collect()] {
            let of = steady::steadiness(&values);
            prop_assert!(of.mean.is_finite() && of.effective.is_finite(), "{of:?}");
            prop_assert!(of.half_width.is_none_or(f64::is_finite), "{of:?}");
            if let Some(series) = Series::of_windows(&values, freedom, p) {
                let modes = series.modes().map(|modes| [modes.low, modes.high]);
                prop_assert!(modes.is_none_or(|all| all.iter().all(|v| v.is_finite())));
                prop_assert!(series.outliers().is_none_or(|all| all.worst.is_finite()));
            }
        }
        Ok(())
    };
    seeded().run(&(numbers(), numbers(), any_number(), any_number()), run).unwrap();
}
