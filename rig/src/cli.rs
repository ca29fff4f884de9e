//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};

use crate::machine::Clock;
use crate::peer;
use crate::rig::{Outputs, Rig};
use crate::scenario;
use crate::scenario::mail::{of2012, of2013};
use crate::scenario::peers::Sweep;
use crate::scenario::side::Side;
use crate::scenario::test::Part;
use crate::setting::Layer;
use crate::workload::Workload;

/// Exit status of `--parse-only`, which no other command line has.
const PARSED: u8 = 3;

/// Benchmarks Xen block storage from inside a guest: boots Xen, a Linux dom0 and guests in QEMU.
///
/// Needs no KVM and no root. Xen and dom0 are Debian 12's packages, the Linux guest of comparisons
/// (and with --mail all) is Debian 13's, fetched once into a cache (RINGMARK_CACHE, by default
/// ~/.cache/ringmark).
#[derive(Parser)]
#[command(name = "ringmark", bin_name = "./run.sh", version)]
pub(crate) struct Cli {
    /// Ends once the command line is read, with the status 3 if it has a command to run: run.sh
    /// prepares nothing for help and mistakes.
    #[arg(long, hide = true)]
    parse_only: bool,
    /// Loads this file in place of dom0's kernel module of the same name.
    #[arg(long, hide = true, global = true, value_name = "FILE")]
    dom0_module: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the guest on a ramdisk and print its table (the default)
    Run {
        /// Job options for the guest, as in fio, at most ten minutes of them; without any: a job in
        /// each of three grant modes
        #[arg(last = true, value_name = "OPTION=VALUE")]
        options: Vec<String>,
    },
    /// Run the guest's standard jobs: 4k, sequential and random, iodepth 1 and 32, each grant mode
    Bench {
        /// Count instructions: exact and repeatable, but takes minutes for each virtual second
        #[arg(long)]
        deterministic: bool,
        /// Seconds for each of the 24 jobs
        #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3600))]
        runtime: u32,
    },
    /// Check everything: sources, the guest without Xen, and the guest on real Xen
    Test {
        /// Run this part only
        #[arg(long, value_name = "PART")]
        only: Option<Part>,
        /// Run only those checks on real Xen whose name contains this text
        #[arg(long, value_name = "TEXT", conflicts_with = "only")]
        check: Option<String>,
    },
    /// Compare the guest with a Linux guest that runs fio, by default and tuned
    Compare {
        /// Count instructions: exact and repeatable, but takes minutes for each virtual second
        #[arg(long)]
        deterministic: bool,
        /// Measure this guest only
        #[arg(long, value_name = "GUEST")]
        only: Option<Only>,
        /// Measure all workloads, not just random reads: each pattern, both depths, large blocks
        #[arg(long)]
        all: bool,
        /// Measure these workloads, as randread-4k-32,write-128k-16
        #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with_all = ["all", "save_baseline", "file", "mail"])]
        workload: Vec<Workload>,
        /// Measure reads of a file on an FFSv2 instead
        #[arg(long, conflicts_with_all = ["all", "only", "save_baseline"])]
        file: bool,
        /// Measure the workload of a mail instead: 2012, 15 guests read 4 KiB at random at once;
        /// 2013, 24 disks of one guest, written 2 MiB at a time
        #[arg(long, value_name = "YEAR", conflicts_with_all = ["all", "save_baseline", "file"])]
        mail: Option<Mail>,
        /// Numbers of guests of --mail 2012 instead of 1,2,4,8,15; the greatest in all modes
        #[arg(long, value_name = "LIST", requires = "mail", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=i64::from(of2012::GUESTS_MAX)))]
        guests: Vec<u32>,
        /// Boots of --mail 2012, each with all rounds: other pages hold the ramdisks then
        #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "mail", value_parser = clap::value_parser!(u32).range(1..=100))]
        boots: u32,
        /// Save ringmark's instruction counts as the baseline that `test` compares with
        #[arg(long, requires = "deterministic")]
        save_baseline: bool,
        /// Write the page of plots here, too: costs of an I/O by owner as stacked bars
        #[arg(long, value_name = "FILE", requires = "deterministic", conflicts_with = "file")]
        report: Option<PathBuf>,
        /// Write the guests' results with their costs here, for `ringmark report` and `ringmark
        /// compare --costs` of the tool in dom0
        #[arg(long, value_name = "FILE", requires = "deterministic", conflicts_with_all = ["file", "mail"])]
        costs: Option<PathBuf>,
        /// Number of rounds, in each of which every guest runs once
        #[arg(long, value_name = "COUNT", default_value_t = 5, conflicts_with = "deterministic", value_parser = clap::value_parser!(u32).range(1..=100))]
        pairs: u32,
        /// Seconds for each workload
        #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
        runtime: u32,
    },
    /// Find Linux's best settings for each workload, which `compare` then uses
    Peers {
        /// Find them for these workloads only, as randread-4k-32; without any: for all
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        workload: Vec<Workload>,
        /// Vary these layers only: fio's options, the disk's queue, the kernel's
        /// command line, the parameters of its frontend
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        knobs: Vec<Layer>,
        /// Kernel of the Linux guest: of Debian 12 or 13
        #[arg(long, value_name = "VERSION", default_value = peer::NEWEST, value_parser = peer::KERNELS)]
        guest_kernel: String,
        /// Boots at most: in each, all that differs in one knob from the best so far is measured
        #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=20))]
        rounds: u32,
        /// Virtual milliseconds for each of some 30 settings of a workload, in each round
        #[arg(long, value_name = "MILLISECONDS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(50..=60_000))]
        runtime: u32,
        /// Save what is found in the tree, rig/peers.json
        #[arg(long)]
        save: bool,
    },
    /// Count the instructions of an I/O on more vCPUs, disks and queues, and of large blocks
    Scaling {
        /// Virtual seconds for each row; each takes minutes
        #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
        runtime: u32,
        /// Write the page of plots here, too: costs by owner as stacked bars
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Compare how the guest waits by itself with always polling and always sleeping
    Waiter {
        /// Number of rounds, in each of which every way runs once
        #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        pairs: u32,
        /// Seconds for each way at each of six places and depths
        #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3600))]
        runtime: u32,
    },
    /// Build the images into the cache
    Image {
        /// Fetch the packages again; the old stay until the new are complete
        #[arg(long)]
        refresh: bool,
    },
    /// Run the guest's own tests in QEMU without Xen
    Selftest,
    /// Boot to a dom0 prompt on this terminal
    Shell,
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

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Error of the command.
    pub(crate) fn run(self) -> Result<ExitCode> {
        if self.parse_only {
            return Ok(ExitCode::from(PARSED));
        }
        let rig = Rig::open(self.dom0_module)?;
        match self.command.unwrap_or(Command::Run { options: Vec::new() }) {
            Command::Run { options } => scenario::run::run(&rig, &options),
            Command::Compare {
                deterministic,
                only,
                all,
                workload,
                file,
                mail,
                guests,
                boots,
                save_baseline,
                report,
                costs,
                pairs,
                runtime,
            } => {
                let rig = rig.with_outputs(Outputs { report, costs })?;
                if file {
                    let runs = if deterministic { 1 } else { pairs };
                    return scenario::file::compare(&rig, clock(deterministic), runs, runtime);
                }
                let sides = match only {
                    None => &Side::ALL[..],
                    Some(Only::Ringmark) => &[Side::Ours],
                    Some(Only::Linux) => &Side::LINUX,
                };
                if let Some(mail) = mail {
                    let (clock, rounds) =
                        (clock(deterministic), if deterministic { 1 } else { pairs });
                    let extent = of2012::Extent { boots, rounds, runtime_s: runtime };
                    return compare_mail(&rig, mail, clock, sides, &guests, extent);
                }
                let workloads = match &workload[..] {
                    [] if all => &Workload::ALL[..],
                    [] => &Workload::MAIN,
                    named => named,
                };
                if deterministic {
                    scenario::instructions::compare(&rig, sides, workloads, runtime, save_baseline)
                } else {
                    scenario::compare::compare(&rig, sides, workloads, pairs, runtime)
                }
            }
            Command::Peers { workload, knobs, guest_kernel, rounds, runtime, save } => {
                let sweep = Sweep {
                    workloads: or_all(workload, &Workload::ALL),
                    layers: or_all(knobs, &Layer::ALL),
                    runtime_ms: runtime,
                    rounds,
                    kernel: &guest_kernel,
                    save,
                };
                scenario::peers::sweep(&rig, &sweep)
            }
            Command::Scaling { runtime, report } => {
                let rig = rig.with_outputs(Outputs { report, costs: None })?;
                scenario::scaling::measure(&rig, runtime)
            }
            Command::Waiter { pairs, runtime } => scenario::waiter::measure(&rig, pairs, runtime),
            Command::Bench { deterministic, runtime } => {
                scenario::bench::bench(&rig, clock(deterministic), runtime)
            }
            Command::Test { only, check: None } => {
                let all = vec![Part::Host, Part::Selftest, Part::Xen, Part::Cost];
                Ok(scenario::test::test(&rig, &only.map_or(all, |part| vec![part]), ""))
            }
            Command::Test { check: Some(name), .. } => {
                Ok(scenario::test::test(&rig, &[Part::Xen], &name))
            }
            Command::Selftest => scenario::selftest::selftest(&rig),
            Command::Image { refresh } => scenario::image::image(&rig, refresh),
            Command::Shell => scenario::shell::shell(&rig),
        }
    }
}

fn compare_mail(
    rig: &Rig,
    mail: Mail,
    clock: Clock,
    sides: &[Side],
    guests: &[u32],
    extent: of2012::Extent,
) -> Result<ExitCode> {
    match mail {
        Mail::Of2012 => {
            let guests = if guests.is_empty() { &of2012::GUESTS } else { guests };
            of2012::compare(rig, clock, sides, guests, extent)
        }
        Mail::Of2013 => {
            ensure!(guests.is_empty(), "--guests is for --mail 2012: that of 2013 has one guest");
            ensure!(extent.boots == 1, "--boots is for --mail 2012");
            of2013::compare(rig, clock, sides, extent.rounds, extent.runtime_s)
        }
    }
}

fn or_all<T: Clone>(given: Vec<T>, all: &[T]) -> Vec<T> {
    if given.is_empty() { all.to_vec() } else { given }
}

fn clock(deterministic: bool) -> Clock {
    if deterministic { Clock::Instructions } else { Clock::Wall }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_guests_are_for_a_mail_and_as_many_as_it_had() {
        let parse = |words: &str| {
            let words = format!("./run.sh compare {words}");
            Cli::try_parse_from(words.split(' ')).map(|cli| match cli.command {
                Some(Command::Compare { guests, .. }) => guests,
                _ => Vec::new(),
            })
        };
        assert_eq!(parse("--mail 2012 --guests 1,15").unwrap(), [1, 15]);
        assert!(parse("--mail 2012").unwrap().is_empty());
        for wrong in ["--guests 1", "--mail 2012 --guests 16", "--mail 2012 --guests 0"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
