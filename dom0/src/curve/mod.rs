//! `curve`: latency against load. Saturation is measured closed loop, then levels of it open loop.
//!
//! `levels` reads what share of saturation is asked for, `subject` makes the jobs, `file` is what
//! is kept, `record` keeps it, `points` reads it, `knee` finds the end of cheap load, `table`
//! prints, `picture` draws.

pub mod file;
mod knee;
mod levels;
pub mod picture;
pub mod points;
mod record;
mod subject;
mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, ensure};
use clap::Args;
use fio_job::IODEPTH_MAX;
use guest_protocol::job_node::JOB_FILE_BYTES_MAX;
use results::{Origin, Report};
use xl_config::Config;

use crate::check;
use crate::drive::drive;
use crate::dry_run;
use crate::exit::{self, Exit};
use crate::figures::Figures;
use crate::guest::GuestOptions;
use crate::origin;
use crate::output::Output;
use crate::plan::Plan;
use crate::progress::{Progress, time};
use crate::report::check_destination;
use crate::result::{self, OurReader, first_error};
use crate::session::Session;
use crate::signals::Signals;
use crate::status::{self, Status};
use crate::stdout;
use crate::table::summary;
use levels::Levels;
use record::Record;
use subject::{RUNTIME_S, Rates, Subject};

/// Words of `--help` on what is done, before the exit codes.
const HELP: &str = "\
What is measured:
  1. saturation: the job as it is, without rate= and thinktime=; its IOPS at its iodepth
  2. each level: Poisson arrivals at that share of it (rate_iops=, rate_process=poisson), for the
     job's runtime=; latency from the time at which an I/O was due (latency_from=due)
The knee is the load from which on 99 % of the I/Os take more than twice as long as at the best
level. A level with a backlog is above saturation, and not used for it.
";

/// Measure latency against load: find saturation, then run open loop at 10, 20, .. 95 % of it
#[derive(Args, Debug)]
#[command(after_long_help = format!("{HELP}\n{}", exit::help(exit::RUN)))]
#[command(override_usage = "ringmark curve [OPTIONS] --disk <DISK> [JOB] [-- <OPTION=VALUE>...]")]
pub struct Curve {
    /// Job file in fio's format with one job, or - for standard input; without one, the options
    /// after -- define it
    job: Option<PathBuf>,
    #[command(flatten)]
    guest: GuestOptions,
    /// Levels of load, in per cent of saturation, separated by commas
    #[arg(long, value_name = "PERCENT,..", default_value = levels::DEFAULT)]
    levels: Levels,
    /// iodepth= of the levels, so large that few arrivals are held back; without it the job's own,
    /// or 256 if that is more (fewer of large I/Os: 32 MiB in all)
    #[arg(long, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(IODEPTH_MAX)))]
    depth: Option<u32>,
    /// Save all results, for `ringmark report` and `ringmark diff`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Draw the curve: a page if the name ends in .html, a picture if it ends in .svg
    #[arg(long, value_name = "FILE", value_parser = picture::parse_place)]
    plot: Option<PathBuf>,
    /// Print xl's configuration, the jobs and the time that they take, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Options as on fio's command line: defaults for the job file, or the job itself
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

/// A guest and its job file.
struct Task {
    config: Config,
    job: String,
    plan: Plan,
    origin: Origin,
}

/// Work to be done, in order.
struct Work<'a> {
    subject: Subject,
    saturating: Task,
    /// Levels of each guest after the first, and the time that they take.
    guests: Vec<(&'a [f64], Option<Duration>)>,
    base: Config,
    /// Text of the user's job.
    text: String,
}

impl Curve {
    /// Measures the curve and prints it.
    ///
    /// # Errors
    /// [`Exit::Usage`]; what kept a guest from a result; [`Exit::Interrupted`]; [`Exit::Output`].
    pub fn run(&self) -> Result<()> {
        if self.guest.only_parse(self.job.as_deref(), &self.options)? {
            return Ok(());
        }
        let work = self.work()?;
        self.check_outputs(&work)?;
        if self.dry_run {
            return stdout::print(&self.told(&work)?);
        }
        let signals = Signals::listen()?;
        let open = |path: &Option<PathBuf>| path.as_deref().map(|path| Output::open(Some(path)));
        let mut record =
            Record::new(open(&self.save).transpose()?, open(&self.plot).transpose()?, &signals);
        let done = self.measure(&work, &mut record, &signals);
        let is_interrupted = signals.received().count != 0 && record.level_count() != 0;
        let done = match done {
            Err(error) if is_interrupted => Err(Exit::Interrupted(format!("{error:#}")).into()),
            done => done,
        };
        let (count, wanted) = (record.level_count(), self.levels.all().len());
        let lost = || anyhow!("{} of {wanted} levels ended before their time", wanted - count);
        let done = done.and_then(|()| if count < wanted { Err(lost()) } else { Ok(()) });
        first_error(done, record.finish(wanted, self.plot.as_deref()))
    }

    /// Returns what is to be done: all levels in one guest, or each in a guest of its own where
    /// one for all would lack memory or its job file be too long.
    fn work(&self) -> Result<Work<'_>> {
        let text = self.guest.job(self.job.as_deref(), &self.options)?;
        let plan = self.guest.fio.plan(&text)?;
        status::warn(plan.warnings());
        let subject = Subject::of(plan.jobs(), self.depth)?;
        let text = text.as_str().to_owned();
        let base = self.guest.config(String::new())?;
        let saturating = self.task(subject.saturating(), &base, &text)?;
        // The longest rates: nothing else of a guest depends on them.
        let planned = |levels| {
            let task = self.task(subject.loaded([1e12; 2], levels), &base, &text)?;
            Ok((levels, task.plan.expected_time()))
        };
        let levels = self.levels.all();
        let guests = match planned(levels) {
            Ok(all) => vec![all],
            Err(_) => levels.chunks(1).map(planned).collect::<Result<_>>()?,
        };
        Ok(Work { subject, saturating, guests, base, text })
    }

