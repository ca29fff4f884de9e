//! `fleet`: the same job in several guests at once.
//!
//! `pattern` makes the guests' configurations, those of Linux `mix`; `crew` runs their sessions to
//! the end and lets them start together at the `barrier`, `progress` says how far they are.
//! `window` and `log` tell when and how fast each measured, `summary` adds that up, `report` puts
//! it into fio's form and `text` into words. `accept` says which results are good, `ending` how it
//! all ended, `lead` who lets the guests start: on several `hosts` that is the tool that was asked.
//! `arguments` are what it passes on.

mod accept;
mod arguments;
mod barrier;
mod crew;
mod ending;
mod hosts;
mod lead;
mod log;
mod mix;
mod pattern;
mod progress;
mod report;
mod summary;
mod text;
mod window;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use results::Origin;
use xl_config::Config;

use crate::check;
use crate::dry_run;
use crate::exit::{self, Exit};
use crate::guest::GuestOptions;
use crate::kept;
use crate::monitor::Reader;
use crate::origin;
use crate::output::Output;
use crate::peer::{self, Initramfs, PeerOptions, PeerReader};
use crate::plan::Plan;
use crate::print::{Format, print};
use crate::result::{OurReader, first_error};
use crate::saved::{self, Saved, System};
use crate::session::{Order, Session};
use crate::signals::Signals;
use crate::status::{self, Status};
use crate::stdout;
use crate::xl::Programs;
use crew::{Crew, Outcome};
use ending::ended;
use hosts::{Errand, Files, Follower, Host};
use lead::{AtOnce, Lead};
use log::Wish;
use mix::Company;
use pattern::GUESTS_MAX;
use report::{Measured, measured};
use summary::Times;

/// Command line of a guest that waits for the others (`CommandLine::barrier`).
const COMMAND_LINE: &str = "barrier";
/// Memory of a guest whose jobs need no more, in MiB.
const MEMORY_MIB: u32 = 16;
/// Programs of the tool stack that run at a time: `xl` makes one guest after the other anyway.
const PROGRAMS_MAX: usize = 4;

/// Help for the disks. In a help text clap takes `{n}` for a line break, unless a change of style,
/// here to none, is within it.
const DISKS: &str = "Disk of each guest: phy:/dev/vg/lv{\u{1b}[0mn}, where {\u{1b}[0mn} is the \
    guest's number, which runs on from host to host, or a full disk specification of xl; one \
    without {\u{1b}[0mn} is shared, and \
    must be read-only: phy:/dev/vg/lv,xvda,r; can be repeated";

/// Run a job in several guests at once, and sum up what they measured
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::FLEET))]
#[command(override_usage = "ringmark fleet [OPTIONS] -n <COUNT> --disk <PATTERN>... [JOB] \
                            [-- <OPTION=VALUE>...]")]
#[command(mut_arg("disks", |disks| disks.value_name("PATTERN").help(DISKS)))]
#[command(mut_args(|option| {
    let is_of_peer = option.get_id().as_str().starts_with("peer_");
    if is_of_peer { option.requires("mix") } else { option }
}))]
#[command(mut_arg("name", |name| name.help("Name of the domains, before -1, -2, ..")))]
pub struct Fleet {
    /// Job file in fio's format, or - for standard input; without one, the options after -- define
    /// one job
    job: Option<PathBuf>,
    /// Host to make guests on, over ssh: USER@HOST, a host of ssh_config(5), or
    /// ssh://USER@HOST:PORT; can be repeated. Without one they are made here
    #[arg(long = "host", value_name = "HOST", value_parser = Host::parse)]
    hosts: Vec<Host>,
    /// Number of the first guest, where another tool leads
    #[arg(long, value_name = "NUMBER", hide = true, conflicts_with = "hosts")]
    follow: Option<u32>,
    /// Number of ringmark guests; with --host, of each host
    #[arg(long, short = 'n', value_name = "COUNT", required_unless_present_any = ["options", "showcmd", "parse_only"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    guests: Option<u32>,
    /// Linux guests beside these that run the same job with fio and start with them: with -n 2,
    /// linux:3 makes 2 ringmark guests, NAME-1 and NAME-2, and 3 Linux guests, NAME-3 to NAME-5
    #[arg(long, value_name = "linux:COUNT", value_parser = mix::parse)]
    #[arg(requires_all = ["peer_kernel", "peer_initramfs"])]
    #[arg(conflicts_with_all = ["hosts", "follow"])]
    mix: Option<u32>,
    #[command(flatten)]
    peer: PeerOptions,
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
    /// Leave all domains there after the run, whatever became of them, and print which, and how to
    /// remove them
    #[arg(long)]
    keep: bool,
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
    /// Configurations of all, those of Linux last.
    guests: Vec<Config>,
    /// Number of guests that are not of Linux.
    ours: usize,
    /// Job file as it was given.
    given: String,
    /// Job file that each of those is given, with a wish for logs.
    job: String,
    /// Job file for the Linux guests, if there are any.
    linux_job: Option<String>,
    /// Wish for logs in it.
    wish: Option<Wish>,
    plan: Plan,
    /// Origin of the results of each guest.
    origins: Vec<Origin>,
}

