//! Results for people: two tables of at most 120 columns, plain ASCII.

use crate::counters::Counters;
use crate::histogram::Histogram;
use crate::record::{DirectionResult, JobResult};
use crate::steadiness::Steadiness;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter;
use fio_job::Direction;

/// Sign behind the figures of a job that has marks, and before each mark.
const MARK: &str = "*";
/// Longest printed part of a job's name, so that the widest figures fit.
const NAME_WIDTH: usize = 14;

/// Returns the speed of each job and direction, and below it the cost of the I/Os. Ends with a line
/// break.
pub fn table(jobs: &[JobResult]) -> String {
    let speed_header = [
        "job", "grants", "rw", "bs", "iodepth", "IOPS", "BW", "mean", "p50", "p95", "p99", "p99.9",
        "max", "errors",
    ];
    let speed_rows = jobs.iter().flat_map(|job| {
        let sides = [
            (Direction::Read, &job.read),
            (Direction::Write, &job.write),
            (Direction::Trim, &job.trim),
        ];
        sides.into_iter().filter_map(|(direction, side)| speed_row(job, direction, side))
    });
    let cost_header = [
        "job",
        "grants",
        "I/Os",
        "requests",
        "notifications",
        "events",
        "grants made",
        "copies",
        "sleeps",
        "pages kept",
        "stolen",
    ];
    let mut text = aligned(3, speed_header, speed_rows);
    text.push_str(&arrivals(jobs));
    for result in jobs {
        for mark in result.marks() {
            let (name, grants) = (short_name(result), result.job.grants);
            text.push_str(&format!("{MARK} {name} {grants}: {mark}\n"));
        }
    }
    text.push_str(&steadiness(jobs));
    text.push_str(
        "\nper 1,000 I/Os; then pages kept mapped of those used, and time stolen from the vCPU:\n",
    );
    text.push_str(&aligned(2, cost_header, jobs.iter().map(cost_row)));
    text
}

/// Returns whether the rate of each job is steady, a line each; one for all if all are too short.
fn steadiness(jobs: &[JobResult]) -> String {
    let judged: Vec<_> = jobs.iter().filter_map(|job| Some((job, job.steadiness()?))).collect();
    if let Some((_, first)) = judged.first()
        && judged.iter().all(|(_, one)| one.has_few_windows())
    {
        let all = if judged.len() == 1 { "" } else { "all " };
        return format!(
            "{all}too short to tell whether the rate is steady, which takes {} s\n",
            first.least_s()
        );
    }
    let line = |(job, one): &(&JobResult, Steadiness)| {
        format!("{} {}: {}\n", short_name(job), job.job.grants, one.summary())
    };
    judged.iter().map(line).collect()
}

