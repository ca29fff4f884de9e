//! dom0's tool runs guests together: they start at once, sums are those of the guests, and what one
//! of them does not bring is named.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, number, value};
use super::tool::{fleet, fleet_on, step};
use crate::scenario::side::{PEER_INITRAMFS, PEER_KERNEL, PEER_MEMORY_MIB};
use crate::steps::Outcome;

/// Fleets of the check that nothing is used up, and the guests of each.
const CYCLES: (u32, u32) = (10, 10);
/// Memory of Xen's that may be less afterwards, in MiB: it keeps some for domains to come.
const XEN_MIB_MAX: u64 = 1;
/// Memory of dom0's that may be less afterwards, in KiB: caches and logs grow.
const DOM0_KIB_MAX: u64 = 16 << 10;

/// Guests of each fleet.
const GUESTS: u64 = 3;
/// Longest time from the first guest's begin to the last one's, in nanoseconds: they share a
/// processor, which each has for some milliseconds at a time.
const SPREAD_NS_MAX: u64 = 1_000_000_000;

pub(super) fn checks() -> Vec<Check> {
    vec![together(), one_destroyed(), one_crashes(), unconnected(), ended_early(), kept(), mixed()]
}

/// A fleet that reads a disk of them all, and what is left behind in xenstore.
fn command(runtime_s: u32, besides: &str) -> String {
    let tool = fleet(&format!("-n {GUESTS} {}", options(runtime_s)));
    format!("{}\n{besides}\n{}", BEFORE, after(&tool, ""))
}

/// Options of all fleets here, the last ones.
fn options(runtime_s: u32) -> String {
    format!("--output-format json --output /tmp/fleet.json -- --runtime={runtime_s}")
}

const BEFORE: &str = "rm -f /tmp/fleet.json /tmp/said";

/// Runs the tool, then this, and tells what came of it and what is left behind.
fn after(tool: &str, then: &str) -> String {
    format!(
        "{tool} 2>/tmp/said\necho status=$?\nwait\ncat /tmp/said\n{then}\n\
         echo nodes=$(xenstore-list /local/domain | grep -vcx 0)\n\
         echo backends=$(xenstore-ls -f /local/domain/0/backend/vbd 2>/dev/null | wc -l)\n\
         echo result=$(tr -d '\\n' </tmp/fleet.json)"
    )
}

/// Does this once the fleet is at work.
fn at_work(then: &str) -> String {
    format!(
        "(tries=0\nuntil grep -q '^Fleet: .* at work' /tmp/said 2>/dev/null || [ $tries -gt 600 ]; do\n\
         nap 0.1; tries=$((tries + 1)); done\n{then}) >/dev/null 2>&1 &"
    )
}

/// Lets many guests come and go, after some that fill what stays filled, and looks at what dom0 and
/// Xen have before and after.
pub(super) fn cycles() -> Vec<Check> {
    let (fleets, guests) = CYCLES;
    let options =
        format!("-n {guests} --output-format json --output /tmp/fleet.json -- --io_size=64k");
    let fleet = fleet(&options);
    // Xen prints the event channels of all domains on its console, a line each.
    let command = format!(
        "look() {{\nxl debug-keys e\n\
         echo $1-ports=$(xl dmesg | grep -c '\\]: s=')\n\
         xl dmesg -c >/dev/null\n\
         echo $1-xen=$(xl info free_memory)\n\
         echo $1-dom0=$(sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)\n\
         echo $1-nodes=$(xenstore-ls -f / | wc -l)\n}}\n\
         {fleet} || exit 1\nxl dmesg -c >/dev/null\nlook before\nround=0\n\
         while [ $round -lt {fleets} ]; do\n{fleet} || exit 1\n\
         round=$((round + 1))\ndone\necho rounds=$round\nlook after"
    );
    let job = "[job]\nfilename=/dev/xvda\nrw=randread\nbs=4k\niodepth=8";
    let check = Check::new("guests come and go", 600, step(job, &command)).judged(
        "100 guests that came and went have used up nothing",
        |outcome| {
            ensure!(number(outcome, "rounds")? == u64::from(CYCLES.0), "not all came");
            let of = |what| -> Result<(u64, u64)> {
                let at = |when| number(outcome, &format!("{when}-{what}"));
                Ok((at("before")?, at("after")?))
            };
            let (ports, nodes, xen, dom0) = (of("ports")?, of("nodes")?, of("xen")?, of("dom0")?);
            ensure!(ports.0 != 0 && ports.0 == ports.1, "event channels: {ports:?}");
            ensure!(nodes.0 == nodes.1, "nodes of xenstore: {nodes:?}");
            ensure!(xen.0 <= xen.1 + XEN_MIB_MAX, "Xen's free MiB: {xen:?}");
            ensure!(dom0.0 <= dom0.1 + DOM0_KIB_MAX, "dom0's free KiB: {dom0:?}");
            Ok(format!("{ports:?} event channels, {nodes:?} nodes, {xen:?} MiB, {dom0:?} KiB"))
        },
    );
    vec![check]
}

