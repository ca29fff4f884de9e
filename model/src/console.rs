//! The console's daemon: shows what the guest prints and types keys.

use std::sync::atomic::Ordering;

use xen_abi::console::{IN_SIZE, Interface, OUT_SIZE};

use crate::agenda::Actor;
use crate::events::CONSOLE_PORT;
use crate::xen::Xen;

/// The daemon.
#[derive(Debug)]
pub struct Consoled {
    /// All that was printed.
    pub shown: Vec<u8>,
    /// To be typed.
    keys: Vec<u8>,
    /// The daemon does not look at what is printed.
    pub stopped: bool,
    out_cons: u32,
    in_prod: u32,
}

impl Consoled {
    /// Goes on where the ring stands.
    pub(crate) fn new(ring: &Interface) -> Self {
        Self {
            shown: Vec::new(),
            keys: Vec::new(),
            stopped: false,
            out_cons: ring.out_cons.load(Ordering::SeqCst),
            in_prod: ring.in_prod.load(Ordering::SeqCst),
        }
    }

    /// Types keys, as soon as there is room for them.
    pub fn type_keys(&mut self, xen: &mut Xen, keys: &[u8]) {
        self.keys.extend(keys);
        xen.wake(Actor::Console);
    }

    pub(crate) fn turn(&mut self, xen: &mut Xen) {
        let moved = self.show(xen) + self.press(xen);
        if moved != 0 {
            xen.note(b'c', moved as u64, 0);
            xen.notify(CONSOLE_PORT);
            xen.wake(Actor::Console);
        }
    }

    /// Takes some of what the guest printed.
    fn show(&mut self, xen: &mut Xen) -> usize {
        if self.stopped {
            return 0;
        }
        let ring = &xen.memory.console;
        let prod = ring.out_prod.load(Ordering::SeqCst);
        let there = prod.wrapping_sub(self.out_cons);
        if there as usize > OUT_SIZE {
            xen.violation(format!("console: out_prod {prod} is absurd after {}", self.out_cons));
            return 0;
        }
        let count = if there == 0 { 0 } else { xen.rng.u32(1..=there) };
        for _ in 0..count {
            let place = self.out_cons as usize % OUT_SIZE;
            self.shown.push(ring.output[place].load(Ordering::SeqCst));
            self.out_cons = self.out_cons.wrapping_add(1);
        }
        ring.out_cons.store(self.out_cons, Ordering::SeqCst);
        count as usize
    }

    /// Types as many keys as there is room for.
    fn press(&mut self, xen: &mut Xen) -> usize {
        if self.keys.is_empty() {
            return 0;
        }
        let ring = &xen.memory.console;
        let cons = ring.in_cons.load(Ordering::SeqCst);
        let filled = self.in_prod.wrapping_sub(cons) as usize;
        if filled > IN_SIZE {
            xen.violation(format!("console: in_cons {cons} is absurd before {}", self.in_prod));
            return 0;
        }
        let count = self.keys.len().min(IN_SIZE - filled);
        for byte in self.keys.drain(..count) {
            ring.input[self.in_prod as usize % IN_SIZE].store(byte, Ordering::SeqCst);
            self.in_prod = self.in_prod.wrapping_add(1);
        }
        ring.in_prod.store(self.in_prod, Ordering::SeqCst);
        count
    }
}
