//! Requests to end early: Ctrl-C, SIGTERM, SIGHUP and SIGQUIT; and the ends of child processes.

use std::cell::Cell;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::pipe;

/// Signals that have arrived so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interrupts {
    /// Number of them.
    pub count: u32,
    /// Number of others than Ctrl-C among them.
    pub urgent: u32,
}

/// A request to end the run early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// End soon and report what was measured: the first Ctrl-C, as in fio.
    Report,
    /// End now.
    Stop,
}

impl Interrupts {
    /// Returns the most urgent request among them, if there is any.
    pub fn request(self) -> Option<Request> {
        match self.count {
            0 => None,
            1 if self.urgent == 0 => Some(Request::Report),
            _ => Some(Request::Stop),
        }
    }

    /// Returns those that arrived after `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            count: self.count.saturating_sub(before.count),
            urgent: self.urgent.saturating_sub(before.urgent),
        }
    }
}

/// Counts signals for as long as the program runs. Each writes a byte into a socket, which also
/// wakes a [`Wait`](crate::wait::Wait).
#[derive(Debug)]
pub struct Signals {
    interrupt: Inbox,
    urgent: Inbox,
    child: Inbox,
    received: Cell<Interrupts>,
}

/// Socket into which some signals write.
#[derive(Debug)]
struct Inbox {
    read: UnixStream,
    /// Other end. Kept, because a socket that no signal writes into could always be read if its
    /// other end were closed.
    _write: UnixStream,
}

impl Signals {
    /// Starts to listen: from here on none of these signals ends the program. Those that it was
    /// started to ignore (`nohup`, `trap '' INT`) stay ignored.
    ///
    /// # Errors
    /// Handlers that cannot be installed.
    pub fn listen() -> Result<Self> {
        let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
        let listen = |signals: &[i32]| {
            let heeded = |signal: &i32| ignored >> (signal - 1) & 1 == 0;
            register(&signals.iter().copied().filter(heeded).collect::<Vec<_>>())
                .context("cannot listen for signals")
        };
        Ok(Self {
            interrupt: listen(&[SIGINT])?,
            urgent: listen(&[SIGTERM, SIGHUP, SIGQUIT])?,
            child: register(&[SIGCHLD]).context("cannot listen for signals")?,
            received: Cell::default(),
        })
    }

    /// Returns what has arrived so far. Whatever happens after this call wakes a wait.
    pub fn received(&self) -> Interrupts {
        drain(&self.child.read);
        let (interrupts, urgent) = (drain(&self.interrupt.read), drain(&self.urgent.read));
        let before = self.received.get();
        let now = Interrupts {
            count: before.count.saturating_add(interrupts).saturating_add(urgent),
            urgent: before.urgent.saturating_add(urgent),
        };
        self.received.set(now);
        now
    }

    /// Returns whether to give up a write that waits for its reader, as a function: it is time for
    /// that at the second Ctrl-C from now on, or another signal.
    pub fn patience(&self) -> impl Fn() -> bool + '_ {
        let before = self.received();
        move || self.received().since(before).request() == Some(Request::Stop)
    }

    /// Returns the descriptors that can be read when a signal has arrived or a child has ended.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [&self.interrupt, &self.urgent, &self.child].map(|inbox| inbox.read.as_fd())
    }
}

/// Returns the socket into which each of these signals writes.
fn register(signals: &[i32]) -> io::Result<Inbox> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for &signal in signals {
        pipe::register(signal, write.try_clone()?)?;
    }
    Ok(Inbox { read, _write: write })
}

/// Returns the number of signals that wrote into this socket.
fn drain(mut socket: &UnixStream) -> u32 {
    let mut bytes = [0; 64];
    let mut count = 0_u32;
    loop {
        match socket.read(&mut bytes) {
            Ok(read @ 1..) => count = count.saturating_add(read as u32),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return count,
        }
    }
}

/// Returns the mask of ignored signals in a text of `/proc/self/status`, signal 1 in bit 0.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_stay_ignored_wake_nobody() {
        let inbox = register(&[]).unwrap();
        let error = (&inbox.read).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn the_second_ctrl_c_and_any_other_signal_are_urgent() {
        let requests = [(0, 0), (1, 0), (2, 0), (1, 1)]
            .map(|(count, urgent)| Interrupts { count, urgent }.request());
        let stop = Some(Request::Stop);
        assert_eq!(requests, [None, Some(Request::Report), stop, stop]);
        let (term, then_int) =
            (Interrupts { count: 1, urgent: 1 }, Interrupts { count: 2, urgent: 1 });
        assert_eq!(term.since(term).request(), None);
        assert_eq!(then_int.since(term).request(), Some(Request::Report));
    }

    #[test]
    fn ignored_signals_are_read_from_the_kernels_mask() {
        assert_eq!(ignored("SigBlk:\t00\nSigIgn:\t0000000000001001\nSigCgt:\t02\n"), 0x1001);
        assert_eq!(ignored("SigIgn:\tx\n"), 0);
        assert_eq!(ignored(""), 0);
    }
}
