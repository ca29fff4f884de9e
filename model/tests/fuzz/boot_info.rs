//! Target: what the loader tells, in a memory image that begins as a valid one.

use std::cell::Cell;

use arbitrary::{Result, Unstructured};
use xen_abi::start_info::{MAGIC, MEMMAP_RAM, MemmapEntry};

use crate::draw::{bytes, number, seldom, several};
use ::boot_info::memory_map::{self, ENTRIES_MAX, MAPPED_END, Range};
use ::boot_info::start_info::{BootError, COMMAND_LINE_MAX, Loaded, MODULES_MAX};
use ::boot_info::start_info::{PhysicalMemory, Unreadable};

/// Offsets of the parts of the valid image, and its size, in bytes.
const INFO: usize = 0;
const MODULES: usize = 0x100;
const MAP: usize = 0x200;
const LINE: usize = 0x1200;
const SIZE: usize = 0x2400;
/// Reads of a whole start_info at its limits.
const READS_MAX: usize = 2 + MODULES_MAX + ENTRIES_MAX + COMMAND_LINE_MAX + 1;
const HOLE_ALIGN: u64 = 2 << 20;
/// Windows in which holes are looked for, in this order: half-open ranges.
const WINDOWS: [(u64, u64); 2] = [(HOLE_ALIGN, 0xfc00_0000), (0xfd00_0000, 0xfec0_0000)];

/// Memory from address 0 on, that counts how often it is read.
struct Ram {
    bytes: Vec<u8>,
    reads: Cell<usize>,
}

impl PhysicalMemory for Ram {
    fn read(&self, address: u64, bytes: &mut [u8]) -> std::result::Result<(), Unreadable> {
        self.reads.set(self.reads.get() + 1);
        let start = usize::try_from(address).map_err(|_| Unreadable(address))?;
        let end = start.checked_add(bytes.len()).ok_or(Unreadable(address))?;
        bytes.copy_from_slice(self.bytes.get(start..end).ok_or(Unreadable(address))?);
        Ok(())
    }
}

/// A decoded input.
struct Case {
    ram: Ram,
    address: u64,
    reserved: Vec<Range>,
    hole_bytes: u64,
}

/// Mostly the honest value.
fn or_lie(u: &mut Unstructured<'_>, honest: u64) -> Result<u64> {
    if seldom(u, 12)? { number(u) } else { Ok(honest) }
}

fn case(u: &mut Unstructured<'_>) -> Result<Case> {
    let line: Vec<u8> = match seldom(u, 8)? {
        true => bytes(u, 40)?,
        false => bytes(u, 40)?.iter().map(|byte| byte & 0x3f | 0x40).collect(),
    };
    let version: u8 = u.int_in_range(0..=2)?;
    let modules = u.int_in_range(0..=3)?;
    let mut words = [
        u64::from(MAGIC) | or_lie(u, u64::from(2 - version))? << 32,
        or_lie(u, modules)? << 32,
        or_lie(u, MODULES as u64)?,
        or_lie(u, LINE as u64)?,
        or_lie(u, 0)?,
        or_lie(u, MAP as u64)?,
        or_lie(u, u64::MAX)?,
    ];
    let address = or_lie(u, INFO as u64)?;
    let pokes = several(u, 6, |u| Ok((u.int_in_range(0..=0x300)?, u.arbitrary()?)))?;
    let reserved = several(u, 3, |u| Ok(Range { start: number(u)?, end: number(u)? }))?;
    let hole_bytes = number(u)?;
    let entries = several(u, ENTRIES_MAX + 4, |u| {
        let kind: u8 = u.int_in_range(0..=3)?;
        Ok([number(u)?, number(u)?, u64::from(kind.max(1))])
    })?;
    if words[6] == u64::MAX {
        words[6] = entries.len() as u64;
    }
    let mut memory = vec![0; SIZE];
    let mut put = |at: usize, words: &[u64]| {
        for (word, place) in words.iter().zip(memory[at..].chunks_exact_mut(8)) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    };
    put(INFO, &words);
    put(MAP, entries.as_flattened());
    memory[LINE..LINE + line.len()].copy_from_slice(&line);
    for (at, byte) in pokes {
        memory[at] = byte;
    }
    let ram = Ram { bytes: memory, reads: Cell::new(0) };
    Ok(Case { ram, address, reserved, hole_bytes })
}

