//! Instructions of the frontend for each read of 4 KiB, counted by callgrind, backend excluded.
//!
//! ```text
//! CARGO_PROFILE_RELEASE_STRIP=none cargo run --release -p model --example instructions
//! ```
//! needs Debian's package `valgrind`. Without arguments the program runs itself under callgrind for
//! each grant mode and iodepth; with a mode and an iodepth it is what gets counted. callgrind
//! collects inside of [`put_batch`] and [`take_batch`] alone, which hold all that the frontend does
//! for a read; the backend's turns lie between them. It is asked for no event, so a kick costs its
//! fence and its look at `req_event`, and no hypercall.

use std::error::Error;
use std::process::ExitCode;

use drivers::blkfront::{Broken, GrantMode, Operation, QueuePair, Setup};
use model::fixture::{Machine, XVDA};
use model::guest::Device;
use model::{Disk, Guest, ModelXen, callgrind};

const BYTES: u32 = 4096;
const SECTORS: u64 = 1024;
const READS: u64 = 4096;
const IODEPTHS: [u32; 2] = [1, 32];

/// Puts `count` reads on the ring and publishes them. Counted.
#[inline(never)]
fn put_batch(
    vcpu: &ModelXen,
    queue: &mut QueuePair<'_>,
    first: u64,
    count: u32,
) -> Result<(), Broken> {
    for number in first..first + u64::from(count) {
        let Some(slot) = queue.acquire() else { break };
        queue.submit(slot, Operation::Read, number * 8 % SECTORS, BYTES);
    }
    queue.kick(vcpu)
}

/// Takes completions until there are no more; returns how many reads went well. Counted.
#[inline(never)]
fn take_batch(queue: &mut QueuePair<'_>) -> Result<u32, Broken> {
    let mut done = 0;
    while let Some(completion) = queue.poll()? {
        done += u32::from(completion.result.is_ok());
        queue.release(completion.slot);
    }
    Ok(done)
}

/// Does `reads` reads in batches of `iodepth`.
fn read(xen: &ModelXen, device: &mut Device<'_>, iodepth: u32, reads: u64) -> Result<(), Broken> {
    let mut answered = xen.world().disks[0].stats.reads;
    for first in (0..reads).step_by(iodepth as usize) {
        put_batch(xen, &mut device.queues[0], first, iodepth)?;
        answered += u64::from(iodepth);
        while xen.world().disks[0].stats.reads < answered {
            xen.pass_ns(20_000);
        }
        assert_eq!(take_batch(&mut device.queues[0])?, iodepth, "each batch ends whole");
    }
    Ok(())
}

/// The program that is counted.
fn work(mode: GrantMode, iodepth: u32) -> Result<(), Box<dyn Error>> {
    let xen = Machine::seeded(1)
        .disk(Disk { deaf: Some(1 << 30), service_ns: 1000..2000, ..Disk::new(XVDA, SECTORS) })
        .build();
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: mode, slots: iodepth, ..Setup::ONE };
    let mut device = guest.connect(XVDA, &setup)?;
    read(&xen, &mut device, iodepth, READS)?;
    let counters = device.queues[0].counters();
    assert!(counters.reads == READS && counters.notifications <= 1, "{counters:?}");
    guest.disconnect(device);
    Ok(())
}

/// Returns the instructions of one read.
fn count(mode: GrantMode, iodepth: u32) -> Result<f64, Box<dyn Error>> {
    let arguments = [mode.name(), &iodepth.to_string()];
    let instructions = callgrind::count(&["*put_batch*", "*take_batch*"], &arguments)?;
    Ok(instructions as f64 / READS as f64)
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, iodepth] = &arguments[..] {
        let mode = GrantMode::ALL.into_iter().find(|known| known.name() == mode);
        return work(mode.ok_or("unknown grant mode")?, iodepth.parse()?);
    }
    println!("grants           iodepth  instructions per read of {BYTES} bytes");
    for iodepth in IODEPTHS {
        for mode in GrantMode::ALL {
            println!("{mode:16} {iodepth:7}  {:.1}", count(mode, iodepth)?);
        }
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
