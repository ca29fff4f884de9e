//! Results of several runs, as they are saved.

use anyhow::{Context, Result};
pub use results::{Saved, SavedRun as Run, System, Variant};

use crate::exit::Exit;
use crate::signals::Interrupts;

/// Passes the end of all runs on: an interruption as one that left a result, if there is any.
///
/// # Errors
/// Those of the runs.
pub fn interrupted(saved: &Saved, done: Result<()>, interrupts: Interrupts) -> Result<()> {
    match done {
        Err(error) if interrupts.count != 0 && !saved.runs.is_empty() => {
            Err(Exit::Interrupted(format!("{error:#}")).into())
        }
        done => done,
    }
}

/// Returns results as they are saved: one line of JSON.
///
/// # Errors
/// A result that is no JSON.
pub fn json(saved: &Saved) -> Result<String> {
    saved.json().context("cannot write the results as JSON")
}
