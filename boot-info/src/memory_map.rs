//! From the loader's memory map to the ranges that the kernel may use.
//!
//! The map is taken as it comes: unsorted, overlapping, with absurd ends. What is not RAM wins over
//! what is, nothing is used twice, and only whole pages below 4 GiB (what the boot page tables map
//! one to one) and above page 0 count.

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use heapless::Vec;
use xen_abi::PAGE_SIZE;
use xen_abi::memory::E820Entry;
use xen_abi::start_info::{MEMMAP_RAM, MemmapEntry};
use zerocopy::transmute;

/// Room for entries; a real map has about ten. A map that fills it may have been cut off: of such a
/// map nothing is used ([`is_whole`]).
pub const ENTRIES_MAX: usize = 128;
/// Most usable ranges that are kept; what is beyond is not used.
pub const REGIONS_MAX: usize = 64;

/// Bytes that an entry of a table of page directories maps.
pub const HUGE_PAGE_SIZE: u64 = 1 << 30;

/// End of what the boot page tables map one to one, and so of the memory that is used.
pub const MAPPED_END: u64 = 1 << 32;

/// A half-open range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
}

impl Range {
    /// Returns `size` bytes from `start`; the end stops at the highest address.
    pub const fn sized(start: u64, size: u64) -> Self {
        Self { start, end: start.saturating_add(size) }
    }

    /// Returns whether the two have an address in common.
    pub const fn touches(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Returns the parts of `self` below and above `other`.
    fn without(self, other: Self) -> [Self; 2] {
        if other.is_empty() {
            return [self, Self { start: 0, end: 0 }];
        }
        [
            Self { start: self.start, end: self.end.min(other.start) },
            Self { start: self.start.max(other.end), end: self.end },
        ]
    }

    /// Returns the whole pages inside.
    fn whole_pages(self) -> Self {
        let page = PAGE_SIZE as u64;
        let start = self.start.checked_next_multiple_of(page).unwrap_or(u64::MAX);
        Self { start, end: self.end / page * page }
    }

    /// Returns the range grown to whole pages.
    fn covering_pages(self) -> Self {
        let page = PAGE_SIZE as u64;
        let end = self.end.checked_next_multiple_of(page).unwrap_or(u64::MAX);
        Self { start: self.start / page * page, end }
    }
}

/// Returns whether a loader may have left something in `range`: mapped, not at address 0, and apart
/// from our own image, of which a page is not mapped (the guard below the boot stack).
pub fn is_readable(range: Range, image: Range) -> bool {
    range.start != 0 && range.end <= MAPPED_END && !range.touches(image)
}

/// Size of an entry of the map that XENMEM_memory_map fills in, in bytes.
pub const WIRE_ENTRY_SIZE: usize = size_of::<E820Entry>();

/// Decodes the first `count` entries of a map as XENMEM_memory_map fills it in, or as many as `raw`
/// and `entries` have room for; returns how many.
pub fn decode(raw: &[u8], count: u32, entries: &mut [MemmapEntry]) -> usize {
    let whole = raw.as_chunks::<WIRE_ENTRY_SIZE>().0;
    let count = whole.len().min(entries.len()).min(count as usize);
    for (entry, bytes) in entries.iter_mut().zip(whole).take(count) {
        let E820Entry { addr, size, kind } = transmute!(*bytes);
        let (addr, size, kind) = (addr.get(), size.get(), kind.get());
        *entry = MemmapEntry { addr, size, kind, reserved: 0 };
    }
    count
}

/// Returns whether no entry can have been left out for want of room. Such an entry might say that
/// what an earlier one calls RAM is in use.
pub const fn is_whole(entries: &[MemmapEntry]) -> bool {
    entries.len() < ENTRIES_MAX
}

/// Returns the ranges of `entries` that are RAM and in nobody's use, in ascending order; none if
/// the map is not [whole](is_whole).
pub fn usable(entries: &[MemmapEntry], reserved: &[Range]) -> Vec<MemoryRegion, REGIONS_MAX> {
    let mut free: Vec<Range, REGIONS_MAX> = Vec::new();
    let entries = if is_whole(entries) { entries } else { &[] };
    for entry in entries.iter().filter(|entry| entry.kind == MEMMAP_RAM) {
        let ram = Range {
            start: entry.addr.max(PAGE_SIZE as u64),
            end: entry.addr.saturating_add(entry.size).min(MAPPED_END),
        };
        let mut pieces: Vec<Range, REGIONS_MAX> = Vec::new();
        let _ = pieces.push(ram.whole_pages());
        let others = entries.iter().filter(|entry| entry.kind != MEMMAP_RAM && entry.size != 0);
        let taken = others
            .map(|entry| Range::sized(entry.addr, entry.size))
            .chain(reserved.iter().copied())
            .map(Range::covering_pages)
            .chain(free.clone());
        for hole in taken {
            pieces = pieces
                .iter()
                .flat_map(|piece| piece.without(hole))
                .filter(|piece| !piece.is_empty())
                .take(REGIONS_MAX)
                .collect();
        }
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            // A map of more pieces than there is room for loses memory, nothing else.
            let _ = free.push(piece);
        }
    }
    free.sort_unstable_by_key(|range| range.start);
    let region = |range: &Range| MemoryRegion {
        start: range.start,
        end: range.end,
        kind: MemoryRegionKind::Usable,
    };
    free.iter().map(region).collect()
}

