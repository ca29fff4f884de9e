//! Waiting for two-level event channels without losing an event (event_2l.c).
//!
//! Xen raises an event from the bottom up: it sets the port's pending bit, then the bit of that
//! word in the vCPU's selector, then the vCPU's upcall flag, and goes on to the next level only if
//! the bit was clear. So a waiter clears from the top down: a bit that stays set at any level would
//! keep the next event from the levels above it.

use core::sync::atomic::Ordering;

use xen_abi::Port;
use xen_abi::shared_info::{SharedInfo, VcpuInfo};

use crate::{Atomic, Atomics, Native};

/// The words by which events reach a vCPU.
#[derive(Debug)]
pub struct Events<'a, A: Atomics = Native> {
    /// Non-zero while an upcall is due.
    pub upcall_pending: &'a A::U8,
    /// Bit for each word of `pending` that has news.
    pub pending_sel: &'a A::U64,
    /// Bit for each port that an event came to.
    pub pending: &'a [A::U64],
}

impl<'a> Events<'a> {
    /// Takes the words of the vCPU whose `info` that is.
    #[inline(always)]
    pub fn new(shared: &'a SharedInfo, info: &'a VcpuInfo) -> Self {
        Self {
            upcall_pending: &info.evtchn_upcall_pending,
            pending_sel: &info.evtchn_pending_sel,
            pending: &shared.evtchn_pending,
        }
    }
}

impl<A: Atomics> Events<'_, A> {
    /// Forgets the upcalls so far, so that any later event makes a new one. Each port of interest
    /// has to be [taken](Self::take) after this and before the sleep.
    #[inline]
    pub fn prepare_wait(&self) {
        self.upcall_pending.store(0, Ordering::SeqCst);
        self.pending_sel.swap(0, Ordering::SeqCst);
    }

    /// Clears a port's pending bit; returns whether it was set. No event comes to a port that there
    /// is no bit for.
    #[inline]
    pub fn take(&self, port: Port) -> bool {
        let bit = 1 << (port.0 % u64::BITS);
        let word = self.pending.get((port.0 / u64::BITS) as usize);
        word.is_some_and(|word| word.fetch_and(!bit, Ordering::SeqCst) & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU8, AtomicU64};

    fn words(upcall: u8, sel: u64, pending: [u64; 2]) -> (AtomicU8, AtomicU64, [AtomicU64; 2]) {
        (upcall.into(), sel.into(), pending.map(AtomicU64::new))
    }

    #[test]
    fn a_port_is_taken_once_and_no_other_with_it() {
        let (upcall_pending, pending_sel, pending) = words(1, 3, [u64::MAX, u64::MAX]);
        let (upcall_pending, pending_sel) = (&upcall_pending, &pending_sel);
        let events: Events<'_> = Events { upcall_pending, pending_sel, pending: &pending };
        for port in [0, 63, 64, 127].map(Port) {
            assert!(events.take(port) && !events.take(port), "{port:?}");
        }
        let left = pending.each_ref().map(|word| word.load(Ordering::Relaxed));
        assert_eq!(left, [!(1 | 1 << 63); 2]);
        assert_eq!(pending_sel.load(Ordering::Relaxed), 3);
        assert_eq!(upcall_pending.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn no_event_comes_to_a_port_beyond_the_bits() {
        let (upcall_pending, pending_sel, pending) = words(0, 0, [u64::MAX; 2]);
        let (upcall_pending, pending_sel) = (&upcall_pending, &pending_sel);
        let events: Events<'_> = Events { upcall_pending, pending_sel, pending: &pending };
        assert!([128, 4096, u32::MAX].map(Port).iter().all(|&port| !events.take(port)));
    }

    #[test]
    fn the_upper_levels_are_cleared_and_the_ports_are_not() {
        let (upcall_pending, pending_sel, pending) = words(1, 3, [1, 2]);
        let (upcall_pending, pending_sel) = (&upcall_pending, &pending_sel);
        let events: Events<'_> = Events { upcall_pending, pending_sel, pending: &pending };
        events.prepare_wait();
        assert_eq!(upcall_pending.load(Ordering::Relaxed), 0);
        assert_eq!(pending_sel.load(Ordering::Relaxed), 0);
        assert!(events.take(Port(0)) && events.take(Port(65)));
    }
}
