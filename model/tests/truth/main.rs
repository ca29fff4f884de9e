//! Whether the figures are true: against what is asked for, what theory says, and what the backend
//! saw of each request.

use drivers::blkfront::Vdev;
use load::engine::{self, Outcome, Verdict};
use load::plan::setup_for;
use model::guest::{Device, engine_disk};
use model::{Guest, ModelXen};

mod ends;
mod large;
mod laws;
mod ramp;
mod windows;

const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
const XVDA: u32 = 51712;
const SECTORS: u64 = 2048;

/// Runs the jobs of a command line on all disks of a machine, which are to be called `xvda`,
/// `xvdb`; stops them `stop_ns` after their start if it says so.
fn run(xen: &ModelXen, command_line: &str, stop_ns: Option<u64>) -> Outcome {
    let jobs = fio_job::parse(command_line).expect(command_line);
    let setup = |name: &String| setup_for(name, &jobs).expect("one setup").expect("a job");
    let mut guest = Guest::boot(xen);
    let vdevs: Vec<u32> = xen.world().disks.iter().map(|disk| disk.disk.vdev).collect();
    let names: Vec<String> = vdevs.iter().map(|&vdev| Vdev(vdev).to_string()).collect();
    let mut devices: Vec<Device<'_>> = vdevs
        .iter()
        .zip(&names)
        .map(|(&vdev, name)| guest.connect(vdev, &setup(name)).expect("a disk"))
        .collect();
    let mut disks: Vec<_> =
        names.iter().zip(&mut devices).map(|(name, device)| engine_disk(name, device)).collect();
    let outcome = engine::run(xen, jobs, &mut disks, &mut |progress| {
        let is_late = stop_ns.is_some_and(|stop_ns| progress.elapsed_ns >= stop_ns);
        if is_late { Verdict::Stop } else { Verdict::Continue }
    });
    for device in devices {
        guest.disconnect(device);
    }
    outcome
}
