//! `compare --file`: the measurement of 2012, reads of 4 KiB of a file on an FFSv2, ours by the
//! file's map and Linux's by fio on its own ufs driver, which knows no direct I/O.

use std::process::ExitCode;

use anyhow::{Context, Result};
use results::Spread;
use serde_json::json;

use crate::guest::Guest;
use crate::image::Image;
use crate::machine::Clock;
use crate::pattern;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::side::{Side, overlay};
use crate::steps::{Outcome, Seen, Step};
use crate::volume::{self, Layout, TreeFile};
use crate::workload::Fio;

/// The file, and the volume around it.
const FILE_MIB: u32 = 160;
const VOLUME_MIB: u32 = 200;
const PACKED: &str = "/rig/volumes/big.gz";
/// Part of the file that Linux reads, in MiB: once, for the second time it would come from the page
/// cache.
const LINUX_MIB: u32 = 40;
/// Memory of the Linux guest in MiB: its page cache has room for all of that.
const LINUX_MEMORY_MIB: u32 = 400;

/// Our jobs: the same reads of the disk and of the file, in both ways of granting.
const OURS: [(&str, &str); 6] = [
    ("read, disk, persistent", "rw=read filename=xvda grants=persistent"),
    ("read, file, persistent", "rw=read filename=xvda:/big grants=persistent"),
    ("read, file, per-request", "rw=read filename=xvda:/big grants=per-request"),
    ("randread, disk, persistent", "rw=randread filename=xvda grants=persistent"),
    ("randread, file, persistent", "rw=randread filename=xvda:/big grants=persistent"),
    ("randread, file, per-request", "rw=randread filename=xvda:/big grants=per-request"),
];

/// Linux's: a guest each, because each has a page cache of its own. Sectors that it reads ahead,
/// and fio's `rw=`.
const LINUX: [(&str, u32, &str); 3] = [
    ("Linux read, file, read-ahead", 256, "read"),
    ("Linux read, file, no read-ahead", 0, "read"),
    ("Linux randread, file", 0, "randread"),
];

/// The page cache is between fio and the disk: there is nothing to tune.
const LINUX_SIDE: Side = Side::Linux(Fio::Default);

/// A guest of one run, and its jobs' places in the table.
struct Turn {
    side: Side,
    guest: Guest,
    rows: Vec<&'static str>,
}

/// Runs all of it `runs` times, `runtime_s` seconds for each job of ours.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(rig: &Rig, clock: Clock, runs: u32, runtime_s: u32) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("compare-file")?;
    let ramdisks = Ramdisks { count: 1, mib: VOLUME_MIB, filled: false };
    let mut machine = rig.machine(&image, directory, ramdisks);
    machine.clock = clock;

    rig.progress.stage(&format!("making a volume with a file of {FILE_MIB} MiB"));
    let file = TreeFile { path: "big".into(), bytes: pattern::offsets((FILE_MIB as usize) << 20) };
    let packed = volume::make(&machine.directory, Layout::UFS2_BSD, VOLUME_MIB, &[file])?;

    let turns: Vec<Turn> = (1..=runs).flat_map(|run| turns(run, clock, runtime_s)).collect();
    let guests: Vec<Guest> = turns.iter().map(|turn| turn.guest.clone()).collect();
    let mut overlay = overlay(rig, &peer, &guests)?;
    overlay.add(PACKED, 0o644, packed);

    let fill = format!("gunzip -c {PACKED} >/dev/ram0 && sync && rm {PACKED}");
    let mut steps = vec![Step::new("writing the volume to the ramdisk", 240, fill)];
    let allowed_s = 120 + 6 * u64::from(runtime_s);
    steps.extend(turns.iter().map(|turn| {
        let name = &turn.guest.name;
        Step::new(name.clone(), allowed_s + 20, format!("guest {name} {allowed_s}"))
    }));
    let mut samples: Vec<(&'static str, f64)> = Vec::new();
    machine.run(overlay, &steps, &mut |index, event| {
        let Seen::End(outcome) = event else { return Ok(()) };
        let Some(turn) = index.checked_sub(1).and_then(|index| turns.get(index)) else {
            anyhow::ensure!(outcome.status == 0, "the volume could not be written");
            return Ok(());
        };
        let found = turn.read(&outcome).with_context(|| outcome.lines.join("\n"))?;
        let iops: Vec<String> = found.iter().map(|(_, iops)| format!("{iops:.0}")).collect();
        rig.progress.detail(&format!("{} IOPS", iops.join(", ")));
        samples.extend(found);
        Ok(())
    })?;
    report(rig, clock, runs, &samples)
}

