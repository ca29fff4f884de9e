//! Limits that hold back a job's next I/O: rates, pauses, and flushes that come before it.
//!
//! Only jobs with such options come here; the others pay nothing for it.

use fio_job::{Direction, Job, Think};

use super::arrivals::Arrivals;

/// Progress of a job against its [`Pace`](fio_job::Pace).
#[derive(Debug)]
pub(super) struct Pacer {
    arrivals: Arrivals,
    think: Option<Think>,
    /// Number of I/Os issued.
    issued: u64,
    /// Time at which the last pause became due, or the first I/O.
    thought_ns: Option<u64>,
    /// Number of I/Os that counted when it did.
    thought_over: u64,
    /// Whether none was issued since then.
    has_thought: bool,
    /// Whether a pause is due or has begun.
    thinks: bool,
    /// End of the pause that has begun.
    pause_end_ns: Option<u64>,
    flush_after: Option<u64>,
    /// Number of writes since the last flush.
    unflushed: u64,
}

/// Next step, as far as the job's past decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// An I/O.
    Io,
    /// A flush.
    Flush,
    /// Nothing, until an I/O of the job completes.
    Completion,
    /// Nothing until this time, in nanoseconds.
    Until(u64),
}

impl Pacer {
    /// Returns the pacer of a job with this seed.
    pub(super) fn new(job: &Job, seed: u64) -> Self {
        let pace = &job.pace;
        Self {
            arrivals: Arrivals::new(job, seed),
            think: pace.think,
            issued: 0,
            thought_ns: None,
            thought_over: 0,
            has_thought: false,
            thinks: false,
            pause_end_ns: None,
            flush_after: pace.flush_after,
            unflushed: 0,
        }
    }

    /// Returns whether the next step is a flush.
    pub(super) fn is_flush_due(&self) -> bool {
        self.flush_after.is_some_and(|writes| self.unflushed >= writes)
    }

    /// Returns the next step.
    pub(super) fn turn(&mut self, now_ns: u64, outstanding: u32) -> Turn {
        if self.is_flush_due() {
            self.unflushed = 0;
            return Turn::Flush;
        }
        let Some(think) = self.think else { return Turn::Io };
        // As in fio, those that end while the pause is awaited count for the next one.
        let ended = self.issued.saturating_sub(outstanding.into());
        let counted = if think.counts_issued { self.issued } else { ended };
        let ios = counted.saturating_sub(self.thought_over);
        let ns = now_ns.saturating_sub(*self.thought_ns.get_or_insert(now_ns));
        let is_due = think.blocks.is_some_and(|blocks| ios >= blocks)
            || think.io_ns.is_some_and(|io_ns| ns >= io_ns.saturating_add(think.time_ns));
        if is_due && !self.thinks && !self.has_thought {
            (self.thinks, self.thought_over) = (true, counted);
            self.thought_ns = Some(now_ns);
        }
        if !self.thinks {
            return Turn::Io;
        }
        if outstanding != 0 {
            return Turn::Completion;
        }
        let end_ns = *self.pause_end_ns.get_or_insert(now_ns.saturating_add(think.time_ns));
        if now_ns < end_ns {
            return Turn::Until(end_ns);
        }
        (self.thinks, self.has_thought, self.pause_end_ns) = (false, true, None);
        Turn::Io
    }

    /// Returns the direction of an I/O that was drawn to go in direction `drawn`. If the rate holds
    /// that back, a mixed job may go the other way instead, as in fio.
    ///
    /// Returns the time to ask again, if the rate forbids any I/O now.
    pub(super) fn direction(
        &self,
        drawn: Direction,
        may_switch: bool,
        start_ns: u64,
        now_ns: u64,
    ) -> Result<Direction, u64> {
        let due_ns = |direction| self.due_ns(direction, start_ns).unwrap_or(0);
        let other = match drawn {
            Direction::Read => Direction::Write,
            Direction::Write => Direction::Read,
            Direction::Trim => Direction::Trim,
        };
        if due_ns(drawn) <= now_ns {
            Ok(drawn)
        } else if !may_switch {
            Err(due_ns(drawn))
        } else if due_ns(other) <= now_ns {
            Ok(other)
        } else {
            Err(due_ns(drawn).min(due_ns(other)))
        }
    }

    /// Returns when the next I/O of a direction is due, by a clock that began at `start_ns`; `None`
    /// if it has no rate.
    pub(super) fn due_ns(&self, direction: Direction, start_ns: u64) -> Option<u64> {
        self.arrivals.due_ns(direction, start_ns)
    }

    /// Returns the due times of the I/Os to come.
    pub(super) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Restarts the clock from which rates count.
    pub(super) fn start_anew(&mut self) {
        self.arrivals.start_anew();
    }

