//! The report of a run on the model, for tests of what reads and prints reports.

use drivers::blkfront::Setup;
use load::engine::Control;
use load::plan::{Dealing, setup_for};
use results::{Report, emit};

use crate::fixture::{Machine, run_jobs, vdev};
use crate::guest::Device;
use crate::{Disk, Guest};

/// Returns the report of a command line's jobs, as it arrives, on disks `xvda`, `xvdb`, .. that
/// take these times for each I/O, in nanoseconds.
///
/// # Panics
/// When a job or a disk fails.
pub fn report(command_line: &str, service_ns: &[u64]) -> Report {
    let disks = (0..).map(vdev).zip(service_ns);
    let disk = |(vdev, &ns): (u32, &u64)| Disk { service_ns: ns..ns + 1, ..Disk::new(vdev, 2048) };
    let xen = disks.clone().map(disk).fold(Machine::seeded(5), Machine::disk).build();
    let jobs = fio_job::parse(command_line).unwrap();
    let slots = jobs.iter().map(|job| job.iodepth).sum();
    let first = setup_for(&jobs[0].disks[0], &jobs[..1], &Dealing::on_one(1)).unwrap().unwrap();
    let setup = Setup { slots, pages_per_slot: 2, ..first };
    let mut guest = Guest::boot(&xen);
    let mut devices: Vec<Device<'_>> =
        disks.map(|(vdev, _)| guest.connect(vdev, &setup).unwrap()).collect();
    let mut results = Vec::new();
    for stage in fio_job::stages(&jobs) {
        let jobs = stage.to_vec();
        let outcome = run_jobs(&xen, &mut devices, jobs, &mut |_| Control::Continue);
        assert!(outcome.error.is_none() && outcome.first_failure.is_none(), "{outcome:?}");
        results.extend(outcome.results);
    }
    let mut text = String::new();
    emit(&results, None, None, &mut |part| text.push_str(part));
    Report::from_json(&text).unwrap()
}
