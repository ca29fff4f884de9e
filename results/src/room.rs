//! Bounds on the memory of results and the length of their report.

use fio_job::Job;

use crate::{over_time, samples, steady_state};

/// Returns the heap that the results of jobs take while they run and when they are reported, in
/// bytes: a histogram of 18 KiB each for reads, writes and flushes, the other counts, the series
/// over time, the samples of logs, and the text of one job, however its latencies spread.
pub fn heap_bytes(jobs: &[Job]) -> usize {
    const JOB: usize = 61 << 10;
    const REPORT: usize = 768 << 10;
    // 32 bytes in memory, twice at the end, and a text of 30 while it grows.
    const SAMPLE: usize = 2 * 32 + 3 * 30;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    jobs.iter()
        .map(|job| JOB + log(job) + over_time::heap_bytes(job) + steady_state::heap_bytes(job))
        .sum::<usize>()
        + REPORT
}

/// Returns the length of the longest report of jobs that a guest [`emit`](crate::emit)s, in bytes,
/// however their latencies spread: a reader need not accept more.
pub fn report_bytes_max(jobs: &[Job]) -> usize {
    // Five histograms with a count in each bin are 320 KiB; options are as long as the user makes
    // them.
    const JOB: usize = 512 << 10;
    const SAMPLE: usize = 64;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    let jobs: usize =
        jobs.iter().map(|job| JOB + log(job) + steady_state::report_bytes_max(job)).sum();
    JOB + jobs
}
