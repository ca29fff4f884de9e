//! Text on standard output that needs no guest.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

use crate::exit::Exit;

/// Prints a text. A reader that has seen enough of it, such as head(1), is no failure.
///
/// # Errors
/// [`Exit::Output`].
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.with_context(|| Exit::Output("cannot print".to_owned())),
    }
}
