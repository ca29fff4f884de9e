//! Costs of a job's I/Os: requests, notifications, events, grants, copies, sleeps.

use core::ops::{Add, Sub};

/// Costs of a job's I/Os. The difference of two snapshots is the cost in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests put on rings.
    pub requests: u64,
    /// Event channel notifications sent to backends.
    pub notifications: u64,
    /// Events from backends that were seen before a sleep; some may stand for several.
    pub events: u64,
    /// Grant entries made.
    pub grants_made: u64,
    /// Copies between granted and private pages, one for each segment.
    pub copies_made: u64,
    /// Number of times that the vCPU slept because there were no responses.
    pub sleeps: u64,
}

impl Counters {
    fn zip(self, other: Self, with: fn(u64, u64) -> u64) -> Self {
        Self {
            requests: with(self.requests, other.requests),
            notifications: with(self.notifications, other.notifications),
            events: with(self.events, other.events),
            grants_made: with(self.grants_made, other.grants_made),
            copies_made: with(self.copies_made, other.copies_made),
            sleeps: with(self.sleeps, other.sleeps),
        }
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        self.zip(earlier, u64::wrapping_sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_and_subtract_field_by_field() {
        let one = Counters {
            requests: 1,
            notifications: 2,
            events: 3,
            grants_made: 4,
            copies_made: 5,
            sleeps: 6,
        };
        let two = one + one;
        assert_eq!(two.sleeps, 12);
        assert_eq!(two.events, 6);
        assert_eq!(two - one, one);
    }
}
