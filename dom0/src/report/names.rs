//! Names of what was measured and of what measured it: each tells what differs from the others, and
//! no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plots::label::Label;

use super::distinct::{labels, middle_cut};
use super::identity::{Identity, SystemName};
use super::provenance;
use super::series::Series;
use crate::figures::Facts;

/// Options that are named wherever they differ; others only where these do not tell jobs apart.
const MAIN: [&str; 10] = [
    "rw",
    "bs",
    "bssplit",
    "bsrange",
    "iodepth",
    "rate",
    "rate_iops",
    "filename",
    "disks",
    provenance::TARGET,
];
/// Facts about a system that are named first, where systems of a kind have to be told apart.
const FIRST: [&str; 2] = [provenance::LABEL, provenance::HOST];
/// Options that are named last: they say when a job runs, and with which numbers.
const LAST: [&str; 3] = ["randseed", "stonewall", "wait_for_previous"];
/// Longest label of a job, in characters.
const WHAT_MAX: usize = 48;
/// Longest label of a system or a line, in characters.
pub const WHO_MAX: usize = 60;
/// Longest value of an option in a label, in characters.
const VALUE_MAX: usize = 32;

/// Names of all series.
#[derive(Debug, Default)]
pub struct Names {
    /// Jobs and their directions.
    pub whats: Vec<Label>,
    /// Systems.
    pub whos: Vec<Label>,
    /// Indexes of each series' job and system.
    pub of: Vec<(usize, usize)>,
}

/// Values of the options or facts that tell series apart.
type Values<'a> = Vec<Option<&'a str>>;
/// A job as far as its label goes: name, direction, options, clone.
type What<'a> = (&'a str, &'a str, Values<'a>, usize);
/// A system as far as its label goes.
type Who<'a> = (&'a SystemName, Values<'a>);

/// Names these series of these files. No two of them have both names equal.
pub fn names(series: &[Series<'_>], files: &[PathBuf]) -> Names {
    let (keys, files) = (Keys::of(series), file_names(files));
    let (jobs, job_names) = numbered(series.iter().map(|series| keys.what(series)));
    // Where two files have the same job on the same system, the file is a part of its name.
    let mut files_of: BTreeMap<(usize, Who<'_>), BTreeSet<Option<usize>>> = BTreeMap::new();
    for (series, job) in series.iter().zip(&jobs) {
        files_of.entry((*job, keys.who(series).0)).or_default().insert(series.identity.file);
    }
    let in_many = files_of.into_iter().filter(|(_, files)| files.len() > 1);
    let in_many: BTreeSet<Who<'_>> = in_many.map(|((_, who), _)| who).collect();
    let system = |series| {
        let (who, name) = keys.who(series);
        let file = series.identity.file.filter(|_| in_many.contains(&who));
        let of_file = file.and_then(|file| files.get(file));
        let of_file = of_file.map_or_else(String::new, |file| format!(", {file}"));
        ((who, file), name + &of_file)
    };
    let (systems, system_names) = numbered(series.iter().map(system));
    Names {
        whats: labels(&job_names, WHAT_MAX),
        whos: labels(&system_names, WHO_MAX),
        of: jobs.into_iter().zip(systems).collect(),
    }
}

/// Numbers what is equal alike, in the order in which it comes. Returns the number of each, and the
/// name of each number.
fn numbered<K: Ord>(all: impl Iterator<Item = (K, String)>) -> (Vec<usize>, Vec<String>) {
    let (mut known, mut names) = (BTreeMap::new(), Vec::new());
    let number = |(key, name)| {
        *known.entry(key).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        })
    };
    (all.map(number).collect(), names)
}

/// Options and facts that tell series apart.
struct Keys<'a> {
    /// Options of each job and direction.
    jobs: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
    /// Facts about each kind of system.
    systems: BTreeMap<usize, Vec<&'a str>>,
}

