//! The load generator against blkback.

use bench::engine::{self, Outcome, Progress, Verdict};
use bench::{Job, job};
use drivers::blkfront::{Setup, Vdev};
use model::guest::{Device, engine_disk};
use model::{Disk, Guest, ModelXen};

mod amounts;
mod basics;
mod order;
mod pace;
mod stolen;
mod stuck;

const GRANTS: [&str; 3] = ["persistent", "persistent-copy", "per-request"];
const XVDA: u32 = 51712;
const SECTORS: u64 = 2048;

/// Runs the jobs of a command line on freshly connected disks, `count` of them.
fn run(xen: &ModelXen, command_line: &str, count: u32) -> Outcome {
    run_and_see(xen, command_line, count, &mut |_| {})
}

/// As [`run`], and calls `tick` about once in a second of simulated time.
fn run_and_see(
    xen: &ModelXen,
    command_line: &str,
    count: u32,
    tick: &mut dyn FnMut(&Progress),
) -> Outcome {
    run_jobs(xen, job::parse(command_line).unwrap(), count, tick)
}

fn run_jobs(
    xen: &ModelXen,
    jobs: Vec<Job>,
    count: u32,
    tick: &mut dyn FnMut(&Progress),
) -> Outcome {
    let setup = Setup {
        grants: jobs[0].grants,
        queues: jobs[0].queues,
        slots: jobs.iter().map(|job| job.iodepth).sum::<u32>().div_ceil(jobs[0].queues),
        pages_per_slot: jobs
            .iter()
            .map(|job| job.data_bytes().div_ceil(4096).max(1) as usize)
            .max()
            .unwrap(),
    };
    let mut guest = Guest::boot(xen);
    let names: Vec<String> = (0..count).map(|n| Vdev(XVDA + 16 * n).to_string()).collect();
    let mut devices: Vec<Device<'_>> =
        (0..count).map(|n| guest.connect(XVDA + 16 * n, &setup).unwrap()).collect();
    let mut disks: Vec<engine::Disk<'_, '_, ModelXen>> =
        names.iter().zip(&mut devices).map(|(name, device)| engine_disk(name, device)).collect();
    let outcome = engine::run(xen, jobs, &mut disks, &mut |progress| {
        tick(progress);
        Verdict::Continue
    });
    for device in devices {
        let is_broken = outcome.error.is_some();
        assert!(is_broken || device.queues[0].outstanding() == 0);
        guest.disconnect(device);
    }
    outcome
}

fn one_disk(seed: u64) -> ModelXen {
    let xen = ModelXen::seeded(seed);
    xen.attach(Disk::new(XVDA, SECTORS));
    xen
}

fn ok(outcome: &Outcome) {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert!(outcome.first_failure.is_none(), "{:?}", outcome.first_failure);
}
