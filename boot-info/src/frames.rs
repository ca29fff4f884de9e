//! Frames of the guest's own memory: which become heap, and which are free.

use alloc::vec::Vec;
use core::fmt;

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use xen_abi::{Gfn, PAGE_SIZE};

use crate::memory_map::{REGIONS_MAX, Range};

const PAGE: u64 = PAGE_SIZE as u64;
/// Smallest heap, in bytes.
const HEAP_MIN: u64 = 2 << 20;
/// Share of the memory that becomes heap: one part in this number.
const HEAP_SHARE: u64 = 8;
/// Start of the image, in bytes (kernel/link.ld).
pub const IMAGE_START: u64 = 1 << 20;
/// Most that the image takes with its data, stacks and tables, in bytes. The linker holds it to
/// that.
pub const IMAGE_BYTES_MAX: u64 = 1664 << 10;
/// Most memory besides the image that is not free at the start, in bytes: the page at address 0,
/// and what the loader put somewhere, a job file included.
const LOADER_BYTES_MAX: u64 = 160 << 10;
/// Memory that libxl puts below 4 GiB, in MiB, which is all that a guest uses.
pub const USED_MIB_MAX: u64 = 4032;

/// The guest's memory, divided into heap and pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// The heap, in whole pages: the beginning of the largest region.
    pub heap: Range,
    /// All other memory, in whole pages.
    pub rest: heapless::Vec<Range, REGIONS_MAX>,
}

/// There is not enough memory to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittle {
    /// Size of the largest region, in bytes.
    pub largest_bytes: u64,
}

impl fmt::Display for TooLittle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not enough memory: the largest free piece has {} KiB; set memory={} or more",
            self.largest_bytes >> 10,
            needed_mib(0, 0).unwrap_or_default()
        )
    }
}

/// Divides what `regions` have below `end`. They are whole pages, as [`usable`] returns them.
///
/// [`usable`]: crate::memory_map::usable
///
/// # Errors
/// [`TooLittle`], when nothing of the largest region would be left beside the heap.
pub fn divide(regions: &[MemoryRegion], end: u64) -> Result<Division, TooLittle> {
    let usable = || {
        let regions = regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable);
        regions.map(|region| Range { start: region.start.min(end), end: region.end.min(end) })
    };
    let total_bytes = usable().map(size_bytes).fold(0, u64::saturating_add);
    let heap_bytes = heap_bytes(total_bytes);
    let largest = usable().max_by_key(|&region| size_bytes(region));
    let largest = largest.unwrap_or(Range { start: 0, end: 0 });
    if size_bytes(largest) <= heap_bytes {
        return Err(TooLittle { largest_bytes: size_bytes(largest) });
    }
    let heap = Range::sized(largest.start, heap_bytes);
    let without_heap = |region: Range| match region.start == heap.start {
        true => Range { start: heap.end, end: region.end },
        false => region,
    };
    Ok(Division { heap, rest: usable().map(without_heap).take(REGIONS_MAX).collect() })
}

/// Returns the size of the heap in so much free memory, in bytes.
fn heap_bytes(total_bytes: u64) -> u64 {
    HEAP_MIN.max(total_bytes / HEAP_SHARE).next_multiple_of(PAGE)
}

/// Returns the smallest `memory=` in MiB with which a guest has so many pages beside a heap that
/// has grown to `need_heap_bytes`; `None` if it is more than a guest can use.
pub fn needed_mib(need_heap_bytes: u64, pages: u64) -> Option<u64> {
    let need_bytes = pages.checked_mul(PAGE)?;
    let need_heap_bytes = need_heap_bytes.checked_next_multiple_of(PAGE)?;
    let suffices = |mib: u64| {
        let total = (mib << 20).saturating_sub(IMAGE_BYTES_MAX + LOADER_BYTES_MAX);
        let heap = heap_bytes(total).max(need_heap_bytes);
        // The heap lies in one piece, behind the image or the module, with something beside it.
        let largest = total.saturating_sub(IMAGE_START);
        heap < largest && total - heap >= need_bytes
    };
    (0..=USED_MIB_MAX).find(|&mib| suffices(mib))
}

/// Returns the `memory=`, in MiB, of a guest that has so many bytes of heap and pages together, if
/// Xen does not tell.
pub fn given_mib(bytes: u64) -> u64 {
    bytes.saturating_add(IMAGE_BYTES_MAX + LOADER_BYTES_MAX) >> 20
}

fn size_bytes(range: Range) -> u64 {
    range.end.saturating_sub(range.start)
}