/// The guests of one run.
fn turns(run: u32, clock: Clock, runtime_s: u32) -> Vec<Turn> {
    let common =
        format!("--bs=4k --iodepth=32 --runtime={runtime_s} --time_based --size={FILE_MIB}m");
    let jobs: String = OURS
        .iter()
        .enumerate()
        .map(|(number, (_, options))| {
            let options: String = options.split(' ').map(|option| format!(" --{option}")).collect();
            format!(" --name=job{number} --stonewall{options}")
        })
        .collect();
    let mut guest = Side::Ours.guest(format!("ours-{run}"), clock, &format!("{common}{jobs}"));
    guest.disks = vec!["phy:/dev/ram0,xvda,r".into()];
    let ours = Turn { side: Side::Ours, guest, rows: OURS.map(|(row, _)| row).to_vec() };

    let linux = LINUX.into_iter().enumerate().map(|(number, (row, readahead, rw))| {
        let jobs = format!(
            "--name=job0 --filename=/mnt/big --ioengine=psync --direct=0 --rw={rw} --bs=4k \
             --size={FILE_MIB}m --io_size={LINUX_MIB}m"
        );
        let mut guest = LINUX_SIDE.guest(format!("linux-{run}-{number}"), clock, &jobs);
        let options = Layout::UFS2_BSD.linux.unwrap_or_default();
        guest.extra = format!("ufs={options} readahead={readahead} {}", guest.extra);
        guest.disks = vec!["phy:/dev/ram0,xvda,r".into()];
        guest.memory_mib = LINUX_MEMORY_MIB;
        Turn { side: LINUX_SIDE, guest, rows: vec![row] }
    });
    let mut all: Vec<Turn> = std::iter::once(ours).chain(linux).collect();
    // Whoever is first may find a quieter or a busier host: take turns.
    if run.is_multiple_of(2) {
        all.reverse();
    }
    all
}

impl Turn {
    /// The IOPS of its jobs.
    fn read(&self, outcome: &Outcome) -> Result<Vec<(&'static str, f64)>> {
        let result = self.side.result(outcome, &self.guest.name)?;
        let rows = self.rows.iter().enumerate();
        rows.map(|(number, &row)| Ok((row, result.iops(&format!("job{number}"), "read")?)))
            .collect()
    }
}

fn report(rig: &Rig, clock: Clock, runs: u32, samples: &[(&'static str, f64)]) -> Result<ExitCode> {
    let of = |row: &str| -> Vec<f64> {
        samples.iter().filter(|(of, _)| *of == row).map(|(_, iops)| *iops).collect()
    };
    let mean = |row: &str| of(row).iter().sum::<f64>() / of(row).len() as f64;
    print_line(format_args!(
        "{:<32} {:>26} {:>10}",
        format!("4k, {FILE_MIB} MiB on FFSv2, IOPS"),
        format!("mean of {runs} (least .. greatest)"),
        "to disk"
    ));
    let mut measurements = Vec::new();
    for row in OURS.iter().map(|(row, _)| *row).chain(LINUX.map(|(row, ..)| row)) {
        let spread = Spread::of(of(row)).context("a job without a figure")?;
        let disk = if row.contains("randread") { OURS[3].0 } else { OURS[0].0 };
        let ratio = mean(row) / mean(disk);
        let text = format!("{:.0} ({:.0} .. {:.0})", mean(row), spread.least, spread.greatest);
        print_line(format_args!("{row:<32} {text:>26} {ratio:>10.3}"));
        measurements.push(
            json!({ "name": row, "iops": of(row), "mean": mean(row), "ratio_to_disk": ratio }),
        );
    }
    let clock = if clock == Clock::Wall { "wall" } else { "instructions" };
    rig.save("compare-file.json", &json!({ "clock": clock, "measurements": measurements }))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_take_turns() {
        let names = |run| -> Vec<String> {
            turns(run, Clock::Wall, 3).into_iter().map(|turn| turn.guest.name).collect()
        };
        assert_eq!(names(1), ["ours-1", "linux-1-0", "linux-1-1", "linux-1-2"]);
        assert_eq!(names(2), ["linux-2-2", "linux-2-1", "linux-2-0", "ours-2"]);
        let extra = &turns(1, Clock::Wall, 3)[0].guest.extra;
        assert!(extra.contains("--name=job1 --stonewall --rw=read --filename=xvda:/big"));
    }
}
