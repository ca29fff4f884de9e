//! Contents of files and targets of symlinks. Whole sectors go from the disk to the caller's
//! buffer, as many at once as lie together; only the edges pass through the scratch memory.

use crate::error::Error;
use crate::store::Slot;
use crate::superblock::Superblock;
use crate::{Inode, Kind, ReadBlocks, Volume};

const SECTOR_BYTES: u64 = 512;
/// Number of pointers in an inode.
const DIRECT_AND_INDIRECT: u32 = 15;

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Reads from `offset` of a regular file; returns the number of bytes: `buffer`'s length, or
    /// less at the file's end. The rest of the buffer is left alone. Holes read as zeros, and so
    /// does what a snapshot did not need to keep.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::InvalidSnapshot`]; [`Error::Corrupt`] for a pointer that leads
    /// out of the data areas; errors of the disk.
    pub fn read_at(
        &mut self,
        inode: &Inode,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Error<D::Error>> {
        match inode.kind {
            Kind::File if !inode.has_contents() => Err(Error::InvalidSnapshot),
            Kind::File => self.read_contents(inode, offset, buffer),
            _ => Err(Error::NotAFile),
        }
    }

    /// Reads a symlink's target from its beginning, as [`read_at`](Self::read_at) does.
    ///
    /// # Errors
    /// [`Error::NotALink`], and as [`read_at`](Self::read_at).
    pub fn readlink(&mut self, inode: &Inode, buffer: &mut [u8]) -> Result<usize, Error<D::Error>> {
        if inode.kind != Kind::Symlink {
            return Err(Error::NotALink);
        }
        if !self.superblock.is_inline(inode) {
            return self.read_contents(inode, 0, buffer);
        }
        let target = inode.area.get(..inode.size_bytes as usize).unwrap_or_default();
        let len = target.len().min(buffer.len());
        buffer[..len].copy_from_slice(&target[..len]);
        Ok(len)
    }

    fn read_contents(
        &mut self,
        inode: &Inode,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Error<D::Error>> {
        let block_bytes = u64::from(self.superblock.info.block_bytes);
        let len = inode.size_bytes.saturating_sub(offset).min(buffer.len() as u64);
        // Fits: it is no more than the buffer's length.
        let buffer = &mut buffer[..len as usize];
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            let (block, within) = (at / block_bytes, at % block_bytes);
            let blocks = (within + rest.len() as u64).div_ceil(block_bytes);
            let run = self.run(inode, block, blocks)?;
            let run_bytes = (run.blocks * block_bytes - within).min(rest.len() as u64);
            let piece = &mut rest[..run_bytes as usize];
            done += match run.address {
                None => {
                    self.store.go_on()?;
                    piece.fill(0);
                    piece.len()
                }
                Some(address) => self.read_piece(inode, block, address, within, piece)?,
            };
        }
        Ok(done)
    }

    /// Reads the beginning of `piece`, up to where the way to read it changes. It lies in one run,
    /// which begins with `block` at `address`.
    fn read_piece(
        &mut self,
        inode: &Inode,
        block: u64,
        address: u64,
        within: u64,
        piece: &mut [u8],
    ) -> Result<usize, Error<D::Error>> {
        let at = self.superblock.bytes_at(address);
        let sectors = piece.len() & !(SECTOR_BYTES as usize - 1);
        if within.is_multiple_of(SECTOR_BYTES) && sectors > 0 {
            self.store.read(at + within, &mut piece[..sectors])?;
            return Ok(sectors);
        }
        // An edge: its part in this sector comes from the cached block.
        let to_sector = (SECTOR_BYTES - within % SECTOR_BYTES) as usize;
        let len = piece.len().min(to_sector);
        let fragments = self.superblock.fragments_of(inode, block);
        let held_bytes = fragments * u64::from(self.superblock.info.fragment_bytes);
        let held = self.store.block(Slot::Data, at, held_bytes as usize)?;
        let start = within as usize;
        let Some(bytes) = held.get(start..start + len) else {
            let size_bytes = self.store.size_bytes();
            return Err(Error::Outside { offset_bytes: at + within, len_bytes: len, size_bytes });
        };
        piece[..len].copy_from_slice(bytes);
        Ok(len)
    }
}

impl Superblock {
    /// Returns whether a symlink's target takes the place of its pointers: one below
    /// `fs_maxsymlinklen`, and where that has no meaning, one that has no blocks.
    fn is_inline(&self, link: &Inode) -> bool {
        let room = u64::from(DIRECT_AND_INDIRECT * self.info.version.pointer_bytes());
        link.size_bytes < self.inline_link_bytes
            || (self.old_inodes && link.blocks == 0 && link.size_bytes <= room)
    }
}