/// Most pages of reserved ranges that are counted as given to the domain.
const SPECIAL_PAGES_MAX: u64 = 256;
/// Xen gives memory on demand in large pages as long as it has some.
const LARGE_PAGE: u64 = 2 << 20;

/// Returns the end of the memory that may be touched, when Xen has given the domain
/// `reservation_pages` (XENMEM_current_reservation); `None` if that is all that the map calls RAM.
///
/// With `maxmem=` above `memory=` the map has `maxmem=`, but Xen gives no more pages than
/// `memory=`, each when it is first touched, and a guest that touches one more is crashed.
pub fn populated_end(entries: &[MemmapEntry], reservation_pages: u64) -> Option<u64> {
    let page = PAGE_SIZE as u64;
    let pages = |is_ram: bool| {
        let ranges = entries
            .iter()
            .filter(|entry| entry.size != 0 && (entry.kind == MEMMAP_RAM) == is_ram)
            .map(|entry| Range::sized(entry.addr, entry.size));
        ranges.fold(0_u64, |sum, range| {
            let range = if is_ram { range.whole_pages() } else { range.covering_pages() };
            sum.saturating_add(range.end.saturating_sub(range.start) / page)
        })
    };
    if reservation_pages >= pages(true) {
        return None;
    }
    // The tool stack's own pages are in the reservation, and on the map as reserved.
    let left = reservation_pages.saturating_sub(pages(false).min(SPECIAL_PAGES_MAX));
    Some(left.saturating_mul(page) / LARGE_PAGE * LARGE_PAGE)
}

/// Windows in which [`hole`] searches, in this order. The addresses between and above belong to the
/// tool stack and to interrupt controllers: ACPI tables at 0xfc000000, which is also where a large
/// guest's low memory ends (libxl_dom.c, libxl_x86_acpi.c), the I/O APIC at 0xfec00000, the local
/// APIC, special pages.
const WINDOWS: [Range; 2] =
    [Range { start: HOLE_ALIGN, end: 0xfc00_0000 }, Range { start: 0xfd00_0000, end: 0xfec0_0000 }];
/// [`hole`] returns multiples of this, so that no large page of RAM is split by it.
const HOLE_ALIGN: u64 = 2 << 20;
/// Window of [`huge_hole`]: behind all that is mapped one to one, as far as every processor's
/// addresses reach.
const HUGE_WINDOW: Range = Range { start: MAPPED_END, end: 1 << 36 };

