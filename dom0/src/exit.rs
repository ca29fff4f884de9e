//! Exit codes that tell failures apart.

use std::fmt;

/// Exit codes, and what they mean.
pub type Codes = &'static [(&'static str, &'static str)];

/// Exit codes of a run or a comparison.
pub const RUN: Codes = &[
    ("0", "success"),
    ("1", "the run failed"),
    ("2", "the command line or the job file is wrong"),
    ("3", "interrupted, with a result"),
    ("4", "the guest took too long"),
    ("5", "the result could not be written where it was to go"),
];
/// Exit codes of `check`.
pub const CHECK: Codes = &[
    ("0", "a guest takes all jobs"),
    ("2", "jobs are refused, or the command line is wrong"),
    ("5", "the jobs could not be printed"),
];
/// Exit codes of a sweep.
pub const SWEEP: Codes = &[
    ("0", "success"),
    ("1", "runs failed, or the sweep ended because the rest would have failed, too"),
    ("2", "the command line or the job file is wrong, or the output is of another sweep"),
    ("3", "interrupted; --resume goes on"),
    ("5", "the results could not be written where they were to go"),
];
/// Exit codes of `fleet`.
pub const FLEET: Codes = &[
    ("0", "success: all guests have a result"),
    ("1", "the run failed, or a guest has no result"),
    ("2", "the command line or the job file is wrong"),
    ("3", "interrupted, with a result"),
    ("4", "no guest has a result, because all took too long"),
    ("5", "the result could not be written where it was to go"),
];
/// Exit codes of `report`.
pub const REPORT: Codes = &[
    ("0", "success"),
    ("1", "a file cannot be read, or has nothing to plot"),
    ("2", "the command line is wrong, or the page would replace another file"),
    ("5", "the page could not be written"),
];
/// Exit codes of `diff`.
pub const DIFF: Codes = &[
    ("0", "no figure is worse than --gate allows, or it is shown that none is slower"),
    ("1", "a figure is worse, or cannot be judged by --gate; it is shown that one is slower"),
    ("2", "the command line or a file is wrong"),
    ("5", "the comparison could not be printed"),
    ("6", "--fail-if-slower is undecided: the runs show neither; more runs would tell"),
];
/// Exit codes of `doctor`.
pub const DOCTOR: Codes = &[
    ("0", "nothing was found that spoils a measurement: all is ok, or a note"),
    ("1", "something spoils a measurement (warn), or leaves none (fail)"),
    ("2", "the command line is wrong"),
    ("5", "the findings could not be printed"),
];
/// Exit codes of `project`.
pub const PROJECT: Codes = &[
    ("0", "success"),
    ("2", "the command line or a file is wrong"),
    ("5", "the projection could not be printed"),
];
/// Exit codes of commands that only print.
pub const PRINT: Codes =
    &[("0", "success"), ("2", "the command line is wrong"), ("5", "the text could not be printed")];

/// Returns exit codes as `--help` shows them.
pub fn help(codes: Codes) -> String {
    let lines = codes.iter().map(|(code, meaning)| format!("\n  {code}  {meaning}"));
    format!("Exit codes:{}", lines.collect::<String>())
}

/// Failure with an exit code of its own; any other failure has exit code 1.
#[derive(Debug)]
pub enum Exit {
    /// A command line or job file that is wrong: 2, as for clap's own errors.
    Usage(String),
    /// A run that ended early on request, with a result of what was measured: 3.
    Interrupted(String),
    /// A guest that took too long: 4.
    TimedOut(String),
    /// A result that could not be written where it was to go: 5.
    Output(String),
    /// A question that the results do not decide: 6.
    Undecided(String),
}

impl Exit {
    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Interrupted(_) => 3,
            Self::TimedOut(_) => 4,
            Self::Output(_) => 5,
            Self::Undecided(_) => 6,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text)
        | Self::Interrupted(text)
        | Self::TimedOut(text)
        | Self::Output(text)
        | Self::Undecided(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Exit {}