impl Task {
    /// Returns all guests, and what they run.
    fn each(&self) -> impl Iterator<Item = (System, &Config)> {
        let system = |index| if index < self.ours { System::Ringmark } else { System::Linux };
        self.guests.iter().enumerate().map(move |(index, guest)| (system(index), guest))
    }

    /// Returns what is known of the times in which guests measure.
    fn times(&self, unsure_ns: u64) -> Times {
        Times { logs: self.wish, unsure_ns }
    }
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
        if self.guest.only_parse(self.job.as_deref(), &self.options)? {
            return Ok(());
        }
        kept::check(self.keep, self.runs, "--runs")?;
        let is_json = |format: &Format| matches!(format, Format::Json | Format::JsonPlus);
        if self.mix.is_some() && self.runs > 1 && self.output_format.iter().any(is_json) {
            let why = "in JSON, each of several runs is of one system; leave out --mix, --runs or \
                       JSON";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let mut task = self.task()?;
        for (system, guest) in task.each() {
            let jobs = task.plan.jobs();
            match system {
                System::Ringmark if self.hosts.is_empty() => check::guest(guest, jobs, "--kernel"),
                System::Ringmark => check::guest_elsewhere(guest, jobs, "--kernel"),
                System::Linux => check::parts(guest, jobs, "--peer-kernel"),
            }?;
            check::output(self.output.as_deref(), &[self.job.as_deref()], guest)?;
        }
        self.guest.check_limit(&task.plan)?;
        if self.dry_run {
            return self.tell(&task);
        }
        allow_files();
        let signals = Signals::listen()?;
        let _initramfs = match &task.linux_job {
            Some(job) => {
                Initramfs::give(task.guests.get_mut(task.ours..).unwrap_or_default(), job)?
            }
            None => None,
        };
        if self.follow.is_some() {
            let mut follower = Follower::begin(&signals)?;
            let outcomes = self.outcomes(&task, 1, &signals, &mut follower)?;
            return follower.report(outcomes);
        }
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
        let given = self.guest.job_with(self.job.as_deref(), &self.options, MEMORY_MIB)?;
        let plan = self.guest.fio.plan(&given)?;
        // Who leads hosts has said it.
        if self.follow.is_none() {
            status::warn(plan.warnings());
        }
        let given = given.as_str().to_owned();
        if log::is_wanted(plan.jobs()) {
            let why = "fleet keeps no logs; leave out the write_.._log options";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let (wish, job, plan) = match Wish::of(&plan).and_then(|wish| wish.granted(&given)) {
            Some((wish, job, plan)) => (Some(wish), job, plan),
            None => (None, given.clone(), plan),
        };
        let first = self.follow.unwrap_or(1);
        let numbers = first..=first.saturating_add(self.all(count)?.saturating_sub(1));
        let base = self.guest.config(COMMAND_LINE.to_owned())?;
        let base = self.guest.with_memory(plan.jobs(), base, MEMORY_MIB);
        let mut guests = pattern::guests(&base, numbers)?;
        let origin = |guest: &Config| self.guest.origin(guest, &given);
        let mut origins: Vec<Origin> = guests.iter().map(origin).collect();
        let (ours, company) = (guests.len(), self.company(&given, &plan, count)?);
        let linux_job = company.map(|Company { guests: linux, job }| {
            origins.extend(linux.iter().map(|guest| self.guest.origin(guest, &job)));
            guests.extend(linux);
            job
        });
        pattern::check_shared(&guests)?;
        Ok(Task { guests, ours, given, job, linux_job, wish, plan, origins })
    }

    /// Returns the Linux guests beside so many of ours, if there are to be any.
    fn company(&self, job: &str, plan: &Plan, ours: u32) -> Result<Option<Company>> {
        let Some(count) = self.mix else { return Ok(None) };
        let base = self.guest.config(format!("{} {}", peer::COMMAND_LINE, peer::WAITS))?;
        Company::new(&self.peer, base, (job, plan), ours, count).map(Some)
    }

    /// Returns the number of guests of all hosts.
    fn all(&self, count: u32) -> Result<u32> {
        let wrong = |why: String| Err(Exit::Usage(why).into());
        let mut hosts: Vec<&Host> = self.hosts.iter().collect();
        hosts.sort_unstable_by_key(|host| host.name());
        let is_same = |[one, other]: &&[&Host; 2]| one.name() == other.name();
        if let Some([twice, _]) = hosts.array_windows().find(is_same) {
            return wrong(format!("host {twice} is named twice; -n makes more guests there"));
        }
        let all = u32::try_from(hosts.len()).unwrap_or(u32::MAX).max(1).saturating_mul(count);
        match all {
            ..=GUESTS_MAX => Ok(all),
            _ => wrong(format!("{all} guests of all hosts; {GUESTS_MAX} are the most")),
        }
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
        if let Some(job) = &task.linux_job {
            text.push_str(&format!("\n# job of each Linux guest, for fio\n{job}"));
        }
        stdout::print(&text)
    }

    /// Runs all guests; returns what they measured, and what went wrong.
    fn once(&self, task: &Task, number: u32, signals: &Signals) -> (Option<Measured>, Result<()>) {
        if !self.hosts.is_empty() {
            return self.once_on_hosts(task, number, signals);
        }
        match self.outcomes(task, number, signals, &mut AtOnce) {
            Ok(outcomes) => {
                let names = task.guests.iter().map(|guest| guest.name.clone());
                let guests: Vec<(String, Outcome)> = names.zip(outcomes).collect();
                let found = measured(&borrowed(&guests), task.times(0));
                (found, ended(guests, &[], signals))
            }
            Err(error) => (None, Err(error)),
        }
    }

    /// Does what [`once`](Self::once) does, on the hosts.
    fn once_on_hosts(
        &self,
        task: &Task,
        number: u32,
        signals: &Signals,
    ) -> (Option<Measured>, Result<()>) {
        let merged = (|| {
            let arguments = arguments::passed_on::<Self>(env::args_os())?;
            let origins = self.begun(task, number);
            let errand = Errand {
                hosts: &self.hosts,
                arguments: &arguments,
                files: Files { kernel: self.guest.kernel(), job: &task.given },
                guests: self.guests.unwrap_or_default(),
                plan: &task.plan,
                origins: &origins,
                keeps: self.keep,
                call_limit: self.guest.call_limit(),
            };
            let mut status = Status::new(self.guest.status, self.guest.name());
            let found = hosts::run(&errand, signals, &mut status)?;
            Ok(hosts::merge(found, task.guests.iter().map(|guest| guest.name.as_str())))
        })();
        match merged {
            Ok(merged) => {
                let mut found = measured(&borrowed(&merged.guests), task.times(merged.unsure_ns()));
                found.iter_mut().for_each(|found| hosts::by_host(found, &merged, task.wish));
                (found, ended(merged.guests, &merged.hosts, signals))
            }
            Err(error) => (None, Err(error)),
        }
    }

    /// Returns the origins of the results of a run that begins now.
    fn begun(&self, task: &Task, number: u32) -> Vec<Origin> {
        task.origins.iter().map(|origin| origin::begun(origin, number, self.runs)).collect()
    }

    /// Runs all guests on this host; returns what came of each.
    fn outcomes(
        &self,
        task: &Task,
        number: u32,
        signals: &Signals,
        lead: &mut dyn Lead,
    ) -> Result<Vec<Outcome>> {
        let programs = Programs::new(PROGRAMS_MAX);
        let ready_timeout = Duration::from_secs(self.ready_timeout.into());
        let waits = ready_timeout.saturating_mul(task.plan.stage_count());
        let origins = self.begun(task, number);
        let mut readers: Vec<Box<dyn Reader>> =
            task.each().map(|(system, _)| reader(system, &task.plan)).collect();
        let mut sessions = Vec::new();
        for (((system, guest), origin), reader) in task.each().zip(&origins).zip(&mut readers) {
            let job = (system == System::Ringmark).then_some(&*task.job);
            let order = self.guest.order(guest, job, &task.plan, origin);
            let limit = self.guest.time_limit_with(&task.plan, waits);
            let order = Order { fleet: Some(&programs), limit, keep: self.keep, ..order };
            sessions.push((guest.name.as_str(), system, Session::new(order, reader.as_mut())?));
        }
        let mut status = Status::new(self.guest.status, self.guest.name());
        let call_limit = self.guest.call_limit();
        let crew = Crew::new(sessions.into_iter(), &task.plan, call_limit, ready_timeout);
        let outcomes = crew.run(signals, &mut status, lead);
        let named = task.guests.iter().zip(&outcomes);
        let kept = named.filter_map(|(guest, outcome)| Some((guest.name.as_str(), outcome.kept?)));
        kept::tell(&kept.collect::<Vec<_>>(), &mut status);
        Ok(outcomes)
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
                variant: None,
                result: report.clone(),
            };
            saved::json(&Saved { runs: reports().map(run).collect() })
        }
        (Format::Csv, _) => Ok(fio_output::csv(reports())),
        _ => Ok(reports().map(|report| print(report, &[format])).collect()),
    }
}

fn borrowed(guests: &[(String, Outcome)]) -> Vec<(&str, &Outcome)> {
    guests.iter().map(|(name, outcome)| (name.as_str(), outcome)).collect()
}

/// Returns the reader for the console of a guest.
fn reader(system: System, plan: &Plan) -> Box<dyn Reader> {
    match system {
        System::Ringmark => Box::new(OurReader::of_fleet(plan)),
        System::Linux => Box::new(PeerReader::of_fleet()),
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
