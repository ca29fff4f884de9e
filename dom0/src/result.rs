//! Our guest's result: read from its console, printed in the forms of fio.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use bench::result::frame::Unframe;
use bench::result::{self, LogFile, Report};
use clap::ValueEnum;

use crate::date;
use crate::life::{Meaning, Reader};
use crate::plan::Plan;
use crate::printable;
use crate::status::complain;

/// How a result is printed (fio's `--output-format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Normal,
    /// As JSON.
    Json,
    /// As JSON with a histogram of all latencies.
    #[value(name = "json+")]
    JsonPlus,
    /// As fields with semicolons, version 3.
    Terse,
}

/// Reads our guest's console.
#[derive(Debug)]
pub struct OurReader {
    unframe: Unframe,
}

impl OurReader {
    /// Of a guest that does this.
    pub fn new(plan: &Plan) -> Self {
        Self { unframe: Unframe::new(plan.result_bytes_max()) }
    }
}

impl Reader for OurReader {
    fn line(&mut self, line: &str) -> Result<Meaning> {
        if line.starts_with(bench::status::PREFIX) {
            return Ok(Meaning::Status);
        }
        Ok(match self.unframe.line(line)? {
            Some(text) => Meaning::Result(text),
            None if line.starts_with("ringmark-result") => Meaning::Part,
            None => Meaning::Words,
        })
    }

    fn is_lively(&self) -> bool {
        true
    }
}

/// Reads the result that our guest sent, and dates it: a guest does not know the time.
///
/// # Errors
/// When it is none, its strings are not [`printable`], or it does not say whether all went well.
pub fn read(text: &str) -> Result<Report> {
    let report = printable::check(text).and_then(|()| Report::from_json(text));
    let mut report = report.context("the guest's result can't be read")?;
    ensure!(report.ringmark.is_some(), "the guest's result does not say whether all went well");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    report.timestamp = Some(now.as_secs());
    report.timestamp_ms = u64::try_from(now.as_millis()).ok();
    report.time = Some(date::ctime(now.as_secs()));
    Ok(report)
}

/// Why a run failed, if the report says that it did. Only ours tell of the run, fio's own do not.
pub fn failure(report: &Report) -> Option<&str> {
    let failed = report.ringmark.as_ref().filter(|run| !run.ok)?;
    Some(failed.error.as_deref().unwrap_or("it gives no reason"))
}

/// A report in these forms, one after the other.
pub fn print(report: &Report, formats: &[Format]) -> String {
    let print = |format: &Format| match format {
        Format::Normal => result::normal(report),
        Format::Json => result::json(report),
        Format::JsonPlus => result::json_plus(report),
        Format::Terse => result::terse(report),
    };
    let mut texts: Vec<String> = formats.iter().map(print).collect();
    texts.iter_mut().filter(|text| !text.ends_with('\n')).for_each(|text| text.push('\n'));
    texts.concat()
}

/// Writes the logs that jobs asked for (`write_bw_log=` and so on), as fio into files here.
///
/// # Errors
/// Those of writing.
pub fn write_logs(logs: &[LogFile]) -> Result<()> {
    for log in logs {
        write(&log.text, Some(Path::new(&log.name)))?;
        if log.dropped != 0 {
            let what = format!("{}: the guest had no room for {} samples", log.name, log.dropped);
            complain(&format!("ringmark: {what}; raise log_avg_msec= or --memory"));
        }
    }
    Ok(())
}

/// Writes a text to a file or on standard output.
///
/// # Errors
/// Those of writing.
pub fn write(text: &str, output: Option<&Path>) -> Result<()> {
    match output {
        Some(path) => File::create(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display())),
        None => io::stdout().write_all(text.as_bytes()).context("cannot print the result"),
    }
}
