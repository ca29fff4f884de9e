//! The job on its way to the guest: a file, standard input, or the options after `--`, made one
//! flat [`JobText`] of which the guest understands everything.
//!
//! `read` reads a file, `flat` puts in what it includes and what its `variables` stand for, by
//! `arithmetic` where fio calculates; `words` are options of a command line, `nodes` what xenstore
//! gets.

mod arithmetic;
mod flat;
mod nodes;
mod read;
mod text;
mod variables;
mod words;

use std::path::Path;

use anyhow::Result;
use guest_protocol::job_node::JOB_FILE_BYTES_MAX;

pub use flat::Wanted;
pub use nodes::nodes;
pub use read::{is_stdin, label};
pub use text::{At, Fault, JobText};
pub use variables::Machine;
pub use words::{command_line, name, plain};

use crate::display;
use crate::exit::Exit;
use text::Place;

/// Name, in messages, of what is in no file.
const OPTIONS: &str = "the options after --";

/// Reads a job file, or standard input for `-`, and puts options before it. As on fio's command
/// line these are defaults, which the file may override.
///
/// # Errors
/// [`Exit::Usage`]: it cannot be read, is too long or no text, has a variable or a file that is
/// not there, or an option is not one.
pub fn of_file(path: &Path, options: &[String], wanted: Wanted<'_>) -> Result<JobText> {
    Ok(located(path, options, wanted)?.map_err(Exit::from)?)
}

/// Returns the same, or what is wrong with the file and where.
///
/// # Errors
/// [`Exit::Usage`]: an option is not one.
pub fn located(
    path: &Path,
    options: &[String],
    wanted: Wanted<'_>,
) -> Result<Result<JobText, Fault>> {
    let shown = display::path(label(path));
    let mut job = JobText::new(&shown);
    let place = Place { file: job.add_file(OPTIONS), line: None };
    for line in words::defaults(options)?.lines() {
        job.push_changed(line, place);
    }
    let job = flat::add_file(job, path, wanted);
    let is_short = |job: &JobText| job.as_str().len() <= JOB_FILE_BYTES_MAX;
    Ok(job.and_then(|job| match is_short(&job) {
        true => Ok(job),
        false => Err(Fault { file: shown, at: At::File, what: read::too_long() }),
    }))
}

/// Returns the jobs as a job file: that of `path` behind the options, or those that the options
/// make.
///
/// # Errors
/// [`Exit::Usage`]: those of [`of_file`], or an option that no job file can have; there are
/// neither.
pub fn whole(path: Option<&Path>, options: &[String], wanted: Wanted<'_>) -> Result<JobText> {
    let Some(path) = path else {
        let usage = |why: &str| Err(Exit::Usage(why.to_owned()).into());
        if options.is_empty() {
            return usage("nothing to do; name a job file, or options after --");
        }
        if !wanted.sections.is_empty() {
            return usage("--section chooses jobs of a job file; name one, or leave it out");
        }
        let mut job = JobText::new("the job");
        words::job_file(options)?.lines().for_each(|line| job.push_line(line));
        return Ok(job);
    };
    of_file(path, options, wanted)
}

#[cfg(test)]
mod tests;
