//! Operations that an I/O of 4 KiB takes: by the protocol, or as a result has counted.

use std::fmt;

use results::{JobReport, Report};

use crate::setup::System;

/// Block size of all that is projected, in bytes.
pub const BLOCK_BYTES: u64 = 4096;
/// Most operations for an I/O that are believed: each page may be one.
const EACH_MAX: f64 = 16.0;

/// Operations of an I/O.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operations {
    /// Requests on the ring.
    pub requests: f64,
    /// Pages granted and revoked, mapped and unmapped.
    pub grants: f64,
    /// Pages copied by the frontend.
    pub copies: f64,
}

/// Reason why a result says nothing about operations.
#[derive(Clone, Debug, PartialEq)]
pub enum MeasuredError {
    /// No job has blocks of 4 KiB, reads or writes without trims, and counters.
    NoJob,
    /// Counters that no such job can have: more than 16 operations for an I/O, or no request.
    Absurd(&'static str),
}

impl Operations {
    /// Returns what the protocol asks of a system.
    pub const fn of(system: System) -> Self {
        let (grants, copies) = match system {
            System::Persistent => (0.0, 0.0),
            System::PersistentCopy | System::Linux => (0.0, 1.0),
            System::PerRequest | System::LinuxPerRequest => (1.0, 0.0),
        };
        Self { requests: 1.0, grants, copies }
    }

    /// Returns what a result of ringmark counted, for each of its grant modes that has a job of
    /// 4 KiB blocks with counters, and no trims, which grant nothing and count as I/Os.
    ///
    /// # Errors
    /// [`MeasuredError`].
    pub fn measured(report: &Report) -> Result<Vec<(System, Self)>, MeasuredError> {
        let mut found: Vec<(System, Self)> = Vec::new();
        for job in &report.jobs {
            if let Some((system, operations)) = of_job(report, job)?
                && found.iter().all(|(other, _)| *other != system)
            {
                found.push((system, operations));
            }
        }
        if found.is_empty() { Err(MeasuredError::NoJob) } else { Ok(found) }
    }
}

fn of_job(report: &Report, job: &JobReport) -> Result<Option<(System, Operations)>, MeasuredError> {
    let block = report.option(job, &["bs", "blocksize"]).unwrap_or("4k").to_ascii_lowercase();
    let Some(extra) = &job.ringmark else { return Ok(None) };
    let modes = [System::Persistent, System::PersistentCopy, System::PerRequest];
    let system = modes.into_iter().find(|mode| mode.name() == extra.grants);
    let ios = job.sides().iter().fold(0_u64, |sum, (_, side)| sum.saturating_add(side.total_ios));
    let counts = (extra.requests, extra.grants_made, extra.copies_made);
    let (Some(system), (Some(requests), Some(grants), Some(copies))) = (system, counts) else {
        return Ok(None);
    };
    // Counters do not tell a trim, which has no pages, from a read or a write.
    if ios == 0
        || job.trim.total_ios != 0
        || !matches!(block.as_str(), "4k" | "4ki" | "4kib" | "4096")
    {
        return Ok(None);
    }
    let each = |count: u64| count as f64 / ios as f64;
    let operations =
        Operations { requests: each(requests), grants: each(grants), copies: each(copies) };
    if !(0.5..=EACH_MAX).contains(&operations.requests) {
        return Err(MeasuredError::Absurd("requests"));
    }
    let all = [("grants made", operations.grants), ("copies", operations.copies)];
    match all.iter().find(|(_, each)| *each > EACH_MAX) {
        Some((name, _)) => Err(MeasuredError::Absurd(name)),
        None => Ok(Some((system, operations))),
    }
}

impl fmt::Display for MeasuredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJob => f.write_str(
                "no job of ringmark in it has bs=4k, reads or writes without trims, and counters \
                 of requests, grants and copies; run one with bs=4k on a disk of its own",
            ),
            Self::Absurd(what) => {
                write!(f, "its number of {what} for each I/O is none that a job of 4 KiB can have")
            }
        }
    }
}

impl std::error::Error for MeasuredError {}
