//! Time at which a job must be serviced even if nothing completes, and how long before it the loop
//! stays awake.
//!
//! A timer wakes a vCPU late: Xen rounds it (`timer_slop`, 50 us), and the way back takes time,
//! too. An I/O of an open loop that was due meanwhile is late, and its latency not the disk's. So
//! the loop sets its timer earlier by as much as it was late recently, and looks again and again
//! for the rest: a quarter of the wait at most, to leave the processor to a backend that shares it.

use super::time::NEVER;

/// Longest time to stay awake, in nanoseconds.
const AWAKE_NS_MAX: u64 = 200_000;
/// Part of the wait at most.
const PART: u64 = 4;
/// Part of what it is too long by which the time to stay awake falls after each sleep.
const FALL: u64 = 16;

/// Next time to service a job.
#[derive(Debug)]
pub(super) struct Alarm {
    /// Whether to stay awake before.
    stays_awake: bool,
    /// Time that sleeps took too long recently, in nanoseconds.
    overslept_ns: u64,
    wake_ns: u64,
    /// Time from which on not to sleep.
    awake_from_ns: u64,
    /// Whether the last sleep was to end then.
    has_slept: bool,
}

impl Alarm {
    /// Returns one that is not set.
    pub(super) fn new(stays_awake: bool) -> Self {
        let (wake_ns, awake_from_ns) = (NEVER, NEVER);
        Self { stays_awake, overslept_ns: 0, wake_ns, awake_from_ns, has_slept: false }
    }

    /// Sets it to `wake_ns`.
    pub(super) fn set(&mut self, wake_ns: u64, now_ns: u64) {
        let awake_ns = self.overslept_ns.min(wake_ns.saturating_sub(now_ns) / PART);
        self.wake_ns = wake_ns;
        self.awake_from_ns = if wake_ns == NEVER { NEVER } else { wake_ns - awake_ns };
        self.has_slept = false;
    }

    /// Returns the time from which on the loop does not sleep.
    #[inline(always)]
    pub(super) fn awake_from_ns(&self) -> u64 {
        self.awake_from_ns
    }

    /// Returns when a sleep must end that need not end before `latest_ns`.
    pub(super) fn sleep_until(&mut self, latest_ns: u64) -> u64 {
        self.has_slept = self.awake_from_ns <= latest_ns;
        self.awake_from_ns.min(latest_ns)
    }

    /// Returns whether it goes off at `now_ns`, when the loop is awake for it.
    pub(super) fn goes_off(&mut self, now_ns: u64) -> bool {
        if core::mem::take(&mut self.has_slept) && self.stays_awake {
            let late_ns = now_ns.saturating_sub(self.awake_from_ns).min(AWAKE_NS_MAX);
            let too_long_ns = self.overslept_ns.saturating_sub(late_ns);
            self.overslept_ns = late_ns.max(self.overslept_ns - too_long_ns.div_ceil(FALL));
        }
        now_ns >= self.wake_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const US: u64 = 1_000;

    /// Sleeps until each of so many alarms, by a timer that is late by what `late_ns` says, and
    /// looks every 100 ns when awake; returns how late each was and how long it looked.
    fn sleep(stays_awake: bool, gap_ns: u64, late_ns: &[u64]) -> Vec<(u64, u64)> {
        let mut alarm = Alarm::new(stays_awake);
        let mut now_ns = 0;
        let mut one = |(number, &late_ns): (u64, &u64)| {
            let wake_ns = (number + 1) * gap_ns;
            alarm.set(wake_ns, now_ns);
            if now_ns < alarm.awake_from_ns() {
                now_ns = alarm.sleep_until(NEVER) + late_ns;
            }
            let from_ns = now_ns;
            while !alarm.goes_off(now_ns) {
                now_ns += 100;
            }
            (now_ns - wake_ns, now_ns - from_ns)
        };
        (0..).zip(late_ns).map(&mut one).collect()
    }

    #[test]
    fn it_is_late_once_where_its_timer_is_late() {
        let found = sleep(true, 1_000 * US, &[60 * US; 20]);
        assert_eq!(found[0], (60 * US, 0));
        assert!(found[1..].iter().all(|&(late_ns, _)| late_ns <= 100), "{found:?}");
        let never = sleep(false, 1_000 * US, &[60 * US; 20]);
        assert!(never.iter().all(|&one| one == (60 * US, 0)), "{never:?}");
    }

    #[test]
    fn it_looks_no_longer_than_its_timer_needs() {
        let exact = sleep(true, 1_000 * US, &[0; 20]);
        assert!(exact.iter().all(|&one| one == (0, 0)), "{exact:?}");
        // One that was late once is trusted again by and by.
        let mut late_ns = [5 * US; 300];
        late_ns[0] = 150 * US;
        let found = sleep(true, 1_000 * US, &late_ns);
        let looked = |number: usize| found[number].1;
        assert!((140 * US..146 * US).contains(&looked(1)), "{}", looked(1));
        assert!(looked(299) <= 100, "{}", looked(299));
        // A whole time slice does not count, and a short wait has a quarter at most.
        let slice = sleep(true, 9_000 * US, &[900 * US, 0]);
        assert_eq!(slice[1].1, AWAKE_NS_MAX);
        let short = sleep(true, 40 * US, &[30 * US, 0, 0, 0]);
        assert!(short.iter().all(|&(_, looked_ns)| looked_ns <= 10 * US), "{short:?}");
    }

    #[test]
    fn what_never_comes_wakes_nobody() {
        let mut alarm = Alarm::new(true);
        assert_eq!((alarm.sleep_until(7), alarm.goes_off(u64::MAX - 1)), (7, false));
        alarm.set(NEVER, 5);
        assert_eq!(alarm.awake_from_ns(), NEVER);
        alarm.set(3, 5);
        assert!(alarm.goes_off(5));
    }
}
