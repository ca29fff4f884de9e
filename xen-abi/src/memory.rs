//! Physical memory operations (memory.h).

use core::mem::{offset_of, size_of};

use zerocopy::FromBytes;
use zerocopy::little_endian::{U32, U64};

/// `XENMEM_current_reservation`: returns the pages of a domain.
pub const CURRENT_RESERVATION: u64 = 3;
/// `XENMEM_add_to_physmap`: put one of Xen's pages into the guest-physical map.
pub const ADD_TO_PHYSMAP: u64 = 7;
/// `XENMEM_memory_map`: the memory map that the tool stack set.
pub const MEMORY_MAP: u64 = 9;

/// `XENMAPSPACE_shared_info`.
pub const SPACE_SHARED_INFO: u32 = 0;
/// `XENMAPSPACE_grant_table`.
pub const SPACE_GRANT_TABLE: u32 = 1;
/// `XENMAPSPACE_gmfn`: the domain's own pages; one that is put elsewhere leaves its place.
pub const SPACE_GMFN: u32 = 2;

/// Argument of [`ADD_TO_PHYSMAP`] (`xen_add_to_physmap`).
#[repr(C)]
#[derive(Debug)]
pub struct AddToPhysmap {
    /// Domain that has the map.
    pub domid: u16,
    /// Length of a range; 0 outside of ranges.
    pub size: u16,
    /// `SPACE_*`.
    pub space: u32,
    /// Number of the page in the space.
    pub index: u64,
    /// Guest frame at which it appears.
    pub gfn: u64,
}

/// Argument of [`CURRENT_RESERVATION`] (`xen_memory_domain`).
#[repr(C)]
#[derive(Debug)]
pub struct MemoryDomain {
    /// Domain that has the pages.
    pub domid: u16,
}

/// Argument of [`MEMORY_MAP`] (`xen_memory_map`).
#[repr(C)]
#[derive(Debug)]
pub struct MemoryMap {
    /// In: entries that there is room for. Out: entries written.
    pub nr_entries: u32,
    /// Guest address of an array of [`E820Entry`].
    pub buffer: u64,
}

/// A range of guest-physical addresses, as [`MEMORY_MAP`] writes it (`e820entry`, packed).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes)]
pub struct E820Entry {
    /// First address.
    pub addr: U64,
    /// Size in bytes.
    pub size: U64,
    /// An e820 type, as in [`MemmapEntry`](crate::start_info::MemmapEntry).
    pub kind: U32,
}

const _: () = {
    assert!(size_of::<AddToPhysmap>() == 24);
    assert!(offset_of!(AddToPhysmap, space) == 4);
    assert!(offset_of!(AddToPhysmap, gfn) == 16);
    assert!(size_of::<MemoryDomain>() == 2);
    assert!(size_of::<MemoryMap>() == 16);
    assert!(offset_of!(MemoryMap, buffer) == 8);
    assert!(size_of::<E820Entry>() == 20 && align_of::<E820Entry>() == 1);
};
