//! The figures that are compared and plotted: those of each job and direction of a report, ours or
//! fio's own.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;

use anyhow::{Result, bail, ensure};
use fio_job::number::parse_bytes;
use results::{Flag, JobReport, Latency, OverTime, Report, Side, Steadiness, Verdict};

use statistics::samples::Mean;

use crate::costs::{self, Counted};
use crate::result;

/// Rates and amounts of time that a report may have: from 0 to what a `u64` holds. What is beyond
/// is no measurement, and has no place in a table or plot.
const PLAUSIBLE: RangeInclusive<f64> = 0.0..=1.9e19;

/// Most options of a job, and of a section `[global]`, which each job has as well: what has more is
/// no job, and takes far more memory than it has bytes.
const OPTIONS_MAX: usize = 128;
const GLOBAL_OPTIONS_MAX: usize = 64;

/// Options or facts by name. Their texts are shared: those of a run are those of each of its jobs.
pub type Facts = BTreeMap<Rc<str>, Rc<str>>;

/// Figures of a job in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// `jobname`.
    pub job: String,
    /// Number of the job in its report, from 0.
    pub index: usize,
    /// `read`, `write`, `trim`, or `mixed` of all in one.
    pub direction: &'static str,
    /// Number of the group (`groupid`): its jobs ran together.
    pub group: u64,
    /// I/Os a second.
    pub iops: f64,
    /// Bytes a second.
    pub bytes_per_second: f64,
    /// The mean of all latencies, from submission to completion, in nanoseconds, if any was
    /// measured (fio with `gtod_reduce=1` measures none).
    pub mean_ns: Option<f64>,
    /// Percentiles of the completion latency, ascending: per cent, nanoseconds.
    pub percentiles: Vec<(f64, f64)>,
    /// Numbers of I/Os that completed in so many nanoseconds, ascending, where the report has bins
    /// (`json+`).
    pub bins: Vec<(f64, u64)>,
    /// Options of the job, its own and those for all jobs, by their first names; `rw`, `bs` and
    /// `iodepth` are always there.
    pub options: Facts,
    /// Disks that were used; empty in fio's own reports.
    pub disks: Vec<String>,
    /// Number of jobs that the figures are the sum of.
    pub members: u64,
    /// Grant mode; empty in fio's own reports.
    pub grants: String,
    /// Pages that the backends kept mapped, of those that the I/Os used, if that was counted.
    pub kept: Option<(u64, u64)>,
    /// Time stolen from the vCPU, in nanoseconds and in per cent, if it is known.
    pub stolen: Option<(u64, f64)>,
    /// Whether the rate was steady, of all directions together; if it is known.
    pub steadiness: Option<Steadiness>,
    /// I/Os over time, of all directions together, with the first only.
    pub over_time: Option<OverTime>,
    /// Reasons to doubt these figures.
    pub flags: Vec<Flag>,
    /// Latency from due times that 99 % of the I/Os did not exceed, in nanoseconds.
    pub due_p99_ns: Option<f64>,
    /// Costs of an I/O, if they were counted; of a job in both directions, with the first only.
    pub costs: Option<Counted>,
}

/// Strongest reasons to doubt the figures of some runs of one job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doubts {
    /// Pages kept, and pages used.
    pub kept: Option<(u64, u64)>,
    /// Time stolen, in nanoseconds and in per cent.
    pub stolen: Option<(u64, f64)>,
    /// Flag of the run with the greatest size, of each kind.
    pub flags: Vec<Flag>,
}

impl Doubts {
    /// Returns the reasons to doubt these runs, each by itself.
    pub fn of_each<'a>(runs: impl Iterator<Item = &'a Figures> + Clone) -> Self {
        let share = |&(kept, used): &(u64, u64)| kept as f64 / used.max(1) as f64;
        let kept = runs.clone().filter_map(|run| run.kept).filter(|(_, used)| *used != 0);
        let kept = kept.min_by(|one, other| share(one).total_cmp(&share(other)));
        let stolen = runs.clone().filter_map(|run| run.stolen);
        let stolen = stolen.max_by(|one, other| one.1.total_cmp(&other.1));
        let mut flags: Vec<Flag> = Vec::new();
        for flag in runs.flat_map(|run| &run.flags) {
            match flags.iter_mut().find(|known| known.is_like(flag)) {
                Some(known) if flag.size() > known.size() => *known = *flag,
                Some(_) => {}
                None => flags.push(*flag),
            }
        }
        Self { kept, stolen, flags }
    }

    /// Returns the reasons to doubt these runs of one job on one system, also by how they differ.
    pub fn about<'a>(runs: impl Iterator<Item = &'a Figures> + Clone) -> Self {
        let mut doubts = Self::of_each(runs.clone());
        let iops: Vec<f64> = runs.map(|run| run.iops).collect();
        doubts.flags.extend(Flag::of_runs(&iops));
        doubts
    }

    /// Returns the notes to print below the figures, one line each; empty if there are none.
    pub fn marks(&self) -> Vec<String> {
        self.flags.iter().map(Flag::text).collect()
    }
}

