//! Crashes on purpose: the console must show that the guest ended, and how.

use core::fmt;
use core::hint::black_box;

use x86_64::instructions::interrupts::int3;

use crate::shutdown;

/// Runs out of stack.
pub fn overflow() -> ! {
    let depth = recurse(0);
    shutdown::crash(format_args!("the stack is endless: {depth} calls"))
}

/// Crashes for a reason that can't be printed without a fault.
pub fn nested_fault() -> ! {
    shutdown::crash(format_args!("a reason that faults: {}", Faulting))
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
