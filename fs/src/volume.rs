//! A mounted volume: what all of its parts share.

use crate::endian::Endian;
use crate::error::{Corrupt, Error, Place};
use crate::group::Groups;
use crate::partition::{Partition, Partitions, Tables, search};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Inode, Kind, ReadBlocks};
use core::fmt;

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
    /// A warning: there was a choice between volumes.
    pub doubt: Option<Doubt>,
    /// `fs_flags`.
    pub flags: u32,
    /// `fs_id`: when the volume was made, and a random number.
    pub id: [u32; 2],
    /// `fs_volname`, padded with zeros; empty for UFS1 volumes older than that field.
    pub name: [u8; 32],
}

/// Why the volume that was mounted may not be the one that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A partition's volume was taken, and one passed over that begins in front of it, with the
    /// whole disk or with the slice: a partition table or label was written over that.
    PassedOver {
        /// Where the volume begins that was passed over, in bytes on the disk.
        start_bytes: u64,
        /// Where the one begins that was taken.
        taken_bytes: u64,
    },
    /// The whole disk's volume was taken, and one passed over that lies within it.
    InnerVolume {
        /// Where that begins, in bytes on the disk.
        start_bytes: u64,
    },
    /// The whole disk's volume was taken, although there is a partition table, because no partition
    /// has a volume.
    NoPartition,
    /// The whole disk's volume was taken, although there is a partition table, which is broken.
    BrokenTable(Corrupt),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::PassedOver { start_bytes, taken_bytes } => write!(
                f,
                "reading the file system of the partition at byte {taken_bytes}; another one at \
                 byte {start_bytes}, in front of it, is taken for stale"
            ),
            Doubt::InnerVolume { start_bytes } => write!(
                f,
                "reading the file system of the whole disk; another one in the partition at byte \
                 {start_bytes} is passed over"
            ),
            Doubt::NoPartition => write!(
                f,
                "reading the file system of the whole disk, which may be stale: there is a \
                 partition table, but no partition with an FFS"
            ),
            Doubt::BrokenTable(corrupt) => write!(
                f,
                "reading the file system of the whole disk, which may be stale: there is a \
                 partition table, but it is broken: {corrupt}"
            ),
        }
    }
}

/// A volume that can be read. `D` is the disk, `B` the scratch memory.
pub struct Volume<D, B> {
    pub(crate) store: Store<D, B>,
    pub(crate) superblock: Superblock,
    pub(crate) groups: Groups,
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Mounts the volume of the first partition that has one, where a valid table leaves the disk's
    /// beginning to itself; else that of the whole disk, and if there is none, that of the first
    /// partition that has one. [`Info::doubt`] tells when there was a choice. `scratch` is at least
    /// [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
    ///
    /// # Errors
    /// [`Error::NotFfs`] when no superblock was found; what was wrong with the first broken one
    /// when none was good; what the disk said.
    pub fn mount(disk: D, scratch: B) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let disk_bytes = store.size_bytes();
        let whole = unless_unreadable(Superblock::find(&mut store))?;
        let tables = unless_unreadable(search(&mut store))?;
        let (tables, table_error) = match tables {
            Ok(tables) => (tables, None),
            Err(error) => (Tables::default(), Some(error)),
        };
        let partitions = &tables.partitions;
        if !tables.take_the_disk
            && let Ok(mut superblock) = whole
        {
            superblock.info.doubt = match table_error {
                Some(Error::Corrupt(corrupt)) => Some(Doubt::BrokenTable(corrupt)),
                _ => inner_volume(&mut store, partitions, superblock.info.size_bytes, disk_bytes)?
                    .map(|start_bytes| Doubt::InnerVolume { start_bytes }),
            };
            store.set_window(0, disk_bytes);
            return Volume::new(store, superblock);
        }
        let mut first_error = table_error;
        for partition in partitions {
            match unless_unreadable(partition.open(&mut store, disk_bytes))? {
                Ok(mut superblock) => {
                    let outer = match whole {
                        Ok(_) if partition.start_bytes > 0 => Some(0),
                        _ => outer_volume(&mut store, partitions, partition, disk_bytes)?,
                    };
                    let taken_bytes = partition.start_bytes;
                    superblock.info.doubt =
                        outer.map(|start_bytes| Doubt::PassedOver { start_bytes, taken_bytes });
                    store.set_window(partition.start_bytes, partition.size_bytes);
                    return Volume::new(store, superblock);
                }
                Err(Error::NotFfs) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        match (whole, first_error) {
            // A broken volume is no reason to read an older one.
            (Ok(_), Some(error @ Error::Corrupt(Corrupt { place: Place::Superblock(_), .. }))) => {
                Err(error)
            }
            (Ok(mut superblock), _) => {
                superblock.info.doubt = Some(Doubt::NoPartition);
                store.set_window(0, disk_bytes);
                Volume::new(store, superblock)
            }
            (Err(Error::NotFfs), Some(error)) | (Err(error), _) => Err(error),
        }
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

/// What was found, or why nothing was; an error when the disk could not be read.
fn unless_unreadable<T, E>(found: Result<T, Error<E>>) -> Result<Result<T, Error<E>>, Error<E>> {
    match found {
        Err(error @ (Error::Read { .. } | Error::Stopped)) => Err(error),
        found => Ok(found),
    }
}

/// Where the volume begins of which `partition` is a part, if a table has one there.
fn outer_volume<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    partitions: &Partitions,
    partition: &Partition,
    disk_bytes: u64,
) -> Result<Option<u64>, Error<D::Error>> {
    for outer in partitions.iter().filter(|outer| outer.holds(partition)) {
        if unless_unreadable(outer.open(store, disk_bytes))?.is_ok() {
            return Ok(Some(outer.start_bytes));
        }
    }
    Ok(None)
}

/// Where a partition begins that lies within the whole disk's volume of `size_bytes` and has a
/// volume of its own.
fn inner_volume<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    partitions: &Partitions,
    size_bytes: u64,
    disk_bytes: u64,
) -> Result<Option<u64>, Error<D::Error>> {
    let inside = |partition: &&Partition| (1..size_bytes).contains(&partition.start_bytes);
    for inner in partitions.iter().filter(inside) {
        if unless_unreadable(inner.open(store, disk_bytes))?.is_ok() {
            return Ok(Some(inner.start_bytes));
        }
    }
    Ok(None)
}

impl<D, B> fmt::Debug for Volume<D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("info", &self.superblock.info).finish_non_exhaustive()
    }
}
