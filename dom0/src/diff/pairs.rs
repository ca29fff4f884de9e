//! Jobs of two results that belong together, and in what they differ.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::report::identity::{Identity, SystemName, is_way};
use crate::report::provenance::{LABEL, TARGET, setting};
use crate::report::series::Series;

/// Jobs of both results, and those of one.
#[derive(Debug)]
pub struct Pairs<'a> {
    /// Jobs of both, in the order of A.
    pub both: Vec<Pair<'a>>,
    /// Indexes of the jobs of A that B does not have.
    pub only_a: Vec<usize>,
    /// Indexes of the jobs of B that A does not have.
    pub only_b: Vec<usize>,
}

/// A job that both results have.
#[derive(Debug)]
pub struct Pair<'a> {
    /// Index of the job in A.
    pub index_a: usize,
    /// Runs of A.
    pub a: &'a Series<'a>,
    /// Runs of B.
    pub b: &'a Series<'a>,
    /// Options that make it other work; its figures say nothing about one another then.
    pub work: Vec<String>,
    /// Other differences: how and where it ran.
    pub way: Vec<String>,
}

impl Pair<'_> {
    /// Number of runs of the side that has fewer.
    pub fn runs(&self) -> usize {
        self.a.runs().count().min(self.b.runs().count())
    }
}

/// Likeness of two jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// One name and direction.
    Name,
    /// The same kind of system, too, in the same grant mode.
    Kind,
    /// The same work, too.
    Work,
    /// The same place and way, too.
    All,
}

/// Everything that jobs which are alike have in common.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    job: &'a str,
    direction: &'a str,
    /// Number of the kind of system, and grant mode.
    kind: Option<(usize, &'a str)>,
    facts: Vec<(&'a str, &'a str)>,
    clone: usize,
}

impl<'a> Key<'a> {
    fn of(identity: &'a Identity, likeness: Likeness) -> Self {
        let Identity { job, direction, work, clone, system, way, .. } = identity;
        let grants = match system {
            SystemName::Ringmark(grants) => grants,
            SystemName::Fio(_) | SystemName::Linux(_) => "",
        };
        let is_in = |name: &str| match likeness {
            Likeness::Name | Likeness::Kind => false,
            Likeness::Work => is_work(name),
            Likeness::All => true,
        };
        let ways = way.iter().filter(|_| likeness == Likeness::All);
        let facts = work.iter().chain(ways).map(|(name, value)| (&**name, &**value));
        Self {
            job,
            direction,
            kind: (likeness > Likeness::Name).then(|| (system.kind(), grants)),
            facts: facts.filter(|(name, _)| is_in(name) && *name != LABEL).collect(),
            clone: if likeness >= Likeness::Work { *clone } else { 0 },
        }
    }
}

/// Returns whether an option or fact says what a job does. The device behind a disk does not: it is
/// where the job runs.
fn is_work(name: &str) -> bool {
    name != TARGET
}

