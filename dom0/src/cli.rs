//! The command line.

use std::env;
use std::ffi::OsString;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::ab::Ab;
use crate::check_jobs::Check;
use crate::compare::Compare;
use crate::curve::Curve;
use crate::diff::Diff;
use crate::doctor::Doctor;
use crate::exit;
use crate::fio_line;
use crate::fleet::Fleet;
use crate::manual::{Completion, Manual};
use crate::options::JobOptions;
use crate::project::Project;
use crate::report::PlotReport;
use crate::run::Run;
use crate::status::eprint_line;
use crate::sweep::Sweep;

/// Benchmarks Xen block storage from inside a guest, with the jobs and results of fio.
///
/// Runs in dom0, as root.
#[derive(Debug, Parser)]
#[command(name = "ringmark", version, after_long_help = exit::help(exit::RUN))]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Run),
    Check(Check),
    Doctor(Doctor),
    Sweep(Sweep),
    Curve(Curve),
    Fleet(Fleet),
    Ab(Ab),
    Compare(Compare),
    Report(PlotReport),
    Diff(Diff),
    Project(Project),
    Options(JobOptions),
    Completion(Completion),
    Man(Manual),
}

impl Cli {
    /// Reads the command line of this program, what is behind `--` as fio would; or ends it.
    ///
    /// # Errors
    /// [`Exit::Usage`](exit::Exit::Usage): an option of fio that is refused.
    pub fn read() -> Result<Self> {
        let fio_line::Line { words, notes } = fio_line::read(env::args_os(), &Self::command())?;
        let cli = Self::parse_from::<Vec<OsString>, OsString>(words);
        notes.iter().for_each(|note| eprint_line(&format!("ringmark: {note}")));
        Ok(cli)
    }

    /// Runs the command.
    ///
    /// # Errors
    /// Error of the command.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Check(check) => check.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Sweep(sweep) => sweep.run(),
            Command::Curve(curve) => curve.run(),
            Command::Fleet(fleet) => fleet.run(),
            Command::Ab(ab) => ab.run(),
            Command::Compare(compare) => compare.run(),
            Command::Report(report) => report.run(),
            Command::Diff(diff) => diff.run(),
            Command::Project(project) => project.run(),
            Command::Options(options) => options.run(),
            Command::Completion(completion) => completion.run(Self::command()),
            Command::Man(manual) => manual.run(Self::command()),
        }
    }
}