/// Frames that are free: each is taken by one owner at a time.
#[derive(Debug)]
pub struct FreeFrames {
    /// Ranges never taken yet, in whole pages.
    fresh: heapless::Vec<Range, REGIONS_MAX>,
    /// Frames that were given back. A backend may have seen or kept them, so none becomes heap.
    returned: Vec<u64>,
}

impl FreeFrames {
    /// All frames of these ranges are free.
    pub fn new(fresh: heapless::Vec<Range, REGIONS_MAX>) -> Self {
        Self { fresh, returned: Vec::new() }
    }

    /// Takes a frame, the last one given back if there is one.
    pub fn take(&mut self) -> Option<Gfn> {
        self.returned.pop().map(Gfn).or_else(|| self.take_fresh_run(1))
    }

    /// Takes `count` consecutive frames; returns the first. `None` if there are no more, or if
    /// `count` is 0.
    pub fn take_run(&mut self, count: usize) -> Option<Gfn> {
        self.take_returned_run(count).or_else(|| self.take_fresh_run(count))
    }

    fn take_returned_run(&mut self, count: usize) -> Option<Gfn> {
        let span = count.checked_sub(1)?;
        self.returned.sort_unstable();
        let at = self
            .returned
            .windows(count)
            .position(|frames| frames[span] - frames[0] == span as u64)?;
        self.returned.drain(at..at + count).next().map(Gfn)
    }

    /// Takes `count` consecutive frames that were never taken before, so that no backend has seen
    /// them; returns the first. `None` if there are no more, or if `count` is 0. They are the last
    /// of a range: the heap may have to grow into the first.
    pub fn take_fresh_run(&mut self, count: usize) -> Option<Gfn> {
        let bytes = count.checked_mul(PAGE_SIZE).filter(|&bytes| bytes != 0)? as u64;
        let range = self.fresh.iter_mut().find(|range| size_bytes(**range) >= bytes)?;
        range.end -= bytes;
        Some(Gfn(range.end / PAGE))
    }

    /// Returns how many bytes [`take_fresh_at`](Self::take_fresh_at) would take at `start` at most.
    pub fn fresh_at(&self, start: u64) -> u64 {
        let range = self.fresh.iter().find(|range| range.start == start);
        range.map_or(0, |&range| size_bytes(range))
    }

    /// Takes `bytes`, whole pages, at address `start`, if they were never taken before and the
    /// frames below `start` are not free.
    pub fn take_fresh_at(&mut self, start: u64, bytes: u64) -> bool {
        let at = |range: &&mut Range| range.start == start && size_bytes(**range) >= bytes;
        let range = self.fresh.iter_mut().find(at);
        range.is_some_and(|range| {
            range.start = start + bytes;
            true
        })
    }

    /// Takes a frame back.
    pub fn put(&mut self, frame: Gfn) {
        self.returned.push(frame.0);
    }

