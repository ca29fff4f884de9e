//! `compare`: our guest and a Linux guest with fio, the same jobs on the same ramdisk, in pairs.
//!
//! The wall clock is noise on a shared host, so each pair is run one after the other in one boot
//! and the spread is shown.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bench::result::Spread;
use clap::ValueEnum;
use serde_json::json;

use crate::guest::{ConsoleLine, Guest};
use crate::image::Image;
use crate::machine::Clock;
use crate::ramdisk::Ramdisks;
use crate::result::{GuestResult, OURS};
use crate::rig::{GUEST_KERNEL, Rig};
use crate::steps::{Outcome, Seen, Step};
use crate::workload::Workload;

/// Where dom0 has the Linux guest's kernel.
pub(crate) const PEER_KERNEL: &str = "/guests/vmlinux";
/// Where dom0 has its initramfs.
pub(crate) const PEER_INITRAMFS: &str = "/guests/peer.cpio";

/// What Debian's fio needs: its libraries are some 80 MB.
pub(crate) const PEER_MEMORY_MIB: u32 = 400;
pub(crate) const OUR_MEMORY_MIB: u32 = 16;

/// Ends the line by which either guest tells that it could use its disk.
const FIRST_IO: &str = "first I/O completed";

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Our guest.
    #[value(name = "ringmark")]
    Ours,
    /// The Linux guest.
    Linux,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ringmark",
            Self::Linux => "linux",
        }
    }

    /// What begins the lines that say that its job has begun and that it has ended.
    pub(crate) fn edges(self) -> [&'static str; 2] {
        match self {
            Self::Ours => ["ringmark: first I/O completed", OURS],
            Self::Linux => ["peer: job begins", "peer: job ended"],
        }
    }

    /// The result of its guest `name`.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub(crate) fn result(self, outcome: &Outcome, name: &str) -> Result<GuestResult> {
        match self {
            Self::Ours => GuestResult::ours(outcome, name),
            Self::Linux => GuestResult::peer(outcome, name),
        }
    }

    /// The guest that runs these jobs.
    pub(crate) fn guest(self, name: String, clock: Clock, jobs: &str) -> Guest {
        let (kernel, ramdisk, memory_mib, extra) = match self {
            Self::Ours => (GUEST_KERNEL, None, OUR_MEMORY_MIB, jobs.to_owned()),
            Self::Linux => (
                PEER_KERNEL,
                Some(PEER_INITRAMFS),
                PEER_MEMORY_MIB,
                format!("console=hvc0 quiet jobs=\"{jobs}\""),
            ),
        };
        let disks = vec!["phy:/dev/ram0,xvda,w".into()];
        Guest { name, kernel, ramdisk, memory_mib, cpu: clock.guest_cpu(), disks, extra }
    }
}

/// Puts both guests' kernels into an overlay.
pub(crate) fn overlay(
    rig: &Rig,
    image: &Image,
    guests: &[Guest],
) -> Result<crate::archive::Archive> {
    let mut overlay = rig.overlay(guests)?;
    overlay.copy(PEER_KERNEL, 0o644, &image.peer_kernel())?;
    overlay.copy(PEER_INITRAMFS, 0o644, &image.peer_initramfs())?;
    Ok(overlay)
}

/// Runs `pairs` pairs, `runtime_s` seconds for each workload.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(
    rig: &Rig,
    sides: &[Side],
    workloads: &[Workload],
    pairs: u32,
    runtime_s: u32,
) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("compare")?;
    let machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    let jobs = Workload::options(workloads, runtime_s);
    let mut runs = Vec::new();
    for pair in 1..=pairs {
        // Whoever is first may find a quieter or a busier host: take turns.
        let mut order = sides.to_vec();
        if pair % 2 == 0 {
            order.reverse();
        }
        for side in order {
            runs.push((side, side.guest(format!("{}-{pair}", side.name()), machine.clock, &jobs)));
        }
    }
    let guests: Vec<Guest> = runs.iter().map(|(_, guest)| guest.clone()).collect();
    let allowed_s = 120 + workloads.len() as u64 * u64::from(runtime_s);
    let steps: Vec<Step> = guests
        .iter()
        .map(|guest| {
            Step::new(
                guest.name.clone(),
                allowed_s + 20,
                format!("guest {} {allowed_s}", guest.name),
            )
        })
        .collect();
    let mut samples = Vec::new();
    machine.run(overlay(rig, &image, &guests)?, &steps, &mut |index, event| {
        let Seen::End(outcome) = event else {
            return Ok(());
        };
        let Some((side, guest)) = runs.get(index) else {
            return Ok(());
        };
        let sample = Sample::read(*side, &guest.name, workloads, &outcome)
            .with_context(|| outcome.lines.join("\n"))?;
        rig.progress.detail(&sample.to_string());
        samples.push((*side, sample));
        Ok(())
    })?;
    report(rig, &image, workloads, &samples)
}

/// What one guest of a pair came to.
struct Sample {
    /// By workload.
    iops: Vec<f64>,
    start_up: StartUp,
}