impl<'a> Keys<'a> {
    fn of(series: &'a [Series<'_>]) -> Self {
        let mut jobs: BTreeMap<(&str, &str), BTreeMap<usize, Vec<&Facts>>> = BTreeMap::new();
        let mut systems: BTreeMap<usize, Vec<&Facts>> = BTreeMap::new();
        for series in series {
            let identity = &series.identity;
            let kind = identity.system.kind();
            let job = jobs.entry((&identity.job, identity.direction)).or_default();
            job.entry(kind).or_default().push(&identity.work);
            systems.entry(kind).or_default().push(&identity.way);
        }
        // Systems spell a job's options in their own ways, so that each kind is taken by itself.
        let of_job = |kinds: BTreeMap<usize, Vec<&'a Facts>>| {
            let mut keys: Vec<&str> = Vec::new();
            for all in kinds.into_values() {
                let more: Vec<&str> = telling(&all, &MAIN, &[], &LAST)
                    .into_iter()
                    .filter(|key| !keys.contains(key))
                    .collect();
                keys.extend(more);
            }
            keys
        };
        Self {
            jobs: jobs.into_iter().map(|(job, kinds)| (job, of_job(kinds))).collect(),
            systems: systems
                .into_iter()
                .map(|(kind, all)| (kind, telling(&all, &[], &FIRST, &[])))
                .collect(),
        }
    }

    /// Returns a series' job, and its name.
    fn what(&self, series: &'a Series<'_>) -> (What<'a>, String) {
        let Identity { job, direction, work, clone, .. } = &*series.identity;
        let keys = self.jobs.get(&(&**job, *direction)).map_or(&[][..], |keys| keys);
        let of_clone = if *clone == 1 { String::new() } else { format!(", clone {clone}") };
        let name = format!("{job}, {direction}{}{of_clone}", told(work, keys));
        ((job, direction, values(work, keys), *clone), name)
    }

    /// Returns a series' system, and its name.
    fn who(&self, series: &'a Series<'_>) -> (Who<'a>, String) {
        let Identity { system, way, .. } = &*series.identity;
        let keys = self.systems.get(&system.kind()).map_or(&[][..], |keys| keys);
        ((system, values(way, keys)), system.text() + &told(way, keys))
    }
}

fn values<'a>(facts: &'a Facts, keys: &[&str]) -> Values<'a> {
    keys.iter().map(|key| facts.get(*key).map(|value| &**value)).collect()
}

/// Returns these of the facts as text: `, bs=4k, iodepth=1`.
pub fn told(facts: &Facts, keys: &[&str]) -> String {
    let fact = |key: &&str| Some(format!(", {key}={}", middle_cut(facts.get(*key)?, VALUE_MAX)));
    keys.iter().filter_map(fact).collect()
}

