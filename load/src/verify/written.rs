//! Last write of each place of a region: 4 bytes for each unit, which is a block if all are alike,
//! or some 24 to 48 for each unit that a job may write, whichever is less.
//!
//! Writes of several sizes may overlap. As in fio, only the last of those that do is known; of the
//! others nothing is, not even where nobody wrote since.

use alloc::vec::Vec;
use core::ops::Range;

use fio_job::{Job, Order, Region};
use xen_abi::blkif::SECTOR_SIZE;

/// Flag in an entry: the write that begins here is being read back, or was.
const READ_BACK: u32 = 1 << 31;
/// Flag in an entry: a write begins here; it goes on as far as entries have its name and no flag.
const BEGINS: u32 = 1 << 30;
/// Number of names of writes.
const NAMES: u32 = BEGINS - 1;

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

/// Table of the last write of each place of a region, as far as there was one.
#[derive(Debug)]
pub struct Written {
    region_offset: u64,
    /// Bytes of a unit: each write begins and ends with one.
    unit_bytes: u64,
    /// Number of units in the region.
    units: u64,
    /// Units that were written, if not every unit has an entry: at the place given by the unit's
    /// hash, or the next free one behind it; number + 1, or 0. At least half of the places are
    /// free, and their number is a power of two.
    written: Option<Vec<u64>>,
    /// Entries by unit, or by place: 0, or the name of a write, perhaps with [`BEGINS`] and
    /// [`READ_BACK`].
    last: Vec<u32>,
}

impl Written {
    /// Returns the table for a region in which nothing was written yet, and in which at most
    /// `writes` units are; `None` if there is no memory for it.
    pub fn new(region: Region, unit_bytes: u32, writes: u64) -> Option<Self> {
        let unit_bytes = u64::from(unit_bytes);
        let units = region.size_bytes / unit_bytes;
        let places = writes.max(1).checked_mul(2).and_then(u64::checked_next_power_of_two);
        let place_bytes = (size_of::<u64>() + size_of::<u32>()) as u64;
        let is_hashed = places
            .and_then(|places| places.checked_mul(place_bytes))
            .is_some_and(|bytes| bytes < units.saturating_mul(size_of::<u32>() as u64));
        let entries = if is_hashed { places? } else { units };
        let entries = usize::try_from(entries).ok()?;
        let written = if is_hashed { Some(zeroes(entries)?) } else { None };
        let last = zeroes(entries)?;
        Some(Self { region_offset: region.offset_bytes, unit_bytes, units, written, last })
    }

    /// Returns the table for a job's writes in a region, of which there are at most `ios`; `None`
    /// if there is no memory for it.
    pub fn of(job: &Job, region: Region, ios: u64) -> Option<Self> {
        let unit_bytes = unit_bytes(job);
        let in_io = u64::from(job.bs_bytes.div_ceil(unit_bytes));
        // Where sizes differ, I/Os are counted by the largest, and the last may reach further.
        let ios = if in_io == 1 { ios } else { ios.saturating_add(1) };
        Self::new(region, unit_bytes, ios.saturating_mul(in_io))
    }

    /// Returns the name of a job's write number `count`: never 0, and repeated after 2^30 - 1
    /// others.
    pub fn name(count: u64) -> u32 {
        (count % u64::from(NAMES)) as u32 + 1
    }

    /// Notes that `bytes` at `offset` from the start of the disk are written with this
    /// [name](Self::name), and forgets the writes that these overlap.
    pub fn set(&mut self, offset: u64, bytes: u32, write: u32) {
        let Some(range) = self.units(offset, bytes) else { return };
        self.forget(range.start);
        self.forget(range.end);
        for unit in range.clone() {
            let Some(place) = self.place(unit) else { return };
            if let Some(written) = &mut self.written {
                written[place] = unit + 1;
            }
            self.last[place] = if unit == range.start { write | BEGINS } else { write };
        }
    }