    /// Counts an I/O that was issued.
    pub(super) fn count(&mut self, direction: Direction, bytes: u32) {
        self.arrivals.count(direction, bytes);
        self.issued += 1;
        self.has_thought = false;
        self.unflushed += u64::from(direction == Direction::Write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fio_job::number::NS_PER_SECOND;
    use fio_job::parse;

    fn pacer(options: &str) -> Pacer {
        let line = std::format!("rw=rw filename=xvda iodepth=8 {options}");
        Pacer::new(&parse(&line).expect(&line)[0], 1)
    }

    #[test]
    fn a_rate_spreads_ios_and_catches_up() {
        let mut pacer = pacer("rate=4k");
        let at = |pacer: &Pacer, now_ns| pacer.direction(Direction::Read, false, 100, now_ns);
        assert_eq!(at(&pacer, 100), Ok(Direction::Read));
        pacer.count(Direction::Read, 8192);
        assert_eq!(at(&pacer, 200), Err(100 + 2 * NS_PER_SECOND));
        let late_ns = 100 + 10 * NS_PER_SECOND;
        for _ in 0..4 {
            assert_eq!(at(&pacer, late_ns), Ok(Direction::Read));
            pacer.count(Direction::Read, 8192);
        }
        assert_eq!(at(&pacer, late_ns - 1), Err(late_ns));
        pacer.start_anew();
        assert_eq!(at(&pacer, 100), Ok(Direction::Read));
    }

    #[test]
    fn a_mixed_job_goes_the_way_that_is_due() {
        let mut pacer = pacer("rate_iops=1,10");
        pacer.count(Direction::Read, 512);
        let at = |pacer: &Pacer, switch| pacer.direction(Direction::Read, switch, 0, 50);
        assert_eq!(at(&pacer, true), Ok(Direction::Write));
        assert_eq!(at(&pacer, false), Err(NS_PER_SECOND));
        pacer.count(Direction::Write, 512);
        assert_eq!(at(&pacer, true), Err(NS_PER_SECOND / 10));
        let only_writes = super::tests::pacer("rate_iops=,10");
        assert_eq!(at(&only_writes, false), Ok(Direction::Read));
    }

    #[test]
    fn a_pause_begins_when_all_is_done() {
        let mut pacer = pacer("thinktime=5 thinktime_blocks=2");
        for _ in 0..2 {
            assert_eq!(pacer.turn(0, 0), Turn::Io);
            pacer.count(Direction::Write, 512);
        }
        assert_eq!(pacer.turn(10, 1), Turn::Io);
        pacer.count(Direction::Write, 512);
        assert_eq!(pacer.turn(10, 1), Turn::Completion);
        assert_eq!(pacer.turn(1_000, 0), Turn::Until(6_000));
        assert_eq!(pacer.turn(5_999, 0), Turn::Until(6_000));
        assert_eq!(pacer.turn(6_000, 0), Turn::Io);
        // The third counts for the next pause.
        pacer.count(Direction::Write, 512);
        assert_eq!(pacer.turn(7_000, 0), Turn::Until(12_000));
    }

    #[test]
    fn a_pause_may_count_what_is_issued() {
        let mut pacer = pacer("thinktime=5 thinktime_blocks=2 thinktime_blocks_type=issue");
        for _ in 0..2 {
            assert_eq!(pacer.turn(0, 1), Turn::Io);
            pacer.count(Direction::Read, 512);
        }
        assert_eq!(pacer.turn(10, 2), Turn::Completion);
        assert_eq!(pacer.turn(1_000, 0), Turn::Until(6_000));
        assert_eq!(pacer.turn(6_000, 0), Turn::Io);
    }

    #[test]
    fn a_pause_may_follow_a_time_of_ios() {
        const MS: u64 = 1_000_000;
        for (options, first_ns) in [("", 15 * MS), ("thinktime_blocks=2", 2 * MS)] {
            let options = std::format!("thinktime=5000 thinktime_iotime=10ms {options}");
            let mut pacer = pacer(&options);
            let mut now_ns = 0;
            while pacer.turn(now_ns, 0) == Turn::Io {
                pacer.count(Direction::Read, 512);
                now_ns += MS;
            }
            assert_eq!(now_ns, first_ns, "{options}");
            now_ns += 5 * MS;
            assert_eq!(pacer.turn(now_ns, 0), Turn::Io);
        }
        // From the end of a pause to the next it is the time alone.
        let mut pacer = pacer("thinktime=5000 thinktime_iotime=10ms");
        let mut pauses = 0..3;
        let (mut now_ns, mut ends_ns) = (0, 5 * MS);
        while !pauses.is_empty() {
            match pacer.turn(now_ns, 0) {
                Turn::Until(end_ns) => {
                    assert_eq!(now_ns - ends_ns, 10 * MS);
                    pauses.next();
                    (now_ns, ends_ns) = (end_ns, end_ns);
                }
                turn => assert_eq!(turn, Turn::Io),
            }
            pacer.count(Direction::Read, 512);
            now_ns += MS;
        }
    }

    #[test]
    fn writes_are_flushed_and_reads_do_not_count() {
        let mut pacer = pacer("fsync=2");
        for direction in [Direction::Write, Direction::Read, Direction::Write] {
            assert_eq!(pacer.turn(0, 3), Turn::Io);
            pacer.count(direction, 512);
        }
        assert_eq!([(); 2].map(|()| pacer.turn(0, 3)), [Turn::Flush, Turn::Io]);
    }
}
