//! `--fail-if-slower`: whether B is slower than A by more than a limit, where the runs show it.
//!
//! The interval decides. All of it beyond the limit: slower. Nothing of it beyond: not slower.
//! Else, and where there is no interval, nothing is shown.

use anyhow::{Error, anyhow};
use statistics::samples::Comparison;

use super::both::{Both, figures, named};
use crate::exit::Exit;
use crate::measure::Measure;

/// Share of its distance from the limit that an interval must have so that four of five of its kind
/// leave the limit out: normal quantiles of 97.5 % and 80 %, 1.960 / (1.960 + 0.842).
const SHARE: f64 = 0.7;
/// Most runs of each that are named.
const RUNS_MAX: f64 = 1000.0;

/// Limit, and what was judged by it so far.
#[derive(Debug)]
pub struct Limit<'a> {
    percent: f64,
    by: &'a [Measure],
    judged: usize,
    /// Figures that are slower by more.
    slower: Vec<String>,
    /// Figures of which nothing is shown.
    undecided: Vec<String>,
}

/// Meaning of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    NotSlower,
    Slower,
    /// Nothing; so many runs of each would tell, if any do.
    Nothing(Option<u32>),
}

impl<'a> Limit<'a> {
    /// Creates a limit of so many per cent of A's for these figures.
    pub fn new(percent: f64, by: &'a [Measure]) -> Self {
        Self { percent, by, judged: 0, slower: Vec::new(), undecided: Vec::new() }
    }

    /// Judges a figure of a job; returns what is to be said about it. Figures of different work are
    /// not judged.
    pub fn judge(&mut self, job: &str, by: Measure, of: &Both) -> String {
        if !self.by.contains(&by) {
            return String::new();
        }
        self.judged += 1;
        let why = match (of.sides, &of.ratio) {
            _ if !of.is_same_work => "not the same job",
            ([None, _], _) => "not in A",
            ([_, None], _) => "not in B",
            (_, None) if of.runs < 2 => {
                "one run does not tell unless steady; run both with --repeat 6"
            }
            (_, None) => "0 has no ratio",
            (_, Some(ratio)) => return self.judge_ratio(job, by, ratio, of.runs),
        };
        self.undecided.push(format!("{job}: {}: {why}", by.title()));
        format!("undecided: {why}")
    }

    fn judge_ratio(&mut self, job: &str, by: Measure, ratio: &Comparison, runs: usize) -> String {
        let named = format!("{job}: {} {:.3} .. {:.3}", by.title(), ratio.low, ratio.high);
        match shown(by, ratio, self.percent, runs) {
            Shown::NotSlower => "not slower".to_owned(),
            Shown::Slower => {
                self.slower.push(named);
                "slower".to_owned()
            }
            Shown::Nothing(needed) => {
                let would = match needed {
                    Some(count) if runs < 2 => {
                        format!("runs {count} times as long would tell, or several (--repeat)")
                    }
                    Some(count) => format!("about {count} runs of each would tell"),
                    None => "it is too close to the limit for any number of runs".to_owned(),
                };
                self.undecided.push(format!("{named}, {would}"));
                format!("undecided: {would}")
            }
        }
    }

    /// Takes note of a job of A that B does not have.
    pub fn miss(&mut self, job: &str) {
        self.undecided.push(format!("{job}: only in A"));
    }

    /// Returns the error of a B that is slower, or of which that is not decided.
    pub fn failure(&self) -> Option<Error> {
        let percent = self.percent;
        let slower = (!self.slower.is_empty()).then(|| {
            let (count, of) = (self.slower.len(), self.judged);
            let named = named(&self.slower);
            format!("{count} of {of} figures slower by more than {percent} %: {named}")
        });
        let undecided = (!self.undecided.is_empty()).then(|| {
            let (count, named) = (self.undecided.len(), named(&self.undecided));
            format!("{count} undecided at {percent} %: {named}")
        });
        let is_slower = slower.is_some();
        let why: Vec<String> = slower.into_iter().chain(undecided).collect();
        let text = format!("--fail-if-slower: {}", why.join("; "));
        match why.len() {
            0 if self.judged == 0 => {
                let why = "--fail-if-slower: nothing was judged; the results have no job in common";
                Some(Exit::Undecided(why.to_owned()).into())
            }
            0 => None,
            _ if is_slower => Some(anyhow!(text)),
            _ => Some(Exit::Undecided(text).into()),
        }
    }

