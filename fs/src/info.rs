//! Description of a volume that was found.

use core::fmt;

use crate::endian::Endian;
use crate::error::Corrupt;
use crate::partition::PartitionName;

/// Format of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// FFSv1, UFS1: 32-bit block pointers, inodes of 128 bytes.
    Ffs1,
    /// FFSv2, UFS2: 64-bit block pointers, inodes of 256 bytes.
    Ffs2,
}

/// `UFS1` or `UFS2`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Version::Ffs1 => "UFS1",
            Version::Ffs2 => "UFS2",
        })
    }
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
    /// Name of the partition; [`PartitionName::DISK`] for the whole disk.
    pub partition: PartitionName,
    /// Number of cylinder groups.
    pub group_count: u32,
    /// Number of inodes, used or not; their numbers are below this.
    pub inode_count: u32,
    /// Flag, a warning: the volume was not unmounted, needs fsck, or has a journal to replay.
    pub dirty: bool,
    /// Warnings: doubts whether this is the volume that is meant, and whole.
    pub doubts: Doubts,
    /// `fs_flags`.
    pub flags: u32,
    /// `fs_id`: the time when the volume was made, and a random number.
    pub id: [u32; 2],
    /// `fs_volname`, padded with zeros; empty for UFS1 volumes older than that field.
    pub name: [u8; 32],
}

impl Info {
    /// Adds a warning. There is room for one of each kind, and one choice between volumes.
    pub(crate) fn doubt(&mut self, doubt: Doubt) {
        let _ = self.doubts.push(doubt);
    }
}

/// Warnings about the choice of a volume, at most one of each kind.
pub type Doubts = heapless::Vec<Doubt, 5>;

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
    /// The partition ends beyond the disk.
    PastEnd {
        /// End of the partition by its table, in bytes on the disk.
        end_bytes: u64,
        /// Size of the disk in bytes.
        disk_bytes: u64,
    },
    /// The GPT at the disk's beginning is gone or broken, and its copy at the disk's end was read.
    BackupGpt,
    /// The partition table counts in sectors of another size than 512.
    Sectors {
        /// Size of these sectors in bytes.
        sector_bytes: u64,
    },
    /// The first superblock is gone, and an alternate was read. What is in it may be as old as the
    /// volume.
    Alternate {
        /// Offset of the superblock that was read, in bytes in the partition.
        at_bytes: u64,
        /// Offset of the first superblock, in bytes in the partition.
        first_bytes: u64,
    },
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
            Doubt::PastEnd { end_bytes, disk_bytes } => write!(
                f,
                "the partition ends at byte {end_bytes}, beyond the disk's end at {disk_bytes}"
            ),
            Doubt::BackupGpt => write!(
                f,
                "the GPT at the disk's beginning is missing or broken; reading its copy at the \
                 disk's end"
            ),
            Doubt::Sectors { sector_bytes } => {
                write!(f, "the partition table counts in sectors of {sector_bytes} bytes")
            }
            Doubt::Alternate { at_bytes, first_bytes } => write!(
                f,
                "there is no superblock at {first_bytes}; reading an alternate at {at_bytes}, \
                 which may be older"
            ),
        }
    }
}