    /// Returns a guest, of which everything is checked that can be without it.
    fn task(&self, job: String, base: &Config, text: &str) -> Result<Task> {
        if job.len() > JOB_FILE_BYTES_MAX {
            let most = format!("the most that the guest accepts are {JOB_FILE_BYTES_MAX} bytes");
            return Err(Exit::Usage(format!("the job's options are too long; {most}")).into());
        }
        let plan = Plan::of_file(Path::new("the job of the curve"), &job)?;
        let config = self.guest.with_memory_for(plan.jobs(), base.clone());
        check::guest(&config, plan.jobs(), "--kernel")?;
        self.guest.check_limit(&plan)?;
        let origin = self.guest.origin(&config, text);
        Ok(Task { config, job, plan, origin })
    }

    /// Checks that no output would replace what is to stay.
    fn check_outputs(&self, work: &Work<'_>) -> Result<()> {
        let (job, save, plot) = (self.job.as_deref(), self.save.as_deref(), self.plot.as_deref());
        check::output(save, &[job, plot], &work.base)?;
        check::output(plot, &[job], &work.base)?;
        if save.is_some() && save == plot {
            let why = "--save and --plot name the same file; name two";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        plot.map_or(Ok(()), check_destination)
    }

    /// Measures saturation and the levels, as far as it comes.
    fn measure(&self, work: &Work<'_>, record: &mut Record<'_>, signals: &Signals) -> Result<()> {
        let count = work.guests.len() + 1;
        let mut progress = work.progress();
        let mut status = Status::new(self.guest.status, &work.base.name);
        if work.subject.has_default_runtime {
            status.remark(&format!("the job has no runtime=; each level takes {RUNTIME_S} s"));
        }
        let mut run = |number: usize, what: &str, task: &Task| {
            let left = progress.left().map_or(String::new(), |left| format!(", {left} left"));
            status.remark(&format!("run {number} of {count}: {what}{left}"));
            let began = Instant::now();
            let report = self.once(task, signals, &mut status)?;
            progress.done(began.elapsed());
            let said = Figures::of(&report).map(|all| summary(&all)).unwrap_or_default();
            if number == 1 && !said.is_empty() {
                status.remark(&format!("saturation: {said}"));
            }
            Ok::<Report, Error>(report)
        };
        let result = run(1, "saturation", &work.saturating)?;
        let failed = |result: &Report| match result::failure(result) {
            Some(reason) => Err(anyhow!("the guest reports: {reason}")),
            None => Ok(()),
        };
        failed(&result)?;
        let rates = saturation(&Figures::of(&result)?);
        record.begin(work.subject.header(rates), result);
        for (number, (levels, _)) in (2..).zip(&work.guests) {
            ensure!(signals.received().count == 0, "interrupted");
            let task = self.task(work.subject.loaded(rates, levels), &work.base, &work.text)?;
            let result = run(number, &shown(levels), &task)?;
            let failed = failed(&result);
            record.take(result, levels, work.subject.runtime_ms())?;
            failed?;
        }
        Ok(())
    }

    /// Runs a guest. Its result may be that of a run that failed, or was ended early.
    fn once(&self, task: &Task, signals: &Signals, status: &mut Status) -> Result<Report> {
        let mut reader = OurReader::new(&task.plan);
        let origin = origin::begun(&task.origin, 1, 1);
        let order = self.guest.order(&task.config, Some(&task.job), &task.plan, &origin);
        let session = Session::new(order, &mut reader)?;
        let then = |text: &str, origin| {
            let mut report = result::read(text, &task.plan)?;
            origin::attach(&mut report, origin);
            Ok(report)
        };
        drive(session, signals, status, then).result()?.context("no result")
    }

    /// Returns what `--dry-run` prints.
    fn told(&self, work: &Work<'_>) -> Result<String> {
        let Task { config, job, plan, origin } = &work.saturating;
        let order = self.guest.order(config, Some(job), plan, origin);
        let left = work.progress().left().unwrap_or_else(|| time(Duration::ZERO));
        let guests = match work.guests.len() {
            1 => "in one guest".to_owned(),
            count => format!("in {count} guests"),
        };
        Ok(format!(
            "{}# then, {guests}, open loop at iodepth={}: {}\n# {left} at least\n",
            dry_run::text(&order, plan)?,
            work.subject.depth(),
            shown(self.levels.all()),
        ))
    }
}

impl Work<'_> {
    fn progress(&self) -> Progress {
        let levels = self.guests.iter().map(|(_, time)| *time);
        Progress::new([self.saturating.plan.expected_time()].into_iter().chain(levels))
    }
}

/// Returns levels as text: `10, 20, 30 % of saturation`.
fn shown(levels: &[f64]) -> String {
    let levels: Vec<String> = levels.iter().map(f64::to_string).collect();
    format!("{} % of saturation", levels.join(", "))
}

/// Returns the rates of reads and writes of one job.
fn saturation(figures: &[Figures]) -> Rates {
    let of = |direction: &str| {
        figures.iter().filter(|of| of.direction == direction).map(|of| of.iops).sum()
    };
    [of("read"), of("write")]
}
