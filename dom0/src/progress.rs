//! Time that the rest of several runs takes: that of their jobs, and what the runs so far took
//! besides.

use std::time::Duration;

/// Times of the runs.
#[derive(Debug)]
pub struct Progress {
    /// Time of each run's jobs, as far as it is known before.
    expected: Vec<Option<Duration>>,
    done: usize,
    /// Time that those that are done took beyond that.
    beyond: Duration,
}

impl Progress {
    /// Begins with the times of the jobs of all runs.
    pub fn new(expected: impl Iterator<Item = Option<Duration>>) -> Self {
        Self { expected: expected.collect(), done: 0, beyond: Duration::ZERO }
    }

    /// Replaces the times of the jobs of all runs to come.
    pub fn expect(&mut self, rest: impl Iterator<Item = Option<Duration>>) {
        self.expected.truncate(self.done);
        self.expected.extend(rest);
    }

    /// Returns the number of runs that are done.
    pub fn count(&self) -> usize {
        self.done
    }

    /// Takes the time of the next run.
    pub fn done(&mut self, took: Duration) {
        let expected = self.expected.get(self.done).copied().flatten().unwrap_or_default();
        self.beyond += took.saturating_sub(expected);
        self.done += 1;
    }

    /// Returns how long the rest takes, as text; `None` as long as nothing tells.
    pub fn left(&self) -> Option<String> {
        let rest = self.expected.get(self.done..).unwrap_or_default();
        if self.done == 0 && rest.iter().any(Option::is_none) {
            return None;
        }
        let count = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let each = self.beyond.checked_div(u32::try_from(self.done).ok()?).unwrap_or_default();
        let jobs = rest.iter().flatten().fold(Duration::ZERO, |sum, of| sum.saturating_add(*of));
        Some(time(jobs.saturating_add(each.saturating_mul(count))))
    }
}

/// A time in few characters: `12 s`, `4 min`, `3 h 20 min`.
pub fn time(time: Duration) -> String {
    let seconds = time.saturating_add(Duration::from_millis(500)).as_secs();
    match (seconds, seconds.div_ceil(60)) {
        (0..=90, _) => format!("{seconds} s"),
        (_, minutes @ 0..=90) => format!("{minutes} min"),
        (_, minutes) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_each_run_takes_besides_its_jobs_is_learned() {
        let mut progress = Progress::new([10, 20, 30].map(|s| Some(s * SECOND)).into_iter());
        assert_eq!(progress.left().as_deref(), Some("60 s"));
        progress.done(12 * SECOND);
        assert_eq!(progress.left().as_deref(), Some("54 s"));
        progress.done(24 * SECOND);
        assert_eq!(progress.left().as_deref(), Some("33 s"));
        progress.done(30 * SECOND);
        assert_eq!(progress.left().as_deref(), Some("0 s"));
    }

    #[test]
    fn a_time_that_nobody_knows_is_that_of_the_runs_before() {
        let mut progress = Progress::new([None, None, Some(SECOND)].into_iter());
        assert_eq!(progress.left(), None);
        progress.done(5 * SECOND);
        assert_eq!(progress.left().as_deref(), Some("11 s"));
    }

    #[test]
    fn runs_that_are_wanted_later_count() {
        let mut progress = Progress::new([10, 10].map(|s| Some(s * SECOND)).into_iter());
        progress.done(12 * SECOND);
        progress.expect([10, 10, 10].map(|s| Some(s * SECOND)).into_iter());
        assert_eq!(progress.left().as_deref(), Some("36 s"));
    }

    #[test]
    fn times_are_short() {
        for (seconds, text) in
            [(0, "0 s"), (90, "90 s"), (91, "2 min"), (5400, "90 min"), (12_001, "3 h 21 min")]
        {
            assert_eq!(time(Duration::from_secs(seconds)), text);
        }
        assert!(!time(Duration::MAX).is_empty());
    }
}
