//! The guest's memory, as the guest and the domains that it grants pages to see it.
//!
//! The only file of the model with `unsafe` code. Everything here is reached from two sides: the
//! drivers hold `Page`s and references to the special pages, the simulated peers go through the
//! methods. Bytes are only ever copied in and out, so no reference into a page exists.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32};

use drivers::PageRun;
use drivers::grant_frame::GrantFrame;
use xen_abi::grant_table::{ENTRIES_PER_PAGE, EntryV1, TablePage};
use xen_abi::{Gfn, PAGE_SIZE, console, xenstore};

/// Frame number of the first page.
const FIRST_GFN: u64 = 0x100;
/// Byte that fills a page while nobody owns it.
const POISON: u8 = 0x5a;

#[repr(C, align(4096))]
struct Frame(UnsafeCell<[u8; PAGE_SIZE]>);

/// Pages, grant table, and the two pages that the tool stack sets up.
pub struct Memory {
    frames: Box<[Frame]>,
    /// The grant table at its full size.
    pub grant_table: Box<[TablePage]>,
    /// The ring with xenstored.
    pub store: xenstore::Interface,
    /// The ring with the console's daemon.
    pub console: console::Interface,
}

impl Memory {
    /// Poisoned pages and an empty grant table; the two byte rings stand at `index`, since guests
    /// must not count on 0 (docs/misc/xenstore-ring.txt).
    pub fn new(pages: usize, grant_frames: usize, index: u32) -> Self {
        let byte = || AtomicU8::new(POISON);
        let at = || AtomicU32::new(index);
        Self {
            frames: (0..pages).map(|_| Frame(UnsafeCell::new([POISON; PAGE_SIZE]))).collect(),
            grant_table: (0..grant_frames).map(|_| empty_grant_frame()).collect(),
            store: xenstore::Interface {
                req: std::array::from_fn(|_| byte()),
                rsp: std::array::from_fn(|_| byte()),
                req_cons: at(),
                req_prod: at(),
                rsp_cons: at(),
                rsp_prod: at(),
                server_features: AtomicU32::new(0),
                connection: AtomicU32::new(0),
                error: AtomicU32::new(0),
            },
            console: console::Interface {
                input: std::array::from_fn(|_| byte()),
                output: std::array::from_fn(|_| byte()),
                in_cons: at(),
                in_prod: at(),
                out_cons: at(),
                out_prod: at(),
            },
        }
    }

    /// Returns the number of pages.
    pub fn pages(&self) -> usize {
        self.frames.len()
    }

    /// The frame number of page `index`.
    pub fn gfn(index: usize) -> Gfn {
        Gfn(FIRST_GFN + index as u64)
    }

    /// The page with this frame number, if the guest has it.
    pub fn index(&self, gfn: Gfn) -> Option<usize> {
        let index = usize::try_from(gfn.0.checked_sub(FIRST_GFN)?).ok()?;
        (index < self.frames.len()).then_some(index)
    }

    /// The entry of a grant reference, if the table is that large.
    pub fn grant_entry(&self, gref: u32) -> Option<&EntryV1> {
        let frame = self.grant_table.get((gref / ENTRIES_PER_PAGE) as usize)?;
        frame.get((gref % ENTRIES_PER_PAGE) as usize)
    }

    /// Page `index` of the grant table, as its owner gets it, if the table can grow to that.
    ///
    /// The caller is the hypervisor, which hands no page out twice.
    pub(crate) fn grant_frame(&self, index: u32) -> Option<GrantFrame<'_>> {
        let entries = self.grant_table.get(index as usize)?;
        // SAFETY: what the guest takes for its grant table; handed out once (the caller).
        Some(unsafe { GrantFrame::new(index, entries) })
    }

    /// Pages from `index` on, as their owner gets them: zeroed. Answers whether they still held
    /// poison only.
    ///
    /// The caller is the allocator, which hands no page out twice and keeps this `Memory` alive
    /// for as long as any page is out.
    pub(crate) fn hand_out(&self, index: usize, count: usize) -> (PageRun, bool) {
        let untouched = (index..index + count).all(|n| self.holds_only(Self::gfn(n), POISON));
        (index..index + count).for_each(|n| self.fill(Self::gfn(n), 0));
        let frames = self.frames[index..index + count].as_ptr();
        let start = NonNull::new(UnsafeCell::raw_get(frames.cast::<UnsafeCell<u8>>()));
        let start = start.expect("a page has an address");
        // SAFETY: aligned by its type and inside our allocation, which the allocator keeps for as
        // long as a page is out; no reference into it is ever made.
        (unsafe { PageRun::new(start, Self::gfn(index), count) }, untouched)
    }

    /// Poisons a page that has no owner any more.
    pub(crate) fn poison(&self, gfn: Gfn) {
        self.fill(gfn, POISON);
    }

    /// An aligned 32-bit word of a page, which both sides may change.
    pub fn word(&self, gfn: Gfn, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4));
        // SAFETY: aligned (asserted), inside the page (`at`), as long-lived as `self`, and the
        // drivers reach it as an atomic or through raw pointers too.
        unsafe { AtomicU32::from_ptr(self.at(gfn, offset, 4).cast()) }
    }

    /// Copies bytes out of a page.
    pub fn read(&self, gfn: Gfn, offset: usize, bytes: &mut [u8]) {
        // SAFETY: the range is inside the page (`at`) and `bytes` is not.
        unsafe {
            self.at(gfn, offset, bytes.len())
                .copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len());
        }
    }

    /// Copies bytes into a page.
    pub fn write(&self, gfn: Gfn, offset: usize, bytes: &[u8]) {
        // SAFETY: the range is inside the page (`at`) and `bytes` is not.
        unsafe {
            self.at(gfn, offset, bytes.len()).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Returns whether every byte of a page is `byte`.
    pub fn holds_only(&self, gfn: Gfn, byte: u8) -> bool {
        let mut bytes = [0; PAGE_SIZE];
        self.read(gfn, 0, &mut bytes);
        bytes == [byte; PAGE_SIZE]
    }

    fn fill(&self, gfn: Gfn, byte: u8) {
        self.write(gfn, 0, &[byte; PAGE_SIZE]);
    }

    /// Returns a pointer to the start of a range inside one page.
    fn at(&self, gfn: Gfn, offset: usize, len: usize) -> *mut u8 {
        assert!(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
        let index = self.index(gfn).expect("a frame that was checked when it was mapped");
        let start: *mut u8 = self.frames[index].0.get().cast();
        start.wrapping_add(offset)
    }
}

fn empty_grant_frame() -> TablePage {
    std::array::from_fn(|_| EntryV1 {
        flags: AtomicU16::new(0),
        domid: AtomicU16::new(0),
        frame: AtomicU32::new(0),
    })
}