/// Puts jobs together, those that are most alike first, and of several the first.
pub fn pairs<'a>(a: &'a [Series<'a>], b: &'a [Series<'a>]) -> Pairs<'a> {
    let mut free_a: BTreeMap<usize, &Series> = a.iter().enumerate().collect();
    let mut free_b: BTreeMap<usize, &Series> = b.iter().enumerate().collect();
    let mut both = BTreeMap::new();
    for likeness in [Likeness::All, Likeness::Work, Likeness::Kind, Likeness::Name] {
        let mut known: BTreeMap<Key, VecDeque<(usize, &Series)>> = BTreeMap::new();
        for (index, series) in &free_b {
            let key = Key::of(&series.identity, likeness);
            known.entry(key).or_default().push_back((*index, series));
        }
        free_a.retain(|index, a| {
            let found = known.get_mut(&Key::of(&a.identity, likeness));
            let Some((index_b, b)) = found.and_then(VecDeque::pop_front) else { return true };
            free_b.remove(&index_b);
            both.insert(*index, pair(*index, a, b));
            false
        });
    }
    Pairs {
        both: both.into_values().collect(),
        only_a: free_a.into_keys().collect(),
        only_b: free_b.into_keys().collect(),
    }
}

fn pair<'a>(index_a: usize, a: &'a Series<'a>, b: &'a Series<'a>) -> Pair<'a> {
    let (one, other) = (&a.identity, &b.identity);
    let (mut work, mut way, mut settings) = (Vec::new(), Vec::new(), Vec::new());
    let system = (one.system.text(), other.system.text());
    if system.0 != system.1 {
        way.push(format!("system: {} and {}", system.0, system.1));
    }
    for (one, other, says_what) in [(&one.work, &other.work, true), (&one.way, &other.way, false)] {
        let names: BTreeSet<&str> = one.keys().chain(other.keys()).map(|name| &**name).collect();
        for name in names.into_iter().filter(|name| *name != LABEL) {
            let is_work = says_what && is_work(name);
            let values = [one, other].map(|facts| facts.get(name));
            // An option that is not there has its default; a fact that is not there is not known.
            let is_known = is_work || is_way(name) || !values.contains(&None);
            let [one, other] = values.map(|value| value.map_or("-", |value| value));
            if one == other || !is_known {
                continue;
            }
            if let Some(setting) = setting(name) {
                settings.push(format!("{setting} {one} and {other}"));
                continue;
            }
            let different = if is_work { &mut work } else { &mut way };
            different.push(format!("{name}: {one} and {other}"));
        }
    }
    if !settings.is_empty() {
        way.push(format!("host: {}", settings.join("; ")));
    }
    Pair { index_a, a, b, work, way }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Figures, sample};
    use crate::report::load::{Data, Run};
    use crate::report::series::series;
    use crate::saved::System;
    use results::{Origin, OriginBlkback, OriginDisk, OriginHost};

    /// Name, grant mode and options of a job.
    type Job<'a> = (&'a str, Option<&'a str>, &'a [(&'a str, &'a str)]);

    fn data(jobs: &[Job<'_>]) -> Data {
        let runs = jobs.iter().map(|&(name, grants, options)| {
            let mut report = sample(name, grants, 1.0);
            let options = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
            report.jobs[0].options = options.collect();
            let (figures, version) = (Figures::of(&report).unwrap(), report.version.into());
            let (system, time, origin) = (System::Ringmark, None, None);
            Run { file: 0, system, variant: None, version, time, origin, figures }
        });
        Data { runs: runs.collect(), ..Data::default() }
    }

    type Told = (Vec<(String, String, Vec<String>, Vec<String>)>, Vec<usize>, Vec<usize>);

    /// Pairs by the depths of their jobs, with their differences; then what is only in one.
    fn told(a: &Data, b: &Data) -> Told {
        let (a, b) = (series(a, false), series(b, false));
        let depth = |series: &Series| series.first.options["iodepth"].to_string();
        let pairs = pairs(&a, &b);
        let both = pairs
            .both
            .iter()
            .map(|pair| (depth(pair.a), depth(pair.b), pair.work.clone(), pair.way.clone()));
        (both.collect(), pairs.only_a.clone(), pairs.only_b.clone())
    }

    #[test]
    fn jobs_that_are_most_alike_belong_together() {
        let depth = |depth| [("iodepth", depth)];
        let [one, two, four, eight] = ["1", "2", "4", "8"].map(depth);
        let ours = Some("persistent");
        let a =
            data(&[("a", ours, &one), ("a", ours, &two), ("a", ours, &four), ("b", ours, &two)]);
        let b =
            data(&[("a", ours, &eight), ("a", ours, &four), ("a", ours, &two), ("c", ours, &two)]);
        let same = |depth: &str| (depth.to_owned(), depth.to_owned(), vec![], vec![]);
        let other = vec!["iodepth: 1 and 8".to_owned()];
        let both = vec![("1".to_owned(), "8".to_owned(), other, vec![]), same("2"), same("4")];
        assert_eq!(told(&a, &b), (both, vec![3], vec![3]));
    }

    #[test]
    fn grant_modes_are_not_mixed_up_and_said_where_they_differ() {
        let a = data(&[("a", Some("persistent"), &[]), ("a", Some("per-request"), &[])]);
        let b = data(&[("a", Some("per-request"), &[]), ("a", Some("persistent"), &[])]);
        assert!(told(&a, &b).0.iter().all(|(.., work, way)| work.is_empty() && way.is_empty()));
        let (both, ..) = told(&data(&[("a", Some("persistent"), &[])]), &data(&[("a", None, &[])]));
        let [(_, _, work, way)] = &both[..] else { panic!("{both:?}") };
        assert_eq!(
            (work.len(), &way[..]),
            (0, &["system: ringmark, persistent and fio-3.33".into()][..])
        );
    }

    #[test]
    fn ways_and_places_are_no_work() {
        let of = |engine: &[(&str, &str)]| data(&[("a", None, engine)]);
        let (mut a, mut b) = (of(&[("ioengine", "libaio")]), of(&[]));
        let origin = |target: &str, xen: Option<&str>| {
            let disk = OriginDisk { target: Some(target.to_owned()), ..OriginDisk::default() };
            let host = OriginHost { xen: xen.map(str::to_owned), ..OriginHost::default() };
            Some(Origin { disks: vec![disk], host: Some(host), ..Origin::default() })
        };
        a.runs[0].origin = origin("/dev/a", Some("4.17"));
        b.runs[0].origin = origin("/dev/b", None);
        let (both, ..) = told(&a, &b);
        let [(_, _, work, way)] = &both[..] else { panic!("{both:?}") };
        let expected = ["target: /dev/a and /dev/b", "ioengine: libaio and -"].map(str::to_owned);
        assert_eq!((work.len(), &way[..]), (0, &expected[..]));
    }

    #[test]
    fn settings_of_a_host_that_differ_are_one_line() {
        let of = |scheduler: &str, turbo, order| {
            let mut data = data(&[("a", None, &[])]);
            let blkback = OriginBlkback { max_ring_page_order: order, ..Default::default() };
            let host = OriginHost {
                scheduler: Some(scheduler.to_owned()),
                governor: Some("performance".to_owned()),
                turbo,
                blkback: Some(blkback),
                ..OriginHost::default()
            };
            data.runs[0].origin = Some(Origin { host: Some(host), ..Origin::default() });
            data
        };
        let way = |a: &Data, b: &Data| told(a, b).0.remove(0).3;
        let old = of("credit", Some(true), None);
        let expected = ["host: scheduler credit and credit2; turbo on and off"];
        assert_eq!(way(&old, &of("credit2", Some(false), Some(4))), expected);
        assert!(way(&old, &of("credit", None, Some(4))).is_empty(), "what is not known");
    }
}
