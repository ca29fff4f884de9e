//! Instructions of the guest's loop for each I/O of some jobs, counted by callgrind, backend
//! excluded.
//!
//! ```text
//! CARGO_PROFILE_RELEASE_STRIP=none cargo run --release -p model --example engine
//! ```
//! needs Debian's package `valgrind`. Without arguments the program runs itself under callgrind for
//! each case; with the options of a job it is what gets counted. callgrind collects inside of
//! [`counted_pass`] alone; the backend's turns lie between the passes. In most cases each pass
//! finds all that is in flight; where the job has `ringmark_poll_us=1`, which stands for a backend
//! of many speeds here, each finds some.

use std::error::Error;
use std::process::ExitCode;

use drivers::Vcpu;
use fio_job::Poll;
use load::engine::{Control, Engine, Pass};
use model::fixture::{Machine, connect, start_engine, vdev};
use model::{Disk, Guest, callgrind};

const IOS: u64 = 20_480;
const SECTORS: u64 = 65_536;
const DISKS: u32 = 8;

/// Cases: what they show, and the options of their jobs.
const CASES: [(&str, &str); 10] = [
    ("one disk", "rw=randread norandommap iodepth=32 filename=xvda"),
    ("with a map", "rw=randread iodepth=32 filename=xvda"),
    ("sequential", "rw=read iodepth=32 filename=xvda"),
    ("writes", "rw=randwrite norandommap iodepth=32 filename=xvda"),
    ("reads and writes", "rw=randrw norandommap iodepth=32 filename=xvda"),
    ("4 jobs", "rw=randread norandommap iodepth=8 numjobs=4 filename=xvda"),
    ("4 in a group", "rw=randread norandommap iodepth=8 numjobs=4 group_reporting filename=xvda"),
    (
        "8 disks",
        "rw=randread norandommap iodepth=32 filename=xvda:xvdb:xvdc:xvdd:xvde:xvdf:xvdg:xvdh",
    ),
    ("out of step", "rw=randread norandommap iodepth=32 ringmark_poll_us=1 filename=xvda"),
    ("iodepth 1", "rw=randread norandommap iodepth=1 filename=xvda"),
];

/// Does a pass. Counted.
#[inline(never)]
fn counted_pass<V: Vcpu>(engine: &mut Engine<'_, '_, V>) -> Pass {
    engine.pass(&mut |_| Control::Continue)
}

/// The program that is counted.
fn work(line: &str) -> Result<(), Box<dyn Error>> {
    let jobs = fio_job::parse(line)?;
    let out_of_step = jobs[0].poll == Poll::Us(1);
    let service_ns = if out_of_step { 1_000..50_000 } else { 1..2 };
    let disk = |number| Disk {
        deaf: Some(1 << 30),
        service_ns: service_ns.clone(),
        ..Disk::new(vdev(number), SECTORS)
    };
    let machine = Machine::seeded(1).pages(4_000);
    let xen = (0..DISKS).fold(machine, |machine, number| machine.disk(disk(number))).build();
    let mut guest = Guest::boot(&xen);
    let named = |number: &u32| {
        let name = xen_abi::vdev::Vdev(vdev(*number)).to_string();
        jobs.iter().any(|job| job.disks.contains(&name))
    };
    let mut devices: Vec<_> =
        (0..DISKS).filter(named).map(|number| connect(&mut guest, vdev(number), &jobs)).collect();
    let disks = devices.iter_mut().map(|device| device.lend()).collect();
    let mut engine = start_engine(&xen, jobs, disks);
    // The backends look at their rings every 50 us.
    let step_ns = if out_of_step { 2_000 } else { 200_000 };
    while counted_pass(&mut engine) != Pass::Done {
        xen.pass_ns(step_ns);
    }
    let (outcome, disks) = engine.finish();
    let ios: u64 = outcome.results.iter().map(results::JobResult::ios).sum();
    assert!(outcome.error.is_none() && ios == IOS, "{:?}, {ios} I/Os", outcome.error);
    devices.iter_mut().zip(disks).for_each(|(device, disk)| device.queues = disk.queues);
    for device in devices {
        guest.disconnect(device);
    }
    Ok(())
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.is_empty() {
        return work(&arguments.join(" "));
    }
    println!("4 KiB, iodepth 32     instructions for each I/O");
    for (name, line) in CASES {
        let jobs = if line.contains("numjobs=4") { 4 } else { 1 };
        let line = format!("bs=4k io_size={} {line}", IOS * 4096 / jobs);
        let words: Vec<&str> = line.split(' ').collect();
        println!(
            "{name:21} {:.1}",
            callgrind::count(&["*counted_pass*"], &words)? as f64 / IOS as f64
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
