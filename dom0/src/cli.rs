//! The command line.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::compare::Compare;
use crate::report::PlotReport;
use crate::run::Run;

/// Benchmarks Xen block storage from inside a guest, with the jobs and results of fio.
///
/// Runs in dom0, as root. Exit codes: 0 success, 1 the run failed, 2 the command line or the job
/// file is wrong, 3 interrupted, with a result, 4 the guest took too long, 5 the result could not
/// be written.
#[derive(Debug, Parser)]
#[command(name = "ringmark", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Run),
    Compare(Compare),
    Report(PlotReport),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Error of the command.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Compare(compare) => compare.run(),
            Command::Report(report) => report.run(),
        }
    }
}
