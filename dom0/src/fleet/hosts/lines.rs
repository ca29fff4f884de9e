//! Lines that come from another program, bounded and never waited for.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;

use anyhow::{Result, anyhow, bail};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::wait::Wait;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 16;

/// Lines of a pipe.
#[derive(Debug)]
pub struct Lines<R> {
    /// The pipe, until its end.
    pipe: Option<R>,
    bytes: Vec<u8>,
    /// Bytes at the beginning of `bytes` in which no line ends.
    searched: usize,
    /// Longest line, in bytes.
    bytes_max: usize,
    /// Whether `bytes` begin within a line that was too long.
    is_within: bool,
}

impl<R: Read + AsFd> Lines<R> {
    /// Reads lines of at most so many bytes.
    ///
    /// # Errors
    /// A pipe that cannot be read without waiting.
    pub fn new(pipe: R, bytes_max: usize) -> Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| anyhow!("cannot set up a pipe: {error}"))?;
        Ok(Self { pipe: Some(pipe), bytes: Vec::new(), searched: 0, bytes_max, is_within: false })
    }

    /// Returns the next line without its end, if there is one by now. What stands behind the last
    /// end of a line is none.
    ///
    /// # Errors
    /// A line that is too long or no text, which is left out; a pipe that cannot be read.
    pub fn next(&mut self) -> Result<Option<String>> {
        loop {
            let end = self.bytes.iter().skip(self.searched).position(|byte| *byte == b'\n');
            let end = end.map(|end| end + self.searched);
            let is_long = end.unwrap_or(self.bytes.len()) > self.bytes_max;
            let was_within = self.is_within;
            if let Some(end) = end {
                let rest = self.bytes.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.bytes, rest);
                line.truncate(end);
                (self.searched, self.is_within) = (0, false);
                if !is_long && !was_within {
                    let text = String::from_utf8(line);
                    return text.map(Some).map_err(|_| anyhow!("it sent what is no text"));
                }
            } else if is_long || was_within {
                self.bytes.clear();
                (self.searched, self.is_within) = (0, true);
            } else {
                self.searched = self.bytes.len();
            }
            // Said once, when it is seen.
            if is_long && !was_within {
                bail!("it sent a line of more than {} bytes", self.bytes_max);
            }
            if end.is_some() {
                continue;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads some bytes, if there are any.
    fn fill(&mut self) -> Result<bool> {
        let Some(pipe) = &mut self.pipe else { return Ok(false) };
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match pipe.read(&mut bytes) {
                Ok(0) => {
                    self.close();
                    return Ok(false);
                }
                Ok(count) => {
                    self.bytes.extend(bytes.iter().take(count));
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.close();
                    bail!("it cannot be read: {error}");
                }
            }
        }
    }

    fn close(&mut self) {
        self.pipe = None;
        self.bytes.clear();
        self.searched = 0;
    }

    /// Returns whether no more will come.
    pub fn is_closed(&self) -> bool {
        self.pipe.is_none()
    }

    /// Adds what [`next`](Self::next) is to be called for.
    pub fn wait_for<'w>(&'w self, wait: &mut Wait<'w>) {
        self.pipe.iter().for_each(|pipe| wait.read(pipe.as_fd()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn lines(bytes_max: usize) -> (Lines<UnixStream>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Lines::new(ours, bytes_max).unwrap(), theirs)
    }

    #[test]
    fn lines_come_as_they_end() {
        let (mut lines, mut theirs) = lines(4);
        assert_eq!(lines.next().unwrap(), None);
        theirs.write_all(b"ab\n\nlong").unwrap();
        assert_eq!(lines.next().unwrap().as_deref(), Some("ab"));
        assert_eq!(lines.next().unwrap().as_deref(), Some(""));
        assert_eq!(lines.next().unwrap(), None);
        theirs.write_all(b"\nrest").unwrap();
        drop(theirs);
        assert_eq!(lines.next().unwrap().as_deref(), Some("long"));
        assert!(!lines.is_closed());
        assert_eq!(lines.next().unwrap(), None);
        assert!(lines.is_closed());
    }

    #[test]
    fn a_line_has_an_end_and_is_text() {
        for text in [&b"12345"[..], b"12345\n", b"\xff\n"] {
            let (mut lines, mut theirs) = lines(4);
            theirs.write_all(text).unwrap();
            assert!(lines.next().is_err(), "{text:?}");
            assert_eq!(lines.next().unwrap(), None);
            // What comes behind it is taken.
            theirs.write_all(b"6789").unwrap();
            assert_eq!(lines.next().unwrap(), None);
            theirs.write_all(if text.ends_with(b"\n") { b"\nok\n" } else { b"x\nok\n" }).unwrap();
            let expected = if text.ends_with(b"\n") { "6789" } else { "ok" };
            assert_eq!(lines.next().unwrap().as_deref(), Some(expected), "{text:?}");
        }
    }
}
