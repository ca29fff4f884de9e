//! Open loop on disks whose times are known: one that stalls, and one that takes 20 ms.

use anyhow::{Context, Result, ensure};
use results::{JobReport, OpenSide, Report};

use super::check::{Check, good_result, guest, number};
use crate::guest::Guest;
use crate::steps::Outcome;

/// Job that is measured, in seconds, and arrivals a second.
const RUNTIME_S: u64 = 10;
const RATE: u64 = 30;
/// Disk that dom0's device mapper puts before a ramdisk.
const MAPPED: &str = "/dev/mapper/rig";
/// Read delay of the disk that only delays, in milliseconds, and the least that comes of it: dom0's
/// kernel counts in ticks of 4 ms, of which the first has begun.
const DELAY_MS: f64 = 20.0;
const LEAST_MS: f64 = DELAY_MS - 4.0;

/// Loads what maps disks.
const LOAD: &str = "[ -d /sys/module/dm_mod ] || insmod /modules/dm-mod.ko\n\
                    [ -d /sys/module/dm_delay ] || insmod /modules/dm-delay.ko\n\
                    export DM_DISABLE_UDEV=1\n";

pub(super) fn checks() -> Vec<Check> {
    vec![stall(), delay()]
}

fn on_mapped(name: &str, extra: &str) -> Guest {
    let disks = vec![format!("phy:{MAPPED},xvda,w")];
    Guest { disks, ..guest(name, &[], 'w', &format!("--filename=/dev/xvda --bs=4k {extra}")) }
}

/// Maps a disk by this table for as long as the command takes.
fn mapped(table: &str, command: &str) -> String {
    format!(
        "{LOAD}sectors=$(blockdev --getsz /dev/ram0)\n\
         dmsetup create rig --table \"{table}\" || echo 'the disk cannot be mapped'\n\
         {command}\n\
         dmsetup remove rig"
    )
}

/// Guest's name at an iodepth.
fn stalled(iodepth: u32) -> String {
    format!("stall-{iodepth}")
}

fn stall() -> Check {
    let depths = [1, 256];
    let runs = depths.map(|depth| {
        let name = stalled(depth);
        format!(
            "guest_create {name}\nguest_until 'Jobs: *' 60\nnap 3\n\
             now\nfrom=${{up%.*}}${{up#*.}}\ndmsetup suspend --nolockfs rig\nnap 2\n\
             dmsetup resume rig\nnow\necho stall_{depth}=$(((${{up%.*}}${{up#*.}} - from) * 10))\n\
             guest_end 60"
        )
    });
    let command = mapped("0 $sectors linear /dev/ram0 0", &runs.join("\n"));
    let mut check = Check::new("open loop: a disk that stalls", 240, command);
    for depth in depths {
        let options = format!(
            "--name=job --rw=randread --time_based --runtime={RUNTIME_S} --iodepth={depth} \
             --rate_iops={RATE} --rate_process=poisson"
        );
        check = check.with(on_mapped(&stalled(depth), &options));
    }
    check.judged("open loop: a stall shows at iodepth 1 and 256 alike", move |outcome| {
        let [one, many] = depths.map(|depth| of_stall(outcome, depth));
        let (one, many) = (one?, many?);
        // From submission there is one bad I/O at iodepth 1.
        let hidden = one.submitted_p95_ms * 2.0 < one.p95_ms;
        ensure!(hidden, "p95 from submission is {} ms at iodepth 1", one.submitted_p95_ms);
        let ratio = one.p95_ms / many.p95_ms;
        ensure!((0.5..2.0).contains(&ratio), "p95 {} and {} ms", one.p95_ms, many.p95_ms);
        ensure!(one.held > 0, "nothing was held back at iodepth 1");
        Ok(format!(
            "p95 from due {:.0} and {:.0} ms (from submission {:.2} and {:.0}), for stalls of {} \
             and {} ms",
            one.p95_ms,
            many.p95_ms,
            one.submitted_p95_ms,
            many.submitted_p95_ms,
            one.stall_ms,
            many.stall_ms
        ))
    })
}

