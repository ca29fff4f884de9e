//! The rig: boots a real Xen with a real dom0 in QEMU, without KVM, and runs guests in it.
//!
//! `main` reads the command line; a scenario (`run`, `check`, `compare`..) says what to boot and
//! judges the outcome; `machine` boots it; `image` and below make what is booted.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

mod apt;
mod archive;
mod baseline;
mod best;
mod blkback;
mod cache;
mod caller;
mod cli;
mod contents;
mod conversation;
mod counts;
mod destination;
mod filter;
mod guest;
mod image;
mod libraries;
mod linux;
mod machine;
mod nested;
mod packages;
mod pattern;
mod peer;
mod progress;
mod qemu;
mod ramdisk;
mod result;
mod rig;
mod scenario;
mod setting;
mod steps;
mod volume;
mod workload;

fn main() -> ExitCode {
    let done = match cli::Cli::try_parse() {
        Ok(cli) => cli.run(),
        // Help is such an error, too; clap by itself would not mind that nobody can read it.
        Err(error) => error
            .print()
            .context("cannot write to standard output")
            .map(|()| ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(u8::MAX))),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
