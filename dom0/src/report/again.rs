//! Reports of one run: fio writes them again and again while it runs (`--status-interval`), and at
//! its end. Several runs may be in one file, too, of the same jobs, one behind the other.
//!
//! What tells them apart is when the process started. A report has its time and, rounded up to
//! seconds, how long the process has run; so it is known to a second when that started, and
//! whether it can be one that started behind the report before.

use results::{JobReport, Report, Side};

/// Most that two reports of one process may differ in when it started, in milliseconds: that is
/// known to a second, and between its figures and its time a report takes a moment.
const START_MS_MAX: u64 = 1500;
/// Most by which a process may have started later than is known, in milliseconds.
const ROUNDED_MS: u64 = 999;
/// Option with which fio counts anew within a run.
const RAMP: &str = "ramp_time";

/// Returns whether a report tells of the same run as the one before it.
pub fn is_again(before: &Report, report: &Report) -> bool {
    let is_same_job = before.version == report.version
        && before.jobs.len() == report.jobs.len()
        && pairs(before, report).all(|(a, b)| a.jobname == b.jobname && a.options == b.options);
    let is_form = before.timestamp_ms.is_some() && before.timestamp_ms == report.timestamp_ms;
    is_same_job && (is_form || report.ringmark.is_none() && has_gone_on(before, report))
}

fn pairs<'a>(
    before: &'a Report,
    report: &'a Report,
) -> impl Iterator<Item = (&'a JobReport, &'a JobReport)> {
    before.jobs.iter().zip(&report.jobs)
}

/// Returns whether the run of a report went on to the other.
fn has_gone_on(before: &Report, report: &Report) -> bool {
    let (Some(first), Some(next)) = (Times::of(before), Times::of(report)) else {
        return pairs(before, report).all(|(a, b)| a.elapsed < b.elapsed);
    };
    let is_one_start = first.start_ms.abs_diff(next.start_ms) <= START_MS_MAX
        && first.now_ms <= next.now_ms
        && pairs(before, report).all(|(a, b)| a.elapsed <= b.elapsed && may_be_one_start(a, b));
    let has_less = pairs(before, report).any(|(a, b)| {
        let mut amounts = ios(a).into_iter().zip(ios(b));
        amounts.any(|(before, after)| before > after)
    });
    let may_be_another = next.start_ms.saturating_add(ROUNDED_MS) >= first.now_ms
        && !pairs(before, report).any(|(a, b)| started(a).is_some() && started(a) == started(b));
    is_one_start
        && match may_be_another {
            // The end of a ramp begins to count from 0.
            false => !has_less || has_ramp(before),
            true => !has_less && (has_more(before, report) || is_unchanged(before, report)),
        }
}

/// Times of a report, in milliseconds.
struct Times {
    /// Time at which it was written.
    now_ms: u64,
    /// Earliest time at which its process can have started.
    start_ms: u64,
}

impl Times {
    fn of(report: &Report) -> Option<Self> {
        let now_ms = report.timestamp_ms?;
        let elapsed_ms = report.jobs.first()?.elapsed.saturating_mul(1000);
        Some(Self { now_ms, start_ms: now_ms.checked_sub(elapsed_ms)? })
    }
}

/// Returns when a job started, if it did and its fio tells.
fn started(job: &JobReport) -> Option<u64> {
    job.job_start.filter(|&start| start != 0)
}

fn may_be_one_start(before: &JobReport, after: &JobReport) -> bool {
    started(before).zip(started(after)).is_none_or(|(before, after)| before == after)
}

fn has_ramp(report: &Report) -> bool {
    let mut options = report.jobs.iter().flat_map(|job| job.options.iter());
    options.any(|(name, _)| name == RAMP) || report.global_options.value(RAMP).is_some()
}

fn has_more(before: &Report, report: &Report) -> bool {
    pairs(before, report).any(|(a, b)| ios(a) != ios(b))
}

/// Returns whether nothing was done between two reports: a second run of so many I/Os would have
/// other latencies, and take another time. Nothing at all is the same at any time.
fn is_unchanged(before: &Report, report: &Report) -> bool {
    let waits = before.jobs.iter().all(|job| ios(job) == [0; 4]);
    let is_same = |a: &Side, b: &Side| {
        let has_rested = a.clat_ns == b.clat_ns && a.lat_ns == b.lat_ns && a.runtime < b.runtime;
        let is_measured = a.clat_ns.count != 0 || a.lat_ns.count != 0;
        a == b || is_measured && has_rested
    };
    waits
        || pairs(before, report).all(|(a, b)| {
            let mut sides = a.sides().into_iter().zip(b.sides());
            a.mixed == b.mixed && sides.all(|((_, a), (_, b))| is_same(a, b))
        })
}

