//! Mounted volume: what all of its parts share.

use core::fmt;

use crate::ReadBlocks;
use crate::error::Error;
use crate::group::Groups;
use crate::info::Info;
use crate::store::{Slot, Store};
use crate::superblock::Superblock;
use crate::warning::{Warning, Warnings};

/// Size of `fs_fsmnt` in bytes.
pub const MOUNTED_ON_BYTES: usize = 468;
/// Offset of `fs_fsmnt` in `struct fs`.
const MOUNTED_ON: usize = 212;
/// Part of the superblock up to its end, in bytes.
const READ_BYTES: usize = 1024;

/// Mounted volume, for reading. `D` is the disk, `B` the scratch memory.
pub struct Volume<D, B> {
    pub(crate) store: Store<D, B>,
    pub(crate) superblock: Superblock,
    pub(crate) groups: Groups,
    pub(crate) warnings: Warnings,
}

impl<D, B> Volume<D, B> {
    /// Returns the description of the volume by its superblock.
    pub fn info(&self) -> &Info {
        &self.superblock.info
    }

    /// Returns the next warning about what was read so far: about the superblock after the mount,
    /// then about what was looked at. Each rule for a field of a kind of structure has one, the
    /// first.
    pub fn next_warning(&mut self) -> Option<Warning> {
        self.warnings.next()
    }

    /// Returns how often others of those values than [`next_warning`](Self::next_warning) returned
    /// were met since the last call. What is read twice counts twice.
    pub fn take_more_warnings(&mut self) -> u64 {
        self.warnings.take_more()
    }
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Reads where the volume was mounted last (`fs_fsmnt`), by the superblock: a path up to the
    /// first zero.
    ///
    /// # Errors
    /// Errors of the disk.
    pub fn mounted_on(&mut self) -> Result<[u8; MOUNTED_ON_BYTES], Error<D::Error>> {
        let at = self.superblock.info.superblock_offset_bytes;
        let block = self.store.block(Slot::Inodes, at, READ_BYTES)?;
        let path = block.get(MOUNTED_ON..).and_then(|rest| rest.first_chunk());
        Ok(path.copied().unwrap_or([0; MOUNTED_ON_BYTES]))
    }
}

impl<D, B> fmt::Debug for Volume<D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("info", &self.superblock.info).finish_non_exhaustive()
    }
}
