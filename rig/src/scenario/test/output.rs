//! Input and output beside the disks, when they go wrong: a file that takes no result, a console
//! that nobody reads, words of a loader on the command line, a domain that somebody else destroys.

use anyhow::{Context, Result, ensure};

use super::check::{Check, good_result, guest, number, value};
use super::disks::refused;
use super::tool::{begun, ended, job, step, tool};
use crate::guest::ConsoleLine;
use crate::steps::Outcome;

/// A job that ends by itself.
const JOB: &str = "[job]\nrw=randread\nio_size=4m\nfilename=/dev/xvda";
/// Its reads.
const IOS: u64 = 1024;
/// The same on a command line.
const LINE: &str = "--name=job --rw=randread --io_size=4m --filename=/dev/xvda";
/// Words that Qubes and GRUB put in front.
const LOADERS: &str = "root=/dev/mapper/dmroot ro nomodeset console=hvc0 rd_NO_PLYMOUTH \
                       rd.plymouth.enable=0 plymouth.enable=0 clocksource=tsc xen_scrub_pages=0 \
                       selinux=0 BOOT_IMAGE=/boot/vmlinuz quiet splash --";

pub(super) fn checks() -> Vec<Check> {
    vec![
        no_directory(),
        full_file_system(),
        unread_console(),
        loaders_words(),
        typo_behind_loaders_words(),
        destroyed_by_others(),
        vcpus(1),
        vcpus(4),
    ]
}

fn no_directory() -> Check {
    let log = "/var/log/xen/console/guest-ringmark.log";
    let command = format!(
        "rm -f {log}\n{}\necho status=$?\n[ -e {log} ]\necho unmade=$?",
        tool("run", "--output /no/such/dir/x.json")
    );
    Check::new("in and out: output in no directory", 120, step(JOB, &command)).judged(
        "the tool: an output that cannot be written is refused before a domain is made",
        |outcome| {
            ended(outcome, 5)?;
            ensure!(number(outcome, "unmade")? == 1, "a domain was made");
            told(outcome, "ringmark: error: cannot write /no/such/dir/x.json: No such file")
        },
    )
}

fn full_file_system() -> Check {
    let command = format!(
        "mkdir -p /tmp/full\nmount -t tmpfs -o size=64k full /tmp/full\n\
         dd if=/dev/zero of=/tmp/full/filler bs=4k 2>/dev/null\n\
         {} >/tmp/out\necho status=$?\necho result=$(tr -d '\\n' </tmp/out)\n\
         echo files=$(ls -A /tmp/full)\numount /tmp/full",
        tool("run", "--output-format json --output /tmp/full/x.json")
    );
    Check::new("in and out: output on a full file system", 120, step(JOB, &command)).judged(
        "the tool: a result that its file has no room for is printed, and no half file left",
        |outcome| {
            ended(outcome, 5)?;
            let ios = job(outcome)?["read"]["total_ios"].as_u64();
            ensure!(ios == Some(IOS), "{ios:?} reads, not {IOS}");
            let files = value(outcome, "files")?;
            ensure!(files == "filler", "{files} are left");
            told(outcome, "cannot write /tmp/full/x.json: No space left on device")
        },
    )
}

/// The daemon stops while the guest works. Each of the result's lines once cost 2 s, so that this
/// took minutes.
fn unread_console() -> Check {
    const LIMIT_S: u64 = 120;
    let extra = "--rw=randread --iodepth=4 --runtime=4 --time_based --filename=/dev/xvda \
                 --name=a --numjobs=24";
    let command = format!(
        "guest_create unread\nguest_until 'Jobs: *' 60\nkill -STOP $(pidof xenconsoled)\n\
         guest_end {LIMIT_S}\necho status=$?\nkill -CONT $(pidof xenconsoled)"
    );
    Check::new("in and out: a console that nobody reads", 2 * LIMIT_S + 60, command)
        .with(guest("unread", &[0], 'r', extra))
        .judged("an unread console costs one wait", |outcome| {
            let status = number(outcome, "status")?;
            ensure!(status == 0, "the guest was not done within {LIMIT_S} s: status {status}");
            let lines = ConsoleLine::of(outcome, "unread");
            let status = lines.iter().find(|line| line.text.starts_with("Jobs: "));
            let status = status.context("it showed no status line")?;
            let xl = ConsoleLine::of(outcome, "xl");
            let end = xl.last().context("xl printed nothing")?;
            Ok(format!("over {:.0} s after its reader", end.uptime_s - status.uptime_s))
        })
}

fn loaders_words() -> Check {
    Check::new("in and out: words of loaders", 120, "guest loaders 60")
        .with(guest("loaders", &[0], 'r', &format!("{LOADERS} {LINE}")))
        .judged("words that loaders add for Linux are left out", |outcome| {
            let result = good_result(outcome, "loaders")?;
            let ios = result.job("job")?["read"]["total_ios"].as_u64();
            ensure!(ios == Some(IOS), "{ios:?} reads, not {IOS}");
            Ok(format!("{IOS} reads"))
        })
}

fn typo_behind_loaders_words() -> Check {
    Check::new("in and out: a typo behind words of loaders", 120, "guest typo 60")
        .with(guest("typo", &[0], 'r', &format!("{LOADERS} {LINE} --iodpeth=4")))
        .judged("a typo behind them is an error", |outcome| {
            refused(outcome, "typo", &["iodpeth", "iodepth"])
        })
}

fn destroyed_by_others() -> Check {
    Check::new("in and out: a domain that others destroy", 180, begun("xl destroy ringmark"))
        .judged("the tool: a domain that others destroy is not called left behind", |outcome| {
            ended(outcome, 1)?;
            let left = outcome.lines.iter().find(|line| line.contains("left behind"));
            ensure!(left.is_none(), "{left:?}");
            told(outcome, "the guest was destroyed by another program without a result")
        })
}

/// The smallest guest, with so many processors.
fn vcpus(count: u32) -> Check {
    let command = format!(
        "{} >/tmp/out\necho status=$?\necho result=$(tr -d '\\n' </tmp/out)",
        tool("run", &format!("--memory 16 --vcpus {count} --output-format json"))
    );
    Check::new(format!("in and out: 16 MiB, vcpus={count}"), 120, step(JOB, &command)).judged(
        format!("the tool: a guest of 16 MiB has room for vcpus={count}"),
        |outcome| {
            ended(outcome, 0)?;
            let ios = job(outcome)?["read"]["total_ios"].as_u64();
            ensure!(ios == Some(IOS), "{ios:?} reads, not {IOS}");
            Ok(format!("{IOS} reads"))
        },
    )
}

/// The line in which it says this.
fn told(outcome: &Outcome, text: &str) -> Result<String> {
    let line = outcome.lines.iter().find(|line| line.contains(text));
    Ok(line.with_context(|| format!("it does not say {text:?}"))?.clone())
}
