//! `kvm`: our guest without a Xen host, by `ringmark run --kvm`: on this machine if it can, else
//! nested in an emulated machine that can.

mod boot;
mod machine;
mod place;

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::progress::print_line;
use crate::rig::Rig;
use crate::scenario::test::Tally;
use boot::Boot;
pub(crate) use machine::Machine;
use place::Place;

/// Runs the guest once with these options, or by default with a job in each grant mode, and prints
/// what the tool prints.
///
/// # Errors
/// When the machine, the guest or its job fails.
pub(crate) fn run(rig: &Rig, machine: Machine, options: &[String]) -> Result<ExitCode> {
    let boot = Boot::shown(machine, options);
    let mut status = 0;
    Place::choose(rig)?.run(rig, &[boot], &mut |_, outcome| {
        status = outcome.status;
        Ok(())
    })?;
    ensure!(status == 0, "the tool ended with status {status}");
    Ok(ExitCode::SUCCESS)
}

/// Boots the guest so many times, on both machines by turns unless one is named, each time with
/// verified writes in every grant mode or these options, and prints a line for each.
///
/// # Errors
/// When the machine fails.
pub(crate) fn boots(
    rig: &Rig,
    machine: Option<Machine>,
    count: u32,
    options: &[String],
) -> Result<ExitCode> {
    let mut tally = Tally::default();
    check(rig, machine, count, options, &mut tally)?;
    print_line(format_args!("{} passed, {} failed", tally.passed, tally.failed));
    Ok(tally.verdict())
}

/// Counts what [`boots`] prints.
///
/// # Errors
/// When the machine fails.
pub(crate) fn check(
    rig: &Rig,
    machine: Option<Machine>,
    count: u32,
    options: &[String],
    tally: &mut Tally,
) -> Result<()> {
    let by_turns = [Machine::Pc, Machine::Q35].into_iter().cycle();
    let machines = by_turns.map(|turn| machine.unwrap_or(turn)).take(count as usize);
    let boots: Vec<Boot> = machines.map(|machine| Boot::judged(machine, options)).collect();
    let mut seen = 0;
    Place::choose(rig)?.run(rig, &boots, &mut |index, outcome| {
        let name = boots.get(index).map_or_else(String::new, Boot::name);
        seen += 1;
        let verdict =
            if options.is_empty() { boot::verified(outcome) } else { boot::ended(outcome) };
        tally.count(&format!("{} of {count}: {name}", index + 1), verdict);
        Ok(())
    })?;
    ensure!(seen == boots.len(), "only {seen} of {} boots were seen", boots.len());
    Ok(())
}
