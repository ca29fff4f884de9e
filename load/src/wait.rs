//! Waits for completions: the guest polls, yields, or sleeps until an event comes.
//!
//! Polling pays when the backend runs on another processor, and only delays it when it needs ours.
//! To yield lets a backend on our processor run at once, and finds what it completed without an
//! event and an interrupt; but somebody else may run instead, and for long. No guest is told which
//! is true, so `Choice` measures. A [`Waiter`] carries out what it chose, wait by wait: it polls
//! or yields for no longer than a few times what a wait is known to take, and then sleeps.

mod choice;
mod lent;

use fio_job::Poll;

use choice::Choice;
use lent::Lent;

pub use choice::{Step, Work};

/// Longest average wait that is not just slept through, longest time to poll or to yield in one,
/// and longest yield that leaves the processor to our backend alone, in nanoseconds.
const WORTH_POLLING_NS: u64 = 2_000_000;

/// Choice between polling, yielding and sleeping, made for each wait.
#[derive(Debug)]
pub struct Waiter {
    policy: Poll,
    /// Wait under way, if any.
    wait: Option<Wait>,
    /// Mean of recent waits, in nanoseconds.
    mean_ns: u64,
    choice: Choice,
    lent: Lent,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    start_ns: u64,
    /// Step to take until the time is up.
    first: Step,
    /// Time from which on to sleep, in nanoseconds.
    sleep_from_ns: u64,
}

impl Waiter {
    /// Returns a waiter that follows `ringmark_poll_us=`.
    pub fn new(policy: Poll) -> Self {
        Self { policy, wait: None, mean_ns: 0, choice: Choice::default(), lent: Lent::default() }
    }

    /// Returns the step to take if nothing has completed at `now_ns`.
    #[inline]
    pub fn idle(&mut self, now_ns: u64) -> Step {
        let wait = match self.wait {
            Some(wait) => wait,
            None => {
                let (first, ns) = self.plan();
                let sleep_from_ns = now_ns.saturating_add(ns);
                *self.wait.insert(Wait { start_ns: now_ns, first, sleep_from_ns })
            }
        };
        if now_ns < wait.sleep_from_ns { wait.first } else { Step::Sleep }
    }

    /// Sees to it that the guest never yields: an event that others wait for would not end that.
    pub fn never_yield(&mut self) {
        self.choice.never_yield();
    }

    /// Returns whether to ask the hypervisor around the next yield how long others have the
    /// processor.
    #[inline]
    pub fn asks(&self) -> bool {
        self.lent.asks()
    }

    /// Notes that a yield took so long, in nanoseconds; of these others had the processor for
    /// `others_ns`, if that was asked and told.
    #[inline]
    pub fn note_yield(&mut self, ns: u64, others_ns: Option<u64>) {
        if ns <= WORTH_POLLING_NS {
            self.lent.note(ns, others_ns);
        } else {
            self.choice.note_slice();
        }
    }

    /// Returns the time that others had by yields, in nanoseconds. Long ones are no part of it:
    /// nobody asked for another guest's time slice, or for a pause.
    pub fn lent_ns(&self) -> u64 {
        self.lent.ns()
    }

    /// Notes that something has completed at `now_ns`; `work` tells how much so far, and costs
    /// little where nobody asks.
    #[inline]
    pub fn progress(&mut self, now_ns: u64, work: impl FnOnce() -> Work) {
        if let Some(wait) = self.wait.take()
            && self.policy == Poll::Auto
        {
            // A pause, however long, is one wait of many.
            let waited_ns = now_ns.saturating_sub(wait.start_ns).min(2 * WORTH_POLLING_NS);
            self.mean_ns = self.mean_ns - self.mean_ns / 8 + waited_ns / 8;
            self.choice.wait_over(now_ns, work, self.mean_ns > WORTH_POLLING_NS);
        }
    }

    /// Returns the first step of the wait that begins, and for how long to take it, in nanoseconds.
    fn plan(&self) -> (Step, u64) {
        if let Poll::Us(us) = self.policy {
            return (Step::Poll, u64::from(us) * 1_000);
        }
        let (first, ns) = self.choice.plan();
        (first, ns.min(WORTH_POLLING_NS))
    }
}

#[cfg(test)]
mod tests;
