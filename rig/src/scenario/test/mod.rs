//! `test`: the checks of the whole system. On the host: cargo's, and the package. In plain QEMU:
//! the guest's self-test. On real Xen: one boot in which every check is a step, its guests one
//! after another.

mod bad_input;
mod check;
mod control;
mod cover;
mod data;
mod disks;
mod doctor;
mod files;
mod fleet;
mod floor;
mod grants;
mod guest;
mod host;
mod kept;
mod loops;
mod matrix;
mod memory;
mod open_loop;
mod output;
mod peer;
mod protection;
mod queues;
mod requests;
mod stolen;
mod sweep;
mod tool;
mod vcpus;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::archive::Archive;
use crate::baseline::Baseline;
use crate::guest::Guest;
use crate::image::Image;
use crate::machine::Machine;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::rig::Rig;
use crate::scenario::side::overlay;
use crate::scenario::{instructions, kvm, package, selftest};
use crate::steps::{Seen, Step};
use crate::workload::Workload;
pub(crate) use check::Tally;
use check::{Check, RAMDISKS};

/// A part of the tests.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Format, lints, unit tests and docs, by cargo.
    Host,
    /// The package, in a root without anything else.
    Package,
    /// The guest's self-test in QEMU without Xen.
    Selftest,
    /// The guest without a Xen host, on QEMU's own Xen by KVM.
    Kvm,
    /// The checks on real Xen.
    Xen,
    /// Instructions for each I/O, against the baseline.
    Cost,
    /// vCPUs, queues, rings, grants and block sizes, every two values of them together.
    Matrix,
    /// 100 guests that come and go: what they leave behind.
    Cycles,
}

/// Runs these parts, of the checks on Xen those with `name` in their name, and prints `N passed,
/// N failed`.
pub(crate) fn test(rig: &Rig, parts: &[Part], name: &str) -> ExitCode {
    let mut tally = Tally::default();
    for part in parts {
        match part {
            Part::Host => host::check(rig, &mut tally),
            Part::Package => {
                tally.count("the package, in a root without anything else", package::check(rig));
            }
            Part::Selftest => tally.count("self-test in QEMU without Xen", selftest::passes(rig)),
            Part::Kvm => {
                if let Err(error) = kvm::check(rig, None, 2, &[], &mut tally) {
                    tally.count("the guest on QEMU's Xen", Err(error));
                }
            }
            Part::Xen => {
                if let Err(error) = on_xen(rig, name, &mut tally) {
                    tally.count("the machine with Xen", Err(error));
                }
            }
            Part::Matrix => {
                if let Err(error) = matrix(rig, &mut tally) {
                    tally.count("the machine with Xen", Err(error));
                }
            }
            Part::Cycles => {
                if let Err(error) = cycles(rig, &mut tally) {
                    tally.count("the machine with Xen", Err(error));
                }
            }
            Part::Cost => tally.count("instructions for each I/O", cost(rig)),
        }
    }
    print_line(format_args!("{} passed, {} failed", tally.passed, tally.failed));
    tally.verdict()
}

/// Holds what an I/O costs against the baseline; the evidence, or what has changed.
fn cost(rig: &Rig) -> Result<String> {
    let known = Baseline::load()?;
    let measured = instructions::ours(rig, &Workload::MAIN, 1)?;
    let differences = known.differences(&measured);
    ensure!(
        differences.is_empty(),
        "{}; if the change is intended, explain it in the commit, together with the baseline of \
         `./run.sh compare --deterministic --all --save-baseline`",
        differences.join("; ")
    );
    Ok(measured.to_string())
}

fn on_xen(rig: &Rig, name: &str, tally: &mut Tally) -> Result<()> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("test")?;
    let machine = rig.machine(&image, directory, RAMDISKS);
    let machine = Machine { memory_mib: memory::MACHINE_MIB, ..machine };

    let mut checks: Vec<Check> = Vec::new();
    checks.extend(requests::checks());
    checks.extend(data::checks());
    checks.extend(disks::checks());
    checks.extend(queues::checks());
    checks.extend(kept::checks());
    checks.extend(grants::checks());
    checks.extend(stolen::checks());
    checks.extend(open_loop::checks());
    checks.extend(guest::checks());
    checks.extend(vcpus::checks());
    checks.extend(loops::checks());
    checks.extend(protection::checks());
    checks.extend(files::checks());
    checks.extend(control::checks());
    checks.extend(bad_input::checks());
    checks.extend(tool::checks());
    checks.extend(doctor::checks());
    checks.extend(sweep::checks());
    checks.extend(fleet::checks());
    checks.extend(output::checks());
    checks.extend(memory::checks());
    checks.extend(floor::checks());
    checks.extend(peer::checks());
    checks.retain(|check| check.name.contains(name));
    ensure!(!checks.is_empty(), "no check has {name:?} in its name");

    let guests = guests(&machine, &checks);
    let mut overlay = overlay(rig, &peer, &guests)?;
    rig.add_tool(&mut overlay)?;
    files::add_volumes(&mut overlay, &machine.directory)?;
    overlay.add(data::PATTERN_FILE, 0o644, data::pattern());

    run(&machine, &checks, overlay, tally)
}

/// The cells of the matrix, in a boot of their own.
fn matrix(rig: &Rig, tally: &mut Tally) -> Result<()> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("matrix")?;
    let machine = rig.machine(&image, directory, matrix::RAMDISKS);
    let checks = matrix::checks();
    let overlay = rig.overlay(&guests(&machine, &checks))?;
    run(&machine, &checks, overlay, tally)
}

/// Guests that come and go, in a boot of their own.
fn cycles(rig: &Rig, tally: &mut Tally) -> Result<()> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("cycles")?;
    let machine = rig.machine(&image, directory, RAMDISKS);
    let mut overlay = rig.overlay(&[])?;
    rig.add_tool(&mut overlay)?;
    run(&machine, &fleet::cycles(), overlay, tally)
}

/// The guests of the checks, on the processor that is theirs.
fn guests(machine: &Machine, checks: &[Check]) -> Vec<Guest> {
    let pinned = |guest: &Guest| Guest { cpu: machine.clock.guest_cpu(), ..guest.clone() };
    checks.iter().flat_map(|check| &check.guests).map(pinned).collect()
}

/// Runs the checks in one boot, and counts what came of each.
fn run(machine: &Machine, checks: &[Check], overlay: Archive, tally: &mut Tally) -> Result<()> {
    let steps: Vec<Step> = checks.iter().map(Check::step).collect();
    machine.run(overlay, &steps, &mut |index, event| {
        if let (Seen::End(outcome), Some(check)) = (event, checks.get(index)) {
            check.judge(&outcome, tally);
        }
        Ok(())
    })
}
