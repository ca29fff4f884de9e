//! Code that is to raise an exception, called so that the guest survives it.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use boot_info::exception::{Expected, TrapFrame};
use spin::Mutex;
use x86_64::registers::control::Cr2;

use crate::cpu;
use crate::vcpu_tables::VCPUS_MAX;

global_asm!(include_str!("attempt.s"), options(att_syntax));

/// Attempt of a vCPU.
struct Attempt {
    /// The exception that [`is_raised`] waits for.
    expected: Mutex<Option<Expected>>,
    /// Stack pointer to go on with after it.
    rsp: AtomicU64,
}

/// Each vCPU's attempt; a static, because the processor calls the handler.
static ATTEMPTS: [Attempt; VCPUS_MAX] =
    [const { Attempt { expected: Mutex::new(None), rsp: AtomicU64::new(0) } }; VCPUS_MAX];

unsafe extern "C" {
    /// Instruction to go on with after the expected exception.
    static cpu_attempt_ended: u8;
    fn cpu_attempt(code: usize, argument: usize, rsp: *mut u64) -> bool;
}

/// Returns the attempt of the vCPU that this runs on.
fn here() -> &'static Attempt {
    &ATTEMPTS[cpu::vcpu_id() as usize]
}

/// Returns whether a call of `code` with `argument` raises this very exception. Any other is fatal.
///
/// # Safety
/// `code` is the address of code of attempt.s that is sound to run with `argument`, as far as it
/// comes to run.
pub(super) unsafe fn is_raised(expected: Expected, code: usize, argument: usize) -> bool {
    let attempt = here();
    *attempt.expected.lock() = Some(expected);
    // SAFETY: the caller's promise; attempt.s keeps the registers that a call must keep, whether
    // the code returns or the handler ends it. The word for its stack pointer is this vCPU's.
    let is_returned = unsafe { cpu_attempt(code, argument, attempt.rsp.as_ptr()) };
    attempt.expected.lock().take().is_none() && !is_returned
}

/// Lets the attempt end if this is the expected exception: exception.s returns to `frame`, which
/// then leads behind the attempt. Returns false if it is another, and exception.s goes on with
/// `cpu_fatal_exception`.
#[unsafe(no_mangle)]
extern "C" fn cpu_expected_exception(frame: &mut TrapFrame) -> bool {
    let attempt = here();
    let is_expected = attempt.take_expected(frame);
    if is_expected {
        frame.rip = (&raw const cpu_attempt_ended).addr() as u64;
        // The vCPU wrote it before it raised the exception.
        frame.rsp = attempt.rsp.load(Ordering::Relaxed);
    }
    is_expected
}

impl Attempt {
    /// Returns whether this is the exception that is expected; from then on none is.
    fn take_expected(&self, frame: &TrapFrame) -> bool {
        let cr2 = Cr2::read_raw();
        let mut expected = self.expected.try_lock();
        expected.as_mut().is_some_and(|expected| expected.take_if(|it| it.is(frame, cr2)).is_some())
    }
}
