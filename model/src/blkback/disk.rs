//! Disks as the tool stack plugs them in.

use std::ops::Range;

use drivers::ring::ORDER_MAX;
use xen_abi::DomId;
use xen_abi::blkif::SECTOR_SIZE;
use xen_abi::xenbus::XenbusState;

use super::service::Service;

/// The domain that backends run in.
pub(super) const DOM0: DomId = DomId(0);

/// Persistent grants that are kept for a ring (`max_pgrants`).
const PERSISTENT_MAX: usize = 1056;

/// Segments of an indirect request (`MAX_INDIRECT_SEGMENTS`).
const INDIRECT_MAX: usize = 256;

/// A disk, and how its backend serves it.
#[derive(Clone, Debug)]
pub struct Disk {
    /// `virtual-device`, such as 51712 for xvda.
    pub vdev: u32,
    /// Capacity in units of 512 bytes.
    pub sectors: u64,
    /// Logical sector size in bytes.
    pub sector_bytes: u32,
    /// Writes are refused.
    pub read_only: bool,
    /// A CD-ROM.
    pub cdrom: bool,
    /// Physical sector size in bytes; `None` if it is the logical one.
    pub physical_sector_bytes: Option<u32>,
    /// Flushes are offered.
    pub flush: bool,
    /// Write barriers are offered.
    pub barrier: bool,
    /// Discards are offered, ordinary and secure ones; what is discarded reads as zeroes.
    pub discard: bool,
    /// Segments of an indirect request; 0 when those are not offered.
    pub indirect_max: usize,
    /// The largest ring, as an order.
    pub ring_order_max: u32,
    /// Rings that it serves at most.
    pub queues_max: u32,
    /// Persistent grants are offered.
    pub persistent: bool,
    /// Persistent grants that are kept.
    pub persistent_max: usize,
    /// Data moves by grant copy, as in QEMU and tapdisk: a page is pinned only while it is copied,
    /// which is over before the response.
    pub grant_copy: bool,
    /// Time that a request takes, in nanoseconds, however many there are.
    pub service_ns: Range<u64>,
    /// Says how long requests take, instead.
    pub service: Option<Service>,
    /// Times of requests are kept, for [`Blkback::served`](super::Blkback::served).
    pub traced: bool,
    /// Only what was written is kept, by sector and for
    /// [`Blkback::sectors`](super::Blkback::sectors); all else is zeroes.
    pub sparse: bool,
    /// The domain that the backend runs in.
    pub backend: DomId,
    /// Value of `trusted` in the frontend's directory, if the tool stack writes it.
    pub trusted: Option<&'static str>,
    /// Nodes of the backend with another value, or withheld.
    pub keys: Vec<(&'static str, Option<String>)>,
    /// States of the frontend in which the backend's `state` becomes this text, and nothing else
    /// happens.
    pub states: Vec<(XenbusState, &'static str)>,
    /// The backend unmaps nothing when it closes.
    pub clings: bool,
    /// The backend sends no events.
    pub mute: bool,
    /// Number of requests by which the backend asks for an event too late; it looks at the ring now
    /// and then.
    pub deaf: Option<u32>,
}

impl Disk {
    /// This disk with a backend that copies data and maps no page of it: it has neither persistent
    /// grants nor indirect segments.
    pub fn copying(self) -> Self {
        Self { grant_copy: true, persistent: false, indirect_max: 0, ..self }
    }

    /// A writable disk of 512-byte sectors with all features.
    pub fn new(vdev: u32, sectors: u64) -> Self {
        Self {
            vdev,
            sectors,
            sector_bytes: SECTOR_SIZE,
            read_only: false,
            cdrom: false,
            physical_sector_bytes: None,
            flush: true,
            barrier: false,
            discard: true,
            indirect_max: INDIRECT_MAX,
            ring_order_max: ORDER_MAX,
            queues_max: 4,
            persistent: true,
            persistent_max: PERSISTENT_MAX,
            grant_copy: false,
            service_ns: 20_000..200_000,
            service: None,
            traced: false,
            sparse: false,
            backend: DOM0,
            trusted: None,
            keys: Vec::new(),
            states: Vec::new(),
            clings: false,
            mute: false,
            deaf: None,
        }
    }
}
