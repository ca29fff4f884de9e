//! Last write of each block of a region: 4 bytes for a block, or some 24 to 48 for each I/O that a
//! job may issue, whichever is less.

use alloc::vec::Vec;

use fio_job::Region;

/// Flag in an entry: the block is being read back, or was.
const READ_BACK: u32 = 1 << 31;

/// Heap that must be left beside all tables, in bytes: for allocations while jobs run and end, such
/// as the result of a job whose ramp is over. All results are allocated before any table.
const HEADROOM_BYTES: usize = 256 << 10;
/// Heap that must be left for each loop besides the first, in bytes.
const FURTHER_LOOP_BYTES: usize = 64 << 10;

/// Returns whether there is memory beside all tables for so many loops.
pub fn has_headroom(loops: usize) -> bool {
    let further = loops.saturating_sub(1).checked_mul(FURTHER_LOOP_BYTES);
    let bytes = further.and_then(|further| further.checked_add(HEADROOM_BYTES));
    bytes.is_some_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

/// Table of the last write of each block of a region, as far as there was one.
#[derive(Debug)]
pub struct Written {
    region_offset: u64,
    block_bytes: u64,
    /// Number of blocks in the region.
    blocks: u64,
    /// Blocks that were written, if not every block has an entry: at the place given by the block's
    /// hash, or the next free one behind it; number + 1, or 0. At least half of the places are
    /// free, and their number is a power of two.
    written: Option<Vec<u64>>,
    /// Entries by block, or by place: 0, or the number of a write and perhaps [`READ_BACK`].
    last: Vec<u32>,
}

impl Written {
    /// Returns the table for a region in which nothing was written yet, and in which there are at
    /// most `ios` I/Os; `None` if there is no memory for it.
    pub fn new(region: Region, block_bytes: u32, ios: u64) -> Option<Self> {
        let block_bytes = u64::from(block_bytes);
        let blocks = region.size_bytes / block_bytes;
        let places = ios.max(1).checked_mul(2).and_then(u64::checked_next_power_of_two);
        let place_bytes = (size_of::<u64>() + size_of::<u32>()) as u64;
        let is_hashed = places
            .and_then(|places| places.checked_mul(place_bytes))
            .is_some_and(|bytes| bytes < blocks.saturating_mul(size_of::<u32>() as u64));
        let entries = if is_hashed { places? } else { blocks };
        let entries = usize::try_from(entries).ok()?;
        let written = if is_hashed { Some(zeroes(entries)?) } else { None };
        let last = zeroes(entries)?;
        Some(Self { region_offset: region.offset_bytes, block_bytes, blocks, written, last })
    }

    /// Returns the name of a run's write number `count`: never 0, and repeated after 2^31 - 1
    /// others.
    pub fn name(count: u64) -> u32 {
        (count % u64::from(READ_BACK - 1)) as u32 + 1
    }

    /// Notes that the block at `offset` from the start of the disk is written with this
    /// [name](Self::name).
    pub fn set(&mut self, offset: u64, write: u32) {
        let Some(block) = self.block(offset) else { return };
        let Some(place) = self.place(block) else { return };
        if let Some(written) = &mut self.written {
            written[place] = block + 1;
        }
        self.last[place] = write;
    }

    /// Returns the last write of the block at `offset`.
    pub fn get(&self, offset: u64) -> Option<u32> {
        let place = self.place(self.block(offset)?)?;
        let last = self.last[place] & !READ_BACK;
        (last != 0).then_some(last)
    }

    /// Returns whether the block at `offset` was written and is not read back yet; from now on it
    /// is.
    pub fn claim(&mut self, offset: u64) -> bool {
        let Some(place) = self.block(offset).and_then(|block| self.place(block)) else {
            return false;
        };
        let last = &mut self.last[place];
        let due = *last != 0 && *last & READ_BACK == 0;
        if due {
            *last |= READ_BACK;
        }
        due
    }

    /// Returns the number of the block at `offset`, if it is in the region.
    fn block(&self, offset: u64) -> Option<u64> {
        let block = offset.checked_sub(self.region_offset)? / self.block_bytes;
        (block < self.blocks).then_some(block)
    }

    /// Returns where a block's entry is, or would be; `None` if more were written than expected.
    fn place(&self, block: u64) -> Option<usize> {
        let Some(written) = &self.written else { return usize::try_from(block).ok() };
        let mask = written.len() - 1;
        // Fibonacci hashing: the product's upper half depends on every bit of the block's number.
        let hash = (block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        let mut places = (0..written.len()).map(|step| hash.wrapping_add(step) & mask);
        places.find(|&place| written[place] == 0 || written[place] == block + 1)
    }
}

/// Returns `count` zeroes; `None` if there is no memory for them.
fn zeroes<T: Clone + Default>(count: usize) -> Option<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(count).ok()?;
    all.resize(count, T::default());
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a table with an entry for each block, and one with a place for each I/O.
    fn tables() -> [Written; 2] {
        let region = Region { offset_bytes: 8192, size_bytes: 4 * 4096, io_bytes: None };
        let large = Region { size_bytes: 3 << 40, ..region };
        [
            Written::new(region, 4096, u64::MAX).expect("16 bytes"),
            Written { blocks: 4, ..Written::new(large, 4096, 4).expect("96 bytes") },
        ]
    }

    #[test]
    fn a_block_is_claimed_once_after_it_was_written() {
        tables().into_iter().for_each(claim_once);
    }

    fn claim_once(mut written: Written) {
        assert!(!written.claim(8192) && !written.claim(12288));
        assert_eq!(written.get(8192), None);
        written.set(12288, 6);
        written.set(12288, 7);
        assert!(written.claim(12288) && !written.claim(12288));
        assert_eq!(written.get(12288), Some(7), "the claimed block can still be checked");
    }

    #[test]
    fn blocks_beyond_the_region_were_never_written() {
        tables().into_iter().for_each(nothing_beyond);
    }

    fn nothing_beyond(mut written: Written) {
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
    fn a_table_that_exceeds_memory_is_refused() {
        let region = Region { offset_bytes: 0, size_bytes: u64::MAX - 511, io_bytes: None };
        assert!(Written::new(region, 512, u64::MAX).is_none());
    }

    #[test]
    fn room_is_left_for_each_loop() {
        assert!(has_headroom(0) && has_headroom(32));
        assert!(!has_headroom(usize::MAX / FURTHER_LOOP_BYTES));
        assert!(!has_headroom(usize::MAX));
    }

    #[test]
    fn a_table_is_sized_by_ios_or_blocks_whichever_is_fewer() {
        let region = Region { offset_bytes: 0, size_bytes: 3 << 40, io_bytes: None };
        let large = Written::new(region, 4096, 64).expect("1.5 KiB");
        assert_eq!((large.last.len(), large.written.map(|all| all.len())), (128, Some(128)));
        let region = Region { size_bytes: 1 << 20, ..region };
        let small = Written::new(region, 4096, 200).expect("1 KiB");
        assert_eq!((small.last.len(), small.written), (256, None));
    }

    #[test]
    fn every_io_finds_a_place_for_its_block() {
        let region = Region { offset_bytes: 4096, size_bytes: 3 << 40, io_bytes: None };
        for stride in [1, 2, 1 << 10, 1 << 19, 805_306] {
            let mut written = Written::new(region, 4096, 1000).expect("24 KiB");
            let offset = |io: u64| 4096 + io * stride * 4096;
            (0..1000).for_each(|io| written.set(offset(io), io as u32 + 1));
            (0..1000).for_each(|io| assert_eq!(written.get(offset(io)), Some(io as u32 + 1)));
            assert_eq!(written.get(offset(1000)), None);
            assert!((0..1000).all(|io| written.claim(offset(io)) && !written.claim(offset(io))));
            assert!(!written.claim(offset(1000)));
        }
    }

    #[test]
    fn more_writes_than_expected_are_unknown() {
        let region = Region { offset_bytes: 0, size_bytes: 3 << 40, io_bytes: None };
        let mut written = Written::new(region, 4096, 2).expect("48 bytes");
        (0..100).for_each(|io| written.set(io * 4096, 1));
        assert_eq!((0..100).filter(|io| written.get(io * 4096).is_some()).count(), 4);
    }
}
