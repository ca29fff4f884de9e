//! The memory that a guest needs for some disks at an iodepth: with as much as the tool says it
//! runs, with a MiB less guest and tool refuse, and say what suffices.

use anyhow::{Context, Result, ensure};

use super::check::{Check, crashed_saying, good_result, guest, number};
use super::data::sha256_command;
use super::disks::{refused, unchanged};
use crate::rig::GUEST_KERNEL;
use crate::steps::Outcome;

/// Numbers of disks.
const DISKS: [usize; 2] = [1, 8];
/// I/Os in flight on each.
const DEPTHS: [u32; 3] = [1, 32, 256];
/// Reads of a job.
const IOS: u64 = 256;

pub(super) fn checks() -> Vec<Check> {
    let pairs = DISKS.into_iter().flat_map(|disks| DEPTHS.map(|depth| (disks, depth)));
    pairs.map(|(disks, depth)| floor(disks, depth)).chain([later_stage()]).collect()
}

/// Letters of the disks.
fn letters(disks: usize) -> impl Iterator<Item = char> {
    ('a'..='z').take(disks)
}

fn floor(disks: usize, depth: u32) -> Check {
    let ramdisks: Vec<u32> = (0..).take(disks).collect();
    let mut jobs = format!("--rw=randread --bs=4k --iodepth={depth} --size=1m");
    let mut tool =
        format!("ringmark run --kernel {GUEST_KERNEL} --cpus 1 --set 'tsc_mode=\"native\"'");
    for (ramdisk, letter) in ramdisks.iter().zip(letters(disks)) {
        jobs.push_str(&format!(" --name=job{letter} --filename=/dev/xvd{letter}"));
        tool.push_str(&format!(" --disk phy:/dev/ram{ramdisk},xvd{letter},r"));
    }
    let [name, less] = ["", "-less"].map(|end| format!("floor-{disks}-{depth}{end}"));
    let command = format!(
        "need=$({tool} --dry-run -- {jobs} | sed -n 's/^# memory: .*[^0-9]\\([0-9]*\\) MiB.*/\\1/p')\n\
         echo need=$need\n\
         sed -i \"s/^memory = .*/memory = $need/\" /guests/{name}.cfg\n\
         sed -i \"s/^memory = .*/memory = $((need - 1))/\" /guests/{less}.cfg\n\
         guest {name} 90\nguest {less} 90\n\
         {tool} --memory $((need - 1)) -- {jobs} >/tmp/out 2>&1\necho status=$?\ncat /tmp/out"
    );
    let subject = format!("floor: {disks} disks, iodepth {depth}");
    Check::new(subject.clone(), 300, command)
        .with(guest(&name, &ramdisks, 'r', &jobs))
        .with(guest(&less, &ramdisks, 'r', &jobs))
        .judged(format!("{subject}: it runs with the memory that it needs"), move |outcome| {
            let result = good_result(outcome, &name)?;
            for letter in letters(disks) {
                let job = result.job(&format!("job{letter}"))?;
                let ios = job["read"]["total_ios"].as_u64();
                ensure!(ios == Some(IOS), "xvd{letter}: {ios:?} reads, not {IOS}");
            }
            Ok(format!("{} MiB", number(outcome, "need")?))
        })
        .judged(format!("{subject}: a MiB less is refused by the guest"), move |outcome| {
            let words = words(outcome)?;
            let words = words.each_ref().map(String::as_str);
            // The smallest of all have no room for a result.
            refused(outcome, &less, &words).or_else(|error| {
                crashed_saying(outcome, &less, &words).map_err(|other| error.context(other))
            })
        })
        .judged(format!("{subject}: a MiB less is refused by the tool"), |outcome| {
            ensure!(number(outcome, "status")? != 0, "the tool runs it");
            let [what, figure] = words(outcome)?;
            let figure = figure.trim_start_matches("memory=");
            let says = |line: &&String| line.contains("is not enough") || line.contains(&what);
            let line = outcome.lines.iter().rfind(says).context("it does not say why")?;
            ensure!(line.contains(figure), "it does not name {figure}: {line}");
            Ok(format!("\"{line}\""))
        })
}

/// Returns what is said of a guest with too little memory.
fn words(outcome: &Outcome) -> Result<[String; 2]> {
    Ok(["not enough memory".to_owned(), format!("memory={}", number(outcome, "need")?)])
}

/// A job that would run only after another has written.
fn later_stage() -> Check {
    let (name, extra) = (
        "floor-stages",
        "--name=write --rw=write --bs=4k --size=1m --filename=/dev/xvda --name=deep --stonewall \
         --rw=read --bs=1m --iodepth=64",
    );
    let [before, after] = ["before", "after"].map(|name| sha256_command(name, 0, 16));
    Check::new("floor: a later stage", 120, format!("{before}\nguest {name} 60\n{after}"))
        .with(guest(name, &[0], 'w', extra))
        .judged("floor: a later stage that lacks memory is refused before a write", |outcome| {
            unchanged(outcome)?;
            refused(outcome, name, &["not enough memory: this guest has 16 MiB", "set memory="])
        })
}
