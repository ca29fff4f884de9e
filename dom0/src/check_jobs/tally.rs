//! Count of job files that are taken, and of what refuses the others.

use std::collections::BTreeMap;

use fio_job::JobError;

use crate::display;

/// Counts of job files.
#[derive(Debug, Default)]
pub struct Tally {
    taken: usize,
    /// Reasons to refuse a file: how often, and as it is told the first time.
    blockers: BTreeMap<String, (usize, String)>,
}

impl Tally {
    /// Counts a file that is taken.
    pub fn take(&mut self) {
        self.taken += 1;
    }

    /// Counts a file that is refused for the first thing that is wrong with it.
    pub fn refuse(&mut self, blocker: String, what: &str) {
        let (count, _) = self.blockers.entry(blocker).or_insert_with(|| (0, what.to_owned()));
        *count += 1;
    }

    /// Returns the number of files that are refused.
    pub fn refused(&self) -> usize {
        self.blockers.values().map(|(count, _)| count).sum()
    }

    /// Returns the number of all files.
    pub fn all(&self) -> usize {
        self.taken + self.refused()
    }

    /// Returns the share that is taken and the blockers by their number, as text.
    pub fn text(&self) -> String {
        let (taken, all) = (self.taken, self.all());
        let percent = 100.0 * taken as f64 / all.max(1) as f64;
        let mut text = format!("{taken} of {all} job files are taken ({percent:.1} %)\n");
        let mut ranked: Vec<_> = self.blockers.iter().collect();
        ranked.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (blocker, (count, what)) in ranked {
            text.push_str(&format!("{count:5}  {blocker} | {what}\n"));
        }
        text
    }
}

/// Returns what refuses a job: the option, or what is wrong where that is not one alone.
pub fn blocker(error: &JobError) -> String {
    match error {
        JobError::Line { cause, .. } => blocker(cause),
        JobError::Unsupported { option, .. }
        | JobError::NoValue(option)
        | JobError::Number { option, .. }
        | JobError::Value { option, .. }
        | JobError::Pattern { option, .. } => (*option).to_owned(),
        JobError::Unknown { option, .. } => display::text(option),
        JobError::Conflict { fix, .. } => (*fix).to_owned(),
        error => display::text(&error.to_string()),
    }
}
