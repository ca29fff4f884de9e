//! What is where in the guest's memory, from what the loader and Xen tell.

use core::fmt;

use boot_info::memory_map::{self, ENTRIES_MAX, Range};
use boot_info::start_info::BootError;
use bootloader_api::BootInfo;
use bootloader_api::info::MemoryRegion;
use xen_abi::start_info::MemmapEntry;
use xen_abi::{Errno, Gfn, PAGE_SIZE};

use crate::hypercall::HypercallEntry;
use crate::xen;

const PAGE: u64 = PAGE_SIZE as u64;

/// The guest's memory.
#[derive(Debug)]
pub struct Layout<'a> {
    /// Memory that may be allocated, below [`populated_end`](Self::populated_end).
    pub regions: &'a [MemoryRegion],
    /// A hole of [`xen::SPECIAL_PAGES`] for what Xen maps into the guest.
    pub special: Gfn,
    /// The end of the memory that Xen has given, if the map tells of more.
    pub populated_end: Option<u64>,
    image: Range,
}

/// Why there is no layout.
#[derive(Clone, Copy, Debug)]
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
    /// Finds it. Once.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn find(boot_info: &'a BootInfo, entry: HypercallEntry) -> Result<Self, LayoutError> {
        let told = &boot::loaded().map_err(LayoutError::Boot)?.memory_map;
        let mut entries = [MemmapEntry::default(); ENTRIES_MAX];
        let (regions, map) = if told.is_empty() {
            // start_info version 0 has no map.
            let count = xen::memory_map(entry, &mut entries).map_err(LayoutError::NoMap)?;
            let map = &entries[..count];
            (&*boot::regions_from(map), map)
        } else {
            (&*boot_info.memory_regions, &told[..])
        };
        if !memory_map::is_whole(map) {
            return Err(LayoutError::MapTooLong);
        }
        let hole = memory_map::hole(map, xen::SPECIAL_PAGES * PAGE).ok_or(LayoutError::NoHole)?;
        // Where Xen does not tell, all that the map calls RAM has to be believed in.
        let given = xen::reservation_pages(entry).ok();
        let populated_end = given.and_then(|pages| memory_map::populated_end(map, pages));
        Ok(Self { regions, special: Gfn(hole / PAGE), populated_end, image: image(boot_info) })
    }

    /// All memory that is the guest's own: what may be allocated, the image, and the pages that Xen
    /// maps into it.
    pub fn ours(&self) -> impl Iterator<Item = Range> + use<'a> {
        let special = Range::sized(self.special.0 * PAGE, xen::SPECIAL_PAGES * PAGE);
        let regions = self.regions.iter();
        let regions = regions.map(|region| Range { start: region.start, end: region.end });
        regions.chain([self.image, special])
    }
}

/// Where the kernel's own code and data are.
pub fn image(boot_info: &BootInfo) -> Range {
    Range::sized(boot_info.kernel_addr, boot_info.kernel_len)
}
