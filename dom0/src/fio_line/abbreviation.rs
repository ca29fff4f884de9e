//! Options of a command line that are cut short, as getopt_long(3) takes them: any beginning that
//! only one of fio's has.

use std::borrow::Cow;

use anyhow::Result;
use fio_job::{JobError, find_option, option_docs, refused_names, without_effect};

use super::program;
use crate::display;
use crate::exit::Exit;
use crate::job::{name, plain};

/// Most names that an error lists.
const SHOWN_MAX: usize = 8;

/// Returns a word behind `--` with the whole name of its option; others as they are.
///
/// # Errors
/// [`Exit::Usage`]: several options begin so.
pub fn whole(word: &str) -> Result<Cow<'_, str>> {
    let short = name(word);
    let is_unknown = || matches!(find_option(short), Err(JobError::Unknown { .. }));
    let is_option = word.starts_with('-') && !short.is_empty();
    if !is_option || program::find(short).is_some() || !is_unknown() {
        return Ok(word.into());
    }
    let found: Vec<&str> = names().filter(|name| name.starts_with(short)).collect();
    match found[..] {
        [] => Ok(word.into()),
        [only] => Ok(format!("--{only}{}", plain(word).trim_start_matches(short)).into()),
        _ => Err(Exit::Usage(ambiguous(short, &found)).into()),
    }
}

/// Names of fio's options, those of its command line first.
fn names() -> impl Iterator<Item = &'static str> {
    let docs = option_docs().filter(|doc| !doc.help.contains("not fio's"));
    let jobs = docs.flat_map(|doc| doc.names).copied();
    let others = without_effect().chain(refused_names());
    program::names().chain(jobs).chain(others.filter(|name| program::find(name).is_none()))
}

fn ambiguous(short: &str, found: &[&str]) -> String {
    let shown: Vec<&str> = found.iter().copied().take(SHOWN_MAX).collect();
    let rest = found.len() - shown.len();
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    format!("--{}: it may be {}{more}; write more of it", display::text(short), shown.join(", "))
}
