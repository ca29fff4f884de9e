//! The console: the paravirtual one under Xen, the first serial port without it. Before Xen's clock
//! and events are set up, or when that fails, text still reaches the console ([`Early`]).

use alloc::format;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering};

use drivers::console::Console;
use protocols::byte_ring::Writer;
use spin::{Mutex, MutexGuard};
use uart_16550::{Config, Uart16550, backend::PioBackend};
use x86_64::instructions::port::Port;
use xen_abi::console::Interface;

use crate::hypercall::HypercallEntry;
use crate::vcpu::Vcpu;
use crate::vcpu_tables::BOOT_VCPU;
use crate::{cpu, xen};

const DEBUG_PORT: u16 = 0xe9;
/// The error to print when [`has_lost`].
pub const LOST: &str = "the console lost output that nobody took in time; keep xl console attached";
/// Longest wait for an [`Early`] console to be read at the end, in ticks of the time stamp counter:
/// some seconds, whatever the processor.
const EARLY_PATIENCE_TICKS: u64 = 1 << 33;
/// Half of the console's ring.
const PIECE_BYTES: usize = 1024;

/// The one sink; a static, because a panic has to reach it from anywhere.
static SINK: Mutex<Sink> = Mutex::new(Sink::Nowhere);

/// The vCPU that has the sink: the boot vCPU, until another crashes.
static OWNER: AtomicU32 = AtomicU32::new(BOOT_VCPU);

enum Sink {
    /// No console yet: the debug port, for whoever listens there.
    Nowhere,
    Serial(Uart16550<PioBackend>),
    Early(Early),
    /// The console, and the vCPU on which it waits.
    Xen(Console<'static, Vcpu>, &'static Vcpu),
}

// SAFETY: `sink` alone reaches `SINK`, and gives it to one vCPU only: to the boot vCPU, on whose
// value the console waits, or to another when no vCPU but that runs any more (`take_over`), so that
// what the sink borrows is never used by two at once.
unsafe impl Send for Sink {}

/// Returns the sink, if this vCPU has it and nothing that it prints is printing.
fn sink() -> Option<MutexGuard<'static, Sink>> {
    if cpu::vcpu_id() == OWNER.load(Ordering::Relaxed) { SINK.try_lock() } else { None }
}

/// Puts another sink in place of the one that there is.
fn replace(new: Sink) {
    if let Some(mut sink) = sink() {
        *sink = new;
    }
}

/// Sends text to the first serial port from now on, if there is one.
pub fn use_serial() {
    // SAFETY: 0x3f8 is the first serial port's base on a PC, and nobody else drives it.
    let Ok(mut port) = (unsafe { Uart16550::new_port(0x3f8) }) else { return };
    if port.init(Config::default()).is_ok() {
        replace(Sink::Serial(port));
    }
}

/// Xen's console with nothing but hypercalls, which is enough to say why there is no more. What
/// finds no room in the ring is dropped; all goes to the debug port too.
struct Early {
    entry: HypercallEntry,
    port: xen_abi::Port,
    output: Writer<'static>,
}

impl Early {
    fn put(&mut self, bytes: &[u8]) {
        let _ = self.output.write(bytes);
        put_on_debug_port(bytes);
    }

    fn flush(&self) {
        // A closed port or a gone daemon shows as a ring that does not drain.
        let _ = xen::send(self.entry, self.port);
    }

    /// Waits, within bounds, until all text has been taken.
    fn drain(&self) {
        self.flush();
        let start = cpu::tsc();
        while !self.output.is_empty() && cpu::tsc().wrapping_sub(start) < EARLY_PATIENCE_TICKS {
            xen::give_way(self.entry);
        }
    }
}

/// Sends text to Xen's console by hypercalls alone from now on.
pub fn use_early(entry: HypercallEntry, port: xen_abi::Port, page: &'static Interface) {
    let output = Writer::new(&page.output, &page.out_prod, &page.out_cons);
    replace(Sink::Early(Early { entry, port, output }));
}

