//! The ringmark guest: measures Xen block storage from inside.
//!
//! `main` is the start-up walk. Everything is a local of it, lent downwards.
#![no_std]
#![no_main]

extern crate alloc;

mod backends;
mod barrier;
mod console;
mod control;
mod cpu;
mod disks;
mod failure;
mod files;
mod given;
mod guest;
mod hold;
mod hypercall;
mod layout;
mod legacy;
mod loops;
mod memory;
mod offers;
mod options;
mod report;
mod run;
mod selftest;
mod shutdown;
mod smp;
mod stack;
mod stage;
mod vcpu;
mod vcpu_tables;
mod xen;

use alloc::boxed::Box;
use alloc::string::String;

use boot_info::cpuid;
use boot_info::layout::Layout;
use boot_info::memory_map::MAPPED_END;
use boot_info::start_info::COMMAND_LINE_MAX;
use bootloader_api::{BootInfo, entry_point};
use drivers::xenstore::Xenstore;
use guest_protocol::command_line::{self, CommandLine};
use guest_protocol::console::WARNING_PREFIX;
use xen_abi::sched::ShutdownReason;
use xen_abi::{Gfn, PAGE_SIZE};

use hypercall::HypercallEntry;
use options::Options;
use run::Runner;
use vcpu::Vcpu;
use vcpu_tables::VCPUS_MAX;
use xen::Xen;

entry_point!(main);

fn main(boot_info: &'static mut BootInfo) -> ! {
    // SAFETY: the only call, on the boot vCPU; nobody has brought another up.
    let mut tables = unsafe { vcpu_tables::init() };
    legacy::mask_interrupts();
    match cpuid::xen_leaves(core::arch::x86_64::__cpuid) {
        Some(leaves) => under_xen(boot_info, leaves, &mut tables),
        None => without_xen(boot_info, &mut tables),
    }
}

// dom0 asks for no longer a line than is taken here.
const _: () = assert!(COMMAND_LINE_MAX == command_line::COMMAND_LINE_BYTES_MAX);

/// Runs the guest proper.
fn under_xen(boot_info: &BootInfo, leaves: u32, tables: &mut vcpu_tables::Loaded) -> ! {
    let use_page = command_line::wants_hypercall_page(command_line_bytes());
    // SAFETY: these are Xen's leaves (`cpuid::xen_leaves`).
    let entry = unsafe { HypercallEntry::open(leaves, use_page) };
    shutdown::use_entry(entry);

    // A console first, so that whatever fails from here on is reported there. It and the end of the
    // guest keep this entry, which works even if what goes wrong is the move of the instruction.
    let layout = layout::find(boot_info, entry);
    let console = match &layout {
        // SAFETY: nothing else is used once there is a layout.
        Ok(layout) => unsafe { given::console(entry, layout.ours()) },
        // SAFETY: without a layout nothing but the image is used.
        Err(_) => unsafe { given::console(entry, [layout::image(boot_info)]) },
    };
    match console {
        Ok((port, page)) => console::use_early(entry, port, page),
        Err(_) => console::use_serial(),
    }
    let layout = match layout {
        Ok(layout) => layout,
        Err(why) => shutdown::crash(format_args!("{why}")),
    };
    let end = layout.populated_end.unwrap_or(MAPPED_END);
    // SAFETY: the regions below the end are RAM that Xen has given and that neither the loader nor
    // the image occupies, mapped one to one by the boot code; this is the only call.
    let pages = match unsafe { memory::init(layout.regions, end) } {
        Ok(pages) => pages,
        Err(little) => shutdown::crash(format_args!("{little}")),
    };
    let special = Gfn(layout.special.start / PAGE_SIZE as u64);
    // SAFETY: the layout has a hole for it, below 4 GiB, which the boot code maps one to one.
    let mut xen = match unsafe { Xen::new(entry, special, pages) } {
        Ok(xen) => Box::new(xen),
        Err(errno) => shutdown::crash(format_args!("cannot set up event channels: {errno}")),
    };
    if let Some(place) = layout.far {
        // SAFETY: the layout has a hole there; no other vCPU has run; this is the only call.
        unsafe { xen.go_far(place) };
    }
    let xen = &*Box::leak(xen);
    let vcpu = match Vcpu::here(xen, tables) {
        Ok(vcpu) => &*Box::leak(Box::new(vcpu)),
        Err(errno) => shutdown::crash(format_args!("cannot set up the timer: {errno}")),
    };
    if let Ok((port, page)) = console {
        console::use_xen(vcpu, port, page);
    }
    greet(xen, &layout);
    follow_options(boot_info, &layout, tables, xen, vcpu)
}

