//! Sums over the guests of a fleet: of each job and direction, and what they are sums of.

use std::collections::BTreeMap;

use results::{Basis, FleetSum, JobReport, Rate, Report, Side};

use super::log::{Wish, add, rate_within};
use super::window::{Overlap, Window};

/// Least share of the time in which all guests measured, in per cent, for their rates to be of one
/// time.
const WHOLE_PERCENT: f64 = 99.0;

/// A sum, and the guests that it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// The sum.
    pub figures: FleetSum,
    /// Number of guests that it was to be of.
    pub wanted: u32,
    /// Part of each guest, in their order.
    pub parts: Vec<Part>,
}

/// Part of a guest in a sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Name of the guest.
    pub guest: String,
    /// Its rate, of the time that the sum is of.
    pub rate: Rate,
    /// Mean latency in nanoseconds, over all of its own time.
    pub mean_ns: f64,
    /// Latency that 99 % of its I/Os did not exceed in nanoseconds, if its result tells.
    pub p99_ns: Option<u64>,
}

/// Knowledge of the times in which guests measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Logs that the guests kept.
    pub logs: Option<Wish>,
    /// Nanoseconds by which the times of two guests may be further apart than they seem.
    pub unsure_ns: u64,
}

/// A job of a guest, in one direction.
#[derive(Clone, Copy)]
struct Piece<'a> {
    guest: &'a str,
    job: &'a JobReport,
    side: &'a Side,
}

impl<'a> Piece<'a> {
    fn of(guest: &'a str, job: &'a JobReport, direction: &str) -> Option<Self> {
        let (_, side) = job.sides().into_iter().find(|(name, _)| *name == direction)?;
        Some(Self { guest, job, side })
    }
}

/// Returns the sums of these reports of so many guests, which are of the same jobs, each with the
/// name of its guest.
pub fn sums(reports: &[(&str, &Report)], wanted: u32, times: Times) -> Vec<Sum> {
    let most = reports.iter().map(|(_, report)| report.jobs.len()).max().unwrap_or(0);
    let mut sums = Vec::new();
    for job in 0..most {
        let jobs: Vec<(&str, &JobReport)> = reports
            .iter()
            .filter_map(|(guest, report)| Some((*guest, report.jobs.get(job)?)))
            .collect();
        for direction in ["read", "write", "trim"] {
            let pieces: Vec<Piece<'_>> =
                jobs.iter().filter_map(|(guest, job)| Piece::of(guest, job, direction)).collect();
            if pieces.iter().any(|piece| piece.side.total_ios != 0) {
                sums.push(sum(direction, &pieces, wanted, times));
            }
        }
    }
    sums
}

