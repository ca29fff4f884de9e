//! Errors of a VBD: at connect, of one request, of the whole device.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use protocols::ring::Overrun;
use xen_abi::xenbus::XenbusState;
use xen_abi::{Errno, PAGE_SIZE};

use crate::grant::TableFull;
use crate::xenstore;

/// Longest time for each step of the backend, in nanoseconds.
pub(super) const STEP_TIMEOUT_NS: u64 = 20_000_000_000;

/// Reason why a VBD could not be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// xenstore failed at this path.
    Xenstore(String, xenstore::Error),
    /// A node has a value that is not allowed.
    BadNode {
        /// Path of the node.
        path: String,
        /// Value of the node.
        value: String,
        /// Description of the values that are allowed.
        expected: &'static str,
    },
    /// The backend stayed in this state.
    Stuck {
        /// State of the backend.
        state: XenbusState,
        /// State that was waited for.
        wanted: XenbusState,
    },
    /// The backend went away; its last state.
    Gone(XenbusState),
    /// The backend domain could not set the disk up; its message, which may be empty.
    Hotplug(String),
    /// The CD drive is empty.
    NoMedium,
    /// The backend offers other queues, rings or segments than those that were planned with.
    OfferChanged,
    /// Too few pages are left.
    OutOfPages {
        /// Pages that the device needs.
        needed: usize,
    },
    /// No grant is left.
    Grants(TableFull),
    /// Xen gave no event channel.
    EventChannel(Errno),
    /// An error after which the backend kept pages mapped; they are never used again.
    Kept {
        /// Error of the connect.
        error: Box<Self>,
        /// Number of pages.
        quarantined_pages: u32,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xenstore(path, error) if error.is_not_found() => {
                write!(f, "{path} is missing; check the backend")
            }
            Self::Xenstore(path, error) => write!(f, "{path}: {error}"),
            Self::BadNode { path, value, expected } => {
                write!(f, "{path} is {value:?}, expected {expected}; check the backend")
            }
            Self::Stuck { state, wanted } => write!(
                f,
                "backend stayed {state} for {} s, expected {wanted}; is its driver loaded in the \
                 backend domain?",
                STEP_TIMEOUT_NS / 1_000_000_000
            ),
            Self::Gone(state) => write!(f, "backend went away (state {state})"),
            Self::Hotplug(why) if why.is_empty() => {
                f.write_str("the backend domain could not set the disk up; see its hotplug log")
            }
            Self::Hotplug(why) => {
                write!(f, "the backend domain could not set the disk up: {}", why.escape_debug())
            }
            Self::NoMedium => f.write_str("the CD drive is empty; insert a medium or leave it out"),
            Self::OfferChanged => f.write_str(
                "the backend changed what it offers since the run was planned; run it again",
            ),
            Self::OutOfPages { needed } => write!(
                f,
                "out of memory: the disk's buffers need {} KiB; raise memory= by {} MiB or lower \
                 iodepth or bs",
                needed * PAGE_SIZE / 1024,
                // An eighth of what is added becomes heap.
                (needed * PAGE_SIZE).div_ceil(7 << 20) * 8
            ),
            Self::Grants(full) => full.fmt(f),
            Self::EventChannel(errno) => write!(f, "no event channel: {errno}"),
            Self::Kept { error, quarantined_pages } => {
                write!(f, "{error}; the backend kept {quarantined_pages} pages mapped")
            }
        }
    }
}

impl core::error::Error for ConnectError {}

/// Reason why one request failed; the device goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoError {
    /// The backend does not support this operation.
    NotSupported,
    /// The backend failed the request; the status of its response.
    Failed(i16),
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str("operation not supported by the backend"),
            Self::Failed(status) => write!(f, "backend failed the request (status {status})"),
        }
    }
}

/// Reason why the device can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// More responses than requests.
    Overrun(Overrun),
    /// A response with an id that is not in flight.
    ForeignId(u64),
    /// A response of another operation than its request.
    ForeignOperation {
        /// Operation of the request.
        expected: u8,
        /// Operation of the response.
        found: u8,
    },
    /// A grant that the backend kept mapped although it must not.
    StillMapped,
    /// The event channel is gone.
    EventChannel(Errno),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overrun(overrun) => write!(f, "backend broke the ring: {overrun}"),
            Self::ForeignId(id) => {
                write!(f, "backend responded to id {id:#x}, which is not in flight")
            }
            Self::ForeignOperation { expected, found } => {
                write!(f, "backend responded to operation {expected} with operation {found}")
            }
            Self::StillMapped => f.write_str("backend kept a page mapped after its request"),
            Self::EventChannel(errno) => write!(f, "event channel can't be used: {errno}"),
        }
    }
}

impl core::error::Error for Broken {}
