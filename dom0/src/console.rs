//! A guest's console: the terminal that xenconsoled makes for it.
//!
//! It is opened as `xl console` does, but directly: `xl console` needs a terminal of its own and
//! ends with it, and xenconsoled's log of guests is off by default. A paused domain has printed
//! nothing yet, so nothing is missed. Output is bounded, and its control characters are removed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::sys::termios::{self, SetArg};

/// Longest line, in bytes; the rest of a longer one is dropped. A Linux guest's result is one line.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Lines buffered here; more wait in xenconsoled.
const LINES_MAX: usize = 16;
/// Ctrl-C, as a terminal sends it.
const CTRL_C: u8 = 3;

/// An open console.
#[derive(Debug)]
pub struct Console {
    terminal: File,
    lines: Receiver<String>,
}

/// Outcome of a wait for a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A line, without its end and without control characters.
    Line(String),
    /// No line in that time.
    Timeout,
    /// The console is closed; no more lines will come.
    Closed,
}

impl Console {
    /// Opens the terminal at this path.
    ///
    /// # Errors
    /// A path that can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot open the guest's console {}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
        let terminal = options.open(path).with_context(cannot)?;
        // Without this the terminal would echo the guest's output back to it.
        if let Ok(mut attributes) = termios::tcgetattr(&terminal) {
            termios::cfmakeraw(&mut attributes);
            termios::tcsetattr(&terminal, SetArg::TCSANOW, &attributes).with_context(cannot)?;
        }
        let (sender, lines) = sync_channel(LINES_MAX);
        let reader = terminal.try_clone().with_context(cannot)?;
        thread::spawn(move || listen(reader, &sender));
        Ok(Self { terminal, lines })
    }

    /// Waits for the next line.
    pub fn recv(&self, timeout: Duration) -> Received {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => Received::Line(line),
            Err(RecvTimeoutError::Timeout) => Received::Timeout,
            Err(RecvTimeoutError::Disconnected) => Received::Closed,
        }
    }

    /// Asks the guest to end its job early and report.
    ///
    /// # Errors
    /// A terminal that can't be written.
    pub fn interrupt(&mut self) -> Result<()> {
        self.terminal.write_all(&[CTRL_C]).context("cannot write to the guest's console")
    }
}

/// Sends the lines of a console until it closes or the receiver is gone.
fn listen(mut console: impl Read, lines: &SyncSender<String>) {
    let mut bytes = [0; 4096];
    let mut splitter = Splitter::default();
    // A terminal whose other end is closed fails to be read.
    while let Ok(count @ 1..) = console.read(&mut bytes) {
        for line in splitter.split(bytes.get(..count).unwrap_or_default()) {
            if lines.send(line).is_err() {
                return;
            }
        }
    }
}

/// Splits a stream of bytes into lines.
#[derive(Default)]
struct Splitter {
    held: Vec<u8>,
}

impl Splitter {
    /// Returns the lines that these bytes complete.
    fn split(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => {
                    let text = String::from_utf8_lossy(&self.held);
                    lines.push(text.chars().filter(|c| !c.is_control()).collect());
                    self.held.clear();
                }
                _ if self.held.len() < LINE_BYTES_MAX => self.held.push(byte),
                _ => {}
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_at_newlines() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.split(b"one\r\ntw"), ["one"]);
        assert_eq!(splitter.split(b"o\n\nthree"), ["two", ""]);
        assert_eq!(splitter.split(b"\n"), ["three"]);
    }

    #[test]
    fn no_line_is_endless_or_moves_the_cursor() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.split(&vec![b'x'; 3 * LINE_BYTES_MAX]), [""; 0]);
        assert_eq!(splitter.split(b"\n").first().map(String::len), Some(LINE_BYTES_MAX));
        assert_eq!(splitter.split(b"\x1b[2J\xff\x07red\n"), ["[2J\u{fffd}red"]);
    }

    #[test]
    fn a_console_that_closes_has_an_end() {
        let (sender, lines) = sync_channel(1);
        let terminal = File::open("/dev/null").unwrap();
        thread::spawn(move || listen(&b"last\ncut"[..], &sender));
        let console = Console { terminal, lines };
        assert_eq!(console.recv(Duration::from_secs(9)), Received::Line("last".into()));
        assert_eq!(console.recv(Duration::from_secs(9)), Received::Closed);
    }
}
