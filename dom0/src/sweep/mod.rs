//! `sweep`: a job in each cell of a grid, each in a guest of its own.
//!
//! `axis` reads what is varied, `grid` has the cells, their order and their jobs, `file` is what is
//! kept of them, `progress` says how long the rest takes. The file is written anew after each run,
//! so that a sweep can be ended at any time and taken up again.

mod axis;
pub mod file;
mod grid;
mod progress;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use fio_output::log_names;
use results::Report;
use xl_config::Config;

use crate::check;
use crate::display;
use crate::drive::drive;
use crate::exit::{self, Exit};
use crate::figures::Figures;
use crate::guest::{GuestOptions, checked};
use crate::job;
use crate::origin;
use crate::output::Output;
use crate::plan::Plan;
use crate::report::input;
use crate::result::{self, OurReader};
use crate::saved::System;
use crate::session::Session;
use crate::signals::Signals;
use crate::status::Status;
use crate::stdout;
use crate::table::summary;
use file::{AXES_MAX, Axis, CellRun, Failure, Header, SweepFile};
use grid::{Place, places};
use progress::{Progress, time};

/// Failures that the last message names.
const NAMED_MAX: usize = 10;

/// Order of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    /// The last axis is the fastest.
    Grid,
    /// Shuffled, so that what changes on the host in the meantime falls on no axis.
    Random,
}

/// Run a job in each cell of a grid of options, and keep all results in one file
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::RUN))]
#[command(override_usage = "ringmark sweep [OPTIONS] --disk <DISK> --vary <NAME=VALUES>... [JOB] \
                            [-- <OPTION=VALUE>...]")]
pub struct Sweep {
    /// Job file in fio's format, or - for standard input; without one, the options after -- define
    /// one job
    job: Option<PathBuf>,
    #[command(flatten)]
    guest: GuestOptions,
    /// Option of the job to vary, or vcpus or memory, and its values: bs=4k,64k,2m, iodepth=1..8,
    /// iodepth=8..32+8, iodepth=1..64*2; repeat it for each axis of the grid
    #[arg(long = "vary", value_name = "NAME=VALUES", required = true, value_parser = axis::parse)]
    axes: Vec<Axis>,
    /// Number of runs of each cell; all cells have their first before any has its second
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Order of the runs
    #[arg(long, value_enum, value_name = "ORDER", default_value = "grid")]
    order: Order,
    /// Seed of the random order
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// File for all results, written anew after each run; one that is there is not replaced
    #[arg(long, value_name = "FILE", default_value = "sweep.json")]
    output: PathBuf,
    /// Go on with the sweep in the output file: make the runs that it lacks, or that failed
    #[arg(long)]
    resume: bool,
    /// Check all cells, print them and the time that they take, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Options as on fio's command line: defaults for the job file, or the job itself
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

/// A run that is to be made.
struct Cell {
    place: Place,
    config: Config,
    job: String,
    plan: Plan,
}

impl Sweep {
    /// Makes the runs that are missing.
    ///
    /// # Errors
    /// [`Exit::Usage`]: a cell that cannot work, or a file of another sweep; runs that failed, at
    /// the end of all; [`Exit::Interrupted`]; [`Exit::Output`].
    pub fn run(&self) -> Result<()> {
        axis::check(&self.axes)?;
        let text = self.text()?;
        let base = self.guest.config(String::new())?;
        let header = self.header(&text, &base)?;
        header.check().map_err(|error| Exit::Usage(error.to_string()))?;
        let cells = places(&header).into_iter().map(|place| {
            let shown = place.shown(&header);
            self.cell(place, &text, &base).with_context(|| shown)
        });
        let cells: Vec<Cell> = cells.collect::<Result<_>>()?;
        check::output(Some(&self.output), self.job.as_deref(), &base)?;
        let mut file = self.begun(header)?;
        let known: BTreeSet<(&[String], u32)> =
            file.runs.iter().map(|run| (&run.at[..], run.repetition)).collect();
        let is_missing =
            |cell: &Cell| !known.contains(&(&cell.place.at[..], cell.place.repetition));
        let (all, mut missing) = (cells.len(), cells);
        missing.retain(is_missing);
        if self.dry_run {
            return stdout::print(&told(&missing, all, &file.sweep));
        }
        let signals = Signals::listen()?;
        let output = Output::open(Some(&self.output))?;
        let name = display::path(&self.output);
        let what = format!("cannot write {name} again and again; name a regular file");
        ensure!(output.replaces(), Exit::Output(what));
        file.failed.clear();
        self.sweep(&missing, all, &text, &mut file, output, &signals)
    }

