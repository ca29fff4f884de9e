//! The block frontend (io/blkif.h).
//!
//! [`Blkfront::connect`] makes a [`QueuePair`] out of a VBD that the tool stack announced in
//! xenstore; [`Blkfront::disconnect`] gives everything back. Between the two, only the queue pair
//! is used. One ring page, one queue, direct requests of up to 11 segments.

pub mod handshake;
pub mod queue;
pub mod vdev;

use core::fmt;

pub use handshake::{Blkfront, ConnectError, Disconnected};
pub use queue::{Broken, Completion, Counters, IoError, Operation, QueuePair, Slot};
pub use vdev::Vdev;

/// How data pages are granted to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantMode {
    /// Granted once at connect; the caller works in the granted pages. No grant, no copy.
    Persistent,
    /// Granted once at connect; data is copied between the granted pages and private ones, as in
    /// the first persistent-grant frontends of 2012.
    PersistentCopy,
    /// Granted and revoked for each request, and `feature-persistent` is not offered.
    PerRequest,
}

impl GrantMode {
    /// All modes, in the order in which they are compared.
    pub const ALL: [Self; 3] = [Self::Persistent, Self::PersistentCopy, Self::PerRequest];

    /// Whether pages stay granted between requests.
    pub const fn is_persistent(self) -> bool {
        !matches!(self, Self::PerRequest)
    }

    /// As it is spelled in options and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::PersistentCopy => "persistent-copy",
            Self::PerRequest => "per-request",
        }
    }
}

impl fmt::Display for GrantMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the frontend sets up for a VBD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How data pages are granted.
    pub grants: GrantMode,
    /// Requests that can be in flight at once, 1 to [`crate::ring::ENTRIES`].
    pub slots: u32,
    /// Pages of each request, 1 to [`xen_abi::blkif::MAX_SEGMENTS`].
    pub pages_per_slot: usize,
}

impl Setup {
    /// Pages of each slot that only the caller sees.
    const fn private_pages_per_slot(&self) -> usize {
        match self.grants {
            GrantMode::PersistentCopy => self.pages_per_slot,
            GrantMode::Persistent | GrantMode::PerRequest => 0,
        }
    }
}

/// What the backend says of the disk, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskInfo {
    /// Capacity in units of 512 bytes.
    pub sectors: u64,
    /// Smallest unit of I/O in bytes: a power of two, 512 to 4096.
    pub logical_sector_bytes: u32,
    /// Writes are refused, as on every CD-ROM.
    pub read_only: bool,
    /// A CD-ROM.
    pub cdrom: bool,
    /// Flushes are understood.
    pub flush: bool,
    /// The backend keeps grants mapped.
    pub persistent: bool,
}

impl DiskInfo {
    /// Capacity in bytes.
    pub const fn bytes(&self) -> u64 {
        self.sectors * xen_abi::blkif::SECTOR_SIZE as u64
    }
}
