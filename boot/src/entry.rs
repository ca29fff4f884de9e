//! The entry of the guest: assembly, linker symbols, the call of the kernel.

use core::arch::global_asm;
use core::ptr::{self, addr_of};

use boot_info::memory_map::{REGIONS_MAX, Range, is_readable, usable};
use boot_info::start_info::{BootError, Loaded, PhysicalMemory, Unreadable};
use bootloader_api::BootInfo;
use bootloader_api::info::{MemoryRegion, Optional};
use heapless::Vec;
use spin::{Mutex, Once};
use xen_abi::PAGE_SIZE;
use xen_abi::start_info::MemmapEntry;

use crate::paging;

global_asm!(include_str!("entry.s"), options(att_syntax));
global_asm!(include_str!("mem.s"), options(att_syntax));

unsafe extern "C" {
    static image_start: u8;
    static image_end: u8;
    static boot_stack_bottom: u8;
    static boot_stack_top: u8;

    /// The kernel, as `bootloader_api::entry_point!` exports it.
    #[expect(improper_ctypes, reason = "BootInfo is repr(C), but non_exhaustive")]
    fn _start(boot_info: &'static mut BootInfo) -> !;
}

static LOADED: Once<Result<Loaded, BootError>> = Once::new();

/// Returns what the loader passed.
///
/// # Errors
/// The reason why it can't be used. The kernel, which has the means to say so, is called
/// nevertheless, with no memory.
pub fn loaded() -> Result<&'static Loaded, BootError> {
    let loaded = LOADED.get().expect("the boot code has run");
    loaded.as_ref().map_err(|&error| error)
}

/// The identity-mapped first 4 GiB.
struct IdentityMapped;

impl PhysicalMemory for IdentityMapped {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unreadable> {
        if !is_readable(Range::sized(address, bytes.len() as u64), image()) {
            return Err(Unreadable(address));
        }
        let from = ptr::with_exposed_provenance::<u8>(address as usize);
        // SAFETY: the range is mapped (entry.s maps 4 GiB but the stack's guard, which lies in our
        // own image); where there is no RAM behind it, the machine reads as ones. Nothing writes
        // here while the boot code runs.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }
}

/// Called by entry.s, once, on the boot stack.
#[unsafe(no_mangle)]
extern "C" fn boot_main(start_info_address: u64) -> ! {
    LOADED.call_once(|| Loaded::read(&IdentityMapped, start_info_address));
    // SAFETY: all of page 0 that is of use has been copied; link.ld puts into text and constants
    // what is never written.
    unsafe { paging::protect(stack(), core::arch::x86_64::__cpuid) };
    static BOOT_INFO: Mutex<Option<BootInfo>> = Mutex::new(None);
    let memory_map = loaded().map_or(&[][..], |loaded| &loaded.memory_map);
    let mut info = BootInfo::new(regions_from(memory_map).into());
    info.physical_memory_offset = Optional::Some(0);
    if let Ok(loaded) = loaded() {
        describe(loaded, &mut info);
    }
    let image = image();
    info.kernel_addr = image.start;
    info.kernel_len = image.end - image.start;
    info.kernel_stack_bottom = stack().start;
    info.kernel_stack_len = stack().end - stack().start;
    let info = spin::MutexGuard::leak(BOOT_INFO.lock()).insert(info);
    // SAFETY: `_start` is made by `entry_point!`, which checks the kernel's function against this
    // very signature.
    unsafe { _start(info) }
}

/// Fills in what a kernel finds of the loader's information in its [`BootInfo`], besides memory.
fn describe(loaded: &Loaded, info: &mut BootInfo) {
    if loaded.start_info.rsdp_paddr != 0 {
        info.rsdp_addr = Optional::Some(loaded.start_info.rsdp_paddr);
    }
    if let Some(module) = loaded.modules.iter().find(|module| {
        let range = Range::sized(module.paddr, module.size);
        // Page 0 is gone by now.
        module.size != 0 && module.paddr >= PAGE_SIZE as u64 && is_readable(range, image())
    }) {
        info.ramdisk_addr = Optional::Some(module.paddr);
        info.ramdisk_len = module.size;
    }
}

/// Returns the usable regions of a memory map, less what the loader and the image occupy.
///
/// For a kernel that gets the map elsewhere, because the loader gave none (start_info version 0).
///
/// # Panics
/// When called a third time: the regions live for ever, in one of two places.
pub fn regions_from(memory_map: &[MemmapEntry]) -> &'static mut [MemoryRegion] {
    static REGIONS: [Mutex<Vec<MemoryRegion, REGIONS_MAX>>; 2] =
        [const { Mutex::new(Vec::new()) }; 2];
    let free = REGIONS.iter().find_map(Mutex::try_lock).expect("called at most twice");
    let regions = spin::MutexGuard::leak(free);
    *regions = usable(memory_map, &reserved());
    regions.as_mut_slice()
}

/// Returns the ranges that must not be handed out: the image and the modules. All else that the
/// loader passed was copied.
fn reserved() -> Vec<Range, 32> {
    let modules = loaded().map_or(&[][..], |loaded| &loaded.modules);
    let modules = modules.iter().map(|module| Range::sized(module.paddr, module.size));
    core::iter::once(image()).chain(modules).take(32).collect()
}

/// Returns the stack that the kernel is called on. The page below it is not mapped.
pub fn stack() -> Range {
    Range {
        start: addr_of!(boot_stack_bottom).addr() as u64,
        end: addr_of!(boot_stack_top).addr() as u64,
    }
}

fn image() -> Range {
    Range { start: addr_of!(image_start).addr() as u64, end: addr_of!(image_end).addr() as u64 }
}
