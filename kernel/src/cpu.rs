//! The processor as the code on it uses it: its sleep, its counter, its end.
//!
//! Interrupts are off while Rust code runs; they are on only inside [`halt_window`]. So the handler
//! of the event upcall needs to do nothing but take the upcall flag back.

use core::arch::global_asm;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use x86_64::VirtAddr;

/// Vector of the event upcall.
pub const UPCALL_VECTOR: u8 = 0xf3;

/// The byte that asks for an upcall; the handler clears it. Null until Xen's shared page is there,
/// and until then there is no upcall either. A static, because the handler, which is assembly,
/// finds it by its name. It is the boot vCPU's: a second vCPU needs a handler that finds its own.
#[unsafe(export_name = "cpu_upcall_flag")]
static UPCALL_FLAG: AtomicPtr<AtomicU8> = AtomicPtr::new(ptr::null_mut());

global_asm!(include_str!("cpu.s"), options(att_syntax));

unsafe extern "C" {
    static cpu_upcall: u8;
    fn cpu_halt_window();
}

/// Returns the address of the upcall's handler. It keeps every register and returns by `iretq`, and
/// it runs only from the halt window, where no red zone is live.
pub fn upcall_handler() -> VirtAddr {
    VirtAddr::from_ptr(&raw const cpu_upcall)
}

/// Tells the upcall handler which flag to take back.
pub fn set_upcall_flag(flag: &'static AtomicU8) {
    UPCALL_FLAG.store(ptr::from_ref(flag).cast_mut(), Ordering::Release);
}

/// Sleeps until the next upcall, or not at all if one is due. The only place where interrupts are
/// on.
#[inline]
pub fn halt_window() {
    // SAFETY: cpu.s; the upcall handler keeps every register, touches no memory but its flag and
    // the stack below that function's frame, and interrupts are off again on return.
    unsafe { cpu_halt_window() }
}

/// Ends the vCPU's work.
pub fn halt_forever() -> ! {
    loop {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::hlt();
    }
}

/// Returns the time stamp counter, read not before earlier loads are done.
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: both instructions exist on every x86-64 processor that Xen runs on.
    unsafe {
        core::arch::x86_64::_mm_lfence();
        core::arch::x86_64::_rdtsc()
    }
}
