//! Block map: which blocks of the disk hold which bytes of a file. There are at most three levels
//! of indirect blocks, by construction, so a loop among them can't hang; each request reads no more
//! pointers than its size calls for.

use crate::error::{Corrupt, Error, Place};
use crate::inode::pointer;
use crate::store::Slot;
use crate::superblock::Superblock;
use crate::{Inode, Kind, ReadBlocks, Volume};

/// Direct pointers in an inode.
const DIRECT: u64 = 12;
/// Most runs that [`Volume::next_extent`] merges: it ends soon whatever the map says.
const MERGE_MAX: usize = 64;
/// Pointers to a file's block in a snapshot that are no addresses (`sys/ufs/ffs/fs.h`): the block
/// was free when the snapshot was taken, or belongs to another snapshot. Both read as zeros. They
/// never stand for an indirect block, for a snapshot has those from the beginning.
const BLK_NOCOPY: i64 = 1;
const BLK_SNAP: i64 = 2;

/// Range of a file that lies in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset in the file in bytes.
    pub file_offset: u64,
    /// Length in bytes; it ends with the file at the latest.
    pub len: u64,
    /// Offset on the whole disk in bytes: a multiple of 512 if the offset in the file is one.
    /// `None` for a hole, which reads as zeros.
    pub disk_offset: Option<u64>,
}

/// Blocks of a file that follow each other on the disk, or in a hole.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Address of the first block in fragments; `None` for a hole.
    pub(crate) address: Option<u64>,
    /// Number of blocks, at least 1.
    pub(crate) blocks: u64,
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Returns the extent that begins at `file_offset`, or `None` at the file's end. It reaches as
    /// far as neighbours on the disk can be found with a bounded amount of work: an extent that
    /// ends early is followed by its continuation. A snapshot shares extents with the live volume:
    /// they must not be written.
    ///
    /// # Errors
    /// [`Error::NotAFile`]; [`Error::InvalidSnapshot`]; [`Error::Corrupt`] for a pointer that leads
    /// out of the data areas.
    pub fn next_extent(
        &mut self,
        inode: &Inode,
        file_offset: u64,
    ) -> Result<Option<Extent>, Error<D::Error>> {
        if inode.kind != Kind::File {
            return Err(Error::NotAFile);
        }
        if !inode.has_contents() {
            return Err(Error::InvalidSnapshot);
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
        let disk_offset =
            extent.address.map(|address| start + self.superblock.bytes_at(address) + within);
        Ok(Some(Extent { file_offset, len, disk_offset }))
    }

    /// Returns the run that begins with `block`, of at most `max` blocks. Both are inside the file.
    pub(crate) fn run(
        &mut self,
        inode: &Inode,
        block: u64,
        max: u64,
    ) -> Result<Run, Error<D::Error>> {
        let superblock = &self.superblock;
        let (version, endian) = (superblock.info.version, superblock.info.endian);
        let pointers = superblock.pointers_per_block;
        let Some(mut rest) = block.checked_sub(DIRECT) else {
            let end = DIRECT.min(block.saturating_add(max));
            let run = (block..end).map(|block| inode.pointer(block as usize, version, endian));
            return Ok(merge(superblock, inode, block, run)?);
        };
        // The level whose tree holds the block, and how many blocks that tree holds.
        let (mut level, mut span) = (1, pointers);
        while rest >= span && level < 3 {
            rest -= span;
            span *= pointers;
            level += 1;
        }
        let mut address = inode.pointer(DIRECT as usize + level - 1, version, endian);
        // Downwards, level by level; `rest` counts from the first block below `address`.
        while address != 0 {
            let place = Place::Indirect { inode: inode.number, level, block };
            let checked = superblock.check_pointer(place, address, superblock.fragments)?;
            let at = superblock.bytes_at(checked);
            let slot = [Slot::Single, Slot::Double, Slot::Triple][level - 1];
            let table = self.store.block(slot, at, superblock.info.block_bytes as usize)?;
            let pointer_at = |index: u64| pointer(table, index as usize, version, endian);
            span /= pointers;
            let index = rest / span;
            if level == 1 {
                let end = pointers.min(index.saturating_add(max));
                return Ok(merge(superblock, inode, block, (index..end).map(pointer_at))?);
            }
            rest %= span;
            level -= 1;
            address = pointer_at(index);
            if address == 0 {
                let end = pointers.min(index + max / span + 2);
                let empty = (index..end).take_while(|index| pointer_at(*index) == 0).count();
                span *= empty as u64;
            }
        }
        // An inode of another volume may exceed this one's map; then there is no tree to leave.
        let blocks = span.saturating_sub(rest).max(1).min(max);
        if !inode.is_snapshot() {
            return Ok(Run { address: None, blocks });
        }
        let address = superblock.check_live(inode, block)?;
        let blocks = blocks.min((superblock.end - address) / superblock.fragments);
        Ok(Run { address: Some(address), blocks })
    }
}

