//! Entries of the page tables: what each page of the first 4 GiB may be used for.
//!
//! All of that is mapped one to one. No page can be both written and executed: instructions are
//! read and executed, constants read, and all else is read and written. Page 0 is not mapped, so
//! that a null pointer faults, nor is the guard page below a stack.
//!
//! Behind these 4 GiB they are mapped once more, to be read only and in the largest pages: the
//! [`ALIAS`]. What Xen reads of ours it finds there with the fewest steps, for it walks our tables.
//! So it does for the page of instructions behind that ([`FAR_TEXT`]).

use x86_64::structures::paging::PageTableFlags;
use xen_abi::PAGE_SIZE;

use crate::memory_map::{HUGE_PAGE_SIZE, Range};

/// Bytes that an entry of a page directory maps.
pub const LARGE_PAGE_SIZE: u64 = 2 << 20;

/// Distance from an address to where the same memory can be read once more.
pub const ALIAS: u64 = 4 * HUGE_PAGE_SIZE;
/// Address of a huge page for instructions, behind the alias.
pub const FAR_TEXT: u64 = 2 * ALIAS;

/// Parts of the image that are protected, and what the processor can do for them.
#[derive(Clone, Copy, Debug)]
pub struct Protection {
    /// The image's instructions, in whole pages.
    pub text: Range,
    /// The image's constants, in whole pages.
    pub constants: Range,
    /// The page below the boot stack.
    pub guard: Range,
    /// Flag: the processor can forbid execution.
    pub has_nx: bool,
}

impl Protection {
    /// Returns the entry of a page table for the 4 KiB page at `address`.
    pub fn page_entry(&self, address: u64) -> u64 {
        let page = Range::sized(address, PAGE_SIZE as u64);
        if address == 0 || page.touches(self.guard) {
            return 0;
        }
        let flags = if page.touches(self.text) {
            PageTableFlags::PRESENT
        } else if page.touches(self.constants) {
            PageTableFlags::PRESENT | self.no_execute()
        } else {
            PageTableFlags::PRESENT | PageTableFlags::WRITABLE | self.no_execute()
        };
        address | flags.bits()
    }

    /// Returns the entry of a page directory for the 2 MiB at `address`, which hold no part of the
    /// image.
    pub fn large_page_entry(&self, address: u64) -> u64 {
        self.page_entry(address) | PageTableFlags::HUGE_PAGE.bits()
    }

    /// Returns the entry of a table of page directories by which the 1 GiB at `address` can be read
    /// at the [`ALIAS`]. It may hold text and guards, so it must never be written or executed.
    pub fn alias_entry(&self, address: u64) -> u64 {
        huge_page_entry(address) | self.no_execute().bits()
    }

    fn no_execute(&self) -> PageTableFlags {
        if self.has_nx { PageTableFlags::NO_EXECUTE } else { PageTableFlags::empty() }
    }
}

/// Bits of an entry that are the address of a page or of a table.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Returns the address of the table that an entry of a page directory leads to; `None` if it is a
/// large page's, or nothing is there.
pub fn table_address(entry: u64) -> Option<u64> {
    let flags = PageTableFlags::from_bits_truncate(entry);
    let is_table =
        flags.contains(PageTableFlags::PRESENT) && !flags.contains(PageTableFlags::HUGE_PAGE);
    is_table.then_some(entry & ADDRESS)
}

/// Returns the entry of a page directory for the table at `address`. The entries of the table
/// decide on the rights.
pub fn table_entry(address: u64) -> u64 {
    address | (PageTableFlags::PRESENT | PageTableFlags::WRITABLE).bits()
}

/// Returns the entry of a table of page directories for the 1 GiB at `address`, which holds nothing
/// but instructions.
pub fn far_text_entry(address: u64) -> u64 {
    huge_page_entry(address)
}

/// Returns the entry of a table of page directories by which the 1 GiB at `address` is read and
/// executed.
fn huge_page_entry(address: u64) -> u64 {
    address | (PageTableFlags::PRESENT | PageTableFlags::HUGE_PAGE).bits()
}

