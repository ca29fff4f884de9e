//! A guest's console: the terminal that xenconsoled has made for it.
//!
//! It is opened as `xl console` does, but directly: `xl console` wants a terminal of its own and
//! ends with it, and xenconsoled's log of guests is off by default. A domain that waits to be let
//! go has said nothing yet, so nothing is missed. What comes is bounded, and taken for text only.

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

/// The longest line, in bytes; the rest of a longer one is dropped. A Linux guest's result is one
/// line.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Lines that wait to be read; more than so many wait in xenconsoled.
const LINES_MAX: usize = 16;
/// What ends a job when it is typed.
const CTRL_C: u8 = 3;

/// An open console.
#[derive(Debug)]
pub struct Console {
    terminal: File,
    lines: Receiver<String>,
}

/// What came of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A line, without its end and without control characters.
    Line(String),
    /// Nothing in that time.
    Nothing,
    /// Nothing more will come.
    End,
}

impl Console {
    /// Opens the terminal at this path.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot open the guest's console {}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
        let terminal = options.open(path).with_context(cannot)?;
        // Without this the terminal would send back to the guest what that says.
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
    pub fn hear(&self, timeout: Duration) -> Heard {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => Heard::Line(line),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::End,
        }
    }

    /// Asks the guest to end its job early and report.
    ///
    /// # Errors
    /// The terminal's.
    pub fn interrupt(&mut self) -> Result<()> {
        self.terminal.write_all(&[CTRL_C]).context("cannot write to the guest's console")
    }
}

/// Sends on the lines of a console until it ends, or nobody listens.
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

/// Makes lines of bytes.
#[derive(Default)]
struct Splitter {
    held: Vec<u8>,
}

impl Splitter {
    /// The lines that these bytes complete.
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
    fn lines_are_put_together() {
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
        assert_eq!(console.hear(Duration::from_secs(9)), Heard::Line("last".into()));
        assert_eq!(console.hear(Duration::from_secs(9)), Heard::End);
    }
}
