//! Options of fio's own command line that say which jobs run, or whether they do.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use fio_job::Job;

use crate::display;
use crate::exit::Exit;
use crate::job::{self, JobText, Machine, Wanted};
use crate::plan::Plan;

/// Options of fio about the jobs as a whole.
#[derive(Args, Clone, Debug, Default)]
pub struct FioOptions {
    /// Section of the job file to run, besides the global ones; can be repeated
    #[arg(long = "section", value_name = "NAME", value_parser = parse_section)]
    sections: Vec<String>,
    /// Refuse jobs that write or trim
    #[arg(long)]
    readonly: bool,
    /// Take each warning about a job for an error
    #[arg(long)]
    warnings_fatal: bool,
    /// Print the jobs as a command line of fio, and run nothing
    #[arg(long)]
    showcmd: bool,
    /// Check the jobs, and run nothing
    #[arg(long)]
    parse_only: bool,
}

/// Reads the name of a section.
fn parse_section(name: &str) -> Result<String, String> {
    match name.starts_with("global") {
        true => Err("[global] has no job; name a section that has one".to_owned()),
        false => Ok(name.to_owned()),
    }
}

impl FioOptions {
    /// Returns the job file, or the jobs that the options make, for a guest like this.
    ///
    /// # Errors
    /// [`Exit::Usage`]: those of [`job::whole`].
    pub fn job(
        &self,
        path: Option<&Path>,
        options: &[String],
        machine: Machine,
    ) -> Result<JobText> {
        job::whole(path, options, self.wanted(machine))
    }

    /// Returns whether the jobs are only read.
    pub fn only_parses(&self) -> bool {
        self.showcmd || self.parse_only
    }

    /// Returns whether the jobs are shown as a command line of fio.
    pub fn is_shown(&self) -> bool {
        self.showcmd
    }

    /// Returns what is asked of a job file.
    pub fn wanted(&self, machine: Machine) -> Wanted<'_> {
        Wanted { sections: &self.sections, machine }
    }

    /// Returns the jobs of a text, if they may run.
    ///
    /// # Errors
    /// [`Exit::Usage`]: the first thing that is wrong with it.
    pub fn plan(&self, text: &JobText) -> Result<Plan> {
        let plan = text.plan()?;
        self.check(plan.jobs())?;
        self.check_warnings(plan.warnings())?;
        Ok(plan)
    }

    /// Checks that there are no warnings, if they are errors.
    ///
    /// # Errors
    /// [`Exit::Usage`]: there is one, and `--warnings-fatal` is given.
    pub fn check_warnings(&self, warnings: &[String]) -> Result<()> {
        match warnings.first() {
            Some(warning) if self.are_warnings_fatal() => {
                let why = "--warnings-fatal makes it an error; mend the job, or leave that out";
                Err(Exit::Usage(format!("{}; {why}", display::text(warning))).into())
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a warning is an error.
    pub fn are_warnings_fatal(&self) -> bool {
        self.warnings_fatal
    }

    /// Checks that jobs may run.
    ///
    /// # Errors
    /// [`Exit::Usage`]: one writes or trims, and `--readonly` is given.
    pub fn check(&self, jobs: &[Job]) -> Result<()> {
        let changes = |job: &&Job| job.rw.writes() || job.rw.trims();
        match jobs.iter().find(changes) {
            Some(job) if self.readonly => {
                let name = display::text(&job.name);
                let why = format!("job {name} has rw={}, and --readonly is given", job.rw);
                Err(Exit::Usage(format!("{why}; leave one out")).into())
            }
            _ => Ok(()),
        }
    }
}
