//! The paravirtual console (io/console.h): text out, keys in.
//!
//! A console that is not drained must not hold the guest up for ever: a write waits for room, but
//! for a limited time. Once one gave up, all text is dropped at once until the reader moves again;
//! then whole lines are shown again, behind one that reports how much is missing. A measurement
//! does not wait at all ([`try_write`](Console::try_write)).

use protocols::byte_ring::{Reader, Writer};
use xen_abi::{Port, console::Interface};

use crate::patience::Patience;
use crate::vcpu::Vcpu;

/// Longest wait of one text for room, in nanoseconds.
const PATIENCE_NS: u64 = 2_000_000_000;
/// Room that a reader that was stuck must have made, in bytes, before it is written to again:
/// enough for the line that reports the gap.
const RESUME_BYTES: usize = 128;
/// Most digits of a number of 64 bits.
const DIGITS_MAX: usize = 20;

/// The frontend of the console.
#[derive(Debug)]
pub struct Console<'a, V> {
    vcpu: &'a V,
    port: Port,
    output: Writer<'a>,
    input: Reader<'a>,
    /// Flag: a write ran out of patience, or the indices were absurd. All text is dropped until the
    /// reader moves.
    stuck: bool,
    /// Flag: a write has dropped something at some time.
    lost: bool,
    /// Bytes that were dropped and not yet reported.
    untold_bytes: u64,
    /// Flag: the text so far ends within a line, shown or not.
    in_line: bool,
    /// Flag: the text on the ring ends within a line.
    shown_in_line: bool,
}

impl<'a, V: Vcpu> Console<'a, V> {
    /// Takes over the page and the port that the tool stack made. May be called once: there is one
    /// console, and two clients would take each other's bytes.
    pub fn new(vcpu: &'a V, port: Port, page: &'a Interface) -> Self {
        let output = Writer::new(&page.output, &page.out_prod, &page.out_cons);
        let input = Reader::new(&page.input, &page.in_prod, &page.in_cons);
        Self {
            vcpu,
            port,
            output,
            input,
            stuck: false,
            lost: false,
            untold_bytes: 0,
            in_line: false,
            shown_in_line: false,
        }
    }

    /// Shows `text`; newlines become CR LF, as a terminal wants them. What finds no room within the
    /// patience for one text is dropped. The other side is notified of whole lines only.
    pub fn write(&mut self, text: &str) {
        let patience = &mut self.patience();
        for piece in text.split_inclusive('\n') {
            let line = piece.strip_suffix('\n');
            let end: &[u8] = if line.is_some() { b"\r\n" } else { b"" };
            self.write_parts([line.unwrap_or(piece).as_bytes(), end], patience);
            self.in_line = line.is_none();
        }
        if text.contains('\n') {
            self.flush();
        }
    }

    /// Shows `text` as [`write`](Self::write) does if there is room for all of it now, and leaves
    /// it out otherwise; returns whether it is shown. Never waits.
    pub fn try_write(&mut self, text: &str) -> bool {
        let bytes = text.len() + text.matches('\n').count();
        let told = if self.stuck { RESUME_BYTES } else { 0 };
        let has_room = self.output.room().is_ok_and(|room| room >= bytes + told);
        if has_room && self.goes_on() {
            self.write(text);
            return true;
        }
        false
    }

    /// Returns whether a write ever dropped something, which a reader of the console may not see.
    pub fn has_lost(&self) -> bool {
        self.lost
    }

    /// Shows bytes as they are. What finds no room within the patience is dropped.
    pub fn write_raw(&mut self, bytes: &[u8]) {
        let patience = &mut self.patience();
        // Bytes have no lines to be kept whole.
        self.in_line = false;
        self.write_parts([bytes, b""], patience);
        self.flush();
    }

    /// Notifies the other side that there is text.
    pub fn flush(&mut self) {
        // A closed port or a gone daemon shows as a ring that does not drain.
        let _ = self.vcpu.send(self.port);
    }

    /// Waits until all text was taken, but no longer than the patience.
    pub fn drain(&mut self) {
        // The text is over: if it ended in a gap, that is reported.
        self.in_line = false;
        self.goes_on();
        self.flush();
        let mut patience = self.patience();
        while !self.stuck && !self.output.is_empty() && !patience.is_over() {
            let is_taken = || self.output.is_empty();
            self.vcpu.wait_unless(self.port, patience.look_again_ns(), is_taken);
            patience.count(self.vcpu.now_ns());
        }
    }

    fn patience(&self) -> Patience {
        Patience::new(self.vcpu.now_ns(), PATIENCE_NS)
    }

    /// Writes the parts of a line, or drops them.
    fn write_parts(&mut self, parts: [&[u8]; 2], patience: &mut Patience) {
        self.goes_on();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            match self.stuck {
                true => self.lose(part),
                false => self.write_bytes(part, patience),
            }
        }
    }

    /// Returns whether text is written now: not while the reader is stuck, and after that not
    /// before the next line begins, which comes behind one that reports the gap.
    fn goes_on(&mut self) -> bool {
        let moves = || self.output.room().is_ok_and(|room| room >= RESUME_BYTES);
        if self.stuck && !self.in_line && moves() {
            self.stuck = false;
            self.tell();
        }
        !self.stuck
    }

    /// Reports how much is missing here, in [`RESUME_BYTES`] at most.
    fn tell(&mut self) {
        let mut digits = [0; DIGITS_MAX];
        let mut first = digits.len();
        let mut rest = core::mem::take(&mut self.untold_bytes);
        while rest > 0 && first > 0 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let line_end: &[u8] = if self.shown_in_line { b"\r\n" } else { b"" };
        let end = b" bytes of output are lost here: nobody read the console\r\n";
        for piece in [line_end, b"ringmark: ", &digits[first..], end] {
            // There is room: no wait.
            self.write_bytes(piece, &mut Patience::new(0, 0));
        }
    }

    fn write_bytes(&mut self, mut bytes: &[u8], patience: &mut Patience) {
        loop {
            let Ok(count) = self.output.write(bytes) else {
                return self.give_up(bytes);
            };
            if let Some(last) = bytes[..count].last() {
                self.shown_in_line = *last != b'\n';
            }
            bytes = &bytes[count..];
            if bytes.is_empty() {
                return;
            }
            if patience.is_over() {
                return self.give_up(bytes);
            }
            self.flush();
            let has_room = || !self.output.is_full();
            self.vcpu.wait_unless(self.port, patience.look_again_ns(), has_room);
            // Before the look: what is taken while the processor is away makes room.
            patience.count(self.vcpu.now_ns());
        }
    }

    /// Drops the rest of a text, and what follows.
    fn give_up(&mut self, rest: &[u8]) {
        self.stuck = true;
        self.lose(rest);
    }

    fn lose(&mut self, bytes: &[u8]) {
        self.lost = true;
        self.untold_bytes = self.untold_bytes.saturating_add(bytes.len() as u64);
    }

    /// Takes what was typed, at most `keys.len()` bytes; returns the number of bytes.
    pub fn read(&mut self, keys: &mut [u8]) -> usize {
        match self.input.read(keys) {
            Ok(0) | Err(_) => 0,
            Ok(count) => {
                let _ = self.vcpu.send(self.port);
                count
            }
        }
    }

    /// Returns whether something may have been typed; reads memory only.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }
}