const JOB: &str = "[job]\nfilename=/dev/xvda\nrw=randread\nbs=4k\niodepth=8\ntime_based";

fn together() -> Check {
    Check::new("the tool: a fleet", 120, step(JOB, &command(3, ""))).judged(
        "the tool: a fleet of guests starts at once and is summed up",
        |outcome| {
            let status = number(outcome, "status")?;
            ensure!(status == 0, "it ended with status {status}");
            nothing_left(outcome)?;
            let (result, fleet) = result(outcome, GUESTS)?;
            ensure!(fleet["complete"] == true, "it is not complete: {fleet}");
            ensure!(fleet["started"] == GUESTS, "not all started: {fleet}");
            let sum = &fleet["sums"][0];
            let of_guests = rates(&result)?;
            ensure!(of_guests.len() as u64 == GUESTS, "{} guests", of_guests.len());
            ensure!(sum["basis"] != "each", "they were not measured together: {sum}");
            let total = sum["sum"]["iops"].as_f64().context("no sum")?;
            let added: f64 = of_guests.iter().sum();
            // Rates of the time that all have in common differ a little from those of the whole.
            ensure!((total / added - 1.0).abs() < 0.1, "{total} is not the sum {added}");
            let spread_ns = sum["start_spread_ns"].as_u64().context("no spread")?;
            ensure!(spread_ns < SPREAD_NS_MAX, "they started within {spread_ns} ns");
            let overlap = sum["overlap_percent"].as_f64().context("no overlap")?;
            ensure!(overlap > 50.0, "they measured together for {overlap} % of the time");
            let spread_ms = spread_ns as f64 / 1e6;
            Ok(format!("{total:.0} IOPS, started within {spread_ms:.1} ms, overlap {overlap:.1} %"))
        },
    )
}

fn one_destroyed() -> Check {
    let command = command(8, &at_work("xl destroy ringmark-2"));
    Check::new("the tool: a fleet loses a guest", 120, step(JOB, &command)).judged(
        "the tool: a guest that is destroyed in the middle is named, the others are summed up",
        |outcome| lacks_second(outcome, "was destroyed by another program"),
    )
}

/// An interrupt that no guest expects.
fn one_crashes() -> Check {
    let command = command(8, &at_work("xl trigger ringmark-2 nmi"));
    Check::new("the tool: a fleet's guest crashes", 120, step(JOB, &command)).judged(
        "the tool: a guest that crashes in the middle is named, the others are summed up",
        |outcome| lacks_second(outcome, "has crashed without a result"),
    )
}

/// A hotplug script that makes xl content, but never tells blkback which device the second guest's
/// disk is: blkback waits for that, and the guest for blkback.
fn unconnected() -> Check {
    let script = "cat >/tmp/block-lame <<'END'\n#!/bin/busybox sh\n\
                  [ \"$1 $(xenstore-read \"$XENBUS_PATH/params\")\" = 'add /dev/ram2' ] ||\n\
                  exec /etc/xen/scripts/block \"$@\"\n\
                  xenstore-write \"$XENBUS_PATH/hotplug-status\" connected\nEND\n\
                  chmod +x /tmp/block-lame";
    let disk = "--disk script=/tmp/block-lame,vdev=xvda,access=r,target=/dev/ram{n}";
    let tool = fleet_on(disk, &format!("-n {GUESTS} --ready-timeout 10 {}", options(3)));
    let command = format!("{BEFORE}\n{script}\n{}", after(&tool, ""));
    Check::new("the tool: a fleet's guest has no backend", 180, step(JOB, &command)).judged(
        "the tool: a guest whose disk never connects is named, the others start without it",
        |outcome| {
            let reason = lacks_second(outcome, "was not ready to start stage 1 within 10 s")?;
            let (_, fleet) = result(outcome, GUESTS)?;
            ensure!(fleet["started"] == GUESTS - 1, "it started, too: {fleet}");
            Ok(reason)
        },
    )
}

fn ended_early() -> Check {
    let command = command(60, &at_work("kill -TERM $(pidof ringmark)"));
    Check::new("the tool: a fleet is killed", 120, step(JOB, &command)).judged(
        "the tool: SIGTERM in the middle of a fleet keeps its figures and leaves nothing",
        |outcome| {
            let status = number(outcome, "status")?;
            ensure!(status == 3, "it ended with status {status}, not 3");
            nothing_left(outcome)?;
            let (result, _) = result(outcome, GUESTS)?;
            let rates = rates(&result)?;
            ensure!(rates.len() as u64 == GUESTS, "{} guests have rates", rates.len());
            Ok(format!("{:.0} IOPS until then", rates.iter().sum::<f64>()))
        },
    )
}

