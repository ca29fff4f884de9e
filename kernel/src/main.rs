//! The ringmark guest: measures Xen block storage from inside.
//!
//! `main` is the start-up walk. Everything is a local of it, lent downwards.
#![no_std]
#![no_main]

extern crate alloc;

mod console;
mod control;
mod cpu;
mod hypercall;
mod lifecycle;
mod memory;
mod options;
mod run;
mod selftest;
mod xen;

use alloc::boxed::Box;

use bootloader_api::info::MemoryRegion;
use bootloader_api::{BootInfo, entry_point};
use drivers::console::Console;
use drivers::xenstore::Xenstore;
use xen_abi::sched::ShutdownReason;
use xen_abi::start_info::MemmapEntry;
use xen_abi::{Errno, Gfn, PAGE_SIZE, Port, hvm};

use hypercall::Gate;
use options::Options;
use run::Runner;
use selftest::Selftest;
use xen::Xen;

entry_point!(main);

fn main(boot_info: &'static mut BootInfo) -> ! {
    cpu::init();
    match hypercall::xen_leaves() {
        Some(leaves) => under_xen(boot_info, leaves),
        None => without_xen(boot_info),
    }
}

/// The guest proper.
fn under_xen(boot_info: &BootInfo, leaves: u32) -> ! {
    let gate = Gate::open(leaves, options::wants_hypercall_page(boot::command_line()));
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
    let xen = match Xen::new(gate, special, pages) {
        Ok(xen) => &*Box::leak(Box::new(xen)),
        Err(errno) => lifecycle::crash(format_args!("cannot set up event channels: {errno}")),
    };
    connect_console(xen, boot_info, regions);
    greet(xen);

    let options = match Options::parse(boot::command_line()) {
        Ok(options) => options,
        Err(why) => fail(why),
    };
    if options.help {
        say!("{}", options::HELP);
        lifecycle::end(ShutdownReason::Poweroff);
    }
    if options.selftest {
        let mut test = Selftest::default();
        test.machine(boot_info);
        test.xen(xen);
        let passed = test.finish();
        lifecycle::end(if passed { ShutdownReason::Poweroff } else { ShutdownReason::Crash });
    }
    let store = match connect_xenstore(xen, boot_info, regions) {
        Ok(store) => store,
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
    if !matches!(Options::parse(boot::command_line()), Ok(options) if options.selftest) {
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
    let mut entries = [MemmapEntry::default(); 64];
    let (regions, map) = if boot::memory_map().is_empty() {
        // start_info version 0 has no map.
        let count = xen::memory_map(gate, &mut entries).map_err(|_| "Xen tells no memory map")?;
        let map = &entries[..count];
        (&*boot::regions_from(map), map)
    } else {
        (&*boot_info.memory_regions, boot::memory_map())
    };
    let size = xen::SPECIAL_PAGES * PAGE_SIZE as u64;
    let hole =
        boot::memory_map::hole(map, size).ok_or("no room for the grant table below 4 GiB")?;
    Ok((regions, Gfn(hole / PAGE_SIZE as u64)))
}

/// A page and a port that the tool stack made: where, by two HVM parameters. Refused when the page
/// is not mapped one to one, or lies in memory that is ours.
fn special_page(
    xen: &Xen,
    boot_info: &BootInfo,
    regions: &[MemoryRegion],
    page: u32,
    port: u32,
) -> Result<(usize, Port), Errno> {
    let gfn = xen.param(page)?;
    let port = xen.param(port)?;
    let (Ok(gfn @ 1..0x10_0000), Ok(port @ 1..)) = (usize::try_from(gfn), u32::try_from(port))
    else {
        return Err(Errno::EINVAL);
    };
    let start = (gfn * PAGE_SIZE) as u64;
    let touches = |from: u64, to: u64| start < to && from < start + PAGE_SIZE as u64;
    let image_end = boot_info.kernel_addr + boot_info.kernel_len;
    if touches(boot_info.kernel_addr, image_end)
        || regions.iter().any(|region| touches(region.start, region.end))
    {
        return Err(Errno::EINVAL);
    }
    Ok((gfn * PAGE_SIZE, Port(port)))
}

/// Without a console the guest works on, silently.
fn connect_console(xen: &'static Xen, boot_info: &BootInfo, regions: &[MemoryRegion]) {
    let (page, port) = (hvm::PARAM_CONSOLE_PFN, hvm::PARAM_CONSOLE_EVTCHN);
    let place = special_page(xen, boot_info, regions, page, port);
    if let Ok((address, port)) = place {
        let page = core::ptr::with_exposed_provenance::<xen_abi::console::Interface>(address);
        // SAFETY: Xen says that the console's page is there; it is mapped and lies outside of our
        // memory (`special_page`); all its fields are atomics.
        console::use_xen(Console::new(xen, port, unsafe { &*page }));
    }
}

fn connect_xenstore<'a>(
    xen: &'a Xen,
    boot_info: &BootInfo,
    regions: &[MemoryRegion],
) -> Result<Xenstore<'a, Xen>, &'static str> {
    let (page, port) = (hvm::PARAM_STORE_PFN, hvm::PARAM_STORE_EVTCHN);
    let (address, port) = special_page(xen, boot_info, regions, page, port)
        .map_err(|_| "this domain has no xenstore; without it no disk can be found")?;
    let page = core::ptr::with_exposed_provenance::<xen_abi::xenstore::Interface>(address);
    // SAFETY: as for the console's page.
    Ok(Xenstore::new(xen, port, unsafe { &*page }))
}

fn greet(xen: &Xen) {
    let (major, minor) = xen.version().unwrap_or_default();
    say!(
        "ringmark {} on Xen {major}.{minor}: {} MiB free, hypercalls by {}",
        env!("CARGO_PKG_VERSION"),
        xen.pages_available() >> 8,
        match xen.gate() {
            Gate::Vmcall => "vmcall",
            Gate::Vmmcall => "vmmcall",
            Gate::Page(_) => "the hypercall page",
        }
    );
}

/// Ends the run before it began, with a result that says so.
fn fail(why: impl core::fmt::Display) -> ! {
    say!("ringmark: error: {why}");
    say!("{}", bench::result::json_line(&[], Some(&why)));
    lifecycle::end(ShutdownReason::Poweroff)
}