/// Latencies of a run with a stall, in milliseconds.
struct Stalled {
    stall_ms: u64,
    p95_ms: f64,
    submitted_p95_ms: f64,
    held: u64,
}

/// Reads what a run says of its stall, and holds it against what arrivals at an even rate wait:
/// that of the stall less 5 % of the time, at the 95th percentile.
fn of_stall(outcome: &Outcome, depth: u32) -> Result<Stalled> {
    let (job, open) = open_loop(outcome, &stalled(depth))?;
    let stall_ms = number(outcome, &format!("stall_{depth}"))?;
    let p95_ms = percentile_ms(&open.lat_ns, 95.0)?;
    let expected = stall_ms as f64 - RUNTIME_S as f64 * 50.0;
    // Arrivals are drawn; how long the backlog takes is the host's affair.
    ensure!(
        p95_ms > expected - 300.0,
        "iodepth {depth}: p95 {p95_ms:.0} ms after a stall of {stall_ms} ms"
    );
    let due = (RATE * RUNTIME_S) as f64;
    ensure!((open.due as f64 / due - 1.0).abs() < 0.25, "{} were due, not {due}", open.due);
    let submitted_p95_ms = percentile_ms(&job.read.clat_ns, 95.0)?;
    Ok(Stalled { stall_ms, p95_ms, submitted_p95_ms, held: open.held.count })
}

fn delay() -> Check {
    let options = "--rw=randread --time_based --runtime=4 --iodepth=8 --rate_process=linear \
                   --name=kept-up --rate_iops=50 --name=behind --stonewall --rate_iops=2000";
    let table = format!("0 $sectors delay /dev/ram0 0 {DELAY_MS}");
    Check::new("open loop: a disk that takes 20 ms", 180, mapped(&table, "guest delayed 90"))
        .with(on_mapped("delayed", options))
        .judged("open loop: a disk of 20 ms keeps up with 50 a second, and not with 2,000", |all| {
            let result = good_result(all, "delayed")?;
            let report: Report = serde_json::from_value(result.json)?;
            let [kept_up, behind] = ["kept-up", "behind"].map(|name| of_job(&report, name));
            let ((kept_job, kept_up), (behind_job, behind)) = (kept_up?, behind?);
            let least_ms = kept_job.read.clat_ns.min as f64 / 1e6;
            ensure!(least_ms >= LEAST_MS, "an I/O took {least_ms:.3} ms only");
            let p50_ms = percentile_ms(&kept_up.lat_ns, 50.0)?;
            ensure!(p50_ms >= LEAST_MS, "p50 from due is {p50_ms:.1} ms");
            ensure!(kept_up.backlog <= 8, "a backlog of {} at 50 a second", kept_up.backlog);
            // Eight at a time.
            let iops = behind_job.read.iops;
            ensure!(iops <= 8_000.0 / LEAST_MS, "{iops:.0} IOPS, too many for the disk");
            let sum = behind.backlog + behind_job.read.total_ios;
            ensure!(sum.abs_diff(8_000) <= 16, "{sum} done and in the backlog, of 8,000");
            Ok(format!("p50 {p50_ms:.1} ms; a backlog of {} of 8,000", behind.backlog))
        })
}

/// The only job of a guest, and its reads' arrivals.
fn open_loop(outcome: &Outcome, name: &str) -> Result<(JobReport, OpenSide)> {
    let report: Report = serde_json::from_value(good_result(outcome, name)?.json)?;
    of_job(&report, "job")
}

fn of_job(report: &Report, name: &str) -> Result<(JobReport, OpenSide)> {
    let job = report.jobs.iter().find(|job| job.jobname == name).context("no such job")?;
    let open = job.ringmark.as_ref().and_then(|extra| extra.open_loop.as_ref()?.read.as_ref());
    Ok((job.clone(), open.with_context(|| format!("job {name} counts no arrivals"))?.clone()))
}

fn percentile_ms(latency: &results::Latency, percent: f64) -> Result<f64> {
    let ns = latency.percentile_ns(percent).with_context(|| format!("no p{percent}"))?;
    Ok(ns as f64 / 1e6)
}
