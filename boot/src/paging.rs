//! The page tables that entry.s made, from the point on where they protect.

use core::arch::x86_64::CpuidResult;
use core::ptr::{self, addr_of};
use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};

use boot_info::cpuid;
use boot_info::memory_map::{HUGE_PAGE_SIZE, MAPPED_END, Range};
use boot_info::paging::{self, ALIAS, FAR_TEXT, LARGE_PAGE_SIZE, Protection};
use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::model_specific::{Efer, EferFlags};
use x86_64::structures::paging::PageTableFlags;
use xen_abi::PAGE_SIZE;

unsafe extern "C" {
    static image_start: u8;
    static text_end: u8;
    static constants_end: u8;
    /// The first 512 GiB: the page directories, the alias, the far text.
    static boot_pdpt: [AtomicU64; 512];
    /// The first 4 GiB in large pages, but for the first two entries and those that were split.
    static boot_directories: [AtomicU64; 2048];
    /// The first 4 MiB in small pages.
    static boot_small_tables: [AtomicU64; 1024];
}

/// A table of small pages, to split a large one with. Its entries are atomics, for the processor
/// notes in them what it uses.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; 512]);

/// Returns the entries of the first 4 MiB.
fn small() -> &'static [AtomicU64] {
    // SAFETY: entry.s makes the tables, and they live for ever.
    unsafe { &boot_small_tables }
}

/// Returns the entries of the large pages; some, the first two of them for example, lead to a table
/// of small ones instead.
fn large() -> &'static [AtomicU64] {
    // SAFETY: as in `small`.
    unsafe { &boot_directories }
}

/// Returns the entries for each GiB, those from `start` to `end`.
fn huge(start: u64, end: u64) -> &'static [AtomicU64] {
    let [start, end] = [start, end].map(|address| (address / HUGE_PAGE_SIZE) as usize);
    // SAFETY: as in `small`.
    unsafe { &boot_pdpt[start..end] }
}

/// Returns the entries by which the alias of the first 4 GiB is mapped.
fn alias() -> &'static [AtomicU64] {
    huge(ALIAS, ALIAS + MAPPED_END)
}

/// Gives every page the rights that it needs and no more, with write protection (CR0.WP) on since
/// entry.s. The page below `stack` is its guard.
///
/// # Safety
/// Page 0 is no longer needed. Text and constants, as linked, are never written.
pub(crate) unsafe fn protect(stack: Range, cpuid: impl Fn(u32) -> CpuidResult) {
    let has_nx = cpuid::has_nx(&cpuid);
    if has_nx {
        // SAFETY: the processor has the bit; no entry has it set yet.
        unsafe { Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE)) };
    }
    let bounds = [addr_of!(image_start), addr_of!(text_end), addr_of!(constants_end)];
    let [text, constants, data] = bounds.map(|symbol| symbol.addr() as u64);
    let protection = Protection {
        text: Range { start: text, end: constants },
        constants: Range { start: constants, end: data },
        guard: Range::sized(stack.start - PAGE_SIZE as u64, PAGE_SIZE as u64),
        has_nx,
    };
    for (address, entry) in (0..).step_by(PAGE_SIZE).zip(small()) {
        entry.store(protection.page_entry(address), Ordering::Relaxed);
    }
    let tables = small().len() / 512;
    for (address, entry) in (0..).step_by(LARGE_PAGE_SIZE as usize).zip(large()).skip(tables) {
        entry.store(protection.large_page_entry(address), Ordering::Relaxed);
    }
    if cpuid::has_huge_pages(cpuid) {
        for (address, entry) in (0..).step_by(HUGE_PAGE_SIZE as usize).zip(alias()) {
            entry.store(protection.alias_entry(address), Ordering::Relaxed);
        }
    }
    tlb::flush_all();
}

/// Returns whether execution is forbidden where there is no text. If not, the processor can't.
pub fn has_nx() -> bool {
    Efer::read().contains(EferFlags::NO_EXECUTE_ENABLE)
}

/// Returns the distance from an address to where the same memory is read by the shortest walk of
/// the page tables: [`ALIAS`], or 0 where the processor has no pages large enough for it.
pub fn read_alias() -> u64 {
    let is_mapped = alias().iter().all(|entry| entry.load(Ordering::Relaxed) != 0);
    if is_mapped { ALIAS } else { 0 }
}

