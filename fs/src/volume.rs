//! Mounted volume: what all of its parts share.

use core::fmt;

use crate::group::Groups;
use crate::info::Info;
use crate::store::Store;
use crate::superblock::Superblock;

/// Mounted volume, for reading. `D` is the disk, `B` the scratch memory.
pub struct Volume<D, B> {
    pub(crate) store: Store<D, B>,
    pub(crate) superblock: Superblock,
    pub(crate) groups: Groups,
}

impl<D, B> Volume<D, B> {
    /// Returns the description of the volume by its superblock.
    pub fn info(&self) -> &Info {
        &self.superblock.info
    }
}

impl<D, B> fmt::Debug for Volume<D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("info", &self.superblock.info).finish_non_exhaustive()
    }
}
