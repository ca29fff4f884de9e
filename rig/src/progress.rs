//! Progress for the user. On stderr: a line for each stage, with the time since the start.

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
        eprintln!("[{:7.1} s] {text}", self.start.elapsed().as_secs_f64());
    }

    /// Passes on a line that belongs to the last stage.
    pub(crate) fn detail(&self, text: &str) {
        eprintln!("            | {}", harmless(text));
    }

    /// Prints a line of a guest's on standard output: it is what the user wants of the run.
    pub(crate) fn output(&self, text: &str) {
        println!("{}", harmless(text));
    }
}

/// Without anything that commands a terminal: the text may be a guest's.
fn harmless(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}
