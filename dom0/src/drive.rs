//! Runs one session to its end.

use anyhow::{Error, Result};
use results::Origin;

use crate::event::Event;
use crate::signals::{Interrupts, Signals};
use crate::status::{Status, eprint_line};
use crate::wait::Wait;

/// A session with a guest: a step, which never waits.
pub trait Step {
    /// Goes on as far as it can without waiting; returns the next thing that happened, if any. To
    /// be called again until it returns `None`, then after a wait for what
    /// [`wait_for`](Self::wait_for) names. The last event is [`Event::End`].
    fn step(&mut self, interrupts: Interrupts) -> Option<Event>;

    /// Adds what [`step`](Self::step) is to be called for.
    fn wait_for<'w>(&'w self, wait: &mut Wait<'w>);
}

/// End of a session.
pub struct Ended<T> {
    /// Outcome: what was made of the result, if there was one, or what went wrong first.
    pub outcome: Result<Option<T>>,
    /// Reason to think that the domain is still there.
    pub left: Option<Error>,
    /// The domain's number, if it is there because it was to stay.
    pub kept: Option<u32>,
    /// Flag: no other guest would fare better.
    pub is_hopeless: bool,
}

impl<T> Ended<T> {
    /// Returns what was made of the result.
    ///
    /// # Errors
    /// What went wrong; a domain that can't be destroyed, even if its result is good. Of two errors
    /// one is told at once.
    pub fn result(self) -> Result<Option<T>> {
        match (self.outcome, self.left) {
            (Err(error), Some(left)) => {
                eprint_line(&format!("ringmark: {left:#}"));
                Err(error)
            }
            (outcome, left) => left.map_or(outcome, Err),
        }
    }
}

/// Runs a session to its end. Passes the guest's result and its origin to `then` while the domain
/// is being destroyed: a result is not lost when that hangs or fails.
pub fn drive<T>(
    mut session: impl Step,
    signals: &Signals,
    status: &mut Status,
    then: impl FnOnce(&str, Origin) -> Result<T>,
) -> Ended<T> {
    let mut then = Some(then);
    let mut outcome = Ok(None);
    loop {
        match session.step(signals.received()) {
            None => {
                let mut wait = Wait::default();
                session.wait_for(&mut wait);
                wait.wait(signals);
            }
            Some(Event::Result { text, origin }) => {
                status.clear();
                if let Some(then) = then.take() {
                    outcome = then(&text, *origin).map(Some);
                }
            }
            Some(Event::End { error, left, kept, is_hopeless }) => {
                status.clear();
                let outcome = error.map_or(outcome, Err);
                return Ended { outcome, left, kept, is_hopeless };
            }
            Some(event) => status.show(&event),
        }
    }
}
