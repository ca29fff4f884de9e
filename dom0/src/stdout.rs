//! Text on standard output that is no result of a guest.

use std::io::{self, ErrorKind};

use anyhow::Result;

use crate::output::Output;

/// Prints a text. A reader that has seen enough of it, such as head(1), is no failure.
///
/// # Errors
/// [`Exit::Output`](crate::exit::Exit::Output).
pub fn print(text: &str) -> Result<()> {
    let printed = Output::open(None)?.write(text, &|| false);
    printed.or_else(|error| match error.downcast_ref::<io::Error>() {
        Some(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}
