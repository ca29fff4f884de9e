//! Words that the loops of a run share with the boot vCPU: how far they are, whether they are to
//! end, and when they begin.
//!
//! Each is in cache lines of its own, so that who looks at one is not slowed by who stores to
//! another. A word that is born is 0.

use core::array;
use core::sync::atomic::Ordering;

use crate::{Atomic, Atomics, Native};

/// Figures of one loop, which others may read at any time: `[elapsed_ns, read_ios, read_bytes,
/// write_ios, write_bytes, expected_ns]`, the last [`u64::MAX`] if it is not known. All begin as
/// 0.
///
/// There are two copies, and the loop stores to the one that is not read: so nobody waits for a
/// loop whose vCPU does not run just now.
#[derive(Debug)]
#[repr(align(64))]
pub struct ProgressWords<A: Atomics = Native, const COUNT: usize = 6> {
    /// Number of times that figures were published; its lowest bit is the number of their copy.
    version: A::U64,
    copies: [[A::U64; COUNT]; 2],
}

impl<A: Atomics, const COUNT: usize> Default for ProgressWords<A, COUNT> {
    fn default() -> Self {
        let copy = || array::from_fn(|_| A::U64::default());
        Self { version: A::U64::default(), copies: [copy(), copy()] }
    }
}

impl<A: Atomics, const COUNT: usize> ProgressWords<A, COUNT> {
    /// Publishes figures in place of the last. To be called by one vCPU alone.
    pub fn publish(&self, figures: [u64; COUNT]) {
        let version = self.version.load(Ordering::Relaxed).wrapping_add(1);
        // A reader that was sent to this copy and sees any of the stores below also sees, by its
        // second look, that it was sent elsewhere since.
        A::fence(Ordering::Release);
        for (word, figure) in self.copy(version).iter().zip(figures) {
            word.store(figure, Ordering::Relaxed);
        }
        self.version.store(version, Ordering::Release);
    }

    /// Returns the figures that were published last, all of one call.
    pub fn read(&self) -> [u64; COUNT] {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let figures = self.copy(version).each_ref().map(|word| word.load(Ordering::Relaxed));
            A::fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                return figures;
            }
        }
    }

    fn copy(&self, version: u64) -> &[A::U64; COUNT] {
        &self.copies[(version & 1) as usize]
    }
}

/// Way in which loops are to end before their jobs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Complete what is in flight, and issue nothing new.
    Stop,
    /// End at once.
    Abandon,
}

/// Word by which loops are told to end; what was asked is never taken back.
#[derive(Debug)]
#[repr(align(64))]
pub struct StopWord<A: Atomics = Native>(A::U8);

impl<A: Atomics> Default for StopWord<A> {
    fn default() -> Self {
        Self(A::U8::default())
    }
}

impl<A: Atomics> StopWord<A> {
    const STOP: u8 = 1;
    const ABANDON: u8 = 2;

    /// Asks the loops to end. Nothing else is handed over by it.
    pub fn ask(&self, ending: Ending) {
        match ending {
            Ending::Stop => {
                let order = Ordering::Relaxed;
                // If more was asked already, that stands.
                let _ = self.0.compare_exchange(0, Self::STOP, order, order);
            }
            Ending::Abandon => _ = self.0.swap(Self::ABANDON, Ordering::Relaxed),
        }
    }

    /// Returns what was asked so far.
    #[inline(always)]
    pub fn asked(&self) -> Option<Ending> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            Self::STOP => Some(Ending::Stop),
            _ => Some(Ending::Abandon),
        }
    }
}

/// Gate at which loops meet, to go on all at one time.
#[derive(Debug)]
#[repr(align(64))]
pub struct StartGate<A: Atomics = Native> {
    arrived: A::U32,
    /// Time at which loops go on, in nanoseconds of system time; 0 while the gate is closed.
    at_ns: A::U64,
}

impl<A: Atomics> Default for StartGate<A> {
    fn default() -> Self {
        Self { arrived: A::U32::default(), at_ns: A::U64::default() }
    }
}

impl<A: Atomics> StartGate<A> {
    /// Counts a loop that has arrived; what it stored before is seen by whoever sees it
    /// counted. To be called once by each.
    pub fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::Release);
    }

    /// Returns how many loops have arrived.
    pub fn arrived(&self) -> u32 {
        self.arrived.load(Ordering::Acquire)
    }

    /// Opens the gate for `at_ns`, which is after boot, in nanoseconds of system time. What was
    /// stored before is seen by whoever sees it open.
    pub fn open(&self, at_ns: u64) {
        self.at_ns.store(at_ns.max(1), Ordering::Release);
    }

    /// Returns the time at which loops go on, once the gate is open.
    pub fn opened(&self) -> Option<u64> {
        match self.at_ns.load(Ordering::Acquire) {
            0 => None,
            at_ns => Some(at_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_published_last() {
        let words: ProgressWords = ProgressWords::default();
        assert_eq!(words.read(), [0; 6]);
        for first in 1..5 {
            let figures = [first, 2, 3, 4, 5, u64::MAX];
            words.publish(figures);
            assert_eq!((words.read(), words.read()), (figures, figures));
        }
    }

    #[test]
    fn each_is_in_cache_lines_of_its_own() {
        assert_eq!((align_of::<ProgressWords>(), size_of::<ProgressWords>()), (64, 128));
        assert_eq!((align_of::<StopWord>(), align_of::<StartGate>()), (64, 64));
    }

    #[test]
    fn who_was_asked_to_abandon_is_not_asked_less() {
        let word: StopWord = StopWord::default();
        assert_eq!(word.asked(), None);
        for (ending, asked) in [
            (Ending::Stop, Ending::Stop),
            (Ending::Stop, Ending::Stop),
            (Ending::Abandon, Ending::Abandon),
            (Ending::Stop, Ending::Abandon),
        ] {
            word.ask(ending);
            assert_eq!(word.asked(), Some(asked));
        }
    }

    #[test]
    fn a_gate_is_closed_until_it_is_opened() {
        let gate: StartGate = StartGate::default();
        assert_eq!((gate.arrived(), gate.opened()), (0, None));
        gate.arrive();
        gate.arrive();
        assert_eq!((gate.arrived(), gate.opened()), (2, None));
        gate.open(7);
        assert_eq!(gate.opened(), Some(7));
        gate.open(0);
        assert_eq!(gate.opened(), Some(1), "it is open");
    }
}
