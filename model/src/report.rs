//! The report of a run on the model, for tests of what reads and prints reports.

use drivers::blkfront::{Setup, Vdev};
use load::engine::{self, Verdict};
use load::plan::setup_for;
use results::{Report, emit};

use crate::guest::{Device, engine_disk};
use crate::{Disk, Guest, ModelXen};

const XVDA: u32 = 51712;

/// Returns the report of a command line's jobs, as it arrives, on disks `xvda`, `xvdb`, .. that
/// take these times for each I/O, in nanoseconds.
///
/// # Panics
/// When a job or a disk fails.
pub fn report(command_line: &str, service_ns: &[u64]) -> Report {
    let xen = ModelXen::seeded(5);
    let vdevs: Vec<u32> = (0..).map(|n| XVDA + 16 * n).take(service_ns.len()).collect();
    for (&vdev, &ns) in vdevs.iter().zip(service_ns) {
        let mut disk = Disk::new(vdev, 2048);
        disk.service_ns = ns..ns + 1;
        xen.attach(disk);
    }
    let jobs = fio_job::parse(command_line).unwrap();
    let slots = jobs.iter().map(|job| job.iodepth).sum();
    let first = setup_for(&jobs[0].disks[0], &jobs[..1]).unwrap().unwrap();
    let setup = Setup { slots, pages_per_slot: 2, ..first };
    let mut guest = Guest::boot(&xen);
    let mut devices: Vec<Device<'_>> =
        vdevs.iter().map(|&vdev| guest.connect(vdev, &setup).unwrap()).collect();
    let names: Vec<String> = vdevs.iter().map(|&vdev| Vdev(vdev).to_string()).collect();
    let mut results = Vec::new();
    for stage in jobs.chunk_by(|_, next| !next.stonewall) {
        let devices = names.iter().zip(&mut devices);
        let mut disks: Vec<_> = devices.map(|(name, device)| engine_disk(name, device)).collect();
        let outcome = engine::run(&xen, stage.to_vec(), &mut disks, &mut |_| Verdict::Continue);
        assert!(outcome.error.is_none() && outcome.first_failure.is_none(), "{outcome:?}");
        results.extend(outcome.results);
    }
    let mut text = String::new();
    emit(&results, None, &mut |part| text.push_str(part));
    Report::from_json(&text).unwrap()
}
