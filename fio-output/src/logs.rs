//! Logs of a report as fio's files: `write_bw_log`, `write_iops_log`, `write_lat_log` with
//! `log_avg_msec` (fio's manual, "Log File Formats").

use std::fmt::{self, Write};
use std::mem;

use fio_job::Job;
use results::{JobLog, Report, Sample};

/// Log file in fio's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Name such as `job_bw.1.log`: letters, digits, `-`, `_` and `.`, as the job asks for.
    pub name: String,
    /// Lines of the file, one per sample: milliseconds, value, direction, and zeros for the block
    /// size and the priority, which a mean does not have.
    pub text: String,
    /// Number of samples that the guest dropped for want of room.
    pub dropped: u64,
}

/// Function that returns the value of a sample for a file, if there is one.
type Value = fn(&Sample) -> Option<u64>;
/// Part of a log file's name, and the value that the file holds.
type Kind = (&'static str, Value);

/// Kinds of log, in the order of [`Reporting::logs`](fio_job::Reporting::logs): KiB per second,
/// I/Os per second, nanoseconds.
const KINDS: [&[Kind]; 3] = [
    &[("bw", |sample| Some(sample.bw))],
    &[("iops", |sample| Some(sample.iops))],
    &[("lat", latency_ns), ("clat", latency_ns)],
];

/// Returns the mean latency; a window without I/Os has none.
fn latency_ns(sample: &Sample) -> Option<u64> {
    (sample.latency_ns != 0).then_some(sample.latency_ns)
}

/// Error: a report has other logs than its jobs ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogsError {
    /// Name of the jobs in the report.
    pub job: String,
    /// Number of logs in the report.
    pub found: usize,
    /// Number of logs that the jobs ask for.
    pub expected: usize,
}

impl fmt::Display for LogsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, found, expected } = self;
        write!(
            f,
            "job {job} sent {found} logs, {expected} were requested; \
             use guest and tool of the same version"
        )
    }
}

impl std::error::Error for LogsError {}

/// Takes the logs out of a report of these jobs, or of the first of them, and returns the files
/// that the jobs ask for. The report supplies only the samples. As in fio, jobs are numbered from
/// 1, through all groups.
///
/// # Errors
/// A [`LogsError`] if the report has other logs than the jobs ask for.
pub fn take_logs(report: &mut Report, jobs: &[Job]) -> Result<Vec<LogFile>, LogsError> {
    let mut files = Vec::new();
    let mut jobs = jobs.iter().zip(1..);
    for sum in &mut report.jobs {
        let Some(extra) = &mut sum.ringmark else { continue };
        let members = usize::try_from(extra.members).unwrap_or(usize::MAX);
        let wanted: Vec<(&Job, usize)> =
            jobs.by_ref().take(members).filter(|(job, _)| job.reporting.has_log()).collect();
        let logs = mem::take(&mut extra.logs);
        if logs.len() != wanted.len() {
            let (found, expected) = (logs.len(), wanted.len());
            return Err(LogsError { job: sum.jobname.clone(), found, expected });
        }
        for ((job, number), log) in wanted.into_iter().zip(&logs) {
            files.extend(of_job(job, log, number));
        }
    }
    Ok(files)
}

/// Returns the names of the files that these jobs ask for, in the order of [`take_logs`].
pub fn log_names(jobs: &[Job]) -> Vec<String> {
    let names = jobs.iter().zip(1..).flat_map(|(job, number)| names_of_job(job, number));
    names.map(|(name, _)| name).collect()
}

/// Returns the names of the files that a job asks for, and the value of a sample in each.
fn names_of_job(job: &Job, number: usize) -> impl Iterator<Item = (String, Value)> {
    let wanted = job.reporting.logs.iter().zip(KINDS);
    let wanted = wanted.filter_map(|(prefix, kinds)| Some((prefix.as_ref()?, kinds)));
    wanted.flat_map(move |(prefix, kinds)| {
        kinds.iter().map(move |(kind, value)| (format!("{prefix}_{kind}.{number}.log"), *value))
    })
}

fn of_job(job: &Job, log: &JobLog, number: usize) -> impl Iterator<Item = LogFile> {
    names_of_job(job, number).map(|(name, value)| LogFile {
        name,
        text: lines(log, value),
        dropped: log.read.dropped.saturating_add(log.write.dropped),
    })
}

