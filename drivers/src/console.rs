//! The paravirtual console (io/console.h): text out, keys in.
//!
//! Nobody may be held up for ever by a console that is not drained: a write waits while the other
//! side makes progress, and gives up on the rest when it makes none.

use core::fmt;

use xen_abi::{Port, console::Interface};

use crate::byte_ring::{Reader, Writer};
use crate::hypervisor::Hypervisor;

/// How long a write waits for room without any progress, in nanoseconds.
const PATIENCE_NS: u64 = 2_000_000_000;

/// The frontend of the console.
#[derive(Debug)]
pub struct Console<'a, H> {
    hypervisor: &'a H,
    port: Port,
    output: Writer<'a>,
    input: Reader<'a>,
    /// The last write ran out of patience, or the indices were absurd: do not wait again.
    stuck: bool,
}

impl<'a, H: Hypervisor> Console<'a, H> {
    /// Takes over the page and the port that the tool stack made.
    pub fn new(hypervisor: &'a H, port: Port, page: &'a Interface) -> Self {
        let output = Writer::new(&page.output, &page.out_prod, &page.out_cons);
        let input = Reader::new(&page.input, &page.in_prod, &page.in_cons);
        Self { hypervisor, port, output, input, stuck: false }
    }

    /// Shows `text`; newlines become CR LF, as a terminal wants them. What can't be shown within
    /// the patience for a silent other side is dropped.
    pub fn write(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            match piece.strip_suffix('\n') {
                Some(line) => {
                    self.write_bytes(line.as_bytes());
                    self.write_bytes(b"\r\n");
                }
                None => self.write_bytes(piece.as_bytes()),
            }
        }
        // A closed port or a gone daemon shows as a ring that does not drain.
        let _ = self.hypervisor.evtchn_send(self.port);
    }

    fn write_bytes(&mut self, mut bytes: &[u8]) {
        let mut patient_until = self.hypervisor.now_ns().saturating_add(PATIENCE_NS);
        loop {
            let Ok(count) = self.output.write(bytes) else {
                self.stuck = true;
                return;
            };
            bytes = &bytes[count..];
            if bytes.is_empty() {
                self.stuck = false;
                return;
            }
            if count != 0 {
                patient_until = self.hypervisor.now_ns().saturating_add(PATIENCE_NS);
                let _ = self.hypervisor.evtchn_send(self.port);
            } else if self.stuck || self.hypervisor.now_ns() >= patient_until {
                self.stuck = true;
                return;
            }
            self.hypervisor.prepare_wait();
            self.hypervisor.take_event(self.port);
            if self.output.is_full() {
                self.hypervisor.wait(patient_until);
            }
        }
    }

    /// Takes what was typed, at most `keys.len()` bytes; answers how many.
    pub fn read(&mut self, keys: &mut [u8]) -> usize {
        match self.input.read(keys) {
            Ok(0) | Err(_) => 0,
            Ok(count) => {
                let _ = self.hypervisor.evtchn_send(self.port);
                count
            }
        }
    }

    /// Whether something may have been typed; reads memory only.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }
}

impl<H: Hypervisor> fmt::Write for Console<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text);
        Ok(())
    }
}