    /// Returns the last write of the `bytes` at `offset`, if it was of these and no others.
    pub fn get(&self, offset: u64, bytes: u32) -> Option<u32> {
        let range = self.units(offset, bytes)?;
        let name = self.entry(range.start) & !READ_BACK;
        let goes_on = |unit: u64| self.entry(unit) == name & !BEGINS;
        let is_whole =
            name & BEGINS != 0 && (range.start + 1..range.end).all(goes_on) && !goes_on(range.end);
        is_whole.then_some(name & !BEGINS)
    }

    /// Returns whether the last write of the `bytes` at `offset` was of these and no others, and is
    /// not read back yet; from now on it is.
    pub fn claim(&mut self, offset: u64, bytes: u32) -> bool {
        let is_known = self.get(offset, bytes).is_some();
        let first = self.units(offset, bytes).and_then(|range| self.place(range.start));
        let Some(place) = first.filter(|_| is_known) else { return false };
        let last = &mut self.last[place];
        let due = *last & READ_BACK == 0;
        *last |= READ_BACK;
        due
    }

    /// Forgets the write that goes on at a unit, if one began before and does.
    fn forget(&mut self, unit: u64) {
        let name = self.entry(unit);
        if name == 0 || name & BEGINS != 0 {
            return;
        }
        for unit in unit..self.units {
            if self.entry(unit) != name {
                break;
            }
            self.clear(unit);
        }
        for unit in (0..unit).rev() {
            let entry = self.entry(unit);
            if entry & NAMES != name {
                break;
            }
            self.clear(unit);
            if entry & BEGINS != 0 {
                break;
            }
        }
    }

    fn clear(&mut self, unit: u64) {
        if let Some(place) = self.place(unit) {
            self.last[place] = 0;
        }
    }

    /// Returns the units of these bytes, if all are in the region.
    fn units(&self, offset: u64, bytes: u32) -> Option<Range<u64>> {
        let first = offset.checked_sub(self.region_offset)? / self.unit_bytes;
        let end = first.checked_add(u64::from(bytes).div_ceil(self.unit_bytes))?;
        (first < end && end <= self.units).then_some(first..end)
    }

    /// Returns the entry of a unit; 0 behind the last.
    fn entry(&self, unit: u64) -> u32 {
        let place = if unit < self.units { self.place(unit) } else { None };
        place.map_or(0, |place| self.last[place])
    }

    /// Returns where a unit's entry is, or would be; `None` if more were written than expected.
    fn place(&self, unit: u64) -> Option<usize> {
        let Some(written) = &self.written else { return usize::try_from(unit).ok() };
        let mask = written.len() - 1;
        // Fibonacci hashing: the product's upper half depends on every bit of the unit's number.
        let hash = (unit.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        let mut places = (0..written.len()).map(|step| hash.wrapping_add(step) & mask);
        places.find(|&place| written[place] == 0 || written[place] == unit + 1)
    }
}

/// Returns the bytes of which each I/O of a job has a whole number in front of it and in it.
fn unit_bytes(job: &Job) -> u32 {
    match (&job.order, &job.aligns, &job.bs_mix) {
        (Some(Order::Holes(_)), ..) | (_, Some(_), _) => SECTOR_SIZE,
        (.., Some(mix)) => mix.unit_bytes(),
        _ => job.bs_bytes,
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
            Written { units: 4, ..Written::new(large, 4096, 4).expect("96 bytes") },
        ]
    }

    #[test]
    fn a_block_is_claimed_once_after_it_was_written() {
        tables().into_iter().for_each(claim_once);
    }

    fn claim_once(mut written: Written) {
        assert!(!written.claim(8192, 4096) && !written.claim(12288, 4096));
        assert_eq!(written.get(8192, 4096), None);
        written.set(12288, 4096, 6);
        written.set(12288, 4096, 7);
        assert!(written.claim(12288, 4096) && !written.claim(12288, 4096));
        assert_eq!(written.get(12288, 4096), Some(7), "the claimed block can still be checked");
    }

    #[test]
    fn places_beyond_the_region_were_never_written() {
        tables().into_iter().for_each(nothing_beyond);
    }

