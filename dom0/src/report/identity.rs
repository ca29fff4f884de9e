//! Identity of what was measured: runs with the same one are repeats, and only they are put
//! together.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::load::Run;
use super::provenance;
use crate::figures::{Facts, Figures};
use crate::saved::System;

/// Everything that may differ between two results.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Name of the job.
    pub job: String,
    /// `read`, `write`, `trim`, or `mixed` of all in one.
    pub direction: &'static str,
    /// Options that change what is done, and the disks.
    pub work: Facts,
    /// Number of the job among those of its run that are the same, from 1: the clones of
    /// `numjobs=`.
    pub clone: usize,
    /// System that did it.
    pub system: SystemName,
    /// Options that say how it does that, and facts about it and its host.
    pub way: Facts,
    /// Index of the file, or `None` if files are merged.
    pub file: Option<usize>,
}

/// Name of a system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SystemName {
    /// ringmark, in this grant mode.
    Ringmark(Rc<str>),
    /// fio, of this version.
    Fio(Rc<str>),
    /// Linux guest of a comparison, with fio of this version.
    Linux(Rc<str>),
}

/// Name of the version among the facts about a system.
pub const VERSION: &str = "version";

/// Name of the variant of an A/B comparison among them.
const VARIANT: &str = "variant";

/// Options that say how a system does the work; those of ringmark's own begin with `ringmark_`.
const WAYS: [&str; 9] = [
    "direct",
    "fixedbufs",
    "gtod_reduce",
    "hipri",
    "ioengine",
    "nonvectored",
    "registerfiles",
    "sqthread_poll",
    "sync",
];

/// Beginnings of options that say what is reported of the work.
const REPORTING: [&str; 15] = [
    "clat_percentiles",
    "description",
    "eta",
    "grants",
    "group_reporting",
    "lat_percentiles",
    "latency_from",
    "log_",
    "name",
    "per_job_logs",
    "percentile_list",
    "slat_percentiles",
    "status-interval",
    "write_",
    "disk_util",
];

impl Identity {
    /// Returns the identities of a run's figures, in their order.
    pub fn of(run: &Run, merge: bool) -> Vec<Rc<Self>> {
        let mut clones: BTreeMap<Rc<Self>, usize> = BTreeMap::new();
        let origin = run.origin.as_ref();
        let way = origin.map(provenance::way).unwrap_or_default();
        let target = origin.and_then(provenance::target);
        let identity = |figures| {
            let mut identity = Self::first(run, figures, merge);
            identity.way.extend(way.clone());
            let target = target.clone().map(|target| (provenance::TARGET.into(), target));
            identity.work.extend(target);
            let first = Rc::new(identity);
            let count = clones.entry(Rc::clone(&first)).or_default();
            *count += 1;
            match *count {
                1 => first,
                count => Rc::new(Self { clone: count, ..(*first).clone() }),
            }
        };
        run.figures.iter().map(identity).collect()
    }

    fn first(run: &Run, figures: &Figures, merge: bool) -> Self {
        let options = figures.options.clone().into_iter();
        let options = options.filter(|(name, _)| !REPORTING.iter().any(|of| name.starts_with(of)));
        let (mut way, mut work): (Facts, Facts) = options.partition(|(name, _)| is_way(name));
        if let Some(variant) = run.variant {
            way.insert(VARIANT.into(), variant.name().into());
        }
        if !work.contains_key("filename") && !figures.disks.is_empty() {
            work.insert("disks".into(), figures.disks.join(":").into());
        }
        if figures.members > 1 {
            work.insert("numjobs".into(), figures.members.to_string().into());
        }
        let version = Rc::clone(&run.version);
        let system = match (figures.grants.as_str(), run.system) {
            ("", System::Linux) => SystemName::Linux(version),
            ("", System::Ringmark) => SystemName::Fio(version),
            (grants, _) => {
                way.insert(VERSION.into(), version);
                SystemName::Ringmark(grants.into())
            }
        };
        Self {
            job: figures.job.clone(),
            direction: figures.direction,
            work,
            clone: 1,
            system,
            way,
            file: (!merge).then_some(run.file),
        }
    }
}

