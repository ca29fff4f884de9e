//! What people see on standard error while a guest works. Nothing here fails: who looks away (a
//! closed pipe) must not leave a domain behind.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::ValueEnum;

/// How often a status line is printed where lines stay.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Whether to show how far the job is (fio's `--eta`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Eta {
    /// On a terminal in one line, elsewhere a line every few seconds.
    Auto,
    /// A line every few seconds.
    Always,
    /// Not at all.
    Never,
}

/// The status line.
#[derive(Debug)]
pub struct StatusLine {
    eta: Eta,
    /// One line is written over and over.
    in_place: bool,
    /// That line has something on it.
    dirty: bool,
    printed: Option<Instant>,
}

impl StatusLine {
    /// An empty one.
    pub fn new(eta: Eta) -> Self {
        let in_place = eta == Eta::Auto && io::stderr().is_terminal();
        Self { eta, in_place, dirty: false, printed: None }
    }

    /// Shows it, if it is time to.
    pub fn show(&mut self, line: &str) {
        if self.eta == Eta::Never {
            return;
        }
        if self.in_place {
            self.dirty = true;
            // What is wider than the terminal is cut by it: wrapping is off for this line.
            write(&format!("\r\x1b[?7l{line}\x1b[K\x1b[?7h"));
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= LINE_EVERY) {
            self.printed = Some(Instant::now());
            complain(line);
        }
    }

    /// Makes room for other text.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.dirty) {
            write("\r\x1b[K");
        }
    }

    /// Prints a line that stays.
    pub fn say(&mut self, line: &str) {
        self.clear();
        complain(line);
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Prints a line on standard error.
pub fn complain(line: &str) {
    write(&format!("{line}\n"));
}

fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
