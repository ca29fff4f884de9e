//! `--costs`: costs of an I/O that were counted elsewhere, for jobs that run here.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use anyhow::Result;
use fio_job::number::parse_bytes;
use results::{CostReport, JobReport, Report, Run};

use crate::costs::Counted;
use crate::display;
use crate::exit::Exit;
use crate::figures::Figures;
use crate::report::load::Data;
use crate::saved::System;

/// Options that cannot change what an I/O costs: names, amounts, seeds, and what is printed.
const NEUTRAL: [&str; 17] = [
    "name",
    "description",
    "runtime",
    "timeout",
    "time_based",
    "ramp_time",
    "size",
    "io_size",
    "io_limit",
    "number_ios",
    "loops",
    "stonewall",
    "wait_for_previous",
    "randseed",
    "randrepeat",
    "percentile_list",
    "group_reporting",
];

/// Work of a job: all that can make its costs, by name.
type Work = BTreeMap<Rc<str>, Rc<str>>;

/// A job that ran on a system.
#[derive(Debug)]
struct Job {
    /// Number in its report.
    index: usize,
    system: System,
    work: Work,
    /// Work of all jobs that ran together with it, and its own.
    together: Rc<[Work]>,
    costs: Option<Counted>,
}

/// Jobs with costs.
#[derive(Debug)]
pub struct CountedJobs {
    jobs: Vec<Job>,
    /// Name of their file.
    file: String,
}

impl CountedJobs {
    /// Reads the costs in a file of results.
    ///
    /// # Errors
    /// [`Exit::Usage`]: a file that can't be read, or has no costs.
    pub fn read(path: &Path) -> Result<Self> {
        let mut data = Data::default();
        data.add(path).map_err(|error| Exit::Usage(format!("--costs: {error:#}")))?;
        let all = data.runs.iter().flat_map(|run| jobs(run.system, &run.figures));
        let jobs: Vec<Job> = all.filter(|job| job.costs.is_some()).collect();
        let file = display::text(&path.to_string_lossy());
        if jobs.is_empty() {
            return Err(Exit::Usage(format!("--costs: no result in {file} has costs")).into());
        }
        Ok(Self { jobs, file })
    }

    /// Puts the costs of the same jobs on the same system into a report. Returns a line for each
    /// job that has none.
    ///
    /// # Errors
    /// Those of [`Figures::of`].
    pub fn attach(&self, system: System, report: &mut Report) -> Result<Vec<String>> {
        let own = jobs(system, &Figures::of(report)?);
        let find = |index: usize| {
            let job = own.iter().find(|job| job.index == index)?;
            self.jobs.iter().find(|known| known.is_same(job))?.costs.as_ref()
        };
        let found: Vec<_> = (0..report.jobs.len()).map(find).collect();
        let unknown = report.jobs.iter().zip(&found).filter(|(_, of)| of.is_none());
        let line = |(job, _): (&JobReport, _)| {
            let job = display::text(&job.jobname);
            format!("{} has no costs of job {job} on {}\n", self.file, system.title())
        };
        let unknown = unknown.map(line).collect();
        let Some(first) = found.iter().find_map(|of| *of) else { return Ok(unknown) };
        let from = format!("{}, in {}", first.from, self.file);
        let jobs = found.iter().map(|of| of.map(|of| of.costs)).collect();
        let run = report.ringmark.get_or_insert_with(|| Run { ok: true, ..Run::default() });
        run.costs = Some(CostReport { from, jobs });
        Ok(unknown)
    }
}

impl Job {
    fn is_same(&self, other: &Self) -> bool {
        self.system == other.system && self.work == other.work && self.together == other.together
    }
}

/// Returns the jobs of a run.
fn jobs(system: System, figures: &[Figures]) -> Vec<Job> {
    let mut all = Vec::new();
    for group in figures.chunk_by(|one, next| one.group == next.group) {
        // A job in both directions has its costs with the first.
        let firsts =
            || group.chunk_by(|one, next| one.index == next.index).filter_map(<[_]>::first);
        let together: Rc<[Work]> = firsts().map(work).collect();
        let job = |(of, work): (&Figures, &Work)| Job {
            index: of.index,
            system,
            work: work.clone(),
            together: Rc::clone(&together),
            costs: of.costs.clone(),
        };
        all.extend(firsts().zip(&*together).map(job));
    }
    all
}

fn work(of: &Figures) -> Work {
    let is_ours = !of.grants.is_empty();
    // Our guest has no engines, whatever its job says.
    let is_neutral = |name: &str| NEUTRAL.contains(&name) || is_ours && name == "ioengine";
    let options = of.options.iter().filter(|(name, _)| !is_neutral(name));
    let mut work: Work = [("numjobs".into(), "1".into())].into();
    work.extend(options.map(|(name, text)| (Rc::clone(name), value(name, text))));
    work.insert("grants".into(), of.grants.as_str().into());
    work.insert("members".into(), of.members.to_string().into());
    work
}

