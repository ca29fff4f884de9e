//! The command line of `compare`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::caller::from_caller;
use crate::destination::Outputs;
use crate::machine::Clock;
use crate::rig::Rig;
use crate::scenario;
use crate::scenario::mail::{of2012, of2013};
use crate::scenario::side::Side;
use crate::workload::{Workload, Workloads};

/// Options of `compare`.
#[derive(Args)]
pub(super) struct Compare {
    /// Count instructions: exact and repeatable, but takes minutes for each virtual second
    #[arg(long)]
    deterministic: bool,
    /// Measure this guest only
    #[arg(long, value_name = "GUEST")]
    only: Option<Only>,
    /// Measure all workloads, not just random reads: each pattern, both depths, large blocks
    #[arg(long)]
    all: bool,
    /// Measure these workloads, PATTERN-BSk-IODEPTH, as randread-4k-32,write-128k-16: randread,
    /// randwrite, read or write, of 4k to 16384k, iodepth 1 to 4096
    #[arg(long, value_name = "LIST", conflicts_with_all = ["all", "save_baseline", "file", "mail"])]
    workload: Option<Workloads>,
    /// Measure reads of a file on an FFSv2 instead
    #[arg(long, conflicts_with_all = ["all", "only", "save_baseline"])]
    file: bool,
    /// Measure the workload of a mail instead: 2012, 15 guests read 4 KiB at random at once;
    /// 2013, 24 disks of one guest, written 2 MiB at a time
    #[arg(long, value_name = "YEAR", conflicts_with_all = ["all", "save_baseline", "file"])]
    mail: Option<Mail>,
    /// Numbers of guests of --mail 2012 instead of 1,2,4,8,15; the greatest in all modes
    #[arg(long, value_name = "LIST", requires = "mail", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=i64::from(of2012::GUESTS_MAX)))]
    pub(super) guests: Vec<u32>,
    /// Boots of --mail 2012, each with all rounds: other pages hold the ramdisks then
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "mail", value_parser = clap::value_parser!(u32).range(1..=100))]
    boots: u32,
    /// Save ringmark's instruction counts as the baseline that `test` compares with
    #[arg(long, requires = "deterministic")]
    save_baseline: bool,
    /// Write the page of plots here, too: costs of an I/O by owner as stacked bars
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().map(from_caller), requires = "deterministic", conflicts_with = "file")]
    report: Option<PathBuf>,
    /// Write the guests' results with their costs here, for `ringmark report` and `ringmark
    /// compare --costs` of the tool in dom0
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().map(from_caller), requires = "deterministic", conflicts_with_all = ["file", "mail"])]
    costs: Option<PathBuf>,
    /// Number of rounds, in each of which every guest runs once
    #[arg(long, value_name = "COUNT", default_value_t = 5, conflicts_with = "deterministic", value_parser = clap::value_parser!(u32).range(1..=100))]
    pairs: u32,
    /// Seconds for each workload
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    runtime: u32,
}

/// One of the guests of a comparison.
#[derive(Clone, Copy, ValueEnum)]
enum Only {
    /// Our guest.
    Ringmark,
    /// The Linux guest.
    Linux,
}

/// Mails whose workload can be measured.
#[derive(Clone, Copy, ValueEnum)]
enum Mail {
    /// About persistent grants: 15 guests read files at once.
    #[value(name = "2012")]
    Of2012,
    /// About blkfront and blkback whose locks were split: one guest streamed to 24 disks.
    #[value(name = "2013")]
    Of2013,
}

impl Compare {
    /// Runs the comparison.
    ///
    /// # Errors
    /// Error of the comparison; options that do not go together.
    pub(super) fn run(self, rig: Rig) -> Result<ExitCode> {
        let outputs = Outputs::new(self.report.as_deref(), self.costs.as_deref())?;
        let keeps = self.save_baseline || self.costs.is_some();
        ensure!(
            !keeps || rig.has_debians_modules(),
            "--save-baseline and --costs are for figures of Debian's modules: not with --dom0-module"
        );
        let rig = rig.with_outputs(outputs);
        let clock = Clock::of(self.deterministic);
        let rounds = if self.deterministic { 1 } else { self.pairs };
        if self.file {
            return scenario::file::compare(&rig, clock, rounds, self.runtime);
        }
        let sides = match self.only {
            None => &Side::ALL[..],
            Some(Only::Ringmark) => &[Side::Ours],
            Some(Only::Linux) => &Side::LINUX,
        };
        let runtime_s = self.runtime;
        match self.mail {
            Some(Mail::Of2012) => {
                let guests =
                    if self.guests.is_empty() { &of2012::GUESTS } else { &self.guests[..] };
                let extent = of2012::Extent { boots: self.boots, rounds, runtime_s };
                return of2012::compare(&rig, clock, sides, guests, extent);
            }
            Some(Mail::Of2013) => {
                let is_one = self.guests.is_empty();
                ensure!(is_one, "--guests is for --mail 2012: that of 2013 has one guest");
                ensure!(self.boots == 1, "--boots is for --mail 2012");
                return of2013::compare(&rig, clock, sides, rounds, runtime_s);
            }
            None => {}
        }
        let workloads = match &self.workload {
            Some(Workloads(named)) => &named[..],
            None if self.all => &Workload::ALL,
            None => &Workload::MAIN,
        };
        if self.deterministic {
            let keep = self.save_baseline;
            scenario::instructions::compare(&rig, sides, workloads, runtime_s, keep)
        } else {
            scenario::compare::compare(&rig, sides, workloads, rounds, runtime_s)
        }
    }
}
