//! Our guest's result: read from its console, printed in the forms of fio.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use fio_output::{LogFile, log_names};
use guest_protocol::Deframer;
use results::Report;

use crate::date;
use crate::display;
use crate::output::Output;
use crate::plan::Plan;
use crate::printable;
use crate::session::{Line, Reader};
use crate::status::eprint_line;

/// Form of a printed result (fio's `--output-format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for reading.
    Normal,
    /// JSON.
    Json,
    /// JSON with histograms of all latencies.
    #[value(name = "json+")]
    JsonPlus,
    /// Fields separated by semicolons, version 3.
    Terse,
}

/// Reader of a ringmark guest's console.
#[derive(Debug)]
pub struct OurReader {
    deframer: Deframer,
}

impl OurReader {
    /// Creates a reader that bounds the result by the guest's plan.
    pub fn new(plan: &Plan) -> Self {
        Self { deframer: Deframer::new(plan.result_bytes_max()) }
    }
}

impl Reader for OurReader {
    fn line(&mut self, line: &str) -> Result<Line> {
        if line.starts_with(guest_protocol::console::STATUS_PREFIX) {
            return Ok(Line::Status);
        }
        Ok(match self.deframer.line(line)? {
            Some(text) => Line::Result(text),
            None if line.starts_with("ringmark-result") => Line::ResultPart,
            None => Line::Other,
        })
    }

    fn reports_progress(&self) -> bool {
        true
    }
}

/// Reads the result that our guest sent, and dates it: a guest does not know the time. Nor does it
/// know its origin, whatever it says.
///
/// # Errors
/// When it is none, its strings are not [`printable`], or it does not say whether all went well.
pub fn read(text: &str) -> Result<Report> {
    let report = printable::check(text).and_then(|()| Report::from_json(text));
    let mut report = report.context("the guest's result can't be read")?;
    let Some(run) = &mut report.ringmark else {
        bail!("the guest's result does not say whether the run succeeded");
    };
    run.origin = None;
    let now = date::now();
    report.timestamp = u64::try_from(now.as_second()).ok();
    report.timestamp_ms = u64::try_from(now.as_millisecond()).ok();
    report.time = Some(date::ctime(now));
    Ok(report)
}

/// Returns why a run failed, as text to show, if the report says that it did. Only ours tell of the
/// run, fio's own do not.
pub fn failure(report: &Report) -> Option<String> {
    let failed = report.ringmark.as_ref().filter(|run| !run.ok)?;
    Some(display::text(failed.error.as_deref().unwrap_or("no reason given")))
}

/// A report in these forms, one after the other.
pub fn print(report: &Report, formats: &[Format]) -> String {
    let print = |format: &Format| match format {
        Format::Normal => fio_output::normal(report),
        Format::Json => fio_output::json(report),
        Format::JsonPlus => fio_output::json_plus(report),
        Format::Terse => fio_output::terse(report),
    };
    let mut texts: Vec<String> = formats.iter().map(print).collect();
    texts.iter_mut().filter(|text| !text.ends_with('\n')).for_each(|text| text.push('\n'));
    texts.concat()
}

/// The logs that jobs ask for (`write_bw_log=` and so on), as fio in files here.
#[derive(Debug)]
pub struct LogOutputs(Vec<(String, Output)>);

impl LogOutputs {
    /// Opens those that the jobs ask for.
    ///
    /// # Errors
    /// When one of them can't be written.
    pub fn open(plan: &Plan) -> Result<Self> {
        let open = |name: String| Ok((name.clone(), Output::open(Some(Path::new(&name)))?));
        log_names(plan.jobs()).into_iter().map(open).collect::<Result<_>>().map(Self)
    }

    /// Writes all of them that came.
    ///
    /// # Errors
    /// The first of those of writing; the others are told.
    pub fn write(mut self, logs: &[LogFile]) -> Result<()> {
        let mut done = Ok(());
        for log in logs {
            if let Some(at) = self.0.iter().position(|(name, _)| *name == log.name) {
                let written = self.0.swap_remove(at).1.write_or_print(&log.text);
                done = first_error(done, written);
            }
            if log.dropped != 0 {
                let what =
                    format!("{}: the guest had no room for {} samples", log.name, log.dropped);
                eprint_line(&format!("ringmark: {what}; raise log_avg_msec= or --memory"));
            }
        }
        done
    }
}

/// The first error of two; a second one is told at once.
pub fn first_error(first: Result<()>, second: Result<()>) -> Result<()> {
    match (first, second) {
        (Err(first), Err(second)) => {
            eprint_line(&display::line(&format!("ringmark: {second:#}")));
            Err(first)
        }
        (first, second) => first.and(second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    #[test]
    fn the_reason_for_a_failure_fits_a_terminal() {
        let mut report = sample("a", Some("persistent"), 1.0);
        assert_eq!(failure(&report), None);
        let run = report.ringmark.as_mut().unwrap();
        (run.ok, run.error) = (false, Some("no \u{202e}xvdz".repeat(100_000)));
        let reason = failure(&report).unwrap();
        assert!(reason.starts_with("no \\u{202e}xvdz"), "{reason}");
        assert!(reason.len() <= display::TEXT_CHARS_MAX, "{reason}");
    }

    #[test]
    fn a_guest_cannot_set_its_origin() {
        let text = |run: &str| format!(r#"{{"fio version":"a","jobs":[],"ringmark":{run}}}"#);
        let lie = text(r#"{"ok":true,"origin":{"label":"a","host":{"name":"b"}}}"#);
        let run = read(&lie).unwrap().ringmark.unwrap();
        assert!(run.ok && run.origin.is_none(), "{run:?}");
        assert!(Report::from_json(&lie).unwrap().ringmark.unwrap().origin.is_some());
        assert!(read(&text("null")).is_err());
    }
}
