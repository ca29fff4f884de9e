//! Gate: how much worse than A a figure of B may be.

use results::Spread;

use super::both::{figures, named};
use crate::measure::Measure;

/// Gate, and what it has judged so far.
#[derive(Debug)]
pub struct Gate<'a> {
    percent: f64,
    by: &'a [Measure],
    judged: usize,
    /// Figures that are worse than it allows.
    worse: Vec<String>,
    /// Figures that it cannot judge.
    unjudged: Vec<String>,
}

impl<'a> Gate<'a> {
    /// Creates a gate that allows these figures to be worse by so many per cent of A's.
    pub fn new(percent: f64, by: &'a [Measure]) -> Self {
        Self { percent, by, judged: 0, worse: Vec::new(), unjudged: Vec::new() }
    }

    /// Judges a figure of a job by its medians; returns what is to be said about it. Figures of
    /// different work are not judged.
    pub fn judge(
        &mut self,
        job: &str,
        by: Measure,
        sides: [Option<Spread>; 2],
        is_same_work: bool,
    ) -> &'static str {
        if !self.by.contains(&by) {
            return "";
        }
        let (a, b) = match sides {
            _ if !is_same_work => return self.pass_over(job, by, "not the same job"),
            [Some(a), Some(b)] if a.median > 0.0 => (a, b),
            [Some(_), Some(_)] => return self.pass_over(job, by, "0 in A"),
            [None, _] => return self.pass_over(job, by, "not in A"),
            [_, None] => return self.pass_over(job, by, "not in B"),
        };
        self.judged += 1;
        if !by.is_worse(a.median, b.median, self.percent) {
            return "";
        }
        let ratio = b.median / a.median;
        self.worse.push(format!("{job}: {} {ratio:.3}", by.title()));
        if a.least <= b.greatest && b.least <= a.greatest {
            "worse, but runs overlap"
        } else {
            "worse"
        }
    }

    fn pass_over(&mut self, job: &str, by: Measure, why: &str) -> &'static str {
        self.unjudged.push(format!("{job}: {}: {why}", by.title()));
        "not judged"
    }

    /// Takes note of a job of A that B does not have.
    pub fn miss(&mut self, job: &str) {
        self.unjudged.push(format!("{job}: only in A"));
    }

    /// Returns why B does not pass, if it does not. A gate that cannot judge lets nothing pass.
    pub fn failure(&self) -> Option<String> {
        let percent = self.percent;
        let worse = (!self.worse.is_empty()).then(|| {
            let (count, of, named) = (self.worse.len(), self.judged, named(&self.worse));
            format!("{count} of {of} figures worse by more than {percent} %: {named}")
        });
        let unjudged = (!self.unjudged.is_empty()).then(|| {
            let (count, named) = (self.unjudged.len(), named(&self.unjudged));
            format!("{count} cannot be judged: {named}")
        });
        let why: Vec<String> = worse.into_iter().chain(unjudged).collect();
        (!why.is_empty()).then(|| format!("--gate: {}", why.join("; ")))
    }

    /// Returns a line for a B that passes, or nothing.
    pub fn passed(&self) -> String {
        match self.failure() {
            Some(_) => String::new(),
            None => {
                let percent = self.percent;
                let judged = figures(self.judged);
                format!("gate: {judged} judged, none is worse by more than {percent} %\n")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Option<Spread> {
        Spread::of(values.iter().copied())
    }

    #[test]
    fn medians_decide_and_an_overlap_is_said() {
        let mut gate = Gate::new(5.0, &[Measure::Iops]);
        let a = [100.0, 90.0, 110.0];
        for (b, said) in [
            (&[95.0, 94.0, 96.0][..], ""),
            (&[94.0], "worse, but runs overlap"),
            (&[80.0, 60.0, 91.0], "worse, but runs overlap"),
            (&[80.0, 60.0, 89.0], "worse"),
            (&[200.0], ""),
        ] {
            assert_eq!(
                gate.judge("a", Measure::Iops, [spread(&a), spread(b)], true),
                said,
                "{b:?}"
            );
        }
        let expected = "--gate: 3 of 5 figures worse by more than 5 %: \
                        a: IOPS 0.940; a: IOPS 0.800; a: IOPS 0.800";
        assert_eq!(gate.failure().as_deref(), Some(expected));
        assert_eq!(gate.passed(), "");
    }

    #[test]
    fn figures_that_were_not_asked_for_are_not_judged() {
        let mut gate = Gate::new(0.0, &[Measure::P99]);
        let [more, less] = [2.0, 1.0].map(|value| spread(&[value]));
        assert_eq!(gate.judge("a", Measure::Iops, [more, less], true), "");
        assert_eq!(gate.judge("a", Measure::P99, [more, less], true), "");
        assert_eq!(gate.failure(), None);
        assert_eq!(gate.passed(), "gate: 1 figure judged, none is worse by more than 0 %\n");
    }

    #[test]
    fn nothing_passes_unjudged() {
        let one = spread(&[1.0]);
        for (sides, is_same_work, why) in [
            ([one, one], false, "not the same job"),
            ([None, one], true, "not in A"),
            ([one, None], true, "not in B"),
            ([None, None], true, "not in A"),
            ([spread(&[0.0]), one], true, "0 in A"),
        ] {
            let mut gate = Gate::new(5.0, &[Measure::P99]);
            assert_eq!(gate.judge("a", Measure::P99, sides, is_same_work), "not judged");
            let expected = format!("--gate: 1 cannot be judged: a: 99 % within, us: {why}");
            assert_eq!(gate.failure(), Some(expected));
        }
        let mut gate = Gate::new(5.0, &[Measure::P99]);
        (1..=7).for_each(|number| gate.miss(&format!("job {number}")));
        let failure = gate.failure().unwrap();
        assert!(failure.starts_with("--gate: 7 cannot be judged: job 1: only in A; "), "{failure}");
        assert!(failure.ends_with("job 5: only in A; and 2 more"), "{failure}");
    }
}
