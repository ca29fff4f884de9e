//! Our guest's result, read from its console.

use anyhow::{Context, Result, anyhow, bail};
use guest_protocol::Deframer;
use guest_protocol::barrier::Ready;
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
    /// Whether the guest is one of several that start together.
    is_of_fleet: bool,
}

impl OurReader {
    /// Creates a reader that bounds the result by the guest's plan.
    pub fn new(plan: &Plan) -> Self {
        Self { deframer: Deframer::new(plan.result_bytes_max()), is_of_fleet: false }
    }

    /// Creates a reader as [`new`](Self::new) does, of a guest that waits at a barrier for others.
    pub fn of_fleet(plan: &Plan) -> Self {
        Self { is_of_fleet: true, ..Self::new(plan) }
    }
}

impl Reader for OurReader {
    fn line(&mut self, line: &str) -> Result<Line> {
        if line.starts_with(guest_protocol::console::STATUS_PREFIX) {
            return Ok(Line::Status);
        }
        if let Some(Ready(stage)) = Ready::parse(line).filter(|_| self.is_of_fleet) {
            return Ok(Line::Ready(stage));
        }
        Ok(match self.deframer.line(line)? {
            Some(text) => Line::Result(text),
            None if line.starts_with("ringmark-result") => Line::ResultPart,
            None => match line.strip_prefix(guest_protocol::console::WARNING_PREFIX) {
                Some(warning) => Line::Warning(display::text(warning)),
                None => Line::Other,
            },
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
/// know its origin and its costs, whatever it says.
///
/// # Errors
/// When it is none, its strings are not [`printable`], it has other jobs than planned or more of
/// anything, or it does not say whether all went well.
pub fn read(text: &str, plan: &Plan) -> Result<Report> {
    let checked = printable::check_within(text, &plan.limits());
    let report = checked.and_then(|()| Report::from_json(text));
    let report = report.map_err(|error| anyhow!(display::text(&error.to_string())));
    let mut report = report.context("the guest's result can't be read")?;
    plan.check(&report).context("the guest's result is not believed")?;
    let Some(run) = &mut report.ringmark else {
        bail!("the guest's result does not say whether the run succeeded");
    };
    (run.origin, run.fleet, run.costs, run.preconditioning) = (None, None, None, None);
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
            eprint_line(&format!("ringmark: {second:#}"));
            Err(first)
        }
        (first, second) => first.and(second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use crate::print::{Format, print};
    use results::{Extra, JobLog, JobReport};

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
        let plan = plan("rw=read");
        let text = |run: &str| format!(r#"{{"fio version":"a","jobs":[],"ringmark":{run}}}"#);
        let lie = text(r#"{"ok":true,"origin":{"label":"a","host":{"name":"b"}}}"#);
        let run = read(&lie, &plan).unwrap().ringmark.unwrap();
        assert!(run.ok && run.origin.is_none(), "{run:?}");
        assert!(Report::from_json(&lie).unwrap().ringmark.unwrap().origin.is_some());
        assert!(read(&text("null"), &plan).is_err());
    }

    #[test]
    fn warnings_are_made_safe_to_show() {
        let mut reader = OurReader::new(&plan("rw=read"));
        let mut read = |line: &str| reader.line(line).unwrap();
        let warning = read("ringmark: warning: xvda\u{1b}[2J");
        assert!(matches!(&warning, Line::Warning(text) if text == "xvda\\u{1b}[2J"), "{warning:?}");
        assert!(matches!(read("ringmark: first I/O completed"), Line::Other));
        assert!(matches!(read("> ringmark: warning: a file's"), Line::Other));
    }

    fn plan(line: &str) -> Plan {
        Plan::of_line(line, &["xvda".into()]).unwrap()
    }

    /// A report of these jobs, by their names.
    fn report(names: &[&str]) -> Report {
        let mut report = sample("a", Some("persistent"), 1.0);
        let job = report.jobs.remove(0);
        report.jobs =
            names.iter().map(|name| JobReport { jobname: (*name).into(), ..job.clone() }).collect();
        report
            .jobs
            .iter_mut()
            .flat_map(|job| &mut job.ringmark)
            .for_each(|extra| extra.members = 1);
        report
    }

    /// Returns the error for a report of the jobs `a`, `b` and `c` after a change.
    fn refused(change: impl FnOnce(&mut Report)) -> String {
        let plan = plan("filename=xvda rw=read --name=a --name=b --name=c");
        let mut report = report(&["a", "b", "c"]);
        change(&mut report);
        let read = read(&serde_json::to_string(&report).unwrap(), &plan);
        read.map_or_else(|error| format!("{error:#}"), |_| String::new())
    }

    #[test]
    fn more_than_was_planned_is_refused() {
        assert_eq!(refused(|_| ()), "");
        assert_eq!(refused(|report| report.jobs.truncate(1)), "");
        let job = || report(&["c"]).jobs.remove(0);
        let many = |count| (0..count).map(|n| (n.to_string(), 1)).collect();
        let extra = |report: &mut Report, change: fn(&mut Extra)| {
            report.jobs[1].ringmark.iter_mut().for_each(change);
        };
        for (error, expected) in [
            (
                refused(|report| report.jobs.resize_with(1_000, job)),
                "jobs has 1000 items, but 3 are the most that was planned",
            ),
            (refused(|report| report.jobs.push(job())), "jobs has 4 items, but 3 are"),
            (
                refused(|report| extra(report, |extra| extra.disks = vec!["xvda".into(); 2])),
                "disks has 2 items, but 1 are",
            ),
            (
                refused(|report| extra(report, |extra| extra.logs = vec![JobLog::default(); 4])),
                "logs has 4 items, but 3 are",
            ),
            (
                refused(|report| report.jobs[0].read.clat_ns.percentile = many(18)),
                "percentile has 18 items, but 17 are",
            ),
            (
                refused(|report| {
                    report.jobs[2].read.clat_ns.bins = (0..2_241).map(|n| (n, 1)).collect()
                }),
                "bins has 2241 items, but 2240 are",
            ),
            (
                refused(|report| {
                    report.jobs[0].latency_us = (0..13).map(|n| (n.to_string(), 1.0)).collect();
                }),
                "latency_us has 13 items, but 12 are",
            ),
            (refused(|report| report.version = "x".repeat(5_000)), "a string has 5000 bytes, but "),
            (
                refused(|report| report.version = "\u{202e}".into()),
                "control character '\\u{202e}' in a string",
            ),
        ] {
            let begin = format!("the guest's result can't be read: {expected}");
            assert!(error.starts_with(&begin), "{error}");
        }
    }

    #[test]
    fn jobs_that_were_not_planned_are_refused() {
        for (error, expected) in [
            (
                refused(|report| report.jobs[1].jobname = "c".into()),
                "job 2 of the result is c, not b",
            ),
            (refused(|report| report.jobs[2].groupid = 7), "job c is of group 7, not 0"),
            (
                refused(|report| {
                    report.jobs[0].ringmark = Some(Extra { members: 2, ..Extra::default() })
                }),
                "a has the figures of 2 jobs, not of 1",
            ),
        ] {
            let begin = format!("the guest's result is not believed: {expected}; use guest and");
            assert!(error.starts_with(&begin), "{error}");
        }
        // Without jobs of its own a guest reads from the disks that it finds.
        let by_disk = |name: &str| {
            let mut report = report(&[name]);
            report.jobs[0].groupid = 0;
            read(&serde_json::to_string(&report).unwrap(), &plan("")).is_ok()
        };
        assert!(by_disk("xvdq") && by_disk("51712"));
        assert!(!by_disk("") && !by_disk("ringmark: error: x") && !by_disk(&"x".repeat(17)));
    }

    /// The longest text of a guest that tells nothing but lies.
    #[test]
    fn what_a_liar_has_printed_has_an_end() {
        let list = "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20";
        let plan = plan(&format!("rw=read percentile_list={list} --name=a --name=b --stonewall"));
        let mut lie = report(&["a", "b"]);
        lie.jobs[1].groupid = 1;
        let mut lie = serde_json::to_value(&lie).unwrap();
        for job in lie["jobs"].as_array_mut().unwrap() {
            job["desc"] = "x".repeat(1_000).into();
            let classes = (0..12).map(|n| (format!("{n:64}"), (-1.8e19).into()));
            let percentiles = (0..20).map(|n| (format!("{n}.123456789e18"), u64::MAX.into()));
            for (name, value) in job.as_object_mut().unwrap() {
                let is_list = name.starts_with("iodepth_") || LATENCIES.contains(&name.as_str());
                if is_list {
                    *value = serde_json::Value::Object(classes.clone().collect());
                }
            }
            exaggerate(job, &serde_json::Value::Object(percentiles.collect()));
        }
        let text = lie.to_string();
        let report = read(&text, &plan).unwrap();
        for (format, most) in [(Format::Normal, 64 << 10), (Format::Terse, 8 << 10)] {
            let printed = print(&report, &[format]);
            println!("{format:?}: {} bytes", printed.len());
            assert!(printed.len() <= most * report.jobs.len(), "{printed}");
            assert!(printed.len() > 4_000, "{printed}");
            let longest = printed.lines().map(str::len).max().unwrap();
            assert!(format == Format::Terse || longest <= 2048, "{printed}");
            assert!(printed.chars().all(|letter| letter == '\n' || display::is_harmless(letter)));
        }
    }

    const LATENCIES: [&str; 3] = ["latency_ns", "latency_us", "latency_ms"];

    /// Makes all figures as long as they may be.
    fn exaggerate(value: &mut serde_json::Value, percentiles: &serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let is_given =
                        ["groupid", "members", "error", "first_error"].contains(&name.as_str());
                    if !is_given {
                        exaggerate(value, percentiles);
                    }
                    if name.ends_with("lat_ns") {
                        value["percentile"] = percentiles.clone();
                    }
                }
            }
            Value::Number(number) if number.is_f64() => *value = (-1.234_567_890_123e19).into(),
            Value::Number(number) if number.is_u64() => *value = u64::MAX.into(),
            _ => {}
        }
    }
}
