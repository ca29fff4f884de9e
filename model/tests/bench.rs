//! The load generator against blkback: every I/O of a job is done once, where it should be, and
//! what is wrong is found.

use bench::engine::{self, Outcome, RunError, Verdict};
use bench::{Job, job};
use drivers::blkfront::{Setup, Vdev};
use model::guest::Device;
use model::{Disk, Guest, ModelXen};

const XVDA: u32 = 51712;
const SECTORS: u64 = 2048;

/// Runs the jobs of a command line on freshly connected disks, `count` of them.
fn run(xen: &ModelXen, command_line: &str, count: u32) -> Outcome {
    let jobs = job::parse(command_line).unwrap();
    let setup = Setup {
        grants: jobs[0].grants,
        slots: jobs.iter().map(|job| job.iodepth).sum(),
        pages_per_slot: 11,
    };
    let mut guest = Guest::boot(xen);
    let names: Vec<String> = (0..count).map(|n| Vdev(XVDA + 16 * n).to_string()).collect();
    let mut devices: Vec<Device<'_>> =
        (0..count).map(|n| guest.connect(XVDA + 16 * n, &setup).unwrap()).collect();
    let mut disks: Vec<engine::Disk<'_, '_, ModelXen>> = names
        .iter()
        .zip(&mut devices)
        .map(|(name, device)| engine::Disk { name, info: *device.info(), queue: &mut device.queue })
        .collect();
    let outcome = engine::run(xen, jobs, &mut disks, &mut |_| Verdict::Continue);
    for device in devices {
        assert_eq!(device.queue.outstanding(), 0);
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

#[test]
fn a_sequential_job_reads_its_region_once_and_the_backend_agrees() {
    for (seed, grants) in ["persistent", "persistent-copy", "per-request"].iter().enumerate() {
        let xen = one_disk(seed as u64);
        let line = format!("rw=read bs=4k iodepth=7 offset=64k size=512k grants={grants}");
        let line = format!("{line} filename=xvda");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let read = &outcome.results[0].read;
        assert_eq!((read.ios, read.bytes, read.errors), (128, 512 << 10, 0));
        assert_eq!(read.latency.count(), 128);
        assert_eq!(outcome.results[0].counters.unwrap().requests, 128);
        assert_eq!(xen.world().disks[0].stats.reads, 128);
    }
}

#[test]
fn a_time_based_job_ends_with_its_time() {
    let xen = one_disk(1);
    let line = "rw=randread bs=512 iodepth=32 runtime=50ms time_based filename=xvda";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let read = &outcome.results[0].read;
    assert!((50_000_000..60_000_000).contains(&read.runtime_ns), "{}", read.runtime_ns);
    assert!(read.ios > 2 * SECTORS, "the region's end is no end: {}", read.ios);
    assert_eq!(xen.world().disks[0].stats.reads, read.ios);
}

#[test]
fn written_patterns_are_read_back_right() {
    for seed in 0..10 {
        let xen = one_disk(seed);
        let rw = ["write", "randwrite", "rw", "randrw"][seed as usize % 4];
        let bs = ["512", "4k", "6k", "44k"][seed as usize / 3];
        let line =
            format!("rw={rw} bs={bs} iodepth=9 verify=pattern verify_pattern=%o filename=xvda");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let (read, write) = (&outcome.results[0].read, &outcome.results[0].write);
        assert!(write.ios > 0 && read.ios >= write.ios, "{} {}", write.ios, read.ios);
        assert_eq!(xen.world().disks[0].stats.writes, write.ios);
    }
}

#[test]
fn a_read_back_does_not_speed_up_the_reads_before_it() {
    let line = "rw=randrw rwmixread=90 bs=4k iodepth=8 runtime=50ms time_based filename=xvda";
    let plain = run(&one_disk(3), line, 1).results[0].read.iops();
    let line = format!("{line} verify=pattern verify_pattern=%o");
    let checked = run(&one_disk(3), &line, 1).results[0].read.iops();
    assert!(checked < plain * 1.5, "{checked} {plain}");
}

#[test]
fn no_two_sectors_are_written_with_equal_data() {
    let xen = one_disk(11);
    ok(&run(&xen, "rw=write bs=8k iodepth=8 filename=xvda", 1));
    let data = xen.world().disks[0].data.clone();
    let mut sectors: Vec<&[u8]> = data.chunks_exact(512).collect();
    sectors.sort_unstable();
    sectors.dedup();
    assert_eq!(sectors.len() as u64, SECTORS);
}

#[test]
fn one_dead_disk_is_found_beside_a_live_one() {
    let xen = ModelXen::seeded(12);
    xen.attach(Disk::new(XVDA, SECTORS));
    let mut dead = Disk::new(XVDA + 16, SECTORS);
    dead.service_ns = u64::MAX / 4..u64::MAX / 2;
    xen.attach(dead);
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: bench::GrantMode::Persistent, slots: 2, pages_per_slot: 1 };
    let mut devices = [XVDA, XVDA + 16].map(|vdev| guest.connect(vdev, &setup).unwrap());
    let [a, b] = &mut devices;
    let mut disks = [("xvda", a), ("xvdb", b)].map(|(name, device)| engine::Disk {
        name,
        info: *device.info(),
        queue: &mut device.queue,
    });
    let line = "bs=4k iodepth=2 rw=randread runtime=40 time_based \
                --name=a --filename=xvda --name=b --filename=xvdb";
    let jobs = job::parse(line).unwrap();
    let outcome = engine::run(&xen, jobs, &mut disks, &mut |_| Verdict::Continue);
    let dead = RunError::Stuck { disk: "xvdb".into(), outstanding: 2 };
    assert_eq!(outcome.error, Some(dead));
}

#[test]
fn a_pattern_lands_where_its_offset_says() {
    let xen = one_disk(4);
    let line =
        "rw=write bs=4k iodepth=8 verify=pattern verify_pattern=%o do_verify=0 filename=xvda";
    ok(&run(&xen, line, 1));
    let data = xen.world().disks[0].data.clone();
    for (block, bytes) in data.chunks_exact(4096).enumerate() {
        let expected = (block as u64 * 4096).to_le_bytes();
        assert!(bytes.chunks_exact(8).all(|word| word == expected), "block {block}");
    }
}

#[test]
fn one_wrong_byte_is_one_error() {
    let xen = one_disk(5);
    let line =
        "rw=write bs=4k iodepth=8 verify=pattern verify_pattern=0x5a do_verify=0 filename=xvda";
    ok(&run(&xen, line, 1));
    xen.world().disks[0].data[123_456] ^= 1;
    let line = "rw=read bs=4k iodepth=8 verify=pattern verify_pattern=0x5a filename=xvda";
    let outcome = run(&xen, line, 1);
    assert_eq!(outcome.results[0].read.errors, 1);
    assert!(outcome.first_failure.unwrap().contains("123456"));
}

#[test]
fn a_job_on_many_disks_takes_them_in_turn() {
    let xen = ModelXen::seeded(6);
    for n in 0..4 {
        xen.attach(Disk::new(XVDA + 16 * n, SECTORS));
    }
    let line = "rw=read bs=4k iodepth=6 size=1m filename=xvda:xvdb:xvdc:xvdd";
    let outcome = run(&xen, line, 4);
    ok(&outcome);
    assert_eq!(outcome.results[0].read.ios, 256);
    for disk in &xen.world().disks {
        assert_eq!(disk.stats.reads, 64);
    }
}

#[test]
fn jobs_run_together_and_each_has_its_own_figures() {
    let xen = ModelXen::seeded(7);
    xen.attach(Disk::new(XVDA, SECTORS));
    xen.attach(Disk::new(XVDA + 16, SECTORS));
    let line = "bs=4k --name=a --rw=read --iodepth=3 --filename=xvda \
                --name=b --rw=randwrite --iodepth=5 --io_size=64k --filename=xvdb \
                --name=c --rw=randread --iodepth=8 --io_size=128k --filename=xvda";
    let outcome = run(&xen, line, 2);
    ok(&outcome);
    let ios: Vec<_> = outcome.results.iter().map(|job| (job.read.ios, job.write.ios)).collect();
    assert_eq!(ios, [(256, 0), (0, 16), (32, 0)]);
    // What a disk that two jobs share has cost is nobody's alone.
    let alone: Vec<_> =
        outcome.results.iter().map(|job| job.counters.map(|c| c.requests)).collect();
    assert_eq!(alone, [None, Some(16), None]);
    let world = xen.world();
    assert_eq!((world.disks[0].stats.reads, world.disks[1].stats.writes), (288, 16));
}

#[test]
fn a_read_only_disk_is_not_written() {
    let xen = ModelXen::seeded(8);
    let mut disk = Disk::new(XVDA, SECTORS);
    disk.read_only = true;
    xen.attach(disk);
    let outcome = run(&xen, "rw=randrw bs=4k filename=xvda", 1);
    assert!(matches!(outcome.error, Some(RunError::ReadOnly { .. })), "{:?}", outcome.error);
    assert_eq!(xen.world().disks[0].stats.writes, 0);
}

#[test]
fn a_job_beyond_the_disk_puts_nothing() {
    let xen = one_disk(9);
    let outcome = run(&xen, "rw=read bs=4k offset=2g filename=xvda", 1);
    assert!(matches!(outcome.error, Some(RunError::Job(_))), "{:?}", outcome.error);
    assert_eq!(xen.world().disks[0].stats.reads, 0);
}

#[test]
fn a_stop_ends_a_run_without_losing_what_is_in_flight() {
    let xen = one_disk(10);
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: bench::GrantMode::Persistent, slots: 32, pages_per_slot: 1 };
    let mut device = guest.connect(XVDA, &setup).unwrap();
    let info = *device.info();
    let mut disks = [engine::Disk { name: "xvda", info, queue: &mut device.queue }];
    let jobs: Vec<Job> =
        job::parse("rw=randread bs=4k iodepth=32 runtime=1h time_based filename=xvda").unwrap();
    let mut ticks = 0;
    let outcome = engine::run(&xen, jobs, &mut disks, &mut |_| {
        ticks += 1;
        if ticks < 3 { Verdict::Continue } else { Verdict::Stop }
    });
    ok(&outcome);
    assert_eq!(device.queue.outstanding(), 0);
    assert_eq!(xen.world().disks[0].stats.reads, outcome.results[0].read.ios);
}
