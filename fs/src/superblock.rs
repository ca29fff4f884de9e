//! Superblock: found at one of four places, checked whole, and kept as the few numbers that reading
//! needs. The values in a [`Superblock`] have been checked; nothing reads the disk's copy again.

mod alternate;
mod check;
mod clean;
mod layout;
mod search;

pub(crate) use alternate::{Alternates, SEARCHED_BYTES_MAX};

use crate::error::{Corrupt, Place};
use crate::warning::Warnings;
use crate::{Info, Version};

/// Bits of `fs_metackhash`: the structures that carry check-hashes.
const CK_SUPERBLOCK: u32 = 0x1;
pub(crate) const CK_CYLGRP: u32 = 0x2;
pub(crate) const CK_INODE: u32 = 0x4;

/// Checked superblock. Addresses and sizes without a unit are in fragments.
#[derive(Clone, Debug)]
pub(crate) struct Superblock {
    pub(crate) info: Info,
    /// Warnings about the superblock itself.
    pub(crate) warnings: Warnings,
    /// Fragments in a block: 1, 2, 4 or 8.
    pub(crate) fragments: u64,
    pub(crate) block_shift: u32,
    /// End of the volume: by `fs_size`, or earlier by the disk's size.
    pub(crate) end: u64,
    pub(crate) group_size: u64,
    pub(crate) group_inodes: u32,
    /// From a group's start: its superblock, group block, inodes, data.
    pub(crate) sblkno: u64,
    pub(crate) cblkno: u64,
    pub(crate) iblkno: u64,
    pub(crate) dblkno: u64,
    pub(crate) group_bytes: usize,
    old_cgoffset: u64,
    old_cgmask: u32,
    /// Place of the groups' summary.
    csaddr: u64,
    cs_end: u64,
    pub(crate) inodes_per_block: u32,
    pub(crate) pointers_per_block: u64,
    /// Symlinks shorter than this are kept in the inode.
    pub(crate) inline_link_bytes: u64,
    /// 4.2BSD's inodes and directories.
    pub(crate) old_inodes: bool,
    /// `CK_` bits of the structures that carry check-hashes.
    pub(crate) hashed: u32,
    pub(crate) file_bytes_max: u64,
}

impl Superblock {
    /// Returns the fragment that a group's structures are counted from (`cgstart`).
    pub(crate) fn group_start(&self, group: u32) -> u64 {
        let base = u64::from(group) * self.group_size;
        match self.info.version {
            Version::Ffs1 => base + self.old_cgoffset * u64::from(group & !self.old_cgmask),
            Version::Ffs2 => base,
        }
    }

    /// Checks a pointer to `fragments` of data: inside the volume, within one block, and not in a
    /// superblock, group, inode table or summary.
    pub(crate) fn check_pointer(
        &self,
        place: Place,
        pointer: i64,
        fragments: u64,
    ) -> Result<u64, Corrupt> {
        let check = |holds, must| place.check(holds, "block pointer", pointer, must);
        let address = u64::try_from(pointer).unwrap_or(u64::MAX);
        let inside = address.checked_add(fragments).is_some_and(|end| end <= self.end);
        check(inside, "inside the volume")?;
        check(address % self.fragments + fragments <= self.fragments, "within one block")?;
        let data = |at| !self.is_metadata(at);
        check(data(address) && data(address + fragments - 1), "in a data area")?;
        Ok(address)
    }

    /// Returns whether a fragment inside the volume belongs to the volume's own structures.
    fn is_metadata(&self, address: u64) -> bool {
        // The volume ends inside its last group, so the number fits.
        let group = (address / self.group_size) as u32;
        let start = self.group_start(group);
        let first = if group == 0 { 0 } else { start + self.sblkno };
        (first..start + self.dblkno).contains(&address)
            || (self.csaddr..self.cs_end).contains(&address)
    }
}
