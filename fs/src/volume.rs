//! Mounted volume: what all of its parts share.

use crate::endian::Endian;
use crate::error::{Corrupt, Error, Place};
use crate::group::Groups;
use crate::partition::{Partition, Partitions, Tables, search};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Inode, Kind, ReadBlocks};
use core::fmt;

/// Inode number of the root directory.
pub const ROOT: u32 = 2;

/// Format of a volume.
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

/// Description of a volume by its superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Format: FFSv1 or FFSv2.
    pub version: Version,
    /// Byte order of the machine that it was made for.
    pub endian: Endian,
    /// Block size in bytes, 4096 to 65536.
    pub block_bytes: u32,
    /// Fragment size in bytes: a block's 1/1, 1/2, 1/4 or 1/8. The last block of a small file has
    /// as many fragments as it needs.
    pub fragment_bytes: u32,
    /// Size of the volume in bytes, by its superblock.
    pub size_bytes: u64,
    /// Offset of the superblock in the partition in bytes.
    pub superblock_offset_bytes: u64,
    /// Offset of the partition on the disk in bytes.
    pub partition_start_bytes: u64,
    /// Size of the partition in bytes. A part of the volume beyond it can't be read.
    pub partition_size_bytes: u64,
    /// Number of cylinder groups.
    pub group_count: u32,
    /// Number of inodes, used or not; their numbers are below this.
    pub inode_count: u32,
    /// Whether the volume was not unmounted, needs fsck, or has a journal to replay: a warning.
    pub dirty: bool,
    /// Doubt whether this is the volume that is meant: a warning.
    pub doubt: Option<Doubt>,
    /// `fs_flags`.
    pub flags: u32,
    /// `fs_id`: the time when the volume was made, and a random number.
    pub id: [u32; 2],
    /// `fs_volname`, padded with zeros; empty for UFS1 volumes older than that field.
    pub name: [u8; 32],
}

/// Reason why the mounted volume may not be the one that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A partition's volume was taken, and another was passed over that begins in front of it, with
    /// the whole disk or with the slice: a partition table or label was written over that.
    PassedOver {
        /// Start of the volume that was passed over, in bytes on the disk.
        start_bytes: u64,
        /// Start of the volume that was taken, in bytes on the disk.
        taken_bytes: u64,
    },
    /// The whole disk's volume was taken, and another was passed over that lies within it.
    InnerVolume {
        /// Start of the volume that was passed over, in bytes on the disk.
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
                 byte {start_bytes}, in front of it, is assumed to be stale"
            ),
            Doubt::InnerVolume { start_bytes } => write!(
                f,
                "reading the file system of the whole disk; another one in the partition at byte \
                 {start_bytes} is ignored"
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

/// Mounted volume, for reading. `D` is the disk, `B` the scratch memory.
pub struct Volume<D, B> {
    pub(crate) store: Store<D, B>,
    pub(crate) superblock: Superblock,
    pub(crate) groups: Groups,
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Mounts the volume of the first partition that has one, if a valid table leaves the disk's
    /// beginning unused; else that of the whole disk, and if there is none, that of the first
    /// partition that has one. [`Info::doubt`] reports a choice. `scratch` is at least
    /// [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
    ///
    /// # Errors
    /// [`Error::NotFfs`] when no superblock was found; the error of the first broken one when none
    /// was good; errors of the disk.
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

    /// Returns the description of the volume by its superblock.
    pub fn info(&self) -> &Info {
        &self.superblock.info
    }

    /// Returns the root directory.
    ///
    /// # Errors
    /// As [`inode`](Self::inode).
    pub fn root(&mut self) -> Result<Inode, Error<D::Error>> {
        self.inode(ROOT)
    }
}

/// Separates errors of the disk from a volume that is missing or broken.
fn unless_unreadable<T, E>(found: Result<T, Error<E>>) -> Result<Result<T, Error<E>>, Error<E>> {
    match found {
        Err(error @ (Error::Read { .. } | Error::Stopped)) => Err(error),
        found => Ok(found),
    }
}

/// Returns the start of the volume that `partition` is a part of, if a table has one there.
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

/// Returns the start of a partition that lies within the whole disk's volume of `size_bytes` and
/// has a volume of its own.
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
