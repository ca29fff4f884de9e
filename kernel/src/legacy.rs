//! The two legacy interrupt controllers (8259) of a PC, which must not interrupt.

use core::arch::asm;

use x86_64::instructions::port::Port;

/// Command ports; the masks are one above.
const MASTER: u16 = 0x20;
const SLAVE: u16 = 0xa0;

/// Masks both controllers, if there are any: a PC's firmware leaves the timer's tick on, at a
/// vector that means an exception.
pub fn mask_interrupts() {
    for port in [MASTER + 1, SLAVE + 1] {
        // SAFETY: the mask of an 8259, or nothing.
        unsafe { Port::<u8>::new(port).write(0xff) };
    }
}

/// Waits until the timer asks for an interrupt, within bounds, and then lets interrupts through for
/// a moment; returns whether it asked. It has no handler: if its tick is not masked, this does not
/// return. Not for a guest of Xen's, where an upcall might be due.
pub fn meet_tick() -> bool {
    const READ_REQUESTS: u8 = 0x0a;
    let mut master = Port::<u8>::new(MASTER);
    // SAFETY: the command chooses what reading the controller gives, until the next command.
    let asks = unsafe {
        master.write(READ_REQUESTS);
        (0..1_000_000).any(|_| master.read() & 1 != 0)
    };
    // SAFETY: nothing is touched unless an interrupt comes, and that one is fatal anyway.
    unsafe { asm!("sti", "nop", "cli") };
    asks
}
