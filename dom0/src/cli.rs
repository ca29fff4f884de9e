//! The command line.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::compare::Compare;
use crate::report::PlotReport;
use crate::run::Run;

/// Benchmarks Xen block storage from inside a guest, with the jobs and results of fio.
///
/// Runs in dom0, as root, where xl runs. Exit codes: 0 all is well, 1 the run failed, 2 it was not
/// asked for in a way that can be understood.
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
    /// Does what was asked for.
    ///
    /// # Errors
    /// What stopped it.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Compare(compare) => compare.run(),
            Command::Report(report) => report.run(),
        }
    }
}
