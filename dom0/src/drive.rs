//! Runs one session to its end.

use anyhow::Result;
use results::Origin;

use crate::event::Event;
use crate::session::Session;
use crate::signals::Signals;
use crate::status::{Status, eprint_line};
use crate::wait::Wait;

/// Runs a session to its end. Passes the guest's result and its origin to `then` while the domain
/// is being destroyed: a result is not lost when that hangs or fails.
///
/// # Errors
/// Errors of the session and of `then`; a domain that can't be destroyed, even if its result is
/// good.
pub fn drive<T>(
    mut session: Session<'_>,
    signals: &Signals,
    status: &mut Status,
    then: impl FnOnce(&str, Origin) -> Result<T>,
) -> Result<Option<T>> {
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
            Some(Event::End { error, left }) => {
                status.clear();
                let outcome = error.map_or(outcome, Err);
                return match (outcome, left) {
                    (Err(error), Some(left)) => {
                        eprint_line(&format!("ringmark: {left:#}"));
                        Err(error)
                    }
                    (outcome, left) => left.map_or(outcome, Err),
                };
            }
            Some(event) => status.show(&event),
        }
    }
}
