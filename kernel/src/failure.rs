//! Why a run has no result, or not the whole of it.

use alloc::string::String;
use core::fmt;

use drivers::blkfront::ConnectError;
use drivers::xenstore;
use fio_job::JobError;
use load::engine::RunError;
use load::plan::Refusal;
use xen_abi::Errno;
use xen_abi::xenbus::XenbusState;

use crate::smp::VcpuError;

/// Why there is no result, or not the whole of it.
#[derive(Debug)]
pub enum Failure {
    /// The options make no sense.
    Options(JobError),
    /// xenstore can't be used.
    Xenstore(xenstore::Error),
    /// The jobs do not fit the disks or the memory that there are, or each other.
    Refused(Refusal),
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
    /// A vCPU can't be used.
    Vcpu(VcpuError),
    /// The events of a disk's queues can't be directed to the vCPU that uses them.
    Events(String, Errno),
    /// Somebody asked the guest to end.
    Stopped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => error.fmt(f),
            Self::Xenstore(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
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
            Self::Vcpu(error) => error.fmt(f),
            Self::Events(disk, errno) => write!(
                f,
                "{disk}: its events can't go to the vCPU that uses it: {errno}; ringmark_bind=0 or one \
                 vCPU needs none of that"
            ),
            Self::Stopped => f.write_str("stopped before the end, as asked"),
        }
    }
}

impl From<xenstore::Error> for Failure {
    fn from(error: xenstore::Error) -> Self {
        Self::Xenstore(error)
    }
}

impl From<VcpuError> for Failure {
    fn from(error: VcpuError) -> Self {
        Self::Vcpu(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
