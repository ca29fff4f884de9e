//! Time that others had by yields.
//!
//! A yield takes longer than others have the processor, for the call itself takes time, too. The
//! hypervisor is asked around one of some yields how long others had it; the call of all others is
//! taken to last as long as the mean of these, and as long as the shortest while few were asked
//! about: in doubt, time was lent, not stolen. Never around many in a row: they take longer, and a
//! choice between yields and sleep must not see that.

/// Number of yields of which more are asked about.
const FIRST: u64 = 512;
/// Number of these of which one is asked about.
const FIRST_ONE_OF: u64 = 16;
/// Number of later yields of which one is asked about.
const ONE_OF: u64 = 512;

/// Time that others had, and what is known of the call.
#[derive(Debug, Default)]
pub(super) struct Lent {
    /// Time that others had, in nanoseconds, with the calls of `early` yields.
    ns: u64,
    yields: u64,
    /// Number of the first yields around which the hypervisor did not tell.
    early: u64,
    /// Yields around which the hypervisor told, and the time of their calls in nanoseconds.
    told: u64,
    calls_ns: u64,
    /// Mean time of a call, in nanoseconds.
    call_ns: u64,
    /// Shortest time of a call, in nanoseconds.
    shortest_ns: Option<u64>,
}

impl Lent {
    /// Returns whether to ask the hypervisor around the next yield.
    #[inline]
    pub(super) fn asks(&self) -> bool {
        let one_of = if self.yields < FIRST { FIRST_ONE_OF } else { ONE_OF };
        self.yields % one_of == one_of - 1
    }

    /// Notes a yield that took `ns`; of these others had `others_ns`, if that was asked and told.
    #[inline]
    pub(super) fn note(&mut self, ns: u64, others_ns: Option<u64>) {
        self.yields += 1;
        self.ns += match others_ns {
            Some(others_ns) => self.learn(ns, others_ns),
            None if self.yields <= FIRST => {
                self.early += 1;
                ns
            }
            None => ns.saturating_sub(self.call_ns),
        };
    }

    #[cold]
    fn learn(&mut self, ns: u64, others_ns: u64) -> u64 {
        let others_ns = others_ns.min(ns);
        let call_ns = ns - others_ns;
        self.told += 1;
        self.calls_ns += call_ns;
        self.call_ns = self.calls_ns / self.told;
        self.shortest_ns = Some(self.shortest_ns.map_or(call_ns, |shortest| shortest.min(call_ns)));
        others_ns
    }

    /// Returns the time that others had, in nanoseconds.
    pub(super) fn ns(&self) -> u64 {
        let early_ns = self.early.saturating_mul(self.shortest_ns.unwrap_or(0));
        self.ns.saturating_sub(early_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_call_is_not_lent() {
        let mut lent = Lent::default();
        for number in 0..10_000 {
            let others_ns = number % 7 * 1_000;
            let told = lent.asks().then_some(others_ns);
            lent.note(others_ns + 4_000, told);
        }
        assert_eq!(lent.ns(), (0..10_000).map(|number| number % 7 * 1_000).sum::<u64>());
    }

    #[test]
    fn calls_are_taken_to_last_as_long_as_the_mean_of_those_asked_about() {
        let mut lent = Lent { yields: FIRST, ..Lent::default() };
        for call_ns in [1_000, 2_000, 6_000] {
            lent.note(call_ns + 500, Some(500));
        }
        lent.note(10_000, None);
        assert_eq!(lent.ns(), 3 * 500 + 7_000);
    }

    #[test]
    fn the_first_calls_are_taken_to_last_as_long_as_the_shortest() {
        let mut lent = Lent::default();
        lent.note(10_000, None);
        for call_ns in [2_000, 1_000, 6_000] {
            lent.note(call_ns + 500, Some(500));
        }
        lent.note(10_000, None);
        assert_eq!(lent.ns(), 3 * 500 + 2 * 9_000);
    }

    #[test]
    fn few_yields_are_asked_about() {
        let mut lent = Lent::default();
        let mut asked = 0;
        for _ in 0..51_200 {
            asked += u64::from(lent.asks());
            lent.note(5_000, lent.asks().then_some(1_000));
        }
        assert_eq!(asked, FIRST / FIRST_ONE_OF + 99);
    }

    #[test]
    fn a_hypervisor_that_does_not_tell_or_lies_makes_no_more_than_the_time() {
        let mut lent = Lent::default();
        lent.note(5_000, None);
        assert_eq!(lent.ns(), 5_000);
        lent.note(5_000, Some(u64::MAX));
        assert_eq!(lent.ns(), 10_000);
        lent.note(1_000, Some(0));
        lent.note(200, None);
        // Of the two that were not told of, none but a call's time was lent.
        assert_eq!(lent.ns(), 10_200);
    }

    #[test]
    fn all_of_the_yields_may_have_been_shorter_than_a_call() {
        let mut lent = Lent::default();
        lent.note(200, None);
        lent.note(1_000, Some(0));
        assert_eq!(lent.ns(), 0);
    }
}
