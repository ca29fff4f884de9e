//! `run`: our guest on a ramdisk, its console on standard output as it comes.

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};

use crate::guest::{ConsoleLine, Guest};
use crate::image::Image;
use crate::machine::Machine;
use crate::ramdisk::Ramdisks;
use crate::result::{GuestResult, OURS};
use crate::rig::{GUEST_KERNEL, Rig};
use crate::steps::{Outcome, Seen, Step};

/// Deadline in seconds, for jobs of some minutes.
const DEADLINE_S: u64 = 600;

/// Runs the guest with these job options.
///
/// # Errors
/// When the machine, the guest or its job fails.
pub(crate) fn run(rig: &Rig, options: &[String]) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("run")?;
    let machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    let guest = guest("ringmark", &machine, &options.join(" "));
    for result in run_guests(rig, &machine, &[guest], DEADLINE_S)? {
        rig.save("run.json", &result.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Our guest on the first ramdisk.
pub(super) fn guest(name: &str, machine: &Machine, options: &str) -> Guest {
    Guest {
        name: name.to_owned(),
        kernel: GUEST_KERNEL,
        ramdisk: None,
        memory_mib: 16,
        vcpus: 1,
        cpu: machine.clock.guest_cpu(),
        disks: vec!["phy:/dev/ram0,xvda,w".into()],
        extra: options.to_owned(),
        settings: Vec::new(),
    }
}

/// Runs guests one after another, shows their consoles, and gives their results.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(super) fn run_guests(
    rig: &Rig,
    machine: &Machine,
    guests: &[Guest],
    deadline_s: u64,
) -> Result<Vec<GuestResult>> {
    let step = |guest: &Guest| {
        let command = format!("guest {} {deadline_s}", guest.name);
        Step::new(format!("guest {}", guest.name), deadline_s + 20, command)
    };
    let steps: Vec<Step> = guests.iter().map(step).collect();
    let mut results = Vec::new();
    machine.run(rig.overlay(guests)?, &steps, &mut |index, event| {
        let Some(guest) = guests.get(index) else {
            return Ok(());
        };
        match event {
            Seen::Line(line) => show(rig, &guest.name, line),
            Seen::End(outcome) => results.push(result(&outcome, &guest.name)?),
        }
        Ok(())
    })?;
    Ok(results)
}

/// Shows the guest's console. What xl says matters only when something fails; the result is for
/// machines, and saved.
fn show(rig: &Rig, name: &str, line: &str) {
    let line = ConsoleLine::parse(line).filter(|line| line.name == name);
    if let Some(line) = line.filter(|line| !line.text.starts_with(OURS)) {
        rig.progress.output(line.text);
    }
}

fn result(outcome: &Outcome, name: &str) -> Result<GuestResult> {
    let from_xl = || {
        let lines = ConsoleLine::of(outcome, "xl").into_iter().map(|line| line.text);
        format!("xl says:\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    };
    let result = GuestResult::ours(outcome, name).with_context(from_xl)?;
    result.verdict().map_err(|reason| anyhow!("the guest reports: {reason}"))?;
    ensure!(outcome.status == 0, "the guest did not end by itself; {}", from_xl());
    Ok(result)
}
