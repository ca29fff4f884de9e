//! `fleet`: the same job in several guests at once.
//!
//! `pattern` makes the guests' configurations, `crew` runs their sessions to the end and lets them
//! start together at the `barrier`, `progress` says how far they are. `window` and `log` tell when
//! and how fast each measured, `summary` adds that up, `report` puts it into fio's form and `text`
//! into words.

mod barrier;
mod crew;
mod log;
mod pattern;
mod progress;
mod report;
mod summary;
mod text;
mod window;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use results::Origin;
use xl_config::Config;

use crate::check;
use crate::dry_run;
use crate::exit::{self, Exit};
use crate::guest::GuestOptions;
use crate::job;
use crate::origin;
use crate::output::Output;
use crate::plan::Plan;
use crate::print::{Format, print};
use crate::result::{OurReader, first_error};
use crate::saved::{self, Saved, System};
use crate::session::{Order, Session};
use crate::signals::Signals;
use crate::status::{Status, eprint_line};
use crate::stdout;
use crate::xl::Programs;
use crew::{Crew, Outcome};
use log::Wish;
use report::{Measured, measured};

/// Command line of a guest that waits for the others (`CommandLine::barrier`).
const COMMAND_LINE: &str = "barrier";
/// Programs of the tool stack that run at a time: `xl` makes one guest after the other anyway.
const PROGRAMS_MAX: usize = 4;
/// Reasons that the last message names.
const NAMED_MAX: usize = 10;

/// Help for the disks. In a help text clap takes `{n}` for a line break, unless a change of style,
/// here to none, is within it.
const DISKS: &str = "Disk of each guest: phy:/dev/vg/lv{\u{1b}[0mn}, where {\u{1b}[0mn} is the \
    guest's number, or a full disk specification of xl; one without {\u{1b}[0mn} is shared, and \
    must be read-only: phy:/dev/vg/lv,xvda,r; can be repeated";

/// Run a job in several guests at once, and sum up what they measured
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::FLEET))]
#[command(override_usage = "ringmark fleet [OPTIONS] -n <COUNT> --disk <PATTERN>... [JOB] \
                            [-- <OPTION=VALUE>...]")]
#[command(mut_arg("memory", |memory| memory.default_value("16")))]
#[command(mut_arg("disks", |disks| disks.value_name("PATTERN").help(DISKS)))]
#[command(mut_arg("name", |name| name.help("Name of the domains, before -1, -2, ..")))]
pub struct Fleet {
    /// Job file in fio's format, or - for standard input; without one, the options after -- define
    /// one job
    job: Option<PathBuf>,
    /// Number of guests
    #[arg(long, short = 'n', value_name = "COUNT", required_unless_present = "options")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    guests: Option<u32>,
    #[command(flatten)]
    guest: GuestOptions,
    /// Longest time until a guest is ready for its jobs, in seconds; the others start without one
    /// that is not
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    ready_timeout: u32,
    /// Number of runs, each in guests of its own; mean and spread of their sums are printed
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Print xl's configuration of each guest, the jobs as they are understood and the limits, and
    /// run nothing
    #[arg(long)]
    dry_run: bool,
    /// Output format; several are separated by commas
    #[arg(long, value_enum, value_name = "FORMAT", value_delimiter = ',')]
    #[arg(default_value = "normal")]
    output_format: Vec<Format>,
    /// Output file, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Options as on fio's command line: defaults for the job file, or the job itself
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

/// Guests and their work.
struct Task {
    guests: Vec<Config>,
    /// Job file that each is given.
    job: String,
    /// Wish for logs in it.
    wish: Option<Wish>,
    plan: Plan,
    /// Origin of the results of each guest.
    origins: Vec<Origin>,
}

impl Fleet {
    /// Runs the job in all guests and prints what they measured.
    ///
    /// # Errors
    /// [`Exit::Usage`]; a guest without a result; [`Exit::Interrupted`]; [`Exit::Output`].
    pub fn run(&self) -> Result<()> {
        if let Some(answer) = crate::options::answer(&self.options)? {
            return stdout::print(&answer);
        }
        let task = self.task()?;
        for guest in &task.guests {
            check::guest(guest, task.plan.jobs(), "--kernel")?;
            check::output(self.output.as_deref(), self.job.as_deref(), guest)?;
        }
        self.guest.check_limit(&task.plan)?;
        if self.dry_run {
            return self.tell(&task);
        }
        allow_files();
        let signals = Signals::listen()?;
        // Before there is a guest: who cannot have the result need not measure.
        let mut output = Output::open(self.output.as_deref())?;
        let mut runs = Vec::new();
        let mut is_saved = false;
        let done = (1..=self.runs).try_for_each(|number| {
            let (found, done) = self.once(&task, number, &signals);
            runs.extend(found);
            // A file that cannot be written now is tried again at the end.
            is_saved = !runs.is_empty()
                && output.replaces()
                && output.write(&self.text(&runs)?, &signals.patience()).is_ok();
            match self.runs {
                1 => done,
                all => done.with_context(|| format!("run {number} of {all}")),
            }
        });
        let done = match done {
            Err(error) if signals.received().count != 0 && !runs.is_empty() => {
                Err(Exit::Interrupted(format!("{error:#}")).into())
            }
            done => done,
        };
        if runs.is_empty() || is_saved {
            return done;
        }
        let printed = self.text(&runs);
        let printed = printed.and_then(|text| output.write_or_print(&text, &signals.patience()));
        first_error(done, printed)
    }

