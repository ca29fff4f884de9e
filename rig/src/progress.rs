//! Progress and results for the user: a line for each stage on stderr, with the time since the
//! start, and results on stdout.

use std::fmt::Display;
use std::io::{Write, stderr, stdout};
use std::process::exit;
use std::time::Instant;

/// The clock and the voice of a run.
pub(crate) struct Progress {
    start: Instant,
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Tells of a stage that begins or of something that happened.
    pub(crate) fn stage(&self, text: &str) {
        tell(format_args!("[{:7.1} s] {text}", self.start.elapsed().as_secs_f64()));
    }

    /// Passes on a line that belongs to the last stage.
    pub(crate) fn detail(&self, text: &str) {
        tell(format_args!("            | {}", harmless(text)));
    }

    /// Prints a line of a guest's on standard output: it is what the user wants of the run.
    pub(crate) fn output(&self, text: &str) {
        print_line(harmless(text));
    }
}

/// Prints a line of a result on standard output. Where that is not possible, because the disk is
/// full or the reader of a pipe has gone, nothing else is worth doing: ends the rig, and QEMU with
/// it.
pub(crate) fn print_line(text: impl Display) {
    if let Err(error) = writeln!(stdout(), "{text}") {
        tell(format_args!("error: cannot write to standard output: {error}"));
        exit(1);
    }
}

/// Prints a line on standard error, if that is possible: a run does not end because nobody listens.
fn tell(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

/// Without anything that commands a terminal: the text may be a guest's.
fn harmless(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}
