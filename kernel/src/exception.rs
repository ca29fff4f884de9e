//! Exceptions: what the processor pushes for one, and the one that the self-test provokes and
//! expects. All others are fatal (`cpu_fatal_exception`).

use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use spin::Mutex;
use x86_64::registers::control::Cr2;

use crate::cpu;
use crate::stack::Place;

/// Vector of the double fault.
pub const DOUBLE_FAULT: u64 = 8;
/// Vector of the page fault.
pub const PAGE_FAULT: u64 = 14;

/// Registers of the interrupted code, as cpu.s pushes them, from the lowest address on.
#[repr(C)]
#[derive(Debug)]
pub struct TrapFrame {
    /// r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax.
    registers: [u64; 15],
    vector: u64,
    error_code: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// An exception that is to come.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Its vector.
    pub vector: u64,
    /// Its error code.
    pub error_code: u64,
    /// Addresses one of which CR2 is to hold.
    pub addresses: Range<usize>,
}

/// The exception that [`is_raised`] waits for; a static, because the processor calls the handler.
static EXPECTED: Mutex<Option<Expected>> = Mutex::new(None);

unsafe extern "C" {
    /// Stack pointer to go on with after the expected exception.
    static cpu_attempt_rsp: AtomicU64;
    /// Instruction to go on with.
    static cpu_attempt_ended: u8;
    fn cpu_attempt(code: usize, argument: usize) -> bool;
}

/// Whether a call of `code` with `argument` raises this very exception. Any other is fatal.
///
/// # Safety
/// `code` is the address of code of cpu.s that is sound to run with `argument`, as far as it comes
/// to run.
pub unsafe fn is_raised(expected: Expected, code: usize, argument: usize) -> bool {
    *EXPECTED.lock() = Some(expected);
    // SAFETY: the caller's promise; cpu.s keeps the registers that a call must keep, whether the
    // code returns or the handler ends it.
    let is_returned = unsafe { cpu_attempt(code, argument) };
    EXPECTED.lock().take().is_none() && !is_returned
}

/// Lets the attempt end if this is the expected exception: cpu.s returns to `frame`, which then
/// leads behind the attempt. Returns false if it is another, and cpu.s goes on with
/// `cpu_fatal_exception`.
#[unsafe(no_mangle)]
extern "C" fn cpu_expected_exception(frame: &mut TrapFrame) -> bool {
    let is_expected = take_expected(frame);
    if is_expected {
        // SAFETY: cpu.s has the symbols; the word was written before the exception was raised.
        let (rip, rsp) = unsafe { (&raw const cpu_attempt_ended, &cpu_attempt_rsp) };
        frame.rip = rip.addr() as u64;
        frame.rsp = rsp.load(Ordering::Relaxed);
    }
    is_expected
}

/// Whether this is the exception that is expected; from then on none is.
fn take_expected(frame: &TrapFrame) -> bool {
    let address = Cr2::read_raw() as usize;
    let is_it = |expected: &mut Expected| {
        expected.vector == frame.vector
            && expected.error_code == frame.error_code
            && expected.addresses.contains(&address)
    };
    EXPECTED.try_lock().is_some_and(|mut expected| expected.take_if(is_it).is_some())
}

impl TrapFrame {
    fn name(&self) -> &'static str {
        match self.vector {
            0 => "divide error",
            2 => "non-maskable interrupt",
            3 => "breakpoint",
            6 => "invalid opcode",
            DOUBLE_FAULT => "double fault",
            13 => "general protection fault",
            PAGE_FAULT => "page fault",
            18 => "machine check",
            _ => "exception",
        }
    }

    /// The stack that ran over, if that is what happened.
    fn overflown(&self) -> Option<&'static Place> {
        // A page fault on the way into a handler is a double fault.
        let has_address = [PAGE_FAULT, DOUBLE_FAULT].contains(&self.vector);
        let address = Cr2::read_raw() as usize;
        cpu::stacks().iter().find(|stack| has_address && stack.guard().contains(&address))
    }
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stack) = self.overflown() {
            write!(f, "stack overflow of {stack}: ")?;
        }
        write!(
            f,
            "{} (vector {}, error {:#x}) at rip {:#x}",
            self.name(),
            self.vector,
            self.error_code,
            self.rip
        )?;
        if self.vector == PAGE_FAULT {
            write!(f, ", address {:#x}", Cr2::read_raw())?;
        }
        writeln!(f)?;
        writeln!(f, "  rsp {:#018x} rflags {:#x} cs {:#x}", self.rsp, self.rflags, self.cs)?;
        let names = [
            "r15", "r14", "r13", "r12", "r11", "r10", " r9", " r8", "rbp", "rdi", "rsi", "rdx",
            "rcx", "rbx", "rax",
        ];
        for (place, (name, value)) in names.iter().zip(self.registers).enumerate() {
            let end = if place % 4 == 3 || place == 14 { "\n" } else { "" };
            write!(f, "  {name} {value:#018x}{end}")?;
        }
        Ok(())
    }
}