    /// Returns what all guests are, and what they are to do.
    fn task(&self) -> Result<Task> {
        let Some(count) = self.guests else {
            let why = "how many guests? name their number, for example -n 4";
            return Err(Exit::Usage(why.to_owned()).into());
        };
        let given = job::whole(self.job.as_deref(), &self.options)?;
        let label = self.job.as_deref().map_or(Path::new("the job"), job::label);
        let plan = Plan::of_file(label, &given)?;
        if log::is_wanted(plan.jobs()) {
            let why = "fleet keeps no logs; leave out the write_.._log options";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let (wish, job, plan) = match Wish::of(&plan).and_then(|wish| wish.granted(label, &given)) {
            Some((wish, job, plan)) => (Some(wish), job, plan),
            None => (None, given.clone(), plan),
        };
        let guests = pattern::guests(&self.guest.config(COMMAND_LINE.to_owned())?, count)?;
        let origins = guests.iter().map(|guest| self.guest.origin(guest, &given)).collect();
        Ok(Task { guests, job, wish, plan, origins })
    }

    /// Tells what a run would do.
    fn tell(&self, task: &Task) -> Result<()> {
        let (Some((first, others)), Some(origin)) =
            (task.guests.split_first(), task.origins.first())
        else {
            return Ok(());
        };
        let order = self.guest.order(first, Some(&task.job), &task.plan, origin);
        let mut text = dry_run::text(&order, &task.plan)?;
        for guest in others {
            text.push_str(&format!("\n# {}\n{}", guest.name, guest.text()?));
        }
        stdout::print(&text)
    }

    /// Runs all guests; returns what they measured, and what went wrong.
    fn once(&self, task: &Task, number: u32, signals: &Signals) -> (Option<Measured>, Result<()>) {
        match self.outcomes(task, number, signals) {
            Ok(outcomes) => {
                let names = task.guests.iter().map(|guest| guest.name.as_str());
                let guests: Vec<(&str, Outcome)> = names.zip(outcomes).collect();
                let found = measured(&guests, task.wish);
                (found, ended(guests, signals))
            }
            Err(error) => (None, Err(error)),
        }
    }

    fn outcomes(&self, task: &Task, number: u32, signals: &Signals) -> Result<Vec<Outcome>> {
        let programs = Programs::new(PROGRAMS_MAX);
        let ready_timeout = Duration::from_secs(self.ready_timeout.into());
        let waits = ready_timeout.saturating_mul(task.plan.stage_count());
        let begun = |origin| origin::begun(origin, number, self.runs);
        let origins: Vec<Origin> = task.origins.iter().map(begun).collect();
        let mut readers: Vec<OurReader> =
            task.guests.iter().map(|_| OurReader::of_fleet(&task.plan)).collect();
        let mut sessions = Vec::new();
        for ((guest, origin), reader) in task.guests.iter().zip(&origins).zip(&mut readers) {
            let order = self.guest.order(guest, Some(&task.job), &task.plan, origin);
            let limit = self.guest.time_limit_with(&task.plan, waits);
            let order = Order { fleet: Some(&programs), limit, ..order };
            sessions.push((guest.name.as_str(), Session::new(order, reader)?));
        }
        let mut status = Status::new(self.guest.status, self.guest.name());
        let call_limit = self.guest.call_limit();
        let crew = Crew::new(sessions.into_iter(), &task.plan, call_limit, ready_timeout);
        Ok(crew.run(signals, &mut status))
    }

    /// Returns what was measured in the formats that are wanted.
    fn text(&self, runs: &[Measured]) -> Result<String> {
        self.output_format.iter().map(|format| text_of(runs, *format)).collect()
    }
}

/// Returns what was measured in one format. JSON of several runs is that of a saved comparison.
fn text_of(runs: &[Measured], format: Format) -> Result<String> {
    let reports = || runs.iter().map(|run| &run.report);
    match (format, runs) {
        (Format::Normal, [run]) => Ok(text::run(run)),
        (Format::Normal, _) => {
            let each: String = runs.iter().map(|run| text::run(run) + "\n").collect();
            Ok(each + &text::all(runs))
        }
        (Format::Json | Format::JsonPlus, [_, _, ..]) => {
            let run = |report: &results::Report| saved::Run {
                system: System::Ringmark,
                result: report.clone(),
            };
            Saved { runs: reports().map(run).collect() }.json()
        }
        (Format::Csv, _) => Ok(fio_output::csv(reports())),
        _ => Ok(reports().map(|report| print(report, &[format])).collect()),
    }
}

/// Returns how a run of these guests ended: with a result of each, or not.
fn ended(guests: Vec<(&str, Outcome)>, signals: &Signals) -> Result<()> {
    let all = guests.len();
    let (mut found, mut lost, mut left) = (0, Vec::new(), Vec::new());
    for (name, mut outcome) in guests {
        left.extend(outcome.left.take());
        match outcome.report {
            Some(_) => found += 1,
            None => lost.push((name, outcome.reason(), outcome.error)),
        }
    }
    let is_interrupted = signals.received().count != 0;
    // With results of all, the first domain that is left is the error.
    let returned = lost.is_empty() && !(is_interrupted && found != 0);
    let mut left = left.into_iter();
    let first_left = if returned { left.next() } else { None };
    left.for_each(|error| eprint_line(&format!("ringmark: {error:#}")));
    if is_interrupted && found != 0 {
        return Err(Exit::Interrupted(format!("interrupted, with {found} of {all} results")).into());
    }
    let named = lost.iter().take(NAMED_MAX).map(|(name, why, _)| format!("\n  {name}: {why}"));
    let named: String = named.collect();
    let more = if lost.len() > NAMED_MAX { "\n  .." } else { "" };
    let count = lost.len();
    if count == 0 {
        return first_left.map_or(Ok(()), Err);
    }
    let what = format!("{count} of {all} guests have no result:{named}{more}");
    let first: Option<Error> = lost.into_iter().find_map(|(_, _, error)| error);
    match first.as_ref().and_then(|error| error.downcast_ref()) {
        // No result at all, because the first took too long.
        Some(Exit::TimedOut(_)) if found == 0 => Err(Exit::TimedOut(what).into()),
        _ => bail!(what),
    }
}

/// Lets this program have as many files open as it may: each guest has a console.
fn allow_files() {
    // Where that fails, and there are too many guests, the first one too many says so.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

#[cfg(test)]
mod tests {
    use super::COMMAND_LINE;
    use guest_protocol::CommandLine;

    #[test]
    fn a_guest_is_told_to_wait_and_nothing_else() {
        let expected = CommandLine { barrier: true, ..CommandLine::default() };
        assert_eq!(CommandLine::parse(COMMAND_LINE), Ok(expected));
    }
}