fn sum(direction: &str, pieces: &[Piece<'_>], wanted: u32, times: Times) -> Sum {
    let windows: Option<Vec<Window>> = pieces.iter().map(|piece| Window::of(piece.job)).collect();
    let overlap = windows.and_then(|windows| Overlap::of(&windows, times.unsure_ns));
    let (basis, rates) = rates(direction, pieces, overlap, times.logs);
    let by_iops = |one: &&Rate, other: &&Rate| one.iops.total_cmp(&other.iops);
    let iops: Vec<f64> = rates.iter().map(|rate| rate.iops).collect();
    let counts = pieces.iter().map(|piece| (piece.side.lat_ns.mean, piece.side.lat_ns.count));
    let figures = FleetSum {
        jobname: pieces.first().map(|piece| piece.job.jobname.clone()).unwrap_or_default(),
        direction: direction.to_owned(),
        system: None,
        guests: u32::try_from(pieces.len()).unwrap_or(u32::MAX),
        basis,
        sum: rates.iter().copied().fold(Rate::default(), add),
        least: rates.iter().min_by(by_iops).copied().unwrap_or_default(),
        greatest: rates.iter().max_by(by_iops).copied().unwrap_or_default(),
        fairness: fairness(&iops),
        overlap_percent: overlap.map(|overlap| overlap.percent),
        start_spread_ns: overlap.map(|overlap| overlap.start_spread_ns),
        mean_ns: weighted_mean(counts),
        p99_ns: percentile_of_all(pieces, 99),
    };
    let part = |(piece, rate): (&Piece<'_>, &Rate)| Part {
        guest: piece.guest.to_owned(),
        rate: *rate,
        mean_ns: piece.side.lat_ns.mean,
        p99_ns: piece.side.clat_ns.percentile_ns(99.0),
    };
    Sum { wanted, figures, parts: pieces.iter().zip(&rates).map(part).collect() }
}

/// Returns the rate of each guest, and the time that they are of.
fn rates(
    direction: &str,
    pieces: &[Piece<'_>],
    overlap: Option<Overlap>,
    logs: Option<Wish>,
) -> (Basis, Vec<Rate>) {
    // What a guest says may be any number.
    let own = |piece: &Piece<'_>| Rate {
        iops: piece.side.iops.max(0.0),
        bw_bytes: piece.side.bw_bytes as f64,
    };
    let own = || pieces.iter().map(own).collect();
    let Some(Overlap { common: Some(common), percent, .. }) = overlap else {
        return (Basis::Each, own());
    };
    if percent >= WHOLE_PERCENT {
        return (Basis::Whole, own());
    }
    // Less than a sample is no rate.
    let sample_ns = logs.map(Wish::sample_ns).filter(|sample_ns| common.ns() >= *sample_ns);
    let within = |piece: &Piece<'_>| rate_within(piece.job, direction, common, sample_ns?);
    match pieces.iter().map(within).collect() {
        Some(rates) => (Basis::Overlap, rates),
        None => (Basis::Each, own()),
    }
}

/// Returns Jain's index of fairness: (sum of x)^2 / (n * sum of x^2). It is 1 if all have the same,
/// which all have that have nothing, and 1 / n if one has all.
fn fairness(shares: &[f64]) -> f64 {
    // Of the greatest, so that no square is beyond what a float holds.
    let greatest = shares.iter().copied().fold(0.0, f64::max);
    let shares = || shares.iter().map(|share| share / greatest);
    let (sum, squares): (f64, f64) = (shares().sum(), shares().map(|share| share * share).sum());
    if greatest > 0.0 { sum * sum / (shares().count() as f64 * squares) } else { 1.0 }
}

/// Returns the mean of all values of which these are means and counts.
fn weighted_mean(means: impl Iterator<Item = (f64, u64)> + Clone) -> f64 {
    let count: f64 = means.clone().map(|(_, count)| count as f64).sum();
    let sum: f64 = means.map(|(mean, count)| mean * count as f64).sum();
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Returns the latency that so many per cent of the I/Os of all did not exceed, from their bins;
/// `None` if one has I/Os and no bins.
fn percentile_of_all(pieces: &[Piece<'_>], percent: u128) -> Option<u64> {
    let mut bins: BTreeMap<u64, u128> = BTreeMap::new();
    for side in pieces.iter().map(|piece| piece.side).filter(|side| side.clat_ns.count != 0) {
        if side.clat_ns.bins.is_empty() {
            return None;
        }
        for &(ns, count) in side.clat_ns.bins.iter() {
            *bins.entry(ns).or_default() += u128::from(count);
        }
    }
    let all: u128 = bins.values().sum();
    let rank = (all * percent).div_ceil(100);
    let mut below = 0;
    bins.into_iter().find_map(|(ns, count)| {
        below += count;
        (below >= rank && below != 0).then_some(ns)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use results::{Extra, JobLog, Latency, Log, Sample};
    use std::path::Path;

    const S: u64 = 1_000_000_000;

    /// A guest that read at this rate, from and to these seconds, and has a log of that.
    fn guest(iops: f64, begin_s: u64, end_s: u64) -> Report {
        let mut report = sample("a", Some("persistent"), iops);
        let sample = |n: u64| Sample::from([n * 500, iops as u64 * 4, iops as u64, 0]);
        let samples = (1..=(end_s - begin_s) * 2).map(sample).collect();
        let read = Log { samples, dropped: 0 };
        report.jobs[0].ringmark = Some(Extra {
            members: 1,
            begin_ns: Some(begin_s * S),
            end_ns: Some(end_s * S),
            logs: vec![JobLog { read, write: Log::default() }],
            ..Extra::default()
        });
        report
    }

    fn times() -> Times {
        let plan = crate::plan::Plan::of_file(Path::new("x"), "[a]\nruntime=9\n").unwrap();
        Times { logs: Wish::of(&plan), unsure_ns: 0 }
    }

    fn sum_of(guests: &[Report]) -> Sum {
        let names = ["g-1", "g-2", "g-3"];
        let reports: Vec<(&str, &Report)> = names.into_iter().zip(guests).collect();
        let mut sums = sums(&reports, 3, times());
        assert_eq!(sums.len(), 1);
        sums.remove(0)
    }

    #[test]
    fn fairness_is_jains() {
        for (shares, expected) in [
            (&[5.0][..], 1.0),
            (&[2.0, 2.0, 2.0], 1.0),
            (&[1.0, 0.0, 0.0, 0.0], 0.25),
            (&[1.0, 3.0], 0.8),
            (&[0.0, 0.0], 1.0),
            (&[1e300, 3e300], 0.8),
            (&[], 1.0),
        ] {
            assert!((fairness(shares) - expected).abs() < 1e-12, "{shares:?}");
        }
    }

    #[test]
    fn rates_of_one_time_are_added() {
        let Sum { figures, parts, .. } = sum_of(&[guest(100.0, 10, 110), guest(300.0, 11, 110)]);
        assert_eq!(figures.basis, Basis::Whole);
        assert_eq!((figures.sum.iops, figures.sum.bw_bytes), (400.0, 400.0 * 4096.0));
        assert_eq!((figures.least.iops, figures.greatest.iops), (100.0, 300.0));
        assert_eq!(figures.guests, 2);
        assert!((figures.fairness - 0.8).abs() < 1e-12);
        assert_eq!(figures.overlap_percent, Some(99.0));
        assert_eq!(figures.start_spread_ns, Some(S));
        assert_eq!((figures.jobname.as_str(), figures.direction.as_str()), ("a", "read"));
        assert_eq!((parts[1].guest.as_str(), parts[1].rate.iops), ("g-2", 300.0));
    }

    #[test]
    fn times_that_are_not_sure_are_not_claimed_to_be_one() {
        let guests = [guest(100.0, 10, 110), guest(300.0, 10, 110)];
        let reports = [("a/g-1", &guests[0]), ("b/g-2", &guests[1])];
        let basis = |unsure_ns| {
            let figures = &sums(&reports, 2, Times { unsure_ns, ..times() })[0].figures;
            (figures.basis, figures.overlap_percent)
        };
        assert_eq!(basis(S), (Basis::Whole, Some(99.0)));
        assert_eq!(basis(2 * S), (Basis::Overlap, Some(98.0)));
        assert_eq!(basis(100 * S), (Basis::Each, Some(0.0)));
    }

    #[test]
    fn rates_of_other_times_are_those_of_the_time_of_all() {
        let mut second = guest(300.0, 12, 18);
        // It slowed down when the first had ended.
        let log = &mut second.jobs[0].ringmark.as_mut().unwrap().logs[0].read;
        log.samples
            .iter_mut()
            .skip(8)
            .for_each(|sample| *sample = Sample::from([sample.end_ms, 4, 1, 0]));
        let figures = sum_of(&[guest(100.0, 10, 16), second]).figures;
        assert_eq!((figures.basis, figures.overlap_percent), (Basis::Overlap, Some(50.0)));
        assert_eq!((figures.sum.iops, figures.greatest.iops), (400.0, 300.0));
    }

    #[test]
    fn a_sum_of_several_times_says_so() {
        let mut no_log = guest(300.0, 12, 18);
        no_log.jobs[0].ringmark.as_mut().unwrap().logs.clear();
        let mut no_window = guest(300.0, 10, 16);
        no_window.jobs[0].ringmark.as_mut().unwrap().end_ns = None;
        for (second, percent) in
            [(no_log, Some(50.0)), (no_window, None), (guest(300.0, 16, 22), Some(0.0))]
        {
            let figures = sum_of(&[guest(100.0, 10, 16), second]).figures;
            assert_eq!((figures.basis, figures.overlap_percent), (Basis::Each, percent));
            assert_eq!(figures.sum.iops, 400.0);
        }
        // Less than a sample: 0.4 s of 12.
        let mut short = guest(300.0, 15, 21);
        short.jobs[0].ringmark.as_mut().unwrap().begin_ns = Some(15 * S + 3 * S / 5);
        assert_eq!(sum_of(&[guest(100.0, 10, 16), short]).figures.basis, Basis::Each);
    }

    #[test]
    fn latencies_are_of_all_ios() {
        let mut guests = [guest(100.0, 10, 20), guest(100.0, 10, 20)];
        let latency = |mean, bins: &[(u64, u64)]| {
            let count = bins.iter().map(|(_, count)| count).sum();
            Latency { mean, count, bins: bins.iter().copied().collect(), ..Latency::default() }
        };
        for (guest, latency) in guests
            .iter_mut()
            .zip([latency(10.0, &[(10, 98)]), latency(100.0, &[(10, 100), (900, 2)])])
        {
            (guest.jobs[0].read.lat_ns, guest.jobs[0].read.clat_ns) = (latency.clone(), latency);
        }
        let figures = sum_of(&guests).figures;
        assert_eq!((figures.mean_ns, figures.p99_ns), ((980.0 + 10_200.0) / 200.0, Some(10)));
        guests[0].jobs[0].read.clat_ns.bins.0[0].1 = 90;
        guests[0].jobs[0].read.clat_ns.bins.0.push((950, 8));
        assert_eq!(sum_of(&guests).figures.p99_ns, Some(950));
        guests[0].jobs[0].read.clat_ns.bins.0.clear();
        assert_eq!(sum_of(&guests).figures.p99_ns, None);
    }

    #[test]
    fn a_guest_that_ended_early_is_not_in_later_sums() {
        let mut first = guest(100.0, 10, 20);
        first.jobs.push(guest(7.0, 20, 30).jobs.remove(0));
        let second = guest(300.0, 10, 20);
        let sums = sums(&[("g-1", &first), ("g-2", &second)], 2, times());
        let found: Vec<_> = sums.iter().map(|s| (s.figures.guests, s.figures.sum.iops)).collect();
        assert_eq!(found, [(2, 400.0), (1, 7.0)]);
    }
}
