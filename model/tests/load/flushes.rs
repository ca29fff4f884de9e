//! Flushes that are a part of writes, or of the job: `sync=`, `end_fsync=`, `fsync_on_close=`.

use load::engine::RunError;
use model::blkback::{Lie, Mischief};
use model::{Disk, ModelXen};

use crate::{Machine, SECTORS, XVDA, ok, one_disk, run};

const MS: u64 = 1_000_000;

/// Returns a disk that takes 9 to 10 ms for a request of any kind.
fn slow_disk(seed: u64) -> ModelXen {
    let disk = Disk { service_ns: 9 * MS..10 * MS, ..Disk::new(XVDA, SECTORS) };
    Machine::seeded(seed).disk(disk).build()
}

#[test]
fn each_write_ends_with_its_flush() {
    for (options, writes, requests) in [
        ("rw=write bs=4k iodepth=1", 256, 256),
        ("rw=randwrite bs=4k iodepth=8", 256, 256),
        // Two requests and one flush each.
        ("rw=write bs=64k iodepth=4 ringmark_indirect=0", 16, 32),
        ("rw=write bs=4k iodepth=300", 256, 256),
        ("rw=write bs=4k iodepth=16 iodepth_batch=8 rate_iops=100000", 256, 256),
        ("rw=write bs=4k number_ios=9 iodepth=3", 9, 9),
    ] {
        for sync in ["1", "sync", "dsync"] {
            let xen = one_disk(3);
            let outcome = run(&xen, &format!("{options} sync={sync} filename=xvda"), 1);
            ok(&outcome);
            let job = &outcome.results[0];
            let stats = xen.world().disks[0].stats;
            assert_eq!((job.write.ios, job.flush.ios), (writes, 0), "{options}");
            assert_eq!((stats.writes, stats.flushes), (requests, writes), "{options}");
        }
        for sync in ["0", "none"] {
            let xen = one_disk(3);
            ok(&run(&xen, &format!("{options} sync={sync} filename=xvda"), 1));
            assert_eq!(xen.world().disks[0].stats.flushes, 0);
        }
    }
}

#[test]
fn reads_are_not_flushed() {
    let xen = one_disk(4);
    let outcome = run(&xen, "rw=randrw bs=4k iodepth=4 sync=1 filename=xvda", 1);
    ok(&outcome);
    let job = &outcome.results[0];
    assert!(job.read.ios > 64 && job.write.ios > 64);
    assert_eq!(xen.world().disks[0].stats.flushes, job.write.ios);
}

#[test]
fn a_flush_is_in_the_latency_of_its_write_and_in_its_place_in_the_iodepth() {
    for (options, iodepth) in [("bs=4k", 1), ("bs=64k ringmark_indirect=0", 1), ("bs=4k", 4)] {
        let xen = slow_disk(5);
        let line = format!("rw=write {options} iodepth={iodepth} number_ios=8 filename=xvda");
        let outcome = run(&xen, &format!("{line} sync=1"), 1);
        ok(&outcome);
        let latency = outcome.results[0].write.latency.moments();
        let mean_ns = (latency.sum() / u128::from(latency.count())) as u64;
        assert!((18 * MS..22 * MS).contains(&mean_ns), "{options}: {mean_ns}");
        let most = if options == "bs=4k" { iodepth } else { 2 };
        assert_eq!(xen.world().disks[0].stats.depth_max, most, "{options}");
    }
}

#[test]
fn a_flush_that_fails_is_its_writes_error() {
    for (options, continues) in [("", false), ("continue_on_error=write", true)] {
        for bs in ["bs=4k", "bs=64k ringmark_indirect=0"] {
            let xen = one_disk(6);
            xen.world().disks[0].mischief = Mischief::of(Lie::FlushStatus(-1), 16);
            let line = format!("rw=write {bs} size=256k sync=1 filename=xvda {options}");
            let outcome = run(&xen, &line, 1);
            let job = &outcome.results[0];
            let writes = if bs == "bs=4k" { 64 } else { 4 };
            let errors = if continues { writes } else { 1 };
            assert_eq!((job.write.ios, job.write.errors, job.flush.errors), (0, errors, 0));
            assert_eq!(outcome.first_failure.is_some(), !continues, "{bs}");
        }
    }
}

/// Counts of writes and of flushes, those that fio counts and those of the backend.
fn counts(xen: &ModelXen, line: &str) -> (u64, u64, u64) {
    let outcome = run(xen, &format!("{line} filename=xvda"), 1);
    ok(&outcome);
    let job = &outcome.results[0];
    (job.write.ios, job.flush.ios, xen.world().disks[0].stats.flushes)
}

