//! `sweep`: a job in each cell of a grid, each in a guest of its own.
//!
//! `axis` reads what is varied, `grid` has the places of the cells, their order and their jobs,
//! `cell` checks them, `file` is what is kept of them, `resume` checks one that is there. The file
//! is written anew after each run, so that a sweep can be ended at any time and taken up again.

pub mod axis;
mod cell;
pub mod file;
mod grid;
mod resume;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use fio_output::log_names;
use results::Report;
use xl_config::Config;

use crate::check;
use crate::display;
use crate::drive::{Ended, drive};
use crate::exit::{self, Exit};
use crate::figures::Figures;
use crate::guest::{GuestOptions, checked};
use crate::job::JobText;
use crate::origin;
use crate::output::Output;
use crate::progress::{Progress, time};
use crate::report::input::{self, FILE_BYTES_MAX};
use crate::result::{self, OurReader};
use crate::saved::System;
use crate::session::Session;
use crate::signals::Signals;
use crate::status::{self, Status};
use crate::stdout;
use crate::table::summary;
use cell::{Cell, check_distinct};
use file::{AXES_MAX, Axis, CellRun, Failure, Header, SweepFile};
use grid::{Turn, shown_run, turns};

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

/// Words of `--help` on axes, before the exit codes.
const HELP: &str = "\
Values of --vary:
  bs=4k,64k,2m     these; a comma always divides, so that a value with one (bs=4k,8k of fio)
                   cannot be on an axis
  iodepth=1..8     whole numbers from 1 to 8
  iodepth=8..32+8  8, 16, 24, 32
  'bs=4k..2m*8'    4k, 32k, 256k, 2m; a shell may take * for names of files, so quote it
  vcpus, memory    of the guest, memory in MiB; any other name is an option of a job, which holds
                   for all jobs, whatever the file says; `ringmark options` lists them
";

/// Run a job in each cell of a grid of options, and keep all results in one file
#[derive(Args, Debug)]
#[command(after_long_help = format!("{HELP}\n{}", exit::help(exit::SWEEP)))]
#[command(override_usage = "ringmark sweep [OPTIONS] --disk <DISK> --vary <NAME=VALUES>... [JOB] \
                            [-- <OPTION=VALUE>...]")]
