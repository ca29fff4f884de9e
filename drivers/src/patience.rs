//! Time limit for a peer, counted in time that this guest ran.
//!
//! A guest can lose its processor at any instruction and for any time: `xl pause`, a debugger, a
//! host with too many guests. The next look shows what its peer did meanwhile, so a waiter reads
//! the clock first, then looks, and gives up only when that look found nothing. The time between
//! two looks counts for no more than a sleep may take, so a pause at any place, or several of them,
//! cannot be taken for the peer's silence.

/// Looks that a peer gets at least before it is given up.
const LOOKS_MIN: u64 = 16;

/// Rest of the time that a peer has.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Rest of its time, in nanoseconds.
    left_ns: u64,
    /// Most that counts between two looks, and so the longest sleep, in nanoseconds.
    step_ns: u64,
    /// System time of the last look, in nanoseconds.
    looked_ns: u64,
}

impl Patience {
    /// Begins a wait of `limit_ns` at `now_ns`.
    pub fn new(now_ns: u64, limit_ns: u64) -> Self {
        Self { left_ns: limit_ns, step_ns: limit_ns / LOOKS_MIN + 1, looked_ns: now_ns }
    }

    /// Counts the time since the last look. Comes before each look at what the peer did.
    pub fn count(&mut self, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.looked_ns);
        self.left_ns -= passed_ns.min(self.step_ns).min(self.left_ns);
        self.looked_ns = now_ns;
    }

    /// Takes off up to `ns` that are spent without the peer; returns how much was left to take.
    pub fn take(&mut self, ns: u64) -> u64 {
        let taken_ns = ns.min(self.left_ns);
        self.left_ns -= taken_ns;
        taken_ns
    }

    /// Leaves out the time since the last look: the peer learns only now that it has something to
    /// do.
    pub fn resume(&mut self, now_ns: u64) {
        self.looked_ns = now_ns;
    }

    /// Returns whether no time is left; asked after a look that found nothing.
    pub fn is_over(&self) -> bool {
        self.left_ns == 0
    }

    /// Returns the system time of the next look, at the latest: the end of a sleep that counts in
    /// full.
    pub fn look_again_ns(&self) -> u64 {
        self.looked_ns.saturating_add(self.left_ns.min(self.step_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn silence_ends_it_in_time() {
        let mut now_ns = 5;
        let mut patience = Patience::new(now_ns, 2 * SECOND);
        while !patience.is_over() {
            now_ns = patience.look_again_ns();
            patience.count(now_ns);
        }
        assert_eq!(now_ns, 5 + 2 * SECOND);
        // Looks that are close together count as they are.
        let mut patience = Patience::new(0, 100);
        for now_ns in 1..100 {
            patience.count(now_ns);
            assert!(!patience.is_over(), "{now_ns}");
        }
        patience.count(100);
        assert!(patience.is_over());
    }

    #[test]
    fn a_pause_counts_as_one_sleep() {
        let mut patience = Patience::new(0, 16 * SECOND);
        for pauses in 1..16 {
            patience.count(pauses * 600 * SECOND);
            assert_eq!(patience.left_ns, (16 - pauses) * SECOND - pauses);
            assert!(!patience.is_over());
        }
    }

    #[test]
    fn what_was_not_the_peers_does_not_count() {
        let mut patience = Patience::new(0, SECOND);
        patience.resume(600 * SECOND);
        patience.count(600 * SECOND + 1);
        assert_eq!(patience.left_ns, SECOND - 1);
    }

    #[test]
    fn no_more_is_taken_than_there_is() {
        let mut patience = Patience::new(0, SECOND);
        assert_eq!(patience.take(SECOND - 1), SECOND - 1);
        assert!(!patience.is_over());
        assert_eq!(patience.take(SECOND), 1);
        assert!(patience.is_over());
        assert_eq!(patience.take(SECOND), 0);
    }

    #[test]
    fn a_clock_at_its_end_does_no_harm() {
        let mut patience = Patience::new(u64::MAX - 1, u64::MAX);
        assert_eq!(patience.look_again_ns(), u64::MAX);
        patience.count(u64::MAX);
        patience.count(0);
        assert_eq!(patience.left_ns, u64::MAX - 1);
        let mut nothing = Patience::new(7, 0);
        nothing.count(7);
        assert!(nothing.is_over());
    }
}
