//! dom0's tool on the real tool stack: a job file by xenstore and as a module, a job file that is
//! wrong, a name that is taken, and a run that is killed. Whatever happens, no domain is left.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, number, value};
use crate::rig::GUEST_KERNEL;
use crate::scenario::side::{PEER_INITRAMFS, PEER_KERNEL};
use crate::steps::Outcome;

/// Path at which a step writes its job file.
const JOB: &str = "/tmp/job.fio";
/// Reads of the jobs that end by themselves.
const IOS: u64 = 1024;

pub(super) fn checks() -> Vec<Check> {
    vec![by_xenstore(), as_module(), wrong_job(), ended_early(), killed(), compared()]
}

/// The tool's command line; what it says on standard error goes to the step's report.
pub(super) fn tool(command: &str, rest: &str) -> String {
    format!(
        "ringmark {command} {JOB} --disk phy:/dev/ram0 --kernel {GUEST_KERNEL} --cpus 1 \
         --set 'tsc_mode=\"native\"' --eta always {rest}"
    )
}

/// The tool's command line for a fleet whose guests share the disk.
pub(super) fn fleet(options: &str) -> String {
    fleet_on("--disk phy:/dev/ram0,xvda,r", options)
}

/// The tool's command line for a fleet on these disks.
pub(super) fn fleet_on(disks: &str, options: &str) -> String {
    format!(
        "ringmark fleet {JOB} {disks} --kernel {GUEST_KERNEL} --cpus 1 \
         --set 'tsc_mode=\"native\"' --eta always {options}"
    )
}

/// A step that writes the job file, does this, and counts the domains besides dom0.
pub(super) fn step(job: &str, command: &str) -> String {
    format!(
        "cat >{JOB} <<'END'\n{job}\nEND\n{command}\n\
         echo domains=$(($(xl list | wc -l) - 2))"
    )
}

fn reads(job: &str, options: &str) -> String {
    let command = format!(
        "{}\necho status=$?\necho result=$(tr -d '\\n' </tmp/out)",
        tool("run", &format!("--output-format json --output /tmp/out {options}"))
    );
    step(job, &format!("rm -f /tmp/out\n{command}"))
}

fn by_xenstore() -> Check {
    // So long that it takes many of xenstore's nodes.
    let comments = "; a line that says nothing, to fill the file with\n".repeat(400);
    let job = format!("{comments}[job]\nfilename=/dev/xvda\nrw=randread\nio_size=4m");
    Check::new("the tool gives a job by xenstore", 120, reads(&job, "-- --iodepth=8")).judged(
        "the tool: a job file of 20 KB by xenstore, and a default",
        |outcome| {
            let options = good_job(outcome)?;
            ensure!(options["iodepth"] == "8", "the default was lost: {options}");
            Ok(format!("{IOS} reads, iodepth 8"))
        },
    )
}

fn as_module() -> Check {
    let job = "# fio's form\n[job]\nrw=randread\nio_size=4m";
    let command = reads(job, "--delivery module");
    Check::new("the tool gives a job as a module", 120, command).judged(
        "the tool: a job file as a module",
        |outcome| {
            good_job(outcome)?;
            Ok(format!("{IOS} reads"))
        },
    )
}

fn wrong_job() -> Check {
    let command = reads("[job]\nrw=randread\niodeph=8", "");
    Check::new("the tool and a job file that is wrong", 120, command).judged(
        "the tool: a wrong job file is refused by line and name",
        |outcome| {
            ended(outcome, 2)?;
            let told = outcome.lines.iter().find(|line| line.starts_with("ringmark: error: "));
            let told = told.context("it reports no error")?;
            ensure!(told.contains("line 3") && told.contains("iodeph"), "{told}");
            Ok(told.clone())
        },
    )
}

/// Begins a job of an hour, and does `then` once the tool shows how far it is. The tool is in the
/// foreground: in a background job without job control it would ignore Ctrl-C.
pub(super) fn begun(then: &str) -> String {
    let job = "[job]\nrw=randread\niodepth=8\nruntime=1h\ntime_based";
    let command = format!(
        "rm -f /tmp/said\n\
         (tries=0\n\
         until grep -q '^Jobs: ' /tmp/said || [ $tries -gt 300 ]; do\n\
         nap 0.1; tries=$((tries + 1)); done\n\
         tool=$(pidof ringmark)\n\
         {then}) >/tmp/then 2>&1 &\n\
         {} >/tmp/out 2>/tmp/said\necho status=$?\n\
         wait\ncat /tmp/then\necho result=$(tr -d '\\n' </tmp/out)\ncat /tmp/said",
        tool("run", "--output-format json")
    );
    step(job, &command)
}