    /// Returns a line for a B that is not slower, or nothing.
    pub fn passed(&self) -> String {
        match self.failure() {
            Some(_) => String::new(),
            None => {
                let (judged, percent) = (figures(self.judged), self.percent);
                format!(
                    "fail-if-slower: {judged} judged, none is slower by more than {percent} %\n"
                )
            }
        }
    }
}

/// Returns what the ratio of B to A shows, by so many runs of each.
fn shown(by: Measure, ratio: &Comparison, percent: f64, runs: usize) -> Shown {
    let limit = if by.is_rate() { 1.0 - percent / 100.0 } else { 1.0 + percent / 100.0 };
    // What is at the limit is not beyond it, however it was rounded.
    let limit = if by.is_rate() { limit * (1.0 - 1e-9) } else { limit * (1.0 + 1e-9) };
    let (is_within, is_beyond) = match by.is_rate() {
        true => (ratio.low >= limit, ratio.high < limit),
        false => (ratio.high <= limit, ratio.low > limit),
    };
    match () {
        () if is_within => Shown::NotSlower,
        () if is_beyond => Shown::Slower,
        () => Shown::Nothing(needed(ratio, limit, runs)),
    }
}

/// Returns how many runs of each have an interval so narrow that it leaves the limit out in four of
/// five cases, if the ratio is what it seems: its width goes with the root of their number.
fn needed(ratio: &Comparison, limit: f64, runs: usize) -> Option<u32> {
    let distance = (ratio.ratio.ln() - limit.ln()).abs();
    let half = (ratio.high / ratio.ratio).ln().max((ratio.ratio / ratio.low).ln());
    let times = (half / (SHARE * distance)).powi(2);
    let count = (times * runs as f64).ceil().max(runs as f64 + 1.0);
    (count <= RUNS_MAX).then_some(count as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::Spread;
    use statistics::samples::{Method, compare};

    fn ratio(low: f64, ratio: f64, high: f64) -> Comparison {
        Comparison { ratio, low, high, count: 12, method: Method::RankSum, detectable: 1.1 }
    }

    fn both(ratio: Option<Comparison>) -> Both {
        let side = Spread::of([1.0]);
        Both { sides: [side, side], ratio, runs: 6, is_same_work: true }
    }

    fn code(limit: &Limit<'_>) -> u8 {
        limit.failure().map_or(0, |error| error.downcast_ref().map_or(1, Exit::code))
    }

    #[test]
    fn the_interval_decides_and_not_the_point() {
        for (by, low, point, high, expected) in [
            (Measure::Iops, 0.96, 0.98, 1.0, Some(true)),
            (Measure::Iops, 0.95, 0.98, 1.0, Some(true)),
            (Measure::Iops, 0.85, 0.90, 0.949, Some(false)),
            (Measure::Bw, 0.90, 0.97, 1.05, None),
            (Measure::Iops, 0.85, 0.90, 0.95, None),
            (Measure::Iops, 1.2, 1.3, 1.4, Some(true)),
            (Measure::Clat, 0.9, 1.0, 1.05, Some(true)),
            (Measure::P99, 1.06, 1.1, 1.2, Some(false)),
            (Measure::P99, 1.04, 1.1, 1.2, None),
            (Measure::Clat, 1.0, 1.04, 1.2, None),
            (Measure::Clat, 0.5, 0.6, 0.7, Some(true)),
        ] {
            let found = shown(by, &ratio(low, point, high), 5.0, 6);
            let found = match found {
                Shown::NotSlower => Some(true),
                Shown::Slower => Some(false),
                Shown::Nothing(_) => None,
            };
            assert_eq!(found, expected, "{by:?} {low} .. {high}");
        }
    }

    #[test]
    fn the_runs_that_would_tell_are_named() {
        // Half as wide as its distance: enough already, but for the chance of the next.
        let needed = |low, point, high| needed(&ratio(low, point, high), 0.95, 6);
        assert_eq!(needed(0.9, 1.0, 1.1), Some(52));
        assert_eq!(needed(0.94, 1.0, 1.06), Some(18));
        assert_eq!(needed(0.94, 0.95, 0.96), None);
        assert_eq!(needed(0.5, 0.951, 1.5), None);
        assert_eq!(needed(0.949_999, 0.97, 0.975), Some(13));
        assert_eq!(needed(0.949_999, 0.99, 1.0), Some(13));
    }

    #[test]
    fn what_is_shown_comes_before_what_is_not() {
        let by = [Measure::Iops];
        let [good, bad, open] = [(0.96, 0.99), (0.8, 0.9), (0.9, 1.0)]
            .map(|(low, high): (f64, f64)| both(Some(ratio(low, f64::midpoint(low, high), high))));
        let judge = |all: &[Both]| {
            let mut limit = Limit::new(5.0, &by);
            all.iter().for_each(|of| drop(limit.judge("a", Measure::Iops, of)));
            limit
        };
        assert_eq!(code(&judge(&[good])), 0);
        assert_eq!(code(&judge(&[good, open])), 6);
        assert_eq!(code(&judge(&[good, open, bad])), 1);
        assert_eq!(code(&judge(&[])), 6, "nothing was judged");
        let mut missed = judge(&[good]);
        missed.miss("b");
        assert_eq!(code(&missed), 6);
        let passed = "fail-if-slower: 2 figures judged, none is slower by more than 5 %\n";
        assert_eq!(
            (judge(&[good, good]).passed(), judge(&[open]).passed()),
            (passed.into(), "".into())
        );
        let failure = judge(&[bad, open]).failure().unwrap().to_string();
        let expected = "--fail-if-slower: 1 of 2 figures slower by more than 5 %: a: IOPS 0.800 .. \
                        0.900; 1 undecided at 5 %: a: IOPS 0.900 .. 1.000, it is too close to the \
                        limit for any number of runs";
        assert_eq!(failure, expected);
    }

    #[test]
    fn without_an_interval_nothing_is_shown() {
        let by = [Measure::Iops];
        let none = both(None);
        for (of, told) in [
            (
                Both { runs: 1, ..none },
                "one run does not tell unless steady; run both with --repeat 6",
            ),
            (none, "0 has no ratio"),
            (Both { is_same_work: false, ..both(Some(ratio(0.9, 1.0, 1.1))) }, "not the same job"),
            (Both { sides: [None, Spread::of([1.0])], ..none }, "not in A"),
            (Both { sides: [Spread::of([1.0]), None], ..none }, "not in B"),
        ] {
            let mut limit = Limit::new(5.0, &by);
            assert_eq!(limit.judge("a", Measure::Iops, &of), format!("undecided: {told}"));
            assert_eq!(limit.judge("a", Measure::P99, &of), "", "it was not asked for");
            assert_eq!(code(&limit), 6);
        }
    }

    /// A true difference at the limit is told to be beyond or within in few cases, and equal
    /// systems are not slower.
    #[test]
    fn few_are_told_what_is_not_so() {
        let mut rng = fastrand::Rng::with_seed(17);
        let mut normal = || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let mut sample =
            |mean: f64| -> Vec<f64> { (0..8).map(|_| mean * (0.05 * normal()).exp()).collect() };
        let (mut wrong, mut slower, rounds) = (0, 0, 4000);
        for _ in 0..rounds {
            let at_limit = compare(&sample(95.0), &sample(100.0)).unwrap();
            let found = shown(Measure::Iops, &at_limit, 5.0, 8);
            wrong += usize::from(!matches!(found, Shown::Nothing(_)));
            let equal = compare(&sample(100.0), &sample(100.0)).unwrap();
            slower += usize::from(shown(Measure::Iops, &equal, 5.0, 8) == Shown::Slower);
        }
        assert!(wrong <= rounds * 55 / 1000, "{wrong} of {rounds}");
        assert!(slower <= rounds / 500, "{slower} of {rounds}");
    }
}
