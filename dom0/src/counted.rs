//! `--costs`: costs of an I/O that were counted elsewhere, for jobs that run here.

use std::path::Path;

use anyhow::Result;
use fio_job::number::parse_bytes;
use results::{CostReport, Report, Run};

use crate::display;
use crate::exit::Exit;
use crate::figures::Figures;
use crate::report::load::Data;
use crate::saved::System;

/// Jobs with costs.
#[derive(Debug)]
pub struct CountedJobs {
    jobs: Vec<(System, Figures)>,
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
        let runs = data.runs.into_iter();
        let all = runs.flat_map(|run| run.figures.into_iter().map(move |of| (run.system, of)));
        let jobs: Vec<_> = all.filter(|(_, of)| of.costs.is_some()).collect();
        let file = display::text(&path.to_string_lossy());
        if jobs.is_empty() {
            return Err(Exit::Usage(format!("--costs: no result in {file} has costs")).into());
        }
        Ok(Self { jobs, file })
    }

    /// Puts the costs of the same jobs on the same system into a report.
    ///
    /// # Errors
    /// Those of [`Figures::of`].
    pub fn attach(&self, system: System, report: &mut Report) -> Result<()> {
        let all = Figures::of(report)?;
        let find = |job: &results::JobReport| {
            let own = all.iter().find(|own| own.job == job.jobname)?;
            let same = self.jobs.iter().find(|(of, known)| *of == system && is_same(known, own));
            same?.1.costs.as_ref()
        };
        let found: Vec<_> = report.jobs.iter().map(find).collect();
        let Some(first) = found.iter().find_map(|of| *of) else { return Ok(()) };
        let from = format!("{}, in {}", first.from, self.file);
        let jobs = found.iter().map(|of| of.map(|of| of.costs)).collect();
        let run = report.ringmark.get_or_insert_with(|| Run { ok: true, ..Run::default() });
        run.costs = Some(CostReport { from, jobs });
        Ok(())
    }

    /// Returns what to say if none of the jobs is among them.
    pub fn unknown(&self) -> String {
        format!("{} has no costs of these jobs on these systems\n", self.file)
    }
}

/// Returns whether two jobs do the same work in the same way, as far as it makes their costs.
fn is_same(one: &Figures, other: &Figures) -> bool {
    let value = |of: &Figures, name: &str| {
        let text = of.options.get(name).map(|text| &**text)?;
        Some(parse_bytes(text).map_or_else(|_| text.to_owned(), |number| number.to_string()))
    };
    // Our guest has no engines, whatever its job says.
    let names = if one.grants.is_empty() {
        &["rw", "bs", "iodepth", "ioengine"][..]
    } else {
        &["rw", "bs", "iodepth"]
    };
    one.direction == other.direction
        && one.grants == other.grants
        && names.iter().all(|name| value(one, name) == value(other, name))
}

#[cfg(test)]
mod tests {
    use results::{Costs, Owners};

    use super::*;
    use crate::figures::sample;

    /// A report of a job of this system with these options.
    fn report(system: System, options: &[(&str, &str)]) -> Report {
        let mut report = sample("a", (system == System::Ringmark).then_some("persistent"), 1.0);
        let options = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        report.jobs[0].options = options.collect();
        report
    }

    fn known(system: System, options: &[(&str, &str)], guest: f64) -> (System, Figures) {
        let mut report = report(system, options);
        let costs = Costs { owners: Owners { guest, xen: 1.0, dom0: 1.0 }, ..Costs::default() };
        let run = report.ringmark.get_or_insert_with(|| Run { ok: true, ..Run::default() });
        run.costs = Some(CostReport { from: "c".into(), jobs: vec![Some(costs)] });
        report.jobs[0].jobname = "another".into();
        (system, Figures::of(&report).unwrap().remove(0))
    }

    #[test]
    fn costs_are_those_of_the_same_work_on_the_same_system() {
        const OURS: System = System::Ringmark;
        const LINUX: System = System::Linux;
        let jobs = vec![
            known(OURS, &[("bs", "4k"), ("iodepth", "32"), ("ioengine", "libaio")], 10.0),
            known(OURS, &[("bs", "4k"), ("iodepth", "1")], 20.0),
            known(LINUX, &[("bs", "4k"), ("iodepth", "32"), ("ioengine", "libaio")], 30.0),
            known(LINUX, &[("bs", "4k"), ("iodepth", "32"), ("ioengine", "io_uring")], 40.0),
        ];
        let jobs = CountedJobs { jobs, file: "f".into() };
        let found = |system, options: &[(&str, &str)]| {
            let mut report = report(system, options);
            jobs.attach(system, &mut report).unwrap();
            let costs = report.ringmark.and_then(|run| run.costs)?;
            assert_eq!(costs.from, "c, in f");
            costs.jobs[0].map(|of| of.owners.guest)
        };
        let deep = [("bs", "4096"), ("iodepth", "32")];
        assert_eq!(found(OURS, &deep), Some(10.0));
        assert_eq!(found(OURS, &[]), Some(20.0), "fio's defaults");
        assert_eq!(found(OURS, &[("bs", "8k"), deep[1]]), None);
        assert_eq!(found(OURS, &[("rw", "write"), deep[1]]), None);
        assert_eq!(found(LINUX, &[deep[1], ("ioengine", "io_uring")]), Some(40.0));
        assert_eq!(found(LINUX, &[deep[1], ("ioengine", "libaio")]), Some(30.0));
        assert_eq!(found(LINUX, &[deep[1], ("ioengine", "sync")]), None);
        let mut other = report(OURS, &deep);
        other.jobs[0].ringmark.as_mut().unwrap().grants = "per-request".into();
        jobs.attach(OURS, &mut other).unwrap();
        assert_eq!(other.ringmark.unwrap().costs, None);
    }
}
