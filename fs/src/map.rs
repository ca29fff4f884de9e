//! The block map: which blocks of the disk hold which bytes of a file. Three levels of indirect
//! blocks at most, by construction, so a loop among them cannot hang; each request looks at no more
//! pointers than its size calls for.

use crate::error::{Error, Place};
use crate::inode::pointer;
use crate::store::Slot;
use crate::{Inode, Kind, ReadBlocks, Volume};

/// Direct pointers in an inode.
const DIRECT: u64 = 12;
/// How many runs [`Volume::next_extent`] merges at most, so that it ends soon whatever the map
/// says.
const MERGE_MAX: usize = 64;

/// A range of a file that lies in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where in the file, in bytes.
    pub file_offset: u64,
    /// How long, in bytes; it ends with the file at the latest.
    pub len: u64,
    /// Where on the whole disk, partition included, in bytes, as aligned as the offset in the file
    /// is to a sector; `None` for a hole, which reads as zeros.
    pub disk_offset: Option<u64>,
}

/// Blocks of a file that follow each other on the disk, or in a hole.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// The first block's address in fragments.
    pub(crate) address: Option<u64>,
    /// How many blocks, at least 1.
    pub(crate) blocks: u64,
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// The extent that begins at `file_offset`, or `None` at the file's end. It reaches as far as
    /// neighbours on the disk can be told with a bounded amount of work: an extent that ends early
    /// is followed by its continuation.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::Corrupt`] for a pointer that leads out of the data areas.
    pub fn next_extent(
        &mut self,
        inode: &Inode,
        file_offset: u64,
    ) -> Result<Option<Extent>, Error<D::Error>> {
        if inode.kind != Kind::File {
            return Err(Error::NotAFile);
        }
        if file_offset >= inode.size_bytes {
            return Ok(None);
        }
        let block_bytes = u64::from(self.superblock.info.block_bytes);
        let (first, within) = (file_offset / block_bytes, file_offset % block_bytes);
        let end = inode.size_bytes.div_ceil(block_bytes);
        let mut extent = self.run(inode, first, end - first)?;
        for _ in 1..MERGE_MAX {
            let next = first + extent.blocks;
            if next >= end {
                break;
            }
            let run = self.run(inode, next, end - next)?;
            let follows = extent.address.map(|at| at + extent.blocks * self.superblock.fragments);
            if run.address != follows {
                break;
            }
            extent.blocks += run.blocks;
        }
        let rest = inode.size_bytes - file_offset;
        let len = (extent.blocks * block_bytes - within).min(rest);
        let start = self.store.start_bytes();
        let disk_offset = extent.address.map(|address| start + self.bytes_at(address) + within);
        Ok(Some(Extent { file_offset, len, disk_offset }))
    }

    /// Where a fragment is in the volume, in bytes.
    pub(crate) fn bytes_at(&self, address: u64) -> u64 {
        address * u64::from(self.superblock.info.fragment_bytes)
    }

    /// How many fragments a block of a file has: all, but for the last block of a small file.
    pub(crate) fn fragments_of(&self, inode: &Inode, block: u64) -> u64 {
        let tail = inode.size_bytes.saturating_sub(block << self.superblock.block_shift);
        let all = self.superblock.fragments;
        if block >= DIRECT {
            return all;
        }
        tail.div_ceil(self.superblock.info.fragment_bytes.into()).clamp(1, all)
    }

    /// The run that begins with `block`, of at most `max` blocks. Both are inside the file.
    pub(crate) fn run(
        &mut self,
        inode: &Inode,
        block: u64,
        max: u64,
    ) -> Result<Run, Error<D::Error>> {
        let Some(mut rest) = block.checked_sub(DIRECT) else {
            return self.direct_run(inode, block, max);
        };
        let superblock = &self.superblock;
        let (version, endian) = (superblock.info.version, superblock.info.endian);
        let pointers = superblock.pointers_per_block;
        let (fragments, block_bytes) = (superblock.fragments, superblock.info.block_bytes as usize);
        // The level whose tree holds the block, and how many blocks one of its pointers spans.
        let (mut level, mut span) = (1, pointers);
        while rest >= span && level < 3 {
            rest -= span;
            span *= pointers;
            level += 1;
        }
        let mut address = inode.pointer(DIRECT as usize + level - 1, version, endian);
        loop {
            if address == 0 {
                return Ok(Run { address: None, blocks: (span - rest).min(max) });
            }
            let place = Place::Indirect { inode: inode.number, level, block };
            let checked = self.superblock.check_pointer(place, address, fragments)?;
            let at = self.bytes_at(checked);
            let slot = [Slot::Single, Slot::Double, Slot::Triple][level - 1];
            let table = self.store.block(slot, at, block_bytes)?;
            span /= pointers;
            let index = (rest / span) as usize;
            let pointer_at = |index| pointer(table, index, version, endian);
            if level == 1 {
                let left = (pointers - rest).min(max);
                let place = |after| Place::FileBlock { inode: inode.number, block: block + after };
                let mut blocks = 1;
                let first = pointer_at(index);
                if first == 0 {
                    while blocks < left && pointer_at(index + blocks as usize) == 0 {
                        blocks += 1;
                    }
                    return Ok(Run { address: None, blocks });
                }
                let address = self.superblock.check_pointer(place(0), first, fragments)?;
                while blocks < left {
                    let next = address + blocks * fragments;
                    let pointer = pointer_at(index + blocks as usize);
                    if pointer != next.cast_signed() {
                        break;
                    }
                    self.superblock.check_pointer(place(blocks), pointer, fragments)?;
                    blocks += 1;
                }
                return Ok(Run { address: Some(address), blocks });
            }
            address = pointer_at(index);
            rest %= span;
            level -= 1;
        }
    }

    /// A run among the direct pointers, the last of which may be of fragments.
    fn direct_run(&self, inode: &Inode, block: u64, max: u64) -> Result<Run, Error<D::Error>> {
        let info = &self.superblock.info;
        let pointer_at = |block: u64| inode.pointer(block as usize, info.version, info.endian);
        let check = |block: u64| {
            let place = Place::FileBlock { inode: inode.number, block };
            let fragments = self.fragments_of(inode, block);
            self.superblock.check_pointer(place, pointer_at(block), fragments)
        };
        let end = DIRECT.min(block + max);
        let mut next = block + 1;
        if pointer_at(block) == 0 {
            while next < end && pointer_at(next) == 0 {
                next += 1;
            }
            return Ok(Run { address: None, blocks: next - block });
        }
        let address = check(block)?;
        while next < end {
            let follows = address + (next - block) * self.superblock.fragments;
            if pointer_at(next) != follows.cast_signed() {
                break;
            }
            check(next)?;
            next += 1;
        }
        Ok(Run { address: Some(address), blocks: next - block })
    }
}
