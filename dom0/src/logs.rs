//! Logs of a run, in files here.

use std::path::Path;

use anyhow::Result;
use fio_output::{LogFile, log_names};

use crate::output::{GiveUp, Output};
use crate::plan::Plan;
use crate::result::first_error;
use crate::status::eprint_line;

/// The logs that jobs ask for (`write_bw_log=` and so on), as fio in files here.
#[derive(Debug)]
pub struct LogOutputs(Vec<(String, Output)>);

impl LogOutputs {
    /// Opens those that the jobs ask for.
    ///
    /// # Errors
    /// When one of them can't be written.
    pub fn open(plan: &Plan) -> Result<Self> {
        let open = |name: String| Ok((name.clone(), Output::open(Some(Path::new(&name)))?));
        log_names(plan.jobs()).into_iter().map(open).collect::<Result<_>>().map(Self)
    }

    /// Returns whether the jobs ask for none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes all of them that came.
    ///
    /// # Errors
    /// The first of those of writing; the others are told.
    pub fn write(mut self, logs: &[LogFile], give_up: GiveUp<'_>) -> Result<()> {
        let mut done = Ok(());
        for log in logs {
            if let Some(at) = self.0.iter().position(|(name, _)| *name == log.name) {
                let written = self.0.swap_remove(at).1.write_or_print(&log.text, give_up);
                done = first_error(done, written);
            }
            if log.dropped != 0 {
                let what =
                    format!("{}: the guest had no room for {} samples", log.name, log.dropped);
                eprint_line(&format!("ringmark: {what}; raise log_avg_msec= or --memory"));
            }
        }
        done
    }
}
