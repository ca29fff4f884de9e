//! Times at which the I/Os of a job are due by its rate: at even intervals, or at exponential ones
//! (`rate_process=`), for each direction.
//!
//! After an I/O comes a gap of its amount, one or its bytes, over the rate: exactly, or on average.
//! Exponential gaps make a Poisson process, and so there is one before the first I/O, too.

use fio_job::number::NS_PER_SECOND;
use fio_job::{Direction, Job, RateProcess};

use super::time::NEVER;
use crate::pattern::rng::Xoshiro;

/// Bits of the fraction of an amount.
const FRACTION_BITS: u32 = 32;
/// Seed of the gaps, mixed into that of the job so that they do not follow its blocks.
const SEED: u64 = u64::from_be_bytes(*b"arrivals");
/// Most gaps that are drawn to count a backlog; those behind are of the mean.
const DRAWS_MAX: u64 = 1 << 17;

/// Due times of a job's I/Os, by direction.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Whether amounts are I/Os rather than bytes.
    in_ios: bool,
    /// Directions, if they have a rate.
    sequences: [Option<Sequence>; 3],
}

/// Due times in one direction.
#[derive(Clone, Debug)]
struct Sequence {
    /// Amount per second, at least 1.
    rate: u64,
    /// Mean amount of an I/O, at least 1.
    mean: u64,
    /// Generator of random gaps; `None` if they are even.
    gaps: Option<Xoshiro>,
    /// Amount due before the next I/O, with [`FRACTION_BITS`].
    before: u128,
    /// Time from the start to the next I/O, in nanoseconds.
    next_ns: u64,
}

impl Arrivals {
    /// Returns the due times of a job with this seed.
    pub(super) fn new(job: &Job, seed: u64) -> Self {
        let mut seeds = Xoshiro::new(seed ^ SEED);
        let sequences = Direction::ALL.map(|direction| {
            let seed = seeds.next_u64();
            let rate = job.pace.rate?;
            let gaps = match job.pace.process {
                RateProcess::Linear => None,
                RateProcess::Poisson => Some(Xoshiro::new(seed)),
            };
            let mean = if rate.in_ios { 1 } else { mean_bytes(job, direction) };
            let (rate, before, next_ns) = (rate.of(direction)?, 0, 0);
            let mut sequence = Sequence { rate, mean, gaps, before, next_ns };
            sequence.start_anew();
            Some(sequence)
        });
        Self { in_ios: job.pace.rate.is_some_and(|rate| rate.in_ios), sequences }
    }

    fn of(&self, direction: Direction) -> Option<&Sequence> {
        self.sequences.get(direction as usize)?.as_ref()
    }

    /// Returns when the next I/O of a direction is due, by a clock that began at `start_ns`; `None`
    /// if it has no rate.
    pub(super) fn due_ns(&self, direction: Direction, start_ns: u64) -> Option<u64> {
        Some(start_ns.saturating_add(self.of(direction)?.next_ns))
    }

    /// Counts an I/O that was put; the next one of its direction is due a gap later.
    pub(super) fn count(&mut self, direction: Direction, bytes: u32) {
        let amount = if self.in_ios { 1 } else { u64::from(bytes) };
        if let Some(Some(sequence)) = self.sequences.get_mut(direction as usize) {
            sequence.advance(amount);
        }
    }

    /// Restarts the clock by which they are due.
    pub(super) fn start_anew(&mut self) {
        self.sequences.iter_mut().flatten().for_each(Sequence::start_anew);
    }

    /// Returns the number of I/Os of a direction that were not put and are due before the clock,
    /// which began at `start_ns`, shows `end_ns`. Those of different sizes count as many of the
    /// mean size.
    pub(super) fn backlog(&self, direction: Direction, start_ns: u64, end_ns: u64) -> u64 {
        let sequence = self.of(direction).cloned();
        sequence.map_or(0, |sequence| sequence.due_within(end_ns.saturating_sub(start_ns)))
    }
}

impl Sequence {
    fn start_anew(&mut self) {
        (self.before, self.next_ns) = (0, 0);
        if self.gaps.is_some() {
            self.advance(self.mean);
        }
    }

    fn advance(&mut self, amount: u64) {
        let one = (1_u64 << FRACTION_BITS) as f64;
        let weight = match &mut self.gaps {
            None => 1 << FRACTION_BITS,
            Some(gaps) => (gaps.next_exponential() * one + 0.5) as u64,
        };
        self.before = self.before.saturating_add(u128::from(weight) * u128::from(amount));
        let ns = self.before.saturating_mul(NS_PER_SECOND.into()) / u128::from(self.rate);
        self.next_ns = u64::try_from(ns >> FRACTION_BITS).unwrap_or(NEVER);
    }

    /// Returns the number of I/Os due before this time from the start.
    fn due_within(mut self, within_ns: u64) -> u64 {
        let mut drawn = 0;
        while self.gaps.is_some() && self.next_ns < within_ns && drawn < DRAWS_MAX {
            self.advance(self.mean);
            drawn += 1;
        }
        if self.next_ns >= within_ns {
            return drawn;
        }
        // Even gaps from here on.
        let amount = u128::from(within_ns) * u128::from(self.rate);
        let due = amount.div_ceil(NS_PER_SECOND.into());
        let left = due.saturating_sub(self.before >> FRACTION_BITS);
        let ios = left.div_ceil(self.mean.into());
        drawn.saturating_add(u64::try_from(ios).unwrap_or(u64::MAX))
    }
}

