//! Report as fio's terse lines, version 3 (`--output-format=terse`, fio's manual "Terse output").

use std::fmt::{self, Write};

use results::{Group, JobReport as Job, Latency, Pairs, Report, Side};

/// Number of fields for percentiles in a line.
const PERCENTILES_MAX: usize = 20;

/// Returns a line for each job.
pub fn terse(report: &Report) -> String {
    let mut text = String::new();
    for job in &report.jobs {
        write_job(&mut text, report, job).expect("a String takes all");
    }
    text
}

fn write_job(text: &mut String, report: &Report, job: &Job) -> fmt::Result {
    let Job { jobname, groupid, error, .. } = job;
    write!(text, "3;{};{jobname};{groupid};{error}", report.version)?;
    // A direction without I/Os has the same percentiles, as zeros.
    let keys = job.sides().map(|(_, side)| percentiles(side)).into_iter();
    let keys = keys.max_by_key(|list| list.len()).cloned().unwrap_or_default();
    for (index, (_, side)) in job.sides().into_iter().enumerate().take(2) {
        let together = report.jobs.iter().filter(|other| other.groupid == *groupid);
        let group = together.map(|job| job.sides()[index].1.into()).collect();
        write_side(text, side, &group, &keys)?;
    }
    let Job { usr_cpu, sys_cpu, ctx, majf, minf, .. } = job;
    write!(text, ";{usr_cpu:.6}%;{sys_cpu:.6}%;{ctx};{majf};{minf}")?;
    for (_, percent) in job.iodepth_level.iter() {
        write!(text, ";{percent:.1}%")?;
    }
    // Nanoseconds have no fields of their own and belong to the first of the microseconds.
    let mut below: f64 = job.latency_ns.iter().map(|(_, percent)| percent).sum();
    for (_, percent) in job.latency_us.iter().chain(job.latency_ms.iter()) {
        write!(text, ";{:.2}%", percent + below)?;
        below = 0.0;
    }
    if let (Some(total), Some(first)) = (job.total_err, job.first_error) {
        write!(text, ";{total};{first}")?;
    }
    if let Some(description) = &job.desc {
        write!(text, ";{description}")?;
    }
    text.push('\n');
    Ok(())
}

/// Returns the percentiles of total latency, if there are any, otherwise those of completion
/// latency.
fn percentiles(side: &Side) -> &Pairs<String, u64> {
    let whole = &side.lat_ns.percentile;
    if whole.is_empty() { &side.clat_ns.percentile } else { whole }
}

fn write_side(
    text: &mut String,
    side: &Side,
    group: &Group,
    keys: &Pairs<String, u64>,
) -> fmt::Result {
    let iops = side.total_ios.saturating_mul(1_000).checked_div(side.runtime).unwrap_or(0);
    write!(text, ";{};{};{iops};{}", side.io_kbytes, side.bw, side.runtime)?;
    write_latency(text, &side.slat_ns)?;
    write_latency(text, &side.clat_ns)?;
    for index in 0..PERCENTILES_MAX {
        match keys.get(index) {
            Some((key, _)) => {
                let ns = percentiles(side).value(key).copied().unwrap_or(0);
                write!(text, ";{key}%={}", ns / 1_000)?;
            }
            None => text.push_str(";0%=0"),
        }
    }
    write_latency(text, &side.lat_ns)?;
    let percent = match (side.bw_samples, group.bw_together() / 1_024) {
        (0, _) => 0.0,
        (_, 0) => 100.0,
        (_, together) => (side.bw_mean * 100.0 / together as f64).min(100.0),
    };
    let Side { bw_min, bw_max, bw_mean, bw_dev, .. } = side;
    write!(text, ";{bw_min};{bw_max};{percent:.6}%;{bw_mean:.6};{bw_dev:.6}")
}

/// Converts nanoseconds to microseconds.
fn write_latency(text: &mut String, latency: &Latency) -> fmt::Result {
    let Latency { min, max, mean, stddev, .. } = latency;
    let (min, max) = (min / 1_000, max / 1_000);
    write!(text, ";{min};{max};{:.6};{:.6}", mean / 1_000.0, stddev / 1_000.0)
}
