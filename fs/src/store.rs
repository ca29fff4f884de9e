//! Disk behind a window (a partition), and the scratch memory as one cached block for each purpose.
//! Nothing is read outside the window, whatever the volume says.

use crate::limits::{BLOCK_BYTES_MAX, SCRATCH_BYTES, SLOTS};
use crate::{Error, ReadBlocks};

/// Purpose of a cached block. Each has one block, so they do not evict each other.
#[derive(Clone, Copy)]
pub(crate) enum Slot {
    /// Superblocks, cylinder groups, inodes.
    Inodes = 0,
    /// Indirect blocks of the three levels.
    Single = 1,
    Double = 2,
    Triple = 3,
    /// Directories, symlinks, and the parts of sectors at the ends of a read.
    Data = 4,
}

pub(crate) struct Store<D, B> {
    disk: D,
    scratch: B,
    start_bytes: u64,
    size_bytes: u64,
    /// Offset and length in bytes of what each slot holds.
    held: [Option<(u64, usize)>; SLOTS],
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Store<D, B> {
    /// Makes a window on the whole disk.
    pub(crate) fn new(disk: D, mut scratch: B) -> Result<Self, Error<D::Error>> {
        let len_bytes = scratch.as_mut().len();
        if len_bytes < SCRATCH_BYTES {
            return Err(Error::Scratch { len_bytes });
        }
        let size_bytes = disk.size_bytes();
        Ok(Store { disk, scratch, start_bytes: 0, size_bytes, held: [None; SLOTS] })
    }

    /// Moves the window. Its offsets are those of the whole disk, in bytes, multiples of 512.
    pub(crate) fn set_window(&mut self, start_bytes: u64, size_bytes: u64) {
        (self.start_bytes, self.size_bytes) = (start_bytes, size_bytes);
        self.held = [None; SLOTS];
    }

    /// Lends disk and memory to a store with the same window.
    pub(crate) fn reborrow(&mut self) -> Store<&mut D, &mut B> {
        self.held = [None; SLOTS];
        let (start_bytes, size_bytes) = (self.start_bytes, self.size_bytes);
        let held = self.held;
        Store { disk: &mut self.disk, scratch: &mut self.scratch, start_bytes, size_bytes, held }
    }

    #[cfg(test)]
    pub(crate) fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    pub(crate) fn start_bytes(&self) -> u64 {
        self.start_bytes
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads past the cache. `offset_bytes` and the length are multiples of 512.
    pub(crate) fn read(
        &mut self,
        offset_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<(), Error<D::Error>> {
        self.go_on()?;
        let at = self.disk_offset(offset_bytes, buffer.len())?;
        read_disk(&mut self.disk, at, buffer)
    }

    /// Returns a block of at most [`BLOCK_BYTES_MAX`], from the cache if it is there.
    pub(crate) fn block(
        &mut self,
        slot: Slot,
        offset_bytes: u64,
        len_bytes: usize,
    ) -> Result<&[u8], Error<D::Error>> {
        self.go_on()?;
        let at = self.disk_offset(offset_bytes, len_bytes)?;
        let index = slot as usize;
        let scratch = self.scratch.as_mut();
        let scratch_bytes = scratch.len();
        let start = index * BLOCK_BYTES_MAX;
        let Some(block) = scratch.get_mut(start..start + len_bytes.min(BLOCK_BYTES_MAX)) else {
            return Err(Error::Scratch { len_bytes: scratch_bytes });
        };
        if self.held[index] != Some((offset_bytes, len_bytes)) {
            self.held[index] = None;
            read_disk(&mut self.disk, at, block)?;
            self.held[index] = Some((offset_bytes, len_bytes));
        }
        Ok(block)
    }

    /// Fails when the disk wants the request to end.
    pub(crate) fn go_on(&mut self) -> Result<(), Error<D::Error>> {
        if self.disk.is_stopped() { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Returns the offset on the disk of a range of the window.
    fn disk_offset(&self, offset_bytes: u64, len_bytes: usize) -> Result<u64, Error<D::Error>> {
        let end = offset_bytes.checked_add(len_bytes as u64);
        let inside = end.is_some_and(|end| end <= self.size_bytes);
        match self.start_bytes.checked_add(offset_bytes) {
            Some(at) if inside => Ok(at),
            _ => Err(Error::Outside { offset_bytes, len_bytes, size_bytes: self.size_bytes }),
        }
    }
}

fn read_disk<D: ReadBlocks>(
    disk: &mut D,
    offset_bytes: u64,
    buffer: &mut [u8],
) -> Result<(), Error<D::Error>> {
    let len_bytes = buffer.len();
    disk.read(offset_bytes, buffer).map_err(|error| Error::Read { offset_bytes, len_bytes, error })
}
