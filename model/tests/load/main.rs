//! The load generator against blkback.

use fio_job::Job;
use load::engine::{Control, Outcome, Progress};
use model::fixture::{self, Machine, XVDA, connect, vdev};
use model::guest::Device;
use model::{Guest, ModelXen};
use results::JobResult;

mod alike;
mod amounts;
mod arrivals;
mod backlog;
mod basics;
mod batches;
mod bounds;
mod depths;
mod fio;
mod flushes;
mod order;
mod overlaps;
mod pace;
mod passes;
mod split;
mod stolen;
mod stuck;

const GRANTS: [&str; 3] = ["persistent", "persistent-copy", "per-request"];
const SECTORS: u64 = 2048;

/// Runs the jobs of a command line on freshly connected disks, `count` of them.
fn run(xen: &ModelXen, command_line: &str, count: u32) -> Outcome {
    run_and_see(xen, command_line, count, &mut |_| {})
}

/// Runs jobs as [`run`] does, and calls `tick` about once in a second of simulated time.
fn run_and_see(
    xen: &ModelXen,
    command_line: &str,
    count: u32,
    tick: &mut dyn FnMut(&Progress),
) -> Outcome {
    run_jobs(xen, fio_job::parse(command_line).unwrap(), count, tick)
}

fn run_jobs(
    xen: &ModelXen,
    jobs: Vec<Job>,
    count: u32,
    tick: &mut dyn FnMut(&Progress),
) -> Outcome {
    let mut guest = Guest::boot(xen);
    let mut devices: Vec<Device<'_>> =
        (0..count).map(|index| connect(&mut guest, vdev(index), &jobs)).collect();
    let done_before = done(xen);
    let outcome = fixture::run_jobs(xen, &mut devices, jobs, &mut |progress| {
        tick(progress);
        Control::Continue
    });
    let before = done_before.unwrap_or_default();
    hold(&outcome, done(xen).map(|done| [done[0] - before[0], done[1] - before[1]]));
    for device in devices {
        let is_broken = outcome.error.is_some();
        assert!(is_broken || device.queues[0].outstanding() == 0);
        guest.disconnect(device);
    }
    outcome
}

/// I/Os and flushes that the backends have done; `None` if one of them has lied.
fn done(xen: &ModelXen) -> Option<[u64; 2]> {
    let world = xen.world();
    let honest = world.disks.iter().all(|disk| disk.mischief.told == 0);
    let stats = || world.disks.iter().map(|disk| disk.stats);
    let ios = stats().map(|stats| stats.reads + stats.writes + stats.discards).sum();
    let flushes = stats().map(|stats| stats.flushes + stats.barriers).sum();
    honest.then_some([ios, flushes])
}

/// Holds what is true of every run: all that was `done` counts, each I/O has one latency, and all
/// latencies together are no more than the iodepth allows.
fn hold(outcome: &Outcome, done: Option<[u64; 2]>) {
    let jobs = &outcome.results;
    let is_partial = jobs.iter().any(|job| job.errors() != 0 || job.job.pace.ramp_ns != 0);
    if outcome.error.is_some() || is_partial {
        return;
    }
    if let Some([done, flushed]) = done {
        let ios: u64 = jobs.iter().map(|job| job.ios()).sum();
        let of_one_request = |job: &JobResult| job.job.data_bytes() <= 44 << 10;
        if let Some(requests) =
            jobs.iter().map(|job| Some(job.counters?.requests)).sum::<Option<u64>>()
        {
            assert_eq!(done + flushed, requests);
        }
        let has_uncounted = |job: &JobResult| job.job.pace.sync_writes || job.job.pace.end_flush;
        if !jobs.iter().any(has_uncounted) {
            assert_eq!(flushed, jobs.iter().map(|job| job.flush.ios).sum::<u64>());
        }
        assert!(ios == done || ios < done && !jobs.iter().all(of_one_request), "{ios} {done}");
    }
    for job in jobs {
        let sides = [&job.read, &job.write, &job.trim, &job.flush];
        assert!(sides.iter().all(|side| side.latency.moments().count() == side.ios));
        let sum: u128 = sides.iter().map(|side| side.latency.moments().sum()).sum();
        let most = u128::from(job.job.iodepth) * u128::from(job.runtime_ns);
        assert!(sum <= most, "{}: {sum} of {most}", job.job.name);
    }
}

fn one_disk(seed: u64) -> ModelXen {
    Machine::seeded(seed).disks(1, SECTORS).build()
}

fn ok(outcome: &Outcome) {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert!(outcome.first_failure.is_none(), "{:?}", outcome.first_failure);
}
