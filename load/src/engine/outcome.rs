//! What a run came to, and how far it is.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use drivers::blkfront::Broken;

use super::time::REQUEST_TIMEOUT_NS;
use fio_job::JobError;
use fio_job::number::{Bytes, NS_PER_SECOND};
use results::JobResult;

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// A job does not fit a disk.
    Job(JobError),
    /// A job would write to a disk that is read-only.
    ReadOnly {
        /// The job.
        job: String,
        /// The disk.
        disk: String,
    },
    /// A job's blocks are more than a disk's backend takes in one request.
    BlockTooLarge {
        /// The job.
        job: String,
        /// Its block, in bytes.
        bs_bytes: u32,
        /// The disk.
        disk: String,
        /// What its backend takes, in bytes.
        most_bytes: u32,
    },
    /// A job would discard on a disk whose backend does not offer it.
    NoDiscard {
        /// The job.
        job: String,
        /// The disk.
        disk: String,
    },
    /// A job would flush a disk whose backend does not offer it.
    NoFlush {
        /// The job.
        job: String,
        /// The disk.
        disk: String,
    },
    /// A disk's backend broke the protocol.
    Broken(String, Broken),
    /// A disk's backend owes requests and completed none for [`REQUEST_TIMEOUT_NS`].
    Stuck {
        /// The disk.
        disk: String,
        /// Requests that it owes.
        outstanding: u32,
    },
    /// A disk's backend did not complete some requests for [`REQUEST_TIMEOUT_NS`], though it
    /// completed many others that were put after them.
    Overdue {
        /// The disk.
        disk: String,
        /// Requests that are late.
        overdue: u32,
        /// Requests that it owes on that queue.
        outstanding: u32,
    },
    /// The observer gave the run up ([`Control::Abandon`]).
    Abandoned,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(error) => error.fmt(f),
            Self::ReadOnly { job, disk } => write!(
                f,
                "job {job} writes, but {disk} is read-only; attach it with mode w or use rw=read"
            ),
            Self::BlockTooLarge { job, bs_bytes, disk, most_bytes } => write!(
                f,
                "job {job}: bs={} is more than the backend of {disk} takes in one request; use at \
                 most bs={}",
                Bytes((*bs_bytes).into()),
                Bytes((*most_bytes).into())
            ),
            Self::NoDiscard { job, disk } => {
                write!(f, "job {job}: {disk} does not discard; use rw=write or another disk")
            }
            Self::NoFlush { job, disk } => {
                write!(f, "job {job}: {disk} has no cache to flush; leave fsync and fdatasync out")
            }
            Self::Broken(disk, broken) => write!(f, "{disk}: {broken}"),
            Self::Stuck { disk, outstanding } => write!(
                f,
                "{disk}: backend completed none of {outstanding} requests for {} s",
                REQUEST_TIMEOUT_NS / NS_PER_SECOND
            ),
            Self::Overdue { disk, overdue, outstanding } => write!(
                f,
                "{disk}: backend left {overdue} of {outstanding} requests out for {} s while it \
                 completed others",
                REQUEST_TIMEOUT_NS / NS_PER_SECOND
            ),
            Self::Abandoned => f.write_str("given up, with I/Os in flight"),
        }
    }
}

impl core::error::Error for RunError {}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// One for each job, as far as it got.
    pub results: Vec<JobResult>,
    /// Why the run ended early, if it did.
    pub error: Option<RunError>,
    /// The first I/O that failed or whose data was wrong, if any did; otherwise a job of which
    /// nothing was measured, if there is one.
    pub first_failure: Option<String>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Since the start of the run.
    pub elapsed_ns: u64,
    /// What was read since the start.
    pub read: Moved,
    /// What was written since the start.
    pub written: Moved,
    /// How long the run will take in all, where jobs say.
    pub expected_ns: Option<u64>,
}

/// I/Os that completed in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    /// How many.
    pub ios: u64,
    /// What they moved.
    pub bytes: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Put no more I/Os, and end when those in flight are done.
    Stop,
    /// End at once: those in flight never end.
    Abandon,
}
