//! Judge of a diff: `--gate`, by medians, or `--fail-if-slower`, by intervals.

use anyhow::{Error, anyhow};

use super::both::Both;
use super::gate::Gate;
use super::slower::Limit;
use crate::measure::Measure;

/// Judge of the figures of B.
#[derive(Debug)]
pub enum Judge<'a> {
    /// Judge by medians.
    Gate(Gate<'a>),
    /// Judge by intervals.
    Limit(Limit<'a>),
}

impl Judge<'_> {
    /// Judges a figure of a job; returns what is to be said about it.
    pub fn judge(&mut self, job: &str, by: Measure, of: &Both) -> String {
        match self {
            Self::Gate(gate) => gate.judge(job, by, of.sides, of.is_same_work).to_owned(),
            Self::Limit(limit) => limit.judge(job, by, of),
        }
    }

    /// Takes note of a job of A that B does not have.
    pub fn miss(&mut self, job: &str) {
        match self {
            Self::Gate(gate) => gate.miss(job),
            Self::Limit(limit) => limit.miss(job),
        }
    }

    /// Returns why B does not pass, if it does not.
    pub fn failure(&self) -> Option<Error> {
        match self {
            Self::Gate(gate) => gate.failure().map(|why| anyhow!(why)),
            Self::Limit(limit) => limit.failure(),
        }
    }

    /// Returns a line for a B that passes, or nothing.
    pub fn passed(&self) -> String {
        match self {
            Self::Gate(gate) => gate.passed(),
            Self::Limit(limit) => limit.passed(),
        }
    }
}
