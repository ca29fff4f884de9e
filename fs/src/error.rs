//! Errors of a request, a disk or a volume. An error about a volume names the structure, the field
//! and the value.

use core::fmt;

/// Reason why a request failed. `E` is the disk's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// A read of the disk failed.
    Read {
        /// Offset on the disk in bytes.
        offset_bytes: u64,
        /// Length of the read in bytes.
        len_bytes: usize,
        /// Error of the disk.
        error: E,
    },
    /// The disk asked for the request to end ([`is_stopped`](crate::ReadBlocks::is_stopped)).
    Stopped,
    /// A structure refers to bytes outside the disk or partition.
    Outside {
        /// Offset in the partition in bytes.
        offset_bytes: u64,
        /// Length of the read in bytes.
        len_bytes: usize,
        /// Size of the partition in bytes.
        size_bytes: u64,
    },
    /// The scratch memory is smaller than [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
    Scratch {
        /// Size of the scratch memory in bytes.
        len_bytes: usize,
    },
    /// No superblock at any of the four places, and none behind a partition table.
    NotFfs,
    /// No volume was found, but a partition table that is not read.
    Foreign(Foreign),
    /// The volume or the partition table contradicts itself.
    Corrupt(Corrupt),
    /// A path does not begin with `/`.
    NotAbsolute,
    /// A path, with the symlinks in it replaced, is longer than
    /// [`PATH_BYTES_MAX`](crate::PATH_BYTES_MAX).
    PathTooLong,
    /// A path leads through more than [`LINKS_MAX`](crate::LINKS_MAX) symlinks.
    TooManyLinks,
    /// A path leads through so many large directories that no volume has a reason for it.
    SearchTooLong,
    /// A name is not in its directory.
    NotFound,
    /// A path leads through an inode that is not a directory, or a directory was needed.
    NotADirectory,
    /// The inode is not a regular file, and only those have contents to read.
    NotAFile,
    /// The inode is not a symlink, and only those have a target.
    NotALink,
    /// The file is a snapshot that is marked as invalid (`SF_SNAPINVAL`): the volume was changed
    /// without it.
    InvalidSnapshot,
}

/// Impossible value in a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Structure that has it.
    pub place: Place,
    /// Name of the field in the BSDs' headers.
    pub field: &'static str,
    /// Value of the field.
    pub value: i128,
    /// Description of the values that are allowed.
    pub must: &'static str,
}

/// Structure on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An entry of the master boot record: its number from 1, logical partitions from 5.
    Mbr(u32),
    /// The GPT's header (0) or an entry, from 1.
    Gpt(u32),
    /// A BSD disklabel (0) or a partition in it, from 1 (`a`).
    Disklabel(u32),
    /// `struct fs` at this offset in bytes.
    Superblock(u64),
    /// `struct cg` of this cylinder group.
    Group(u32),
    /// The inode of this number.
    Inode(u32),
    /// The pointer to a block of a file.
    FileBlock {
        /// The file's inode.
        inode: u32,
        /// The block's number in the file.
        block: u64,
    },
    /// The pointer to an indirect block.
    Indirect {
        /// The file's inode.
        inode: u32,
        /// 1 for a single indirect block, to 3.
        level: usize,
        /// The first block of the file that was looked for there.
        block: u64,
    },
    /// A directory's entry.
    Directory {
        /// The directory's inode.
        inode: u32,
        /// The entry's offset in the directory, in bytes.
        offset: u64,
    },
}

/// Partition table that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Apple's partition map.
    Apple,
    /// Label of SunOS and of Solaris on SPARC, with or without a VTOC in it.
    Sun,
    /// DragonFly BSD's `disklabel64`.
    DragonFly,
    /// Label of NeXTSTEP, OPENSTEP and Rhapsody.
    Next,
    /// VTOC of Solaris on x86, in a slice.
    Solaris,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Apple => "an Apple partition map",
            Foreign::Sun => "a Sun disklabel",
            Foreign::DragonFly => "a DragonFly disklabel64",
            Foreign::Next => "a NeXT disklabel",
            Foreign::Solaris => "a Solaris x86 VTOC",
        })
    }
}