/// Returns the entries of a table that maps what `large`, the entry of a large page, does, with the
/// same rights.
pub fn split(large: u64) -> impl Iterator<Item = u64> {
    let first = large & !PageTableFlags::HUGE_PAGE.bits();
    (first..).step_by(PAGE_SIZE).take(LARGE_PAGE_SIZE as usize / PAGE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: u64 = PAGE_SIZE as u64;
    const PRESENT: u64 = 1;
    const WRITABLE: u64 = 1 << 1;
    const LARGE: u64 = 1 << 7;
    const NX: u64 = 1 << 63;

    fn image(has_nx: bool) -> Protection {
        Protection {
            text: Range { start: 0x100 * P, end: 0x17d * P },
            constants: Range { start: 0x17d * P, end: 0x18c * P },
            guard: Range { start: 0x1a0 * P, end: 0x1a1 * P },
            has_nx,
        }
    }

    #[test]
    fn each_part_of_the_image_has_its_own_rights() {
        let entry = |page: u64| image(true).page_entry(page * P);
        for text in [0x100, 0x101, 0x17c] {
            assert_eq!(entry(text), (text * P) | PRESENT);
        }
        for constants in [0x17d, 0x18b] {
            assert_eq!(entry(constants), (constants * P) | PRESENT | NX);
        }
        for data in [1, 0xff, 0x18c, 0x19f, 0x1a1, 0x1ff] {
            assert_eq!(entry(data), (data * P) | PRESENT | WRITABLE | NX);
        }
    }

    #[test]
    fn page_0_and_the_guard_are_not_there() {
        for has_nx in [true, false] {
            assert_eq!(image(has_nx).page_entry(0), 0);
            assert_eq!(image(has_nx).page_entry(0x1a0 * P), 0);
        }
    }

    #[test]
    fn large_pages_are_data() {
        for address in [LARGE_PAGE_SIZE, 0x4000_0000, 0xffe0_0000] {
            let flags = PRESENT | WRITABLE | LARGE | NX;
            assert_eq!(image(true).large_page_entry(address), address | flags);
        }
    }

    #[test]
    fn the_alias_is_only_read() {
        for gib in 0..4 {
            let address = gib * HUGE_PAGE_SIZE;
            assert_eq!(image(true).alias_entry(address), address | PRESENT | LARGE | NX);
        }
    }

    #[test]
    fn far_text_is_not_written() {
        assert_eq!(far_text_entry(5 * HUGE_PAGE_SIZE), (5 * HUGE_PAGE_SIZE) | PRESENT | LARGE);
    }

    /// Without NX the bit is reserved, and an entry with it set faults.
    #[test]
    fn without_nx_the_bit_is_never_set() {
        let protection = image(false);
        for page in 0..0x200 {
            let with = image(true).page_entry(page * P);
            assert_eq!(protection.page_entry(page * P), with & !NX);
        }
        assert_eq!(protection.large_page_entry(P << 9) & NX, 0);
        assert_eq!(protection.alias_entry(HUGE_PAGE_SIZE) & NX, 0);
    }

    #[test]
    fn no_page_is_both_written_and_executed() {
        let small = (0..0x200).map(|page| image(true).page_entry(page * P));
        let large = (1..2048).map(|page| image(true).large_page_entry(page * LARGE_PAGE_SIZE));
        for entry in small.chain(large) {
            assert!(entry & WRITABLE == 0 || entry & NX != 0, "{entry:#x}");
        }
    }

    #[test]
    fn a_large_page_in_small_ones_maps_the_same() {
        let small: std::vec::Vec<u64> = split(image(true).large_page_entry(0x4000_0000)).collect();
        assert_eq!(small.len(), 512);
        for (page, entry) in (0..).zip(small) {
            assert_eq!(entry, image(true).page_entry(0x4000_0000 + page * P), "{page}");
        }
    }

    #[test]
    fn an_entry_leads_to_a_table_unless_it_is_a_large_page() {
        assert_eq!(table_address(table_entry(0x12_3000)), Some(0x12_3000));
        assert_eq!(table_entry(0x12_3000), 0x12_3000 | PRESENT | WRITABLE);
        // What the processor notes in an entry, and NX, are no part of the address.
        assert_eq!(table_address(table_entry(0x12_3000) | NX | 1 << 5), Some(0x12_3000));
        assert_eq!(table_address(image(true).large_page_entry(0x4000_0000)), None);
        assert_eq!(table_address(0), None);
    }
}
