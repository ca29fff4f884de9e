//! Conversion of results to fio's figures, and their way out over the console.
//!
//! Nothing here is hot: functions with several callers are not inlined, for a small image.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::Serialize;

use fio_job::{Job as JobOptions, OnError, Percentile, Reporting};

use crate::arrivals::{Arrivals, OpenLoop, OpenSide};
use crate::classes::{BATCH_KEYS, DEPTH_KEYS, LATENCY_KEYS};
use crate::counters::Counters;
use crate::group::{Group, Part};
use crate::histogram::Histogram;
use crate::latency::Latency;
use crate::pairs::Pairs;
use crate::record::{DirectionResult, JobResult};
use crate::report::{Extra, Flushes, Job, JobLog, Report, Run, Side, SideExtra, Vcpus};

/// Value of fio's `error` for a job with failed I/Os.
const EIO: i32 = 5;
/// Value of fio's `eta` for a job that has ended.
const NO_ETA: u64 = i32::MAX as u64;

/// Passes the report of a run to `take`, part by part, to be read back by [`Report::from_json`]. No
/// part has a line break. `failure` is the reason why the run ended early, if it did; `results` are
/// those of the jobs done so far. Failed I/Os make the run a failure, too, except under
/// `continue_on_error=`.
///
/// Only one job's text is in memory at a time.
pub fn emit(
    results: &[JobResult],
    vcpus: Option<Vcpus>,
    failure: Option<&dyn fmt::Display>,
    take: &mut dyn FnMut(&str),
) {
    let report = json(&report(vcpus, failure_of(results, failure)));
    // Nothing before the jobs can contain these characters: inside a string each `"` is preceded by
    // a `\`.
    let jobs_at = report.find(JOBS).map_or(report.len(), |at| at + JOBS.len());
    let (head, tail) = report.split_at(jobs_at);
    take(head);
    let mut comma = "";
    for (group, groupid) in fio_job::stages(results).zip(0..) {
        let sums = || added_up(group);
        let read = sums().map(|sum| part(sum, |result| &result.read)).collect();
        let write = sums().map(|sum| part(sum, |result| &result.write)).collect();
        let trim = sums().map(|sum| part(sum, |result| &result.trim)).collect();
        for members in sums() {
            let Some(sum) = JobResult::sum(members) else { continue };
            let logged = members.iter().filter(|result| result.job.reporting.has_log());
            let mut job = job(&sum, groupid, [&read, &write, &trim]);
            if let Some(extra) = &mut job.ringmark {
                extra.logs = logged.map(log).collect();
            }
            take(comma);
            take(&json(&job));
            comma = ",";
        }
    }
    take(tail);
}

/// Returns how jobs are reported: for each entry of a report the number of its group, and the jobs
/// that it adds up.
pub fn reported<T: AsRef<JobOptions>>(jobs: &[T]) -> impl Iterator<Item = (u64, &[T])> {
    let groups = fio_job::stages(jobs).zip(0..);
    groups.flat_map(|(group, groupid)| added_up(group).map(move |jobs| (groupid, jobs)))
}

/// Returns the jobs of a group that are added up in one entry each.
fn added_up<T: AsRef<JobOptions>>(group: &[T]) -> impl Iterator<Item = &[T]> {
    group.chunk_by(|_, next| next.as_ref().reporting.with_group)
}

/// Text before the jobs of a report without spaces.
const JOBS: &str = "\"jobs\":[";

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text keys and plain numbers make JSON")
}

/// Returns a report without jobs.
fn report(vcpus: Option<Vcpus>, error: Option<String>) -> Report {
    Report {
        version: concat!("ringmark-", env!("CARGO_PKG_VERSION")).to_owned(),
        ringmark: Some(Run { ok: error.is_none(), error, vcpus, ..Run::default() }),
        ..Report::default()
    }
}