impl<E> From<Corrupt> for Error<E> {
    fn from(corrupt: Corrupt) -> Self {
        Error::Corrupt(corrupt)
    }
}

impl Place {
    /// Returns `Ok` if `holds`, else the error that this place's field has a value that is not
    /// `must`.
    pub(crate) fn check(
        self,
        holds: bool,
        field: &'static str,
        value: impl Into<i128>,
        must: &'static str,
    ) -> Result<(), Corrupt> {
        if holds { Ok(()) } else { Err(Corrupt { place: self, field, value: value.into(), must }) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Mbr(entry) => write!(f, "MBR, entry {entry}"),
            Place::Gpt(0) => write!(f, "GPT header"),
            Place::Gpt(entry) => write!(f, "GPT, entry {entry}"),
            Place::Disklabel(0) => write!(f, "disklabel"),
            Place::Disklabel(entry) => write!(f, "disklabel, partition {entry}"),
            Place::Superblock(offset) => write!(f, "superblock at {offset}"),
            Place::Group(number) => write!(f, "cylinder group {number}"),
            Place::Inode(number) => write!(f, "inode {number}"),
            Place::FileBlock { inode, block } => write!(f, "inode {inode}, file block {block}"),
            Place::Indirect { inode, level, block } => {
                write!(f, "inode {inode}, indirect block of level {level} for file block {block}")
            }
            Place::Directory { inode, offset } => {
                write!(f, "directory inode {inode}, offset {offset}")
            }
        }
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {} is not {}", self.place, self.field, self.value, self.must)
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read { offset_bytes, len_bytes, error } => {
                write!(f, "reading {len_bytes} bytes at {offset_bytes} of the disk: {error}")
            }
            Error::Stopped => write!(f, "stopped before the end, as requested"),
            Error::Outside { offset_bytes, len_bytes, size_bytes } => {
                write!(f, "{len_bytes} bytes at {offset_bytes} lie outside the volume's ")?;
                write!(f, "{size_bytes} bytes; is the disk or image cut short?")
            }
            Error::Scratch { len_bytes } => {
                write!(f, "scratch of {len_bytes} bytes is too small; {} ", crate::SCRATCH_BYTES)?;
                write!(f, "are needed")
            }
            Error::NotFfs => {
                write!(f, "not FFS: no superblock at 65536, 8192, 0 or 262144, nor in a partition")
            }
            Error::Foreign(table) => write!(f, "not FFS: this disk has {table}, which is not read"),
            Error::Corrupt(corrupt) => corrupt.fmt(f),
            Error::NotAbsolute => write!(f, "the path does not begin with /"),
            Error::PathTooLong => {
                write!(f, "the path, its symlinks replaced, exceeds {} ", crate::PATH_BYTES_MAX)?;
                write!(f, "bytes")
            }
            Error::TooManyLinks => {
                write!(f, "the path leads through more than {} symlinks", crate::LINKS_MAX)
            }
            Error::SearchTooLong => {
                write!(f, "the path leads through too many large directories")
            }
            Error::NotFound => write!(f, "no such file or directory"),
            Error::NotADirectory => write!(f, "not a directory"),
            Error::NotAFile => write!(f, "not a regular file"),
            Error::NotALink => write!(f, "not a symlink"),
            Error::InvalidSnapshot => {
                write!(f, "a snapshot that is marked as invalid; its contents are lost")
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for Error<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_structure_field_and_value() {
        let place = Place::Directory { inode: 2, offset: 512 };
        let error: Error<&str> =
            place.check(false, "d_reclen", 3, "a multiple of 4").unwrap_err().into();
        let text = "directory inode 2, offset 512: d_reclen 3 is not a multiple of 4";
        assert_eq!(error.to_string(), text);
        assert_eq!(place.check(true, "d_reclen", 4, "a multiple of 4"), Ok(()));
    }
}
