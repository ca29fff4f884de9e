//! The paravirtual console (io/console.h): text out, keys in.
//!
//! Nobody may be held up for ever by a console that is not drained: a write waits for room, but
//! only so long, and once it gave up it does not wait again before there is room. Who measures does
//! not wait at all ([`try_write`](Console::try_write)).

use xen_abi::{Port, console::Interface};

use crate::byte_ring::{Reader, Writer};
use crate::hypervisor::Hypervisor;
use crate::patience::Patience;

/// How long one text may wait for room, in nanoseconds.
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
    /// A write dropped something.
    lost: bool,
}

impl<'a, H: Hypervisor> Console<'a, H> {
    /// Takes over the page and the port that the tool stack made.
    pub fn new(hypervisor: &'a H, port: Port, page: &'a Interface) -> Self {
        let output = Writer::new(&page.output, &page.out_prod, &page.out_cons);
        let input = Reader::new(&page.input, &page.in_prod, &page.in_cons);
        Self { hypervisor, port, output, input, stuck: false, lost: false }
    }

    /// Shows `text`; newlines become CR LF, as a terminal wants them. What finds no room within the
    /// patience for one text is dropped. The other side is told of whole lines only.
    pub fn write(&mut self, text: &str) {
        let patience = &mut self.patience();
        for piece in text.split_inclusive('\n') {
            match piece.strip_suffix('\n') {
                Some(line) => {
                    self.write_bytes(line.as_bytes(), patience);
                    self.write_bytes(b"\r\n", patience);
                }
                None => self.write_bytes(piece.as_bytes(), patience),
            }
        }
        if text.contains('\n') {
            self.flush();
        }
    }

    /// Shows `text` as [`write`](Self::write) does if there is room for all of it now, and leaves
    /// it out otherwise; answers whether it is shown. Never waits.
    pub fn try_write(&mut self, text: &str) -> bool {
        let bytes = text.len() + text.matches('\n').count();
        let has_room = self.output.room().is_ok_and(|room| room >= bytes);
        if has_room {
            self.write(text);
        }
        has_room
    }

    /// Whether a write ever dropped something, which no other reader of the console can tell.
    pub fn has_lost(&self) -> bool {
        self.lost
    }

    /// Shows bytes as they are. What finds no room within the patience is dropped.
    pub fn write_raw(&mut self, bytes: &[u8]) {
        let patience = &mut self.patience();
        self.write_bytes(bytes, patience);
        self.flush();
    }

    /// Tells the other side that there is text.
    pub fn flush(&mut self) {
        // A closed port or a gone daemon shows as a ring that does not drain.
        let _ = self.hypervisor.evtchn_send(self.port);
    }

    /// Waits until all text was taken, but no longer than the patience.
    pub fn drain(&mut self) {
        self.flush();
        let mut patience = self.patience();
        while !self.stuck && !self.output.is_empty() && !patience.is_over() {
            self.hypervisor.prepare_wait();
            self.hypervisor.take_event(self.port);
            if !self.output.is_empty() {
                self.hypervisor.wait(patience.look_again_ns());
            }
            patience.count(self.hypervisor.now_ns());
        }
    }

    fn patience(&self) -> Patience {
        Patience::new(self.hypervisor.now_ns(), PATIENCE_NS)
    }

    fn write_bytes(&mut self, mut bytes: &[u8], patience: &mut Patience) {
        loop {
            let Ok(count) = self.output.write(bytes) else {
                return self.give_up();
            };
            bytes = &bytes[count..];
            if bytes.is_empty() {
                self.stuck = false;
                return;
            }
            if self.stuck || patience.is_over() {
                return self.give_up();
            }
            self.flush();
            self.hypervisor.prepare_wait();
            self.hypervisor.take_event(self.port);
            if self.output.is_full() {
                self.hypervisor.wait(patience.look_again_ns());
            }
            // Before the look: what is taken while the processor is away makes room.
            patience.count(self.hypervisor.now_ns());
        }
    }

    /// Drops the rest of a text.
    fn give_up(&mut self) {
        (self.stuck, self.lost) = (true, true);
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
