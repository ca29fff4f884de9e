//! The command line.

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::ab::Ab;
use crate::compare::Compare;
use crate::curve::Curve;
use crate::diff::Diff;
use crate::exit;
use crate::fleet::Fleet;
use crate::manual::{Completion, Manual};
use crate::options::JobOptions;
use crate::project::Project;
use crate::report::PlotReport;
use crate::run::Run;
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
    /// Runs the command.
    ///
    /// # Errors
    /// Error of the command.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Run(run) => run.run(),
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
