//! Work of our engine on a job file, on the model's disks.

use std::collections::BTreeSet;
use std::ops::Range;

use fio_job::{Job, stages};
use load::engine::Control;
use load::plan::{Dealing, setup_for};
use model::fixture::{self, Machine, vdev};
use model::{Disk, Guest};
use results::JobResult;
use xen_abi::blkif::{OP_DISCARD, OP_READ, OP_WRITE};

use crate::scale::Small;
use crate::work::{Direction, Io};

/// Outcome of jobs.
pub struct Done {
    /// I/Os of all of them.
    pub ios: Vec<Io>,
    /// Results, one for each.
    pub results: Vec<JobResult>,
}

/// Returns what the engine does of jobs, on disks that take so long for an I/O; with a trace of
/// I/Os if that is wanted.
///
/// # Errors
/// Why they do not run, or do not end well.
pub fn work(
    jobs: &[Job],
    small: &Small,
    service_ns: Range<u64>,
    traced: bool,
) -> Result<Done, String> {
    let names: BTreeSet<&str> =
        jobs.iter().flat_map(|job| &job.disks).map(String::as_str).collect();
    let numbers: Vec<(u32, &str)> = names.iter().map(|name| (number(name), *name)).collect();
    let disk = |&(number, _): &(u32, &str)| {
        let disk = Disk::new(number, small.disk_bytes / 512);
        Disk { traced, sparse: true, service_ns: service_ns.clone(), ..disk }
    };
    let machine = Machine::seeded(1).pages(1 << 17).grant_frames(128);
    let xen = numbers.iter().map(disk).fold(machine, Machine::disk).build();
    let mut guest = Guest::boot(&xen);
    let mut results = Vec::new();
    for stage in stages(jobs) {
        let mut devices = Vec::new();
        for (number, name) in &numbers {
            let setup = setup_for(name, stage, &Dealing::on_one(stage.len()));
            let setup = setup.map_err(|error| format!("{error:?}"))?;
            let Some(setup) = setup else { continue };
            devices.push(guest.connect(*number, &setup).map_err(|error| format!("{error:?}"))?);
        }
        let outcome =
            fixture::run_jobs(&xen, &mut devices, stage.to_vec(), &mut |_| Control::Continue);
        for device in devices {
            guest.disconnect(device);
        }
        if let Some(error) = outcome.error {
            return Err(error.to_string());
        }
        if let Some(failure) = outcome.first_failure {
            return Err(format!("{failure:?}"));
        }
        results.extend(outcome.results);
    }
    let world = xen.world();
    let served = world.disks.iter().flat_map(|disk| &disk.served);
    let ios = served.filter_map(|one| {
        let direction = match one.operation {
            OP_READ => Direction::Read,
            OP_WRITE => Direction::Write,
            OP_DISCARD => Direction::Trim,
            _ => return None,
        };
        Some(Io { direction, offset: one.sector * 512, bytes: one.sectors * 512 })
    });
    // A flush may be a write of nothing.
    Ok(Done { ios: ios.filter(|io| io.bytes != 0).collect(), results })
}

/// The number of a disk by its name, `xvda` and on.
fn number(name: &str) -> u32 {
    let letter = name.as_bytes().get(3).copied().unwrap_or(b'a');
    vdev(u32::from(letter.saturating_sub(b'a')))
}
