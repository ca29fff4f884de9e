//! The ringmark guest: measures Xen block storage from inside.
//!
//! `main` is the start-up walk. Everything is a local of it, lent downwards.
#![no_std]
#![no_main]

extern crate alloc;

mod console;
mod control;
mod cpu;
mod exception;
mod files;
mod hypercall;
mod lifecycle;
mod memory;
mod options;
mod run;
mod selftest;
mod stack;
mod xen;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ptr;

use bench::command_line::{self, CommandLine};
use boot_info::cpuid;
use boot_info::memory_map::{ENTRIES_MAX, Range, hole, is_whole};
use boot_info::special_page::{self, Absent};
use bootloader_api::info::MemoryRegion;
use bootloader_api::{BootInfo, entry_point};
use drivers::console::Console;
use drivers::xenstore::Xenstore;
use xen_abi::sched::ShutdownReason;
use xen_abi::start_info::MemmapEntry;
use xen_abi::{Gfn, PAGE_SIZE, hvm};

use hypercall::Gate;
use options::Options;
use run::Runner;
use selftest::Selftest;
use xen::Xen;

entry_point!(main);

fn main(boot_info: &'static mut BootInfo) -> ! {
    cpu::init();
    match cpuid::xen_leaves(core::arch::x86_64::__cpuid) {
        Some(leaves) => under_xen(boot_info, leaves),
        None => without_xen(boot_info),
    }
}

/// The guest proper.
fn under_xen(boot_info: &BootInfo, leaves: u32) -> ! {
    let use_page = command_line::wants_hypercall_page(boot::command_line());
    // SAFETY: these are Xen's leaves (`cpuid::xen_leaves`).
    let gate = unsafe { Gate::open(leaves, use_page) };
    lifecycle::use_gate(gate);

    let (regions, special) = match memory_map(boot_info, gate) {
        Ok(found) => found,
        Err(why) => lifecycle::crash(format_args!("{why}")),
    };
    // SAFETY: the regions are RAM that neither the loader nor the image occupies, mapped one to one
    // by the boot code; this is the only call.
    let pages = match unsafe { memory::init(regions) } {
        Ok(pages) => pages,
        Err(little) => lifecycle::crash(format_args!(
            "not enough memory: the largest piece has {} bytes; set memory=16 or more",
            little.largest
        )),
    };
    // SAFETY: `memory_map` found a hole for it, below 4 GiB, which the boot code maps one to one.
    let xen = match unsafe { Xen::new(gate, special, pages) } {
        Ok(xen) => &*Box::leak(Box::new(xen)),
        Err(errno) => lifecycle::crash(format_args!("cannot set up event channels: {errno}")),
    };
    let ours = our_memory(boot_info, regions, special);
    connect_console(xen, &ours);
    greet(xen);

    let line = match CommandLine::booted(boot::command_line()) {
        Ok(line) => line,
        Err(why) => fail(why),
    };
    if line.help {
        say!("{}\n{}", command_line::HELP, bench::job::help());
        lifecycle::end(ShutdownReason::Poweroff);
    }
    if line.selftest {
        let mut test = Selftest::default();
        test.machine(boot_info);
        test.xen(xen);
        let passed = test.finish();
        lifecycle::end(if passed { ShutdownReason::Poweroff } else { ShutdownReason::Crash });
    }
    let mut store = match connect_xenstore(xen, &ours) {
        Ok(store) => store,
        Err(absent) => fail(format_args!("no disk can be found without xenstore: {absent}")),
    };
    let options = match Options::collect(line, module(boot_info), &mut store) {
        Ok(options) => options,
        Err(why) => fail(why),
    };
    match Runner::new(xen, store) {
        Ok(mut runner) => lifecycle::end(runner.run(&options)),
        Err(error) => fail(error),
    }
}

/// Without Xen there are no block devices; what can be done is the self-test.
fn without_xen(boot_info: &BootInfo) -> ! {
    console::use_serial();
    // SAFETY: as in `under_xen`, which never returns.
    let mut pages = match unsafe { memory::init(&boot_info.memory_regions) } {
        Ok(pages) => pages,
        Err(little) => lifecycle::crash(format_args!(
            "not enough memory: {} bytes in one piece",
            little.largest
        )),
    };
    if !matches!(CommandLine::booted(boot::command_line()), Ok(line) if line.selftest) {
        lifecycle::crash(format_args!(
            "no Xen found; boot this kernel with xl create, or add selftest to its command line"
        ));
    }
    let mut test = Selftest::default();
    test.machine(boot_info);
    test.pages(&mut pages);
    let passed = test.finish();
    lifecycle::end(if passed { ShutdownReason::Poweroff } else { ShutdownReason::Crash })
}

