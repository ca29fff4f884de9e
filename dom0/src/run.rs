//! `run`: one job on one guest.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow};
use clap::{Args, ValueEnum};
use fio_output::take_logs;
use results::{Origin, Report};
use xl_config::Config;

use crate::check;
use crate::drive::drive;
use crate::dry_run;
use crate::exit::{self, Exit};
use crate::guest::{GuestOptions, checked};
use crate::job;
use crate::kept;
use crate::kvm::{self, KvmOptions};
use crate::logs::LogOutputs;
use crate::options;
use crate::origin;
use crate::output::Output;
use crate::plan::Plan;
use crate::precondition::{Precondition, Preparation};
use crate::print::{Format, print, print_all};
use crate::result::{self, OurReader, first_error};
use crate::saved::{self, Saved, System};
use crate::session::{Order, Session};
use crate::signals::Signals;
use crate::status::{self, Status};
use crate::stdout;

/// Way of the job to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Delivery {
    /// Xenstore, before the guest runs.
    Xenstore,
    /// Boot module (`ramdisk=`): the unchanged file.
    Module,
}

/// Run a job in a guest, and print its result as fio does
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::RUN))]
#[command(override_usage = "ringmark run [OPTIONS] --disk <DISK> [JOB] [-- <OPTION=VALUE>...]")]
pub struct Run {
    /// Job file in fio's format, or - for standard input; without one, the options after -- define
    /// the jobs
    job: Option<PathBuf>,
    #[command(flatten)]
    guest: GuestOptions,
    #[command(flatten)]
    kvm: KvmOptions,
    #[command(flatten)]
    precondition: Precondition,
    /// Way in which the job file is passed to the guest
    #[arg(long, value_enum, value_name = "WAY", default_value = "xenstore")]
    delivery: Delivery,
    /// Number of runs, each in a guest of its own; the spread of their figures is printed
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Leave the domain there after the run, whatever became of it, and print how to remove it
    #[arg(long)]
    keep: bool,
    /// Print xl's configuration or QEMU's command line, the jobs as they are understood and the
    /// limits, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Output format; several are separated by commas
    #[arg(long, value_enum, value_name = "FORMAT", value_delimiter = ',')]
    #[arg(default_value = "normal")]
    output_format: Vec<Format>,
    /// Output file, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Options as on fio's command line: defaults for the job file, or the jobs themselves
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

/// A guest and its work.
struct Task {
    config: Config,
    /// Job file that it is given by xenstore.
    job: Option<String>,
    plan: Plan,
    /// Jobs that run before these, and the plan of all, if there are any.
    before: Option<(Preparation, Plan)>,
    /// Origin of all its results.
    origin: Origin,
}

impl Run {
    /// Runs the job and prints its result.
    ///
    /// # Errors
    /// [`Exit::Usage`]; what kept the guest from a result; what the result says went wrong.
    pub fn run(&self) -> Result<()> {
        if let Some(answer) = options::answer(&self.options)? {
            return stdout::print(&answer);
        }
        if self.guest.only_parse(self.job.as_deref(), &self.options)? {
            return Ok(());
        }
        kept::check(self.keep, self.repeat, "--repeat")?;
        if self.keep && self.kvm.is_wanted() {
            let why =
                "--keep is for xl, not for --kvm, where a guest ends with its QEMU; leave it out";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let task = self.task()?;
        status::warn(task.plan.warnings());
        if self.dry_run {
            // Nothing can be said of a disk that is not there, not even its memory.
            check::jobs_of(&task.config, task.whole().jobs())?;
            self.tell(&task)?;
        }
        check::guest(&task.config, task.whole().jobs(), "--kernel")?;
        self.guest.check_limit(task.whole())?;
        check::output(self.output.as_deref(), &[self.job.as_deref()], &task.config)?;
        if self.dry_run {
            return Ok(());
        }
        let qemu = self.kvm.qemu()?;
        let host = qemu.map(|qemu| kvm::Host::check(qemu, &task.config)).transpose()?;
        let host = host.as_ref();
        let signals = Signals::listen()?;
        // Before there is a guest: who cannot have the result need not measure.
        let output = Output::open(self.output.as_deref())?;
        let logs = LogOutputs::open(&task.plan)?;
        if self.repeat > 1 {
            return self.repeat(&task, host, &signals, output, &logs);
        }
        self.once(&task, host, (1, &signals), |report| {
            self.print(report, &task.plan, &signals, output, logs)
        })
    }

    /// Tells what a run would do.
    fn tell(&self, task: &Task) -> Result<()> {
        let order = self.guest.order(&task.config, task.job.as_deref(), task.whole(), &task.origin);
        stdout::print(&match self.kvm.qemu()? {
            Some(qemu) => {
                let command = kvm::command_line(&qemu, &order)?;
                dry_run::text_of_command(&command, &order, task.whole())
            }
            None => dry_run::text(&order, task.whole())?,
        })
    }

    /// Runs a guest, the one of this number, by `xl` or on a host without Xen, and passes its
    /// result to `then`.
    fn once(
        &self,
        task: &Task,
        host: Option<&kvm::Host>,
        (number, signals): (u32, &Signals),
        then: impl FnOnce(Report) -> Result<()>,
    ) -> Result<()> {
        let mut reader = OurReader::new(task.whole());
        let origin = origin::begun(&task.origin, number, self.repeat);
        let order = self.guest.order(&task.config, task.job.as_deref(), task.whole(), &origin);
        let order = Order { keep: self.keep, ..order };
        let mut status = Status::new(self.guest.status, &task.config.name);
        let then = |text: &str, origin| {
            let mut report = result::read(text, task.whole())?;
            if let Some((before, _)) = &task.before {
                before.take_from(&mut report);
            }
            origin::attach(&mut report, origin);
            let failed = result::failure(&report).map(|reason| failure(&reason, signals));
            first_error(then(report), failed.map_or(Ok(()), Err))
        };
        let ended = match host {
            Some(host) => host.drive(&order, &mut reader, (signals, &mut status), then)?,
            None => drive(Session::new(order, &mut reader)?, signals, &mut status, then),
        };
        let kept = ended.kept.map(|id| (task.config.name.as_str(), id));
        kept::tell(kept.as_slice(), &mut status);
        ended.result().map(|_| ())
    }

    /// Prints what the guest sent.
    fn print(
        &self,
        mut report: Report,
        plan: &Plan,
        signals: &Signals,
        mut output: Output,
        logs: LogOutputs,
    ) -> Result<()> {
        let give_up = signals.patience();
        let log_files = take_logs(&mut report, plan.jobs())?;
        let text = print(&report, &self.output_format);
        let written = output.write_or_print(&text, &give_up);
        first_error(written, logs.write(&log_files, &give_up))
    }

    /// Runs the job several times; what was measured before a run that fails is kept.
    fn repeat(
        &self,
        task: &Task,
        host: Option<&kvm::Host>,
        signals: &Signals,
        mut output: Output,
        logs: &LogOutputs,
    ) -> Result<()> {
        if !logs.is_empty() {
            let why = "--repeat keeps no logs; leave out the write_.._log options";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let mut saved = Saved::default();
        let mut is_saved = false;
        // What was preconditioned stays so.
        let again = self.task_alone()?;
        let done = (1..=self.repeat).try_for_each(|number| {
            let task = if number == 1 { task } else { &again };
            let done = self.once(task, host, (number, signals), |report| {
                let system = System::Ringmark;
                saved.runs.push(saved::Run { system, variant: None, result: report });
                // A file that cannot be written now is tried again at the end.
                is_saved = output.replaces()
                    && output.write(&self.text(&saved)?, &signals.patience()).is_ok();
                Ok(())
            });
            done.with_context(|| format!("run {number} of {}", self.repeat))
        });
        let done = saved::interrupted(&saved, done, signals.received());
        if saved.runs.is_empty() || is_saved {
            return done;
        }
        let printed = self.text(&saved);
        let printed = printed.and_then(|text| output.write_or_print(&text, &signals.patience()));
        first_error(done, printed)
    }

    /// Returns all results in the formats that are wanted.
    fn text(&self, saved: &Saved) -> Result<String> {
        print_all(saved, &self.output_format)
    }

    /// Returns the guest that runs this command line.
    fn config(&self, extra: String) -> Result<Config> {
        self.kvm.adapt(self.guest.config(extra)?)
    }

    /// Returns the guest, what it is given by xenstore, and what it is to do.
    fn task(&self) -> Result<Task> {
        let task = self.task_alone()?;
        let config = self.config(String::new())?;
        let Some(before) = self.precondition.before(task.plan.jobs(), &config)? else {
            return Ok(task);
        };
        if self.delivery == Delivery::Module {
            let why = "--delivery=module passes the job file unchanged; leave --precondition out";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        if task.job.is_none() && self.options.iter().any(|option| !is_of_job(option)) {
            let why = "--precondition needs a job file, or options of one job only after --";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let text = before.with(task.plan.jobs());
        let label = self.job.as_deref().map_or(Path::new("--precondition"), job::label);
        let plan = Plan::of_file(label, &text)?;
        let config = self.guest.with_memory_for(plan.jobs(), config);
        let origin = self.guest.origin(&config, &text);
        Ok(Task { config, job: Some(text), origin, before: Some((before, plan)), ..task })
    }

    /// Returns the same with nothing before the jobs.
    fn task_alone(&self) -> Result<Task> {
        let Some(path) = &self.job else {
            if self.options.is_empty() {
                let why = "nothing to do; name a job file, or options after --";
                return Err(Exit::Usage(why.to_owned()).into());
            }
            let line = job::command_line(&self.options)?;
            let config = self.config(line.clone())?;
            let plan = Plan::of_line(&line, &config.disk_names()?)?;
            self.guest.fio.check(plan.jobs())?;
            self.guest.fio.check_warnings(plan.warnings())?;
            let config = self.guest.with_memory_for(plan.jobs(), config);
            let origin = self.guest.origin(&config, &line);
            return Ok(Task { config, job: None, plan, before: None, origin });
        };
        let given = self.guest.job(Some(path), &self.options)?;
        let plan = self.guest.fio.plan(&given)?;
        let text = given.as_str().to_owned();
        let config = self.guest.with_memory_for(plan.jobs(), self.config(String::new())?);
        let origin = self.guest.origin(&config, &text);
        match self.delivery {
            Delivery::Xenstore => Ok(Task { config, job: Some(text), plan, before: None, origin }),
            Delivery::Module if job::is_stdin(path) => {
                let why = "--delivery=module needs a file; name one instead of -";
                Err(Exit::Usage(why.to_owned()).into())
            }
            Delivery::Module if given.is_its_file() => {
                let config = checked(Config { ramdisk: Some(path.clone()), ..config })?;
                Ok(Task { config, job: None, plan, before: None, origin })
            }
            Delivery::Module => {
                let why = "--delivery=module passes the job file unchanged; \
                           write options, included files and values of variables into the file";
                Err(Exit::Usage(why.to_owned()).into())
            }
        }
    }
}

impl Task {
    /// Returns the plan of all that the guest is to do.
    fn whole(&self) -> &Plan {
        self.before.as_ref().map_or(&self.plan, |(_, whole)| whole)
    }
}

/// Returns whether an option is one of fio's, and so may stand in a job file.
fn is_of_job(option: &str) -> bool {
    let name = option.trim_start_matches("--").split('=').next().unwrap_or_default();
    option == ";" || fio_job::find_option(name).is_ok()
}

/// Returns the error for a run that the guest reports to have failed.
fn failure(reason: &str, signals: &Signals) -> Error {
    let text = format!("the guest reports: {reason}");
    // It was asked to end early, and what it measured until then is printed.
    if signals.received().count != 0 { Exit::Interrupted(text).into() } else { anyhow!(text) }
}