    /// Returns the number of frames that are free.
    pub fn available(&self) -> u64 {
        let fresh: u64 = self.fresh.iter().map(|&range| size_bytes(range) / PAGE).sum();
        fresh + self.returned.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec;

    const MIB: u64 = 1 << 20;

    fn region(start: u64, end: u64) -> MemoryRegion {
        MemoryRegion { start, end, kind: MemoryRegionKind::Usable }
    }

    fn division(regions: &[(u64, u64)], end: u64) -> Result<(Range, Vec<Range>), TooLittle> {
        let regions: Vec<MemoryRegion> = regions.iter().map(|&(a, b)| region(a, b)).collect();
        divide(&regions, end).map(|division| (division.heap, division.rest.to_vec()))
    }

    fn range(start: u64, end: u64) -> Range {
        Range { start, end }
    }

    #[test]
    fn the_largest_region_begins_with_the_heap() {
        let (heap, rest) = division(&[(PAGE, MIB), (2 * MIB, 16 * MIB)], 1 << 32).unwrap();
        assert_eq!(heap, range(2 * MIB, 4 * MIB));
        assert_eq!(rest, [range(PAGE, MIB), range(4 * MIB, 16 * MIB)]);
    }

    #[test]
    fn a_fresh_frame_was_nobodys_before() {
        let ranges = [range(PAGE, 3 * PAGE), range(8 * PAGE, 10 * PAGE)];
        let mut free = FreeFrames::new(ranges.into_iter().collect());
        let first = free.take().unwrap();
        free.put(first);
        let fresh = [1, 2].map(|count| free.take_fresh_run(count));
        assert_eq!(fresh, [Some(Gfn(1)), Some(Gfn(8))]);
        assert_eq!((free.take_fresh_run(1), free.take()), (None, Some(first)));
    }

    #[test]
    fn the_heap_grows_with_the_memory_in_whole_pages() {
        let heap_bytes = |bytes: u64| {
            let (heap, rest) = division(&[(MIB, MIB + bytes)], 1 << 32).unwrap();
            assert_eq!(rest, [range(heap.end, MIB + bytes)]);
            heap.end - heap.start
        };
        assert_eq!(heap_bytes(16 * MIB), 2 * MIB);
        assert_eq!(heap_bytes(16 * MIB + PAGE), 2 * MIB + PAGE);
        assert_eq!(heap_bytes(16 * MIB + 8 * PAGE), 2 * MIB + PAGE);
        assert_eq!(heap_bytes(1024 * MIB), 128 * MIB);
    }

    /// The figure is enough for the largest image, and a MiB less is not.
    #[test]
    fn the_figure_is_what_is_needed() {
        let has = |mib: u64| {
            let image_end = IMAGE_START + IMAGE_BYTES_MAX;
            let regions = [(LOADER_BYTES_MAX, IMAGE_START), (image_end, mib * MIB)];
            let regions = regions.map(|(start, end)| region(start, end.max(start)));
            let Division { heap, rest } = divide(&regions, 1 << 32).ok()?;
            let mut pages = rest.iter().map(|&range| size_bytes(range) / PAGE);
            Some((size_bytes(heap), pages.clone().sum::<u64>(), pages.next_back()?))
        };
        for (heap, pages) in [
            (0, 0),
            (HEAP_MIN, 1),
            (HEAP_MIN + 1, 1),
            (900 << 10, 33),
            // Half a page of heap, and pages up to the MiB.
            (HEAP_MIN + PAGE / 2, (8 * MIB - IMAGE_BYTES_MAX - LOADER_BYTES_MAX - HEAP_MIN) / PAGE),
            (1 << 20, 3000),
            (8 * MIB, 100),
            (3 * MIB, 40_000),
            (0, 900_000),
        ] {
            let mib = needed_mib(heap, pages).expect("a size");
            // What the heap lacks it takes of the pages.
            let suffices = |mib| {
                has(mib).is_some_and(|(has_heap, has_pages, behind)| {
                    let lacks = heap.saturating_sub(has_heap).div_ceil(PAGE);
                    has_pages >= pages + lacks && behind > lacks
                })
            };
            assert!(suffices(mib) && !suffices(mib - 1), "{heap} {pages}: {mib}");
        }
        for (heap, pages) in [(0, 1 << 20), (4 << 30, 0), (u64::MAX, 0), (0, u64::MAX)] {
            assert_eq!(needed_mib(heap, pages), None, "{heap} {pages}");
        }
    }

    #[test]
    fn nothing_at_or_above_the_end_is_used() {
        let regions = [(PAGE, MIB), (2 * MIB, 16 * MIB), (20 * MIB, 40 * MIB)];
        let (heap, rest) = division(&regions, 8 * MIB).unwrap();
        assert_eq!(heap, range(2 * MIB, 4 * MIB));
        assert_eq!(rest[..2], [range(PAGE, MIB), range(4 * MIB, 8 * MIB)]);
        assert_eq!(rest.iter().map(|&range| size_bytes(range)).sum::<u64>(), 5 * MIB - PAGE);
    }

    #[test]
    fn what_is_not_usable_is_left_alone() {
        let taken = MemoryRegion { kind: MemoryRegionKind::Bootloader, ..region(0, 64 * MIB) };
        let division = divide(&[taken, region(64 * MIB, 72 * MIB)], 1 << 32).unwrap();
        assert_eq!(division.heap, range(64 * MIB, 66 * MIB));
        assert_eq!(division.rest, [range(66 * MIB, 72 * MIB)]);
    }

    #[test]
    fn a_heap_alone_is_too_little() {
        for (regions, largest_bytes) in [
            (vec![], 0),
            (vec![(MIB, MIB)], 0),
            (vec![(MIB, 3 * MIB)], 2 * MIB),
            (vec![(MIB, 2 * MIB), (8 * MIB, 8 * MIB + PAGE)], MIB),
        ] {
            assert_eq!(division(&regions, 1 << 32), Err(TooLittle { largest_bytes }));
        }
        assert_eq!(division(&[(4 * MIB, 64 * MIB)], MIB), Err(TooLittle { largest_bytes: 0 }));
        assert!(division(&[(MIB, 3 * MIB + PAGE)], 1 << 32).is_ok());
    }

    #[test]
    fn absurd_regions_do_no_harm() {
        assert!(division(&[(u64::MAX, 0), (8, u64::MAX)], u64::MAX).is_ok());
        assert!(division(&[(0, u64::MAX), (0, u64::MAX)], u64::MAX).is_ok());
    }

    fn free(ranges: &[(u64, u64)]) -> FreeFrames {
        FreeFrames::new(ranges.iter().map(|&(a, b)| range(a * PAGE, b * PAGE)).collect())
    }

    #[test]
    fn a_heap_grows_into_what_was_never_taken() {
        let mut frames = free(&[(1, 3), (8, 13)]);
        assert!(!frames.take_fresh_at(9 * PAGE, PAGE) && !frames.take_fresh_at(8 * PAGE, 6 * PAGE));
        assert_eq!(
            [8, 9, 1].map(|frame| frames.fresh_at(frame * PAGE)),
            [5, 0, 2].map(|n| n * PAGE)
        );
        assert!(frames.take_fresh_at(8 * PAGE, 2 * PAGE));
        assert_eq!((frames.available(), frames.take_run(3)), (5, Some(Gfn(10))));
        assert!(!frames.take_fresh_at(8 * PAGE, PAGE));
    }

    /// Pages that were taken before a heap grows are not in its way.
    #[test]
    fn frames_are_taken_from_the_end_that_no_heap_grows_into() {
        let mut frames = free(&[(8, 13)]);
        assert_eq!((frames.take(), frames.take_run(2)), (Some(Gfn(12)), Some(Gfn(10))));
        assert_eq!(frames.fresh_at(8 * PAGE), 2 * PAGE);
        assert!(frames.take_fresh_at(8 * PAGE, 2 * PAGE));
        assert_eq!((frames.fresh_at(8 * PAGE), frames.available()), (0, 0));
    }

    #[test]
    fn a_run_is_of_one_piece() {
        let mut frames = free(&[(1, 3), (8, 13)]);
        assert_eq!(frames.take_run(3), Some(Gfn(10)));
        assert_eq!(frames.take_run(3), None);
        assert_eq!(frames.take_run(2), Some(Gfn(1)));
        assert_eq!(frames.take_run(2), Some(Gfn(8)));
        assert_eq!((frames.take(), frames.available()), (None, 0));
    }

    #[test]
    fn returned_frames_make_a_run_again_in_any_order() {
        let mut frames = free(&[(4, 9)]);
        assert_eq!(frames.take_run(5), Some(Gfn(4)));
        [8, 4, 6, 7].into_iter().for_each(|frame| frames.put(Gfn(frame)));
        assert_eq!(frames.take_run(4), None);
        assert_eq!(frames.take_run(3), Some(Gfn(6)));
        assert_eq!((frames.available(), frames.take(), frames.take()), (1, Some(Gfn(4)), None));
    }

    #[test]
    fn no_run_is_empty_or_endless() {
        let mut frames = free(&[(4, 9)]);
        frames.put(Gfn(1));
        for count in [0, 7, usize::MAX / PAGE_SIZE, usize::MAX] {
            assert_eq!(frames.take_run(count), None, "{count}");
        }
        assert_eq!(frames.available(), 6);
    }

    /// Against a set of frames: each belongs to one owner, none is lost, and a run is refused only
    /// where there is none.
    #[test]
    fn no_frame_has_two_owners() {
        for seed in 1..200_u64 {
            let mut state = seed;
            let mut draw = |below: u64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state % below
            };
            let mut frames = free(&[(10, 14), (20, 20), (30, 43)]);
            let (mut taken, mut returned) = (BTreeSet::new(), BTreeSet::new());
            for _ in 0..200 {
                let count = 1 + draw(4);
                if draw(2) == 0 && !taken.is_empty() {
                    let nth = draw(taken.len() as u64) as usize;
                    let frame = *taken.iter().nth(nth).unwrap();
                    taken.remove(&frame);
                    returned.insert(frame);
                    frames.put(Gfn(frame));
                } else {
                    let got =
                        if count == 1 { frames.take() } else { frames.take_run(count as usize) };
                    let run = |first: u64| first..first + count;
                    if let Some(Gfn(first)) = got {
                        for frame in run(first) {
                            let is_ours = (10..14).contains(&frame) || (30..43).contains(&frame);
                            assert!(is_ours && taken.insert(frame), "seed {seed}: {frame} twice");
                            returned.remove(&frame);
                        }
                    } else {
                        let is_there = |first| run(first).all(|frame| returned.contains(&frame));
                        assert!(!(10..43).any(is_there), "seed {seed}: a run of {count} is free");
                    }
                }
                let all = frames.available() + taken.len() as u64;
                assert_eq!(all, 17, "seed {seed}: a frame is lost");
            }
        }
    }
}
