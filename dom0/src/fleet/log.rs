//! Rates by time: logs of I/Os that the tool asks all guests for, and the rates in them.
//!
//! They are needed where guests do not measure for the same time. They are no result of the user's,
//! and go from a report when they have been read.

#[cfg(test)]
use std::path::Path;

use fio_job::Job;
use guest_protocol::job_node::JOB_FILE_BYTES_MAX;
use results::{JobLog, JobReport, Log, Rate, Report};

use super::window::Window;
use crate::plan::Plan;

/// Options that ask for the log.
const OPTIONS: [&str; 2] = ["write_iops_log", "log_avg_msec"];
/// Shortest time of a sample, in milliseconds: fio's, so that nothing else changes.
const SAMPLE_MS: u64 = 500;
/// Most samples of all jobs together, so that a guest of 16 MiB has room for them.
const SAMPLES_MAX: u64 = 1024;
const NS_PER_MS: u64 = 1_000_000;

/// A wish for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Time of a sample, in milliseconds.
    sample_ms: u64,
}

impl Wish {
    /// Returns the wish for logs of these jobs; none if one has no `runtime=`: nobody knows how
    /// much room its log would take. None either if jobs that are reported together begin at
    /// different times: a log's begin is that of its own job, and the report has only the first.
    pub fn of(plan: &Plan) -> Option<Self> {
        let begin = |job: &Job| (job.pace.start_delay_ns, job.pace.ramp_ns);
        let together = |jobs: &[Job]| jobs.iter().all(|job| begin(job) == begin(&jobs[0]));
        if !plan.jobs().chunk_by(|_, next| next.reporting.with_group).all(together) {
            return None;
        }
        let all_ns = plan
            .jobs()
            .iter()
            .map(|job| job.runtime_ns)
            .try_fold(0_u64, |sum, ns| Some(sum.saturating_add(ns?)))?;
        let sample_ms = SAMPLE_MS.max(all_ns.div_ceil(NS_PER_MS).div_ceil(SAMPLES_MAX));
        // More than the option takes: a sample of an hour tells nothing.
        (sample_ms <= 3_600_000).then_some(Self { sample_ms })
    }

    /// Returns a job file whose jobs keep these logs, too, and its plan. `None` if that is no job
    /// file: it is too long, or its own `log_avg_msec=` is another.
    pub fn granted(self, text: &str) -> Option<(Self, String, Plan)> {
        let [log, window] = OPTIONS;
        let text = format!("[global]\n{log}=fleet\n{window}={}\n{text}", self.sample_ms);
        let plan = Plan::of_text(&text).ok().filter(|_| text.len() <= JOB_FILE_BYTES_MAX)?;
        let has_logs = |job: &Job| {
            job.reporting.has_log() && u64::from(job.reporting.log_avg_ms) == self.sample_ms
        };
        plan.jobs().iter().all(has_logs).then_some((self, text, plan))
    }

    /// Returns the longest time of a sample.
    pub fn sample_ns(self) -> u64 {
        self.sample_ms.saturating_mul(NS_PER_MS)
    }
}

/// Returns whether the user asks for logs.
pub fn is_wanted(jobs: &[Job]) -> bool {
    jobs.iter().any(|job| job.reporting.logs.iter().any(Option::is_some))
}

/// Removes the logs from a report, and the options that asked for them.
pub fn take_out(report: &mut Report) {
    for job in &mut report.jobs {
        job.options.0.retain(|(name, _)| !OPTIONS.contains(&name.as_str()));
        job.ringmark.iter_mut().for_each(|extra| extra.logs.clear());
    }
}

/// Returns the rate of one direction of a job, measured in `of`, within a part of that time.
/// `None` if its logs do not tell.
pub fn rate_within(job: &JobReport, direction: &str, part: Window, sample_ns: u64) -> Option<Rate> {
    let of = Window::of(job)?;
    let extra = job.ringmark.as_ref()?;
    let is_whole = !extra.logs.is_empty() && extra.logs.len() as u64 == extra.members;
    let log: fn(&JobLog) -> &Log = match direction {
        "read" => |log| &log.read,
        "write" => |log| &log.write,
        _ => return None,
    };
    let mut rate = Rate::default();
    for log in extra.logs.iter().map(log).filter(|_| is_whole) {
        if log.dropped != 0 {
            return None;
        }
        rate = add(rate, within(log, of, part, sample_ns));
    }
    is_whole.then_some(rate)
}

/// Returns the rate in a log of a job that was measured in `of`, within a part of that. A sample
/// that is cut counts by the share of its time.
fn within(log: &Log, of: Window, part: Window, sample_ns: u64) -> Rate {
    let mut rate = Rate::default();
    let mut before = of.begin_ns;
    for sample in &log.samples {
        let end = of.begin_ns.saturating_add(sample.end_ms.saturating_mul(NS_PER_MS));
        let end = end.min(of.end_ns);
        let begin = before.max(end.saturating_sub(sample_ns));
        let common = Window { begin_ns: begin, end_ns: end }.common(part);
        let share = common.map_or(0.0, |common| common.ns() as f64) / part.ns().max(1) as f64;
        rate.iops += sample.iops as f64 * share;
        rate.bw_bytes += sample.bw as f64 * 1024.0 * share;
        before = end;
    }
    rate
}