/// Returns whether an option says how a system does the work.
pub fn is_way(name: &str) -> bool {
    WAYS.contains(&name) || name.starts_with("ringmark_")
}

impl SystemName {
    /// Returns it as text.
    pub fn text(&self) -> String {
        match self {
            Self::Ringmark(grants) => format!("ringmark, {grants}"),
            Self::Fio(version) => version.to_string(),
            Self::Linux(version) => format!("Linux, {version}"),
        }
    }

    /// Returns a number for its kind: options of one kind are spelled alike.
    pub fn kind(&self) -> usize {
        match self {
            Self::Ringmark(_) => 0,
            Self::Fio(_) => 1,
            Self::Linux(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use results::Variant;

    use super::*;
    use crate::figures::sample;

    fn run(options: &[(&str, &str)]) -> Run {
        let mut report = sample("a", Some("persistent"), 1.0);
        let options = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        report.jobs[0].options = options.collect();
        let figures = Figures::of(&report).unwrap();
        let version = report.version.into();
        Run {
            file: 3,
            system: System::Ringmark,
            variant: None,
            version,
            time: None,
            origin: None,
            figures,
        }
    }

    fn one(run: &Run) -> Rc<Identity> {
        Identity::of(run, true).remove(0)
    }

    #[test]
    fn all_that_changes_the_work_tells_jobs_apart() {
        let plain = one(&run(&[]));
        for option in [
            ("bs", "8k"),
            ("rw", "randread"),
            ("iodepth", "2"),
            ("rate", "1m"),
            ("runtime", "3s"),
            ("filename", "/dev/xvdb"),
            ("thinktime", "1"),
            ("ringmark_queues", "2"),
            ("ringmark_indirect", "0"),
            ("ioengine", "io_uring"),
            ("norandommap", "1"),
            ("some_new_option", "1"),
        ] {
            assert_ne!(one(&run(&[option])), plain, "{option:?}");
        }
        for option in [
            ("bs", "4k"),
            ("blocksize", "4k"),
            ("iodepth", "1"),
            ("readwrite", "read"),
            ("write_iops_log", "x"),
            ("log_avg_msec", "500"),
            ("percentile_list", "1:2"),
            ("group_reporting", "1"),
        ] {
            assert_eq!(one(&run(&[option])), plain, "{option:?}");
        }
    }

    #[test]
    fn disks_systems_and_members_tell_apart() {
        let on_disk = || {
            let mut run = run(&[]);
            run.figures[0].disks = vec!["xvda".to_owned()];
            run
        };
        let plain = on_disk();
        let changes: [fn(&mut Run); 7] = [
            |run| run.figures[0].job = "b".to_owned(),
            |run| run.figures[0].direction = "write",
            |run| run.figures[0].disks = vec!["xvdb".to_owned()],
            |run| run.figures[0].members = 2,
            |run| run.figures[0].grants = "per-request".to_owned(),
            |run| run.figures[0].grants = String::new(),
            |run| run.version = "ringmark-2".into(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = on_disk();
            change(&mut other);
            assert_ne!(one(&other), one(&plain), "change {number}");
        }
        let mut linux = run(&[]);
        linux.figures[0].grants = String::new();
        let fio = one(&linux);
        linux.system = System::Linux;
        assert_ne!(one(&linux), fio);
    }

    #[test]
    fn variants_are_apart() {
        let of = |variant| one(&Run { variant, ..run(&[]) });
        let [a, b] = [Variant::A, Variant::B].map(|variant| of(Some(variant)));
        assert_ne!(a, b);
        assert_ne!(a, of(None));
        assert_eq!(a.work, b.work, "it is the same work in another way");
    }

    #[test]
    fn files_are_apart_unless_they_are_merged() {
        let (one, mut other) = (run(&[]), run(&[]));
        other.file = 4;
        assert_ne!(Identity::of(&one, false), Identity::of(&other, false));
        assert_eq!(Identity::of(&one, true), Identity::of(&other, true));
    }

    #[test]
    fn clones_are_no_repeats() {
        let mut twice = run(&[]);
        twice.figures.push(twice.figures[0].clone());
        let clones: Vec<_> = Identity::of(&twice, true).iter().map(|of| of.clone).collect();
        assert_eq!(clones, [1, 2]);
    }
}