/// I/Os of a job, in each direction and in all of them.
fn ios(job: &JobReport) -> [u64; 4] {
    let mixed = job.mixed.as_deref().map_or(0, |side| side.total_ios);
    let [read, write, trim] = job.sides().map(|(_, side)| side.total_ios);
    [read, write, trim, mixed]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    /// Report of fio: its time in ms, seconds elapsed, I/Os, milliseconds of them.
    fn state((now_ms, elapsed, ios, runtime): (u64, u64, u64, u64)) -> Report {
        let mut report = sample("a", None, 1000.0 * ios as f64 / runtime.max(1) as f64);
        report.timestamp_ms = Some(now_ms);
        let job = &mut report.jobs[0];
        (job.elapsed, job.read.runtime, job.read.total_ios) = (elapsed, runtime, ios);
        for lat in [&mut job.read.clat_ns, &mut job.read.lat_ns] {
            (lat.count, lat.mean) = (ios, if ios == 0 { 0.0 } else { 1000.0 + ios as f64 });
        }
        report
    }

    /// Number of runs of which these reports tell.
    fn runs(reports: &[Report]) -> usize {
        1 + reports.windows(2).filter(|pair| !is_again(&pair[0], &pair[1])).count()
    }

    fn option(report: &mut Report, name: &str) {
        report.jobs[0].options.0.push((name.to_owned(), "2".to_owned()));
    }

    /// States of `fio --status-interval=1` (3.33) of jobs with `rate_iops=50`.
    const STALLED: [(u64, u64, u64, u64); 5] = [
        (57_363, 2, 46, 887),
        (58_365, 3, 46, 1890),
        (59_369, 4, 46, 2894),
        (59_510, 4, 46, 3001),
        (59_511, 4, 46, 3001),
    ];
    const RAMPED: [(u64, u64, u64, u64); 6] = [
        (66_976, 2, 45, 876),
        (67_973, 3, 95, 1879),
        (69_126, 4, 53, 1024),
        (70_126, 5, 103, 2027),
        (71_125, 6, 150, 3032),
        (71_138, 6, 150, 3032),
    ];
    const DELAYED: [(u64, u64, u64, u64); 7] = [
        (72_797, 1, 0, 0),
        (73_797, 2, 0, 0),
        (74_798, 3, 0, 0),
        (75_818, 5, 42, 803),
        (76_814, 6, 92, 1803),
        (77_814, 7, 142, 2805),
        (78_038, 7, 150, 3001),
    ];

    #[test]
    fn states_of_one_process_are_one_run() {
        assert_eq!(runs(&STALLED.map(state)), 1);
        assert_eq!(runs(&DELAYED.map(state)), 1);
        let mut ramped = RAMPED.map(state);
        ramped.iter_mut().for_each(|report| option(report, RAMP));
        assert_eq!(runs(&ramped), 1);
        // Without a ramp nothing counts anew.
        assert_eq!(runs(&RAMPED.map(state)), 2);
        let global = RAMPED.map(|of| {
            let mut report = state(of);
            report.global_options.0.push((RAMP.to_owned(), "2".to_owned()));
            report
        });
        assert_eq!(runs(&global), 1);
    }

    #[test]
    fn runs_of_a_process_each_are_several() {
        for states in [&STALLED[..], &RAMPED, &DELAYED] {
            let mut reports: Vec<Report> = states.iter().copied().map(state).collect();
            // As soon as can be: within the same process the time would run as it did.
            let (end, first) = (states[states.len() - 1].0, states[0]);
            let later = end + first.1 * 1000 - first.0;
            reports.extend(states.iter().map(|of| state((of.0 + later, of.1, of.2, of.3))));
            reports.iter_mut().for_each(|report| option(report, RAMP));
            assert_eq!(runs(&reports), 2, "{states:?}");
        }
        // Each of one report, shorter than a second.
        let short = [(6_100, 1, 9, 20), (6_400, 1, 9, 21), (6_900, 1, 9, 19)];
        let mut reports = short.map(state);
        for (number, report) in reports.iter_mut().enumerate() {
            report.jobs[0].read.clat_ns.mean += number as f64;
        }
        assert_eq!(runs(&reports), 3);
        // Behind a state of less than a second, the job stalls.
        let stalls = [(6_100, 1, 9, 20), (6_400, 1, 9, 321), (6_900, 1, 9, 820)];
        assert_eq!(runs(&stalls.map(state)), 1);
    }

    #[test]
    fn a_fio_that_tells_when_a_job_started_is_believed() {
        let starting = |starts: [u64; 2], states: [(u64, u64, u64, u64); 2]| {
            let mut reports = states.map(state);
            for (report, start) in reports.iter_mut().zip(starts) {
                report.jobs[0].job_start = Some(start);
            }
            runs(&reports)
        };
        let short = [(6_100, 1, 9, 20), (6_400, 1, 9, 19)];
        assert_eq!(starting([5_900, 5_900], short), 1);
        let long = [(6_100, 2, 9, 20), (6_900, 2, 10, 40)];
        assert_eq!((starting([4_200, 4_900], long), starting([4_200, 4_200], long)), (2, 1));
        assert_eq!(starting([0, 4_900], long), 1);
    }
}
