//! Clocks of hosts: how far each is from ours, and the time at which all start.

use std::time::{Duration, SystemTime};

/// Shortest time from the agreement to the start.
const MARGIN_NS: u64 = 50_000_000;
/// Round trips that fit into that time at least.
const MARGIN_ROUND_TRIPS: u64 = 4;

/// Distance of a host's clock from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Its time less ours, in nanoseconds.
    pub offset_ns: i64,
    /// Greatest error of that in nanoseconds: the answer may have been given at any time between
    /// question and answer.
    pub error_ns: u64,
}

impl Clock {
    /// Returns what an answer tells: the question was asked at `asked_ns` of our clock, `theirs_ns`
    /// came back after `round_trip`. `None` if no clock has that time.
    pub fn of(asked_ns: u64, round_trip: Duration, theirs_ns: u64) -> Option<Self> {
        let round_trip_ns = u64::try_from(round_trip.as_nanos()).ok()?;
        let ours_ns = asked_ns.checked_add(round_trip_ns / 2)?;
        let offset_ns = i64::try_from(i128::from(theirs_ns) - i128::from(ours_ns)).ok()?;
        Some(Self { offset_ns, error_ns: round_trip_ns.div_ceil(2) })
    }

    /// Returns the one of two with the smaller error.
    pub fn better(self, other: Option<Self>) -> Self {
        other.filter(|other| other.error_ns <= self.error_ns).unwrap_or(self)
    }

    /// Returns a time of ours by its clock; `None` if that is none.
    pub fn theirs(self, ours_ns: u64) -> Option<u64> {
        ours_ns.checked_add_signed(self.offset_ns)
    }

    /// Returns a time of its clock by ours; `None` if that is none.
    pub fn ours(self, theirs_ns: u64) -> Option<u64> {
        theirs_ns.checked_sub_signed(self.offset_ns)
    }
}

/// Returns the time at which hosts with these clocks start, if they agree on it now.
pub fn agreed(now_ns: u64, clocks: impl Iterator<Item = Clock>) -> u64 {
    let round_trip_ns = clocks.map(|clock| clock.error_ns.saturating_mul(2)).max().unwrap_or(0);
    let margin_ns = MARGIN_NS.max(round_trip_ns.saturating_mul(MARGIN_ROUND_TRIPS));
    now_ns.saturating_add(margin_ns)
}

/// Returns the time in nanoseconds since 1970.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.ok().and_then(|time| u64::try_from(time.as_nanos()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(offset_ns: i64, error_ns: u64) -> Clock {
        Clock { offset_ns, error_ns }
    }

    #[test]
    fn an_answer_lies_in_the_middle_give_or_take_half_the_way() {
        let of =
            |asked, round_trip, theirs| Clock::of(asked, Duration::from_nanos(round_trip), theirs);
        assert_eq!(of(1000, 100, 1050), Some(clock(0, 50)));
        assert_eq!(of(1000, 100, 5000), Some(clock(3950, 50)));
        assert_eq!(of(5000, 101, 1000), Some(clock(-4050, 51)));
        assert_eq!(of(0, 0, u64::MAX), None);
        assert_eq!(of(u64::MAX, 2, 0), None);
        // Wherever on its way the answer was given, the error covers it.
        for there in 0..=100 {
            let found = of(1000, 100, 1000 + there + 77).unwrap();
            assert!(found.offset_ns.abs_diff(77) <= found.error_ns, "{found:?}");
        }
    }

    #[test]
    fn the_shortest_way_counts() {
        assert_eq!(clock(1, 9).better(None), clock(1, 9));
        assert_eq!(clock(1, 9).better(Some(clock(2, 5))), clock(2, 5));
        assert_eq!(clock(1, 9).better(Some(clock(2, 10))), clock(1, 9));
    }

    #[test]
    fn times_are_converted_and_back() {
        let ahead = clock(300, 0);
        assert_eq!((ahead.theirs(1000), ahead.ours(1300)), (Some(1300), Some(1000)));
        assert_eq!((clock(-2, 0).theirs(1), clock(2, 0).ours(1)), (None, None));
    }

    #[test]
    fn a_start_leaves_time_to_be_told_of_it() {
        assert_eq!(agreed(7, [clock(0, 10)].into_iter()), 7 + MARGIN_NS);
        let far = [clock(5, 10), clock(-5, 20_000_000)];
        assert_eq!(agreed(7, far.into_iter()), 7 + 160_000_000);
        assert_eq!(agreed(7, [clock(0, u64::MAX)].into_iter()), u64::MAX);
    }
}
