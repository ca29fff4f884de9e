//! Why a run has no result, or not the whole of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use drivers::blkfront::ConnectError;
use drivers::xenstore;
use fio_job::JobError;
use load::engine::RunError;
use load::plan::Conflict;
use xen_abi::xenbus::XenbusState;

/// Why there is no result, or not the whole of it.
#[derive(Debug)]
pub enum Failure {
    /// The options make no sense.
    Options(JobError),
    /// xenstore can't be used.
    Xenstore(xenstore::Error),
    /// A job names a disk that is not there.
    NoDisk {
        /// What was named.
        name: String,
        /// What there is.
        found: Vec<String>,
    },
    /// No job names a disk, and there is none to choose.
    NothingToDo {
        /// What there is, all of it read-only.
        found: Vec<String>,
    },
    /// Jobs that run together ask for different things of one disk.
    Conflict(Conflict),
    /// Two VBDs have numbers that stand for one name.
    TwoDisks {
        /// The name.
        name: String,
    },
    /// The results would not fit into memory.
    Memory {
        /// Jobs asked for.
        jobs: usize,
        /// Heap that their results need, in KiB.
        need_kib: usize,
        /// Heap that there is, in KiB.
        heap_kib: usize,
        /// Jobs write logs, whose size `log_avg_msec=` decides.
        logs: bool,
    },
    /// A disk's backend closed or vanished while a job used it.
    BackendGone(String, XenbusState),
    /// A disk can't be connected.
    Connect(String, ConnectError),
    /// A file system on this disk can't be used.
    Files(String, String),
    /// The run ended early.
    Run(RunError),
    /// A backend was given up, which was in this state then.
    Silent(RunError, XenbusState),
    /// An I/O failed, or its data was wrong.
    Io(String),
    /// Somebody asked the guest to end.
    Stopped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => error.fmt(f),
            Self::Xenstore(error) => error.fmt(f),
            Self::NoDisk { name, found } => {
                write!(f, "filename=/dev/{name}: no such disk; ")?;
                if found.is_empty() {
                    f.write_str("this guest has none, add a disk= line to its configuration")
                } else {
                    write!(f, "this guest has {}", found.join(", "))
                }
            }
            Self::NothingToDo { found } if found.is_empty() => f.write_str(
                "this guest has no disk; add disk = [ 'phy:/dev/vg/lv,xvda,w' ] to its configuration",
            ),
            Self::NothingToDo { found } => write!(
                f,
                "no writable disk to measure; to read a read-only one, name it: filename=/dev/{}",
                found.join(":/dev/")
            ),
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::TwoDisks { name } => {
                write!(f, "two disks are called {name}; give them different names in the configuration")
            }
            Self::Memory { jobs, need_kib, heap_kib, logs } => write!(
                f,
                "the results of {jobs} jobs need {need_kib} KiB of heap, and this guest has {heap_kib} KiB; \
                 raise memory= or {}",
                if *logs { "log_avg_msec=" } else { "name fewer disks with filename=" }
            ),
            Self::BackendGone(disk, state) => write!(
                f,
                "{disk}: its backend went away (state {state}); the requests in flight are lost; see \
                 the log of the backend's domain"
            ),
            Self::Connect(disk, error) => write!(f, "{disk}: {error}"),
            Self::Files(disk, error) => write!(f, "{disk}: {error}"),
            Self::Run(error) => error.fmt(f),
            Self::Silent(error, state) => {
                write!(f, "{error}, in state {state}; is its driver still bound to the disk?")
            }
            Self::Io(what) => f.write_str(what),
            Self::Stopped => f.write_str("stopped before the end, as asked"),
        }
    }
}

impl From<xenstore::Error> for Failure {
    fn from(error: xenstore::Error) -> Self {
        Self::Xenstore(error)
    }
}
