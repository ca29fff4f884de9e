//! `--grant-locks`: designs of grant tables by processors, as tables, JSON and plots.

use anyhow::Result;
use projection::grants::{GrantLocks, LockCheck, grant_locks_text};
use serde::Serialize;

use super::{Form, Project, json};
use crate::report;

/// Outcome as JSON.
#[derive(Serialize)]
struct Both<'a> {
    curves: &'a GrantLocks,
    check: &'a LockCheck,
}

impl Project {
    /// Returns what is printed of the designs, and writes their plots if a file is named.
    pub(super) fn grant_locks(&self, cpus: u32) -> Result<String> {
        let costs = self.costs()?;
        if let Some(path) = &self.report {
            report::check_destination(path)?;
        }
        let locks = GrantLocks::new(&costs, cpus, self.sockets, self.seed)?;
        let check = LockCheck::new(&costs, self.seed);
        if let Some(path) = &self.report {
            report::write_locks(path, &locks, &check)?;
        }
        match self.format {
            Form::Text => Ok(grant_locks_text(&costs, &locks, &check)),
            Form::Json => json(&Both { curves: &locks, check: &check }),
        }
    }
}
