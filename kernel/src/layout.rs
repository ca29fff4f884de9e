//! The guest's memory, from what the loader and Xen say.

use boot_info::layout::{Layout, LayoutError};
use boot_info::memory_map::{ENTRIES_MAX, Range};
use bootloader_api::BootInfo;
use xen_abi::start_info::MemmapEntry;

use crate::hypercall::HypercallEntry;
use crate::xen;

/// Finds the layout. To be called once.
///
/// # Errors
/// [`LayoutError`].
pub fn find(boot_info: &BootInfo, entry: HypercallEntry) -> Result<Layout<'_>, LayoutError> {
    let from_loader = &boot::loaded().map_err(LayoutError::Boot)?.memory_map;
    let mut entries = [MemmapEntry::default(); ENTRIES_MAX];
    let (regions, map) = if from_loader.is_empty() {
        // start_info version 0 has no map.
        let count = xen::memory_map(entry, &mut entries).map_err(LayoutError::NoMap)?;
        let map = &entries[..count];
        (&*boot::regions_from(map), map)
    } else {
        (&*boot_info.memory_regions, &from_loader[..])
    };
    let given_pages = xen::reservation_pages(entry).ok();
    Layout::new(map, regions, given_pages, image(boot_info), xen::SPECIAL_PAGES)
}

/// Returns where the kernel's own code and data are.
pub fn image(boot_info: &BootInfo) -> Range {
    Range::sized(boot_info.kernel_addr, boot_info.kernel_len)
}
