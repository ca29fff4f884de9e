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
    /// The results would not fit into memory.
    Memory {
        /// Number of jobs.
        jobs: usize,
        /// Heap that their results need, in KiB.
        need_kib: usize,
        /// Size of the heap, in KiB.
        heap_kib: usize,
        /// Whether jobs write logs, whose size `log_avg_msec=` decides.
        logs: bool,
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
            Self::Memory { jobs, need_kib, heap_kib, logs } => write!(
                f,
                "the results of {jobs} jobs need {need_kib} KiB of heap, and this guest has {heap_kib} KiB; \
                 raise memory= or {}",
                if *logs { "log_avg_msec=" } else { "name fewer disks with filename=" }
            ),
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
