//! The guest's vCPUs besides the first: that each comes up, and that the crash of one is reported.

use anyhow::{Context, Result, ensure};

use super::check::{Check, crashed_saying, good_result, guest, powered_off};
use crate::guest::{ConsoleLine, Guest};
use crate::steps::Outcome;

pub(super) fn checks() -> Vec<Check> {
    vec![come_up(1), come_up(2), come_up(4), come_up(33), overflow(), idle()]
}

/// vCPUs that the guest can use.
const USABLE_MAX: u32 = 32;

fn come_up(count: u32) -> Check {
    let (name, usable) = (format!("vcpus-{count}"), count.min(USABLE_MAX));
    Check::new(format!("vcpus: self-test on {count}"), 150, format!("guest {name} 90"))
        .with(Guest { vcpus: count, ..guest(&name, &[], 'w', "selftest") })
        .judged(format!("vcpus: {usable} of {count} come up, work, and go down"), move |outcome| {
            let lines = ConsoleLine::of(outcome, &name);
            let told = format!("ringmark: of {count} vCPUs those from {usable} on stay down");
            let is_told = lines.iter().any(|line| line.text.starts_with(&told));
            ensure!(is_told == (usable < count), "{told:?} is said: {is_told}");
            for id in 1..usable {
                for what in ["comes up", "shares heap and pages", "goes down"] {
                    let line = format!("ok     vCPU {id} {what}");
                    let seen = lines.iter().any(|seen| seen.text.starts_with(&line));
                    ensure!(seen, "no line begins with {line:?}");
                }
            }
            let beyond = format!("vCPU {usable} ");
            ensure!(!lines.iter().any(|line| line.text.contains(&beyond)), "{beyond}is there, too");
            let sum = lines.iter().find(|line| line.text.contains(" passed, "));
            let sum = sum.context("it printed no sum")?.text;
            ensure!(sum.ends_with(" 0 failed"), "{sum}");
            powered_off(outcome, &name)?;
            Ok(sum.to_owned())
        })
}

fn overflow() -> Check {
    let name = "vcpus-overflow";
    let words = ["vCPU 1: stack overflow of the main stack of vCPU 1", "page fault (vector 14"];
    Check::new("vcpus: a crash", 150, format!("guest {name} 90"))
        .with(Guest { vcpus: 2, ..guest(name, &[], 'w', "selftest=vcpu-overflow") })
        .judged("vcpus: the crash of one is reported and ends the guest", move |outcome| {
            crashed_saying(outcome, name, &words).map(|line| format!("\"{line}\""))
        })
}

/// vCPUs that have no work.
fn idle() -> Check {
    let name = "vcpus-idle";
    let extra = "--name=job --rw=randread --iodepth=8 --io_size=4m --filename=/dev/xvda";
    let judge = move |outcome: &Outcome| -> Result<String> {
        let result = good_result(outcome, name)?;
        let ios = result.job("job")?["read"]["total_ios"].as_u64();
        ensure!(ios == Some(1024), "{ios:?} reads, not 1024");
        let lines = ConsoleLine::of(outcome, name);
        let told = lines.iter().find(|line| line.text.contains("stay down"));
        Ok(format!("\"{}\"", told.context("it does not say so")?.text))
    };
    Check::new("vcpus: no work", 150, format!("guest {name} 90"))
        .with(Guest { vcpus: 4, ..guest(name, &[0], 'w', extra) })
        .judged("vcpus: those without work stay down, and the guest says so", judge)
}