/// Does what the command line and the job file ask for.
fn follow_options(
    boot_info: &BootInfo,
    layout: &Layout<'_>,
    tables: &mut vcpu_tables::Loaded,
    xen: &'static Xen,
    vcpu: &'static Vcpu,
) -> ! {
    let line = match CommandLine::booted(&String::from_utf8_lossy(command_line_bytes())) {
        Ok(line) => line,
        Err(why) => fail(why),
    };
    if line.help {
        say!("{}\n{}", command_line::HELP, fio_job::help());
        shutdown::end(ShutdownReason::Poweroff);
    }
    if let Some(kind) = line.selftest {
        selftest::under_xen(kind, boot_info, layout, tables, xen, vcpu);
    }
    // SAFETY: nothing else is used.
    let mut store = match unsafe { given::xenstore(xen.entry(), layout.ours()) } {
        Ok((port, page)) => Xenstore::new(vcpu, port, page),
        Err(absent) => fail(format_args!("no disk can be found without xenstore: {absent}")),
    };
    // SAFETY: it is what the boot code gave.
    let module = unsafe { given::module(boot_info) };
    let options = match Options::collect(line, module, &mut store) {
        Ok(options) => options,
        Err(why) => fail(why),
    };
    match Runner::new(xen, vcpu, store, tables) {
        Ok(mut runner) => shutdown::end(runner.run(&options)),
        Err(error) => fail(error),
    }
}

/// Runs the self-test: without Xen there are no block devices.
fn without_xen(boot_info: &BootInfo, tables: &mut vcpu_tables::Loaded) -> ! {
    console::use_serial();
    if let Err(why) = boot::loaded() {
        shutdown::crash(format_args!("{why}"));
    }
    // SAFETY: as in `under_xen`, which never returns; without Xen all RAM is there.
    let mut pages = match unsafe { memory::init(&boot_info.memory_regions, MAPPED_END) } {
        Ok(pages) => pages,
        Err(little) => shutdown::crash(format_args!("{little}")),
    };
    match CommandLine::booted(&String::from_utf8_lossy(command_line_bytes())) {
        Ok(CommandLine { selftest: Some(kind), .. }) => {
            selftest::without_xen(kind, boot_info, tables, &mut pages)
        }
        _ => shutdown::crash(format_args!(
            "no Xen found; boot this kernel with xl create, or add selftest to its command line"
        )),
    }
}

/// Returns the command line; empty if the loader gave none.
fn command_line_bytes() -> &'static [u8] {
    boot::loaded().map_or(&[], |loaded| &loaded.command_line)
}

fn greet(xen: &Xen, layout: &Layout<'_>) {
    let (major, minor) = xen.version().unwrap_or_default();
    say!(
        "ringmark {} on Xen {major}.{minor}: {} MiB free, hypercalls by {}",
        env!("CARGO_PKG_VERSION"),
        xen.pages_available() >> 8,
        xen.entry()
    );
    let vcpus = smp::all(xen.entry());
    if vcpus as usize > VCPUS_MAX {
        say!(
            "ringmark: of {vcpus} vCPUs those from {VCPUS_MAX} on stay down: the page that Xen \
             shares has room for {VCPUS_MAX}"
        );
    }
    if smp::are_out_of_reach(xen.entry()) {
        say!(
            "{WARNING_PREFIX}only one vCPU is used: this Xen, which may be QEMU's under KVM, has no \
             VCPUOP_initialise to start another; jobs run as with vcpus=1"
        );
    }
    if !boot::has_nx() {
        say!("ringmark: no NX (is it masked by cpuid=?): memory that holds data can be executed");
    }
    if let Some(end) = layout.populated_end {
        say!(
            "only the first {} MiB of memory are used: maxmem= is above memory=, and Xen gives no \
             more than memory=; set memory= to what the job needs and leave maxmem= out",
            end >> 20
        );
    }
}

/// Ends the guest before anything was measured, with a result that says why.
fn fail(why: impl core::fmt::Display) -> ! {
    say!("ringmark: error: {why}");
    report::print(&[], None, Some(&why));
    shutdown::end(ShutdownReason::Poweroff)
}
