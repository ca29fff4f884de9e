//! Memory: a heap for setting up, and pages for sharing.

use core::ptr::{self, NonNull};

use boot_info::frames::{self, Division, FreeFrames, TooLittle};
use bootloader_api::info::MemoryRegion;
use drivers::{Page, PageRun};
use linked_list_allocator::LockedHeap;
use xen_abi::{Gfn, PAGE_SIZE};

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Returns the heap's size in bytes.
pub fn heap_size() -> usize {
    HEAP.lock().size()
}

/// Hands out whole pages.
#[derive(Debug)]
pub struct PageSource {
    /// Frames that are free: no [`Page`] of this source stands for them.
    free: FreeFrames,
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
    let Division { heap, rest } = frames::divide(regions, end)?;
    let heap_start = ptr::with_exposed_provenance_mut(heap.start as usize);
    // SAFETY: the range is a part of a usable region (the caller's promise) and is left out of
    // `rest`.
    unsafe { HEAP.lock().init(heap_start, (heap.end - heap.start) as usize) };
    Ok(PageSource { free: FreeFrames::new(rest) })
}

impl PageSource {
    /// Lets the heap grow to so many bytes, if it has fewer; returns whether it has them. That may
    /// fail once pages behind it are in use.
    pub fn grow_heap(&mut self, bytes: usize) -> bool {
        let mut heap = HEAP.lock();
        let lacks = bytes.saturating_sub(heap.size()).next_multiple_of(PAGE_SIZE);
        if lacks == 0 {
            return true;
        }
        if !self.free.take_fresh_at(heap.top().addr() as u64, lacks as u64) {
            return false;
        }
        // SAFETY: the memory behind the heap was free: part of a usable region, mapped one to one
        // (`init`), and nobody's until now.
        unsafe { heap.extend(lacks) };
        true
    }

    /// Returns by how many bytes the heap can grow.
    pub fn heap_growth(&self) -> u64 {
        self.free.fresh_at(HEAP.lock().top().addr() as u64)
    }

    /// Takes a zeroed page.
    pub fn take(&mut self) -> Option<Page> {
        let first = self.free.take()?;
        // SAFETY: a frame that was free.
        let mut page = unsafe { run(first, 1) }?.into_pages().next()?;
        page.zero();
        Some(page)
    }

    /// Takes zeroed pages that lie one behind the other.
    pub fn take_run(&mut self, count: usize) -> Option<PageRun> {
        let first = self.free.take_run(count)?;
        // SAFETY: frames that were free.
        let mut run = unsafe { run(first, count) }?;
        run.zero();
        Some(run)
    }

    /// Takes memory for a `T` for good, which nobody else uses. No backend has ever seen it; all
    /// its bytes are 0.
    pub fn take_for_good<T>(&mut self) -> Option<NonNull<T>> {
        const { assert!(align_of::<T>() <= PAGE_SIZE) };
        let count = size_of::<T>().div_ceil(PAGE_SIZE);
        let first = self.free.take_fresh_run(count)?;
        // SAFETY: frames that were free, and never come back.
        let mut run = unsafe { run(first, count) }?;
        run.zero();
        Some(run.start().cast())
    }

    /// Takes a page back.
    pub fn put(&mut self, page: Page) {
        self.free.put(page.gfn());
    }

    /// Returns the number of pages that can still be taken.
    pub fn available(&self) -> u64 {
        self.free.available()
    }
}

/// Makes pages of frames.
///
/// # Safety
/// The frames were taken from [`FreeFrames`] of [`init`], and no page was made of them since.
unsafe fn run(first: Gfn, count: usize) -> Option<PageRun> {
    let start = NonNull::new(ptr::with_exposed_provenance_mut(first.0 as usize * PAGE_SIZE))?;
    // SAFETY: whole pages of a usable region (`init`), mapped one to one, so that an address
    // divided by the page size is its frame. A free frame has no other owner: its last one, if any,
    // gave its page away to `put`.
    Some(unsafe { PageRun::new(start, first, count) })
}
