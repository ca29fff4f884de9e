//! The page's place: neither an input nor a file that somebody else made.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plots::page::is_page;

use crate::display;
use crate::exit::Exit;

/// Checks that no input would be lost, nor any other file but an older page, when the page is
/// written to `output`.
///
/// # Errors
/// [`Exit::Usage`]; when the file that is there can't be read.
pub fn check(output: &Path, inputs: &[PathBuf]) -> Result<()> {
    let name = |path: &Path| display::text(&path.to_string_lossy());
    let found = match fs::metadata(output) {
        Ok(found) => found,
        // Whether it can be made shows when it is.
        Err(_) => return Ok(()),
    };
    if !found.is_file() {
        return Ok(());
    }
    let id = |file: &Metadata| (file.dev(), file.ino());
    let is_it = |input: &&PathBuf| fs::metadata(input).is_ok_and(|input| id(&input) == id(&found));
    if let Some(input) = inputs.iter().find(is_it) {
        let (output, input) = (name(output), name(input));
        let why = format!("-o {output} would replace the input {input}; name another file there");
        return Err(Exit::Usage(why).into());
    }
    let mark = File::open(output).and_then(is_page);
    if !mark.with_context(|| format!("cannot read {}, which would be replaced", name(output)))? {
        let why = format!(
            "{} is there and is no page of ringmark report; remove it, or name another file with -o",
            name(output)
        );
        return Err(Exit::Usage(why).into());
    }
    Ok(())
}