pub struct Sweep {
    /// Job file in fio's format, or - for standard input; without one, the options after -- define
    /// one job
    job: Option<PathBuf>,
    #[command(flatten)]
    guest: GuestOptions,
    /// Option of the job to vary, or vcpus or memory, and its values: bs=4k,64k,2m, iodepth=1..8,
    /// iodepth=8..32+8, 'iodepth=1..64*2'; repeat it for each axis of the grid
    #[arg(long = "vary", value_name = "NAME=VALUES", required = true, value_parser = axis::parse)]
    axes: Vec<Axis>,
    /// Number of runs of each cell; all cells have their first before any has its second
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Order of the runs
    #[arg(long, value_enum, value_name = "ORDER", default_value = "grid")]
    order: Order,
    /// Seed of the random order; 1 without it
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
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

/// The cells, and the order in which they run.
struct Grid {
    cells: Vec<Cell>,
    turns: Vec<Turn>,
}

impl Sweep {
    /// Makes the runs that are missing.
    ///
    /// # Errors
    /// [`Exit::Usage`]: a cell that cannot work, or a file of another sweep; runs that failed, at
    /// the end of all; [`Exit::Interrupted`]; [`Exit::Output`].
    pub fn run(&self) -> Result<()> {
        if self.guest.only_parse(self.job.as_deref(), &self.options)? {
            return Ok(());
        }
        axis::check(&self.axes)?;
        if self.seed.is_some() && self.order != Order::Random {
            let why = "--seed is that of --order random; add this, or leave it out";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let text = self.text()?;
        let base = self.guest.config(String::new())?;
        let header = self.header(text.as_str(), &base)?;
        let mut grid = self.grid(&header, &text, &base)?;
        status::warn(grid.cells.iter().flat_map(|cell| cell.plan.warnings()));
        let all = grid.turns.len();
        check::output(Some(&self.output), &[self.job.as_deref()], &base)?;
        self.check_there()?;
        let signals = Signals::listen()?;
        let mut output = Output::open(Some(&self.output))?;
        let name = display::path(&self.output);
        let advice = "name a regular file in a directory that takes new files";
        let what = format!("cannot write {name} again and again; {advice}");
        ensure!(output.replaces(), Exit::Output(what));
        if !self.dry_run {
            output.hold()?;
        }
        let mut file = self.begun(header, &mut grid)?;
        if self.dry_run {
            return stdout::print(&told(&grid, all, &file.sweep));
        }
        file.failed.clear();
        if !self.resume {
            // Who is interrupted in the first run has a sweep to resume, too.
            output.write(&file.text(FILE_BYTES_MAX)?, &signals.patience())?;
        }
        self.sweep(&grid, all, &mut file, output, &signals)
    }

    /// Makes these runs, each of which is kept as soon as it is done.
    fn sweep(
        &self,
        grid: &Grid,
        all: usize,
        file: &mut SweepFile,
        mut output: Output,
        signals: &Signals,
    ) -> Result<()> {
        let mut progress = grid.progress();
        for (turn, cell) in grid.runs() {
            let number = all - grid.turns.len() + progress.count() + 1;
            let shown = shown_run(&file.sweep, &cell.at, turn.repetition);
            let mut status = Status::new(self.guest.status, &cell.config.name);
            let left = progress.left().map_or(String::new(), |left| format!(", {left} left"));
            status.remark(&format!("run {number} of {all}: {shown}{left}"));
            let began = Instant::now();
            let ended = self.once(cell, turn.repetition, signals, &mut status);
            let is_interrupted = signals.received().count != 0;
            let (at, repetition) = (cell.at.clone(), turn.repetition);
            let is_kept = match ended.outcome {
                Ok(Some(Some(result))) => {
                    let said = Figures::of(&result).map(|all| summary(&all)).unwrap_or_default();
                    status.remark(&format!("run {number} of {all}: {said}"));
                    file.runs.push(CellRun { who: System::Ringmark, at, repetition, result });
                    true
                }
                _ if is_interrupted => false,
                Err(error) if ended.is_hopeless && ended.left.is_none() => {
                    return Err(self.given_up(&error, all, file));
                }
                outcome => {
                    let error = outcome.err().unwrap_or_else(|| anyhow!("no result"));
                    let error = display::text(&format!("{error:#}"));
                    status.remark(&format!("run {number} of {all} failed: {error}"));
                    file.failed.push(Failure { at, repetition, error });
                    true
                }
            };
            if is_kept {
                self.keep(file, &mut output, signals)?;
            }
            if let Some(error) = ended.left {
                return Err(self.given_up(&error, all, file));
            }
            if is_interrupted {
                break;
            }
            progress.done(began.elapsed());
        }
        self.end(all, file)
    }

    /// Writes all runs so far.
    fn keep(&self, file: &mut SweepFile, output: &mut Output, signals: &Signals) -> Result<()> {
        let name = display::path(&self.output);
        let text = file.text(FILE_BYTES_MAX);
        let text = text.with_context(|| Exit::Output(format!("cannot write {name}")))?;
        output.write(&text, &signals.patience())
    }

    /// Runs a guest; its outcome is the result if that is whole and good.
    fn once(
        &self,
        cell: &Cell,
        repetition: u32,
        signals: &Signals,
        status: &mut Status,
    ) -> Ended<Option<Report>> {
        let mut reader = OurReader::new(&cell.plan);
        let origin = origin::begun(&cell.origin, repetition, self.repeat);
        let order = self.guest.order(&cell.config, Some(&cell.job), &cell.plan, &origin);
        let then = |text: &str, origin| {
            let mut report = result::read(text, &cell.plan)?;
            origin::attach(&mut report, origin);
            if let Some(reason) = result::failure(&report) {
                bail!("the guest reports: {reason}");
            }
            // One that was asked for early is of a part of the job.
            if signals.received().count != 0 {
                return Ok(None);
            }
            // A result that no report could show, or no sweep go on with, is none.
            Figures::of(&report)?;
            cell.check(&report).context("the guest's result is not believed")?;
            Ok(Some(report))
        };
        match Session::new(order, &mut reader) {
            Ok(session) => drive(session, signals, status, then),
            Err(error) => Ended { outcome: Err(error), left: None, kept: None, is_hopeless: true },
        }
    }

    /// Returns what is in the file, and how to go on with it.
    fn resume_words(&self, all: usize, file: &SweepFile) -> String {
        format!(
            "the same command with --resume goes on; {} of {all} runs are in {}",
            file.runs.len(),
            display::path(&self.output)
        )
    }

    /// Returns the error of a sweep that ends because the rest would fare no better.
    fn given_up(&self, error: &Error, all: usize, file: &SweepFile) -> Error {
        anyhow!("the sweep ends: {error:#}; then {}", self.resume_words(all, file))
    }

    /// Says how it ended.
    fn end(&self, all: usize, file: &SweepFile) -> Result<()> {
        let resume = self.resume_words(all, file);
        if file.runs.len() + file.failed.len() < all {
            return Err(Exit::Interrupted(format!("interrupted; {resume}")).into());
        }
        let shown = |failure: &Failure| {
            let place = shown_run(&file.sweep, &failure.at, failure.repetition);
            format!("\n  {}: {}", display::text(&place), failure.error)
        };
        let named: String = file.failed.iter().take(NAMED_MAX).map(shown).collect();
        let count = file.failed.len();
        let more = if count > NAMED_MAX { "\n  .." } else { "" };
        ensure!(count == 0, "{count} of {all} runs failed:{named}{more}\n{resume}");
        Ok(())
    }

    /// Returns the job, whose options the axes may replace.
    fn text(&self) -> Result<JobText> {
        let text = self.guest.job(self.job.as_deref(), &self.options)?;
        match self.axes.iter().find(|axis| axis::is_of_guest(&axis.name)) {
            Some(axis) if text.has_machine() => {
                let why = "the job has $ncpus or $mb_memory, which are the guest's";
                let advice = format!("write numbers, or leave out --vary {}", axis.name);
                Err(Exit::Usage(format!("{why}; {advice}")).into())
            }
            _ => Ok(text),
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
            seed: (self.order == Order::Random).then_some(self.seed.unwrap_or(1)),
            job: fingerprint(text.as_bytes()),
            kernel: fingerprint(&fs::read(&base.kernel).with_context(cannot)?),
            guest: base.text()?.lines().map(origin::printable).collect(),
        })
    }

