//! Our guest's result, read from its console.

use anyhow::{Context, Result, bail};
use guest_protocol::Deframer;
use results::Report;

use crate::date;
use crate::display;
use crate::monitor::{Line, Reader};
use crate::plan::Plan;
use crate::printable;
use crate::status::eprint_line;

/// Longest line of a guest of ours, in bytes: pieces of its result have less than 1,000.
const LINE_BYTES_MAX: usize = 2048;

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

    fn line_bytes_max(&self) -> usize {
        LINE_BYTES_MAX
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
