//! Choice of how long to poll for completions before sleeping.
//!
//! Polling pays when the backend runs on another processor, and only delays it when it needs ours.
//! No guest is told which is true, so [`Waiter`] tries: now and then it polls through a wait that
//! it would otherwise sleep through, and goes on polling as long as completions come while it
//! looks. A completion that comes in a gap between two looks does not count: then the hypervisor
//! took the processor away, for the backend or for somebody else.

use fio_job::Poll;

/// Longest average wait that is polled rather than slept through, in nanoseconds.
const WORTH_POLLING_NS: u64 = 1_000_000;
/// Shortest gap between two looks that is longer than a look takes, in nanoseconds.
const GAP_NS: u64 = 10_000;
/// Number of waits slept through between two trials, at first.
const TRIAL_GAP_MIN: u32 = 64;
/// Number of waits slept through between two trials, after many that failed.
const TRIAL_GAP_MAX: u32 = 1 << 16;
/// Largest credit that successes add up to.
const CREDIT_MAX: u32 = 16;
/// Credit that a success earns.
const CREDIT_SUCCESS: u32 = 2;
/// Credit that a failure costs.
const CREDIT_FAILURE: u32 = 8;

/// Step to take when no work is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look again at once.
    Poll,
    /// Sleep until an event comes.
    Sleep,
}

/// Choice between polling and sleeping, made for each wait.
#[derive(Debug)]
pub struct Waiter {
    policy: Poll,
    /// Wait under way, if any.
    wait: Option<Wait>,
    /// Mean of recent waits, in nanoseconds.
    mean_ns: u64,
    /// Credit of polling; above 0 means poll.
    credit: u32,
    until_trial: u32,
    trial_gap: u32,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    start_ns: u64,
    /// Time until which to poll, in nanoseconds.
    poll_until_ns: u64,
    /// Time of the last look.
    looked_ns: u64,
    /// Whether every look followed at once upon the one before.
    uninterrupted: bool,
}

impl Wait {
    /// Looks, and finds out whether the processor was away since the last look.
    fn look(&mut self, now_ns: u64) {
        self.uninterrupted &= now_ns.saturating_sub(self.looked_ns) < GAP_NS;
        self.looked_ns = now_ns;
    }
}

impl Waiter {
    /// Returns a waiter that follows `ringmark_poll_us=`.
    pub fn new(policy: Poll) -> Self {
        Self {
            policy,
            wait: None,
            mean_ns: 0,
            credit: 0,
            until_trial: TRIAL_GAP_MIN,
            trial_gap: TRIAL_GAP_MIN,
        }
    }

    /// Returns the step to take if nothing has completed at `now_ns`.
    #[inline]
    pub fn idle(&mut self, now_ns: u64) -> Step {
        let wait = match &mut self.wait {
            Some(wait) => wait,
            None => {
                let poll_until_ns = now_ns.saturating_add(self.poll_time_ns());
                self.wait.insert(Wait {
                    start_ns: now_ns,
                    poll_until_ns,
                    looked_ns: now_ns,
                    uninterrupted: true,
                })
            }
        };
        wait.look(now_ns);
        if now_ns < wait.poll_until_ns { Step::Poll } else { Step::Sleep }
    }

    /// Notes that something has completed at `now_ns`.
    #[inline]
    pub fn progress(&mut self, now_ns: u64) {
        if let Some(mut wait) = self.wait.take() {
            wait.look(now_ns);
            self.learn(wait, now_ns);
        }
    }

    /// Returns how long to poll in the wait that begins, in nanoseconds.
    fn poll_time_ns(&mut self) -> u64 {
        if let Poll::Us(us) = self.policy {
            return u64::from(us) * 1_000;
        }
        if self.mean_ns > WORTH_POLLING_NS {
            return 0;
        }
        if self.credit == 0 {
            self.until_trial -= 1;
            if self.until_trial != 0 {
                return 0;
            }
            self.until_trial = self.trial_gap;
        }
        self.mean_ns * 2
    }

