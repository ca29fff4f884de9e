//! Truth of the figures: against what is asked for, what theory says, and what the backend saw of
//! each request.

use load::engine::{Control, Outcome};
use model::fixture::{Machine, XVDA, connect, run_jobs, vdev};
use model::guest::Device;
use model::{Guest, ModelXen};

mod ends;
mod large;
mod laws;
mod open_loop;
mod ramp;
mod steady;
mod windows;

const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
const SECTORS: u64 = 2048;

/// Runs the jobs of a command line on all disks of a machine, which are to be called `xvda`,
/// `xvdb`; stops them `stop_ns` after their start if it says so.
fn run(xen: &ModelXen, command_line: &str, stop_ns: Option<u64>) -> Outcome {
    let jobs = fio_job::parse(command_line).expect(command_line);
    let mut guest = Guest::boot(xen);
    let vdevs: Vec<u32> = xen.world().disks.iter().map(|disk| disk.disk.vdev).collect();
    let mut devices: Vec<Device<'_>> =
        vdevs.iter().map(|&vdev| connect(&mut guest, vdev, &jobs)).collect();
    let outcome = run_jobs(xen, &mut devices, jobs, &mut |progress| {
        let is_late = stop_ns.is_some_and(|stop_ns| progress.elapsed_ns >= stop_ns);
        if is_late { Control::Stop } else { Control::Continue }
    });
    for device in devices {
        guest.disconnect(device);
    }
    outcome
}
