//! `ringmark` for dom0: makes guests with `xl`, gives them jobs, collects what they measured.
//!
//! `cli` reads the command line. `run` and
//! `compare` start a `session` for each guest: create it, start its job, wait for the result,
//! destroy it. A session stands on `guest` (the domain), `console` (its output), `signals` (ours)
//! and `xl` (the tool stack's programs). `job` is the input, `plan` bounds the result's size and
//! time, `result` parses and prints it, `output` writes it, `display` escapes what others said.
//! Guests are not trusted: their output is bounded and checked. No domain outlives this program.

mod cli;
mod compare;
mod console;
mod date;
mod display;
mod figures;
mod guest;
mod job;
mod output;
mod peer;
mod plan;
mod printable;
mod report;
mod result;
mod run;
mod session;
mod signals;
mod status;
mod usage;
mod xl;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            status::eprint_line(&format!("ringmark: error: {error:#}"));
            ExitCode::from(if error.is::<usage::Usage>() { 2 } else { 1 })
        }
    }
}
