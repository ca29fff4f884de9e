//! The end of the guest: as asked, or by a crash that says why.

use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::AtomicU32;

use boot_info::exception::{Report, TrapFrame};
use protocols::crash::Turn;
use spin::Once;
use x86_64::instructions::port::Port;
use x86_64::registers::control::Cr2;
use xen_abi::sched::ShutdownReason;

use crate::hypercall::HypercallEntry;
use crate::vcpu_tables::{self, BOOT_VCPU};
use crate::{console, cpu, say, smp, xen};

/// QEMU's isa-debug-exit device ends QEMU with status 2 * value + 1.
const DEBUG_EXIT_PORT: u16 = 0xf4;

/// The way into Xen; a static, because a panic has to end the domain from anywhere. The first one,
/// whose instruction stays in place: it needs no page that may be the reason of the panic.
static ENTRY: Once<HypercallEntry> = Once::new();

/// Ends the domain by hypercalls from now on.
pub fn use_entry(entry: HypercallEntry) {
    ENTRY.call_once(|| entry);
}

/// Ends the guest: the domain shuts down for this reason; without Xen, QEMU exits with 33 for
/// success and 35 for failure.
pub fn end(reason: ShutdownReason) -> ! {
    console::drain();
    stop(reason)
}

/// Ends the guest at once: what the console still holds is lost.
pub fn stop(reason: ShutdownReason) -> ! {
    match ENTRY.get() {
        Some(&entry) => xen::shut_down(entry, reason),
        None => {
            let value = if reason == ShutdownReason::Poweroff { 0x10_u32 } else { 0x11 };
            // SAFETY: the port is QEMU's exit device or nothing.
            unsafe { Port::new(DEBUG_EXIT_PORT).write(value) };
        }
    }
    cpu::halt_forever()
}

/// Prints why, and ends the guest as crashed, on whichever vCPU; the others are stopped first.
/// Printing may crash again: the second crash is printed too, the third ends the guest silently,
/// and any further one only halts, so that it comes to an end.
pub fn crash(why: fmt::Arguments<'_>) -> ! {
    static CRASHES: AtomicU32 = AtomicU32::new(0);
    let vcpu = cpu::vcpu_id();
    match Turn::take(&CRASHES, vcpu) {
        Turn::Report => {
            if ENTRY.get().is_some_and(|&entry| !smp::stop_others(entry)) {
                stop(ShutdownReason::Crash);
            }
            // SAFETY: no other vCPU runs, so whoever was printing does not go on.
            unsafe { console::take_over() };
            match vcpu {
                BOOT_VCPU => say!("ringmark: {why}"),
                _ => say!("ringmark: vCPU {vcpu}: {why}"),
            }
            end(ShutdownReason::Crash)
        }
        Turn::End => stop(ShutdownReason::Crash),
        Turn::Halt => cpu::halt_forever(),
    }
}

/// Ends the guest for an exception that nobody expects; called by exception.s.
#[unsafe(no_mangle)]
extern "C" fn cpu_fatal_exception(frame: &TrapFrame) -> ! {
    let stacks = vcpu_tables::stacks_of(cpu::vcpu_id());
    let report = Report { frame, cr2: Cr2::read_raw(), stacks };
    crash(format_args!("{report}"))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crash(format_args!("{info}"))
}
