//! Warnings about jobs that are taken: what was asked for and does not happen, or otherwise.

use crate::error::JobError;
use crate::job::Job;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Jobs of a command line or a job file, and the warnings about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Jobs, in their order; copies (`numjobs=`) are jobs of their own.
    pub jobs: Vec<Job>,
    /// Warnings, in the order in which they were found.
    pub warnings: Vec<Warning>,
}

/// Warning about an option or a job, printed as one line without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Line of the job file, from 1: that of the option, or that which begins the job.
    pub line: Option<usize>,
    /// Thing that the warning is about.
    pub about: About,
}

/// Thing that a warning is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An option cannot change anything here.
    NoEffect(&'static str),
    /// An option does something else than its value says.
    Option {
        /// Name of the option.
        option: &'static str,
        /// Meaning that it has here.
        text: &'static str,
    },
    /// Options of a job together do something else than each says.
    Job {
        /// Name of the job.
        job: String,
        /// Meaning that they have here.
        text: &'static str,
    },
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEffect(option) => write!(f, "{option} has no effect here"),
            Self::Option { option, text } => write!(f, "{option}: {text}"),
            Self::Job { job, text } => write!(f, "job {job}: {text}"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.about),
            None => self.about.fmt(f),
        }
    }
}

/// Returns the warnings in few lines: one for all options without effect, then the others, each
/// once and without its place.
pub fn summary(warnings: &[Warning]) -> Vec<String> {
    let mut options: Vec<&str> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for Warning { about, .. } in warnings {
        match about {
            About::NoEffect(option) if !options.contains(option) => options.push(option),
            About::NoEffect(_) => {}
            about => {
                let text = about.to_string();
                if !others.contains(&text) {
                    others.push(text);
                }
            }
        }
    }
    if !options.is_empty() {
        others.insert(0, format!("taken without effect here: {}", options.join(", ")));
    }
    others
}

/// Collector of warnings while jobs are read.
#[derive(Default)]
pub(crate) struct Warnings {
    list: Vec<Warning>,
    /// Line that is read; `None` on a command line.
    pub(crate) line: Option<usize>,
}

impl Warnings {
    /// Adds a warning about the line that is read.
    pub(crate) fn add(&mut self, about: About) {
        self.list.push(Warning { line: self.line, about });
    }

    /// Adds a warning about a job, which began in `line`.
    pub(crate) fn add_job(&mut self, line: Option<usize>, job: &str, text: &'static str) {
        self.list.push(Warning { line, about: About::Job { job: job.to_owned(), text } });
    }

    pub(crate) fn into_list(self) -> Vec<Warning> {
        self.list
    }
}

/// Returns the jobs alone.
pub(crate) fn jobs_only(checked: Result<Checked, JobError>) -> Result<Vec<Job>, JobError> {
    checked.map(|checked| checked.jobs)
}
