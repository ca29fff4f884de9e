//! Equal jobs of one run, such as the clones of `numjobs=`: what they did together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::figures::{Doubts, Figures};

/// Options in which clones differ: their places, and that the first waits for the jobs before them.
const OWN: [&str; 2] = ["offset", "stonewall"];

/// Figures of a job of a run and of its clones.
#[derive(Debug)]
pub struct Sum<'a> {
    /// Name of the job.
    pub job: &'a str,
    /// `read`, `write` or `trim`.
    pub direction: &'static str,
    /// Number among the jobs of the run that have its name and direction and are no clones of each
    /// other, from 1.
    pub number: usize,
    /// Figures of all clones together.
    pub figures: Cow<'a, Figures>,
}

/// Returns the figures of a run, those of equal jobs that ran together as one: rates are added,
/// latencies are those of all I/Os. Without `uses_bins`, percentiles are the greatest of the
/// clones', even if all have bins.
pub fn sums<'a>(figures: &'a [Figures], uses_bins: bool) -> Vec<Sum<'a>> {
    let mut indexes = BTreeMap::new();
    let mut groups: Vec<(usize, Vec<&'a Figures>)> = Vec::new();
    let mut numbers: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in figures {
        let name = (one.job.as_str(), one.direction);
        let options = one.options.iter().filter(|(name, _)| !OWN.contains(&&***name));
        let key = (name, one.group, options.collect::<Vec<_>>());
        let index = *indexes.entry(key).or_insert_with(|| {
            let number = numbers.entry(name).or_default();
            *number += 1;
            groups.push((*number, Vec::new()));
            groups.len() - 1
        });
        groups.get_mut(index).into_iter().for_each(|(_, group)| group.push(one));
    }
    let sum = |(number, group): (usize, Vec<&'a Figures>)| {
        let first = *group.first()?;
        let figures = match group.len() {
            1 => Cow::Borrowed(first),
            _ => Cow::Owned(sum(first, &group, uses_bins)),
        };
        Some(Sum { job: &first.job, direction: first.direction, number, figures })
    };
    groups.into_iter().filter_map(sum).collect()
}

fn sum(first: &Figures, group: &[&Figures], uses_bins: bool) -> Figures {
    let total = |of: fn(&Figures) -> f64| group.iter().map(|one| of(one)).sum::<f64>();
    let iops = total(|one| one.iops);
    // Without a rate none has a weight.
    let means = group.iter().map(|one| Some((one.iops, one.mean_ns?)));
    let mean_ns = means.collect::<Option<Vec<_>>>().map(|means| match iops {
        0.0 => means.iter().map(|(_, ns)| ns).sum::<f64>() / group.len() as f64,
        iops => means.iter().map(|(weight, ns)| weight * ns).sum::<f64>() / iops,
    });
    let bins = if uses_bins { merged(group) } else { Vec::new() };
    let percentile = |&(percent, _): &(f64, f64)| {
        let mut values = group.iter().map(|one| one.percentile_ns(percent));
        let greatest = values.try_fold(0.0, |most: f64, ns| Some(most.max(ns?)))?;
        // Without bins: so many per cent of each job's, and so of all, did not exceed it.
        Some((percent, of_bins(&bins, percent).unwrap_or(greatest)))
    };
    let doubts = Doubts::of_each(group.iter().copied());
    Figures {
        iops,
        bytes_per_second: total(|one| one.bytes_per_second),
        mean_ns,
        percentiles: first.percentiles.iter().filter_map(percentile).collect(),
        members: group.iter().map(|one| one.members).sum(),
        kept: doubts.kept,
        stolen: doubts.stolen,
        flags: doubts.flags,
        due_p99_ns: group.iter().try_fold(0.0, |most: f64, one| Some(most.max(one.due_p99_ns?))),
        bins,
        ..first.clone()
    }
}

/// Returns the bins of all, ascending; none if one has none.
fn merged(group: &[&Figures]) -> Vec<(f64, u64)> {
    if group.iter().any(|one| one.bins.is_empty()) {
        return Vec::new();
    }
    let mut all: Vec<(f64, u64)> = group.iter().flat_map(|one| one.bins.iter().copied()).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    all.dedup_by(|next, last| {
        let is_same = next.0 == last.0;
        last.1 = if is_same { last.1.saturating_add(next.1) } else { last.1 };
        is_same
    });
    all
}

