//! Memory that the tool stack or the loader has filled for the guest: the page of the console, that
//! of xenstore, and the file beside the kernel.

use alloc::vec;
use alloc::vec::Vec;
use core::ptr;

use boot_info::memory_map::Range;
use boot_info::special_page::{self, Absent};
use bootloader_api::BootInfo;
use guest_protocol::job_node::JOB_FILE_BYTES_MAX;
use xen_abi::{Port, console, hvm, xenstore};

use crate::hypercall::HypercallEntry;
use crate::xen;

/// Finds port and page of the console.
///
/// # Errors
/// [`Absent`].
///
/// # Safety
/// `ours` is all memory that the guest uses itself, now and later.
pub unsafe fn console(
    entry: HypercallEntry,
    ours: impl IntoIterator<Item = Range>,
) -> Result<(Port, &'static console::Interface), Absent> {
    let (port, page) = find(entry, [hvm::PARAM_CONSOLE_PFN, hvm::PARAM_CONSOLE_EVTCHN], ours)?;
    // SAFETY: Xen says that the console's page is there; it is mapped and lies outside of our
    // memory (`find` and the caller's promise); all its fields are atomics.
    Ok((port, unsafe { &*page }))
}

/// Finds port and page of xenstore.
///
/// # Errors
/// [`Absent`].
///
/// # Safety
/// `ours` is as for [`console()`].
pub unsafe fn xenstore(
    entry: HypercallEntry,
    ours: impl IntoIterator<Item = Range>,
) -> Result<(Port, &'static xenstore::Interface), Absent> {
    let (port, page) = find(entry, [hvm::PARAM_STORE_PFN, hvm::PARAM_STORE_EVTCHN], ours)?;
    // SAFETY: as for the console's page.
    Ok((port, unsafe { &*page }))
}

/// Finds port and page that Xen names in two parameters; the page lies outside of `ours`.
fn find<T>(
    entry: HypercallEntry,
    [page, port]: [u32; 2],
    ours: impl IntoIterator<Item = Range>,
) -> Result<(Port, *const T), Absent> {
    let (page, port) = (xen::param(entry, page), xen::param(entry, port));
    let (address, port) = special_page::place(page, port, ours)?;
    Ok((port, ptr::with_exposed_provenance(address)))
}

/// Copies the beginning of the file that was loaded beside the kernel (`ramdisk=`), if there is
/// one: all of it, if it is no longer than a job file may be.
///
/// # Safety
/// `boot_info` is what the boot code gave.
pub unsafe fn module(boot_info: &BootInfo) -> Option<Vec<u8>> {
    let start = boot_info.ramdisk_addr.into_option()?;
    let len = boot_info.ramdisk_len.min(JOB_FILE_BYTES_MAX as u64 + 1) as usize;
    let mut bytes = vec![0; len];
    let from = ptr::with_exposed_provenance::<u8>(start as usize);
    // SAFETY: the boot code has a module only where all of it is mapped, and keeps it out of the
    // memory that the heap is made of; where there is no RAM behind it, the machine reads as ones.
    unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), len) };
    Some(bytes)
}
