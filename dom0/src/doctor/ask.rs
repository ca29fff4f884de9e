//! Questions to the tool stack, one after the other, each with a deadline.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::inquiry::ANSWER_TIMEOUT;
use crate::signals::Signals;
use crate::wait::Wait;
use crate::xl::{Call, Programs, Running};

/// Output of a program, or the reason why there is none.
pub type Answer = Result<String, String>;

/// A source of questions that ends at a signal.
#[derive(Debug)]
pub struct Asker(Signals);

impl Asker {
    /// Begins.
    ///
    /// # Errors
    /// Signals that cannot be listened for.
    pub fn new() -> Result<Self> {
        Signals::listen().map(Self)
    }

    /// Asks, once.
    ///
    /// # Errors
    /// A signal: nothing more is to be asked.
    pub fn ask(&self, call: Call) -> Result<Answer> {
        let mut running = Running::new(call, ANSWER_TIMEOUT, &Programs::new(1)).once();
        let mut started = VecDeque::new();
        loop {
            self.check()?;
            match running.poll(&mut started) {
                Err(error) => return Ok(Err(error.to_string())),
                Ok(Some(done)) if done.is_success() => return Ok(Ok(done.stdout)),
                Ok(Some(done)) if done.is_exit() => return Ok(Err(done.failure().to_string())),
                Ok(Some(done)) => {
                    let limit = ANSWER_TIMEOUT.as_secs();
                    return Ok(Err(format!("{} was not done after {limit} s", done.name)));
                }
                Ok(None) => {}
            }
            let mut wait = Wait::default();
            running.wait_for(&mut wait);
            wait.wait(&self.0);
        }
    }

    /// Waits.
    ///
    /// # Errors
    /// A signal.
    pub fn pause(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.check()?;
            let mut wait = Wait::default();
            wait.until(end);
            wait.wait(&self.0);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.0.received().count != 0 {
            bail!("interrupted");
        }
        Ok(())
    }
}