fn failure_of(results: &[JobResult], failure: Option<&dyn fmt::Display>) -> Option<String> {
    failure.map(|failure| failure.to_string()).or_else(|| {
        let fails = |result: &&JobResult| result.errors() > 0 && !goes_on(result);
        let failed = results.iter().find(fails)?;
        Some(format!("job {}: {} I/Os failed", failed.job.name, failed.errors()))
    })
}

/// Under `continue_on_error=` failures are only counted.
fn goes_on(result: &JobResult) -> bool {
    result.job.on_error != OnError::default()
}

fn log(result: &JobResult) -> JobLog {
    JobLog { read: result.read.samples.log().clone(), write: result.write.samples.log().clone() }
}

/// Figures of jobs that are added up, in one direction.
fn part(members: &[JobResult], side: fn(&JobResult) -> &DirectionResult) -> Part {
    members.iter().map(side).fold(Part::default(), |sum, side| Part {
        runtime: sum.runtime.max(milliseconds(side.runtime_ns)),
        io_bytes: sum.io_bytes + side.bytes,
    })
}

#[inline(never)]
fn job(sum: &JobResult, groupid: u64, [read, write, trim]: [&Group; 3]) -> Job {
    let (spread, reporting) = (&sum.classes, &sum.job.reporting);
    let [latency_ns, latency_us, latency_ms] = spread.latencies().map(|p| keyed(&LATENCY_KEYS, p));
    let job_runtime = milliseconds(sum.runtime_ns);
    let error = match sum.errno {
        0 if sum.errors() > 0 => EIO,
        errno => errno,
    };
    Job {
        jobname: sum.job.name.clone(),
        groupid,
        error,
        eta: NO_ETA,
        elapsed: job_runtime.div_ceil(1_000),
        options: sum.job.options().into_iter().map(|(key, v)| (key.to_owned(), v)).collect(),
        read: side(&sum.read, read, reporting),
        write: side(&sum.write, write, reporting),
        trim: side(&sum.trim, trim, reporting),
        sync: Flushes {
            total_ios: sum.flush.ios,
            lat_ns: latency(
                &sum.flush.latency,
                &reporting.percentiles,
                reporting.clat_percentiles || reporting.lat_percentiles,
            ),
        },
        job_runtime,
        iodepth_level: keyed(&DEPTH_KEYS, spread.depths()),
        iodepth_submit: keyed(&BATCH_KEYS, spread.submits()),
        iodepth_complete: keyed(&BATCH_KEYS, spread.completes()),
        latency_ns,
        latency_us,
        latency_ms,
        total_err: goes_on(sum).then_some(sum.errors()),
        first_error: goes_on(sum).then_some(error),
        latency_depth: sum.job.iodepth.into(),
        latency_percentile: 100.0,
        steadystate: sum.steady_state.clone(),
        ringmark: Some(extra(sum)),
        ..Job::default()
    }
}

/// Returns the figures that fio does not have.
#[inline(never)]
fn extra(sum: &JobResult) -> Extra {
    let pages = sum.pages_kept();
    let cost = |of: fn(&Counters) -> u64| sum.counters.as_ref().map(of);
    Extra {
        members: sum.members,
        grants: sum.job.grants.to_string(),
        backend_persistent: pages.is_some_and(|one| one.used != 0 && one.kept == one.used),
        pages_used: pages.map(|pages| pages.used.into()),
        backend_pages_kept: pages.map(|pages| pages.kept.into()),
        stolen_ns: sum.stolen.map(|stolen| stolen.ns),
        stolen_percent: sum.stolen.map(|stolen| stolen.percent()),
        begin_ns: (sum.end_ns != 0).then_some(sum.begin_ns),
        end_ns: (sum.end_ns != 0).then_some(sum.end_ns),
        vcpus: sum.vcpus.clone(),
        queues: sum.queues.iter().map(|&(_, queues)| u64::from(queues)).sum(),
        open_loop: open_loop(sum),
        ring_wait_ns: (sum.ring_wait_ns != 0).then_some(sum.ring_wait_ns),
        physical_sector_bytes: (sum.physical_sector_bytes != 0)
            .then_some(sum.physical_sector_bytes),
        request_bytes_max: (sum.request_bytes_max != 0).then_some(sum.request_bytes_max),
        disks: sum.job.disks.clone(),
        errors: sum.errors(),
        read: side_extra(&sum.read),
        write: side_extra(&sum.write),
        trim: side_extra(&sum.trim),
        requests: cost(|counters| counters.requests),
        notifications: cost(|counters| counters.notifications),
        events: cost(|counters| counters.events),
        grants_made: cost(|counters| counters.grants_made),
        copies_made: cost(|counters| counters.copies_made),
        sleeps: cost(|counters| counters.sleeps),
        flags: sum.flags(),
        steadiness: sum.steadiness(),
        over_time: sum.over_time(),
        logs: Vec::new(),
    }
}

