//! The one-shot timer behind each sleep, armed no more often than needed (vcpu.h).
//!
//! Arming costs a hypercall. A timer that already fires early enough is left as it is, even if it
//! then ends the sleep too early: the caller looks again, and sleeps on.

use core::cell::Cell;

/// Longest sleep, in nanoseconds: a lost event costs at most this delay.
pub const SLEEP_MAX_NS: u64 = 100_000_000;

/// State of a vCPU's one-shot timer; only that vCPU uses it.
#[derive(Debug)]
pub struct Timer {
    /// System time at which it fires; [`u64::MAX`] while it is not armed.
    fires_ns: Cell<u64>,
}

impl Default for Timer {
    fn default() -> Self {
        Self { fires_ns: Cell::new(u64::MAX) }
    }
}

impl Timer {
    /// Notes that it fired, and so is not armed any more.
    pub fn note_fired(&self) {
        self.fires_ns.set(u64::MAX);
    }

    /// Sees to it that a sleep that begins at `now_ns` ends by `deadline_ns`, or after
    /// [`SLEEP_MAX_NS`], whichever is earlier; `arm` sets the timer to a system time. Returns
    /// whether the caller may sleep: not past its deadline, nor without a timer behind the sleep,
    /// which might then never end.
    pub fn arm_for_sleep<E>(
        &self,
        now_ns: u64,
        deadline_ns: u64,
        arm: impl FnOnce(u64) -> Result<(), E>,
    ) -> bool {
        if now_ns >= deadline_ns {
            return false;
        }
        let end_ns = deadline_ns.min(now_ns.saturating_add(SLEEP_MAX_NS));
        if self.fires_ns.get() <= end_ns {
            return true;
        }
        let armed = arm(end_ns);
        if armed.is_ok() {
            self.fires_ns.set(end_ns);
        }
        armed.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const MS: u64 = 1_000_000;

    /// Sleeps from one time to the other; returns whether it may, and what the timer was set to.
    fn sleep(timer: &Timer, now_ns: u64, deadline_ns: u64) -> (bool, Vec<u64>) {
        let mut set = Vec::new();
        let sleeps = timer.arm_for_sleep(now_ns, deadline_ns, |at_ns| {
            set.push(at_ns);
            Ok::<(), ()>(())
        });
        (sleeps, set)
    }

    #[test]
    fn it_is_armed_once_for_sleeps_that_end_later() {
        let timer = Timer::default();
        assert_eq!(sleep(&timer, 0, 50 * MS), (true, [50 * MS].into()));
        assert_eq!(sleep(&timer, MS, 50 * MS), (true, [].into()));
        assert_eq!(sleep(&timer, 2 * MS, 60 * MS), (true, [].into()));
        assert_eq!(sleep(&timer, 3 * MS, 40 * MS), (true, [40 * MS].into()));
        timer.note_fired();
        assert_eq!(sleep(&timer, 40 * MS, 60 * MS), (true, [60 * MS].into()));
    }

    #[test]
    fn no_sleep_is_longer_than_the_limit() {
        let timer = Timer::default();
        assert_eq!(sleep(&timer, 5, u64::MAX), (true, [5 + SLEEP_MAX_NS].into()));
        timer.note_fired();
        assert_eq!(sleep(&timer, u64::MAX - 1, u64::MAX), (true, [].into()));
    }

    #[test]
    fn nobody_sleeps_past_a_deadline_or_without_a_timer() {
        let timer = Timer::default();
        assert_eq!(sleep(&timer, 7, 7), (false, [].into()));
        assert_eq!(sleep(&timer, 8, 7), (false, [].into()));
        assert!(!timer.arm_for_sleep(0, 7, |_| Err(())));
        assert_eq!(sleep(&timer, 1, 7), (true, [7].into()), "it was not armed");
    }
}
