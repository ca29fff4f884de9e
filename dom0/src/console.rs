//! A guest's console: the terminal that xenconsoled makes for it, or QEMU's standard input and
//! output where there is no Xen host.
//!
//! It is opened as `xl console` does, but directly: `xl console` needs a terminal of its own and
//! ends with it, and xenconsoled's log of guests is off by default. A paused domain has printed
//! nothing yet, so nothing is missed. It is read only as fast as it is asked for: what a guest
//! prints beyond that waits in xenconsoled.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::sys::termios::{self, SetArg};

use crate::display;
use crate::wait::Wait;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 16;
/// Ctrl-C, as a terminal sends it.
const CTRL_C: u8 = 3;

/// An open console.
#[derive(Debug)]
pub struct Console {
    terminal: File,
    splitter: Splitter,
    /// Bytes that are still to be written.
    unsent: Vec<u8>,
}

/// Outcome of a look at the console.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Lines, without their ends and without control characters; none if nothing has come, or no
    /// line is complete yet.
    Lines(Vec<String>),
    /// The console is closed; no more lines will come.
    Closed,
}

impl Console {
    /// Opens the terminal at this path. Of longer lines than `line_bytes_max` the rest is dropped.
    ///
    /// # Errors
    /// A path that can't be opened.
    pub fn open(path: &Path, line_bytes_max: usize) -> Result<Self> {
        let cannot = || format!("cannot open the guest's console {}", display::path(path));
        let mut options = OpenOptions::new();
        let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        options.read(true).write(true).custom_flags(flags.bits());
        let terminal = options.open(path).with_context(cannot)?;
        // Without this the terminal would echo the guest's output back to it.
        if let Ok(mut attributes) = termios::tcgetattr(&terminal) {
            termios::cfmakeraw(&mut attributes);
            termios::tcsetattr(&terminal, SetArg::TCSANOW, &attributes).with_context(cannot)?;
        }
        Ok(Self { terminal, splitter: Splitter::new(line_bytes_max), unsent: Vec::new() })
    }

    /// Makes one whose other end is not open yet, and returns that: a socket, for a program that is
    /// the guest's console. Lines are bounded as by [`open`](Self::open).
    ///
    /// # Errors
    /// A socket that can't be made.
    pub fn pair(line_bytes_max: usize) -> Result<(Self, OwnedFd)> {
        let cannot = "cannot make a console for the guest";
        let (ours, others) = UnixStream::pair().context(cannot)?;
        ours.set_nonblocking(true).context(cannot)?;
        let terminal = File::from(OwnedFd::from(ours));
        let splitter = Splitter::new(line_bytes_max);
        Ok((Self { terminal, splitter, unsent: Vec::new() }, others.into()))
    }

    /// Returns what has come since the last call, at most some tens of KiB.
    pub fn recv(&mut self) -> Received {
        self.send();
        let mut bytes = [0; READ_BYTES];
        match self.terminal.read(&mut bytes) {
            Ok(count @ 1..) => {
                Received::Lines(self.splitter.split(bytes.get(..count).unwrap_or_default()))
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Received::Lines(Vec::new())
            }
            // A terminal whose other end is closed fails to be read.
            _ => Received::Closed,
        }
    }

    /// Asks the guest to end its job early and report, as soon as the terminal takes it.
    pub fn interrupt(&mut self) {
        self.unsent.push(CTRL_C);
        self.send();
    }

    /// Types an empty line, as soon as the terminal takes it.
    pub fn type_line(&mut self) {
        self.unsent.push(b'\n');
        self.send();
    }

    fn send(&mut self) {
        // A terminal that fails is found to be closed when it is read.
        let sent = match self.terminal.write(&self.unsent) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => self.unsent.len(),
        };
        self.unsent.drain(..sent);
    }

    /// Adds what [`recv`](Self::recv) is to be called for.
    pub fn wait_for<'a>(&'a self, wait: &mut Wait<'a>) {
        wait.read(self.terminal.as_fd());
        if !self.unsent.is_empty() {
            wait.write(self.terminal.as_fd());
        }
    }
}

/// Splits a stream of bytes into lines.
#[derive(Debug)]
pub struct Splitter {
    held: Vec<u8>,
    /// Longest line, in bytes.
    line_bytes_max: usize,
}

impl Splitter {
    /// Creates one for lines of at most so many bytes.
    pub fn new(line_bytes_max: usize) -> Self {
        Self { held: Vec::new(), line_bytes_max }
    }

    /// Returns the lines that these bytes complete.
    pub fn split(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = self.line_bytes_max - self.held.len();
            self.held.extend_from_slice(text.get(..room).unwrap_or(text));
            if ends {
                lines.push(plain(&self.held));
                self.held.clear();
            }
        }
        lines
    }
}

/// Returns a line's text without control characters; what is no text becomes U+FFFD. It takes as
/// much memory as it is long: a line may have many megabytes.
fn plain(line: &[u8]) -> String {
    let pieces = || {
        line.utf8_chunks().flat_map(|chunk| {
            let broken = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
            chunk.valid().split(char::is_control).chain([broken])
        })
    };
    let mut text = String::with_capacity(pieces().map(str::len).sum());
    pieces().for_each(|piece| text.push_str(piece));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE_BYTES_MAX: usize = 1000;

    #[test]
    fn lines_are_split_at_newlines() {
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        assert_eq!(splitter.split(b"one\r\ntw"), ["one"]);
        assert_eq!(splitter.split(b"o\n\nthree"), ["two", ""]);
        assert_eq!(splitter.split(b"\n"), ["three"]);
    }

    #[test]
    fn no_line_is_endless_or_moves_the_cursor() {
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        assert_eq!(splitter.split(&vec![b'x'; 3 * LINE_BYTES_MAX]), [""; 0]);
        assert_eq!(splitter.split(b"x\n").first().map(String::len), Some(LINE_BYTES_MAX));
        assert_eq!(splitter.split(b"\x1b[2J\xff\x07red\n"), ["[2J\u{fffd}red"]);
    }

    #[test]
    fn a_console_that_closes_has_an_end() {
        let (mut console, others) = Console::pair(LINE_BYTES_MAX).unwrap();
        assert_eq!(console.recv(), Received::Lines(Vec::new()));
        let mut guest = File::from(others);
        guest.write_all(b"last\ncut").unwrap();
        console.interrupt();
        let mut typed = [0];
        assert_eq!((guest.read(&mut typed).unwrap(), typed), (1, [CTRL_C]));
        drop(guest);
        assert_eq!(console.recv(), Received::Lines(vec!["last".into()]));
        assert_eq!(console.recv(), Received::Closed);
    }
}