/// Returns the arrivals of jobs, if they are counted.
fn open_loop(sum: &JobResult) -> Option<OpenLoop> {
    let sides = [&sum.read, &sum.write, &sum.trim].map(|side| side.arrivals.as_deref());
    sides.iter().flatten().next()?;
    let [read, write, trim] =
        sides.map(|side| side.map(|side| open_side(side, &sum.job.reporting)));
    Some(OpenLoop { read, write, trim })
}

#[inline(never)]
fn open_side(arrivals: &Arrivals, reporting: &Reporting) -> OpenSide {
    let wanted = reporting.clat_percentiles || reporting.lat_percentiles;
    OpenSide {
        due: arrivals.due,
        backlog: arrivals.backlog,
        held: arrivals.held,
        late: arrivals.late,
        lat_ns: latency(&arrivals.latency, &reporting.percentiles, wanted),
    }
}

#[inline(never)]
fn side(result: &DirectionResult, group: &Group, reporting: &Reporting) -> Side {
    let part = Part { runtime: milliseconds(result.runtime_ns), io_bytes: result.bytes };
    let bw_bytes = part.bw_bytes();
    let (bw, iops) = (result.samples.bw(), result.samples.iops());
    Side {
        io_bytes: result.bytes,
        io_kbytes: result.bytes / 1024,
        bw_bytes,
        bw: bw_bytes / 1024,
        iops: match part.runtime {
            0 => 0.0,
            runtime => 1_000.0 * result.ios as f64 / runtime as f64,
        },
        runtime: part.runtime,
        total_ios: result.ios,
        clat_ns: latency(&result.latency, &reporting.percentiles, reporting.clat_percentiles),
        lat_ns: latency(&result.latency, &reporting.percentiles, reporting.lat_percentiles),
        bw_min: bw.min,
        bw_max: bw.max,
        bw_agg: if bw.count == 0 { 0.0 } else { group.percent(bw.mean) },
        bw_mean: bw.mean,
        bw_dev: bw.stddev(),
        bw_samples: bw.count,
        iops_min: iops.min,
        iops_max: iops.max,
        iops_mean: iops.mean,
        iops_stddev: iops.stddev(),
        iops_samples: iops.count,
        ..Side::default()
    }
}

#[inline(never)]
fn side_extra(result: &DirectionResult) -> Option<SideExtra> {
    let extra = SideExtra {
        runtime_ns: result.runtime_ns,
        iops: result.iops(),
        iops_in_window: result.iops_in_window(),
    };
    (result.runtime_ns != 0).then_some(extra)
}

#[inline(never)]
fn latency(histogram: &Histogram, percentiles: &[Percentile], wanted: bool) -> Latency {
    let moments = histogram.moments();
    let mut latency = Latency {
        min: moments.min(),
        max: moments.max(),
        mean: moments.mean(),
        stddev: moments.stddev(),
        count: moments.count(),
        ..Latency::default()
    };
    if wanted && latency.count > 0 {
        let percents = percentiles.iter().map(|percentile| percentile.percent());
        let figure = |percent| (format!("{percent:.6}"), histogram.percentile_ns(percent));
        latency.percentile = percents.map(figure).collect();
        latency.bins = histogram.bins().collect();
    }
    latency
}

