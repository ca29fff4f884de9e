//! Reader of command lines: fio's command-line form, in one string.
//!
//! `--option=value`, `-option=value` and `option=value` are the same. `name=` starts a job; options
//! before the first one, or after `name=global` (any name that begins so), are defaults for those
//! that follow. Options without any `name=` make one job. A `;` works as in a shell: it begins
//! another run of fio, which shares no defaults
//! with the run before and starts when that is done. So
//!
//! ```text
//! bs=4k --name=a --rw=read --name=b --rw=randread    two jobs, together
//! rw=read bs=4k; rw=randread bs=4k                   two jobs, one after the other
//! ```

use crate::builder::JobBuilder;
use crate::error::JobError;
use crate::job::Job;
use crate::options;
use crate::text::check_text;
use crate::value::Value;
use crate::warning::{Checked, Warnings, jobs_only};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

/// Reads the jobs on `command_line`, which holds only fio options. Without options there are no
/// jobs.
///
/// # Errors
/// The first error.
pub fn parse(command_line: &str) -> Result<Vec<Job>, JobError> {
    jobs_only(check_line(command_line))
}

/// Reads the jobs on `command_line` as [`parse()`] does, and the warnings about them.
///
/// # Errors
/// The first error.
pub fn check_line(command_line: &str) -> Result<Checked, JobError> {
    check_text(command_line)?;
    let mut checked = Checked::default();
    for run in split_unquoted(command_line, |c| c == ';') {
        let Checked { jobs, warnings } = check_run(run, checked.jobs)?;
        checked.jobs = jobs;
        checked.warnings.extend(warnings);
    }
    Ok(checked)
}

/// Returns the words of a text: a blank in quotation marks is a part of its word.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    split_unquoted(text, |c| c.is_ascii_whitespace())
}

/// Adds the jobs of one run of fio; the warnings are those of this run alone.
fn check_run(run: &str, jobs: Vec<Job>) -> Result<Checked, JobError> {
    let first = jobs.len();
    let mut reader = Reader { jobs, ..Reader::default() };
    for word in words(run).filter(|word| *word != "--") {
        match split_option(word) {
            ("name", value) => reader.start(Value::new("name", value).name()?.as_str())?,
            (option, value) => reader.set(option, value)?,
        }
    }
    let mut checked = reader.finish()?;
    if first > 0
        && let Some(job) = checked.jobs.get_mut(first)
    {
        job.stonewall = true;
    }
    Ok(checked)
}

/// Collector of jobs from names and options, in the order in which they appear.
#[derive(Default)]
pub(crate) struct Reader {
    jobs: Vec<Job>,
    /// Defaults of the next job.
    defaults: JobBuilder,
    /// Job that options apply to; without one they are defaults.
    current: Option<JobBuilder>,
    has_section: bool,
    has_options: bool,
    warnings: Warnings,
    /// Line that began the job.
    begun: Option<usize>,
}

impl Reader {
    /// Says which line of a job file is read next.
    pub(crate) fn at_line(&mut self, number: usize) {
        self.warnings.line = Some(number);
    }

    /// Ends the previous job; the next options apply to the job `name`, or to the defaults if that
    /// begins with `global`.
    pub(crate) fn start(&mut self, name: &str) -> Result<(), JobError> {
        check_text(name)?;
        self.has_section = true;
        self.end_current()?;
        self.defaults.has_disks = false;
        if !name.starts_with("global") {
            let mut builder = self.defaults.clone();
            builder.job.name = Value::new("name", Some(name)).name()?;
            builder.has_units = false;
            builder.has_disks = false;
            self.current = Some(builder);
            self.begun = self.warnings.line;
        }
        Ok(())
    }

    /// Returns whether there has been a name.
    pub(crate) fn has_section(&self) -> bool {
        self.has_section
    }

    /// Applies an option.
    pub(crate) fn set(&mut self, option: &str, value: Option<&str>) -> Result<(), JobError> {
        check_text(option)?;
        self.has_options = true;
        let builder = self.current.as_mut().unwrap_or(&mut self.defaults);
        options::set(builder, option, value)?;
        // A command line has no sections: there the order of the options counts.
        builder.has_disks &= self.warnings.line.is_some();
        builder.cautions.drain(..).for_each(|about| self.warnings.add(about));
        Ok(())
    }

    /// Returns all jobs; options without a name make one job.
    pub(crate) fn finish(mut self) -> Result<Checked, JobError> {
        if self.has_options && !self.has_section {
            let mut builder = self.defaults.clone();
            builder.job.name = format!("job{}", self.jobs.len() + 1);
            self.current = Some(builder);
        }
        self.end_current()?;
        Ok(Checked { jobs: self.jobs, warnings: self.warnings.into_list() })
    }

    fn end_current(&mut self) -> Result<(), JobError> {
        let Some(builder) = self.current.take() else { return Ok(()) };
        for text in builder.job_cautions() {
            self.warnings.add_job(self.begun, &builder.job.name, text);
        }
        builder.finish(&mut self.jobs).map_err(|cause| match self.begun {
            Some(number) => JobError::Line { number, cause: Box::new(cause) },
            None => cause,
        })
    }
}

/// Splits `--bs=4k`, `-bs=4k` or `bs=4k` into `bs` and `4k`.
fn split_option(word: &str) -> (&str, Option<&str>) {
    let word = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or(word);
    match word.split_once('=') {
        Some((option, value)) => (option, Some(value)),
        None => (word, None),
    }
}

/// Returns the non-empty pieces of `text` between separators; separators inside `"` do not count.
fn split_unquoted(text: &str, separates: fn(char) -> bool) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        !quoted && separates(c)
    })
    .filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests;
