//! Reads FFS, the file system of the BSDs: FFSv1 (UFS1) and FFSv2 (UFS2), of either byte order, on
//! a whole disk or behind an MBR, a GPT or a BSD disklabel.
//!
//! ```
//! # fn run(disk: &[u8]) -> Result<(), fs::Error<fs::PastEnd>> {
//! let mut volume = fs::Volume::mount(fs::Image(disk), vec![0; fs::SCRATCH_BYTES])?;
//! let file = volume.lookup(b"/etc/motd")?;
//! let mut text = [0; 4096];
//! let len = volume.read_at(&file, 0, &mut text)?;
//! # let _ = len;
//! # Ok(())
//! # }
//! # assert_eq!(run(&[0; 512]).unwrap_err(), fs::Error::NotFfs);
//! ```
//!
//! The crate assumes nothing but [`ReadBlocks`]. It allocates nothing: the caller lends
//! [`SCRATCH_BYTES`], in which one block for each purpose is cached. The disk is not trusted:
//! every value is checked before it is used, every pointer must lead into a data area of the
//! volume, and a request does work in proportion to its size, or to the directory it searches, and
//! no more. An answer that would be a guess is an [`Error`]; one that is right although the volume
//! is not clean comes with a [`Warning`] ([`Volume::next_warning`]).

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod dir;
mod endian;
mod error;
mod file;
mod group;
mod hash;
mod info;
mod inode;
mod limits;
mod map;
mod mount;
mod partition;
mod path;
mod store;
mod superblock;
#[cfg(test)]
mod tests;
mod volume;
mod warning;

pub use dir::{DirCursor, Entry};
pub use endian::Endian;
pub use error::{Corrupt, Error, Foreign, Place};
pub use info::{Doubt, Doubts, Info, Version};
pub use inode::{Inode, Kind, ROOT};
pub use limits::{LINKS_MAX, PATH_BYTES_MAX, SCRATCH_BYTES};
pub use map::Extent;
pub use partition::{
    GptLabel, NoSuchPartition, NotAName, PARTITIONS_MAX, Partition, PartitionKind, PartitionName,
    Partitions, Tables, partitions,
};
pub use volume::{MOUNTED_ON_BYTES, Volume};
pub use warning::Warning;

/// A disk to read from.
pub trait ReadBlocks {
    /// Error of a read.
    type Error: core::fmt::Display + core::fmt::Debug;

    /// Returns the disk's size in bytes, a multiple of 512.
    fn size_bytes(&self) -> u64;

    /// Fills `buffer` from `offset_bytes`; both it and the length are multiples of 512, and the
    /// range is inside the size.
    ///
    /// # Errors
    /// The disk's own.
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), Self::Error>;

    /// Returns whether the request under way is to end now, with [`Error::Stopped`]. Called before
    /// each access to a block and each piece of a hole: a hostile volume can make a request take
    /// hours without a read.
    fn is_stopped(&mut self) -> bool {
        false
    }
}

impl<D: ReadBlocks + ?Sized> ReadBlocks for &mut D {
    type Error = D::Error;

    fn size_bytes(&self) -> u64 {
        (**self).size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), Self::Error> {
        (**self).read(offset_bytes, buffer)
    }

    fn is_stopped(&mut self) -> bool {
        (**self).is_stopped()
    }
}

/// A disk in memory. An incomplete sector at its end is left out.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a>(pub &'a [u8]);

/// A read past the end of an [`Image`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastEnd {
    /// Size of the image in bytes.
    pub size_bytes: usize,
}

impl core::fmt::Display for PastEnd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "past the image's end at {}", self.size_bytes)
    }
}

impl ReadBlocks for Image<'_> {
    type Error = PastEnd;

    fn size_bytes(&self) -> u64 {
        self.0.len() as u64 & !511
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), PastEnd> {
        let rest = usize::try_from(offset_bytes).ok().and_then(|offset| self.0.get(offset..));
        let bytes = rest.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(PastEnd { size_bytes: self.0.len() })?);
        Ok(())
    }
}
