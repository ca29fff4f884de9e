//! `check`: whether a guest takes jobs, and what it would run. It needs no guest, and no Xen.

mod showcmd;
mod tally;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use fio_job::{Checked, Job, Warning, check_file};

use crate::display;
use crate::exit::{self, Exit};
use crate::fio_options::FioOptions;
use crate::job::{self, At, Fault, JobText, Machine};
use crate::plan::Plan;
use crate::status::{eprint_line, warn};
use crate::stdout;
use tally::{Tally, blocker};

const EXAMPLES: &str = "\
Examples:
  ringmark check *.fio                       as what fio would run each, and what is wrong
  BS=4k ringmark check job.fio               a job with ${BS}
  ringmark check - --quiet < job.fio         only what is wrong
  ringmark check --summary jobs/             how many are taken, and what refuses the others
  ringmark check -- --name=a --rw=read --bs 4k
";

/// Check jobs as a guest would, and print what would run as fio --showcmd does
#[derive(Args, Debug)]
#[command(after_long_help = format!("{EXAMPLES}\n{}", exit::help(exit::CHECK)))]
#[command(override_usage = "ringmark check [OPTIONS] [JOB]... [-- <OPTION=VALUE>...]")]
pub struct Check {
    /// Job files in fio's format, directories of files *.fio, or - for standard input; without one,
    /// the options after -- define the jobs
    #[arg(value_name = "JOB")]
    jobs: Vec<PathBuf>,
    /// Number of vCPUs of the guest: $ncpus
    #[arg(long, value_name = "COUNT", default_value_t = Machine::default().vcpus)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=128))]
    vcpus: u32,
    /// Memory of the guest, in MiB: $mb_memory
    #[arg(long, value_name = "MIB", default_value_t = Machine::default().memory_mib)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    memory: u32,
    #[command(flatten)]
    fio: FioOptions,
    /// Print only what is wrong
    #[arg(long, short)]
    quiet: bool,
    /// Print how many job files are taken, and what refuses the others, the most frequent first
    #[arg(long)]
    summary: bool,
    /// Options as on fio's command line: defaults for the job files, or the jobs themselves
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

/// Why a job file is refused.
struct Refusal {
    fault: Fault,
    blocker: String,
}

impl Check {
    /// Checks all jobs and prints what would run.
    ///
    /// # Errors
    /// [`Exit::Usage`]: jobs that are refused, or none; [`Exit::Output`].
    pub fn run(&self) -> Result<()> {
        if let Some(answer) = crate::options::answer(&self.options)? {
            return stdout::print(&answer);
        }
        if self.jobs.is_empty() {
            let jobs = of_options(&self.fio, &self.options)?;
            return self.show(&[showcmd::line(&jobs)]);
        }
        let machine = Machine { vcpus: self.vcpus, memory_mib: self.memory };
        let (mut tally, mut shown) = (Tally::default(), Vec::new());
        for path in files(&self.jobs)? {
            let job = job::located(&path, &self.options, self.fio.wanted(machine))?;
            match job.map_err(Refusal::of_fault).and_then(|job| self.jobs_of(&job)) {
                Ok(jobs) => {
                    tally.take();
                    shown.push(showcmd::line(&jobs));
                }
                Err(Refusal { fault, blocker }) => {
                    eprint_line(&fault.with_kind("error"));
                    tally.refuse(blocker, &fault.what);
                }
            }
        }
        match self.summary {
            true => stdout::print(&tally.text())?,
            false => self.show(&shown)?,
        }
        match (tally.refused(), tally.all()) {
            (0, _) => Ok(()),
            (1, 1) => Err(Exit::Usage("the job file is refused".to_owned()).into()),
            (refused, all) => {
                Err(Exit::Usage(format!("{refused} of {all} job files are refused")).into())
            }
        }
    }

    /// Returns the jobs of a file, and shows the warnings about them.
    fn jobs_of(&self, text: &JobText) -> Result<Vec<Job>, Refusal> {
        let refused = |error| Refusal { fault: text.fault_of(&error), blocker: blocker(&error) };
        let Checked { jobs, warnings } = check_file(text.as_str()).map_err(refused)?;
        let fault = |error| Refusal::of_fault(text.fault_at(0, &format!("{error:#}")));
        self.fio.check(&jobs).map_err(fault)?;
        let fault = |of: &Warning| text.fault_at(of.line.unwrap_or(0), &of.about.to_string());
        match warnings.first() {
            Some(first) if self.fio.are_warnings_fatal() => {
                Err(Refusal { fault: fault(first), blocker: "a warning".to_owned() })
            }
            _ => {
                let shown = warnings.iter().filter(|_| !self.summary);
                shown.for_each(|warning| eprint_line(&fault(warning).with_kind("warning")));
                Ok(jobs)
            }
        }
    }

    fn show(&self, lines: &[String]) -> Result<()> {
        match self.quiet {
            true => Ok(()),
            false => {
                stdout::print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
            }
        }
    }
}

impl Refusal {
    /// A file with a fault in it that is not about an option.
    fn of_fault(fault: Fault) -> Self {
        let blocker = if fault.at == At::File { "file" } else { "line" };
        Self { blocker: blocker.to_owned(), fault }
    }
}

/// Returns the jobs that options make, as a guest reads them on its command line.
fn of_options(fio: &FioOptions, options: &[String]) -> Result<Vec<Job>> {
    if options.is_empty() {
        let why = "nothing to check; name a job file, or options after --";
        return Err(Exit::Usage(why.to_owned()).into());
    }
    let line = job::command_line(options)?;
    let plan = Plan::of_line(&line, &[])?;
    fio.check(plan.jobs())?;
    fio.check_warnings(plan.warnings())?;
    warn(plan.warnings());
    Ok(plan.jobs().to_vec())
}

/// Returns the files, those of directories by their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if job::is_stdin(path) || !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let cannot = || Exit::Usage(format!("cannot read {}", display::path(path)));
        let entries = fs::read_dir(path).with_context(cannot)?;
        let is_job = |path: &PathBuf| path.extension().is_some_and(|end| end == "fio");
        let found = entries.map(|entry| Ok(entry.with_context(cannot)?.path()));
        let mut found: Vec<PathBuf> = found.collect::<Result<_>>()?;
        found.retain(is_job);
        found.sort_unstable();
        if found.is_empty() {
            let what = format!("{} has no files *.fio", display::path(path));
            return Err(Exit::Usage(what).into());
        }
        all.extend(found);
    }
    Ok(all)
}

/// Prints the jobs of another command as a command line of fio, or only checks them.
///
/// # Errors
/// [`Exit::Usage`]: the first thing that is wrong with them; [`Exit::Output`].
pub fn tell(
    fio: &FioOptions,
    path: Option<&Path>,
    options: &[String],
    machine: Machine,
) -> Result<()> {
    let jobs = match path {
        Some(_) => fio.plan(&fio.job(path, options, machine)?)?.jobs().to_vec(),
        None => of_options(fio, options)?,
    };
    if fio.is_shown() { stdout::print(&(showcmd::line(&jobs) + "\n")) } else { Ok(()) }
}