    fn learn(&mut self, wait: Wait, now_ns: u64) {
        let waited_ns = now_ns.saturating_sub(wait.start_ns);
        self.mean_ns = match self.mean_ns {
            0 => waited_ns,
            mean_ns => mean_ns - mean_ns / 8 + waited_ns / 8,
        };
        if wait.poll_until_ns == wait.start_ns {
            return;
        }
        if now_ns <= wait.poll_until_ns && wait.uninterrupted {
            self.credit = CREDIT_MAX.min(self.credit + CREDIT_SUCCESS);
            self.trial_gap = TRIAL_GAP_MIN;
        } else {
            self.credit = self.credit.saturating_sub(CREDIT_FAILURE);
            self.trial_gap = TRIAL_GAP_MAX.min(self.trial_gap * 2);
        }
        self.until_trial = self.trial_gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Place where the backend runs.
    #[derive(Clone, Copy, PartialEq)]
    enum Backend {
        /// Processor of its own.
        Elsewhere,
        /// Our processor, once we sleep.
        HereAsleep,
        /// Our processor, which it takes from us after this number of nanoseconds.
        HereAfter(u64),
    }

    /// Simulates waits; completions come after `latency_ns` of the backend's work. Returns the
    /// share of waits slept through, and the time polled in vain, in nanoseconds.
    fn simulate(policy: Poll, latency_ns: u64, backend: Backend, waits: u32) -> (f64, u64) {
        let mut waiter = Waiter::new(policy);
        let (mut now_ns, mut slept, mut wasted_ns) = (1_000_000, 0, 0);
        for _ in 0..waits {
            let start_ns = now_ns;
            let polled = loop {
                match backend {
                    Backend::Elsewhere if now_ns >= start_ns + latency_ns => break true,
                    Backend::HereAfter(after_ns) if now_ns >= start_ns + after_ns => {
                        wasted_ns += after_ns;
                        now_ns += latency_ns;
                        break true;
                    }
                    _ => {}
                }
                match waiter.idle(now_ns) {
                    Step::Poll => now_ns += 100,
                    Step::Sleep => break false,
                }
            };
            if !polled {
                slept += 1;
                wasted_ns += now_ns - start_ns;
                let work_from_ns = if backend == Backend::Elsewhere { start_ns } else { now_ns };
                now_ns = now_ns.max(work_from_ns + latency_ns);
            }
            waiter.progress(now_ns);
        }
        (f64::from(slept) / f64::from(waits), wasted_ns)
    }

    #[test]
    fn with_a_processor_of_its_own_it_polls() {
        let (slept, _) = simulate(Poll::Auto, 20_000, Backend::Elsewhere, 10_000);
        assert!(slept < 0.02, "{slept}");
    }

    #[test]
    fn with_a_shared_processor_it_sleeps_and_wastes_little() {
        for backend in [Backend::HereAsleep, Backend::HereAfter(5_000), Backend::HereAfter(39_000)]
        {
            let (slept, wasted_ns) = simulate(Poll::Auto, 40_000, backend, 100_000);
            assert!(slept > 0.999, "{slept}");
            assert!(wasted_ns < 100_000 * 40_000 / 1_000, "{wasted_ns}");
        }
    }

    #[test]
    fn waits_for_slow_disks_are_slept_through() {
        let (slept, wasted_ns) = simulate(Poll::Auto, 5_000_000, Backend::Elsewhere, 10_000);
        assert_eq!((slept, wasted_ns), (1.0, 0));
    }

    #[test]
    fn a_fixed_time_is_kept() {
        assert_eq!(simulate(Poll::Us(0), 1_000, Backend::Elsewhere, 100), (1.0, 0));
        assert_eq!(simulate(Poll::Us(50), 20_000, Backend::Elsewhere, 100).0, 0.0);
        assert_eq!(simulate(Poll::Us(10), 20_000, Backend::Elsewhere, 100), (1.0, 100 * 10_000));
    }
}
