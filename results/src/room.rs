//! Bounds on the memory of results and the length of their report.

use fio_job::{Job, LatencyFrom};

use crate::{over_time, samples, steady_state};

/// Returns the heap that the results of jobs take while they run and when they are reported, in
/// bytes: a histogram of 18 KiB each for reads, writes and flushes, two more for arrivals, the
/// other counts, the series over time, the samples of logs, and the text of one job, however its
/// latencies spread.
pub fn heap_bytes(jobs: &[Job]) -> usize {
    const JOB: usize = 61 << 10;
    const REPORT: usize = 768 << 10;
    // Two histograms, and those of the sum of a group; bins and text are of one job at a time.
    const ARRIVALS: usize = (2 * 2 * 18) << 10;
    const ARRIVALS_REPORT: usize = (2 * (2 * 36 + 3 * 63)) << 10;
    // 32 bytes in memory, twice at the end, and a text of 30 while it grows.
    const SAMPLE: usize = 2 * 32 + 3 * 30;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    let one = |job| {
        let series = over_time::heap_bytes(job) + steady_state::heap_bytes(job);
        JOB + log(job) + arrivals(job, ARRIVALS) + series
    };
    let report = jobs.iter().map(|job| arrivals(job, ARRIVALS_REPORT)).max().unwrap_or(0);
    jobs.iter().map(one).sum::<usize>() + REPORT + report
}

/// Returns the length of the longest report of jobs that a guest [`emit`](crate::emit)s, in bytes,
/// however their latencies spread: a reader need not accept more.
pub fn report_bytes_max(jobs: &[Job]) -> usize {
    // Five histograms with a count in each bin are 320 KiB; options are as long as the user makes
    // them.
    const JOB: usize = 512 << 10;
    const ARRIVALS: usize = (2 * 66) << 10;
    const SAMPLE: usize = 64;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    let one = |job| JOB + log(job) + arrivals(job, ARRIVALS) + steady_state::report_bytes_max(job);
    let jobs: usize = jobs.iter().map(one).sum();
    JOB + jobs
}

/// Returns what the arrivals of a job take, if it counts them.
fn arrivals(job: &Job, bytes: usize) -> usize {
    if job.pace.latency_from == LatencyFrom::Due { bytes } else { 0 }
}