/// Reads the image and plans memory by it.
pub fn target(data: &[u8]) -> &'static str {
    let Ok(case) = case(&mut Unstructured::new(data)) else {
        return "too short";
    };
    let loaded = Loaded::read(&case.ram, case.address);
    assert!(case.ram.reads.get() <= READS_MAX);
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(BootError::Unreadable(_)) => return "unreadable",
        Err(BootError::Magic(_)) => return "magic",
        Err(BootError::CommandLineTooLong) => return "command line too long",
    };
    assert!(!loaded.command_line.contains(&0));
    if loaded.start_info.memmap_entries as usize > loaded.memory_map.len()
        && !loaded.memory_map.is_empty()
    {
        nothing_is_free(&loaded.memory_map, &case.reserved, case.hole_bytes);
        return "map cut off";
    }
    usable_is_free_ram(&loaded.memory_map, &case.reserved);
    no_more_than_given(&loaded.memory_map, &case.reserved, case.hole_bytes);
    if memory_map::is_whole(&loaded.memory_map) {
        holes_are_the_lowest(&loaded.memory_map, case.hole_bytes);
    }
    if loaded.memory_map.is_empty() { "loaded without a map" } else { "loaded" }
}

/// Whole pages, ascending, apart, in RAM, and nobody else's.
fn usable_is_free_ram(map: &[MemmapEntry], reserved: &[Range]) {
    let end_of = |entry: &MemmapEntry| entry.addr.saturating_add(entry.size);
    let mut last_end = 4096;
    for region in memory_map::usable(map, reserved) {
        let (start, end) = (region.start, region.end);
        assert!(last_end <= start && start < end && end <= MAPPED_END, "{region:?}");
        assert!((start | end).is_multiple_of(4096), "{region:?}");
        last_end = end;
        let holds = |entry: &MemmapEntry| entry.addr <= start && end <= end_of(entry);
        assert!(map.iter().any(|e| e.kind == MEMMAP_RAM && holds(e)), "{region:?} is no RAM");
        let touches = |from: u64, to: u64| from < to && from < end && start < to;
        let others = map.iter().filter(|entry| entry.kind != MEMMAP_RAM);
        for (from, to) in others
            .map(|entry| (entry.addr, end_of(entry)))
            .chain(reserved.iter().map(|range| (range.start, range.end)))
        {
            assert!(!touches(from, to), "{region:?} is taken by {from:#x}..{to:#x}");
        }
    }
}

/// Below the end that the reservation sets, there are no more pages than were given.
fn no_more_than_given(map: &[MemmapEntry], reserved: &[Range], given_pages: u64) {
    let regions = memory_map::usable(map, reserved);
    if let Some(end) = memory_map::populated_end(map, given_pages) {
        let below = regions.iter().map(|region| region.end.min(end) - region.start.min(end));
        let bytes: u64 = below.sum();
        assert!(bytes / 4096 <= given_pages, "{given_pages} pages given, {regions:?}");
    }
}

/// Compares the holes with those found by trying every place where one can begin, in the first
/// window that has one.
fn holes_are_the_lowest(map: &[MemmapEntry], size: u64) {
    let entries: Vec<(u64, u64)> = map
        .iter()
        .filter(|entry| entry.size != 0)
        .map(|entry| (entry.addr, entry.addr.saturating_add(entry.size)))
        .collect();
    let lowest_in = |&(first, last_end): &(u64, u64), size: u64, align: u64| {
        let fits = |&start: &u64| {
            let end = start.checked_add(size).filter(|&end| end <= last_end);
            end.is_some_and(|end| entries.iter().all(|&(from, to)| to <= start || end <= from))
        };
        let behind = entries.iter().filter_map(|(_, to)| to.checked_next_multiple_of(align));
        behind.chain([first]).filter(|&at| at >= first).filter(fits).min()
    };
    let expected = WINDOWS.iter().find_map(|window| lowest_in(window, size, HOLE_ALIGN));
    assert_eq!(memory_map::hole(map, size), expected, "{size:#x} bytes in {entries:#x?}");
    let expected = lowest_in(&(1 << 32, 1 << 36), 1 << 30, 1 << 30);
    assert_eq!(memory_map::huge_hole(map), expected, "a huge page in {entries:#x?}");
}

/// Checks that nothing is used of a map that goes on beyond what was read.
fn nothing_is_free(map: &[MemmapEntry], reserved: &[Range], hole_bytes: u64) {
    assert!(memory_map::usable(map, reserved).is_empty());
    assert_eq!(memory_map::hole(map, hole_bytes), None);
    assert_eq!(memory_map::huge_hole(map), None);
}