/// Returns the bin that so many per cent of the I/Os did not exceed.
fn of_bins(bins: &[(f64, u64)], percent: f64) -> Option<f64> {
    let count: f64 = bins.iter().map(|(_, count)| *count as f64).sum();
    let mut seen = 0.0;
    let reaches = |(_, here): &&(f64, u64)| {
        seen += *here as f64;
        seen >= count * percent / 100.0
    };
    bins.iter().find(reaches).map(|(ns, _)| *ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    /// A job with so many IOPS, all of whose I/Os took so long.
    fn job(iops: f64, ns: u64) -> Figures {
        let mut report = sample("a", Some("persistent"), iops);
        let read = &mut report.jobs[0].read;
        read.lat_ns.mean = ns as f64;
        read.clat_ns.bins = [(ns, iops as u64)].into_iter().collect();
        read.clat_ns.percentile = [("99.000000".to_owned(), ns)].into_iter().collect();
        Figures::of(&report).unwrap().remove(0)
    }

    #[test]
    fn rates_are_added_and_latencies_are_those_of_all() {
        let jobs = [job(300.0, 1_000), job(98.0, 2_000), job(2.0, 9_000)];
        let sums = sums(&jobs, true);
        let [Sum { number: 1, figures, .. }] = &sums[..] else { panic!("{sums:?}") };
        assert_eq!((figures.iops, figures.members), (400.0, 3));
        assert_eq!(figures.bytes_per_second, 400.0 * 4096.0);
        assert_eq!(figures.mean_ns, Some((300.0 + 2.0 * 98.0 + 9.0 * 2.0) * 1_000.0 / 400.0));
        let bare = Figures { mean_ns: None, ..job(1.0, 5) };
        let bare = [job(1.0, 5), bare];
        assert_eq!(super::sums(&bare, true)[0].figures.mean_ns, None);
        assert_eq!(figures.percentile_ns(99.0), Some(2_000.0));
        assert_eq!(figures.bins, [(1_000.0, 300), (2_000.0, 98), (9_000.0, 2)]);
    }

    #[test]
    fn without_bins_the_greatest_percentile_is_a_bound() {
        let lean = |iops, ns| Figures { bins: Vec::new(), ..job(iops, ns) };
        for second in [lean(1.0, 9_000), job(1.0, 9_000)] {
            let jobs = [lean(999.0, 1_000), second];
            let sums = sums(&jobs, true);
            assert_eq!(sums[0].figures.percentile_ns(99.0), Some(9_000.0));
        }
        let none = Figures { percentiles: Vec::new(), ..lean(1.0, 1) };
        assert_eq!(sums(&[lean(1.0, 1), none], true)[0].figures.percentile_ns(99.0), None);
    }

    #[test]
    fn only_equal_jobs_that_ran_together_are_added() {
        let with = |name: &str, value: &str| {
            let mut job = job(10.0, 5);
            job.options.insert(name.into(), value.into());
            job
        };
        let others = [
            Figures { group: 1, ..job(10.0, 5) },
            Figures { job: "b".into(), ..job(10.0, 5) },
            Figures { direction: "write", ..job(10.0, 5) },
            with("bs", "8k"),
        ];
        for (other, number) in others.into_iter().zip([2, 1, 1, 2]) {
            let jobs = [job(10.0, 5), other];
            let found: Vec<_> =
                sums(&jobs, true).iter().map(|sum| (sum.number, sum.figures.iops)).collect();
            assert_eq!(found, [(1, 10.0), (number, 10.0)], "{:?}", jobs[1]);
        }
        let jobs = [with("offset", "1m"), with("stonewall", "1"), job(0.0, 5), job(0.0, 5)];
        let sums = sums(&jobs, true);
        assert_eq!(
            (sums.len(), sums[0].figures.iops, sums[0].figures.mean_ns),
            (1, 20.0, Some(5.0))
        );
    }
}
