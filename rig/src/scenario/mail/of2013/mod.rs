//! The workload of the mail of 2013: one guest streams writes of 2 MiB to 24 disks at once; ours, a
//! Linux guest with fio at its best, and dom0's own fio on the same ramdisks, which is what the
//! backend could reach.

mod report;
mod turn;

use std::process::ExitCode;

use anyhow::Result;

use super::{run, turns};
use crate::guest::Guest;
use crate::image::{Image, Release};
use crate::machine::{Clock, Machine};
use crate::peer::PeerImage;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::side::{Side, overlay};
use turn::Turn;

/// The ramdisks: one for each disk.
const RAMDISKS: Ramdisks = Ramdisks { count: turn::DISKS as u32, mib: 32, filled: true };
/// dom0's memory in MiB: ramdisks, guests' images, fio, and what is mapped of a guest.
const DOM0_MIB: u32 = 2304;
/// The machine's: dom0's, the greater guest's, Xen's.
const MACHINE_MIB: u32 = DOM0_MIB + turn::PEER_MEMORY_MIB + 768;
/// Grants for 24 disks with two queues, each of which keeps its own in Linux's frontend: with no
/// more than the usual 64 pages of them its I/Os wait for ever.
const GRANTS: &str = "gnttab_max_frames=256";

/// Runs each row of these sides `rounds` times, and measures `runtime_s` seconds of each.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(
    rig: &Rig,
    clock: Clock,
    sides: &[Side],
    rounds: u32,
    runtime_s: u32,
) -> Result<ExitCode> {
    let image = Image::of(&Release::TRIXIE, &rig.cache, &rig.progress)?;
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("compare-mail-2013")?;
    let machine = rig.machine(&image, directory, RAMDISKS);
    let counter = (clock == Clock::Instructions).then(|| rig.counter()).transpose()?;
    let (memory_mib, dom0_mib, xen_options) = (MACHINE_MIB, DOM0_MIB, GRANTS);
    let machine = Machine { clock, counter, memory_mib, dom0_mib, xen_options, ..machine };

    let mut rows = Turn::ALL.to_vec();
    rows.retain(|turn| turn.side().is_none_or(|side| sides.contains(&side)));
    let turns = turns(&rows, rounds);
    let guest = |(round, turn): &(u32, Turn)| turn.guest(*round, clock, runtime_s);
    let guests: Vec<Guest> = turns.iter().filter_map(guest).collect();
    let overlay = overlay(rig, &peer, &guests)?;
    let mut samples = Vec::new();
    run(rig, &machine, overlay, Vec::new(), &turns, runtime_s, &mut samples)?;
    report::report(rig, clock, &image, &peer, &samples)
}