    /// Returns all cells, each of which could run and is unlike the others, and their order.
    fn grid(&self, header: &Header, text: &JobText, base: &Config) -> Result<Grid> {
        header.check().map_err(|error| Exit::Usage(error.to_string()))?;
        let cell = |at: Vec<String>| {
            let shown = grid::shown(&self.axes, &at);
            self.cell(at, text, base).with_context(|| shown)
        };
        let cells = grid::cells(&self.axes).into_iter().map(cell).collect::<Result<Vec<_>>>()?;
        check_distinct(&cells, &self.axes)?;
        let round: usize = cells.iter().map(Cell::least_bytes).sum();
        let least = round as u64 * u64::from(self.repeat);
        if least > FILE_BYTES_MAX {
            let what = format!("all results take {} MiB at least", least >> 20);
            let limit = format!("`ringmark report` reads {} MiB", FILE_BYTES_MAX >> 20);
            let advice = "take fewer values or repeats, or group_reporting";
            return Err(Exit::Usage(format!("{what}, and {limit}; {advice}")).into());
        }
        let turns = turns(cells.len(), header);
        Ok(Grid { cells, turns })
    }

    /// Returns a cell, of which everything is checked that can be without a guest.
    fn cell(&self, at: Vec<String>, text: &JobText, base: &Config) -> Result<Cell> {
        let job = grid::job(text, &self.axes, &at)?;
        let plan = self.guest.fio.plan(&job)?;
        if !log_names(plan.jobs()).is_empty() {
            let why = "sweep keeps no logs; leave out the write_.._log options";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let mut config = base.clone();
        for (axis, value) in self.axes.iter().zip(&at) {
            // Its range was checked when it was read.
            axis::set(&mut config, &axis.name, value)?;
        }
        if !self.axes.iter().any(|axis| axis.name == "memory") {
            config = self.guest.with_memory_for(plan.jobs(), config);
        }
        let config = checked(config)?;
        check::guest(&config, plan.jobs(), "--kernel")?;
        self.guest.check_limit(&plan)?;
        let origin = self.guest.origin(&config, text.as_str());
        Ok(Cell { at, config, job: job.as_str().to_owned(), plan, origin })
    }

    /// Checks that there is a file just if there is to be one.
    fn check_there(&self) -> Result<()> {
        let is_there =
            fs::metadata(&self.output).is_ok_and(|found| found.is_file() && found.len() > 0);
        let again = "it is there; --resume goes on with it, --output names another file";
        match (self.resume, is_there) {
            (false, true) => Err(self.wrong(again)),
            (true, false) => Err(self.wrong("there is no sweep to resume")),
            _ => Ok(()),
        }
    }

    /// Returns the error for what is in the output file.
    fn wrong(&self, why: &str) -> Error {
        Exit::Usage(format!("{}: {why}", display::path(&self.output))).into()
    }

    /// Returns the file that the sweep begins with: an empty one, or what is there of it. The runs
    /// that it has are none of the grid's any more.
    fn begun(&self, sweep: Header, grid: &mut Grid) -> Result<SweepFile> {
        // Again: another sweep may have ended before the file was ours.
        self.check_there()?;
        if !self.resume {
            return Ok(SweepFile::new(sweep));
        }
        let shown = |error: Error| display::text(&format!("{error:#}"));
        let file = input::sweep(&self.output).map_err(|error| self.wrong(&shown(error)))?;
        let other = |what: &str| self.wrong(&format!("{what}; name another --output"));
        if let Some(what) = file.sweep.difference(&sweep) {
            return Err(other(&format!("it is of another sweep; {what}")));
        }
        let known = resume::known(&file, &grid.cells).map_err(|error| other(&shown(error)))?;
        grid.turns.retain(|turn| !known.contains(turn));
        Ok(file)
    }
}

impl Grid {
    /// The runs that are to be made, in their order.
    fn runs(&self) -> impl Iterator<Item = (Turn, &Cell)> {
        let cell = |turn: &Turn| Some((*turn, self.cells.get(turn.cell)?));
        self.turns.iter().filter_map(cell)
    }

    fn progress(&self) -> Progress {
        Progress::new(self.runs().map(|(_, cell)| cell.plan.expected_time()))
    }
}

/// Returns what `--dry-run` prints.
fn told(grid: &Grid, all: usize, header: &Header) -> String {
    let least = grid.progress().left().unwrap_or_else(|| time(Default::default()));
    let count = grid.turns.len();
    let mut text = format!("# {count} of {all} runs, in this order; {least} at least\n");
    for (turn, cell) in grid.runs() {
        text.push_str(&shown_run(header, &cell.at, turn.repetition));
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