fn lines(log: &JobLog, value: Value) -> String {
    let directions = [&log.read, &log.write].into_iter().zip(0_u8..);
    let mut samples: Vec<(&Sample, u8)> = directions
        .flat_map(|(log, direction)| log.samples.iter().map(move |sample| (sample, direction)))
        .collect();
    samples.sort_by_key(|(sample, _)| sample.end_ms);
    let mut text = String::new();
    for (sample, direction) in samples {
        let Some(value) = value(sample) else { continue };
        writeln!(text, "{}, {value}, {direction}, 0, 0", sample.end_ms)
            .expect("a String takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use fio_job::parse_file;
    use results::{Extra, JobReport, Log};

    /// Returns the report of a group with this number of jobs.
    fn group(members: u64, logs: Vec<JobLog>) -> JobReport {
        let ringmark = Some(Extra { members, logs, ..Extra::default() });
        JobReport { jobname: "a".into(), ringmark, ..JobReport::default() }
    }

    #[test]
    fn files_are_fios() {
        let sample = |end_ms| Sample { end_ms, bw: 8_000, iops: 2_000, latency_ns: 61_630 };
        let log =
            |ends: &[u64]| Log { samples: ends.iter().map(|&ms| sample(ms)).collect(), dropped: 0 };
        let log = JobLog { read: log(&[100, 200]), write: log(&[100, 232]) };
        let jobs = "[global]\nlog_avg_msec=100\n[a]\n[b]\nwrite_bw_log=x\n\
                    [c]\n[d]\nwrite_bw_log=x\nwrite_lat_log=y";
        let jobs = parse_file(jobs).expect("jobs");
        let logs = vec![log.clone(), log];
        let mut report =
            Report { jobs: vec![group(1, vec![]), group(3, logs)], ..Report::default() };
        let files = take_logs(&mut report, &jobs).expect("logs");
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["x_bw.2.log", "x_bw.4.log", "y_lat.4.log", "y_clat.4.log"]);
        assert_eq!(log_names(&jobs), names);
        // As fio wrote it, with its own figures.
        assert_eq!(
            files[0].text,
            "100, 8000, 0, 0, 0\n100, 8000, 1, 0, 0\n200, 8000, 0, 0, 0\n232, 8000, 1, 0, 0\n"
        );
        assert!(files[2].text.starts_with("100, 61630, 0, 0, 0\n"));
        assert_eq!(report.jobs[1], group(3, vec![]));
    }

    #[test]
    fn a_window_without_ios_has_zeros_and_no_latency() {
        let samples = [[100, 8_000, 2_000, 61_630], [200, 0, 0, 0]].map(Sample::from).to_vec();
        let log = JobLog { read: Log { samples, dropped: 0 }, write: Log::default() };
        let jobs = "[a]\nlog_avg_msec=100\nwrite_iops_log=x\nwrite_lat_log=x";
        let jobs = parse_file(jobs).expect("jobs");
        let mut report = Report { jobs: vec![group(1, vec![log])], ..Report::default() };
        let files = take_logs(&mut report, &jobs).expect("logs");
        assert_eq!(files[0].text, "100, 2000, 0, 0, 0\n200, 0, 0, 0, 0\n");
        assert_eq!(files[1].text, "100, 61630, 0, 0, 0\n");
    }

    #[test]
    fn logs_that_nobody_asked_for_are_refused() {
        let jobs = parse_file("[a]\nwrite_bw_log=x\nlog_avg_msec=100\n[b]").expect("jobs");
        let log = |count| vec![JobLog::default(); count];
        for (groups, files) in [
            (vec![group(1, log(1)), group(1, log(0))], Ok(1)),
            // The run ended early.
            (vec![group(1, log(1))], Ok(1)),
            (vec![], Ok(0)),
            (vec![group(1, log(0))], Err((0, 1))),
            (vec![group(2, log(2))], Err((2, 1))),
            (vec![group(1, log(1)), group(1, log(1))], Err((1, 0))),
            (vec![group(0, log(1))], Err((1, 0))),
            // More jobs than there were.
            (vec![group(u64::MAX, log(1)), group(1, log(1))], Err((1, 0))),
        ] {
            let mut report = Report { jobs: groups, ..Report::default() };
            let found = take_logs(&mut report, &jobs).map(|files| files.len());
            assert_eq!(found.map_err(|error| (error.found, error.expected)), files, "{report:?}");
        }
        let mut report = Report { jobs: vec![group(1, log(2))], ..Report::default() };
        let error = take_logs(&mut report, &jobs).expect_err("two").to_string();
        assert!(error.starts_with("job a sent 2 logs, 1 were requested; "), "{error}");
    }
}
