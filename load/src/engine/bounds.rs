//! Bounds that end a job with an error: least rates, judged as fio does (fio 3.33: backend.c,
//! `__check_min_rate`), and longest latencies.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use fio_job::number::{Bytes, NS_PER_SECOND, Time};
use fio_job::{Bounds, Direction, Job};

use super::outcome::Moved;

/// Time after a job's begin in which no rate is judged, in nanoseconds.
const SETTLE_NS: u64 = 2 * NS_PER_SECOND;
const NS_PER_MS: u64 = 1_000_000;

/// Bounds of a job that is under way.
#[derive(Debug)]
pub(super) struct Judge {
    bounds: Box<Bounds>,
    /// Work that each direction had done when it was judged last, once it was.
    marks: [Option<Mark>; 3],
    /// I/Os of all directions when they were looked at last.
    ios: u64,
}

/// Work that a direction had done at some time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Milliseconds since the begin.
    ms: u64,
    moved: Moved,
}

impl Judge {
    /// Returns the judge of a job; `None` if that has no bounds.
    pub(super) fn of(job: &Job) -> Option<Box<Self>> {
        let bounds = job.pace.bounds.clone()?;
        Some(Box::new(Self { bounds, marks: [None; 3], ios: 0 }))
    }

    /// Forgets what was done so far, as its counts do.
    pub(super) fn start_anew(&mut self) {
        (self.marks, self.ios) = ([None; 3], 0);
    }

    /// Judges the rates of a job that has `moved` so much, by direction, since it began `ns` ago.
    /// As in fio, each is that of the time since it was judged before, as soon as an I/O ends after
    /// a cycle of that. Returns what is wrong.
    pub(super) fn rates(&mut self, ns: u64, moved: [Moved; 3]) -> Option<String> {
        let least = self.bounds.least?;
        let ios = moved.iter().map(|moved| moved.ios).sum();
        if core::mem::replace(&mut self.ios, ios) == ios || ns < SETTLE_NS {
            return None;
        }
        let now = |moved| Mark { ms: ns / NS_PER_MS, moved };
        let mut wrong = None;
        for (direction, (mark, moved)) in
            Direction::ALL.into_iter().zip(self.marks.iter_mut().zip(moved))
        {
            let Some(limit) = least.of(direction).filter(|_| moved.bytes != 0) else { continue };
            let now = now(moved);
            let Some(before) = *mark else {
                *mark = Some(now);
                continue;
            };
            let ms = now.ms.saturating_sub(before.ms);
            if ms < self.bounds.cycle_ns / NS_PER_MS {
                continue;
            }
            *mark = Some(now);
            let amount = match least.in_ios {
                true => moved.ios.saturating_sub(before.moved.ios),
                false => moved.bytes.saturating_sub(before.moved.bytes),
            };
            let found = u128::from(amount) * 1_000 / u128::from(ms.max(1));
            if found < u128::from(limit) {
                let found = u64::try_from(found).unwrap_or(u64::MAX);
                wrong = wrong.or_else(|| Some(too_slow(direction, least.in_ios, found, limit)));
            }
        }
        wrong
    }

    /// Judges the latency of an I/O; returns what is wrong.
    pub(super) fn latency(&self, direction: Direction, latency_ns: u64) -> Option<String> {
        let longest_ns = self.bounds.longest_ns[direction as usize]?;
        let is_wrong = latency_ns > longest_ns;
        let max = Time { ns: longest_ns };
        is_wrong.then(|| format!("latency of {latency_ns} ns is more than max_latency={max}"))
    }
}

fn too_slow(direction: Direction, in_ios: bool, found: u64, limit: u64) -> String {
    let (many, done) = match direction {
        Direction::Read => ("reads", "read"),
        Direction::Write => ("writes", "written"),
        Direction::Trim => ("trims", "trimmed"),
    };
    match in_ios {
        true => format!("{found} {many} per second are less than rate_iops_min={limit}"),
        false => format!("{found} bytes {done} per second are less than rate_min={}", Bytes(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = NS_PER_SECOND;

    fn judge(options: &str) -> Box<Judge> {
        let line = format!("rw=randrw filename=xvda {options}");
        Judge::of(&fio_job::parse(&line).expect(&line)[0]).expect("bounds")
    }

    /// Reads and writes of 4 KiB.
    fn done(reads: u64, writes: u64) -> [Moved; 3] {
        [reads, writes, 0].map(|ios| Moved { ios, bytes: ios * 4096 })
    }

    #[test]
    fn a_rate_is_that_of_the_time_since_it_was_judged_before() {
        let mut one = judge("rate_iops_min=100,");
        // Slow at first, which nobody looks at.
        assert_eq!(one.rates(2 * S - 1, done(1, 0)), None);
        assert_eq!(one.rates(2 * S, done(2, 0)), None);
        assert_eq!(one.rates(3 * S - 1, done(3, 0)), None, "less than a cycle");
        assert_eq!(one.rates(3 * S, done(102, 0)), None, "as much as it must be");
        assert_eq!(one.rates(4 * S, done(102, 0)), None, "nothing has ended");
        let why = one.rates(4 * S + S / 2, done(251, 0)).expect("too slow");
        assert_eq!(why, "99 reads per second are less than rate_iops_min=100");
        let mut one = judge("rate_iops_min=100,");
        one.rates(2 * S, done(2, 0));
        assert_eq!(one.rates(3 * S, done(150, 0)), None);
        one.start_anew();
        assert_eq!(one.rates(2 * S, done(5, 0)), None);
        assert_eq!(one.rates(3 * S, done(105, 0)), None, "it counts anew");
    }

    #[test]
    fn directions_are_judged_by_themselves() {
        let mut one = judge("rate_min=,40k rate_cycle=100");
        assert_eq!(one.rates(2 * S, done(5, 0)), None);
        assert_eq!(one.rates(3 * S, done(5, 1)), None, "the first time that there are writes");
        assert_eq!(one.rates(3 * S + S / 10, done(5, 2)), None);
        let why = one.rates(3 * S + 9 * S / 10, done(900, 4)).expect("too slow");
        assert_eq!(why, "10240 bytes written per second are less than rate_min=40k");
    }

    #[test]
    fn latencies_have_a_bound_of_their_direction() {
        let one = judge("max_latency=1ms,2ms,");
        assert_eq!(one.latency(Direction::Read, 1_000_000), None);
        assert_eq!(one.latency(Direction::Write, 2_000_000), None);
        assert_eq!(one.latency(Direction::Trim, u64::MAX), None);
        let why = one.latency(Direction::Read, 1_000_001).expect("too long");
        assert_eq!(why, "latency of 1000001 ns is more than max_latency=1ms");
    }

    #[test]
    fn absurd_numbers_do_no_harm() {
        let mut one = judge("rate_min=18446744073709551615 rate_cycle=0");
        assert_eq!(one.rates(u64::MAX - 1, done(1, 1)), None);
        let moved = [Moved { ios: u64::MAX / 4, bytes: u64::MAX }; 3];
        assert!(one.rates(u64::MAX, moved).is_none(), "it took no time");
        assert!(one.rates(0, done(2, 2)).is_none());
    }
}