impl Figures {
    /// Returns the figures of each job's directions that did any I/O, in order.
    ///
    /// # Errors
    /// When the run or a job failed, or none did any I/O; a figure that nothing can have.
    pub fn of(report: &Report) -> Result<Vec<Self>> {
        if let Some(reason) = result::failure(report) {
            bail!("the run failed: {reason}");
        }
        let global = &report.global_options;
        ensure!(
            global.len() <= GLOBAL_OPTIONS_MAX,
            "{} options for all jobs, of at most {GLOBAL_OPTIONS_MAX}",
            global.len()
        );
        let global = facts(global);
        let mut costs = costs::of_jobs(report)?.into_iter();
        let mut all = Vec::new();
        for (index, job) in report.jobs.iter().enumerate() {
            let mut costs = costs.next().flatten();
            let mut over_time = job.ringmark.as_ref().and_then(|extra| extra.over_time.clone());
            let count = job.options.len();
            ensure!(
                count <= OPTIONS_MAX,
                "job {} has {count} options, of at most {OPTIONS_MAX}",
                job.jobname
            );
            ensure!(job.error == 0, "job {} ended with error {}", job.jobname, job.error);
            let mixed = job.mixed.as_deref().map(|side| ("mixed", side));
            let sides = job.sides().into_iter().chain(mixed);
            let sides = sides.filter(|(_, side)| side.total_ios != 0);
            for (direction, side) in sides {
                let figures = Self::read(&global, job, direction, side)?;
                let (costs, over_time) = (costs.take(), over_time.take());
                all.push(Self { index, costs, over_time, ..figures });
            }
        }
        ensure!(!report.jobs.is_empty(), "no job did any I/O that fio tells of; leave stats=0 out");
        ensure!(!all.is_empty(), "no job did any I/O");
        Ok(all)
    }

    fn read(global: &Facts, job: &JobReport, direction: &'static str, side: &Side) -> Result<Self> {
        let clat = &side.clat_ns;
        let extra = job.ringmark.as_ref();
        let is_measured = |lat: &&Latency| lat.count != 0 || lat.mean != 0.0;
        let measured = [&side.lat_ns, clat].into_iter().find(is_measured);
        let mean_ns = measured.map(|lat| lat.mean);
        let stolen = extra.and_then(|extra| extra.stolen_ns.zip(extra.stolen_percent));
        // fio's is of a runtime in whole milliseconds.
        let exact = extra.and_then(|extra| extra.side(direction));
        let iops = exact.map_or(side.iops, |exact| exact.iops);
        let open = extra.and_then(|extra| extra.open_loop.as_ref()?.side(direction));
        for (name, value) in [
            ("IOPS", iops),
            ("latency from due times", open.map_or(0.0, |open| open.lat_ns.mean)),
            ("mean latency", mean_ns.unwrap_or_default()),
            ("stolen time", stolen.map_or(0.0, |s| s.1)),
        ] {
            ensure!(PLAUSIBLE.contains(&value), "{value:e} is no {name}, job {}", job.jobname);
        }
        let flags = extra.map(|extra| extra.all_flags()).unwrap_or_default();
        ensure!(
            flags.iter().flat_map(Flag::numbers).all(|number| PLAUSIBLE.contains(&number)),
            "a flag has a size that nothing has, job {}",
            job.jobname
        );
        let percentile = |(of, ns): &(String, u64)| Some((of.parse().ok()?, *ns as f64));
        let is_share = |(of, _): &(f64, f64)| (0.0..=100.0).contains(of);
        let percentiles = clat.percentile.iter().filter_map(percentile).filter(is_share);
        Ok(Self {
            job: job.jobname.clone(),
            index: 0,
            direction,
            group: job.groupid,
            iops,
            bytes_per_second: side.bw_bytes as f64,
            mean_ns,
            percentiles: percentiles.collect(),
            bins: clat.bins.iter().map(|&(ns, count)| (ns as f64, count)).collect(),
            options: options(global, job),
            disks: extra.map(|extra| extra.disks.clone()).unwrap_or_default(),
            members: extra.map_or(1, |extra| extra.members.max(1)),
            grants: extra.map(|extra| extra.grants.clone()).unwrap_or_default(),
            kept: extra.and_then(|extra| extra.backend_pages_kept.zip(extra.pages_used)),
            stolen,
            steadiness: extra.and_then(|extra| extra.steadiness.clone()),
            over_time: None,
            flags,
            due_p99_ns: open.and_then(|open| open.lat_ns.percentile_ns(99.0)).map(|ns| ns as f64),
            costs: None,
        })
    }