fn ended_early() -> Check {
    let second = tool("run", ">/dev/null 2>/tmp/second");
    let command = begun(&format!("{second}\necho second=$?\ncat /tmp/second\nkill -INT $tool"));
    Check::new("the tool is asked to end, and a second one is refused", 180, command)
        .judged("the tool: a name that is taken is refused", |outcome| {
            let status = number(outcome, "second")?;
            ensure!(status == 1, "it ended with status {status}, not 1");
            let told = outcome.lines.iter().find(|line| line.contains("already exists"));
            Ok(told.context("it does not say that the domain already exists")?.clone())
        })
        .judged("the tool: Ctrl-C ends the job and keeps its figures", |outcome| {
            ended(outcome, 3)?;
            let job = job(outcome)?;
            let ios = job["read"]["total_ios"].as_u64().unwrap_or(0);
            ensure!(ios > 0, "no figures: {job}");
            Ok(format!("{ios} reads"))
        })
}

fn killed() -> Check {
    Check::new("the tool is killed in the middle", 180, begun("kill -TERM $tool")).judged(
        "the tool: SIGTERM in the middle leaves no domain",
        |outcome| {
            let status = outcome.lines.iter().find(|line| line.starts_with("Jobs: "));
            let status = status.context("it showed no status line")?.clone();
            ended(outcome, 1)?;
            Ok(format!("after \"{status}\""))
        },
    )
}

/// The tool copies the Linux guest's initramfs, for which dom0's own has no room.
fn compared() -> Check {
    let job = "[job]\nrw=randread\niodepth=8\nio_size=2m\ngrants=per-request";
    let rest = format!(
        "--runs 1 --peer-kernel {PEER_KERNEL} --peer-initramfs {PEER_INITRAMFS} --save /tmp/all"
    );
    let command = format!(
        "rm -f /tmp/all\nmkdir -p /tmp/copy\nmount -t tmpfs copy /tmp/copy\n\
         TMPDIR=/tmp/copy {}\necho status=$?\numount /tmp/copy\necho result=$(tr -d '\\n' </tmp/all)",
        tool("compare", &rest)
    );
    Check::new("the tool compares with Linux", 300, step(job, &command)).judged(
        "the tool: one job on our guest and on Linux with fio",
        |outcome| {
            ended(outcome, 0)?;
            let runs = result(outcome)?;
            for (index, who) in ["ringmark", "linux"].into_iter().enumerate() {
                let run = &runs["runs"][index];
                ensure!(run["who"] == who, "run of {}, not of {who}", run["who"]);
                let ios = run["result"]["jobs"][0]["read"]["total_ios"].as_u64();
                ensure!(ios == Some(IOS / 2), "{who}: {ios:?} reads, not {}", IOS / 2);
            }
            let iops = outcome.lines.iter().find(|line| line.starts_with("  IOPS "));
            let iops = iops.context("it printed no IOPS")?;
            Ok(iops.split_whitespace().collect::<Vec<_>>().join(" "))
        },
    )
}

/// Checks that the tool ended with this status and left no domain.
pub(super) fn ended(outcome: &Outcome, expected: u64) -> Result<()> {
    let status = number(outcome, "status")?;
    ensure!(status == expected, "the tool ended with status {status}, not {expected}");
    let domains = number(outcome, "domains")?;
    ensure!(domains == 0, "{domains} domains are left");
    Ok(())
}

/// Returns the text that the tool printed or saved.
fn result(outcome: &Outcome) -> Result<Value> {
    serde_json::from_str(value(outcome, "result")?).context("the result is no JSON")
}

/// The one job of the result.
pub(super) fn job(outcome: &Outcome) -> Result<Value> {
    Ok(result(outcome)?["jobs"][0].clone())
}

/// Checks that a job of [`IOS`] reads succeeded, and returns its options.
fn good_job(outcome: &Outcome) -> Result<Value> {
    ended(outcome, 0)?;
    let job = job(outcome)?;
    let ios = job["read"]["total_ios"].as_u64();
    ensure!(ios == Some(IOS), "{ios:?} reads, not {IOS}: {job}");
    Ok(job["job options"].clone())
}