fn kept() -> Check {
    let tool = fleet(&format!("-n {GUESTS} --keep {}", options(1)));
    let remove = "echo kept=$(xl list | grep -c ringmark-)\n\
                  remove=$(sed -n 's/.*remove with: //p' /tmp/said)\neval \"$remove\"";
    let command = format!("{BEFORE}\n{}", after(&tool, remove));
    Check::new("the tool: a fleet stays", 120, step(JOB, &command)).judged(
        "the tool: domains that are to stay do, until they are removed as it says",
        |outcome| {
            let (status, kept) = (number(outcome, "status")?, number(outcome, "kept")?);
            ensure!((status, kept) == (0, GUESTS), "status {status}, {kept} domains");
            nothing_left(outcome)?;
            Ok(format!("{kept} domains"))
        },
    )
}

/// The tool copies the Linux guests' initramfs, for which dom0's own has no room.
fn mixed() -> Check {
    let mix = format!(
        "-n 2 --mix linux:2 --peer-kernel {PEER_KERNEL} --peer-initramfs {PEER_INITRAMFS} \
         --peer-memory {PEER_MEMORY_MIB} --ready-timeout 120 {}",
        options(5)
    );
    let tool = format!("TMPDIR=/tmp/copy {}", fleet(&mix));
    let command = format!(
        "{BEFORE}\nmkdir -p /tmp/copy\nmount -t tmpfs copy /tmp/copy\n{}\n\
         echo copies=$(ls /tmp/copy | wc -l)\numount /tmp/copy",
        after(&tool, "")
    );
    Check::new("the tool: a fleet with Linux guests", 400, step(JOB, &command)).judged(
        "the tool: 2 guests of ours and 2 of Linux start together and are summed up apart",
        |outcome| {
            let (status, copies) = (number(outcome, "status")?, number(outcome, "copies")?);
            ensure!((status, copies) == (0, 0), "status {status}, {copies} copies are left");
            nothing_left(outcome)?;
            let (result, fleet) = result(outcome, 4)?;
            ensure!(fleet["complete"] == true && fleet["linux"] == 2, "it is {fleet}");
            ensure!(fleet["started"] == 4, "not all started: {fleet}");
            ensure!(rates(&result)?.len() == 4, "not all have rates");
            let sums = fleet["sums"].as_array().context("no sums")?;
            let sum = |system: &str| {
                let of = sums.iter().find(|sum| sum["system"] == system);
                of.and_then(|sum| sum["sum"]["iops"].as_f64()).context("a sum is missing")
            };
            let (ours, linux, all) = (sum("ringmark")?, sum("linux")?, sum("all")?);
            ensure!(ours > 0.0 && linux > 0.0, "{ours} and {linux} IOPS");
            Ok(format!("{ours:.0} IOPS and {linux:.0}, in all {all:.0}"))
        },
    )
}

/// Checks that a fleet lacks its second guest for this reason, and nothing is left; returns the
/// reason.
fn lacks_second(outcome: &Outcome, why: &str) -> Result<String> {
    let status = number(outcome, "status")?;
    ensure!(status == 1, "it ended with status {status}, not 1");
    nothing_left(outcome)?;
    let (result, fleet) = result(outcome, GUESTS)?;
    ensure!(fleet["complete"] == false, "it is complete: {fleet}");
    let missing = &fleet["missing"][0];
    ensure!(missing["guest"] == "ringmark-2", "missing is {missing}");
    let reason = missing["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains(why), "the reason is {reason:?}");
    let rates = rates(&result)?;
    ensure!(rates.len() as u64 == GUESTS - 1, "{} guests have rates", rates.len());
    Ok(reason.chars().take(80).collect())
}

/// Checks that neither a domain nor a node of one or of a backend is left.
fn nothing_left(outcome: &Outcome) -> Result<()> {
    for what in ["domains", "backends", "nodes"] {
        let left = number(outcome, what)?;
        ensure!(left == 0, "{left} {what} are left");
    }
    Ok(())
}

/// Returns the whole result, and what it says of the fleet, which is of so many guests.
fn result(outcome: &Outcome, guests: u64) -> Result<(Value, Value)> {
    let result: Value = serde_json::from_str(value(outcome, "result")?).context("no JSON")?;
    let fleet = result["ringmark"]["fleet"].clone();
    ensure!(fleet["guests"] == guests, "the fleet is {fleet}");
    Ok((result, fleet))
}

/// Returns the IOPS of each guest.
fn rates(result: &Value) -> Result<Vec<f64>> {
    let jobs = result["jobs"].as_array().context("no jobs")?;
    let rate = |job: &Value| job["read"]["iops"].as_f64().filter(|iops| *iops > 0.0);
    jobs.iter().map(|job| rate(job).context("a guest that read nothing")).collect()
}
