//! The one place where this program waits: for descriptors, signals and a deadline together.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::signals::Signals;

/// A wait, and all that ends it.
#[derive(Debug, Default)]
pub struct Wait<'a> {
    descriptors: Vec<PollFd<'a>>,
    deadline: Option<Instant>,
}

impl<'a> Wait<'a> {
    /// Adds a descriptor that may become readable.
    pub fn read(&mut self, descriptor: BorrowedFd<'a>) {
        self.descriptors.push(PollFd::new(descriptor, PollFlags::POLLIN));
    }

    /// Adds a descriptor that may become writable.
    pub fn write(&mut self, descriptor: BorrowedFd<'a>) {
        self.descriptors.push(PollFd::new(descriptor, PollFlags::POLLOUT));
    }

    /// Adds a deadline; the earliest counts.
    pub fn until(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
    }

    /// Waits until a descriptor is ready, a signal arrives, a child ends, or a deadline passes; may
    /// return early.
    pub fn wait(mut self, signals: &'a Signals) {
        signals.descriptors().into_iter().for_each(|descriptor| self.read(descriptor));
        self.poll();
    }

    /// Waits as [`wait`](Self::wait) does, but not for signals or children; returns whether a
    /// descriptor is ready.
    pub fn poll(mut self) -> bool {
        // Rounded up, so that a wait for a deadline does not end just before it.
        let left = |deadline: Instant| {
            let left = deadline.saturating_duration_since(Instant::now());
            PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
        };
        let timeout = self.deadline.map_or(PollTimeout::NONE, left);
        poll(&mut self.descriptors, timeout).is_ok_and(|ready| ready != 0)
    }
}