/// Returns the start of `size` bytes below 4 GiB that no entry of the map, of whatever kind,
/// touches: above all RAM, or above the ACPI tables if the RAM reaches up to them. `None` if there
/// is no such place, or the map is not [whole](is_whole).
pub fn hole(entries: &[MemmapEntry], size: u64) -> Option<u64> {
    let find = |&window: &Range| hole_in(window, entries, size, HOLE_ALIGN);
    is_whole(entries).then(|| WINDOWS.iter().find_map(find))?
}

/// Returns the start of a page of [`HUGE_PAGE_SIZE`] above 4 GiB that no entry of the map touches.
/// `None` if there is no such place, or the map is not [whole](is_whole).
pub fn huge_hole(entries: &[MemmapEntry]) -> Option<u64> {
    is_whole(entries).then(|| hole_in(HUGE_WINDOW, entries, HUGE_PAGE_SIZE, HUGE_PAGE_SIZE))?
}

/// Returns the lowest such place in a window, which begins at a multiple of `align`.
fn hole_in(window: Range, entries: &[MemmapEntry], size: u64, align: u64) -> Option<u64> {
    let mut start = window.start;
    // Each turn moves up behind an entry, so there are no more turns than entries.
    for _ in 0..=entries.len() {
        let end = start.checked_add(size).filter(|&end| end <= window.end)?;
        let touched = entries
            .iter()
            .filter(|entry| entry.size != 0)
            .map(|entry| Range::sized(entry.addr, entry.size))
            .find(|range| range.touches(Range { start, end }));
        match touched {
            None => return Some(start),
            Some(range) => start = range.end.checked_next_multiple_of(align)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn entry(addr: u64, size: u64, kind: u32) -> MemmapEntry {
        MemmapEntry { addr, size, kind, reserved: 0 }
    }

    fn check(entries: &[MemmapEntry], reserved: &[Range], expected: &[(u64, u64)]) {
        let found = usable(entries, reserved);
        let found: std::vec::Vec<_> = found.iter().map(|r| (r.start, r.end)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn ram_less_the_image() {
        let image = Range { start: MIB, end: 2 * MIB - 5 };
        check(
            &[entry(0, 16 * MIB, 1), entry(0xfee0_0000, 4096, 2)],
            &[image],
            &[(4096, MIB), (2 * MIB, 16 * MIB)],
        );
    }

    #[test]
    fn what_is_not_ram_wins_in_any_order() {
        let ram = entry(0, 8 * MIB, 1);
        let acpi = entry(4 * MIB + 1, 1, 3);
        let expected = [(4096, 4 * MIB), (4 * MIB + 4096, 8 * MIB)];
        check(&[ram, acpi], &[], &expected);
        check(&[acpi, ram], &[], &expected);
    }

    #[test]
    fn no_byte_twice() {
        check(
            &[entry(0, 4 * MIB, 1), entry(2 * MIB, 4 * MIB, 1), entry(0, 4 * MIB, 1)],
            &[],
            &[(4096, 4 * MIB), (4 * MIB, 6 * MIB)],
        );
    }

    #[test]
    fn nothing_is_read_from_the_image_nor_from_beyond_the_map() {
        let image = Range { start: MIB, end: 2 * MIB };
        let is_readable = |start, size| is_readable(Range::sized(start, size), image);
        assert!(is_readable(1, 4096) && is_readable(MIB - 8, 8) && is_readable(2 * MIB, MIB));
        assert!(is_readable(MAPPED_END - 8, 8));
        assert!(!is_readable(MIB - 8, 9) && !is_readable(2 * MIB - 1, 1));
        assert!(!is_readable(MIB + 5, 1) && !is_readable(4096, 4 * MIB));
        assert!(!is_readable(0, 8) && !is_readable(MAPPED_END - 8, 9));
        assert!(!is_readable(u64::MAX, 1) && !is_readable(4 * MIB, u64::MAX));
    }

    #[test]
    fn a_hole_touches_nothing() {
        let ram = entry(0, 16 * MIB, 1);
        assert_eq!(hole(&[], MIB), Some(2 * MIB));
        assert_eq!(hole(&[ram], MIB), Some(16 * MIB));
        assert_eq!(hole(&[entry(16 * MIB, 1, 2), ram], MIB), Some(18 * MIB));
        assert_eq!(hole(&[ram, entry(17 * MIB, MIB, 2)], MIB), Some(16 * MIB));
        assert_eq!(hole(&[ram, entry(17 * MIB, MIB, 2)], 2 * MIB), Some(18 * MIB));
        assert_eq!(hole(&[entry(0, 0xfb80_0000, 1)], 4 * MIB), Some(0xfb80_0000));
        assert_eq!(hole(&[entry(0, 0xfbc0_0001, 1)], 4 * MIB), Some(0xfd00_0000));
        assert_eq!(hole(&[entry(0, 0xfe90_0000, 1)], 2 * MIB), Some(0xfea0_0000));
        assert_eq!(hole(&[entry(0, 0xfe90_0000, 1)], 2 * MIB + 1), None);
        assert_eq!(hole(&[entry(0, u64::MAX, 1)], MIB), None);
        assert_eq!(hole(&[ram], u64::MAX), None);
    }

    /// Returns the map that libxl gives to a PVH guest (libxl_dom.c: low memory ends where the ACPI
    /// tables begin, the rest is above 4 GiB; libxl_x86.c: domain_construct_memmap;
    /// libxl_x86_acpi.c).
    fn map_by_libxl(mib: u64, acpi_pages: u64) -> std::vec::Vec<MemmapEntry> {
        const ACPI: u64 = 0xfc00_0000;
        let low = (mib * MIB).min(ACPI);
        let mut map = std::vec![
            entry(0, low, 1),
            entry(0xfeff_8000, 8 * 4096, 2),
            entry(ACPI + (1 + acpi_pages) * 4096, 64, 4),
            entry(ACPI, 4096, 4),
            entry(ACPI + 4096, acpi_pages * 4096, 4),
        ];
        if mib * MIB > low {
            map.push(entry(1 << 32, mib * MIB - low, 1));
        }
        map
    }

    #[test]
    fn r1_a_guest_of_any_size_has_a_hole_and_its_low_memory() {
        let large = [4 << 10, 8 << 10, 64 << 10, 1 << 20, 16 << 20];
        for mib in (2..64).chain(3900..4200).chain(large) {
            for acpi_pages in [1, 4, 16] {
                let map = map_by_libxl(mib, acpi_pages);
                let size = MIB;
                let start = hole(&map, size).unwrap_or_else(|| panic!("memory={mib}: no hole"));
                let range = Range::sized(start, size);
                assert!(range.end <= 0xfec0_0000, "memory={mib}: {start:#x} is an APIC's");
                for taken in map.iter().map(|entry| Range::sized(entry.addr, entry.size)) {
                    assert!(!taken.touches(range), "memory={mib}: {start:#x} is in use");
                }
                let low = (mib * MIB).min(0xfc00_0000);
                check(&map, &[], &[(4096, low)]);
            }
        }
    }

    #[test]
    fn a5_no_more_is_used_than_the_domain_has_been_given() {
        // 8 special pages; ACPI: 1 page of information, 4 of tables, 1 for the RSDP.
        let special = 8 + 1 + 4 + 1;
        let mib_pages = |mib: u64| mib * MIB / 4096;
        for (memory, maxmem) in [(16, 128), (17, 128), (16, 17), (2, 4096), (4032, 8192)] {
            let map = map_by_libxl(maxmem, 4);
            let end = populated_end(&map, mib_pages(memory) + special);
            assert_eq!(end, Some(memory * MIB / LARGE_PAGE * LARGE_PAGE), "memory={memory}");
        }
        for mib in [16, 128, 4031, 4032, 4096, 1 << 20] {
            let map = map_by_libxl(mib, 4);
            assert_eq!(populated_end(&map, mib_pages(mib) + special), None, "memory={mib}");
            assert_eq!(populated_end(&map, u64::MAX), None);
            assert_eq!(populated_end(&map, 0), Some(0));
        }
        // Reserved address space of a PC has no pages; a lie about it does no harm.
        let pc = [entry(0, 64 * MIB, 1), entry(0xe000_0000, 256 * MIB, 2)];
        assert_eq!(populated_end(&pc, mib_pages(63)), Some(62 * MIB));
        assert_eq!(populated_end(&[entry(0, u64::MAX, 1), entry(0, u64::MAX, 2)], 5), Some(0));
        assert_eq!(populated_end(&[], 0), None);
    }

    #[test]
    fn r6_of_a_map_that_may_have_been_cut_off_nothing_is_used() {
        let filler = (0..ENTRIES_MAX as u64 - 1).map(|n| entry((1 << 33) + n * 8192, 4096, 2));
        let mut map: std::vec::Vec<_> = filler.collect();
        map.push(entry(0, 16 * MIB, 1));
        // Here a further entry, such as of 1 MiB that is reserved at 8 MiB, was left out.
        assert!(!is_whole(&map));
        check(&map, &[], &[]);
        assert_eq!(hole(&map, MIB), None);
        map.remove(0);
        assert!(is_whole(&map));
        check(&map, &[], &[(4096, 16 * MIB)]);
        assert_eq!(hole(&map, MIB), Some(16 * MIB));
    }

    #[test]
    fn absurd_entries_do_no_harm() {
        check(&[], &[], &[]);
        check(&[entry(u64::MAX - 5, u64::MAX, 1)], &[], &[]);
        check(&[entry(MIB, 0, 1), entry(MIB, 100, 1)], &[], &[]);
        check(&[entry(MIB, u64::MAX, 1)], &[], &[(MIB, MAPPED_END)]);
        check(&[entry(MIB, MIB, 1), entry(0, u64::MAX, 7)], &[], &[]);
        check(&[entry(MIB, MIB, 1), entry(0, u64::MAX, 1)], &[Range::sized(5, u64::MAX)], &[]);
        check(&[entry(MIB, MIB, 1), entry(MIB + 5, 0, 2)], &[], &[(MIB, 2 * MIB)]);
        let shattered: std::vec::Vec<_> = (0..ENTRIES_MAX as u64 - 2)
            .map(|n| entry(n * 2 * 4096 + 4096, 4096, 2))
            .chain([entry(0, 16 * MIB, 1)])
            .collect();
        assert_eq!(usable(&shattered, &[]).len(), REGIONS_MAX);
    }

    #[test]
    fn a_huge_hole_is_a_page_of_its_own_behind_all_memory() {
        let hole = |entries: &[MemmapEntry]| huge_hole(entries);
        assert_eq!(hole(&[entry(0, 16 * MIB, 1)]), Some(MAPPED_END));
        let above = entry(MAPPED_END, HUGE_PAGE_SIZE + 1, 1);
        assert_eq!(hole(&[above]), Some(MAPPED_END + 2 * HUGE_PAGE_SIZE));
        let reserved = entry(MAPPED_END + 3 * HUGE_PAGE_SIZE - 1, 1, 2);
        assert_eq!(hole(&[above, reserved]), Some(MAPPED_END + 3 * HUGE_PAGE_SIZE));
        assert_eq!(hole(&[entry(0, HUGE_WINDOW.end - HUGE_PAGE_SIZE, 1)]), Some(63 << 30));
        assert_eq!(hole(&[entry(0, HUGE_WINDOW.end - HUGE_PAGE_SIZE + 1, 1)]), None);
        assert_eq!(hole(&[entry(0, u64::MAX, 2)]), None);
        assert_eq!(hole(&[entry(0, 0, 1); ENTRIES_MAX]), None);
    }
}