/// Pairs names with figures, in order.
#[inline(never)]
fn keyed(keys: &[&str], figures: Vec<f64>) -> Pairs<String, f64> {
    keys.iter().map(|&key| key.to_owned()).zip(figures).collect()
}

/// Returns milliseconds as fio counts runtimes: rounded up.
fn milliseconds(ns: u64) -> u64 {
    ns.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    /// Returns the report as it arrives.
    fn read_back(results: &[JobResult], failure: Option<&dyn fmt::Display>) -> Report {
        let mut text = String::new();
        emit(results, None, failure, &mut |part| text.push_str(part));
        assert!(!text.contains('\n'), "{text}");
        Report::from_json(&text).expect("a report")
    }

    #[test]
    fn figures_and_units_are_fios() {
        let report = read_back(&[sample()], None);
        assert_eq!(report.ringmark, Some(Run { ok: true, ..Run::default() }));
        let [job] = &report.jobs[..] else { panic!("one job") };
        assert_eq!((job.jobname.as_str(), job.error, job.groupid), ("mix", 0, 0));
        assert_eq!(job.options.value("filename").map(String::as_str), Some("/dev/xvda"));
        assert_eq!((job.job_runtime, job.elapsed), (2_000, 2));
        let read = &job.read;
        assert_eq!((read.io_bytes, read.io_kbytes), (3_000 * 4096, 12_000));
        assert_eq!((read.bw_bytes, read.bw), (1_500 * 4096, 6_000));
        assert_eq!((read.iops, read.runtime, read.total_ios), (1_500.0, 2_000, 3_000));
        assert_eq!((read.iops_samples, read.iops_min, read.bw_min), (4, 1_500, 6_000));
        assert_eq!((read.bw_agg, job.write.bw_agg), (100.0, 100.0));
        let clat = &read.clat_ns;
        assert_eq!((clat.min, clat.max, clat.mean, clat.count), (20_000, 22_999, 21_499.5, 3_000));
        assert_eq!((read.lat_ns.count, read.slat_ns.count), (3_000, 0));
        assert_eq!(clat.percentile.len(), 17);
        assert!(clat.percentile.value("99.950000").is_some_and(|&ns| ns > 22_000));
        assert_eq!(clat.bins.iter().map(|(_, count)| count).sum::<u64>(), 3_000);
        assert_eq!(job.iodepth_level.value("32"), Some(&100.0));
        assert_eq!(job.latency_us.value("50"), Some(&100.0));
        let extra = job.ringmark.as_ref().expect("our own");
        assert_eq!(extra.grants, "persistent");
        assert_eq!((extra.members, &extra.disks[..]), (1, &["xvda".to_owned()][..]));
        assert_eq!((extra.requests, extra.notifications), (Some(4_000), Some(125)));
        let others = [extra.events, extra.grants_made, extra.copies_made, extra.sleeps];
        assert_eq!(others, [Some(0); 4]);
    }

    #[test]
    fn our_own_figures_are_exact() {
        // 7 I/Os within a millisecond are 9,980 a second, and a drain is in no window.
        let mut result = sample();
        (result.read.ios, result.read.runtime_ns, result.read.window_ns) = (7, 701_403, 500_000);
        result.read.late_ios = 2;
        let job = &read_back(&[result], None).jobs[0];
        assert_eq!((job.read.iops, job.read.runtime), (7_000.0, 1));
        let extra = job.ringmark.as_ref().expect("our own");
        let read = extra.read.as_ref().expect("reads");
        assert_eq!((read.runtime_ns, read.iops.round()), (701_403, 9_980.0));
        assert_eq!(read.iops_in_window, 10_000.0);
        assert_eq!(extra.write.as_ref().map(|write| write.iops_in_window), Some(500.0));
        assert_eq!(extra.trim, None);
    }

    #[test]
    fn a_wait_for_room_is_told_if_there_was_one() {
        let wait_ns = |waits: &[u64]| {
            let line = "name=a numjobs=2 group_reporting filename=xvda";
            let jobs = fio_job::parse(line).expect(line).into_iter();
            let result = |(job, &ring_wait_ns)| JobResult { ring_wait_ns, ..JobResult::new(job) };
            let results: Vec<JobResult> = jobs.zip(waits).map(result).collect();
            let report = read_back(&results, None);
            report.jobs[0].ringmark.as_ref().and_then(|extra| extra.ring_wait_ns)
        };
        assert_eq!([wait_ns(&[0]), wait_ns(&[7]), wait_ns(&[7, 5])], [None, Some(7), Some(12)]);
    }

    #[test]
    fn arrivals_are_reported_with_their_latencies_and_added_up() {
        let line = "name=a numjobs=2 group_reporting filename=xvda rw=rw rate_iops=,9";
        let jobs = fio_job::parse(line).expect(line).into_iter();
        let mut results: Vec<JobResult> = jobs.map(JobResult::new).collect();
        for (result, ns) in results.iter_mut().zip([1_000, 3_000]) {
            let arrivals = result.write.arrivals.as_mut().expect("a rate");
            arrivals.count(ns, 5);
            arrivals.end(3);
            arrivals.latency.record(ns, 1);
        }
        let report = read_back(&results, None);
        let open_loop = report.jobs[0].ringmark.as_ref().and_then(|e| e.open_loop.clone());
        let OpenLoop { read: None, write: Some(write), trim: None } = open_loop.expect("a rate")
        else {
            panic!("writes have a rate")
        };
        assert_eq!((write.due, write.backlog, write.lat_ns.count), (8, 6, 2));
        assert_eq!(
            (write.held.total_ns, write.held.max_ns, write.late.total_ns),
            (4_000, 3_000, 10)
        );
        assert_eq!((write.lat_ns.mean, write.lat_ns.percentile.len()), (2_000.0, 17));
        assert_eq!(write.lat_ns.bins.iter().map(|&(_, count)| count).sum::<u64>(), 2);
        let closed = read_back(&[sample()], None);
        assert_eq!(closed.jobs[0].ringmark.as_ref().and_then(|e| e.open_loop.clone()), None);
    }

    #[test]
    fn no_ios_have_no_percentiles() {
        let job = &read_back(&[JobResult::new(sample().job)], None).jobs[0];
        assert_eq!((job.read.iops, job.read.clat_ns.count), (0.0, 0));
        assert!(job.read.clat_ns.percentile.is_empty());
        assert_eq!(job.ringmark.as_ref().and_then(|extra| extra.requests), None);
    }

    #[test]
    fn failures_are_told_with_the_jobs_done() {
        // The characters before the jobs may occur anywhere else.
        let why = "xvdb: not \"jobs\":[ there\n";
        let report = read_back(&[sample()], Some(&why));
        assert_eq!(report.ringmark, Some(Run { error: Some(why.to_owned()), ..Run::default() }));
        assert_eq!(report.jobs.len(), 1);
        let mut result = sample();
        result.write.errors = 3;
        let report = read_back(&[sample(), result], None);
        let error = Some("job mix: 3 I/Os failed".to_owned());
        assert_eq!(report.ringmark, Some(Run { error, ..Run::default() }));
        assert_eq!([report.jobs[0].error, report.jobs[1].error], [0, EIO]);
        assert_eq!(read_back(&[], Some(&"no disk")).jobs, []);
    }

    #[test]
    fn failures_that_a_job_goes_on_from_are_figures() {
        let mut result = sample();
        result.job.on_error.read = true;
        result.read.errors = 3;
        let report = read_back(&[result], None);
        assert_eq!(report.ringmark, Some(Run { ok: true, ..Run::default() }));
        let job = &report.jobs[0];
        assert_eq!((job.error, job.total_err, job.first_error), (EIO, Some(3), Some(EIO)));
    }

    #[test]
    fn the_longest_report_is_no_longer_than_expected() {
        let line = "rw=randrw fsync=1 filename=xvda lat_percentiles=1 write_bw_log=x rate=1m \
                    log_avg_msec=100 percentile_list=1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18";
        let jobs = fio_job::parse(line).expect(line);
        let mut result = JobResult::new(jobs[0].clone());
        let JobResult { read, write, flush, .. } = &mut result;
        for side in [read, write, flush] {
            // Every bin is used, and as full as a month makes it.
            let arrivals = side.arrivals.iter_mut().map(|arrivals| &mut arrivals.latency);
            for latency in arrivals.chain([&mut side.latency]) {
                (0..35).flat_map(|power| (64..128).map(move |step| step << power)).for_each(|ns| {
                    latency.record(ns / 64, 1);
                });
                (0..40).for_each(|_| latency.merge(&latency.clone()));
            }
            (1..=9_000).for_each(|n| {
                side.samples.record(n * 100_000_000, 1 << 30, 1 << 10);
                side.samples.record_latencies(1 << 33, 1);
            });
        }
        let mut bytes = 0;
        emit(&[result], None, None, &mut |part| bytes += part.len());
        let most = crate::room::report_bytes_max(&jobs);
        assert!((most / 4..most).contains(&bytes), "{bytes} {most}");
    }

    #[test]
    fn a_stonewall_begins_a_group() {
        let mut last = sample();
        last.job.stonewall = true;
        let report = read_back(&[sample(), sample(), last], None);
        let groups: Vec<u64> = report.jobs.iter().map(|job| job.groupid).collect();
        assert_eq!(groups, [0, 0, 1]);
        assert_eq!([0, 1, 2].map(|job| report.jobs[job].read.bw_agg as u32), [50, 50, 100]);
    }

    #[test]
    fn a_report_has_an_entry_for_each_job_or_group() {
        let line = "--name=a --name=b --group_reporting --name=c --group_reporting \
                    --name=d --stonewall --group_reporting --name=e --group_reporting=0";
        let jobs = fio_job::parse(line).expect(line);
        let found: Vec<_> = reported(&jobs)
            .map(|(groupid, jobs)| (groupid, jobs[0].name.as_str(), jobs.len()))
            .collect();
        let results: Vec<JobResult> = jobs.iter().cloned().map(JobResult::new).collect();
        let report = read_back(&results, None);
        let entries: Vec<_> = report.jobs.iter().map(|job| (job.groupid, &*job.jobname)).collect();
        assert_eq!(entries, found.iter().map(|&(id, name, _)| (id, name)).collect::<Vec<_>>());
        assert_eq!(found, [(0, "a", 3), (1, "d", 1), (1, "e", 1)]);
    }

    #[test]
    fn a_sum_is_what_the_jobs_did_together() {
        let mut members = [sample(), sample()];
        let mut together = crate::samples::Together::new(None);
        let read = fio_job::Direction::Read;
        (1..=6_000).for_each(|io| together.record(read, 0, io * 333_333, 4096, 1));
        together.finish(read, 2_000_000_000);
        members[0].together = Some(together.into());
        let group = [part(&members, |r| &r.read), part(&members, |r| &r.write)];
        let group = group.map(|part| Group::from_iter([part]));
        let sum = JobResult::sum(&members).expect("two");
        let job = job(&sum, 0, [&group[0], &group[1], &Group::default()]);
        assert_eq!((job.read.iops, job.read.runtime, job.job_runtime), (3_000.0, 2_000, 4_000));
        assert_eq!((job.read.iops_min, job.read.iops_max), (3_000, 3_000));
        assert_eq!((job.read.iops_samples, job.read.clat_ns.count), (4, 6_000));
        assert_eq!(job.ringmark.map(|extra| extra.members), Some(2));
        assert!(JobResult::sum(&[]).is_none());
    }
}