    /// Makes these runs, each of which is kept as soon as it is done.
    fn sweep(
        &self,
        cells: &[Cell],
        all: usize,
        text: &str,
        file: &mut SweepFile,
        mut output: Output,
        signals: &Signals,
    ) -> Result<()> {
        let mut progress = Progress::new(cells.iter().map(|cell| cell.plan.expected_time()));
        for (index, cell) in cells.iter().enumerate() {
            let number = all - cells.len() + index + 1;
            let shown = cell.place.shown(&file.sweep);
            let mut status = Status::new(self.guest.status, &cell.config.name);
            let left = progress.left().map_or(String::new(), |left| format!(", {left} left"));
            status.remark(&format!("cell {number} of {all}: {shown}{left}"));
            let began = Instant::now();
            let (report, error) = self.once(cell, text, signals, &mut status);
            let is_interrupted = signals.received().count != 0;
            let Place { at, repetition } = cell.place.clone();
            let left_behind = match (report, error) {
                (Some(result), error) => {
                    let said = Figures::of(&result).map(|all| summary(&all)).unwrap_or_default();
                    status.remark(&format!("cell {number} of {all}: {said}"));
                    file.runs.push(CellRun { who: System::Ringmark, at, repetition, result });
                    error
                }
                (None, _) if is_interrupted => break,
                (None, error) => {
                    let error = error.unwrap_or_else(|| anyhow!("no result"));
                    let error = display::text(&format!("{error:#}"));
                    status.remark(&format!("cell {number} of {all} failed: {error}"));
                    file.failed.push(Failure { at, repetition, error });
                    None
                }
            };
            let json = serde_json::to_string(file).context("cannot write the results as JSON")?;
            output.write(&(json + "\n"), &signals.patience())?;
            if let Some(error) = left_behind {
                return Err(error);
            }
            progress.done(began.elapsed());
            if is_interrupted {
                break;
            }
        }
        self.end(all, file)
    }

    /// Runs a guest; returns its result if that is whole and good, and what went wrong.
    fn once(
        &self,
        cell: &Cell,
        text: &str,
        signals: &Signals,
        status: &mut Status,
    ) -> (Option<Report>, Option<Error>) {
        let mut found = None;
        let mut reader = OurReader::new(&cell.plan);
        let origin = self.guest.origin(&cell.config, text);
        let origin = origin::begun(&origin, cell.place.repetition, self.repeat);
        let order = self.guest.order(&cell.config, Some(&cell.job), &cell.plan, &origin);
        let then = |text: &str, origin| {
            let mut report = result::read(text, &cell.plan)?;
            origin::attach(&mut report, origin);
            if let Some(reason) = result::failure(&report) {
                bail!("the guest reports: {reason}");
            }
            // Also: a result that no report could show is none.
            Figures::of(&report)?;
            // One that was asked for early is of a part of the job.
            if signals.received().count == 0 {
                found = Some(report);
            }
            Ok(())
        };
        let session = Session::new(order, &mut reader);
        let done = session.and_then(|session| drive(session, signals, status, then));
        (found, done.err())
    }

    /// Says how it ended.
    fn end(&self, all: usize, file: &SweepFile) -> Result<()> {
        let resume = format!(
            "the same command with --resume goes on; {} of {all} runs are in {}",
            file.runs.len(),
            display::path(&self.output)
        );
        if file.runs.len() + file.failed.len() < all {
            return Err(Exit::Interrupted(format!("interrupted; {resume}")).into());
        }
        let shown = |failure: &Failure| {
            let place = Place { at: failure.at.clone(), repetition: failure.repetition };
            format!("\n  {}: {}", display::text(&place.shown(&file.sweep)), failure.error)
        };
        let named: String = file.failed.iter().take(NAMED_MAX).map(shown).collect();
        let count = file.failed.len();
        let more = if count > NAMED_MAX { "\n  .." } else { "" };
        ensure!(count == 0, "{count} of {all} runs failed:{named}{more}\n{resume}");
        Ok(())
    }

