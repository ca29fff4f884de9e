//! `ringmark` for dom0: makes guests with `xl`, gives them jobs, collects what they measured.
//!
//! `cli` reads the command line, and `setting` what of it is for `xl`; `run` says what is to be
//! done; `life` is a guest's way from its making to its result, on `guest` (the domain), `console`
//! (what it says) and `xl` (the tool stack's programs); `job` is what goes in, `result` what comes
//! out, `output` where it goes, and `plan` how much that may be. A guest is taken for hostile: what
//! it says is bounded, checked text. No domain outlives this program.

mod cli;
mod compare;
mod console;
mod date;
mod figures;
mod guest;
mod interrupt;
mod job;
mod life;
mod output;
mod peer;
mod plan;
mod printable;
mod report;
mod result;
mod run;
mod setting;
mod status;
mod xl;

use std::fmt;
use std::process::ExitCode;

use clap::Parser;

/// What was asked for can't be understood; exit code 2, as for what clap refuses.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            status::complain(&format!("ringmark: error: {error:#}"));
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}
