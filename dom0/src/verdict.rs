//! Verdict on two systems by alternated pairs of runs, in words.

use statistics::pairs::{Comparison, Verdict, compare};

use crate::figures::Figures;
use crate::measure::Measure;
use crate::percent::{above, shown};

/// Fewest pairs that tell how far chance goes.
const PAIRS_MIN: usize = 2;

/// Returns the figure of both runs in each pair, of a job and direction by its place; empty if a
/// run lacks it.
pub fn pairs(sides: [&[Vec<Figures>]; 2], index: usize, by: Measure) -> Vec<(f64, f64)> {
    let [a, b] = sides;
    let of = |run: &Vec<Figures>| run.get(index).and_then(|figures| by.of(figures));
    let pair = |(a, b): (&Vec<Figures>, &Vec<Figures>)| of(a).zip(of(b));
    a.iter().zip(b).map(pair).collect::<Option<_>>().unwrap_or_default()
}

/// Ratio of A to B in one figure, and what it shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Ratio with its interval; without one that of the only pair.
    pub ratio: String,
    /// Verdict.
    pub verdict: String,
}

impl Told {
    /// Compares two systems of these names by the pairs' values of a figure.
    pub fn of(by: Measure, [a, b]: [&str; 2], pairs: &[(f64, f64)]) -> Self {
        let no_ratio = |ratio: String, why: &str| Self { ratio, verdict: why.to_owned() };
        let Some(comparison) = compare(pairs) else {
            let is_value = |value: f64| value.is_finite() && value > 0.0;
            return match pairs {
                [] => no_ratio("-".to_owned(), "no pair has this figure"),
                all if all.iter().any(|&(a, b)| !is_value(a) || !is_value(b)) => {
                    no_ratio("-".to_owned(), "a run has 0, which has no ratio")
                }
                [(a, b), ..] if pairs.len() < PAIRS_MIN => {
                    let why = "one pair does not tell how far chance goes";
                    no_ratio(format!("{:.3}", a / b), why)
                }
                _ => no_ratio("-".to_owned(), "the runs have no ratio"),
            };
        };
        Self { ratio: interval(&comparison), verdict: words(by, [a, b], &comparison) }
    }
}

/// Returns a ratio with its interval.
fn interval(of: &Comparison) -> String {
    format!("{:.3} ({:.3} .. {:.3})", of.ratio, of.low, of.high)
}

fn words(by: Measure, [a, b]: [&str; 2], of: &Comparison) -> String {
    let [low, high] = [of.low, of.high].map(above);
    let (more, less) = match by.is_rate() {
        true => ("faster", "slower"),
        false => ("higher", "lower"),
    };
    match of.verdict() {
        Verdict::Faster => {
            let [low, high] = shown([low, high]);
            format!("{a} is {more} than {b} by {low} % .. {high} %")
        }
        Verdict::Slower => {
            let [least, most] = shown([-high, -low]);
            format!("{a} is {less} than {b} by {least} % .. {most} %")
        }
        // An interval of many powers of ten tells no more than that.
        Verdict::NoDifference if above(of.detectable) > SEEN_MAX => format!(
            "no difference shown: equal runs differ so much that one of {SEEN_MAX} % would not \
             have been seen"
        ),
        Verdict::NoDifference => {
            let [low, high, seen] = shown([low, high, above(of.detectable)]);
            format!(
                "no difference shown (between {low} % and {high} %); a difference of {seen} % \
                 would have been seen"
            )
        }
    }
}

