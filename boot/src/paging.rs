//! The page tables that entry.s made, from the point on where they protect.

use core::arch::x86_64::CpuidResult;
use core::ptr::addr_of;
use core::sync::atomic::{AtomicU64, Ordering};

use boot_info::cpuid;
use boot_info::memory_map::Range;
use boot_info::paging::{LARGE_PAGE_SIZE, Protection};
use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::model_specific::{Efer, EferFlags};
use x86_64::structures::paging::PageTableFlags;
use xen_abi::PAGE_SIZE;

unsafe extern "C" {
    static image_start: u8;
    static text_end: u8;
    static constants_end: u8;
    /// The first 4 GiB in large pages, but for the first entry.
    static boot_directories: [AtomicU64; 2048];
    /// The first 2 MiB in small pages.
    static boot_first_table: [AtomicU64; 512];
}

/// Returns the entries of the small pages. They are atomics, for the processor notes in them what
/// it uses.
fn small() -> &'static [AtomicU64] {
    // SAFETY: entry.s makes the table, and it lives for ever.
    unsafe { &boot_first_table }
}

/// Returns the entries of the large pages, the first of which is a table of small ones instead.
fn large() -> &'static [AtomicU64] {
    // SAFETY: as in `small`.
    unsafe { &boot_directories }
}

/// Gives every page the rights that it needs and no more, with write protection (CR0.WP) on since
/// entry.s. The page below `stack` is its guard.
///
/// # Safety
/// Page 0 is no longer needed. Text and constants, as linked, are never written.
pub(crate) unsafe fn protect(stack: Range, cpuid: impl Fn(u32) -> CpuidResult) {
    let has_nx = cpuid::has_nx(cpuid);
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
    for (address, entry) in (0..).step_by(LARGE_PAGE_SIZE as usize).zip(large()).skip(1) {
        entry.store(protection.large_page_entry(address), Ordering::Relaxed);
    }
    tlb::flush_all();
}

/// Returns whether execution is forbidden where there is no text. If not, the processor can't.
pub fn has_nx() -> bool {
    Efer::read().contains(EferFlags::NO_EXECUTE_ENABLE)
}

/// Takes the 4 KiB page at `address` away for good: any access to it faults.
///
/// # Panics
/// When the page lies above the first 2 MiB, where it is a part of a large one, or `address` is no
/// page's.
///
/// # Safety
/// Nobody uses the page from here on.
pub unsafe fn unmap(address: usize) {
    assert!(address.is_multiple_of(PAGE_SIZE), "{address:#x} is not the address of a page");
    let entry = small().get(address / PAGE_SIZE);
    let entry = entry.unwrap_or_else(|| panic!("{address:#x} lies in a large page"));
    entry.store(0, Ordering::Relaxed);
    tlb::flush(VirtAddr::from_ptr(core::ptr::without_provenance::<u8>(address)));
}

/// A page as it is mapped.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// Its addresses.
    pub page: Range,
    /// Its rights; none if it is not present.
    pub flags: PageTableFlags,
}

/// Returns all pages of the first 4 GiB, small ones and large ones, in order.
pub fn mappings() -> impl Iterator<Item = Mapping> {
    let pages = |entries: &'static [AtomicU64], size: u64| {
        (0..).step_by(size as usize).zip(entries).map(move |(address, entry)| Mapping {
            page: Range::sized(address, size),
            flags: PageTableFlags::from_bits_truncate(entry.load(Ordering::Relaxed)),
        })
    };
    pages(small(), PAGE_SIZE as u64).chain(pages(large(), LARGE_PAGE_SIZE).skip(1))
}
