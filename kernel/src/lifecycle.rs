//! How the guest ends: as asked, or by a crash that says why.

use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use spin::Once;
use x86_64::instructions::port::Port;
use xen_abi::sched::ShutdownReason;

use crate::hypercall::Gate;
use crate::{console, cpu, say, xen};

/// QEMU's isa-debug-exit device ends QEMU with status 2 * value + 1.
const DEBUG_EXIT_PORT: u16 = 0xf4;

/// How to reach Xen; a static, because a panic has to end the domain from anywhere.
static GATE: Once<Gate> = Once::new();

/// From now on the domain can be ended by a hypercall.
pub fn use_gate(gate: Gate) {
    GATE.call_once(|| gate);
}

/// Ends the guest: the domain shuts down for this reason; without Xen, QEMU exits with 33 for
/// success and 35 for failure.
pub fn end(reason: ShutdownReason) -> ! {
    console::drain();
    stop(reason)
}

/// Ends the guest at once: what the console still holds is lost.
pub fn stop(reason: ShutdownReason) -> ! {
    match GATE.get() {
        Some(&gate) => xen::shut_down(gate, reason),
        None => {
            let value = if reason == ShutdownReason::Poweroff { 0x10_u32 } else { 0x11 };
            // SAFETY: the port is QEMU's exit device or nothing.
            unsafe { Port::new(DEBUG_EXIT_PORT).write(value) };
        }
    }
    cpu::halt_forever()
}

/// Says why, and ends the guest as crashed. Telling may crash again: then that is told, the next
/// time nothing is, and at last nothing is tried, so that it comes to an end.
pub fn crash(why: fmt::Arguments<'_>) -> ! {
    static CRASHES: AtomicU32 = AtomicU32::new(0);
    match CRASHES.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => {
            // SAFETY: on the only vCPU, so whoever was printing does not go on.
            unsafe { console::take_over() };
            say!("ringmark: {why}");
            end(ShutdownReason::Crash)
        }
        2 => stop(ShutdownReason::Crash),
        _ => cpu::halt_forever(),
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crash(format_args!("{info}"))
}