/// Returns the facts that tell these apart: those of `main` that differ, and as few of the others
/// as are needed, those of `first` before and those of `last` after the rest.
pub fn telling<'a>(
    all: &[&'a Facts],
    main: &[&'a str],
    first: &[&'a str],
    last: &[&'a str],
) -> Vec<&'a str> {
    let whole: BTreeSet<&Facts> = all.iter().copied().collect();
    let names: BTreeSet<&str> =
        whole.iter().flat_map(|facts| facts.keys().map(|name| &**name)).collect();
    let is_other = |name: &&&str| ![main, first, last].iter().any(|named| named.contains(*name));
    let others = first.iter().chain(names.iter().filter(is_other)).chain(last);
    let mut found = Vec::new();
    // The part of those that the facts found until now tell apart.
    let mut parts: Vec<usize> = vec![0; whole.len()];
    let mut count = usize::from(!whole.is_empty());
    for name in main.iter().chain(others) {
        let is_main = main.contains(name);
        if count == whole.len() && !is_main {
            continue;
        }
        let values = || whole.iter().map(|facts| facts.get(*name));
        let differ = values().collect::<BTreeSet<_>>().len() > 1;
        let mut known = BTreeMap::new();
        let finer = parts.iter().zip(values()).map(|part| {
            let next = known.len();
            *known.entry(part).or_insert(next)
        });
        let finer: Vec<usize> = finer.collect();
        if known.len() > count || is_main && differ {
            count = known.len();
            parts = finer;
            found.push(*name);
        }
    }
    found
}

/// Returns the files' names, or their whole paths where names are equal.
pub fn file_names(files: &[PathBuf]) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for path in files {
        *counts.entry(name(path)).or_default() += 1;
    }
    let is_alone = |path: &Path| counts.get(&name(path)) == Some(&1);
    let shown = |path: &PathBuf| match is_alone(path) {
        true => name(path),
        false => path.to_string_lossy().into_owned(),
    };
    files.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::super::load::{Data, Run};
    use super::super::series::series;
    use super::*;
    use crate::figures::{Figures, sample};
    use crate::saved::System;

    /// A run on ringmark with jobs of these names and options, or on Linux.
    fn run(file: usize, system: System, jobs: &[(&str, &str)]) -> Run {
        let ours = (system == System::Ringmark).then_some("persistent");
        let figures = jobs.iter().map(|(job, options)| {
            let mut report = sample(job, ours, 1.0);
            let options = options.split(' ').filter_map(|option| option.split_once('='));
            let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
            report.jobs[0].options = options.collect();
            Figures::of(&report).unwrap().remove(0)
        });
        let version = if ours.is_some() { "ringmark-1" } else { "fio-3" }.into();
        Run {
            file,
            system,
            variant: None,
            version,
            time: None,
            origin: None,
            figures: figures.collect(),
        }
    }

    fn named(runs: Vec<Run>, files: &[&str], merge: bool) -> Vec<String> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let data = Data { files, runs, ..Data::default() };
        let series = series(&data, merge);
        let names = names(&series, &data.files);
        let name = |&(what, who): &(usize, usize)| {
            format!("{} | {}", names.whats[what].short, names.whos[who].short)
        };
        names.of.iter().map(name).collect()
    }

    const OURS: System = System::Ringmark;

    #[test]
    fn what_differs_is_named() {
        for (jobs, expected) in [
            (&[("a", "bs=4k"), ("b", "bs=8k")][..], &["a, read", "b, read"][..]),
            (
                &[("a", "iodepth=1 runtime=1"), ("a", "iodepth=2 runtime=3")],
                &["a, read, iodepth=1", "a, read, iodepth=2"],
            ),
            (
                &[("a", "iodepth=1"), ("a", "bs=8k iodepth=2")],
                &["a, read, bs=4k, iodepth=1", "a, read, bs=8k, iodepth=2"],
            ),
            (
                &[("a", "size=1"), ("a", "size=2 stonewall=1")],
                &["a, read, size=1", "a, read, size=2"],
            ),
            (&[("a", "rate=1"), ("a", "")], &["a, read, rate=1", "a, read"]),
            (&[("a", ""), ("a", "")], &["a, read", "a, read, clone 2"]),
        ] {
            let found = named(vec![run(0, OURS, jobs)], &["x"], false);
            let expected: Vec<_> =
                expected.iter().map(|what| format!("{what} | ringmark, persistent")).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn systems_share_the_names_of_jobs() {
        let ours = run(0, OURS, &[("a", "iodepth=1 randseed=1"), ("a", "iodepth=2 randseed=1")]);
        let linux = [("a", "iodepth=1 direct=1"), ("a", "iodepth=2 direct=1")];
        let linux = run(0, System::Linux, &linux);
        let (one, two) = ("a, read, iodepth=1", "a, read, iodepth=2");
        let [us, them] = ["ringmark, persistent", "Linux, fio-3"];
        let expected = [(one, us), (two, us), (one, them), (two, them)];
        let expected = expected.map(|(what, who)| format!("{what} | {who}"));
        assert_eq!(named(vec![ours, linux], &["x"], false), expected);
    }

    #[test]
    fn files_are_named_where_they_have_the_same() {
        let same = |merge, files: [&str; 2]| {
            let runs = [0, 1].map(|file| run(file, OURS, &[("a", "")]));
            named(runs.into(), &files, merge)
        };
        let name = |file: &str| format!("a, read | ringmark, persistent, {file}");
        assert_eq!(same(false, ["x/1.json", "x/2.json"]), [name("1.json"), name("2.json")]);
        assert_eq!(same(false, ["x/1.json", "y/1.json"]), [name("x/1.json"), name("y/1.json")]);
        assert_eq!(same(true, ["1.json", "2.json"]), ["a, read | ringmark, persistent"]);
        let runs = vec![run(0, OURS, &[("a", "")]), run(1, OURS, &[("b", "")])];
        let found = named(runs, &["1", "2"], false);
        assert_eq!(found, ["a, read | ringmark, persistent", "b, read | ringmark, persistent"]);
    }

    #[test]
    fn files_with_other_jobs_are_not_merged() {
        let runs = vec![run(0, OURS, &[("a", "bs=4k")]), run(1, OURS, &[("a", "bs=128k")])];
        let found = named(runs, &["1", "2"], true);
        let expected = ["a, read, bs=4k", "a, read, bs=128k"];
        assert_eq!(found, expected.map(|what| format!("{what} | ringmark, persistent")));
        let mut runs = vec![run(0, OURS, &[("a", "")]), run(1, OURS, &[("a", "")])];
        runs[1].version = "ringmark-2".into();
        let found = named(runs, &["1", "2"], true);
        let expected = ["version=ringmark-1", "version=ringmark-2"];
        assert_eq!(found, expected.map(|fact| format!("a, read | ringmark, persistent, {fact}")));
    }

    #[test]
    fn values_that_are_cut_stay_apart() {
        let [one, other] = ["1", "2"].map(|middle| {
            format!("bssplit={}{middle}{}", "4k/10:".repeat(20), "8k/90:".repeat(20))
        });
        let found = named(vec![run(0, OURS, &[("a", &one), ("a", &other)])], &["x"], false);
        assert!(found[0] != found[1] && found[1].contains(" (2) | "), "{found:?}");
    }

    #[test]
    fn hosts_and_devices_tell_runs_apart() {
        let on = |file, host: &str, device: &str| {
            let host = results::OriginHost { name: Some(host.to_owned()), ..Default::default() };
            let disk =
                results::OriginDisk { target: Some(device.to_owned()), ..Default::default() };
            let origin =
                results::Origin { host: Some(host), disks: vec![disk], ..Default::default() };
            Run { origin: Some(origin), ..run(file, OURS, &[("a", "")]) }
        };
        let found = |one, other| named(vec![one, other], &["1", "2"], true);
        let hosts = found(on(0, "x", "d"), on(1, "y", "d"));
        let expected =
            ["x", "y"].map(|host| format!("a, read | ringmark, persistent, host={host}"));
        assert_eq!(hosts, expected);
        let devices = found(on(0, "x", "d"), on(1, "x", "e"));
        let expected = ["d", "e"].map(|of| format!("a, read, target={of} | ringmark, persistent"));
        assert_eq!(devices, expected);
        assert_eq!(found(on(0, "x", "d"), on(1, "x", "d")).len(), 1);
    }

    #[test]
    fn names_that_pretend_stay_apart() {
        let jobs =
            [("a, read", ""), ("a", "iodepth=1"), ("a", "iodepth=2"), ("a, read, iodepth=1", "")];
        let found = named(vec![run(0, OURS, &jobs)], &["x"], false);
        let different: BTreeSet<&String> = found.iter().collect();
        assert_eq!(different.len(), jobs.len(), "{found:?}");
    }
}
