//! The block protocol's requests and responses (io/blkif.h).

use core::mem::{offset_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Unit of every sector number and count in the protocol, in bytes.
pub const SECTOR_SIZE: u32 = 512;
/// Sectors in a page.
pub const SECTORS_PER_PAGE: u32 = crate::PAGE_SIZE as u32 / SECTOR_SIZE;
/// Most segments in a direct request (`BLKIF_MAX_SEGMENTS_PER_REQUEST`).
pub const MAX_SEGMENTS: usize = 11;
/// Segments in a page of an indirect request.
pub const SEGMENTS_PER_INDIRECT_PAGE: usize = crate::PAGE_SIZE / size_of::<Segment>();
/// Most pages of segments in an indirect request (`BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST`).
pub const MAX_INDIRECT_PAGES: usize = 8;

/// `BLKIF_OP_READ`.
pub const OP_READ: u8 = 0;
/// `BLKIF_OP_WRITE`.
pub const OP_WRITE: u8 = 1;
/// `BLKIF_OP_WRITE_BARRIER`: a write that comes after all before it and before all after it, and is
/// durable when it is done; without segments it commits what was written before. Offered by
/// `feature-barrier`.
pub const OP_WRITE_BARRIER: u8 = 2;
/// `BLKIF_OP_FLUSH_DISKCACHE`: commit the volatile cache; offered by `feature-flush-cache`.
pub const OP_FLUSH_DISKCACHE: u8 = 3;
/// `BLKIF_OP_DISCARD`: give sectors up; offered by `feature-discard`.
pub const OP_DISCARD: u8 = 5;
/// `BLKIF_OP_INDIRECT`: a read or write whose segments stand in pages of their own; offered by
/// `feature-max-indirect-segments`. Its response carries the inner operation.
pub const OP_INDIRECT: u8 = 6;

/// `BLKIF_DISCARD_SECURE`, in a discard's `flag`: nothing of the old data may be found again;
/// offered by `discard-secure`.
pub const DISCARD_SECURE: u8 = 1;

/// `BLKIF_RSP_OKAY`.
pub const RSP_OKAY: i16 = 0;
/// `BLKIF_RSP_ERROR`.
pub const RSP_ERROR: i16 = -1;
/// `BLKIF_RSP_EOPNOTSUPP`.
pub const RSP_EOPNOTSUPP: i16 = -2;

/// `VDISK_CDROM`, in the backend's `info`.
pub const VDISK_CDROM: u32 = 1;
/// `VDISK_READONLY`.
pub const VDISK_READONLY: u32 = 4;

/// One page, or a part of it, of a request's data (`blkif_request_segment`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes)]
pub struct Segment {
    /// Grant of the page.
    pub gref: u32,
    /// First sector of the page that is transferred, 0 to 7.
    pub first_sect: u8,
    /// Last sector of the page that is transferred, inclusive, 0 to 7.
    pub last_sect: u8,
    /// Padding; 0, so that no memory leaks through it.
    pub pad: u16,
}

/// A direct request (`blkif_request`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Immutable, IntoBytes)]
pub struct Request {
    /// `OP_*`.
    pub operation: u8,
    /// Segments in use, 0 to [`MAX_SEGMENTS`].
    pub nr_segments: u8,
    /// The `virtual-device` number.
    pub handle: u16,
    /// Padding; 0.
    pub pad: u32,
    /// Echoed in the response.
    pub id: u64,
    /// First sector on the disk, in units of [`SECTOR_SIZE`].
    pub sector_number: u64,
    /// Pages of the data.
    pub seg: [Segment; MAX_SEGMENTS],
}

/// A read or write with its segments in other pages (`blkif_request_indirect`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Immutable, IntoBytes)]
pub struct IndirectRequest {
    /// [`OP_INDIRECT`].
    pub operation: u8,
    /// [`OP_READ`] or [`OP_WRITE`].
    pub indirect_op: u8,
    /// Segments in use.
    pub nr_segments: u16,
    /// Padding; 0.
    pub pad0: u32,
    /// Echoed in the response.
    pub id: u64,
    /// First sector on the disk, in units of [`SECTOR_SIZE`].
    pub sector_number: u64,
    /// The `virtual-device` number.
    pub handle: u16,
    /// Padding; 0.
    pub pad1: u16,
    /// Grants of pages full of [`Segment`]s.
    pub indirect_grefs: [u32; MAX_INDIRECT_PAGES],
    /// Padding; 0.
    pub pad2: u32,
}

/// A request to give sectors up (`blkif_request_discard`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Immutable, IntoBytes)]
pub struct DiscardRequest {
    /// [`OP_DISCARD`].
    pub operation: u8,
    /// [`DISCARD_SECURE`] or 0.
    pub flag: u8,
    /// The `virtual-device` number.
    pub handle: u16,
    /// Padding; 0.
    pub pad: u32,
    /// Echoed in the response.
    pub id: u64,
    /// First sector on the disk, in units of [`SECTOR_SIZE`].
    pub sector_number: u64,
    /// Sectors to give up, in units of [`SECTOR_SIZE`].
    pub nr_sectors: u64,
}

/// A response (`blkif_response`).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes)]
pub struct Response {
    /// `id` of the request.
    pub id: u64,
    /// `operation` of the request.
    pub operation: u8,
    pad0: u8,
    /// `RSP_*`.
    pub status: i16,
    pad1: u32,
}

impl Response {
    /// Makes a response as a backend writes it.
    pub const fn new(id: u64, operation: u8, status: i16) -> Self {
        Self { id, operation, pad0: 0, status, pad1: 0 }
    }
}

const _: () = {
    assert!(size_of::<Segment>() == 8);
    assert!(offset_of!(Segment, first_sect) == 4);
    assert!(offset_of!(Segment, last_sect) == 5);
    assert!(size_of::<Request>() == 112);
    assert!(offset_of!(Request, handle) == 2);
    assert!(offset_of!(Request, id) == 8);
    assert!(offset_of!(Request, sector_number) == 16);
    assert!(offset_of!(Request, seg) == 24);
    assert!(size_of::<IndirectRequest>() == 64);
    assert!(offset_of!(IndirectRequest, indirect_op) == 1);
    assert!(offset_of!(IndirectRequest, nr_segments) == 2);
    assert!(offset_of!(IndirectRequest, id) == 8);
    assert!(offset_of!(IndirectRequest, sector_number) == 16);
    assert!(offset_of!(IndirectRequest, handle) == 24);
    assert!(offset_of!(IndirectRequest, indirect_grefs) == 28);
    assert!(size_of::<DiscardRequest>() == 32);
    assert!(offset_of!(DiscardRequest, flag) == 1);
    assert!(offset_of!(DiscardRequest, id) == 8);
    assert!(offset_of!(DiscardRequest, sector_number) == 16);
    assert!(offset_of!(DiscardRequest, nr_sectors) == 24);
    assert!(size_of::<Response>() == 16);
    assert!(offset_of!(Response, operation) == 8);
    assert!(offset_of!(Response, status) == 10);
};