#[test]
fn the_flush_at_the_end_is_no_io() {
    // Numbers of fio 3.33 on a file, with its strace.
    for (options, expected) in [
        ("rw=write size=64k end_fsync=1", (16, 0, 1)),
        ("rw=write size=64k fsync_on_close=1", (16, 0, 1)),
        ("rw=write size=64k end_fsync=1 fsync_on_close=1", (16, 0, 1)),
        ("rw=write size=64k end_fsync=0", (16, 0, 0)),
        ("rw=write size=64k fsync=4 end_fsync=1", (16, 3, 4)),
        ("rw=write size=64k fsync=3 end_fsync=1", (16, 5, 6)),
        ("rw=write size=64k end_fsync=1 verify=md5", (16, 0, 1)),
        ("rw=write size=64k end_fsync=1 sync=1", (16, 0, 17)),
        ("rw=read size=64k end_fsync=1", (0, 0, 0)),
        ("rw=randrw rwmixread=100 size=64k end_fsync=1", (0, 0, 1)),
        ("rw=write bssplit=4k/50:8k/50 io_size=4k end_fsync=1", (1, 0, 1)),
        ("rw=write size=64k rate_iops=10000 end_fsync=1", (16, 0, 1)),
        ("rw=write size=64k thinktime=100 end_fsync=1", (16, 0, 1)),
    ] {
        for depth in ["iodepth=1", "iodepth=2", "iodepth=16 iodepth_batch=8", "iodepth=300"] {
            let line = format!("bs=4k {depth} {options}");
            assert_eq!(counts(&one_disk(7), &line), expected, "{line}");
        }
    }
}

#[test]
fn the_flush_at_the_end_is_in_the_time_of_the_job() {
    for (options, ms) in [
        ("number_ios=8", 80),
        ("runtime=100ms time_based", 110),
        ("runtime=100ms ramp_time=50ms time_based", 110),
    ] {
        let line = format!("rw=write bs=4k filename=xvda {options}");
        let runtime_ns =
            |line: &str| run(&slow_disk(8), line, 1).results.remove(0).write.runtime_ns;
        let (plain, flushed) = (runtime_ns(&line), runtime_ns(&format!("{line} end_fsync=1")));
        assert!((plain + 9 * MS..=plain + 21 * MS).contains(&flushed), "{plain} {flushed}");
        assert!(((ms - 10) * MS..(ms + 20) * MS).contains(&flushed), "{options}: {flushed}");
    }
}

#[test]
fn every_disk_of_every_job_is_flushed_at_its_end() {
    let xen = Machine::seeded(9).disks(3, SECTORS).build();
    let line = "bs=4k iodepth=4 end_fsync=1 filename=xvda:xvdb:xvdc \
                --name=a --rw=write --size=64k --name=b --rw=randwrite --size=128k \
                --name=c --rw=read";
    let outcome = run(&xen, line, 3);
    ok(&outcome);
    let world = xen.world();
    assert!(world.disks.iter().all(|disk| disk.stats.flushes == 2));
    assert!(outcome.results[0].write.ios > 9 && outcome.results[1].write.ios > 9);
}

#[test]
fn a_flush_at_the_end_that_fails_is_an_error_and_ends_the_job() {
    let xen = one_disk(10);
    xen.world().disks[0].mischief = Mischief::of(Lie::FlushStatus(-1), 16);
    let line = "rw=write bs=4k size=64k end_fsync=1 verify=crc32c filename=xvda";
    let outcome = run(&xen, line, 1);
    let job = &outcome.results[0];
    assert_eq!((job.write.ios, job.flush.errors, job.read.ios), (16, 1, 0));
    assert!(outcome.first_failure.unwrap().starts_with("xvda: Flush at byte 0: "));
    // A job that failed is not flushed.
    let xen = one_disk(11);
    xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 4);
    let outcome = run(&xen, "rw=write bs=4k end_fsync=1 filename=xvda", 1);
    assert_eq!((outcome.results[0].write.errors, xen.world().disks[0].stats.flushes), (1, 0));
}

#[test]
fn a_disk_that_cannot_be_flushed_is_left_alone() {
    for options in ["sync=1", "end_fsync=1", "fsync_on_close=1"] {
        let disk = Disk { flush: false, ..Disk::new(XVDA, SECTORS) };
        let xen = Machine::seeded(7).disk(disk).build();
        let outcome = run(&xen, &format!("rw=write {options} filename=xvda"), 1);
        assert!(matches!(outcome.error, Some(RunError::NoFlush { .. })), "{:?}", outcome.error);
        assert_eq!(xen.world().disks[0].stats.writes, 0);
        ok(&run(&xen, &format!("rw=read {options} filename=xvda"), 1));
    }
}
