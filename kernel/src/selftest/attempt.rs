//! Code that is to raise an exception, called so that the guest survives it.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use boot_info::exception::{Expected, TrapFrame};
use spin::Mutex;
use x86_64::registers::control::Cr2;

global_asm!(include_str!("attempt.s"), options(att_syntax));

/// The exception that [`is_raised`] waits for; a static, because the processor calls the handler.
/// The self-test makes one attempt at a time, whichever vCPU makes it.
static EXPECTED: Mutex<Option<Expected>> = Mutex::new(None);

unsafe extern "C" {
    /// Stack pointer to go on with after the expected exception.
    static cpu_attempt_rsp: AtomicU64;
    /// Instruction to go on with.
    static cpu_attempt_ended: u8;
    fn cpu_attempt(code: usize, argument: usize) -> bool;
}

/// Returns whether a call of `code` with `argument` raises this very exception. Any other is fatal.
///
/// # Safety
/// `code` is the address of code of attempt.s that is sound to run with `argument`, as far as it
/// comes to run.
pub(super) unsafe fn is_raised(expected: Expected, code: usize, argument: usize) -> bool {
    *EXPECTED.lock() = Some(expected);
    // SAFETY: the caller's promise; attempt.s keeps the registers that a call must keep, whether
    // the code returns or the handler ends it.
    let is_returned = unsafe { cpu_attempt(code, argument) };
    EXPECTED.lock().take().is_none() && !is_returned
}

/// Lets the attempt end if this is the expected exception: exception.s returns to `frame`, which
/// then leads behind the attempt. Returns false if it is another, and exception.s goes on with
/// `cpu_fatal_exception`.
#[unsafe(no_mangle)]
extern "C" fn cpu_expected_exception(frame: &mut TrapFrame) -> bool {
    let is_expected = take_expected(frame);
    if is_expected {
        // SAFETY: attempt.s has the symbols; the word was written before the exception was raised.
        let (rip, rsp) = unsafe { (&raw const cpu_attempt_ended, &cpu_attempt_rsp) };
        frame.rip = rip.addr() as u64;
        frame.rsp = rsp.load(Ordering::Relaxed);
    }
    is_expected
}

/// Returns whether this is the exception that is expected; from then on none is.
fn take_expected(frame: &TrapFrame) -> bool {
    let cr2 = Cr2::read_raw();
    let mut expected = EXPECTED.try_lock();
    expected.as_mut().is_some_and(|expected| expected.take_if(|it| it.is(frame, cr2)).is_some())
}
