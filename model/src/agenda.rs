//! Simulated time, and who is to run when.
//!
//! Nothing happens but by an entry here, and each task stands at most once, at its earliest time:
//! that is how wake-ups merge, as they do for event channels and for a daemon's poll loop.

use xen_abi::Port;

/// A peer that runs on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// xenstored.
    Store,
    /// The console's daemon.
    Console,
    /// The blkback of the disk with this index.
    Disk(usize),
}

/// Work of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Lets a peer run.
    Run(Actor),
    /// Brings an event to the guest.
    Deliver(Port),
    /// Sets a port's bits, open or not, and again after so many nanoseconds.
    Storm(Port, u64),
}

/// The clock and the entries to come.
#[derive(Debug, Default)]
pub struct Agenda {
    now_ns: u64,
    entries: Vec<(u64, Task)>,
}

impl Agenda {
    /// System time, in nanoseconds since boot.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Puts a task at a time, unless it stands earlier already.
    pub(crate) fn schedule(&mut self, task: Task, at_ns: u64) {
        match self.entries.iter_mut().find(|entry| entry.1 == task) {
            Some(entry) => entry.0 = entry.0.min(at_ns),
            None => self.entries.push((at_ns, task)),
        }
    }

    /// Takes the first task that is due by `until_ns` and sets the clock to its time.
    pub(crate) fn next(&mut self, until_ns: u64) -> Option<Task> {
        let times = self.entries.iter().enumerate();
        let (index, &(at_ns, task)) = times.min_by_key(|(_, entry)| entry.0)?;
        if at_ns > until_ns {
            return None;
        }
        self.entries.swap_remove(index);
        self.now_ns = self.now_ns.max(at_ns);
        Some(task)
    }

    /// Ends all storms.
    pub fn calm(&mut self) {
        self.entries.retain(|(_, task)| !matches!(task, Task::Storm(..)));
    }

    /// Lets time pass in which nothing happens.
    pub(crate) fn pass(&mut self, until_ns: u64) {
        self.now_ns = self.now_ns.max(until_ns);
    }
}
