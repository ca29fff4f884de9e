//! The command line.

mod compare;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::caller::from_caller;
use crate::destination::Outputs;
use crate::machine::Clock;
use crate::peer;
use crate::rig::Rig;
use crate::scenario;
use crate::scenario::kvm;
use crate::scenario::peers::Sweep;
use crate::scenario::test::Part;
use crate::scenario::waiter;
use crate::setting::Layer;
use crate::workload::{Workload, Workloads};
use compare::Compare;

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
    #[arg(long, hide = true, global = true, value_name = "FILE", value_parser = PathBufValueParser::new().map(from_caller))]
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
    Compare(Compare),
    /// Find Linux's best settings for each workload, which `compare` then uses
    Peers {
        /// Find them for these workloads only, as randread-4k-32,write-128k-16 (patterns and ranges
        /// as for compare); without any: for all of compare --all
        #[arg(long, value_name = "LIST")]
        workload: Option<Workloads>,
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
        #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().map(from_caller))]
        report: Option<PathBuf>,
    },
    /// Compare how the guest waits by itself with polling for up to 1 ms and always sleeping
    Waiter {
        /// Number of rounds, in each of which every way runs once
        #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=i64::from(waiter::ROUNDS_MAX)))]
        pairs: u32,
        /// Seconds for each way at each of six places and depths
        #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3600))]
        runtime: u32,
    },
    /// Compare grant modes, or the guest with itself, with intervals: `ringmark ab` in dom0
    Ab {
        /// Count instructions: exact and repeatable, but takes minutes for each virtual second
        #[arg(long)]
        deterministic: bool,
        /// Compare the guest with itself so many times, and count the differences that are shown
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
        same: Option<u32>,
        /// Pairs of runs in each comparison, an even number
        #[arg(long, value_name = "COUNT", default_value_t = 6, value_parser = parse_pairs)]
        pairs: u32,
        /// Seconds for each run
        #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
        runtime: u32,
    },
    /// Measure latency against load, open loop: `ringmark curve` in dom0
    Curve {
        /// Count instructions, in two boots, which must print the same
        #[arg(long)]
        deterministic: bool,
        /// Seconds for each level
        #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3600))]
        runtime: u32,
    },
    /// Run fio commands that others publish for their storage, as they are, by `ringmark run`
    Jobs {
        /// Run only those of the source whose name contains this text: XCP-ng, kubestr, dbench or
        /// yabs
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        source: String,
    },
    /// Pack guest, tool, manual and documents into ringmark-VERSION.tar.gz
    Package,
    /// Run the guest without a Xen host, on QEMU's own Xen by KVM: `ringmark run --kvm`, here or
    /// nested in an emulated machine
    Kvm {
        /// Machine of the guest's QEMU; without it pc, and with --boots both by turns
        #[arg(long, value_enum, value_name = "TYPE")]
        machine: Option<kvm::Machine>,
        /// Boot so many times, write in each grant mode with verify=crc32c, and print a line each
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
        boots: Option<u32>,
        /// Job options for the guest, as in fio; without any: a job in each of three grant modes
        #[arg(last = true, value_name = "OPTION=VALUE")]
        options: Vec<String>,
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
            Command::Compare(compare) => compare.run(rig),
            Command::Peers { workload, knobs, guest_kernel, rounds, runtime, save } => {
                ensure!(
                    !save || rig.has_debians_modules(),
                    "--save is for findings with Debian's modules: not with --dom0-module"
                );
                let sweep = Sweep {
                    workloads: workload.map_or(Workload::ALL.to_vec(), |named| named.0),
                    layers: if knobs.is_empty() { Layer::ALL.to_vec() } else { knobs },
                    runtime_ms: runtime,
                    rounds,
                    kernel: &guest_kernel,
                    save,
                };
                scenario::peers::sweep(&rig, &sweep)
            }
            Command::Scaling { runtime, report } => {
                let rig = rig.with_outputs(Outputs::new(report.as_deref(), None)?);
                scenario::scaling::measure(&rig, runtime)
            }
            Command::Waiter { pairs, runtime } => scenario::waiter::measure(&rig, pairs, runtime),
            Command::Ab { deterministic, same, pairs, runtime } => {
                let clock = Clock::of(deterministic);
                match same {
                    Some(times) => scenario::tool::same(&rig, clock, times, pairs, runtime),
                    None => scenario::tool::grant_modes(&rig, clock, pairs, runtime),
                }
            }
            Command::Curve { deterministic, runtime } => {
                scenario::tool::curve(&rig, Clock::of(deterministic), runtime)
            }
            Command::Jobs { source } => scenario::published::jobs(&rig, &source),
            Command::Bench { deterministic, runtime } => {
                scenario::bench::bench(&rig, Clock::of(deterministic), runtime)
            }
            Command::Test { only, check: None } => {
                let all = vec![
                    Part::Host,
                    Part::Package,
                    Part::Selftest,
                    Part::Kvm,
                    Part::Xen,
                    Part::Cost,
                ];
                Ok(scenario::test::test(&rig, &only.map_or(all, |part| vec![part]), ""))
            }
            Command::Test { check: Some(name), .. } => {
                Ok(scenario::test::test(&rig, &[Part::Xen], &name))
            }
            Command::Selftest => scenario::selftest::selftest(&rig),
            Command::Package => scenario::package::package(&rig),
            Command::Kvm { machine, boots: Some(count), options } => {
                kvm::boots(&rig, machine, count, &options)
            }
            Command::Kvm { machine, boots: None, options } => {
                kvm::run(&rig, machine.unwrap_or(kvm::Machine::Pc), &options)
            }
            Command::Image { refresh } => scenario::image::image(&rig, refresh),
            Command::Shell => scenario::shell::shell(&rig),
        }
    }
}

/// Reads a number of pairs, which the tool makes in twos.
fn parse_pairs(text: &str) -> Result<u32, &'static str> {
    let pairs = text.parse().ok().filter(|pairs| (2..=100).contains(pairs) && pairs % 2 == 0);
    pairs.ok_or("write an even number from 2 to 100")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_made_in_twos() {
        assert_eq!(["2", "6", "100"].map(parse_pairs), [Ok(2), Ok(6), Ok(100)]);
        assert!(
            ["0", "1", "7", "102", "-2", "x", ""].iter().all(|text| parse_pairs(text).is_err())
        );
    }

    #[test]
    fn numbers_of_guests_are_for_a_mail_and_as_many_as_it_had() {
        let parse = |words: &str| {
            let words = format!("./run.sh compare {words}");
            Cli::try_parse_from(words.split(' ')).map(|cli| match cli.command {
                Some(Command::Compare(compare)) => compare.guests,
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
