//! The workload of the mail of 2012: several guests at once read 4 KiB at random, each from a disk
//! of its own; ours in each way of granting, from the disk and from a file on an FFSv2, and Linux
//! guests with fio at its best.

mod plot;
mod report;
mod row;
mod turn;

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::{run, turns};
use crate::guest::Guest;
use crate::image::{Image, Release};
use crate::machine::{Clock, Machine};
use crate::pattern;
use crate::peer::PeerImage;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::side::{Side, overlay};
use crate::steps::Step;
use crate::volume::{self, Layout, TreeFile};
use turn::Turn;

/// Most guests: as many as the mail's.
pub(crate) const GUESTS_MAX: u32 = 15;
/// Numbers of guests that are measured if nobody says otherwise.
pub(crate) const GUESTS: [u32; 5] = [1, 2, 4, 8, GUESTS_MAX];

/// Each guest's ramdisk.
const DISK_MIB: u32 = 16;
const PACKED: &str = "/rig/volumes/slice.gz";
/// dom0's memory in MiB: ramdisks, guests' images, and an xl for each guest.
const DOM0_MIB: u32 = 1536;
/// Memory for Xen and its tables of guests, in MiB.
const XEN_MIB: u32 = 512;

/// Runs each row of these sides `rounds` times, with each of these numbers of guests, and measures
/// `runtime_s` seconds of each.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(
    rig: &Rig,
    clock: Clock,
    sides: &[Side],
    guests: &[u32],
    rounds: u32,
    runtime_s: u32,
) -> Result<ExitCode> {
    let most = guests.iter().copied().max().context("no number of guests")?;
    let image = Image::of(&Release::TRIXIE, &rig.cache, &rig.progress)?;
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("compare-mail-2012")?;
    let ramdisks = Ramdisks { count: most, mib: DISK_MIB, filled: false };
    let machine = rig.machine(&image, directory, ramdisks);
    let counter = (clock == Clock::Instructions).then(|| rig.counter()).transpose()?;
    let (memory_mib, dom0_mib) = (DOM0_MIB + most * turn::FILE_MEMORY_MIB + XEN_MIB, DOM0_MIB);
    let machine = Machine { clock, counter, memory_mib, dom0_mib, ..machine };

    let rows = Turn::all(guests, sides);
    let configured: Vec<Guest> =
        rows.iter().flat_map(|turn| turn.guests(clock, runtime_s)).collect();
    let mut overlay = overlay(rig, &peer, &configured)?;
    let file = TreeFile {
        path: turn::FILE.trim_start_matches('/').into(),
        bytes: pattern::offsets((turn::FILE_MIB as usize) << 20),
    };
    let packed = volume::make(&machine.directory, Layout::UFS2_BSD, DISK_MIB, &[file])?;
    overlay.add(PACKED, 0o644, packed);
    let fill = format!(
        "set -e\ngunzip -c {PACKED} >/tmp/volume\n\
         for disk in $(seq 0 {}); do\n\
         dd if=/tmp/volume of=/dev/ram$disk bs=1M oflag=direct 2>/dev/null\ndone\n\
         rm {PACKED} /tmp/volume",
        most - 1
    );
    let before = vec![Step::new("writing a volume to each ramdisk", 240, fill)];
    let samples = run(rig, &machine, overlay, before, &turns(&rows, rounds), runtime_s)?;
    report::report(rig, clock, &image, &peer, &rows, &samples)
}
