//! Outcome of a run, and its progress.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use drivers::blkfront::Broken;

use super::time::REQUEST_TIMEOUT_NS;
use fio_job::JobError;
use fio_job::number::NS_PER_SECOND;
use results::{DirectionResult, JobResult};

/// Reason why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// A job does not fit a disk.
    Job(JobError),
    /// A job would write to a disk that is read-only.
    ReadOnly {
        /// Name of the job.
        job: String,
        /// Name of the disk.
        disk: String,
    },
    /// A job would discard on a disk whose backend does not offer it.
    NoDiscard {
        /// Name of the job.
        job: String,
        /// Name of the disk.
        disk: String,
    },
    /// A job would discard securely on a disk whose backend does not offer that.
    NoSecureDiscard {
        /// Name of the job.
        job: String,
        /// Name of the disk.
        disk: String,
    },
    /// A job would flush a disk whose backend does not offer it.
    NoFlush {
        /// Name of the job.
        job: String,
        /// Name of the disk.
        disk: String,
    },
    /// A disk's backend broke the protocol.
    Broken(String, Broken),
    /// A disk's backend has requests in flight and completed none for [`REQUEST_TIMEOUT_NS`].
    Stuck {
        /// Name of the disk.
        disk: String,
        /// Number of requests in flight.
        outstanding: u32,
    },
    /// A disk's backend did not complete some requests for [`REQUEST_TIMEOUT_NS`], though it
    /// completed many others that were issued after them.
    Overdue {
        /// Name of the disk.
        disk: String,
        /// Number of overdue requests.
        overdue: u32,
        /// Number of requests in flight on that queue.
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
            Self::NoDiscard { job, disk } => {
                write!(
                    f,
                    "job {job}: {disk} does not support discard; use rw=write or another disk"
                )
            }
            Self::NoSecureDiscard { job, disk } => write!(
                f,
                "job {job}: {disk} does not support secure discard; remove ringmark_secure_discard"
            ),
            Self::NoFlush { job, disk } => {
                write!(
                    f,
                    "job {job}: {disk} has no cache to flush; remove fsync, fdatasync, sync, \
                     end_fsync and fsync_on_close"
                )
            }
            Self::Broken(disk, broken) => write!(f, "{disk}: {broken}"),
            Self::Stuck { disk, outstanding } => write!(
                f,
                "{disk}: backend completed none of {outstanding} requests for {} s",
                REQUEST_TIMEOUT_NS / NS_PER_SECOND
            ),
            Self::Overdue { disk, overdue, outstanding } => write!(
                f,
                "{disk}: backend did not complete {overdue} of {outstanding} requests for {} s, \
                 though it completed others",
                REQUEST_TIMEOUT_NS / NS_PER_SECOND
            ),
            Self::Abandoned => f.write_str("abandoned with I/Os in flight"),
        }
    }
}

impl core::error::Error for RunError {}

/// Outcome of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Results, one for each job, as far as it got.
    pub results: Vec<JobResult>,
    /// Reason why the run ended early, if it did.
    pub error: Option<RunError>,
    /// Description of the first I/O that failed or whose data was wrong, if any did; otherwise of a
    /// job of which nothing was measured, if there is one.
    pub first_failure: Option<String>,
    /// Whether the jobs of other loops are to end because of a failure: the run ended early, or a
    /// job with `exitall_on_error` failed; or because one with `exitall` ended.
    pub ends_all: bool,
}

/// Progress of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Time since the start of the run, in nanoseconds.
    pub elapsed_ns: u64,
    /// Reads that completed since the start.
    pub read: Moved,
    /// Writes that completed since the start.
    pub written: Moved,
    /// Time that the run will take in all, in nanoseconds, if the jobs determine it.
    pub expected_ns: Option<u64>,
}

impl Progress {
    /// Returns the number of I/Os that completed.
    pub fn ios(&self) -> u64 {
        self.read.ios + self.written.ios
    }
}

/// I/Os that completed in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    /// Number of I/Os.
    pub ios: u64,
    /// Bytes that they moved.
    pub bytes: u64,
}

impl Moved {
    /// Returns the sum of some directions' I/Os.
    pub(super) fn of<'r>(sides: impl Iterator<Item = &'r DirectionResult> + Clone) -> Self {
        Self {
            ios: sides.clone().map(|side| side.ios).sum(),
            bytes: sides.map(|side| side.bytes).sum(),
        }
    }
}

/// Decision of the observer whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Issue no more I/Os, and end when those in flight are done.
    Stop,
    /// End at once: I/Os in flight never end.
    Abandon,
}
