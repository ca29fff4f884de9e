//! Depths beyond the ring: jobs that ask for more in flight than their disks take wait for room, as
//! they do in Linux; each of their I/Os is done once, and none fails.

use drivers::ring;
use model::fixture::assert_nothing_is_left;
use model::{Disk, ModelXen};

use crate::{GRANTS, Machine, ok, run, vdev};

/// Sectors of a disk.
const SECTORS: u64 = 16_384;

/// A machine with disks whose backends take this many segments in a request, on rings of this
/// order.
fn machine(seed: u64, disks: u32, indirect_max: usize, ring_order_max: u32) -> ModelXen {
    let disk = |number| Disk { indirect_max, ring_order_max, ..Disk::new(vdev(number), SECTORS) };
    let machine = Machine::seeded(seed).pages(17_000).grant_frames(64);
    (0..disks).fold(machine, |machine, number| machine.disk(disk(number))).build()
}

/// Runs jobs that each do all their I/Os, `ios` in all, of `parts` requests each; holds the figures
/// to what the backends saw.
fn all_done(xen: &ModelXen, line: &str, disks: u32, ios: u64, parts: u64) {
    let outcome = run(xen, line, disks);
    ok(&outcome);
    let jobs = &outcome.results;
    assert_eq!(jobs.iter().map(|job| job.ios()).sum::<u64>(), ios, "{line}");
    assert!(jobs.iter().all(|job| job.errors() == 0 && job.ios() == jobs[0].ios()), "{line}");
    let world = xen.world();
    let stats = || world.disks.iter().map(|disk| disk.stats);
    let requests: usize = stats().map(|stats| (stats.reads + stats.writes) as usize).sum();
    assert_eq!(requests as u64, ios * parts, "{line}");
    for disk in &world.disks {
        let entries = ring::entries(disk.disk.ring_order_max) as usize;
        assert!(disk.stats.rejected == 0 && disk.stats.depth_max <= entries, "{line}");
    }
    // A job that waited says so.
    assert!(jobs.iter().any(|job| job.ring_wait_ns != 0), "{line}");
    drop(world);
    assert_nothing_is_left(xen);
}

#[test]
fn several_jobs_share_a_disk_that_takes_fewer() {
    for (number, (options, jobs)) in
        [("numjobs=16 iodepth=64", 16), ("numjobs=35", 35), ("numjobs=3 iodepth=832", 3)]
            .into_iter()
            .enumerate()
    {
        for (kind, grants) in GRANTS.into_iter().enumerate() {
            let rw = ["randread", "randwrite", "randrw"][(number + kind) % 3];
            let xen = machine(number as u64, 1, 0, 0);
            let line = format!(
                "rw={rw} bs=4k number_ios=900 {options} filename=xvda grants={grants} \
                 group_reporting"
            );
            all_done(&xen, &line, 1, jobs * 900, 1);
        }
    }
}

#[test]
fn a_job_deeper_than_the_ring_waits_for_room() {
    for (number, (iodepth, disks, order)) in
        [(832, 1, 4), (2048, 1, 4), (2048, 2, 2), (832, 3, 0), (33, 1, 0)].into_iter().enumerate()
    {
        for grants in GRANTS {
            let names = ["xvda", "xvda:xvdb", "xvda:xvdb:xvdc"][disks as usize - 1];
            let xen = machine(number as u64, disks, 32, order);
            let line = format!(
                "rw=randrw bs=4k norandommap io_size=20000k iodepth={iodepth} filename={names} \
                 grants={grants}"
            );
            all_done(&xen, &line, disks, 5000, 1);
        }
    }
}

#[test]
fn large_blocks_at_depth_wait_for_room_part_by_part() {
    for (number, (bs, indirect_max, parts)) in
        [("128k", 32, 1), ("256k", 32, 2), ("128k", 0, 3), ("512k", 256, 1)].into_iter().enumerate()
    {
        for grants in GRANTS {
            let xen = machine(number as u64, 2, indirect_max, 0);
            let line = format!(
                "rw=randread bs={bs} norandommap number_ios=300 io_size=1g iodepth=128 numjobs=2 \
                 filename=xvda:xvdb grants={grants}"
            );
            all_done(&xen, &line, 2, 600, parts);
        }
    }
}

#[test]
fn data_is_right_beyond_the_ring() {
    for (seed, options) in ["iodepth=832", "numjobs=4 iodepth=64 offset_increment=25% size=25%"]
        .into_iter()
        .enumerate()
    {
        for grants in GRANTS {
            let xen = machine(seed as u64, 1, 0, 0);
            let line = format!("rw=randwrite bs=4k verify=crc32c {options} filename=xvda");
            let outcome = run(&xen, &format!("{line} grants={grants}"), 1);
            ok(&outcome);
            let [writes, reads] = [
                outcome.results.iter().map(|job| job.write.ios).sum::<u64>(),
                outcome.results.iter().map(|job| job.read.ios).sum(),
            ];
            assert_eq!((writes, reads), (SECTORS / 8, SECTORS / 8), "{line}");
        }
    }
}
