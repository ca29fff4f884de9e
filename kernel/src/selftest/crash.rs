//! Crashes on purpose: the console must show that the guest ended, and how.

use core::fmt;
use core::hint::black_box;

use drivers::Vcpu as _;
use x86_64::instructions::interrupts::int3;

use crate::smp::{self, Crew, VcpuError};
use crate::vcpu::Vcpu;
use crate::vcpu_tables::Loaded;
use crate::xen::Xen;
use crate::{say, shutdown};

/// Longest wait for the crash of another vCPU, in nanoseconds.
const CRASH_NS: u64 = 30_000_000_000;

/// Runs out of stack.
pub fn overflow() -> ! {
    let depth = recurse(0);
    shutdown::crash(format_args!("the stack is endless: {depth} calls"))
}

/// Crashes for a reason that can't be printed without a fault.
pub fn nested_fault() -> ! {
    shutdown::crash(format_args!("a reason that faults: {}", Faulting))
}

/// Has the last vCPU run out of stack, while this one works.
pub fn vcpu_overflow(xen: &'static Xen, here: &Vcpu, tables: &mut Loaded) -> ! {
    let count = smp::count(xen.entry());
    if count == 1 {
        no_other_vcpu();
    }
    match start_overflow(xen, here, tables, count) {
        Err(error) => shutdown::crash(format_args!("{error}")),
        // What is being printed must not keep the report from being shown.
        Ok(()) => {
            let end_ns = here.now_ns().saturating_add(CRASH_NS);
            while here.now_ns() < end_ns {
                say!("vCPU 0 goes on");
            }
            shutdown::crash(format_args!("the other vCPU's stack is endless"))
        }
    }
}

/// Ends the guest, because it has one vCPU only.
pub fn no_other_vcpu() -> ! {
    shutdown::crash(format_args!("there is no other vCPU; boot with xl create and vcpus=2"))
}

fn start_overflow(
    xen: &'static Xen,
    here: &Vcpu,
    tables: &mut Loaded,
    count: u32,
) -> Result<(), VcpuError> {
    let mut crew = Crew::new(xen, tables, count)?;
    crew.start(here, count - 1, |_| overflow()).map(drop)
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX {
        return depth;
    }
    recurse(depth + 1).wrapping_add(frame[63])
}

/// Faults when it is shown.
struct Faulting;

impl fmt::Display for Faulting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        int3();
        f.write_str("not reached")
    }
}