impl Sample {
    fn read(side: Side, name: &str, workloads: &[Workload], outcome: &Outcome) -> Result<Self> {
        let result = side.result(outcome, name)?;
        let iops = |workload: &Workload| result.iops(&workload.name(), workload.direction());
        Ok(Self {
            iops: workloads.iter().map(iops).collect::<Result<_>>()?,
            start_up: StartUp::read(outcome, name)?,
        })
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let iops: Vec<String> = self.iops.iter().map(|iops| format!("{iops:.0}")).collect();
        write!(f, "{} IOPS, first I/O after {:.2} s", iops.join(", "), self.start_up.first_io_s)
    }
}

/// One of a sample's figures.
type Figure = Box<dyn Fn(&Sample) -> f64>;

/// How a guest came up, by dom0's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct StartUp {
    /// From the start of `xl create` until xl has let the guest run.
    xl_s: f64,
    /// From the start of `xl create` to the line that says that the first request has completed.
    first_io_s: f64,
}

impl StartUp {
    fn read(outcome: &Outcome, name: &str) -> Result<Self> {
        let xl = ConsoleLine::of(outcome, "xl");
        let of_xl = |text| xl.iter().find(|line| line.text.starts_with(text));
        let create = of_xl("create ").context("xl was not started")?;
        let runs = of_xl("Waiting for domain").context("xl does not wait for the guest")?;
        let lines = ConsoleLine::of(outcome, name);
        let first_io = lines.iter().find(|line| line.text.ends_with(FIRST_IO));
        let first_io = first_io.context("no line tells of the first I/O")?;
        Ok(Self {
            xl_s: runs.uptime_s - create.uptime_s,
            first_io_s: first_io.uptime_s - create.uptime_s,
        })
    }
}

fn report(
    rig: &Rig,
    image: &Image,
    workloads: &[Workload],
    samples: &[(Side, Sample)],
) -> Result<ExitCode> {
    println!(
        "{:<32} {:>26} {:>26} {:>8}",
        "median (least .. greatest)", "ringmark", "Linux 6.1 + fio", "ratio"
    );
    let mut rows: Vec<(String, Figure)> = Vec::new();
    for (number, workload) in workloads.iter().enumerate() {
        let iops = move |sample: &Sample| sample.iops[number];
        rows.push((format!("{workload}, IOPS"), Box::new(iops)));
    }
    rows.push((
        "xl create to first I/O, s".to_owned(),
        Box::new(|sample| sample.start_up.first_io_s),
    ));
    rows.push((
        "  of that, xl until it runs, s".to_owned(),
        Box::new(|sample| sample.start_up.xl_s),
    ));
    let mut measurements = Vec::new();
    for (name, value) in rows {
        let of = |side: Side| -> Vec<f64> {
            let samples = samples.iter().filter(|(of, _)| *of == side);
            samples.map(|(_, sample)| value(sample)).collect()
        };
        let (ours, linux) = (of(Side::Ours), of(Side::Linux));
        let spreads = (Spread::of(ours.iter().copied()), Spread::of(linux.iter().copied()));
        let ratio = spreads.0.zip(spreads.1).map(|(ours, linux)| ours.median / linux.median);
        let cell = |spread: Option<Spread>| spread.map_or("-".into(), |spread| spread.to_string());
        println!(
            "{name:<32} {:>26} {:>26} {:>8}",
            cell(spreads.0),
            cell(spreads.1),
            ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"))
        );
        measurements.push(json!({
            "name": name, "ringmark": ours, "linux": linux, "ratio_of_medians": ratio,
        }));
    }
    let kib = |path: &Path| -> Result<u64> { Ok(path.metadata()?.len().div_ceil(1024)) };
    let ours_kib = kib(&rig.kernel()?)?;
    let linux_kib = kib(&image.peer_kernel())? + kib(&image.peer_initramfs())?;
    println!("{:<32} {OUR_MEMORY_MIB:>26} {PEER_MEMORY_MIB:>26}", "memory, MiB");
    println!("{:<32} {ours_kib:>26} {linux_kib:>26}", "kernel and initramfs, KiB");
    rig.save(
        "compare.json",
        &json!({
            "clock": "wall", "measurements": measurements,
            "memory_mib": { "ringmark": OUR_MEMORY_MIB, "linux": PEER_MEMORY_MIB },
            "image_kib": { "ringmark": ours_kib, "linux": linux_kib },
        }),
    )?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_up_is_between_the_lines() {
        let lines = [
            "[xl 6.50] create a",
            "[xl 7.25] Waiting for domain a (domid 1) to die [pid 9]",
            "[a 8.25] ringmark: first I/O completed",
        ];
        let outcome = Outcome::printed(lines);
        let start_up = StartUp::read(&outcome, "a").unwrap();
        assert_eq!(start_up, StartUp { xl_s: 0.75, first_io_s: 1.75 });
        assert!(StartUp::read(&outcome, "b").is_err());
    }
}
