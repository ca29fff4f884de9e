//! A mounted volume: what all of its parts share.

use crate::endian::Endian;
use crate::error::{Error, Place};
use crate::group::Groups;
use crate::partition::{Partition, search};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Inode, Kind, ReadBlocks};

/// The inode number of the root directory.
pub const ROOT: u32 = 2;

/// The two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// FFSv1, UFS1: 32-bit block pointers, inodes of 128 bytes.
    Ffs1,
    /// FFSv2, UFS2: 64-bit block pointers, inodes of 256 bytes.
    Ffs2,
}

impl Version {
    pub(crate) fn pointer_bytes(self) -> u32 {
        match self {
            Version::Ffs1 => 4,
            Version::Ffs2 => 8,
        }
    }

    pub(crate) fn inode_bytes(self) -> u32 {
        match self {
            Version::Ffs1 => 128,
            Version::Ffs2 => 256,
        }
    }
}

/// What the superblock tells of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// FFSv1 or FFSv2.
    pub version: Version,
    /// The byte order of the machine that it was made for.
    pub endian: Endian,
    /// 4096 to 65536.
    pub block_bytes: u32,
    /// A block's 1/1, 1/2, 1/4 or 1/8; the last block of a small file is as many of these as
    /// needed.
    pub fragment_bytes: u32,
    /// The volume's size by its superblock.
    pub size_bytes: u64,
    /// Where the superblock was found in the partition.
    pub superblock_offset_bytes: u64,
    /// Where the volume's partition begins on the disk.
    pub partition_start_bytes: u64,
    /// The partition's size. What of the volume lies beyond it cannot be read.
    pub partition_size_bytes: u64,
    /// Cylinder groups.
    pub group_count: u32,
    /// Inodes, used or not; their numbers are below this.
    pub inode_count: u32,
    /// A warning: the volume was not unmounted, or needs fsck, or its journal was not replayed.
    pub dirty: bool,
    /// `fs_flags`.
    pub flags: u32,
    /// `fs_id`: when the volume was made, and a random number.
    pub id: [u32; 2],
    /// `fs_volname`, padded with zeros; empty for UFS1 volumes older than that field.
    pub name: [u8; 32],
}

/// A volume that can be read. `D` is the disk, `B` the scratch memory.
pub struct Volume<D, B> {
    pub(crate) store: Store<D, B>,
    pub(crate) superblock: Superblock,
    pub(crate) groups: Groups,
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Mounts the volume on the whole disk or, if there is none, on the first partition that has
    /// one. `scratch` is at least [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
    ///
    /// # Errors
    /// [`Error::NotFfs`] when no superblock was found; what was wrong with the first broken one
    /// when none was good; what the disk said.
    pub fn mount(disk: D, scratch: B) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let mut first_error = match Superblock::find(&mut store) {
            Ok(superblock) => return Volume::new(store, superblock),
            Err(error @ (Error::Read { .. } | Error::Stopped)) => return Err(error),
            Err(error) => error,
        };
        let disk_bytes = store.size_bytes();
        let partitions = match search(&mut store) {
            Ok(partitions) => partitions,
            Err(error) if matches!(first_error, Error::NotFfs) => return Err(error),
            Err(_) => return Err(first_error),
        };
        for partition in &partitions {
            match partition.open(&mut store, disk_bytes) {
                Ok(superblock) => return Volume::new(store, superblock),
                Err(error @ (Error::Read { .. } | Error::Stopped)) => return Err(error),
                Err(error) if matches!(first_error, Error::NotFfs) => first_error = error,
                Err(_) => {}
            }
        }
        Err(first_error)
    }

    /// Mounts the volume in this partition.
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    pub fn mount_partition(
        disk: D,
        scratch: B,
        partition: &Partition,
    ) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let disk_bytes = store.size_bytes();
        let superblock = partition.open(&mut store, disk_bytes)?;
        Volume::new(store, superblock)
    }

    fn new(store: Store<D, B>, superblock: Superblock) -> Result<Self, Error<D::Error>> {
        let mut volume = Volume { store, superblock, groups: Groups::default() };
        let root = volume.root()?;
        let right = root.kind == Kind::Directory;
        Place::Inode(ROOT).check(right, "di_mode", root.mode, "a directory's")?;
        Ok(volume)
    }

    /// What the superblock tells.
    pub fn info(&self) -> &Info {
        &self.superblock.info
    }

    /// The root directory.
    ///
    /// # Errors
    /// As [`inode`](Self::inode).
    pub fn root(&mut self) -> Result<Inode, Error<D::Error>> {
        self.inode(ROOT)
    }
}

impl<D, B> core::fmt::Debug for Volume<D, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Volume").field("info", &self.superblock.info).finish_non_exhaustive()
    }
}