/// Returns the latencies from due times, if a job counts from them, in lines of their own.
fn arrivals(jobs: &[JobResult]) -> String {
    let header = [
        "job",
        "grants",
        "rw",
        "due",
        "held back",
        "late",
        "not put",
        "mean",
        "p50",
        "p95",
        "p99",
        "p99.9",
        "max",
    ];
    let rows: Vec<_> = jobs
        .iter()
        .flat_map(|job| {
            let sides = [(Direction::Read, &job.read), (Direction::Write, &job.write)];
            sides.into_iter().filter_map(|(direction, side)| arrivals_row(job, direction, side))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let title = "\nlatency from the time when an I/O was due by the rate:\n";
    title.to_owned() + &aligned(3, header, rows.into_iter())
}

fn arrivals_row(
    result: &JobResult,
    direction: Direction,
    side: &DirectionResult,
) -> Option<[String; 13]> {
    let arrivals = side.arrivals.as_ref()?;
    let put = arrivals.due.saturating_sub(arrivals.backlog);
    let late = arrivals.late.total_ns as f64 / put.max(1) as f64;
    let [mean, p50, p95, p99, p99_9, max] = times(&arrivals.latency);
    Some([
        short_name(result),
        result.job.grants.to_string(),
        kind(result, direction),
        arrivals.due.to_string(),
        arrivals.held.count.to_string(),
        short_time(late),
        arrivals.backlog.to_string(),
        mean,
        p50,
        p95,
        p99,
        p99_9,
        max,
    ])
}

/// Returns mean, percentiles and maximum of latencies, as far as there are any.
fn times(latency: &Histogram) -> [String; 6] {
    let moments = latency.moments();
    let time = |ns: f64| {
        if moments.count() == 0 { "-".to_owned() } else { short_time(ns) }
    };
    let percentile = |percent| time(latency.percentile_ns(percent) as f64);
    let [p50, p95, p99, p99_9] = [50.0, 95.0, 99.0, 99.9].map(percentile);
    [time(moments.mean()), p50, p95, p99, p99_9, time(moments.max() as f64)]
}

/// Returns the kind of a job's I/O in a direction that it has.
fn kind(result: &JobResult, direction: Direction) -> String {
    let rw = result.job.rw;
    let letter = match direction {
        Direction::Read => 'r',
        Direction::Write => 'w',
        Direction::Trim => 't',
    };
    if rw.reads() && rw.writes() { format!("{rw}/{letter}") } else { rw.to_string() }
}

/// Returns one direction of a job, if the job has it or did something in it.
fn speed_row(
    result: &JobResult,
    direction: Direction,
    side: &DirectionResult,
) -> Option<[String; 14]> {
    let rw = result.job.rw;
    let has = match direction {
        Direction::Read => rw.reads(),
        Direction::Write => rw.writes(),
        Direction::Trim => rw.trims(),
    };
    let kind = match has {
        true => kind(result, direction),
        false if side.ios + side.errors == 0 => return None,
        false => "verify".to_owned(),
    };
    let [mean, p50, p95, p99, p99_9, max] = times(&side.latency);
    Some([
        short_name(result),
        result.job.grants.to_string(),
        kind,
        result.job.block_sizes(direction),
        result.job.iodepth.to_string(),
        short_count(side.iops()) + if result.marks().is_empty() { "" } else { MARK },
        short_bandwidth(side.bytes_per_second()),
        mean,
        p50,
        p95,
        p99,
        p99_9,
        max,
        short_count(side.errors as f64),
    ])
}

/// Returns the cost of a job's I/Os, per thousand of them.
fn cost_row(result: &JobResult) -> [String; 11] {
    let ios = result.ios();
    let counters = result.counters;
    let pages = result.pages_kept().filter(|pages| pages.used != 0);
    let pages = pages.map(|pages| format!("{} of {}", pages.kept, pages.used));
    let stolen = result.stolen.map(|stolen| format!("{:.2}%", stolen.percent()));
    let per_thousand = |count: fn(&Counters) -> u64| match &counters {
        Some(counters) if ios != 0 => {
            format!("{:.2}", count(counters) as f64 * 1_000.0 / ios as f64)
        }
        _ => "-".to_owned(),
    };
    [
        short_name(result),
        result.job.grants.to_string(),
        ios.to_string(),
        per_thousand(|counters| counters.requests),
        per_thousand(|counters| counters.notifications),
        per_thousand(|counters| counters.events),
        per_thousand(|counters| counters.grants_made),
        per_thousand(|counters| counters.copies_made),
        per_thousand(|counters| counters.sleeps),
        pages.unwrap_or_else(|| "-".to_owned()),
        stolen.unwrap_or_else(|| "-".to_owned()),
    ]
}

fn short_name(result: &JobResult) -> String {
    result.job.name.chars().take(NAME_WIDTH).collect()
}

/// Prints a count such as `947` or `12.3k`.
fn short_count(count: f64) -> String {
    short(count, 1_000.0, &["", "k", "M", "G"])
}

/// Prints a bandwidth such as `48.1MiB/s`.
fn short_bandwidth(bytes_per_second: f64) -> String {
    short(bytes_per_second, 1_024.0, &["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"])
}

/// Prints a latency such as `25.6us`.
fn short_time(ns: f64) -> String {
    short(ns, 1_000.0, &["ns", "us", "ms", "s"])
}

/// Prints three significant digits with the largest unit that leaves a digit before the point.
/// Whole numbers of the first unit have no decimals.
fn short(value: f64, base: f64, units: &[&str]) -> String {
    let whole = value as u64 as f64 == value;
    let last = units.len().saturating_sub(1);
    let (mut value, mut power) = (value, 0);
    while power < last && value >= base - 0.5 {
        value /= base;
        power += 1;
    }
    let decimals = match value {
        _ if whole && power == 0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{}", units.get(power).unwrap_or(&""))
}

/// Returns lines of columns, the first `left` of them flush left.
fn aligned<const N: usize>(
    left: usize,
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let rows: Vec<[String; N]> = iter::once(header.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    if column < left {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                })
                .collect();
        cells.join(" ") + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use fio_job::{BS_BYTES_MAX, GrantMode};

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (947.0, "947"),
            (947.3, "947"),
            (31.25, "31.2"),
            (0.02, "0.02"),
            (999.6, "1.00k"),
            (12_345.0, "12.3k"),
            (999_600.0, "1.00M"),
        ] {
            assert_eq!(short_count(value), text);
        }
        assert_eq!(short_time(999.0), "999ns");
        assert_eq!(short_time(25_600.0), "25.6us");
        assert_eq!(short_time(1_020_000.0), "1.02ms");
        assert_eq!(short_bandwidth(1023.0 * 1024.0), "1023KiB/s");
        assert_eq!(short_bandwidth(48.1 * 1024.0 * 1024.0), "48.1MiB/s");
    }

    #[test]
    fn figures_stand_under_their_headings() {
        let text = table(&[sample()]);
        let expected = "\
job grants     rw       bs iodepth  IOPS        BW   mean    p50    p95    p99  p99.9    max errors
mix persistent randrw/r 4k      32 1.50k 5.86MiB/s 21.5us 21.4us 22.9us 22.9us 22.9us 23.0us      0
mix persistent randrw/w 4k      32   500 1.95MiB/s 20.5us 20.6us 20.9us 20.9us 21.0us 21.0us      0
too short to tell whether the rate is steady, which takes 30 s

per 1,000 I/Os; then pages kept mapped of those used, and time stolen from the vCPU:
job grants     I/Os requests notifications events grants made copies sleeps pages kept stolen
mix persistent 4000  1000.00         31.25   0.00        0.00   0.00   0.00   32 of 32  0.05%
";
        assert_eq!(text, expected);
    }

    #[test]
    fn each_job_has_a_line_about_its_rate_unless_all_are_short() {
        let short = sample();
        let all = "\nall too short to tell whether the rate is steady, which takes 30 s\n";
        assert!(table(&[short.clone(), short.clone()]).contains(all));
        let mut long = JobResult::new(short.job.clone());
        for side in [&mut long.read, &mut long.write] {
            (1..=40_000).for_each(|ms| side.samples.record(ms * 1_000_000, 4096, 1));
            side.samples.finish(40_000_000_000);
            side.ios = 40_000;
        }
        let text = table(&[short, long]);
        let lines =
            "\nmix persistent: too short to tell, by 28.0 s\nmix persistent: steady, +- 0.0 %\n";
        assert!(text.contains(lines), "{text}");
    }

    #[test]
    fn the_widest_figures_fit() {
        let mut result = sample();
        result.job.name = "a-name-that-goes-on-and-on".to_owned();
        result.job.grants = GrantMode::PersistentCopy;
        result.job.rw = fio_job::Rw::RandWrite;
        result.job.bs_bytes = BS_BYTES_MAX - 512;
        result.write.bytes = 1023 << 31;
        result.write.ios = 12_345_678;
        result.write.errors = 123_456;
        result.write.latency.record(1_020_000, 1);
        result.counters =
            Some(Counters { grants_made: 11 * result.write.ios, ..Counters::default() });
        let widest = table(&[result]).lines().map(str::len).max();
        assert!(widest <= Some(128), "{widest:?}");
    }

    #[test]
    fn a_row_whose_pages_are_mapped_anew_is_marked() {
        let mut result = sample();
        assert!(!table(&[result.clone()]).contains('*'));
        result.pages[0].1.kept = 8;
        let text = table(&[result.clone()]);
        assert!(text.contains("\n* mix persistent: the backend keeps 8 of 32 pages"), "{text}");
        assert!(text.contains(" 1.50k* ") && text.contains(" 8 of 32  0.05%\n"), "{text}");
        result.pages.clear();
        assert!(!table(&[result]).contains('*'));
    }

    #[test]
    fn latencies_from_due_times_have_lines_of_their_own() {
        let line = "name=mix rw=randread iodepth=4 rate_iops=9 filename=xvda";
        let mut result = JobResult::new(fio_job::parse(line).expect(line).remove(0));
        let arrivals = result.read.arrivals.as_mut().expect("a rate");
        for held_ns in [0, 90_000] {
            arrivals.count(held_ns, 500);
            arrivals.latency.record(10_000 + held_ns, 1);
        }
        arrivals.end(6);
        let text = table(&[result]);
        let expected = "
latency from the time when an I/O was due by the rate:
job grants     rw       due held back  late not put   mean    p50    p95    p99  p99.9   max
mix persistent randread   8         1 500ns       6 55.0us 10.0us 99.8us 99.8us 99.8us 100us
* mix persistent: 6 of 8 I/Os that were due had not been put at the end:";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(" 0* 0B/s"), "{text}");
    }

    #[test]
    fn what_did_not_happen_has_no_latency() {
        let job = sample().job;
        let text = table(&[JobResult::new(job)]);
        assert!(text.contains("mix persistent randrw/r 4k      32    0 0B/s    -"), "{text}");
    }
}
