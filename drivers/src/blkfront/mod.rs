//! The block frontend (io/blkif.h).
//!
//! [`Blkfront::connect`] makes [`QueuePair`]s out of a VBD that the tool stack announced in
//! xenstore, and [`Blkfront::take_queues`] lends them; [`Blkfront::disconnect`] takes them back
//! and gives everything up. Between the two, only the queue pairs are used, each by itself:
//! they share nothing.

mod error;
mod fit;
pub mod handshake;
mod paths;
pub mod queue;
mod resources;
mod slot;
mod storm;

use core::fmt;

use xen_abi::blkif::{
    self, MAX_INDIRECT_PAGES, MAX_SEGMENTS, SECTOR_SIZE, SEGMENTS_PER_INDIRECT_PAGE,
};

use crate::ring::ORDER_MAX;

pub use error::{Broken, ConnectError, IoError};
pub use handshake::{Backend, Blkfront, Disconnected};
pub use queue::{Completion, Counters, PagesKept, QueuePair};
pub use slot::{Held, Operation, Slot};

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

/// Most pages of one request: 16 MiB, the segments that an indirect request can name. Linux's
/// backend takes 256.
pub const PAGES_PER_SLOT_MAX: usize = MAX_INDIRECT_PAGES * SEGMENTS_PER_INDIRECT_PAGE;

/// Most queues of a VBD. With the largest rings, their nodes still fit into what a domain may have
/// in xenstore (1,000 nodes).
pub const QUEUES_MAX: u32 = 32;

/// Resources that the frontend is to set up for a VBD. Connect fits them to the backend's offer:
/// where it has fewer queues, each takes more requests; where it takes fewer pages in one request,
/// several requests make up for one; where its rings have too few entries, or there is too little
/// [`Room`], fewer requests are in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Way in which data pages are granted.
    pub grants: GrantMode,
    /// Queues wanted, 1 to [`QUEUES_MAX`]. More than one not every backend has; Linux's has a
    /// thread for each, and by default as many as its domain has vCPUs.
    pub queues: u32,
    /// Requests wanted in flight at once on each queue, at least 1. More than
    /// [`ENTRIES`](crate::ring::ENTRIES) take a ring of several pages, which not every backend has.
    pub slots: u32,
    /// Requests wanted in flight at once on all queues together, at least 1: no queue has slots for
    /// more.
    pub requests_max: u32,
    /// Pages wanted in each request, 1 to [`PAGES_PER_SLOT_MAX`]. More than
    /// [`MAX_SEGMENTS`] not every backend takes, and more than
    /// `segments_max` go in several requests.
    pub pages_per_slot: usize,
    /// Most segments of a request, whatever the backend takes, up to [`PAGES_PER_SLOT_MAX`]. Up
    /// to [`MAX_SEGMENTS`], which every backend takes, none is
    /// indirect.
    pub segments_max: u32,
}

impl Setup {
    /// One request of one page at a time, on one queue, with the best grants and requests that the
    /// backend has.
    pub const ONE: Self = Self {
        grants: GrantMode::Persistent,
        queues: 1,
        slots: 1,
        requests_max: u32::MAX,
        pages_per_slot: 1,
        segments_max: PAGES_PER_SLOT_MAX as u32,
    };
}

/// Memory and entries of the grant table, as many as there are or as something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Pages of the guest's memory.
    pub pages: u64,
    /// Entries of the grant table.
    pub grants: u64,
}

impl Room {
    /// Returns whether all of it finds a place in `room`.
    fn is_within(self, room: Self) -> bool {
        self.pages <= room.pages && self.grants <= room.grants
    }
}

/// Share of a guest that a [`Setup`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Pages and grants, of all queues.
    pub room: Room,
    /// Slots of all queues.
    pub slots: u64,
    /// Most heap, in bytes, that queues and slots take.
    pub heap_bytes: u64,
}

/// Rings and requests that the backend can serve, bounded by what we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Order of the largest ring, 0 to [`ORDER_MAX`].
    ring_order_max: u32,
    /// Queues, 1 to [`QUEUES_MAX`].
    queues_max: u32,
    /// Segments of a request, [`MAX_SEGMENTS`] to
    /// [`PAGES_PER_SLOT_MAX`].
    segments_max: u32,
    /// Flag: the backend may see what is left of other requests.
    trusted: bool,
}

impl Offer {
    /// Offer that every backend makes.
    pub const LEAST: Self =
        Self { ring_order_max: 0, queues_max: 1, segments_max: MAX_SEGMENTS as u32, trusted: true };
    /// All that we can use.
    pub const MOST: Self = Self {
        ring_order_max: ORDER_MAX,
        queues_max: QUEUES_MAX,
        segments_max: PAGES_PER_SLOT_MAX as u32,
        trusted: true,
    };
}

/// The disk as the backend describes it, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskInfo {
    /// Capacity in units of 512 bytes.
    pub sectors: u64,
    /// Smallest unit of I/O in bytes: a power of two, 512 to 4096.
    pub logical_sector_bytes: u32,
    /// Unit in bytes in which the medium is written: a power of two, from the logical sector to
    /// 1 MiB. Less than that may take the disk a read and a write.
    pub physical_sector_bytes: u32,
    /// Flag: writes are refused, as on every CD-ROM.
    pub read_only: bool,
    /// Flag: the disk is a CD-ROM.
    pub cdrom: bool,
    /// Way in which flushes are sent, if they are supported.
    pub flush: Option<Flush>,
    /// Flag: the tool stack trusts the backend. One that is not sees nothing but the data of
    /// requests in flight: in every [`GrantMode`] it is copied, and no page stays as it was.
    pub trusted: bool,
    /// Flag: the backend offers to keep grants mapped.
    pub persistent: bool,
    /// Most bytes of a read or write that the backend takes in one request.
    pub request_bytes_max: u32,
    /// Parameters of discards, if they are supported.
    pub discard: Option<Discard>,
}

/// Way in which a flush is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// A request that commits the volatile cache, and waits for nothing else.
    Cache,
    /// A write barrier without data, where the backend has nothing else (old xen-blkback, tapdisk):
    /// it also waits for all requests before it, and those after it wait for it.
    Barrier,
}

impl Flush {
    /// Returns the code of its request.
    const fn code(self) -> u8 {
        match self {
            Self::Cache => blkif::OP_FLUSH_DISKCACHE,
            Self::Barrier => blkif::OP_WRITE_BARRIER,
        }
    }
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
