//! Reasons why jobs are not run with the available disks and memory.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Reason why a run, or a stage of it, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Two VBDs have numbers that stand for one name.
    TwoDisks {
        /// Name of both.
        name: String,
    },
    /// No job names a disk, and there is none to choose.
    NothingToDo {
        /// Names of the disks found, all of them read-only.
        found: Vec<String>,
    },
    /// The guest has too little memory for the disks, the I/Os in flight and the results.
    Memory {
        /// Memory that it has, in MiB.
        has_mib: u64,
        /// Memory that it needs, in MiB; `None` if it is more than a guest can use.
        needs_mib: Option<u64>,
        /// Whether jobs write logs, whose size `log_avg_msec=` decides.
        logs: bool,
    },
    /// The guest may grant too few pages for the disks and the I/Os in flight.
    Grants {
        /// Entries that its grant table may have.
        has: u64,
        /// Entries that it needs.
        needs: u64,
        /// Pages that its grant table needs; `None` if they are more than a guest can use.
        frames: Option<u64>,
    },
    /// A job names a disk that is not there.
    NoDisk {
        /// Name of the disk.
        name: String,
        /// Names of the disks found.
        found: Vec<String>,
    },
    /// A job must share a queue with others, and may not run on their vCPU.
    Apart {
        /// Name of the job.
        job: String,
    },
    /// Jobs that are to end together once they are steady run on several vCPUs.
    SteadyApart {
        /// Name of the first of them.
        job: String,
    },
    /// Jobs that run together ask for different things.
    Conflict(Conflict),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoDisks { name } => {
                write!(f, "two disks are called {name}; give them different names in the configuration")
            }
            Self::NothingToDo { found } if found.is_empty() => f.write_str(
                "this guest has no disk; add disk = [ 'phy:/dev/vg/lv,xvda,w' ] to its configuration",
            ),
            Self::NothingToDo { found } => write!(
                f,
                "no writable disk to measure; to read a read-only one, name it: filename=/dev/{}",
                found.join(":/dev/")
            ),
            Self::Memory { has_mib, needs_mib, logs } => {
                write!(f, "not enough memory: this guest has {has_mib} MiB, and its jobs need ")?;
                match needs_mib {
                    Some(mib) => write!(f, "{mib}; set memory={mib}, or ")?,
                    None => f.write_str("more than any can use; ")?,
                }
                f.write_str("lower iodepth=, bs= or the number of disks")?;
                if *logs { f.write_str(", or raise log_avg_msec=") } else { Ok(()) }
            }
            Self::Grants { has, needs, frames } => {
                write!(f, "not enough grants: this guest has {has}, and its jobs need {needs}; ")?;
                if let Some(frames) = frames {
                    write!(f, "set max_grant_frames={frames}, or ")?;
                }
                f.write_str("lower iodepth=, bs= or the number of disks")
            }
            Self::NoDisk { name, found } => {
                write!(f, "filename=/dev/{name}: no such disk; ")?;
                if found.is_empty() {
                    f.write_str("this guest has none, add a disk= line to its configuration")
                } else {
                    write!(f, "this guest has {}", found.join(", "))
                }
            }
            Self::Apart { job } => write!(
                f,
                "job {job}: cpus_allowed= keeps it from the vCPU that has the queues of its disks; \
                 let the jobs of a disk share a vCPU, or raise ringmark_queues= or the backend's \
                 max_queues"
            ),
            Self::SteadyApart { job } => write!(
                f,
                "job {job}: steadystate= of jobs that are reported together needs all of them on one \
                 vCPU; set cpus_allowed=0, or leave group_reporting out so that each ends by itself"
            ),
            Self::Conflict(conflict) => conflict.fmt(f),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<Conflict> for Refusal {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

/// Conflict between jobs that run together but ask for different settings of a shared resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Shared resource: a disk, such as `xvda`, or the vCPU.
    pub on: String,
    /// Setting that differs, as the end of a sentence about the jobs.
    pub what: &'static str,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { on, what } = self;
        write!(f, "jobs that run together on {on} {what}; separate them with stonewall")
    }
}

impl core::error::Error for Conflict {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_missing_is_told_with_what_suffices() {
        for (refusal, text) in [
            (
                Refusal::Memory { has_mib: 16, needs_mib: Some(21), logs: false },
                "not enough memory: this guest has 16 MiB, and its jobs need 21; set memory=21, or \
                 lower iodepth=, bs= or the number of disks",
            ),
            (
                Refusal::Memory { has_mib: 5000, needs_mib: None, logs: true },
                "not enough memory: this guest has 5000 MiB, and its jobs need more than any \
                 can use; lower iodepth=, bs= or the number of disks, or raise log_avg_msec=",
            ),
            (
                Refusal::Grants { has: 16_376, needs: 20_000, frames: Some(40) },
                "not enough grants: this guest has 16376, and its jobs need 20000; set \
                 max_grant_frames=40, or lower iodepth=, bs= or the number of disks",
            ),
            (
                Refusal::Grants { has: 1, needs: 200_000, frames: None },
                "not enough grants: this guest has 1, and its jobs need 200000; lower iodepth=, \
                 bs= or the number of disks",
            ),
        ] {
            assert_eq!(refusal.to_string(), text);
        }
    }
}
