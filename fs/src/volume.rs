//! Mounted volume: what all of its parts share.

use core::fmt;

use crate::group::Groups;
use crate::info::Info;
use crate::store::Store;
use crate::superblock::Superblock;
use crate::warning::{Warning, Warnings};

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

impl<D, B> fmt::Debug for Volume<D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("info", &self.superblock.info).finish_non_exhaustive()
    }
}
