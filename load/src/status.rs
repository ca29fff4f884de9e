//! Progress of a run: one line in the form of fio's own (fio's manual, "Interpreting the output").
//!
//! ```text
//! 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]
//! ```
//! Jobs that run and disks they use; their kinds (`r` random, `R` sequential reads, `w`, `W`
//! writes, `m`, `M` both); the percentage of the time that is over; bytes moved and I/Os completed
//! per second since the previous line; the time left.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::engine::Progress;
use fio_job::number::NS_PER_SECOND;
use fio_job::{Job, Rw};

/// Number of runs of jobs of one kind that are shown, so that the line fits into any console's
/// ring.
const KINDS_MAX: usize = 32;

/// Returns the line of jobs that run together, which were at `before` when the previous line was
/// made (the default for the first) and are at `now`.
pub fn line(jobs: &[Job], before: &Progress, now: &Progress) -> String {
    let disks: usize = jobs.iter().map(|job| job.disks.len()).sum();
    let kinds = jobs.chunk_by(|one, next| letter(one.rw) == letter(next.rw));
    let mut kinds =
        kinds.flat_map(|alike| Some(format!("{}({})", letter(alike.first()?.rw), alike.len())));
    let mut shown: Vec<String> = kinds.by_ref().take(KINDS_MAX).collect();
    shown.extend(kinds.next().map(|_| "..".into()));

    let elapsed_ns = now.elapsed_ns.saturating_sub(before.elapsed_ns).max(1);
    let per_second = |before: u64, now: u64| {
        now.saturating_sub(before) as f64 * NS_PER_SECOND as f64 / elapsed_ns as f64
    };
    let any = |has: fn(Rw) -> bool| jobs.iter().any(|job| has(job.rw));
    let sides = [
        ('r', any(Rw::reads), before.read, now.read),
        ('w', any(Rw::writes), before.written, now.written),
    ];
    // A job that only writes may read back.
    let sides = sides.into_iter().filter(|(_, has, _, now)| *has || now.ios != 0);
    let (bandwidths, iops): (Vec<String>, Vec<String>) = sides
        .map(|(letter, _, before, now)| {
            let bandwidth = short(per_second(before.bytes, now.bytes), 1024.0);
            let iops = short(per_second(before.ios, now.ios), 1000.0);
            (format!("{letter}={bandwidth}iB/s"), format!("{letter}={iops}"))
        })
        .unzip();

    let (percent, eta) = match now.expected_ns {
        Some(expected_ns) => {
            let part = now.elapsed_ns as f64 * 100.0 / expected_ns.max(1) as f64;
            let left_ns = expected_ns.saturating_sub(now.elapsed_ns);
            (format!("{:.1}", part.min(100.0)), time_left(left_ns.div_ceil(NS_PER_SECOND)))
        }
        None => ("-.-".into(), "--".into()),
    };
    format!(
        "{} (f={disks}): [{}][{percent}%][{}][{} IOPS][eta {eta}]",
        jobs.len(),
        shown.join(","),
        bandwidths.join(","),
        iops.join(",")
    )
}

/// Returns fio's letter for a running job.
fn letter(rw: Rw) -> char {
    match (rw.reads(), rw.writes(), rw.is_random()) {
        (false, false, false) => 'D',
        (false, false, true) => 'd',
        (true, true, false) => 'M',
        (true, true, true) => 'm',
        (_, true, false) => 'W',
        (_, true, true) => 'w',
        (_, false, false) => 'R',
        (_, false, true) => 'r',
    }
}

/// Formats three digits (four from 1000K to 1023K) and a unit: thousands are `k`, powers of 1024
/// `K`.
fn short(mut value: f64, base: f64) -> String {
    let mut units = if base == 1000.0 { "kMG" } else { "KMGT" }.chars();
    let mut unit = None;
    // A value that would be rounded to 1000k is 1.00M.
    while value >= base - 0.5 {
        let Some(next) = units.next() else { break };
        value /= base;
        unit = Some(next);
    }
    let digits = match unit {
        Some(_) if value < 9.995 => 2,
        Some(_) if value < 99.95 => 1,
        _ => 0,
    };
    match unit {
        Some(unit) => format!("{value:.digits$}{unit}"),
        None => format!("{value:.0}"),
    }
}

/// Formats a time as fio's `00m:02s`, with hours and days if there are any.
fn time_left(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let rest = format!("{:02}m:{:02}s", seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => rest,
        (0, _) => format!("{hours:02}h:{rest}"),
        _ => format!("{days:02}d:{hours:02}h:{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Moved;
    use alloc::vec;

    fn job(rw: Rw) -> Job {
        Job { rw, disks: vec!["xvda".into()], ..Job::default() }
    }

    fn at(seconds: u64, read: u64, written: u64, expected_seconds: Option<u64>) -> Progress {
        let moved = |ios| Moved { ios, bytes: ios * 4096 };
        Progress {
            elapsed_ns: seconds * NS_PER_SECOND,
            read: moved(read),
            written: moved(written),
            expected_ns: expected_seconds.map(|seconds| seconds * NS_PER_SECOND),
        }
    }

    #[test]
    fn a_reading_job_is_shown_as_in_fio() {
        assert_eq!(
            line(&[job(Rw::RandRead)], &Progress::default(), &at(1, 115_000, 0, Some(3))),
            "1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]"
        );
    }

    #[test]
    fn rates_cover_the_time_since_the_previous_line() {
        let jobs = [job(Rw::RandRw), job(Rw::RandRw), job(Rw::Write)];
        let line = line(&jobs, &at(1, 1_000_000, 7, None), &at(3, 1_000_500, 24_007, None));
        assert_eq!(
            line,
            "3 (f=3): [m(2),W(1)][-.-%][r=1000KiB/s,w=46.9MiB/s][r=250,w=12.0k IOPS][eta --]"
        );
    }

    #[test]
    fn many_kinds_of_jobs_are_cut_short() {
        let jobs: Vec<Job> =
            (0..512).map(|n| job(if n % 2 == 0 { Rw::Read } else { Rw::Write })).collect();
        let now = at(1, 1, 1, None);
        let of = |jobs: &[Job]| line(jobs, &Progress::default(), &now);
        assert!(of(&jobs[..32]).contains(",W(1)][") && of(&jobs[..33]).contains(",W(1),..]["));
        assert!(of(&jobs).len() < 512, "{}", of(&jobs));
    }

    #[test]
    fn a_run_may_exceed_its_time_and_the_clock_may_stand_still() {
        let now = at(9, 16, 0, Some(3));
        assert_eq!(
            line(&[job(Rw::Write)], &now, &now),
            "1 (f=1): [W(1)][100.0%][r=0iB/s,w=0iB/s][r=0,w=0 IOPS][eta 00m:00s]"
        );
    }

    #[test]
    fn figures_have_three_digits() {
        let shown = |value| short(value, 1000.0);
        let cases = [0.4, 999.0, 999.6, 1_004.0, 9_996.0, 99_960.0, 999_600.0, 2.5e12];
        let expected = ["0", "999", "1.00k", "1.00k", "10.0k", "100k", "1.00M", "2500G"];
        assert_eq!(cases.map(shown), expected);
    }

    #[test]
    fn long_times_show_hours_and_days() {
        assert_eq!(
            [59, 3_600, 90_061].map(time_left),
            ["00m:59s", "01h:00m:00s", "01d:01h:01m:01s"]
        );
    }
}
