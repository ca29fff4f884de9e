//! Requests to end early: Ctrl-C, SIGTERM, SIGHUP and SIGQUIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// A request to end the run early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interrupt {
    /// Not requested.
    None,
    /// End soon and report what was measured: the first Ctrl-C, as in fio.
    Report,
    /// End now.
    Stop,
}

/// Counts signals for as long as the program runs.
#[derive(Clone, Debug)]
pub struct SignalListener(Arc<AtomicU8>);

impl SignalListener {
    /// Starts to listen: from here on none of these signals ends the program.
    ///
    /// # Errors
    /// Handlers that cannot be installed.
    pub fn new() -> Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])
            .context("cannot listen for signals")?;
        let asked = Arc::new(AtomicU8::new(0));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for signal in signals.forever() {
                let weight = if signal == SIGINT { 1 } else { 2 };
                noted.fetch_add(weight, Ordering::Relaxed);
            }
        });
        Ok(Self(asked))
    }

    /// Returns the most urgent request so far.
    pub fn interrupt(&self) -> Interrupt {
        match self.0.load(Ordering::Relaxed) {
            0 => Interrupt::None,
            1 => Interrupt::Report,
            _ => Interrupt::Stop,
        }
    }
}
