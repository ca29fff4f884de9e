//! Search for an alternate superblock, when the first is gone: every cylinder group has a copy.
//! Where those are is known from a superblock alone, so they are searched for in steps; one counts
//! if, by its own fields, it is where a group of a volume that begins with the window has its copy.

use super::Superblock;
use super::layout::{MAGIC, READ_BYTES};
use super::search::{FS_UFS1_MAGIC, FS_UFS2_MAGIC, FS_UFS2EA_MAGIC, PLACES, decode};
use crate::ReadBlocks;
use crate::error::Error;
use crate::info::Doubt;
use crate::limits::BLOCK_BYTES_MAX;
use crate::store::{Slot, Store};

/// Most bytes that are searched for alternates in one request: newfs makes groups of some hundred
/// MiB, and the second one begins after that.
pub(crate) const SEARCHED_BYTES_MAX: u64 = 1 << 30;
/// Alignment of the copies in bytes: that of the smallest block.
const STEP_BYTES: usize = 4096;
/// Most superblocks that are looked at in vain.
const CANDIDATES_MAX: usize = 64;

/// Search of a window for alternate superblocks. One that is found may have been left behind by an
/// older volume, so the search can go on.
pub(crate) struct Alternates {
    /// Offset of the next step in bytes.
    at: u64,
    end: u64,
    /// Superblocks that may still be looked at.
    left: usize,
}

impl Alternates {
    /// Begins a search of the window's first `bytes_max`.
    pub(crate) fn new<D: ReadBlocks, B: AsMut<[u8]>>(store: &Store<D, B>, bytes_max: u64) -> Self {
        Self { at: 0, end: store.size_bytes().min(bytes_max), left: CANDIDATES_MAX }
    }

    /// Returns the next alternate superblock.
    pub(crate) fn next<D: ReadBlocks, B: AsMut<[u8]>>(
        &mut self,
        store: &mut Store<D, B>,
    ) -> Result<Option<Superblock>, Error<D::Error>> {
        while self.at < self.end && self.left > 0 {
            let piece = self.at - self.at % BLOCK_BYTES_MAX as u64;
            let len = (store.size_bytes() - piece).min(BLOCK_BYTES_MAX as u64);
            let all = candidates(store.block(Slot::Data, piece, len as usize)?);
            let ahead = all >> ((self.at - piece) / STEP_BYTES as u64);
            if ahead == 0 {
                self.at = piece + BLOCK_BYTES_MAX as u64;
                continue;
            }
            let at = self.at + u64::from(ahead.trailing_zeros()) * STEP_BYTES as u64;
            self.at = at + STEP_BYTES as u64;
            self.left -= 1;
            if let Some(superblock) = alternate(store, at)? {
                return Ok(Some(superblock));
            }
        }
        Ok(None)
    }
}

impl Superblock {
    /// Returns whether the copy of one of its groups is at this offset in bytes.
    fn has_copy_at(&self, at: u64) -> bool {
        let fragment_bytes = u64::from(self.info.fragment_bytes);
        let address = at / fragment_bytes;
        let group = address / self.group_size;
        at.is_multiple_of(fragment_bytes)
            && group < u64::from(self.info.group_count)
            && self.group_start(group as u32) + self.sblkno == address
    }
}

/// Returns the steps at which there is a magic number, one bit for each.
fn candidates(piece: &[u8]) -> u16 {
    let steps = (0..16).filter(|step| {
        let at = step * STEP_BYTES + MAGIC;
        let magic = piece.get(at..).and_then(|rest| rest.first_chunk());
        let is_magic = |magic| [FS_UFS1_MAGIC, FS_UFS2_MAGIC, FS_UFS2EA_MAGIC].contains(&magic);
        magic.is_some_and(|bytes| {
            is_magic(u32::from_le_bytes(*bytes)) || is_magic(u32::from_be_bytes(*bytes))
        })
    });
    steps.fold(0, |bits, step| bits | 1 << step)
}

fn alternate<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    at: u64,
) -> Result<Option<Superblock>, Error<D::Error>> {
    if at + READ_BYTES as u64 > store.size_bytes() {
        return Ok(None);
    }
    for home in PLACES {
        let bytes = store.block(Slot::Inodes, at, READ_BYTES)?;
        let Ok(Some(mut superblock)) = decode(at, home, bytes) else { continue };
        if at != home && superblock.has_copy_at(at) {
            superblock.info.superblock_offset_bytes = at;
            superblock.info.doubt(Doubt::Alternate { at_bytes: at, first_bytes: home });
            return match superblock.enter(store) {
                Ok(()) => Ok(Some(superblock)),
                // Apple's, which says nothing about what is elsewhere.
                Err(Error::Corrupt(_)) => Ok(None),
                Err(error) => Err(error),
            };
        }
    }
    Ok(None)
}
