//! Which write each block of a region had last: 4 bytes for a block.

use alloc::vec::Vec;

use crate::job::Region;

/// Of an entry: the block is being read back, or was.
const READ_BACK: u32 = 1 << 31;

/// Heap that must be left beside the table, in bytes: for what is allocated while jobs run and end,
/// such as the result of a job whose ramp is over. All results are there before any table.
const HEADROOM_BYTES: usize = 256 << 10;

/// The last write of each block of a region, as far as there was one.
#[derive(Debug)]
pub struct Written {
    region_offset: u64,
    block_bytes: u64,
    /// By block: 0, or the number of a write and perhaps [`READ_BACK`].
    last: Vec<u32>,
}

impl Written {
    /// The table for a region in which nothing was written yet; `None` without memory for it.
    pub fn new(region: Region, block_bytes: u32) -> Option<Self> {
        let block_bytes = u64::from(block_bytes);
        let blocks = usize::try_from(region.size_bytes / block_bytes).ok()?;
        let mut last = Vec::new();
        last.try_reserve_exact(blocks).ok()?;
        Vec::<u8>::new().try_reserve_exact(HEADROOM_BYTES).ok()?;
        last.resize(blocks, 0);
        Some(Self { region_offset: region.offset_bytes, block_bytes, last })
    }

    /// The name of a run's write number `count`: never 0, and the same again after 2^31 - 1 others.
    pub fn name(count: u64) -> u32 {
        (count % u64::from(READ_BACK - 1)) as u32 + 1
    }

    /// The block at `offset` from the start of the disk is written with this [name](Self::name).
    pub fn set(&mut self, offset: u64, write: u32) {
        if let Some(last) = self.entry(offset) {
            *last = write;
        }
    }

    /// The last write of the block at `offset`.
    pub fn get(&self, offset: u64) -> Option<u32> {
        let last = self.last.get(self.block(offset)).map_or(0, |last| last & !READ_BACK);
        (last != 0).then_some(last)
    }

    /// Whether the block at `offset` was written and is not read back yet; from now on it is.
    pub fn claim(&mut self, offset: u64) -> bool {
        self.entry(offset).is_some_and(|last| {
            let due = *last != 0 && *last & READ_BACK == 0;
            *last |= READ_BACK;
            due
        })
    }

    fn entry(&mut self, offset: u64) -> Option<&mut u32> {
        let block = self.block(offset);
        self.last.get_mut(block)
    }

    fn block(&self, offset: u64) -> usize {
        (offset.wrapping_sub(self.region_offset) / self.block_bytes) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Written {
        let region = Region { offset_bytes: 8192, size_bytes: 4 * 4096, io_bytes: None };
        Written::new(region, 4096).expect("16 bytes")
    }

    #[test]
    fn a_block_is_claimed_once_after_it_was_written() {
        let mut written = table();
        assert!(!written.claim(8192) && !written.claim(12288));
        assert_eq!(written.get(8192), None);
        written.set(12288, 6);
        written.set(12288, 7);
        assert!(written.claim(12288) && !written.claim(12288));
        assert_eq!(written.get(12288), Some(7), "the claimed block can still be checked");
    }

    #[test]
    fn what_is_beyond_the_region_was_never_written() {
        let mut written = table();
        for offset in [0, 8192 + 4 * 4096, u64::MAX] {
            written.set(offset, 1);
            assert!(!written.claim(offset));
            assert_eq!(written.get(offset), None);
        }
    }

    #[test]
    fn names_are_never_0_and_fit_beside_the_flag() {
        let last = u64::from(READ_BACK) - 2;
        let names = [0, 1, last, last + 1, u64::MAX].map(Written::name);
        assert_eq!(names[..4], [1, 2, READ_BACK - 1, 1]);
        assert!(names.iter().all(|&name| name != 0 && name < READ_BACK));
    }

    #[test]
    fn a_table_beyond_all_memory_is_none() {
        let region = Region { offset_bytes: 0, size_bytes: u64::MAX - 511, io_bytes: None };
        assert!(Written::new(region, 512).is_none());
    }
}
