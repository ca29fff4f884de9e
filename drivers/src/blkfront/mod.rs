//! The block frontend (io/blkif.h).
//!
//! [`Blkfront::connect`] makes a [`QueuePair`] out of a VBD that the tool stack announced in
//! xenstore; [`Blkfront::disconnect`] gives everything back. Between the two, only the queue pair
//! is used. One queue.

mod error;
pub mod handshake;
mod paths;
pub mod queue;
mod resources;
mod slot;
mod storm;
pub mod vdev;

use core::fmt;

use xen_abi::blkif::{MAX_SEGMENTS, SECTOR_SIZE, SEGMENTS_PER_INDIRECT_PAGE};

use crate::ring;

pub use error::{Broken, ConnectError, IoError};
pub use handshake::{Blkfront, Disconnected};
pub use queue::{Completion, Counters, QueuePair};
pub use slot::{Operation, Slot};
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

/// Most pages of one request: 1 MiB, what Linux's backend takes. Their segments fit one page.
pub const PAGES_PER_SLOT_MAX: usize = 256;

const _: () = assert!(PAGES_PER_SLOT_MAX <= SEGMENTS_PER_INDIRECT_PAGE);

/// What the frontend sets up for a VBD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How data pages are granted.
    pub grants: GrantMode,
    /// Requests that can be in flight at once, 1 to [`ring::ENTRIES_MAX`]. More than
    /// [`ring::ENTRIES`] take a ring of several pages, which not every backend has.
    pub slots: u32,
    /// Pages of each request, 1 to [`PAGES_PER_SLOT_MAX`]. Whether the backend takes so many is
    /// known once it is connected ([`DiskInfo::request_bytes_max`]).
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

    /// The smallest ring with an entry for each slot.
    fn ring_order(&self) -> u32 {
        (0..ring::ORDER_MAX)
            .find(|&order| self.slots <= ring::entries(order))
            .unwrap_or(ring::ORDER_MAX)
    }

    /// Whether a backend whose largest ring is of this order can do it.
    fn check_ring(&self, order_max: u32) -> Result<(), ConnectError> {
        let most = ring::entries(order_max);
        if self.slots <= most {
            Ok(())
        } else {
            Err(ConnectError::RingTooSmall { slots: self.slots, most })
        }
    }

    /// Pages of each slot for segments that do not fit into its request.
    const fn indirect_pages_per_slot(&self) -> usize {
        (self.pages_per_slot > MAX_SEGMENTS) as usize
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
    /// Most bytes of a read or write: what the backend takes in one request.
    pub request_bytes_max: u32,
    /// How to discard, if discards are understood.
    pub discard: Option<Discard>,
}

/// How a disk gives sectors up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discard {
    /// What is not a whole unit of so many bytes need not be given up.
    pub granularity_bytes: u32,
    /// Where the first such unit begins, in bytes from the disk's start.
    pub alignment_bytes: u32,
    /// It can be made sure that nothing of the old data is found again.
    pub secure: bool,
}

impl DiskInfo {
    /// Capacity in bytes.
    pub const fn bytes(&self) -> u64 {
        self.sectors * SECTOR_SIZE as u64
    }
}