    /// Returns the mean IOPS of this one run with its error, of the windows by which it is steady.
    /// `None` if it is not, or has two directions: then it is not known of each.
    pub fn steady_mean(&self) -> Option<Mean> {
        let Steadiness { verdict, iops_mean, iops_half_width, effective_samples, .. } =
            *self.steadiness.as_ref()?;
        let is_mixed = self.options.get("rw").is_some_and(|rw| rw.contains("rw"));
        let is_known = verdict == Verdict::Steady && !is_mixed && iops_mean > 0.0;
        let half_width = iops_half_width.filter(|width| is_known && *width >= 0.0)?;
        Some(Mean { mean: iops_mean, half_width, effective: effective_samples })
    }

    /// Number of I/Os that the job kept in flight (`iodepth=`), at least 1.
    pub fn iodepth(&self) -> u32 {
        let depth = self.options.get("iodepth").and_then(|text| parse_bytes(text).ok());
        depth.and_then(|depth| depth.try_into().ok()).unwrap_or(1).max(1)
    }

    /// The latency that so many per cent of the I/Os did not exceed, in nanoseconds, if the report
    /// tells.
    pub fn percentile_ns(&self, percent: f64) -> Option<f64> {
        let found = self.percentiles.iter().find(|(of, _)| (of - percent).abs() < 1e-6);
        found.map(|&(_, ns)| ns)
    }
}

/// Returns the options of a job, with fio's defaults for those that say what it is.
fn options(global: &Facts, job: &JobReport) -> Facts {
    let defaults = [("rw", "read"), ("bs", "4k"), ("iodepth", "1")];
    let mut all: Facts = defaults.map(|(name, value)| (name.into(), value.into())).into();
    all.extend(global.iter().map(|(name, value)| (Rc::clone(name), Rc::clone(value))));
    all.extend(facts(&job.options));
    all.extend(job.hostname.as_deref().map(|host| ("hostname".into(), host.into())));
    all
}

/// Reads options, by the first of their names.
fn facts(options: &[(String, String)]) -> Facts {
    let first_name = |name: &str| match name {
        "readwrite" => "rw".into(),
        "blocksize" => "bs".into(),
        _ => name.into(),
    };
    options.iter().map(|(name, value)| (first_name(name), value.as_str().into())).collect()
}

