//! The page's place: neither an input nor a file that somebody else made.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plots::page::MARK;

use crate::display;
use crate::exit::Exit;

/// Beginning of a page.
const DOCTYPE: &str = "<!DOCTYPE html>";
/// Bytes from the beginning within which the mark is.
const MARK_WITHIN: u64 = 1024;

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
    let mark = File::open(output).and_then(has_mark);
    if !mark.with_context(|| format!("cannot read {}, which would be replaced", name(output)))? {
        let why = format!(
            "{} is there and is no page of ringmark report; remove it, or name another file with -o",
            name(output)
        );
        return Err(Exit::Usage(why).into());
    }
    Ok(())
}

/// Returns whether a file is empty or a page that this tool made.
fn has_mark(file: impl Read) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(MARK_WITHIN).read_to_end(&mut start)?;
    let start = String::from_utf8_lossy(&start);
    Ok(start.is_empty() || start.starts_with(DOCTYPE) && start.contains(MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_mark() {
        let page = format!("{DOCTYPE}\n<html lang=\"en\">{MARK}0.1.0\">");
        for (text, expected) in [
            ("", true),
            (&*page, true),
            (&page[1..], false),
            (&format!("{{\"job\": \"{page}\"}}"), false),
            (&format!("{DOCTYPE}\n<html><p>{MARK}"), true),
            (&format!("{DOCTYPE}{}{MARK}", " ".repeat(1024)), false),
            (DOCTYPE, false),
            ("{\"fio version\": 1}", false),
        ] {
            assert_eq!(has_mark(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }
}
