//! The wish to end early: Ctrl-C, and the signals of those who end programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// How soon the run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// When it is done.
    GoOn,
    /// Soon, with what there is: the first Ctrl-C, as in fio.
    Report,
    /// Now.
    Stop,
}

/// Listens for signals as long as the program runs.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Begins to listen: from here on no such signal ends the program.
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen() -> Result<Self> {
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

    /// What is wished for.
    pub fn wish(&self) -> Wish {
        match self.0.load(Ordering::Relaxed) {
            0 => Wish::GoOn,
            1 => Wish::Report,
            _ => Wish::Stop,
        }
    }
}