/// A report of one job that reads, for tests.
#[cfg(test)]
pub fn sample(job: &str, grants: Option<&str>, iops: f64) -> Report {
    use results::{Extra, Run};

    let lat = Latency { mean: 2000.0, count: 9, ..Latency::default() };
    let percentile = [("50.000000", 1500), ("99.000000", 4096)];
    let percentile = percentile.map(|(of, ns)| (of.to_owned(), ns)).into_iter().collect();
    let bins = [(1500, 8), (4096, 1)].into_iter().collect();
    let read = Side {
        total_ios: 9,
        iops,
        bw_bytes: (iops * 4096.0) as u64,
        clat_ns: Latency { percentile, bins, ..lat.clone() },
        lat_ns: lat,
        ..Side::default()
    };
    let extra = grants.map(|grants| Extra { grants: grants.to_owned(), ..Extra::default() });
    let options = [("iodepth".to_owned(), "8".to_owned())].into_iter().collect();
    let jobname = job.to_owned();
    let job = JobReport { jobname, options, read, ringmark: extra, ..JobReport::default() };
    Report {
        version: if grants.is_some() { "ringmark-1" } else { "fio-3.33" }.to_owned(),
        jobs: vec![job],
        ringmark: grants.map(|_| Run { ok: true, ..Run::default() }),
        ..Report::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::{Extra, OpenLoop, OpenSide, Run};

    #[test]
    fn sides_that_did_something_are_read() {
        let all = Figures::of(&sample("a", Some("persistent"), 4.5)).unwrap();
        let [figures] = &all[..] else { panic!("{all:?}") };
        assert_eq!((figures.direction, figures.iops, figures.mean_ns), ("read", 4.5, Some(2000.0)));
        assert_eq!(figures.percentiles, [(50.0, 1500.0), (99.0, 4096.0)]);
        assert_eq!(figures.bins, [(1500.0, 8), (4096.0, 1)]);
        assert_eq!(
            (figures.percentile_ns(99.0), figures.percentile_ns(98.0)),
            (Some(4096.0), None)
        );
        assert_eq!((figures.iodepth(), figures.grants.as_str()), (8, "persistent"));
    }

    #[test]
    fn options_are_those_of_the_job_before_those_of_all() {
        let mut report = sample("a", None, 1.0);
        report.global_options.0.push(("blocksize".to_owned(), "8k".to_owned()));
        report.global_options.0.push(("iodepth".to_owned(), "2".to_owned()));
        let all = Figures::of(&report).unwrap();
        let found: Vec<_> = all[0].options.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(found, ["bs=8k", "iodepth=8", "rw=read"]);
        for (text, depth) in
            [("0", 1), ("-1", 1), ("4294967296", 1), ("64", 64), ("1k", 1024), ("0x10", 16)]
        {
            report.jobs[0].options.0 = vec![("iodepth".to_owned(), text.to_owned())];
            assert_eq!(Figures::of(&report).unwrap()[0].iodepth(), depth, "{text}");
        }
    }

    #[test]
    fn no_job_has_hundreds_of_options() {
        let options = |count| (0..count).map(|n| (format!("o{n}"), String::new())).collect();
        for (own, global, is_good) in
            [(128, 64, true), (129, 0, false), (0, 65, false), (2048, 2048, false)]
        {
            let mut report = sample("a", None, 1.0);
            (report.jobs[0].options, report.global_options) = (options(own), options(global));
            assert_eq!(Figures::of(&report).is_ok(), is_good, "{own}, {global}");
        }
    }

    #[test]
    fn what_nobody_measures_is_refused() {
        for value in [-1.0, 1e300, f64::NAN, f64::INFINITY] {
            let (mut iops, mut mean) = (sample("a", None, 1.0), sample("a", None, 1.0));
            iops.jobs[0].read.iops = value;
            mean.jobs[0].read.lat_ns.mean = value;
            for (report, name) in [(iops, "IOPS"), (mean, "mean latency")] {
                let error = Figures::of(&report).unwrap_err().to_string();
                assert!(error.ends_with(&format!("is no {name}, job a")), "{error}");
            }
        }
        let mut report = sample("a", None, 1.0);
        for percent in ["nan", "inf", "-1", "1e9"] {
            report.jobs[0].read.clat_ns.percentile.0.push((percent.to_owned(), 1));
        }
        assert_eq!(Figures::of(&report).unwrap()[0].percentiles.len(), 2);
    }

    #[test]
    fn the_worst_run_is_marked() {
        let run = |kept, percent| {
            let mut report = sample("a", Some("persistent"), 1.0);
            report.jobs[0].ringmark = Some(Extra {
                backend_pages_kept: Some(kept),
                pages_used: Some(40),
                stolen_ns: Some(5),
                stolen_percent: Some(percent),
                ..Extra::default()
            });
            Figures::of(&report).unwrap().remove(0)
        };
        let good = [run(40, 0.5), run(40, 1.0)];
        assert_eq!(Doubts::about(good.iter()).marks(), [""; 0]);
        let bad = [run(40, 0.0), run(9, 7.5), run(20, 80.0)];
        let doubts = Doubts::about(bad.iter());
        assert_eq!((doubts.kept, doubts.stolen), (Some((9, 40)), Some((5, 80.0))));
        assert_eq!(doubts.marks().len(), 2);
        let fios = Figures::of(&sample("a", None, 1.0)).unwrap();
        assert_eq!(Doubts::about(fios.iter()), Doubts::default());
    }

    #[test]
    fn a_disk_that_does_not_keep_up_is_marked() {
        let run = |backlog| {
            let mut report = sample("a", Some("persistent"), 1.0);
            let read = Some(OpenSide { due: 1000, backlog, ..OpenSide::default() });
            let open_loop = Some(OpenLoop { read, ..OpenLoop::default() });
            report.jobs[0].ringmark = Some(Extra { open_loop, ..Extra::default() });
            Figures::of(&report).unwrap().remove(0)
        };
        assert_eq!(Doubts::about([run(0), run(10)].iter()).marks(), [""; 0]);
        let marks = Doubts::about([run(0), run(11), run(5)].iter()).marks();
        assert!(marks[0].starts_with("11 of 1000 I/Os that were due"), "{marks:?}");
    }

    #[test]
    fn what_failed_has_no_figures() {
        let mut report = sample("a", None, 1.0);
        report.ringmark = Some(Run { error: Some("no xvdz".to_owned()), ..Run::default() });
        assert_eq!(Figures::of(&report).unwrap_err().to_string(), "the run failed: no xvdz");
        report.ringmark = None;
        report.jobs[0].error = 5;
        assert!(Figures::of(&report).unwrap_err().to_string().contains("a ended with error 5"));
        report.jobs.clear();
        let none = Figures::of(&report).unwrap_err().to_string();
        assert_eq!(none, "no job did any I/O that fio tells of; leave stats=0 out");
        let mut report = sample("a", None, 1.0);
        report.jobs[0].read.total_ios = 0;
        assert_eq!(Figures::of(&report).unwrap_err().to_string(), "no job did any I/O");
    }
}
