//! A cell of the grid: a guest and its job, of which everything is checked that can be before the
//! first guest is made.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use fio_job::Job;
use results::{Extra, JobReport, Origin, Pairs, Report};
use xl_config::Config;

use super::file::{Axis, CellRun};
use super::grid::shown;
use crate::display;
use crate::dry_run;
use crate::exit::Exit;
use crate::figures::Figures;
use crate::plan::Plan;

/// A cell of the grid.
#[derive(Debug)]
pub struct Cell {
    /// Value on each axis.
    pub at: Vec<String>,
    /// Guest.
    pub config: Config,
    /// Job that it is given.
    pub job: String,
    /// The same, as the guest reads it.
    pub plan: Plan,
    /// Origin of its results, as far as it is known before.
    pub origin: Origin,
}

/// Checks that no two cells are the same: values that mean the same, or an option of the job that
/// decides in place of an axis, would make a difference of what is chance.
///
/// # Errors
/// [`Exit::Usage`]: the first two.
pub fn check_distinct(cells: &[Cell], axes: &[Axis]) -> Result<()> {
    let mut known = BTreeMap::new();
    for cell in cells {
        let key = (dry_run::jobs(cell.plan.jobs()), cell.config.text()?);
        let Some(Cell { at, .. }) = known.insert(key, cell) else { continue };
        let differ = axes.iter().zip(at.iter().zip(&cell.at)).filter(|(_, (a, b))| a != b);
        let differ = differ.map(|(axis, (a, b))| format!("--vary {}: {a} and {b}", axis.name));
        let differ = display::text(&differ.collect::<Vec<_>>().join(", "));
        let cells = [at, &cell.at].map(|at| display::text(&shown(axes, at)));
        let why = format!(
            "{differ} make no difference: {} is the same job in the same guest as {}. They mean \
             the same, or another option of the job decides; leave one of them out",
            cells[1], cells[0]
        );
        return Err(Exit::Usage(why).into());
    }
    Ok(())
}

impl Cell {
    /// Returns the least length of a result of this cell in a file, in bytes.
    pub fn least_bytes(&self) -> usize {
        let text_bytes = |text: serde_json::Result<String>| text.map_or(0, |text| text.len());
        let entry = |jobs: &[Job]| {
            let Some(job) = jobs.first() else { return 0 };
            let entry = JobReport {
                jobname: job.name.clone(),
                options: options(job),
                ringmark: Some(Extra::default()),
                ..JobReport::default()
            };
            text_bytes(serde_json::to_string(&entry))
        };
        let entries = results::reported(self.plan.jobs()).map(|(_, jobs)| entry(jobs));
        entries.sum::<usize>() + text_bytes(serde_json::to_string(&self.origin))
    }

    /// Checks that a result is of all of this cell's jobs, with their options.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn check(&self, report: &Report) -> Result<()> {
        self.plan.check(report)?;
        let planned = results::reported(self.plan.jobs()).filter_map(|(_, jobs)| jobs.first());
        let planned: Vec<&Job> = planned.collect();
        let counts = (report.jobs.len(), planned.len());
        ensure!(counts.0 == counts.1, "it has {} of {} jobs", counts.0, counts.1);
        for (told, planned) in report.jobs.iter().zip(planned) {
            if let Some(what) = difference(planned, &told.options) {
                let name = display::text(&planned.name);
                bail!("job {name}: {what}; use guest and tool of the same version");
            }
        }
        Ok(())
    }

    /// Checks that a run of a file is of this cell.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn check_run(&self, run: &CellRun) -> Result<()> {
        Figures::of(&run.result)?;
        self.check(&run.result)?;
        let origin = run.result.ringmark.as_ref().and_then(|run| run.origin.as_ref());
        let origin = origin.context("it does not tell its origin")?;
        ensure!(origin.job == self.origin.job, "it is of another job file");
        let size = |origin: &Origin| {
            let domain = origin.domain.as_ref();
            domain.map(|domain| (domain.memory_mib, domain.vcpus))
        };
        ensure!(size(origin) == size(&self.origin), "it is of a guest with other memory or vCPUs");
        Ok(())
    }
}

fn options(job: &Job) -> Pairs<String, String> {
    job.options().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns how options of a result differ from those of the job.
fn difference(job: &Job, told: &Pairs<String, String>) -> Option<String> {
    // The guest chooses the disks of a job that names none.
    let is_chosen = |name: &str| name == "filename" && job.disks.is_empty();
    let planned = options(job);
    let other = planned.iter().find(|(name, value)| told.value(name) != Some(value));
    if let Some((name, value)) = other {
        let told = told.value(name).map_or("nothing", String::as_str);
        return Some(format!("{name} is {}, not {value}", display::text(told)));
    }
    let more = told.iter().find(|(name, _)| planned.value(name).is_none() && !is_chosen(name));
    more.map(|(name, _)| format!("{} is not among its options", display::text(name)))
}