/// Maps the 1 GiB of guest-physical memory at `place` as instructions, by the shortest walk of the
/// page tables; returns its address.
///
/// # Panics
/// When `place` is not the start of a huge page, or there is far text already.
///
/// # Safety
/// The processor has pages of this size ([`read_alias`] is not 0), and at `place` there is nothing
/// but instructions, which nobody can write. To be called once.
pub unsafe fn map_far_text(place: u64) -> usize {
    assert!(place.is_multiple_of(HUGE_PAGE_SIZE), "{place:#x} is not the start of a huge page");
    let [entry] = huge(FAR_TEXT, FAR_TEXT + HUGE_PAGE_SIZE) else { unreachable!("one entry") };
    assert_eq!(entry.load(Ordering::Relaxed), 0, "far text is mapped");
    entry.store(paging::far_text_entry(place), Ordering::Release);
    FAR_TEXT as usize
}

/// Returns whether `address` lies in a large page, and so no 4 KiB there can be
/// [taken away](unmap).
pub fn is_large(address: usize) -> bool {
    directory_entry(address).is_some_and(|entry| table(entry).is_none())
}

/// Maps the large page that `address` lies in by small ones, of the same rights; does nothing if it
/// is none.
///
/// # Safety
/// No other vCPU runs: it might split the same page, or have it in its TLB.
pub unsafe fn split(address: usize, table: &'static mut Table) {
    let Some(entry) = directory_entry(address).filter(|_| is_large(address)) else { return };
    for (small, value) in table.0.iter_mut().zip(paging::split(entry.load(Ordering::Relaxed))) {
        *small.get_mut() = value;
    }
    let at = ptr::from_mut(table).expose_provenance() as u64;
    entry.store(paging::table_entry(at), Ordering::Release);
    tlb::flush_all();
}

/// Takes the 4 KiB page at `address` away for good: any access to it faults.
///
/// # Panics
/// When the page is a part of a large one, or `address` is no page's.
///
/// # Safety
/// Nobody uses the page from here on, and no other vCPU runs, which might have it in its TLB.
pub unsafe fn unmap(address: usize) {
    assert!(address.is_multiple_of(PAGE_SIZE), "{address:#x} is not the address of a page");
    let entries = directory_entry(address).and_then(table);
    let entries = entries.unwrap_or_else(|| panic!("{address:#x} lies in a large page"));
    entries[address / PAGE_SIZE % entries.len()].store(0, Ordering::Relaxed);
    tlb::flush(VirtAddr::from_ptr(ptr::without_provenance::<u8>(address)));
}

fn directory_entry(address: usize) -> Option<&'static AtomicU64> {
    large().get(address / LARGE_PAGE_SIZE as usize)
}

/// Returns the entries of the table that an entry of a directory leads to, if it does.
fn table(entry: &AtomicU64) -> Option<&'static [AtomicU64; 512]> {
    let address = paging::table_address(entry.load(Ordering::Acquire))?;
    let table = ptr::with_exposed_provenance::<[AtomicU64; 512]>(address as usize);
    // SAFETY: the table is that of entry.s, or was given to `split` for good; both are mapped one
    // to one and reached through shared references only, once an entry leads there.
    Some(unsafe { &*table })
}

/// A page as it is mapped.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// Its addresses.
    pub page: Range,
    /// Its rights; none if it is not present.
    pub flags: PageTableFlags,
}

/// Returns all huge pages from 4 GiB to 512 GiB, in order.
pub fn high_mappings() -> impl Iterator<Item = Mapping> {
    let entries = huge(MAPPED_END, 512 * HUGE_PAGE_SIZE);
    let pages = (MAPPED_END..).step_by(HUGE_PAGE_SIZE as usize).zip(entries);
    pages.map(|(start, entry)| mapping(start, HUGE_PAGE_SIZE, entry))
}

/// Returns all pages of the first 4 GiB, small ones and large ones, in order.
pub fn mappings() -> impl Iterator<Item = Mapping> {
    (0..).step_by(LARGE_PAGE_SIZE as usize).zip(large()).flat_map(|(start, entry)| {
        let (entries, size) = match table(entry) {
            Some(entries) => (&entries[..], PAGE_SIZE as u64),
            None => (slice::from_ref(entry), LARGE_PAGE_SIZE),
        };
        let pages = (start..).step_by(size as usize).zip(entries);
        pages.map(move |(address, entry)| mapping(address, size, entry))
    })
}

/// Returns the page of `size` bytes at `address` as its entry maps it.
fn mapping(address: u64, size: u64, entry: &AtomicU64) -> Mapping {
    let flags = PageTableFlags::from_bits_truncate(entry.load(Ordering::Relaxed));
    Mapping { page: Range::sized(address, size), flags }
}
