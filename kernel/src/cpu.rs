//! The processor as the code on it uses it: its sleep, its counter, its end.
//!
//! Interrupts are off while Rust code runs; they are on only inside [`HaltWindow::sleep`]. So the
//! handler of the event upcall needs to do nothing but take the upcall flag back.

use core::arch::global_asm;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use x86_64::VirtAddr;
use x86_64::registers::model_specific::GsBase;
use xen_abi::shared_info::LEGACY_MAX_VCPUS;

/// Vector of the event upcall.
pub const UPCALL_VECTOR: u8 = 0xf3;

/// Flags that ask for an upcall, a byte for each vCPU; the handler clears its own. Null until Xen's
/// shared page is there, and until then there is no upcall either. A static, because the handler,
/// which is assembly, has to find its vCPU's: the base of the GS segment is the address of that
/// element. So each vCPU knows its number, too.
static UPCALL_FLAGS: [AtomicPtr<AtomicU8>; LEGACY_MAX_VCPUS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; LEGACY_MAX_VCPUS];

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

/// Notes that this code runs on vCPU `id`, from here on.
///
/// # Panics
/// When there is no room for so high a number.
///
/// # Safety
/// It does: the number tells apart what each vCPU has of its own, and who may use the console.
pub unsafe fn begin(id: u32) {
    GsBase::write(VirtAddr::from_ptr(&UPCALL_FLAGS[id as usize]));
}

/// Returns the number of the vCPU that this runs on.
pub fn vcpu_id() -> u32 {
    // Asked of the processor: the code that boots may panic before there is a base, on vCPU 0.
    let base = GsBase::read().as_u64() as usize;
    let place = UPCALL_FLAGS.iter().position(|flag| ptr::from_ref(flag).addr() == base);
    place.unwrap_or(0) as u32
}

/// The sleep of the vCPU that this runs on, whose upcalls are handled. It stays there.
#[derive(Debug)]
pub struct HaltWindow(PhantomData<*const ()>);

impl HaltWindow {
    /// Tells the upcall's handler of this vCPU which flag to take back.
    ///
    /// # Safety
    /// This vCPU has its number ([`begin`]), and [`upcall_handler`] handles [`UPCALL_VECTOR`].
    pub unsafe fn new(flag: &'static AtomicU8) -> Self {
        let flag = ptr::from_ref(flag).cast_mut();
        UPCALL_FLAGS[vcpu_id() as usize].store(flag, Ordering::Release);
        Self(PhantomData)
    }

    /// Sleeps until the next upcall, or not at all if one is due. The only place where interrupts
    /// are on.
    #[inline]
    pub fn sleep(&self) {
        // SAFETY: cpu.s; this vCPU has a handler that finds its flag (`new`). That keeps every
        // register, touches no memory but the flag and the stack below that function's frame, and
        // interrupts are off again on return.
        unsafe { cpu_halt_window() }
    }
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
