//! A report's logs as fio's files: `write_bw_log`, `write_iops_log`, `write_lat_log` with
//! `log_avg_msec` (fio's manual, "Log File Formats").

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::report::{Job, JobLog, Report};
use super::samples::Sample;
use crate::job::Reporting;

/// One of fio's log files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Such as `job_bw.1.log`: letters, digits, `-`, `_` and `.`, whatever the guest said.
    pub name: String,
    /// A line for each sample: milliseconds, value, direction, and zeros for the size of a block
    /// and the priority, which a mean has not.
    pub text: String,
    /// Samples that the guest had no room for.
    pub dropped: u64,
}

/// What a log's files are called for, and what of a sample they hold.
type Kind = (&'static str, fn(&Sample) -> u64);

/// By [`Reporting::LOGS`]: KiB a second, I/Os a second, nanoseconds.
const KINDS: [&[Kind]; 3] = [
    &[("bw", |sample| sample.bw)],
    &[("iops", |sample| sample.iops)],
    &[("lat", |sample| sample.latency_ns), ("clat", |sample| sample.latency_ns)],
];

/// More jobs than a group can have.
const JOBS_MAX: u64 = 1 << 16;

/// The files of all jobs that ask for some. As in fio jobs are numbered from 1, through all groups.
pub fn logs(report: &Report) -> Vec<LogFile> {
    let mut files = Vec::new();
    let mut before = 0_u64;
    for job in &report.jobs {
        let Some(extra) = &job.ringmark else { continue };
        for (log, number) in extra.logs.iter().zip(before + 1..) {
            files.extend(of_job(job, log, number));
        }
        before += extra.members.min(JOBS_MAX);
    }
    files
}

fn of_job(job: &Job, log: &JobLog, number: u64) -> impl Iterator<Item = LogFile> {
    let wanted = Reporting::LOGS.into_iter().zip(KINDS);
    let wanted = wanted.filter_map(|(option, kinds)| Some((job.options.value(option)?, kinds)));
    wanted.flat_map(move |(prefix, kinds)| {
        kinds.iter().map(move |(kind, value)| LogFile {
            name: plain(&format!("{prefix}_{kind}.{number}.log")),
            text: lines(log, *value),
            dropped: log.read.dropped.saturating_add(log.write.dropped),
        })
    })
}

/// A file's name that leads nowhere else: what a guest says is not to be trusted.
fn plain(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let name = name.trim_start_matches('.');
    name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect()
}

fn lines(log: &JobLog, value: fn(&Sample) -> u64) -> String {
    let directions = [&log.read, &log.write].into_iter().zip(0_u8..);
    let mut samples: Vec<(&Sample, u8)> = directions
        .flat_map(|(log, direction)| log.samples.iter().map(move |sample| (sample, direction)))
        .collect();
    samples.sort_by_key(|(sample, _)| sample.end_ms);
    let mut text = String::new();
    for (sample, direction) in samples {
        let value = value(sample);
        writeln!(text, "{}, {value}, {direction}, 0, 0", sample.end_ms)
            .expect("a String takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Extra, Log};
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::vec;

    #[test]
    fn files_are_fios() {
        let sample = |end_ms| Sample { end_ms, bw: 8_000, iops: 2_000, latency_ns: 61_630 };
        let log =
            |ends: &[u64]| Log { samples: ends.iter().map(|&ms| sample(ms)).collect(), dropped: 0 };
        let log = JobLog { read: log(&[100, 200]), write: log(&[100, 232]) };
        let option = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let job = |options: &[(&str, &str)], logs| Job {
            options: options.iter().copied().map(option).collect(),
            ringmark: Some(Extra { members: 2, logs, ..Extra::default() }),
            ..Job::default()
        };
        let both = [("write_bw_log", "x"), ("write_lat_log", "../y")];
        let jobs = vec![job(&[], vec![]), job(&both, vec![log.clone(), log])];
        let files = logs(&Report { jobs, ..Report::default() });
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let expected = [
            "x_bw.3.log",
            "_y_lat.3.log",
            "_y_clat.3.log",
            "x_bw.4.log",
            "_y_lat.4.log",
            "_y_clat.4.log",
        ];
        assert_eq!(names, expected);
        // As fio wrote it, with its own figures.
        assert_eq!(
            files[0].text,
            "100, 8000, 0, 0, 0\n100, 8000, 1, 0, 0\n200, 8000, 0, 0, 0\n232, 8000, 1, 0, 0\n"
        );
        assert!(files[1].text.starts_with("100, 61630, 0, 0, 0\n"));
    }
}