/// The memory that may be used, and a hole for what Xen maps into the guest.
fn memory_map(boot_info: &BootInfo, gate: Gate) -> Result<(&[MemoryRegion], Gfn), &'static str> {
    let mut entries = [MemmapEntry::default(); ENTRIES_MAX];
    let (regions, map) = if boot::memory_map().is_empty() {
        // start_info version 0 has no map.
        let count = xen::memory_map(gate, &mut entries).map_err(|_| "Xen tells no memory map")?;
        let map = &entries[..count];
        (&*boot::regions_from(map), map)
    } else {
        (&*boot_info.memory_regions, boot::memory_map())
    };
    if !is_whole(map) {
        return Err("the memory map is too long: nobody knows what the rest of it says");
    }
    let size = xen::SPECIAL_PAGES * PAGE_SIZE as u64;
    let hole = hole(map, size).ok_or("no room for the grant table below 4 GiB")?;
    Ok((regions, Gfn(hole / PAGE_SIZE as u64)))
}

/// The memory that is ours: what may be allocated, the image, and the pages that Xen maps for us.
fn our_memory(boot_info: &BootInfo, regions: &[MemoryRegion], special: Gfn) -> Vec<Range> {
    let page = PAGE_SIZE as u64;
    let image = Range::sized(boot_info.kernel_addr, boot_info.kernel_len);
    let special = Range::sized(special.0 * page, xen::SPECIAL_PAGES * page);
    let usable = regions.iter().map(|region| Range { start: region.start, end: region.end });
    usable.chain([image, special]).collect()
}

/// Without a console the guest works on, silently.
fn connect_console(xen: &'static Xen, ours: &[Range]) {
    let (page, port) = (xen.param(hvm::PARAM_CONSOLE_PFN), xen.param(hvm::PARAM_CONSOLE_EVTCHN));
    if let Ok((address, port)) = special_page::place(page, port, ours.iter().copied()) {
        let page = ptr::with_exposed_provenance::<xen_abi::console::Interface>(address);
        // SAFETY: Xen says that the console's page is there; it is mapped and lies outside of our
        // memory (`place`); all its fields are atomics.
        console::use_xen(Console::new(xen, port, unsafe { &*page }));
    }
}

fn connect_xenstore<'a>(xen: &'a Xen, ours: &[Range]) -> Result<Xenstore<'a, Xen>, Absent> {
    let (page, port) = (xen.param(hvm::PARAM_STORE_PFN), xen.param(hvm::PARAM_STORE_EVTCHN));
    let (address, port) = special_page::place(page, port, ours.iter().copied())?;
    let page = ptr::with_exposed_provenance::<xen_abi::xenstore::Interface>(address);
    // SAFETY: as for the console's page.
    Ok(Xenstore::new(xen, port, unsafe { &*page }))
}

/// The beginning of the file that was loaded beside the kernel (`ramdisk=`), if there is one: all
/// of it, if it is no longer than a job file may be.
fn module(boot_info: &BootInfo) -> Option<Vec<u8>> {
    let start = boot_info.ramdisk_addr.into_option()?;
    let len = boot_info.ramdisk_len.min(options::JOB_FILE_MAX as u64 + 1) as usize;
    let mut bytes = vec![0; len];
    let from = ptr::with_exposed_provenance::<u8>(start as usize);
    // SAFETY: boot tells of a module only where all of it is mapped, and keeps it out of the memory
    // that the heap is made of; where there is no RAM behind it, the machine reads as ones.
    unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), len) };
    Some(bytes)
}

fn greet(xen: &Xen) {
    let (major, minor) = xen.version().unwrap_or_default();
    say!(
        "ringmark {} on Xen {major}.{minor}: {} MiB free, hypercalls by {}",
        env!("CARGO_PKG_VERSION"),
        xen.pages_available() >> 8,
        xen.gate()
    );
    if !boot::has_nx() {
        say!("ringmark: no NX (is it masked by cpuid=?): memory that is not text can be executed");
    }
}

/// Ends the run before it began, with a result that says so.
fn fail(why: impl core::fmt::Display) -> ! {
    say!("ringmark: error: {why}");
    bench::result::emit(&[], Some(&why), &mut |line| say!("{line}"));
    lifecycle::end(ShutdownReason::Poweroff)
}