    fn nothing_beyond(mut written: Written) {
        for offset in [0, 8192 + 4 * 4096, u64::MAX] {
            written.set(offset, 4096, 1);
            assert!(!written.claim(offset, 4096));
            assert_eq!(written.get(offset, 4096), None);
        }
    }

    /// Behaviour of fio's tree of writes: each drops those that it overlaps.
    #[test]
    fn of_writes_that_overlap_the_last_is_known() {
        let region = Region { offset_bytes: 8192, size_bytes: 40 * 512, io_bytes: None };
        let hashed = Region { size_bytes: 3 << 40, ..region };
        let tables = [Written::new(region, 512, u64::MAX), Written::new(hashed, 512, 5000)];
        for mut written in tables.map(|table| table.expect("some KiB")) {
            let mut known: Vec<(u64, u64, u32)> = Vec::new();
            let mut random = 1_u64;
            let mut draw = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) % below
            };
            for write in 1..1000 {
                let start = draw(40);
                let end = start + 1 + draw(40 - start).min(7);
                known.retain(|&(from, to, _)| to <= start || end <= from);
                known.push((start, end, write));
                let bytes = |from: u64, to: u64| (8192 + from * 512, (to - from) as u32 * 512);
                let (offset, length) = bytes(start, end);
                written.set(offset, length, write);
                for (from, to) in (0..40).flat_map(|from| (from + 1..41).map(move |to| (from, to)))
                {
                    let name = known.iter().find(|one| (one.0, one.1) == (from, to));
                    let (offset, length) = bytes(from, to);
                    assert_eq!(written.get(offset, length), name.map(|one| one.2));
                }
                if write % 3 == 0 {
                    assert!(written.claim(offset, length) && !written.claim(offset, length));
                }
            }
        }
    }

    #[test]
    fn a_job_of_several_sizes_has_entries_for_what_divides_them() {
        let region = Region { offset_bytes: 0, size_bytes: 1 << 20, io_bytes: None };
        for (line, units) in [
            ("bs=8k", 128),
            ("bssplit=8k/50:16k/50", 128),
            ("bsrange=4k-10k", 512),
            ("rw=randwrite bs=8k ba=4k", 2048),
            ("rw=write:2k bs=8k", 2048),
        ] {
            let line = std::format!("filename=xvda rw=randwrite verify=md5 {line}");
            let job = fio_job::parse(&line).expect(&line).remove(0);
            let written = Written::of(&job, region, u64::MAX).expect("8 KiB");
            assert_eq!((written.units, written.written), (units, None), "{line}");
        }
        let job = fio_job::parse("filename=xvda rw=randwrite verify=md5 bsrange=4k-8k");
        let large = Region { size_bytes: 3 << 40, ..region };
        let written = Written::of(&job.expect("a job")[0], large, 7).expect("512 bytes");
        assert_eq!(written.last.len(), 32);
    }

    #[test]
    fn names_are_never_0_and_fit_beside_the_flag() {
        let last = u64::from(BEGINS) - 2;
        let names = [0, 1, last, last + 1, u64::MAX].map(Written::name);
        assert_eq!(names[..4], [1, 2, BEGINS - 1, 1]);
        assert!(names.iter().all(|&name| name != 0 && name < BEGINS));
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
            (0..1000).for_each(|io| written.set(offset(io), 4096, io as u32 + 1));
            (0..1000).for_each(|io| assert_eq!(written.get(offset(io), 4096), Some(io as u32 + 1)));
            assert_eq!(written.get(offset(1000), 4096), None);
            assert!(
                (0..1000)
                    .all(|io| written.claim(offset(io), 4096) && !written.claim(offset(io), 4096))
            );
            assert!(!written.claim(offset(1000), 4096));
        }
    }

    #[test]
    fn more_writes_than_expected_are_unknown() {
        let region = Region { offset_bytes: 0, size_bytes: 3 << 40, io_bytes: None };
        let mut written = Written::new(region, 4096, 2).expect("48 bytes");
        (0..100).for_each(|io| written.set(io * 4096, 4096, 1));
        assert_eq!((0..100).filter(|io| written.get(io * 4096, 4096).is_some()).count(), 4);
    }
}