/// Returns the sum of two rates.
pub fn add(one: Rate, other: Rate) -> Rate {
    Rate { iops: one.iops + other.iops, bw_bytes: one.bw_bytes + other.bw_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::{Extra, Sample};

    const MS: u64 = NS_PER_MS;
    const S: u64 = 1_000 * MS;

    fn plan(text: &str) -> Plan {
        Plan::of_file(Path::new("x"), text).unwrap()
    }

    #[test]
    fn logs_are_asked_for_where_their_length_is_known() {
        let wish = |text: &str| Wish::of(&plan(text)).map(|wish| wish.sample_ms);
        assert_eq!(wish("[a]\nruntime=60\n"), Some(500));
        assert_eq!(wish("[a]\nruntime=60\n[b]\nrw=read\n"), None);
        assert_eq!(wish("[a]\nruntime=1024\nnumjobs=8\n"), Some(8000));
        let text = "[a]\nruntime=100000\n[b]\nruntime=60\nstonewall\n";
        let granted = |text: &str| Wish::of(&plan(text)).unwrap().granted(text);
        let (_, _, with_logs) = granted(text).unwrap();
        assert!(is_wanted(with_logs.jobs()) && !is_wanted(plan(text).jobs()));
        assert!(granted("[a]\nruntime=60\nlog_avg_msec=100\n").is_none());
        assert!(granted(&("[a]\nruntime=60\n#".to_owned() + &"x".repeat(64 << 10))).is_none());
    }

    #[test]
    fn jobs_of_a_group_that_begin_apart_have_no_logs() {
        for (second, has_logs) in [
            ("", true),
            ("startdelay=10", false),
            ("ramp_time=1", false),
            ("startdelay=10\ngroup_reporting=0", true),
        ] {
            let text = format!(
                "[global]\nruntime=20\ngroup_reporting\n[a]\nrw=read\n[b]\nrw=read\n{second}\n"
            );
            assert_eq!(Wish::of(&plan(&text)).is_some(), has_logs, "{second}");
        }
    }

    /// A job that was measured from 10 s to 12 s: 1,000 IOPS, 2,000, 3,000, 4,000.
    fn job() -> JobReport {
        let sample = |n: u64| Sample::from([n * 500, n * 4, n * 1000, 0]);
        let log = Log { samples: (1..=4).map(sample).collect(), dropped: 0 };
        let logs = vec![JobLog { read: log, write: Log::default() }];
        let (begin_ns, end_ns) = (Some(10 * S), Some(12 * S));
        let extra = Extra { members: 1, begin_ns, end_ns, logs, ..Extra::default() };
        JobReport { ringmark: Some(extra), ..JobReport::default() }
    }

    fn rate(job: &JobReport, begin_ms: u64, end_ms: u64) -> Option<f64> {
        let part = Window { begin_ns: begin_ms * MS, end_ns: end_ms * MS };
        rate_within(job, "read", part, 500 * MS).map(|rate| (rate.iops * 1e3).round() / 1e3)
    }

    #[test]
    fn a_part_has_the_rate_of_its_samples() {
        let job = job();
        assert_eq!(rate(&job, 10_000, 12_000), Some(2500.0));
        assert_eq!(rate(&job, 10_500, 11_500), Some(2500.0));
        assert_eq!(rate(&job, 11_500, 12_000), Some(4000.0));
        // Half of the first and all of the second; a quarter of the last.
        assert_eq!(rate(&job, 10_250, 11_000), Some(1666.667));
        assert_eq!(rate(&job, 11_875, 12_000), Some(4000.0));
        let part = Window { begin_ns: 10 * S, end_ns: 12 * S };
        assert_eq!(rate_within(&job, "read", part, 500 * MS).unwrap().bw_bytes, 10.0 * 1024.0);
        assert_eq!(rate_within(&job, "write", part, 500 * MS), Some(Rate::default()));
        assert_eq!(rate_within(&job, "trim", part, 500 * MS), None);
    }

    #[test]
    fn rates_of_a_group_add_up() {
        let mut job = job();
        let extra = job.ringmark.as_mut().unwrap();
        extra.logs.push(extra.logs[0].clone());
        assert_eq!(rate(&job, 11_500, 12_000), None, "one log too many");
        job.ringmark.as_mut().unwrap().members = 2;
        assert_eq!(rate(&job, 11_500, 12_000), Some(8000.0));
        job.ringmark.as_mut().unwrap().logs[1].read.dropped = 1;
        assert_eq!(rate(&job, 11_500, 12_000), None);
    }

    #[test]
    fn a_direction_that_begins_late_did_nothing_before() {
        let mut job = job();
        job.ringmark.as_mut().unwrap().logs[0].read.samples.drain(..2);
        assert_eq!(rate(&job, 10_000, 11_000), Some(0.0));
        assert_eq!(rate(&job, 10_000, 12_000), Some((1500.0 + 2000.0) / 2.0));
    }

    #[test]
    fn nothing_is_left_of_the_wish() {
        let mut report = Report { jobs: vec![job()], ..Report::default() };
        let options = [("write_iops_log", "fleet"), ("bs", "4k"), ("log_avg_msec", "500")];
        report.jobs[0].options =
            options.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        take_out(&mut report);
        assert_eq!(report.jobs[0].options.0, [("bs".to_owned(), "4k".to_owned())]);
        assert!(report.jobs[0].ringmark.as_ref().unwrap().logs.is_empty());
    }
}