/// Returns an option's value in one way of several to write it.
fn value(name: &str, text: &Rc<str>) -> Rc<str> {
    match name {
        "filename" => text.replace("/dev/", "").into(),
        _ if text.is_empty() => "1".into(),
        _ => parse_bytes(text).map_or_else(|_| Rc::clone(text), |bytes| bytes.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use results::{Costs, Owners};

    use super::*;
    use crate::figures::sample;

    const OURS: System = System::Ringmark;
    const LINUX: System = System::Linux;
    type Options<'a> = &'a [(&'a str, &'a str)];

    /// A report of a job of this system with these options.
    fn report(system: System, options: Options<'_>) -> Report {
        let mut report = sample("a", (system == System::Ringmark).then_some("persistent"), 1.0);
        let options = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        report.jobs[0].options = options.collect();
        report
    }

    fn costs(guest: f64) -> Costs {
        Costs { owners: Owners { guest, xen: 1.0, dom0: 1.0 }, ..Costs::default() }
    }

    fn counted(all: impl IntoIterator<Item = (System, Report, f64)>) -> CountedJobs {
        let read = |(system, mut report, guest): (_, Report, _)| {
            let jobs = report.jobs.iter().map(|_| Some(costs(guest))).collect();
            let run = report.ringmark.get_or_insert_with(|| Run { ok: true, ..Run::default() });
            run.costs = Some(CostReport { from: "c".into(), jobs });
            report.jobs.iter_mut().for_each(|job| job.jobname = "another".into());
            jobs_of(system, &report)
        };
        CountedJobs { jobs: all.into_iter().flat_map(read).collect(), file: "f".into() }
    }

    fn jobs_of(system: System, report: &Report) -> Vec<Job> {
        jobs(system, &Figures::of(report).unwrap())
    }

    /// The guest's costs of each job, as far as they are known.
    fn found(known: &CountedJobs, system: System, mut report: Report) -> Vec<Option<f64>> {
        let unknown = known.attach(system, &mut report).unwrap();
        let all = report.ringmark.and_then(|run| run.costs);
        let none = || report.jobs.iter().map(|_| None).collect();
        let guests: Vec<Option<f64>> = all.map_or_else(none, |all| {
            assert_eq!(all.from, "c, in f");
            all.jobs.iter().map(|of| of.map(|of| of.owners.guest)).collect()
        });
        assert_eq!(unknown.len(), guests.iter().filter(|of| of.is_none()).count());
        guests
    }

    #[test]
    fn costs_are_those_of_the_same_work_on_the_same_system() {
        const DEEP: [(&str, &str); 2] = [("bs", "4k"), ("iodepth", "32")];
        fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
            [&DEEP[..], more].concat()
        }
        fn engine(name: &str) -> Vec<(&str, &str)> {
            with(&[("ioengine", name), ("filename", "/dev/xvda")])
        }
        let known = counted([
            (OURS, report(OURS, &with(&[("ioengine", "libaio"), ("runtime", "1")])), 10.0),
            (OURS, report(OURS, &[("bs", "4k"), ("iodepth", "1")]), 20.0),
            (LINUX, report(LINUX, &engine("libaio")), 30.0),
            (LINUX, report(LINUX, &engine("io_uring")), 40.0),
            (LINUX, report(LINUX, &with(&[("norandommap", "")])), 50.0),
        ]);
        let found =
            |system, options: Options<'_>| found(&known, system, report(system, options))[0];
        assert_eq!(found(OURS, &[("blocksize", "4096"), DEEP[1]]), Some(10.0));
        assert_eq!(found(OURS, &with(&[("size", "1g"), ("time_based", "1")])), Some(10.0));
        assert_eq!(found(OURS, &[]), Some(20.0), "fio's defaults");
        assert_eq!(found(LINUX, &engine("io_uring")), Some(40.0));
        assert_eq!(
            found(LINUX, &with(&[("ioengine", "libaio"), ("filename", "xvda")])),
            Some(30.0)
        );
        assert_eq!(found(LINUX, &with(&[("norandommap", "1"), ("numjobs", "1")])), Some(50.0));
        assert_eq!(found(LINUX, &engine("sync")), None);
        for other in [
            ("bs", "8k"),
            ("rw", "write"),
            ("rate_iops", "100"),
            ("verify", "crc32c"),
            ("numjobs", "2"),
            ("filename", "/dev/xvda:/big"),
            ("ringmark_poll_us", "0"),
        ] {
            assert_eq!(found(OURS, &with(&[other])), None, "{other:?}");
        }
        let mut other = report(OURS, &DEEP);
        other.jobs[0].ringmark.as_mut().unwrap().grants = "per-request".into();
        let mut lines = known.attach(OURS, &mut other).unwrap();
        assert_eq!(other.ringmark.unwrap().costs, None);
        assert_eq!(lines.pop().as_deref(), Some("f has no costs of job a on ringmark\n"));
    }

    #[test]
    fn jobs_of_one_name_have_their_own_costs() {
        let mut two = report(OURS, &[]);
        two.jobs.extend(report(OURS, &[("iodepth", "32")]).jobs);
        two.jobs[1].groupid = 1;
        let shallow = (OURS, report(OURS, &[]), 1.0);
        let known = counted([shallow.clone(), (OURS, report(OURS, &[("iodepth", "32")]), 32.0)]);
        assert_eq!(found(&known, OURS, two.clone()), [Some(1.0), Some(32.0)]);
        assert_eq!(found(&counted([shallow]), OURS, two.clone()), [Some(1.0), None]);
        two.jobs[1].groupid = 0;
        assert_eq!(found(&known, OURS, two.clone()), [None, None], "they ran together");
        assert_eq!(found(&counted([(OURS, two.clone(), 5.0)]), OURS, two), [Some(5.0); 2]);
    }
}
