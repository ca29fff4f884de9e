//! Time for which a job's next I/O waits for room on a ring.

/// Waits of a job, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct RingWait {
    /// Begin of the wait that goes on.
    since_ns: Option<u64>,
    /// Duration of the waits that are over.
    past_ns: u64,
}

impl RingWait {
    /// Notes whether the next I/O waits from now on, or still.
    pub(super) fn note(&mut self, waits: bool, now_ns: u64) {
        match (self.since_ns, waits) {
            (None, true) => self.since_ns = Some(now_ns),
            (Some(since_ns), false) => {
                self.past_ns += now_ns.saturating_sub(since_ns);
                self.since_ns = None;
            }
            _ => {}
        }
    }

    /// Forgets what was before `now_ns`.
    pub(super) fn start_anew(&mut self, now_ns: u64) {
        self.past_ns = 0;
        self.since_ns = self.since_ns.map(|since_ns| since_ns.max(now_ns));
    }

    /// Returns the duration of all waits that are over.
    pub(super) fn total_ns(&self) -> u64 {
        self.past_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_add_up_from_begin_to_end() {
        let mut wait = RingWait::default();
        for (waits, now_ns) in [(false, 5), (true, 10), (true, 15), (false, 30), (false, 40)] {
            wait.note(waits, now_ns);
        }
        assert_eq!(wait.total_ns(), 20);
        wait.note(true, 50);
        wait.note(false, 51);
        assert_eq!(wait.total_ns(), 21);
    }

    #[test]
    fn a_ramp_does_not_count() {
        let mut wait = RingWait::default();
        wait.note(true, 10);
        wait.note(false, 20);
        wait.note(true, 30);
        wait.start_anew(40);
        wait.note(false, 45);
        assert_eq!(wait.total_ns(), 5);
    }
}
