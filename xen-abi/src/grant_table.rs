//! Grant table, version 1 (grant_table.h).

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU16, AtomicU32};

/// References of the tool stack: 0 the console, 1 xenstore (`GNTTAB_NR_RESERVED_ENTRIES`).
pub const RESERVED_ENTRIES: u32 = 8;
/// Entries in one page of the table.
pub const ENTRIES_PER_PAGE: u32 = 512;

/// Flag: the entry grants access to a frame (`GTF_permit_access`).
pub const GTF_PERMIT_ACCESS: u16 = 1;
/// Flag: the grantee may only read (`GTF_readonly`).
pub const GTF_READONLY: u16 = 1 << 2;
/// Flag: the grantee has it mapped for reading (`GTF_reading`).
pub const GTF_READING: u16 = 1 << 3;
/// Flag: the grantee has it mapped for writing (`GTF_writing`).
pub const GTF_WRITING: u16 = 1 << 4;

/// `GNTTABOP_query_size`: how large the table is, and may be ([`QuerySize`]).
pub const QUERY_SIZE: u64 = 6;
/// Status: done (`GNTST_okay`).
pub const STATUS_OKAY: i16 = 0;

/// Argument of [`QUERY_SIZE`] (`gnttab_query_size`).
#[repr(C)]
#[derive(Debug, Default)]
pub struct QuerySize {
    /// The domain that has the table.
    pub dom: u16,
    /// Pages that it has.
    pub nr_frames: u32,
    /// Pages that it may have.
    pub max_nr_frames: u32,
    /// `GNTST_*`.
    pub status: i16,
}

/// One entry (`grant_entry_v1`).
#[repr(C)]
#[derive(Debug)]
pub struct EntryV1 {
    /// `GTF_*`.
    pub flags: AtomicU16,
    /// The grantee.
    pub domid: AtomicU16,
    /// The granted frame.
    pub frame: AtomicU32,
}

/// One page of the table.
pub type TablePage = [EntryV1; ENTRIES_PER_PAGE as usize];

const _: () = {
    assert!(size_of::<EntryV1>() == 8);
    assert!(offset_of!(EntryV1, domid) == 2);
    assert!(offset_of!(EntryV1, frame) == 4);
    assert!(size_of::<QuerySize>() == 16);
    assert!(offset_of!(QuerySize, nr_frames) == 4);
    assert!(offset_of!(QuerySize, max_nr_frames) == 8);
    assert!(offset_of!(QuerySize, status) == 12);
    assert!(size_of::<TablePage>() == crate::PAGE_SIZE);
};
