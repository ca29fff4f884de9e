//! The block frontend (io/blkif.h).
//!
//! [`Blkfront::connect`] makes [`QueuePair`]s out of a VBD that the tool stack announced in
//! xenstore, and [`Blkfront::take_queues`] lends them; [`Blkfront::disconnect`] takes them back
//! and gives everything up. Between the two, only the queue pairs are used, each by itself:
//! they share nothing.

mod error;
pub mod handshake;
mod paths;
pub mod queue;
mod resources;
mod slot;
mod storm;

use core::fmt;

use xen_abi::blkif::{MAX_SEGMENTS, SECTOR_SIZE, SEGMENTS_PER_INDIRECT_PAGE};

use crate::ring;

pub use error::{Broken, ConnectError, IoError};
pub use handshake::{Backend, Blkfront, Disconnected};
pub use queue::{Completion, Counters, PagesKept, QueuePair};
pub use slot::{Operation, Slot};

/// Way in which data pages are granted to the backend.
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
    /// All modes in the order in which they are compared.
    pub const ALL: [Self; 3] = [Self::Persistent, Self::PersistentCopy, Self::PerRequest];

    /// Returns whether pages stay granted between requests.
    pub const fn is_persistent(self) -> bool {
        !matches!(self, Self::PerRequest)
    }

    /// Returns its name in the field: `persistent`, `persistent-copy`, `per-request`.
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

/// Most queues of a VBD. With the largest rings, their nodes still fit into what a domain may have
/// in xenstore (1,000 nodes).
pub const QUEUES_MAX: u32 = 32;

/// Resources that the frontend sets up for a VBD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Way in which data pages are granted.
    pub grants: GrantMode,
    /// Queues, 1 to [`QUEUES_MAX`]. More than one not every backend has; Linux's has a thread for
    /// each, and by default as many as its domain has vCPUs.
    pub queues: u32,
    /// Requests that can be in flight at once on each queue, 1 to [`ring::ENTRIES_MAX`]. More than
    /// [`ring::ENTRIES`] take a ring of several pages, which not every backend has.
    pub slots: u32,
    /// Pages of each request, 1 to [`PAGES_PER_SLOT_MAX`]. Whether the backend takes that
    /// many is known once it is connected ([`DiskInfo::request_bytes_max`]).
    pub pages_per_slot: usize,
}

impl Setup {
    /// Returns the number of pages of each slot that only the caller sees.
    const fn private_pages_per_slot(&self) -> usize {
        match self.grants {
            GrantMode::PersistentCopy => self.pages_per_slot,
            GrantMode::Persistent | GrantMode::PerRequest => 0,
        }
    }

    /// Returns the order of the smallest ring with an entry for each slot.
    fn ring_order(&self) -> u32 {
        (0..ring::ORDER_MAX)
            .find(|&order| self.slots <= ring::entries(order))
            .unwrap_or(ring::ORDER_MAX)
    }

    /// Checks that a backend with this offer can serve it.
    fn check(&self, offer: &Offer) -> Result<(), ConnectError> {
        let entries = ring::entries(offer.ring_order_max);
        if self.slots > entries {
            return Err(ConnectError::RingTooSmall { slots: self.slots, most: entries });
        }
        if self.queues > offer.queues_max {
            return Err(ConnectError::TooFewQueues {
                queues: self.queues,
                most: offer.queues_max,
                is_vbd: offer.is_vbd,
            });
        }
        Ok(())
    }

    /// Returns the number of pages of each slot for segments that do not fit into its request.
    const fn indirect_pages_per_slot(&self) -> usize {
        (self.pages_per_slot > MAX_SEGMENTS) as usize
    }
}

/// Rings that the backend can serve, bounded by what we can use.
#[derive(Clone, Copy, Debug)]
struct Offer {
    /// Order of the largest ring, 0 to [`ring::ORDER_MAX`].
    ring_order_max: u32,
    /// Queues, 1 to [`QUEUES_MAX`].
    queues_max: u32,
    /// Flag: it is the kernel's block backend, not QEMU's or another program's.
    is_vbd: bool,
}

/// The disk as the backend describes it, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskInfo {
    /// Capacity in units of 512 bytes.
    pub sectors: u64,
    /// Smallest unit of I/O in bytes: a power of two, 512 to 4096.
    pub logical_sector_bytes: u32,
    /// Flag: writes are refused, as on every CD-ROM.
    pub read_only: bool,
    /// Flag: the disk is a CD-ROM.
    pub cdrom: bool,
    /// Flag: flushes are supported.
    pub flush: bool,
    /// Flag: the backend offers to keep grants mapped.
    pub persistent: bool,
    /// Most bytes of a read or write that the backend takes in one request.
    pub request_bytes_max: u32,
    /// Parameters of discards, if they are supported.
    pub discard: Option<Discard>,
}

/// Parameters of discards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discard {
    /// Unit in bytes: less than a whole one need not be discarded.
    pub granularity_bytes: u32,
    /// Start of the first such unit, in bytes from the disk's start.
    pub alignment_bytes: u32,
    /// Flag: secure discards are supported, after which none of the old data is found.
    pub secure: bool,
}

impl DiskInfo {
    /// Returns the capacity in bytes.
    pub const fn bytes(&self) -> u64 {
        self.sectors * SECTOR_SIZE as u64
    }
}
