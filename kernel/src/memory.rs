//! Memory: a heap for setting up, and pages for sharing.

use alloc::vec::Vec;
use core::fmt;
use core::ptr::{self, NonNull};

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use drivers::{Page, PageRun};
use linked_list_allocator::LockedHeap;
use xen_abi::{Gfn, PAGE_SIZE};

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Smallest heap, in bytes.
const HEAP_MIN: u64 = 2 << 20;
/// One part in so many of the memory becomes heap.
const HEAP_SHARE: u64 = 8;

/// The heap's size in bytes.
pub fn heap_size() -> usize {
    HEAP.lock().size()
}

/// Hands out whole pages.
#[derive(Debug)]
pub struct PageSource {
    /// Ranges never used yet, whole pages, half open.
    fresh: Vec<(u64, u64)>,
    /// Pages that were given back. They stay pages: a backend may have seen or kept them, so none
    /// becomes heap.
    returned: Vec<Page>,
}

/// There is not enough memory to start.
#[derive(Clone, Copy, Debug)]
pub struct TooLittle {
    /// Bytes of the largest region.
    pub largest: u64,
}

impl fmt::Display for TooLittle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not enough memory: the largest free piece has {} KiB; set memory=16 or more",
            self.largest >> 10
        )
    }
}

/// Makes the heap out of the largest region and a source of pages out of all the rest, of what is
/// below `end`.
///
/// # Errors
/// [`TooLittle`].
///
/// # Safety
/// The usable regions below `end` are RAM, mapped one to one, and used by nobody. To be called
/// once.
pub unsafe fn init(regions: &[MemoryRegion], end: u64) -> Result<PageSource, TooLittle> {
    let usable = || {
        let regions = regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable);
        regions.map(|region| (region.start.min(end), region.end.min(end)))
    };
    let size = |(start, end): (u64, u64)| end.saturating_sub(start);
    let total: u64 = usable().map(size).sum();
    let heap_size = HEAP_MIN.max(total / HEAP_SHARE).next_multiple_of(PAGE_SIZE as u64);
    let largest = usable().max_by_key(|&region| size(region)).unwrap_or_default();
    if size(largest) <= heap_size {
        return Err(TooLittle { largest: size(largest) });
    }
    let (home, _) = largest;
    let heap_start = ptr::with_exposed_provenance_mut(home as usize);
    // SAFETY: the range is the start of a usable region (the caller's promise) and is left out of
    // the page source below.
    unsafe { HEAP.lock().init(heap_start, heap_size as usize) };
    let fresh = usable()
        .map(|(start, end)| if start == home { (start + heap_size, end) } else { (start, end) })
        .collect();
    Ok(PageSource { fresh, returned: Vec::new() })
}

impl PageSource {
    /// A zeroed page.
    pub fn take(&mut self) -> Option<Page> {
        if let Some(mut page) = self.returned.pop() {
            page.zero();
            return Some(page);
        }
        let mut page = self.take_fresh_run(1)?.into_pages().next()?;
        page.zero();
        Some(page)
    }

    /// Zeroed pages that lie one behind the other.
    pub fn take_run(&mut self, count: usize) -> Option<PageRun> {
        let mut run = self.take_returned_run(count).or_else(|| self.take_fresh_run(count))?;
        run.zero();
        Some(run)
    }

    fn take_returned_run(&mut self, count: usize) -> Option<PageRun> {
        let span = count.checked_sub(1)?;
        self.returned.sort_unstable_by_key(|page| page.gfn().0);
        let gfn = |page: &Page| page.gfn().0;
        let at = self
            .returned
            .windows(count)
            .position(|pages| gfn(&pages[span]) - gfn(&pages[0]) == span as u64)?;
        let first = self.returned.drain(at..at + count).next()?;
        // SAFETY: pages of ours with consecutive frame numbers, so consecutive by their addresses,
        // which are mapped one to one; each is used as a part of the run from here on.
        Some(unsafe { PageRun::new(first.start(), first.gfn(), count) })
    }

    fn take_fresh_run(&mut self, count: usize) -> Option<PageRun> {
        let bytes = count.checked_mul(PAGE_SIZE)? as u64;
        let (start, _) = self.fresh.iter_mut().find(|(start, end)| end - start >= bytes)?;
        let address = *start;
        *start += bytes;
        let memory = NonNull::new(ptr::with_exposed_provenance_mut(address as usize))?;
        // SAFETY: whole pages of a usable region, handed out this once and mapped one to one, so
        // that an address divided by the page size is its frame.
        Some(unsafe { PageRun::new(memory, Gfn(address / PAGE_SIZE as u64), count) })
    }

    /// Takes a page back.
    pub fn put(&mut self, page: Page) {
        self.returned.push(page);
    }

    /// Pages that can still be taken.
    pub fn available(&self) -> u64 {
        let fresh: u64 = self.fresh.iter().map(|(start, end)| end - start).sum();
        fresh / PAGE_SIZE as u64 + self.returned.len() as u64
    }
}
