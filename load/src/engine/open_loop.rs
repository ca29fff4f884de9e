//! Open loop of a job (`latency_from=due`): what its I/Os waited for between the times at which
//! they were due and were put.
//!
//! An I/O is held back while the iodepth, its batches, a ring or its block leave no room. It is
//! late for the rest of the wait: there was room, and the loop came to it later, because it slept,
//! was busy or was kept from running. Only the former is for the disk to answer for.

use fio_job::{Job, LatencyFrom};

use super::time::NEVER;

/// State of an open loop.
#[derive(Debug)]
pub(super) struct OpenLoop {
    /// Due time of the I/O that was chosen last, in nanoseconds; [`NEVER`] if it has none.
    due_ns: u64,
    /// Time since which there is no room, if there is none.
    full_since_ns: Option<u64>,
    /// Whether the arrivals have ended.
    pub(super) has_ended: bool,
}

/// Wait of an I/O from its due time on, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// Time without room.
    pub(super) held_ns: u64,
    /// Time with room.
    pub(super) late_ns: u64,
}

impl OpenLoop {
    /// Returns the state of a job before its first I/O; `None` if it counts nothing from due times.
    pub(super) fn of(job: &Job) -> Option<Self> {
        (job.pace.latency_from == LatencyFrom::Due).then(Self::new)
    }

    fn new() -> Self {
        Self { due_ns: NEVER, full_since_ns: None, has_ended: false }
    }

    /// Notes that the next I/O has no due time, as a flush has none.
    pub(super) fn forget(&mut self) {
        self.due_ns = NEVER;
    }

    /// Notes when the I/O that was chosen is due by its rate.
    pub(super) fn choose(&mut self, due_ns: u64) {
        self.due_ns = due_ns;
    }

    /// Returns the due time of the I/O that was chosen last; [`NEVER`] if it has none.
    pub(super) fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Notes whether there is no room for another I/O from `now_ns` on, or still.
    pub(super) fn note_full(&mut self, is_full: bool, now_ns: u64) {
        self.full_since_ns = is_full.then(|| self.full_since_ns.unwrap_or(now_ns));
    }

    /// Returns how an I/O waited that was due at `due_ns`, found room in the pass of `now_ns`, and
    /// was put at `start_ns`.
    pub(super) fn wait(&self, due_ns: u64, now_ns: u64, start_ns: u64) -> Wait {
        let held_from_ns = self.full_since_ns.map_or(now_ns, |since_ns| since_ns.max(due_ns));
        let held_ns = now_ns.saturating_sub(held_from_ns);
        let late_ns = start_ns.saturating_sub(due_ns).saturating_sub(held_ns);
        Wait { held_ns, late_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(held_ns: u64, late_ns: u64) -> Wait {
        Wait { held_ns, late_ns }
    }

    #[test]
    fn a_wait_without_room_is_held_and_the_rest_is_late() {
        let mut open = OpenLoop::new();
        // The loop comes late to three that are due, and has room for one.
        assert_eq!(open.wait(100, 130, 130), wait(0, 30));
        open.note_full(true, 130);
        assert_eq!(open.wait(110, 200, 200), wait(70, 20));
        // It stays full.
        open.note_full(true, 200);
        assert_eq!(open.wait(120, 250, 255), wait(120, 15));
        // One that became due meanwhile.
        assert_eq!(open.wait(220, 250, 250), wait(30, 0));
        open.note_full(false, 250);
        assert_eq!(open.wait(260, 261, 261), wait(0, 1));
        open.note_full(true, 261);
        assert_eq!(open.wait(300, 300, 300), wait(0, 0));
    }
}
