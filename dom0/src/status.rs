//! Progress on standard error while a guest works. Errors of writing are ignored: a closed pipe
//! must not leave a domain behind.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::ValueEnum;

/// Time between status lines where output is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Choice whether progress is shown (fio's `--eta`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Eta {
    /// On a terminal one line that is updated, elsewhere a line every five seconds.
    Auto,
    /// A line every five seconds.
    Always,
    /// Never.
    Never,
}

/// The status line.
#[derive(Debug)]
pub struct StatusLine {
    eta: Eta,
    /// Flag: one line is overwritten again and again.
    in_place: bool,
    /// Flag: that line is not empty.
    dirty: bool,
    printed: Option<Instant>,
}

impl StatusLine {
    /// Creates an empty line.
    pub fn new(eta: Eta) -> Self {
        let in_place = eta == Eta::Auto && io::stderr().is_terminal();
        Self { eta, in_place, dirty: false, printed: None }
    }

    /// Shows it, if one is due.
    pub fn show(&mut self, line: &str) {
        if self.eta == Eta::Never {
            return;
        }
        if self.in_place {
            self.dirty = true;
            // Wrapping is off for this line, so the terminal cuts off what is too wide.
            write(&format!("\r\x1b[?7l{line}\x1b[K\x1b[?7h"));
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= LINE_EVERY) {
            self.printed = Some(Instant::now());
            eprint_line(line);
        }
    }

    /// Clears the line, if it was written in place.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.dirty) {
            write("\r\x1b[K");
        }
    }

    /// Prints a line that is not overwritten.
    pub fn print_line(&mut self, line: &str) {
        self.clear();
        eprint_line(line);
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Prints a line on standard error.
pub fn eprint_line(line: &str) {
    write(&format!("{line}\n"));
}

fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
