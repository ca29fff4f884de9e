//! How much memory results take, and how long their report can be.

use fio_job::Job;

use crate::samples;

/// Heap that the results of jobs take while they run and when they are reported, in bytes: a
/// histogram of 15 KiB for reads, writes and flushes each and what else is counted, the samples of
/// logs, and the text of one job, however its latencies spread.
pub fn heap_bytes(jobs: &[Job]) -> usize {
    const JOB: usize = 52 << 10;
    const REPORT: usize = 768 << 10;
    // 32 bytes in memory, twice at the end, and a text of 30 while it grows.
    const SAMPLE: usize = 2 * 32 + 3 * 30;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    jobs.iter().map(|job| JOB + log(job)).sum::<usize>() + REPORT
}

/// The longest report of jobs as a guest [`emit`]s it, in bytes, however their latencies spread:
/// who reads one need not take more.
pub fn report_bytes_max(jobs: &[Job]) -> usize {
    // Five histograms with a count in each bin are 260 KiB; options are as long as they are given.
    const JOB: usize = 512 << 10;
    const SAMPLE: usize = 64;
    let log = |job| samples::log_samples(job).unwrap_or(0) * 2 * SAMPLE;
    let jobs: usize = jobs.iter().map(|job| JOB + log(job)).sum();
    JOB + jobs
}
