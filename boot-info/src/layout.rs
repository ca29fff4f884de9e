//! Layout of the guest's memory: what may be allocated, and where Xen's pages go.

use core::fmt;

use bootloader_api::info::MemoryRegion;
use xen_abi::start_info::MemmapEntry;
use xen_abi::{Errno, PAGE_SIZE};

use crate::memory_map::{self, ENTRIES_MAX, Range};
use crate::start_info::BootError;

/// The guest's memory.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// Memory that may be allocated, below [`populated_end`](Self::populated_end).
    pub regions: &'a [MemoryRegion],
    /// A hole in the map for what Xen maps into the guest, in whole pages below 4 GiB.
    pub special: Range,
    /// Start of a huge page above 4 GiB in which the map has nothing, if there is one.
    pub far: Option<u64>,
    /// The end of the memory that Xen has given, if the map has more.
    pub populated_end: Option<u64>,
    /// The kernel's own code and data.
    pub image: Range,
}

/// Why there is no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The loader's information can't be used.
    Boot(BootError),
    /// Neither the loader nor Xen gave a memory map.
    NoMap(Errno),
    /// The memory map has more entries than there is room for.
    MapTooLong,
    /// Something is everywhere below 4 GiB.
    NoHole,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(error) => error.fmt(f),
            Self::NoMap(errno) => {
                write!(f, "neither the loader nor Xen gave a memory map: {errno}")
            }
            Self::MapTooLong => write!(
                f,
                "the memory map has more than {} entries, and the rest could not be read",
                ENTRIES_MAX - 1
            ),
            Self::NoHole => {
                f.write_str("the memory map leaves no room below 4 GiB for pages shared with Xen")
            }
        }
    }
}

impl<'a> Layout<'a> {
    /// Lays the memory of `map` out. `regions` are its usable ones, `given_pages` the pages that
    /// Xen has given to the domain, if it says so: otherwise all that the map calls RAM has to be
    /// believed in. The hole for Xen's pages has `special_pages`.
    ///
    /// # Errors
    /// [`LayoutError::MapTooLong`] and [`LayoutError::NoHole`].
    pub fn new(
        map: &[MemmapEntry],
        regions: &'a [MemoryRegion],
        given_pages: Option<u64>,
        image: Range,
        special_pages: u64,
    ) -> Result<Self, LayoutError> {
        if !memory_map::is_whole(map) {
            return Err(LayoutError::MapTooLong);
        }
        let special_bytes = special_pages.saturating_mul(PAGE_SIZE as u64);
        let hole = memory_map::hole(map, special_bytes).ok_or(LayoutError::NoHole)?;
        let populated_end = given_pages.and_then(|pages| memory_map::populated_end(map, pages));
        let far = memory_map::huge_hole(map);
        Ok(Self { regions, special: Range::sized(hole, special_bytes), far, populated_end, image })
    }

    /// Returns all memory that is the guest's own: what may be allocated, the image, and the pages
    /// that Xen maps into it.
    pub fn ours(&self) -> impl Iterator<Item = Range> + use<'a> {
        let regions = self.regions.iter();
        let regions = regions.map(|region| Range { start: region.start, end: region.end });
        regions.chain([self.image, self.special])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const MIB: u64 = 1 << 20;
    const IMAGE: Range = Range { start: MIB, end: 2 * MIB };

    fn ram(addr: u64, size: u64) -> MemmapEntry {
        MemmapEntry { addr, size, kind: 1, reserved: 0 }
    }

    #[test]
    fn everything_that_is_ours_is_apart() {
        let map = [ram(0, 16 * MIB)];
        let regions = memory_map::usable(&map, &[IMAGE]);
        let layout = Layout::new(&map, &regions, None, IMAGE, 256).unwrap();
        assert_eq!(layout.special, Range::sized(16 * MIB, MIB));
        assert_eq!(layout.populated_end, None);
        assert_eq!(layout.far, Some(1 << 32));
        let ours: Vec<Range> = layout.ours().collect();
        assert_eq!(
            ours,
            [
                Range { start: 4096, end: MIB },
                Range { start: 2 * MIB, end: 16 * MIB },
                IMAGE,
                layout.special
            ]
        );
        for (index, one) in ours.iter().enumerate() {
            assert!(ours[..index].iter().all(|other| !one.touches(*other)), "{one:?}");
        }
    }

    #[test]
    fn memory_that_xen_has_not_given_is_known() {
        let map = [ram(0, 128 * MIB)];
        let end = |given: Option<u64>| {
            Layout::new(&map, &[], given, IMAGE, 256).map(|layout| layout.populated_end)
        };
        assert_eq!(end(None), Ok(None));
        assert_eq!(end(Some(128 * MIB / 4096)), Ok(None));
        assert_eq!(end(Some(16 * MIB / 4096)), Ok(Some(16 * MIB)));
    }

    #[test]
    fn a_map_that_can_not_be_used_is_refused() {
        let new = |map: &[MemmapEntry], pages| {
            Layout::new(map, &[], None, IMAGE, pages).map(|layout| layout.special)
        };
        let long: Vec<MemmapEntry> = (0..ENTRIES_MAX as u64).map(|n| ram(n * MIB, 1)).collect();
        assert_eq!(new(&long, 1), Err(LayoutError::MapTooLong));
        assert!(new(&long[1..], 1).is_ok());
        assert_eq!(new(&[ram(0, u64::MAX)], 1), Err(LayoutError::NoHole));
        assert_eq!(new(&[], u64::MAX), Err(LayoutError::NoHole));
    }
}
