//! A page that may be shared with another domain.
//!
//! No reference into the page ever exists: the other side may write at any moment, so bytes are
//! only copied in and copied out, through raw pointers.

use core::ptr::NonNull;

use xen_abi::{Gfn, PAGE_SIZE};

/// One page of guest memory, owned, that knows its frame number.
///
/// Dropping a `Page` does not free it; see [`crate::Hypervisor::free_page`]. A freed one becomes
/// another `Page` and nothing else, never heap or stack: so whatever a backend does with a page,
/// there is no Rust value in it.
#[derive(Debug)]
pub struct Page {
    start: NonNull<u8>,
    gfn: Gfn,
}

// SAFETY: the memory is owned by the `Page` alone (`new`), whichever vCPU holds it.
unsafe impl Send for Page {}

impl Page {
    /// Takes ownership of a page.
    ///
    /// # Safety
    /// `start` is page-aligned, valid for reads and writes of [`PAGE_SIZE`] bytes for the rest of
    /// the program, reached through no other pointer of this program, and is the memory that
    /// other domains see at `gfn`.
    pub unsafe fn new(start: NonNull<u8>, gfn: Gfn) -> Self {
        debug_assert!(start.as_ptr().addr().is_multiple_of(PAGE_SIZE));
        Self { start, gfn }
    }

    /// Returns its frame number.
    pub fn gfn(&self) -> Gfn {
        self.gfn
    }

    /// Returns its first byte, for the allocator that takes it back and for [`crate::ring`].
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Copies `bytes` into the page at `offset`.
    ///
    /// # Panics
    /// When they do not fit into the page.
    #[inline(always)]
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset <= PAGE_SIZE && bytes.len() <= PAGE_SIZE - offset);
        // SAFETY: the range is inside the page (asserted), which is valid for writes (`new`);
        // `bytes` is a Rust slice and so no part of the page.
        unsafe {
            self.start.as_ptr().add(offset).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Copies bytes out of the page from `offset` on.
    ///
    /// # Panics
    /// When the range does not fit into the page.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(offset <= PAGE_SIZE && bytes.len() <= PAGE_SIZE - offset);
        // SAFETY: as in `write`; any byte is a valid `u8`, also one that changes meanwhile.
        unsafe {
            self.start.as_ptr().add(offset).copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len());
        }
        // Whoever looks at `bytes` from here on must look at the copy: without this, the compiler
        // might read the page again instead.
        core::hint::black_box(bytes);
    }

    /// Copies the first `bytes` of `other` into this page.
    ///
    /// # Panics
    /// When that is more than a page.
    pub fn copy_from(&mut self, other: &Page, bytes: usize) {
        assert!(bytes <= PAGE_SIZE);
        // SAFETY: both are valid for a whole page, and two `Page`s never overlap (`new`).
        unsafe {
            self.start.as_ptr().copy_from_nonoverlapping(other.start.as_ptr(), bytes);
        }
    }

    /// Sets every byte to 0.
    pub fn zero(&mut self) {
        // SAFETY: the whole page is valid for writes (`new`).
        unsafe { self.start.as_ptr().write_bytes(0, PAGE_SIZE) }
    }
}

/// Neighbouring pages, in our memory and by their frame numbers; owned.
#[derive(Debug)]
pub struct PageRun {
    start: NonNull<u8>,
    first: Gfn,
    count: usize,
}

// SAFETY: as for `Page`.
unsafe impl Send for PageRun {}

impl PageRun {
    /// Takes ownership of `count` pages.
    ///
    /// # Safety
    /// All that [`Page::new`] asks for, for each of them: they are valid from `start` on as one
    /// piece, and other domains see them at `first` and the frames that follow it.
    pub unsafe fn new(start: NonNull<u8>, first: Gfn, count: usize) -> Self {
        debug_assert!(start.as_ptr().addr().is_multiple_of(PAGE_SIZE));
        Self { start, first, count }
    }

    /// Returns the number of pages.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns their first byte, for [`crate::ring`].
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Returns their frame numbers, in order.
    pub fn gfns(&self) -> impl Iterator<Item = Gfn> + use<> {
        let first = self.first.0;
        (0..self.count as u64).map(move |index| Gfn(first + index))
    }

    /// Takes the run apart into its pages, in order.
    pub fn into_pages(self) -> impl Iterator<Item = Page> {
        self.gfns().enumerate().map(move |(index, gfn)| {
            // SAFETY: each page is inside the run, and the run ends here.
            unsafe { Page::new(self.start.add(index * PAGE_SIZE), gfn) }
        })
    }

    /// Sets every byte to 0.
    pub fn zero(&mut self) {
        // SAFETY: all pages are valid for writes (`new`).
        unsafe { self.start.as_ptr().write_bytes(0, self.count * PAGE_SIZE) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    #[repr(align(4096))]
    struct Memory(
        #[expect(dead_code, reason = "reached through the page's pointer")] [u8; PAGE_SIZE],
    );

    /// A page of the host's memory that is never freed.
    pub(crate) fn leaked() -> Page {
        let memory = Box::leak(Box::new(Memory([0; PAGE_SIZE])));
        // SAFETY: aligned, leaked, and reached through this pointer only; no domain maps it.
        unsafe { Page::new(NonNull::from(memory).cast(), Gfn(1)) }
    }

    /// Returns `count` pages in one piece, leaked as by [`leaked`].
    pub(crate) fn leaked_run(count: usize) -> PageRun {
        let memory: Vec<Memory> = (0..count).map(|_| Memory([0; PAGE_SIZE])).collect();
        let start = NonNull::from(memory.leak()).cast();
        // SAFETY: as for `leaked`; the elements of a slice lie one behind the other.
        unsafe { PageRun::new(start, Gfn(1), count) }
    }

    #[test]
    fn a_run_comes_apart_in_order() {
        let run = leaked_run(3);
        let start = run.start().as_ptr().addr();
        let gfns: Vec<Gfn> = run.gfns().collect();
        let pages: Vec<Page> = run.into_pages().collect();
        assert_eq!(gfns, [Gfn(1), Gfn(2), Gfn(3)]);
        for (index, page) in pages.iter().enumerate() {
            assert_eq!(page.gfn(), gfns[index]);
            assert_eq!(page.start().as_ptr().addr(), start + index * PAGE_SIZE);
        }
    }

    #[test]
    fn bytes_come_back_from_where_they_were_put() {
        let mut page = leaked();
        page.write(4090, &[1, 2, 3, 4, 5, 6]);
        let mut back = [0; 8];
        page.read(4088, &mut back);
        assert_eq!(back, [0, 0, 1, 2, 3, 4, 5, 6]);
        page.zero();
        page.read(4088, &mut back);
        assert_eq!(back, [0; 8]);
    }

    #[test]
    fn a_copy_ends_where_it_should() {
        let (mut to, mut from) = (leaked(), leaked());
        from.write(0, &[7; PAGE_SIZE]);
        to.copy_from(&from, 512);
        let mut back = [0; 4];
        to.read(510, &mut back);
        assert_eq!(back, [7, 7, 0, 0]);
    }

    #[test]
    #[should_panic]
    fn no_byte_is_written_outside_the_page() {
        leaked().write(4095, &[0, 0]);
    }

    #[test]
    #[should_panic]
    fn no_byte_is_read_outside_the_page() {
        leaked().read(4095, &mut [0, 0]);
    }

    #[test]
    #[should_panic]
    fn no_byte_is_copied_outside_the_page() {
        leaked().copy_from(&leaked(), PAGE_SIZE + 1);
    }
}