/// Greatest difference that is told as one that would have been seen, in per cent.
const SEEN_MAX: f64 = 1000.0;

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::figures::sample;

    const NAMES: [&str; 2] = ["A", "B"];

    fn words_of(by: Measure, ratios: &[f64]) -> String {
        let pairs: Vec<(f64, f64)> = ratios.iter().map(|ratio| (ratio * 100.0, 100.0)).collect();
        Told::of(by, NAMES, &pairs).verdict
    }

    #[test]
    fn an_absurd_interval_is_not_spelled_out() {
        let text = words_of(Measure::Iops, &[1.0, 0.001]);
        assert!(text.starts_with("no difference shown: ") && text.len() < 100, "{text}");
    }

    #[test]
    fn each_verdict_has_its_words() {
        let faster = [1.031, 1.04, 1.052, 1.035, 1.045, 1.05];
        assert_eq!(words_of(Measure::Iops, &faster), "A is faster than B by 3.1 % .. 5.2 %");
        assert_eq!(words_of(Measure::P99, &faster), "A is higher than B by 3.1 % .. 5.2 %");
        let slower = [0.95, 0.96, 0.97, 0.955, 0.965, 0.96];
        assert_eq!(words_of(Measure::Bw, &slower), "A is slower than B by 3.0 % .. 5.0 %");
        assert_eq!(words_of(Measure::Clat, &slower), "A is lower than B by 3.0 % .. 5.0 %");
        let equal = words_of(Measure::Iops, &[0.98, 1.014, 1.0, 1.0, 0.99, 1.01]);
        let expected = "no difference shown (between -2.0 % and 1.4 %); a difference of 1.8 % \
                        would have been seen";
        assert_eq!(equal, expected);
    }

    /// Interval of an exact test: that of six pairs goes from the least to the greatest.
    #[test]
    fn the_interval_of_six_pairs_is_that_of_all() {
        let pairs = [1.2, 0.9, 1.1, 1.0, 1.3, 0.8].map(|ratio| (ratio, 1.0));
        let of = compare(&pairs).unwrap();
        assert!((of.low - 0.8).abs() < 1e-9 && (of.high - 1.3).abs() < 1e-9, "{of:?}");
    }

    #[test]
    fn what_has_no_interval_says_why() {
        let told = |pairs: &[(f64, f64)]| Told::of(Measure::Iops, NAMES, pairs);
        for (pairs, ratio, why) in [
            (&[][..], "-", "no pair has this figure"),
            (&[(3.0, 2.0)], "1.500", "one pair does not tell how far chance goes"),
            (&[(3.0, 2.0), (0.0, 2.0)], "-", "a run has 0, which has no ratio"),
            (&[(f64::NAN, 2.0)], "-", "a run has 0, which has no ratio"),
            (&[(1e300, 1e-300), (1.0, 1.0)], "-", "the runs have no ratio"),
        ] {
            let expected = Told { ratio: ratio.to_owned(), verdict: why.to_owned() };
            assert_eq!(told(pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_figure_that_a_run_lacks_has_no_pairs() {
        let run = |iops: f64| Figures::of(&sample("a", None, iops)).unwrap();
        let mut sides = [vec![run(2.0), run(3.0)], vec![run(1.0)]];
        let of = |sides: &[Vec<Vec<Figures>>; 2], by| pairs([&sides[0], &sides[1]], 0, by);
        assert_eq!(of(&sides, Measure::Iops), [(2.0, 1.0)], "the last is half a pair");
        sides[1].push(run(1.0));
        assert_eq!(of(&sides, Measure::P99).len(), 2);
        sides[1][0][0].percentiles.clear();
        assert_eq!(of(&sides, Measure::P99), []);
        assert_eq!(pairs([&sides[0], &sides[1]], 1, Measure::Iops), []);
    }

    /// Number of comparisons of so many pairs of runs, from figures to words, that show a
    /// difference: on a host whose speed wanders, with runs that differ by 5 %, and of which some
    /// are disturbed.
    fn shown(seed: u64, count: usize, ratio: f64, disturbed: f64) -> usize {
        let mut rng = Rng::with_seed(seed);
        let normal = |rng: &mut Rng| (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let figures = Figures::of(&sample("a", Some("persistent"), 1.0)).unwrap().remove(0);
        let mut shown = 0;
        for _ in 0..ROUNDS {
            let mut sides = [Vec::new(), Vec::new()];
            let mut host = 1000.0;
            for _ in 0..count {
                host *= (0.03 * normal(&mut rng)).exp();
                for (side, runs) in sides.iter_mut().enumerate() {
                    let noise = (0.05 * normal(&mut rng)).exp();
                    let is_disturbed = rng.f64() < disturbed;
                    let speed = if side == 0 { ratio } else { 1.0 };
                    let iops = host * speed * noise * if is_disturbed { 0.5 } else { 1.0 };
                    runs.push(vec![Figures { iops, ..figures.clone() }]);
                }
            }
            let pairs = pairs([&sides[0], &sides[1]], 0, Measure::Iops);
            let told = Told::of(Measure::Iops, NAMES, &pairs).verdict;
            shown += usize::from(!told.starts_with("no difference shown"));
        }
        shown
    }

    const ROUNDS: usize = 2000;

    #[test]
    fn equal_systems_differ_in_few_comparisons() {
        for (seed, count) in [(1, 2), (2, 4), (3, 6), (4, 8), (5, 10)] {
            for disturbed in [0.0, 0.1] {
                let false_claims = shown(seed, count, 1.0, disturbed);
                assert!(
                    false_claims * 100 <= ROUNDS * 6,
                    "seed {seed}: {false_claims} of {ROUNDS} with {count} pairs, {disturbed}"
                );
            }
        }
    }

    #[test]
    fn a_difference_is_seen_as_often_as_it_is_said() {
        // By this noise a t-test of so many pairs sees these in four of five cases; the signed
        // ranks of six must all agree, which they do in three of five.
        let cases = [(6, 6, 1.106, 60), (7, 8, 1.085, 73), (8, 12, 1.064, 75)];
        for (seed, count, ratio, least) in cases {
            let seen = shown(seed, count, ratio, 0.0);
            assert!(seen * 100 >= ROUNDS * least, "{seen} of {ROUNDS} with {count} pairs");
        }
    }
}
