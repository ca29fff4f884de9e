//! Structures that a PVH guest is handed at its entry (arch-x86/hvm/start_info.h, elfnote.h).

use core::mem::{offset_of, size_of};

use zerocopy::{FromBytes, IntoBytes};

/// `XEN_HVM_START_MAGIC_VALUE`.
pub const MAGIC: u32 = 0x336e_c578;

/// ELF note type of the 32-bit entry point (`XEN_ELFNOTE_PHYS32_ENTRY`).
pub const ELFNOTE_PHYS32_ENTRY: u32 = 18;

/// Bytes of version 0, which ends before the memory map.
pub const SIZE_V0: usize = 40;

/// Guest-physical addresses and counts (`hvm_start_info`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct StartInfo {
    /// [`MAGIC`].
    pub magic: u32,
    /// 0 without the memory map, 1 or more with it.
    pub version: u32,
    /// `SIF_*`.
    pub flags: u32,
    /// Entries of the module list.
    pub nr_modules: u32,
    /// Address of an array of [`Module`]; 0 if none.
    pub modlist_paddr: u64,
    /// Address of the command line, NUL-terminated; 0 if none.
    pub cmdline_paddr: u64,
    /// Address of the ACPI RSDP; 0 if none.
    pub rsdp_paddr: u64,
    /// Address of an array of [`MemmapEntry`]; 0 if none.
    pub memmap_paddr: u64,
    /// Entries of the memory map.
    pub memmap_entries: u32,
    /// Padding; 0 by the specification, and not looked at.
    pub reserved: u32,
}

/// A file that was loaded with the kernel (`hvm_modlist_entry`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Module {
    /// Address of its first byte.
    pub paddr: u64,
    /// Size in bytes.
    pub size: u64,
    /// Address of its command line; 0 if none.
    pub cmdline_paddr: u64,
    /// Padding; 0 by the specification, and not looked at.
    pub reserved: u64,
}

/// RAM, in [`MemmapEntry::kind`] (`XEN_HVM_MEMMAP_TYPE_RAM`).
pub const MEMMAP_RAM: u32 = 1;

/// A range of guest-physical addresses (`hvm_memmap_table_entry`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct MemmapEntry {
    /// First address.
    pub addr: u64,
    /// Size in bytes.
    pub size: u64,
    /// An e820 type; [`MEMMAP_RAM`] is RAM.
    pub kind: u32,
    /// Padding; 0 by the specification, and not looked at.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<StartInfo>() == 56);
    assert!(offset_of!(StartInfo, modlist_paddr) == 16);
    assert!(offset_of!(StartInfo, memmap_paddr) == SIZE_V0);
    assert!(offset_of!(StartInfo, memmap_entries) == 48);
    assert!(size_of::<Module>() == 32);
    assert!(size_of::<MemmapEntry>() == 24);
    assert!(offset_of!(MemmapEntry, kind) == 16);
};
