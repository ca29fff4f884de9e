//! Work that one vCPU hands to another, which takes it, or comes too late for it.
//!
//! The two may be at it at any time, for the other may come up long after it was let run. One word
//! decides, so that both have the same answer: work is either taken once, or withdrawn for good.

use core::sync::atomic::Ordering;

use crate::Atomic;

/// There is no work, or it was withdrawn.
const NONE: u32 = 0;
/// There is work that nobody has taken.
const OFFERED: u32 = 1;
/// The work was taken.
const TAKEN: u32 = 2;

/// Place by which one vCPU, the giver, hands work to another, the taker.
#[derive(Debug)]
pub struct Handover<W>(W);

impl<W: Atomic<u32>> Handover<W> {
    /// A place with no work; `word` is 0.
    pub const fn new(word: W) -> Self {
        Self(word)
    }

    /// Offers work, which was put where the taker finds it. By the giver, when what was offered
    /// before is done or withdrawn.
    pub fn offer(&self) {
        self.0.store(OFFERED, Ordering::Release);
    }

    /// Takes the work; returns whether there is any, which is to be done then. By the taker.
    pub fn take(&self) -> bool {
        let taken = self.0.compare_exchange(OFFERED, TAKEN, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    }

    /// Returns whether the work was taken. By the giver.
    pub fn is_taken(&self) -> bool {
        self.0.load(Ordering::Relaxed) == TAKEN
    }

    /// Withdraws the work; returns false if it was taken before. By the giver.
    pub fn withdraw(&self) -> bool {
        let withdrawn =
            self.0.compare_exchange(OFFERED, NONE, Ordering::Relaxed, Ordering::Relaxed);
        withdrawn.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;

    #[test]
    fn a_vcpu_that_comes_in_time_does_the_work_once() {
        let handover = Handover::new(AtomicU32::new(0));
        assert!(!handover.take(), "nothing is offered yet");
        for _ in 0..2 {
            handover.offer();
            assert!(!handover.is_taken());
            assert!(handover.take());
            assert!(handover.is_taken());
            assert!(!handover.withdraw());
            assert!(!handover.take(), "once");
        }
    }

    #[test]
    fn a_vcpu_that_comes_late_finds_nothing_until_more_is_offered() {
        let handover = Handover::new(AtomicU32::new(0));
        handover.offer();
        assert!(!handover.is_taken());
        assert!(handover.withdraw());
        assert!(!handover.take() && !handover.is_taken() && !handover.withdraw());
        handover.offer();
        assert!(handover.take() && handover.is_taken());
    }
}