    /// Returns the job before anything is varied.
    fn text(&self) -> Result<String> {
        match &self.job {
            Some(path) => job::read(path, &self.options),
            None if self.options.is_empty() => {
                let why = "nothing to do; name a job file, or options after --";
                Err(Exit::Usage(why.to_owned()).into())
            }
            None => Ok(job::defaults(&self.options)? + "[job]\n"),
        }
    }

    fn header(&self, text: &str, base: &Config) -> Result<Header> {
        if self.axes.len() > AXES_MAX {
            let count = self.axes.len();
            return Err(Exit::Usage(format!("{count} axes, of at most {AXES_MAX}")).into());
        }
        let cannot = || Exit::Usage(format!("cannot read {}", display::path(&base.kernel)));
        check::guest(base, &[], "--kernel")?;
        Ok(Header {
            axes: self.axes.clone(),
            repeat: self.repeat,
            seed: (self.order == Order::Random).then_some(self.seed),
            job: fingerprint(text.as_bytes()),
            kernel: fingerprint(&fs::read(&base.kernel).with_context(cannot)?),
            guest: base.text()?.lines().map(origin::printable).collect(),
        })
    }

    /// Returns the run of a cell, of which everything is checked that can be without a guest.
    fn cell(&self, place: Place, text: &str, base: &Config) -> Result<Cell> {
        let job = grid::job(text, &self.axes, &place.at)?;
        let name = self.job.as_deref().map_or(Path::new("the job"), job::label);
        let plan = Plan::of_file(name, &job)?;
        if !log_names(plan.jobs()).is_empty() {
            let why = "sweep keeps no logs; leave out the write_.._log options";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let mut config = base.clone();
        for (axis, value) in self.axes.iter().zip(&place.at) {
            // Its range was checked when it was read.
            match axis.name.as_str() {
                "vcpus" => config.vcpus = value.parse()?,
                "memory" => config.memory_mib = value.parse()?,
                _ => {}
            }
        }
        let config = checked(config)?;
        check::guest(&config, plan.jobs(), "--kernel")?;
        self.guest.check_limit(&plan)?;
        Ok(Cell { place, config, job, plan })
    }

    /// Returns the file that the sweep begins with: an empty one, or what is there of it.
    fn begun(&self, sweep: Header) -> Result<SweepFile> {
        let name = display::path(&self.output);
        let wrong = |why: String| Exit::Usage(format!("{name}: {why}"));
        let is_there =
            fs::metadata(&self.output).is_ok_and(|found| found.is_file() && found.len() > 0);
        match (self.resume, is_there) {
            (false, false) => Ok(SweepFile { sweep, runs: Vec::new(), failed: Vec::new() }),
            (false, true) => {
                let why = "it is there; --resume goes on with it, --output names another file";
                Err(wrong(why.to_owned()).into())
            }
            (true, false) => Err(wrong("there is no sweep to resume".to_owned()).into()),
            (true, true) => {
                let cannot = |error: Error| wrong(display::text(&format!("{error:#}")));
                let file = input::sweep(&self.output).map_err(cannot)?;
                match file.sweep.difference(&sweep) {
                    Some(what) => {
                        let why = format!("it is of another sweep; {what}; name another --output");
                        Err(wrong(why).into())
                    }
                    None => Ok(file),
                }
            }
        }
    }
}

/// Returns what `--dry-run` prints.
fn told(cells: &[Cell], all: usize, header: &Header) -> String {
    let least = Progress::new(cells.iter().map(|cell| cell.plan.expected_time())).left();
    let least = least.unwrap_or_else(|| time(Default::default()));
    let mut text = format!("# {} of {all} runs, in this order; {least} at least\n", cells.len());
    for cell in cells {
        text.push_str(&cell.place.shown(header));
        text.push('\n');
    }
    text
}

/// Returns length and FNV-1a hash: enough to notice that somebody took another file.
fn fingerprint(bytes: &[u8]) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{} bytes, {hash:016x}", bytes.len())
}