/// Returns the mean size of a job's I/Os in a direction, in bytes.
fn mean_bytes(job: &Job, direction: Direction) -> u64 {
    let mix = job.bs_mix.as_ref();
    mix.map_or(job.bs_bytes.into(), |mix| mix.of(direction, job.rw.is_random()).mean_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const S: u64 = NS_PER_SECOND;

    fn arrivals(options: &str, seed: u64) -> Arrivals {
        let line = std::format!("rw=rw filename=xvda {options}");
        Arrivals::new(&fio_job::parse(&line).expect(&line)[0], seed)
    }

    /// Takes so many due times of I/Os of 4 KiB.
    fn times(arrivals: &mut Arrivals, direction: Direction, count: usize) -> Vec<u64> {
        let mut next = || {
            let due_ns = arrivals.due_ns(direction, 0).expect("a rate");
            arrivals.count(direction, 4096);
            due_ns
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn even_gaps_are_exact() {
        let mut linear = arrivals("rate_iops=3,7", 1);
        assert_eq!(times(&mut linear, Direction::Read, 4), [0, S / 3, 2 * S / 3, S]);
        assert_eq!(times(&mut linear, Direction::Write, 3), [0, S / 7, 2 * S / 7]);
        assert_eq!(times(&mut linear, Direction::Trim, 3), [0, S / 7, 2 * S / 7]);
        assert_eq!(arrivals("rate_iops=3,7,", 1).due_ns(Direction::Trim, 0), None);
        assert_eq!(linear.due_ns(Direction::Read, 5), Some(5 + 4 * S / 3));
        linear.start_anew();
        assert_eq!(linear.due_ns(Direction::Read, 5), Some(5));
        let mut bytes = arrivals("rate=8k,", 1);
        assert_eq!(times(&mut bytes, Direction::Read, 3), [0, S / 2, S]);
        assert_eq!(bytes.due_ns(Direction::Write, 0), None);
    }

    #[test]
    fn exponential_gaps_have_their_mean_and_no_memory() {
        for (options, mean_ns) in [("rate_iops=1000", S / 1000), ("rate=400k", S / 100)] {
            let mut poisson = arrivals(&std::format!("{options} rate_process=poisson"), 5);
            let count = 100_000;
            let times = times(&mut poisson, Direction::Read, count);
            let gaps: Vec<f64> = core::iter::once(&0)
                .chain(&times)
                .zip(&times)
                .map(|(one, next)| (next - one) as f64 / mean_ns as f64)
                .collect();
            let mean = gaps.iter().sum::<f64>() / count as f64;
            let square = gaps.iter().map(|gap| gap * gap).sum::<f64>() / count as f64;
            let pairs = gaps.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / count as f64;
            // Four standard errors: 1, sqrt(20) and sqrt(3) times the root of 100,000.
            assert!((mean - 1.0).abs() < 4.0 * 0.003_16, "{options}: {mean}");
            assert!((square - 2.0).abs() < 4.0 * 0.014_1, "{options}: {square}");
            assert!((pairs - 1.0).abs() < 4.0 * 0.009, "{options}: {pairs}");
        }
    }

    #[test]
    fn gaps_are_those_of_the_seed_and_the_direction() {
        let of = |seed, direction| {
            times(&mut arrivals("rate_iops=100 rate_process=poisson", seed), direction, 50)
        };
        let (read, write) = (Direction::Read, Direction::Write);
        assert_eq!(of(3, read), of(3, read));
        let all = [of(3, read), of(4, read), of(3, write), of(4, write)];
        for (number, one) in all.iter().enumerate() {
            assert!(one[0] != 0 && all[..number].iter().all(|other| other != one));
        }
        let mut anew = arrivals("rate_iops=100 rate_process=poisson", 3);
        let before = times(&mut anew, read, 50);
        anew.start_anew();
        let after = times(&mut anew, read, 50);
        assert!(after[0] < before[49] && after != before, "it goes on with other gaps");
    }

    #[test]
    fn a_backlog_is_what_would_have_been_due() {
        for options in [
            "rate_iops=7",
            "rate_iops=1000",
            "rate=100k",
            "rate_iops=1000 rate_process=poisson",
            "rate=100k rate_process=poisson",
        ] {
            for (put, end_ns) in [(0, 3 * S), (5, 3 * S), (5, 3 * S + 1), (9, 0), (9, 1), (3, S)] {
                let mut all = arrivals(options, 9);
                times(&mut all, Direction::Read, put);
                let found = all.backlog(Direction::Read, 100, 100 + end_ns);
                let rest = times(&mut all, Direction::Read, 4000);
                let due = rest.iter().filter(|&&due_ns| due_ns < end_ns).count();
                assert_eq!(found, due as u64, "{options}, {put}, {end_ns}");
            }
        }
        assert_eq!(arrivals("rate_iops=7,", 9).backlog(Direction::Write, 0, S), 0);
    }

    #[test]
    fn sizes_count_by_their_mean() {
        let mixed = arrivals("rate=100k bssplit=4k/50:12k/50 rw=randread norandommap", 9);
        assert_eq!(mixed.backlog(Direction::Read, 0, 8 * S), 100);
    }

    #[test]
    fn absurd_rates_have_an_end() {
        for options in ["rate_iops=18446744073709551615", "rate=18446744073709551615"] {
            for process in ["linear", "poisson"] {
                let all = arrivals(&std::format!("{options} rate_process={process}"), 1);
                let day = all.backlog(Direction::Read, 0, 86_400 * S);
                assert!(day > u64::MAX / 8192, "{options}: {day}");
            }
        }
        let mut slow = arrivals("rate=1 rate_process=poisson", 1);
        (0..1000).for_each(|_| slow.count(Direction::Read, u32::MAX));
        assert_eq!(slow.due_ns(Direction::Read, 0), Some(NEVER));
        assert_eq!(slow.backlog(Direction::Read, 0, NEVER), 0);
    }
}
