//! The workload of the mail of 2012: several guests at once read 4 KiB at random, each from a disk
//! of its own; ours in each way of granting, from the disk and from a file on an FFSv2, and Linux
//! guests with fio at its best.

mod plot;
mod report;
mod row;
mod turn;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

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

/// Number and length of the measurements.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Boots of Xen and dom0.
    pub(crate) boots: u32,
    /// Rounds in each of them, in which each row has new guests.
    pub(crate) rounds: u32,
    /// Seconds of each row.
    pub(crate) runtime_s: u32,
}

/// Runs each row of these sides in each round, with each of these numbers of guests.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(
    rig: &Rig,
    clock: Clock,
    sides: &[Side],
    guests: &[u32],
    extent: Extent,
) -> Result<ExitCode> {
    let Extent { boots, rounds, runtime_s } = extent;
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
    let file = TreeFile {
        path: turn::FILE.trim_start_matches('/').into(),
        bytes: pattern::offsets((turn::FILE_MIB as usize) << 20),
    };
    let packed = volume::make(&machine.directory, Layout::UFS2_BSD, DISK_MIB, &[file])?;
    let fill = format!(
        "set -e\ngunzip -c {PACKED} >/tmp/volume\n\
         for disk in $(seq 0 {}); do\n\
         dd if=/tmp/volume of=/dev/ram$disk bs=1M oflag=direct 2>/dev/null\ndone\n\
         rm {PACKED} /tmp/volume",
        most - 1
    );
    let mut samples = Vec::new();
    let ran = (0..boots).try_for_each(|_| {
        let mut overlay = overlay(rig, &peer, &configured)?;
        overlay.add(PACKED, 0o644, &*packed);
        let before = vec![Step::new("writing a volume to each ramdisk", 240, &*fill)];
        run(rig, &machine, overlay, before, &turns(&rows, rounds), runtime_s, &mut samples)
    });
    if samples.is_empty() {
        ran?;
        bail!("nothing was measured");
    }
    // All may take an hour: what was measured before an error is told, too.
    let reported = report::report(rig, clock, &image, &peer, &rows, &samples);
    ran.and(reported)
}