/// Sends text to Xen's console from now on.
pub fn use_xen(vcpu: &'static Vcpu, port: xen_abi::Port, page: &'static Interface) {
    replace(Sink::Xen(Console::new(vcpu, port, page), vcpu));
}

/// Takes the console away from whoever is printing, so that a crash in there is shown, and gives it
/// to the vCPU that this runs on.
///
/// # Safety
/// Whoever is printing does not go on, and no other vCPU runs any more.
pub unsafe fn take_over() {
    let here = cpu::vcpu_id();
    let before = OWNER.swap(here, Ordering::Relaxed);
    // SAFETY: what the lock protected is used by nobody any more (the caller's promise).
    unsafe { SINK.force_unlock() };
    if before != here
        && let Some(Sink::Xen(_, vcpu)) = sink().as_deref()
    {
        vcpu.lose_timer();
    }
}

/// Shows text. On a vCPU that does not have the console it goes to the debug port.
pub fn print(text: fmt::Arguments<'_>) {
    // The lock is held only when a print prints; then text is dropped.
    if let Some(mut sink) = sink() {
        let _ = sink.write_fmt(text);
    } else if cpu::vcpu_id() != OWNER.load(Ordering::Relaxed) {
        let _ = Sink::Nowhere.write_fmt(text);
    }
}

/// Shows `line` and ends it, unless that takes a wait; returns whether it is shown.
pub fn try_print(line: &str) -> bool {
    match sink().as_deref_mut() {
        Some(Sink::Xen(console, _)) => console.try_write(&format!("{line}\n")),
        Some(sink) => sink.write_fmt(format_args!("{line}\n")).is_ok(),
        None => false,
    }
}

/// Returns whether text or bytes were dropped because nobody took them in time.
pub fn has_lost() -> bool {
    matches!(sink().as_deref(), Some(Sink::Xen(console, _)) if console.has_lost())
}

/// Shows bytes on Xen's console as they are.
pub fn print_bytes(bytes: &[u8]) {
    if let Some(mut sink) = sink()
        && let Sink::Xen(console, _) = &mut *sink
    {
        // Each piece has its own patience.
        bytes.chunks(PIECE_BYTES).for_each(|piece| console.write_raw(piece));
    }
}

/// Waits, within bounds, until all text has been taken.
pub fn drain() {
    match sink().as_deref_mut() {
        Some(Sink::Xen(console, _)) => console.drain(),
        Some(Sink::Early(early)) => early.drain(),
        _ => {}
    }
}

/// Reads what was typed since the last call, at most `keys.len()` bytes; returns how many.
pub fn read(keys: &mut [u8]) -> usize {
    match sink().as_deref_mut() {
        Some(Sink::Xen(console, _)) if console.has_input() => console.read(keys),
        _ => 0,
    }
}

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self {
            Self::Nowhere => put_on_debug_port(text.as_bytes()),
            Self::Serial(port) => as_on_a_terminal(text, |bytes| {
                port.send_bytes_exact(bytes);
            }),
            Self::Early(early) => {
                as_on_a_terminal(text, |bytes| early.put(bytes));
                early.flush();
            }
            Self::Xen(console, _) => console.write(text),
        }
        Ok(())
    }
}

/// Puts text in pieces, with a carriage return before each newline.
fn as_on_a_terminal(text: &str, mut put: impl FnMut(&[u8])) {
    for piece in text.split_inclusive('\n') {
        put(piece.trim_end_matches('\n').as_bytes());
        if piece.ends_with('\n') {
            put(b"\r\n");
        }
    }
}

fn put_on_debug_port(bytes: &[u8]) {
    for &byte in bytes {
        // SAFETY: Xen's and QEMU's debug port shows the byte, or nothing happens.
        unsafe { Port::new(DEBUG_PORT).write(byte) };
    }
}

/// Prints a line.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::console::print(format_args!("{}\n", format_args!($($text)*))) };
}
