//! Heap that disks and jobs take while they run, against what a guest is told to have for them.

use std::collections::BTreeMap;

use drivers::blkfront::{Room, handshake};
use load::plan::{Dealing, Need, Offer, Plan, Vbd};
use model::fixture::{Machine, run_jobs, vdev};
use model::guest::Device;
use model::{Disk, Guest, ModelXen};
use xen_abi::vdev::Vdev;

const SECTORS: u64 = 16 << 11;
const ROOM: Room = Room { pages: 20_000, grants: 64 * 512 - 8 };

/// Heap that a run is to have, and what it took.
#[derive(Debug)]
struct Ran {
    least: Need,
    full: Need,
    /// Slots of all queues.
    slots: usize,
    /// Most heap that was in use at once, in bytes: the guest's, and the model's backends'.
    heap_bytes: u64,
}

/// Runs the jobs of a line on so many disks, with the room that a heap suffices for which is as
/// large as `heap` says.
fn run(line: &str, count: u32, indirect_max: usize, heap: fn(&Need, &Need) -> u64) -> Ran {
    ran(line, count, indirect_max, heap, true)
}

/// Connects the disks only: what the model's backends keep of each page that they have mapped is no
/// heap of a guest's.
fn connect(line: &str, count: u32, indirect_max: usize, heap: fn(&Need, &Need) -> u64) -> Ran {
    ran(line, count, indirect_max, heap, false)
}

fn ran(
    line: &str,
    count: u32,
    indirect_max: usize,
    heap: fn(&Need, &Need) -> u64,
    runs: bool,
) -> Ran {
    let disk = |index| Disk { indirect_max, ..Disk::new(vdev(index), SECTORS) };
    let machine = Machine::seeded(3).pages(ROOM.pages as usize).grant_frames(64);
    let xen: ModelXen = (0..count).map(disk).fold(machine, Machine::disk).build();
    let vbd = |index| Vbd { vdev: Vdev(vdev(index)), is_writable: true };
    let vbds: Vec<Vbd> = (0..count).map(vbd).collect();
    let names: Vec<String> = vbds.iter().map(|vbd| vbd.vdev.to_string()).collect();
    let jobs = fio_job::parse(&format!("{line} filename={}", names.join(":"))).unwrap();
    let plan = Plan::new(jobs.clone(), &vbds).unwrap();
    let mut guest = Guest::boot(&xen);
    let offer = |vbd: &Vbd| handshake::offer(&mut guest.store, vbd.vdev).unwrap();
    let offers: BTreeMap<String, Offer> =
        names.into_iter().zip(vbds.iter().map(offer).collect::<Vec<_>>()).collect();
    let offers = |name: &str| offers.get(name).copied();
    let (stage, dealing) = (plan.at_once(), Dealing::on_one(jobs.len()));
    let least = plan.with_results(stage.need(&dealing, &offers).unwrap());
    let full = plan.with_results(stage.full_need(&dealing, &offers).unwrap());
    let room = least.room(&full, heap(&least, &full), ROOM);
    let mut slots = 0;
    let heap = allocation_counter::measure(|| {
        let disks = stage.disks(&dealing, room, &offers).map(Result::unwrap);
        let mut devices: Vec<Device<'_>> = disks
            .map(|disk| guest.connect_in(disk.vdev.0, &disk.setup, disk.room, disk.offer).unwrap())
            .collect();
        slots = devices.iter().flat_map(|one| &one.queues).map(|queue| queue.depth()).sum();
        if runs {
            let go_on = &mut |_: &_| load::engine::Control::Continue;
            let outcome = run_jobs(&xen, &mut devices, jobs, go_on);
            assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None), "{line}");
        }
        devices.into_iter().for_each(|device| drop(guest.disconnect(device)));
    });
    Ran { least, full, slots, heap_bytes: heap.bytes_max }
}

#[test]
fn a_run_takes_no_more_heap_than_is_computed() {
    for (line, count) in [
        ("bs=4k iodepth=1", 1),
        ("bs=4k iodepth=256", 1),
        ("bs=4k iodepth=32", 8),
        ("bs=64k iodepth=64", 2),
        ("bs=1m iodepth=16 grants=persistent-copy", 2),
        ("bs=1m iodepth=16 grants=per-request", 1),
        ("bs=4m iodepth=4", 1),
        ("bs=4k iodepth=64 numjobs=4 ringmark_queues=4", 1),
    ] {
        for indirect_max in [0, 256] {
            let line = format!("rw=randread io_size=8m {line}");
            let ran = run(&line, count, indirect_max, |_, full| full.heap_bytes);
            assert!(ran.heap_bytes <= ran.full.heap_bytes, "{line}, {indirect_max}: {ran:?}");
        }
    }
}

/// Slots beyond each disk's share are made only as far as there is heap for them.
#[test]
fn slots_are_made_for_which_there_is_heap() {
    for (line, count, share) in [
        ("rw=randread io_size=8m bs=4k iodepth=512", 8, 512),
        ("rw=randread io_size=8m bs=64k iodepth=64", 8, 64),
    ] {
        let least = connect(line, count, 256, |least, _| least.heap_bytes);
        assert!(least.heap_bytes <= least.least.heap_bytes, "{line}: {least:?}");
        assert!(least.slots >= share, "{line}: {least:?}");
        let half = |least: &Need, full: &Need| u64::midpoint(least.heap_bytes, full.heap_bytes);
        let some = connect(line, count, 256, half);
        assert!(some.heap_bytes <= half(&some.least, &some.full), "{line}: {some:?}");
        let all = connect(line, count, 256, |_, full| full.heap_bytes);
        assert!(least.slots < some.slots && some.slots < all.slots, "{line}: {some:?}, {all:?}");
    }
}
