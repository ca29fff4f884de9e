//! Errors of requests.

use alloc::string::String;
use core::fmt;

use protocols::byte_ring::Overrun;

/// Longest time for one request, or for all of
/// [`in_time`](super::Xenstore::in_time), in nanoseconds.
pub(super) const REQUEST_TIMEOUT_NS: u64 = 10_000_000_000;

/// Reason why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// xenstored refused it; the name of an errno, such as `ENOENT` or `EACCES`.
    Refused(String),
    /// A path or value that the protocol can't carry.
    TooLong,
    /// A reply that does not fit the request.
    Malformed(&'static str),
    /// No reply within the time limit.
    Timeout,
    /// The stream itself is broken, for good.
    Broken(&'static str),
}

impl Error {
    /// Returns whether xenstored reported that there is no such node.
    pub fn is_not_found(&self) -> bool {
        self.is_refused("ENOENT")
    }

    /// Returns whether there may be no such node: below a directory that this domain may not read,
    /// a missing node is refused with `EACCES`.
    pub fn is_out_of_sight(&self) -> bool {
        self.is_not_found() || self.is_refused("EACCES")
    }

    pub(super) fn is_refused(&self, with: &str) -> bool {
        matches!(self, Self::Refused(errno) if errno == with)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => write!(f, "xenstore refused: {}", errno.escape_debug()),
            Self::TooLong => f.write_str("path or value is too long for xenstore"),
            Self::Malformed(what) => write!(f, "xenstore reply is malformed: {what}"),
            Self::Timeout => {
                write!(f, "xenstore did not reply within {} s", REQUEST_TIMEOUT_NS / 1_000_000_000)
            }
            Self::Broken(what) => write!(f, "xenstore connection is broken: {what}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Overrun> for Error {
    fn from(_: Overrun) -> Self {
        Self::Broken("ring indices are absurd")
    }
}