/// Returns the address that the pointer to `block` of a file stands for, unchecked; `None` where
/// the file reads as zeros.
fn target(superblock: &Superblock, inode: &Inode, block: u64, pointer: i64) -> Option<i64> {
    match (inode.is_snapshot(), pointer) {
        (false, 0) | (true, BLK_NOCOPY | BLK_SNAP) => None,
        (true, 0) => Some((block * superblock.fragments).cast_signed()),
        _ => Some(pointer),
    }
}

/// Returns the run at the start of `pointers`, which are those to `block` and the blocks after it.
fn merge(
    superblock: &Superblock,
    inode: &Inode,
    block: u64,
    mut pointers: impl Iterator<Item = i64>,
) -> Result<Run, Corrupt> {
    let target = |block, pointer| target(superblock, inode, block, pointer);
    let check = |block, pointer| {
        if inode.is_snapshot() && pointer == 0 {
            return superblock.check_live(inode, block);
        }
        let place = Place::FileBlock { inode: inode.number, block };
        superblock.check_pointer(place, pointer, superblock.fragments_of(inode, block))
    };
    let first = pointers.next().unwrap_or(0);
    let mut rest = (block + 1..).zip(pointers);
    if target(block, first).is_none() {
        let holes = rest.take_while(|(block, pointer)| target(*block, *pointer).is_none()).count();
        return Ok(Run { address: None, blocks: 1 + holes as u64 });
    }
    let address = check(block, first)?;
    let mut blocks = 1;
    let follows = |blocks: u64| Some((address + blocks * superblock.fragments).cast_signed());
    for (block, pointer) in rest.by_ref() {
        if target(block, pointer) != follows(blocks) {
            break;
        }
        check(block, pointer)?;
        blocks += 1;
    }
    Ok(Run { address: Some(address), blocks })
}

impl Superblock {
    /// Returns the address of a snapshot's block that has not changed: that of the volume's block
    /// of the same number, whatever it belongs to. It must lie inside the volume.
    fn check_live(&self, inode: &Inode, block: u64) -> Result<u64, Corrupt> {
        let address = block * self.fragments;
        let inside = address + self.fragments <= self.end;
        let place = Place::FileBlock { inode: inode.number, block };
        place.check(inside, "snapshot's block", block, "one of the volume")?;
        Ok(address)
    }

    /// Returns the offset of a fragment in the volume in bytes.
    pub(crate) fn bytes_at(&self, address: u64) -> u64 {
        address * u64::from(self.info.fragment_bytes)
    }

    /// Returns the number of fragments that a block of a file has: all, except in the last block of
    /// a small file.
    pub(crate) fn fragments_of(&self, inode: &Inode, block: u64) -> u64 {
        if block >= DIRECT {
            return self.fragments;
        }
        let tail = inode.size_bytes.saturating_sub(block << self.block_shift);
        tail.div_ceil(self.info.fragment_bytes.into()).clamp(1, self.fragments)
    }
}
