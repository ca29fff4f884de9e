//! Times at which a job's I/Os are put: delays, rates, pauses, flushes; and what a failure ends.

use drivers::Vcpu;
use fio_job::Direction;
use load::engine::{Outcome, RunError};
use model::blkback::{Lie, Mischief};
use model::{Disk, ModelXen};
use xen_abi::Port;

use crate::{Machine, SECTORS, XVDA, ok, one_disk, run, run_and_see, vdev};

const MS: u64 = 1_000_000;

/// Runs one job, which ends well. Returns its outcome and how long it took, in nanoseconds.
fn timed(xen: &ModelXen, line: &str) -> (Outcome, u64) {
    let start_ns = xen.now_ns();
    let outcome = run(xen, line, 1);
    ok(&outcome);
    (outcome, xen.now_ns() - start_ns)
}

#[test]
fn a_rate_is_kept() {
    for (line, ms) in [
        ("rw=randread rate_iops=1000 number_ios=200", 199),
        ("rw=read rate=4m io_size=1m iodepth=4", 249),
        ("rw=write rate=,1m io_size=256k iodepth=4", 246),
        ("rw=rw rwmixread=50 rate_iops=100,100 number_ios=40", 190),
        ("rw=trim rate_iops=100 number_ios=20", 190),
        ("rw=randtrim rate=1,1,1m io_size=256k iodepth=4", 246),
        ("rw=trim rate_iops=9,1000 number_ios=200 iodepth=2", 199),
    ] {
        let (outcome, ns) = timed(&one_disk(1), &format!("{line} filename=xvda"));
        let took = Direction::ALL.map(|side| outcome.results[0].direction(side).runtime_ns);
        let took_ms = took.into_iter().max().unwrap_or(0);
        assert!((ms * MS..(ms + 15) * MS).contains(&took_ms), "{line}: {took_ms}");
        assert!(ns >= ms * MS);
    }
    let (outcome, _) = timed(&one_disk(1), "rw=trim rate_iops=1, number_ios=99 filename=xvda");
    assert!(outcome.results[0].trim.runtime_ns < 20 * MS);
    // One direction alone is held back.
    let (outcome, _) = timed(&one_disk(1), "rw=read rate=,1k io_size=256k filename=xvda");
    assert!(outcome.results[0].read.runtime_ns < 20 * MS);
}

#[test]
fn the_end_is_foreseen() {
    for (line, ms) in [
        ("rw=read rate_iops=1000 io_size=16m number_ios=4000", 4000),
        ("rw=read rate_iops=1000 io_size=16m runtime=3", 3000),
        ("rw=read rate_iops=1000 io_size=64k runtime=2 time_based", 2000),
        ("rw=randread rate=4m io_size=16m bssplit=4k/50:16k/50 norandommap", 4000),
    ] {
        let mut seen = 0;
        let line = format!("{line} filename=xvda");
        let outcome = run_and_see(&one_disk(1), &line, 1, &mut |progress| {
            if progress.elapsed_ns >= 1000 * MS {
                let expected_ns = progress.expected_ns.expect(&line);
                assert!(expected_ns.abs_diff(ms * MS) < 50 * MS, "{line}: {expected_ns}");
                seen += 1;
            }
        });
        ok(&outcome);
        assert!(seen > 0, "{line}");
    }
}

#[test]
fn a_time_ends_a_job_that_waits_for_its_rate() {
    let line = "rw=read rate_iops=1 runtime=1500ms time_based filename=xvda";
    let (outcome, ns) = timed(&one_disk(2), line);
    assert_eq!(outcome.results[0].read.ios, 2);
    assert!((1500 * MS..1600 * MS).contains(&ns), "{ns}");
}

#[test]
fn thinking_takes_its_time() {
    let line = "rw=read thinktime=10ms thinktime_blocks=8 iodepth=4 number_ios=32 filename=xvda";
    let (outcome, ns) = timed(&one_disk(3), line);
    assert_eq!(outcome.results[0].read.ios, 32);
    assert!((30 * MS..45 * MS).contains(&ns), "{ns}");
}

#[test]
fn a_delay_and_a_ramp_are_no_part_of_the_figures() {
    let line = "rw=randread iodepth=4 startdelay=300ms ramp_time=200ms runtime=100ms time_based \
                filename=xvda";
    let xen = one_disk(4);
    let (outcome, ns) = timed(&xen, line);
    let job = &outcome.results[0];
    assert!((600 * MS..610 * MS).contains(&ns), "{ns}");
    assert_eq!(job.read.runtime_ns, 100 * MS);
    let all = xen.world().disks[0].stats.reads;
    assert!(job.read.ios * 2 < all && all < job.read.ios * 4, "{} of {all}", job.read.ios);
    // As many are in flight at both ends: the requests of those at the first were the ramp's.
    let requests = job.counters.unwrap().requests;
    assert_eq!(job.read.latency.moments().count(), requests);
    assert!(job.read.ios.abs_diff(requests) <= 4, "{requests} {}", job.read.ios);
}

#[test]
fn a_job_that_ends_within_its_ramp_has_no_figures() {
    let (within, after) = ("ended within ramp_time=1000", "no I/O was issued after ramp_time=10us");
    for (options, expected) in [
        ("rw=read iodepth=4 ramp_time=1000", within),
        ("rw=write iodepth=4 ramp_time=1000 number_ios=9", within),
        ("rw=randwrite iodepth=4 ramp_time=1000 verify=crc32c", within),
        ("rw=randread ramp_time=1000 rate_iops=200", within),
        // Its only I/O is in flight when the ramp ends.
        ("rw=read iodepth=2 io_size=4k ramp_time=10us", after),
        ("rw=read iodepth=2 io_size=4k ramp_time=10us verify=pattern verify_pattern=0", after),
    ] {
        let outcome = run(&one_disk(13), &format!("{options} bs=4k filename=xvda"), 1);
        assert_eq!(outcome.error, None);
        let why = outcome.first_failure.expect(options);
        assert!(why.starts_with(&format!("job job1: {expected}, so nothing")), "{why}");
        let job = &outcome.results[0];
        assert_eq!((job.ios(), job.errors(), job.flush.ios, job.runtime_ns), (0, 0, 0, 0));
        for side in [&job.read, &job.write] {
            assert_eq!((side.bytes, side.runtime_ns, side.latency.moments().count()), (0, 0, 0));
        }
    }
}

#[test]
fn a_read_back_that_outlasts_the_ramp_is_not_the_job() {
    let xen = Machine::seeded(18)
        .disk(Disk { service_ns: 9 * MS..10 * MS, ..Disk::new(XVDA, SECTORS) })
        .build();
    // Writes and reads take a second each.
    let line = "rw=write bs=4k size=400k ramp_time=1500ms verify=crc32c filename=xvda";
    let outcome = run(&xen, line, 1);
    assert_eq!((outcome.results[0].ios(), xen.world().disks[0].stats.reads), (0, 100));
    assert!(outcome.first_failure.unwrap().contains("ended within ramp_time=1500ms"));
}

#[test]
fn what_goes_wrong_within_a_ramp_is_told_all_the_same() {
    let xen = one_disk(14);
    xen.world().disks[0].mischief = Mischief::of(Lie::BitFlip, 8);
    let line = "rw=write bs=4k ramp_time=1000 verify=crc32c filename=xvda";
    let outcome = run(&xen, line, 1);
    let job = &outcome.results[0];
    assert!(job.read.errors > 50 && job.ios() == 0, "{} errors", job.read.errors);
    assert!(outcome.first_failure.unwrap().starts_with("xvda: verify: block at byte "));
    // The backend's silence is the reason then, and not the ramp.
    let xen = one_disk(14);
    xen.world().disks[0].mischief = Mischief::of(Lie::Silent, 4);
    let outcome = run(&xen, "rw=read bs=4k iodepth=4 ramp_time=1000 filename=xvda", 1);
    assert!(outcome.error.is_some() && outcome.first_failure.is_none());
    assert_eq!((outcome.results[0].ios(), outcome.results[0].errors()), (0, 4));
}

#[test]
fn what_went_wrong_before_the_end_of_a_ramp_is_told_after_it() {
    let xen = one_disk(14);
    xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 4);
    let line = "rw=randread bs=4k ramp_time=2 runtime=1 time_based continue_on_error=io \
                rate_iops=100 filename=xvda";
    let mut told = 0;
    let outcome = run_and_see(&xen, line, 1, &mut |progress| {
        if progress.elapsed_ns > 500 * MS {
            let mischief = &mut xen.world().disks[0].mischief;
            told = told.max(mischief.told);
            *mischief = Mischief::of(Lie::Status(-1), 0);
        }
    });
    let read = &outcome.results[0].read;
    assert_eq!(read.errors, told);
    assert!(read.errors > 10 && read.ios == 100, "{} errors, {} reads", read.errors, read.ios);
}

#[test]
fn a_stop_is_heard_while_a_job_waits_to_start() {
    let xen = one_disk(12);
    let mut ticks = 0;
    let line = "rw=read startdelay=10 number_ios=1 filename=xvda";
    let outcome = run_and_see(&xen, line, 1, &mut |_| ticks += 1);
    ok(&outcome);
    assert!((9..=11).contains(&ticks), "{ticks}");
}

#[test]
fn a_sleep_counts_for_those_who_wait() {
    let disk = |index| Disk { service_ns: 9 * MS..10 * MS, ..Disk::new(vdev(index), SECTORS) };
    let xen = Machine::seeded(16).disk(disk(0)).disk(disk(1)).build();
    let line = "bs=4k rw=read ringmark_poll_us=0 --name=a --filename=xvda --number_ios=2 \
                --name=b --filename=xvdb --number_ios=50";
    let outcome = run(&xen, line, 2);
    ok(&outcome);
    let [a, b] = [0, 1].map(|job| outcome.results[job].counters.unwrap().sleeps);
    // While both wait, each is woken for the other's I/Os too.
    assert!((2..8).contains(&a) && (50..60).contains(&b), "{a} {b}");
}

#[test]
fn a_storm_of_events_is_slept_through_for_no_longer_than_it_is_quiet() {
    let xen = Machine::seeded(17)
        .disk(Disk { service_ns: 9 * MS..10 * MS, ..Disk::new(XVDA, SECTORS) })
        .build();
    // The only disk's port, after the tool stack's two.
    xen.world().xen.storm(Port(3), 400);
    let line = "rw=read bs=4k number_ios=20 ringmark_poll_us=0 filename=xvda";
    let (outcome, _) = timed(&xen, line);
    let latency_ns = outcome.results[0].read.latency.moments().max();
    assert!(latency_ns < 15 * MS, "{latency_ns}");
}

#[test]
fn one_job_waits_while_another_runs() {
    let xen = one_disk(5);
    let line = "bs=4k filename=xvda --name=a --rw=read --startdelay=50ms --io_size=64k \
                --name=b --rw=randread --iodepth=8 --runtime=20ms --time_based";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    assert_eq!(outcome.results[0].read.ios, 16);
    assert!(outcome.results[1].read.ios > 100);
}

#[test]
fn writes_are_flushed_as_often_as_asked() {
    for (options, writes, flushes) in [
        ("rw=write fsync=8", 256, 31),
        ("rw=randwrite fdatasync=1 number_ios=10 iodepth=4", 10, 9),
        ("rw=read fsync=1", 0, 0),
    ] {
        for barrier in [false, true] {
            let disk = Disk { flush: !barrier, barrier, ..Disk::new(XVDA, SECTORS) };
            let xen = Machine::seeded(6).disk(disk).build();
            let (outcome, _) = timed(&xen, &format!("{options} bs=4k filename=xvda"));
            let stats = xen.world().disks[0].stats;
            let done = if barrier { stats.barriers } else { stats.flushes };
            assert_eq!((stats.writes, done), (writes, flushes), "{options}");
            let flush = &outcome.results[0].flush;
            let counts = (flush.ios, flush.latency.moments().count());
            assert_eq!(counts, (flushes, flushes), "{options}");
        }
    }
}

#[test]
fn a_disk_without_a_cache_is_not_flushed() {
    let xen = Machine::seeded(7).disk(Disk { flush: false, ..Disk::new(XVDA, SECTORS) }).build();
    let outcome = run(&xen, "rw=write fsync=1 filename=xvda", 1);
    assert!(matches!(outcome.error, Some(RunError::NoFlush { .. })), "{:?}", outcome.error);
}

#[test]
fn rules_and_checks_go_together() {
    for options in [
        "rate_iops=2000",
        "thinktime=100 thinktime_blocks=5",
        "iodepth_batch=4",
        "iodepth_batch=3 iodepth_batch_complete_min=2 iodepth_batch_complete_max=5 iodepth_low=1",
        "fsync=3",
        "startdelay=1ms",
        "number_ios=100",
    ] {
        for rw in ["write", "randrw"] {
            for verify in ["crc32c", "pattern --verify_pattern=%o"] {
                let xen = one_disk(9);
                let line = format!("rw={rw} bs=4k iodepth=6 {options} filename=xvda");
                let (outcome, _) = timed(&xen, &format!("{line} verify={verify}"));
                let job = &outcome.results[0];
                assert!(job.write.ios > 0 && job.read.ios > 0 && job.read.errors == 0, "{line}");
            }
        }
    }
}

#[test]
fn a_job_goes_on_after_the_failures_that_it_may_have() {
    for (on_error, ends) in [
        ("none", true),
        ("read", true),
        ("write", false),
        ("io", false),
        ("all", false),
        ("verify", true),
    ] {
        let xen = one_disk(10);
        xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 4);
        let line = format!("rw=write bs=4k iodepth=4 continue_on_error={on_error} filename=xvda");
        let outcome = run(&xen, &line, 1);
        let write = &outcome.results[0].write;
        assert_eq!(outcome.error, None);
        assert_eq!(outcome.first_failure.is_some(), ends, "{on_error}");
        assert_eq!(write.ios + write.errors == 256, !ends, "{on_error}: {}", write.ios);
        assert!(write.errors > 0);
    }
}

#[test]
fn a_failure_ends_the_others_if_it_may() {
    for exitall in [0, 1] {
        let xen = Machine::seeded(11).disks(2, SECTORS).build();
        xen.world().disks[1].mischief = Mischief::of(Lie::Status(-1), 16);
        let line = format!(
            "bs=4k --name=a --filename=xvda --name=b --filename=xvdb --exitall_on_error={exitall}"
        );
        let outcome = run(&xen, &line, 2);
        assert_eq!(outcome.results[0].read.ios == 256, exitall == 0);
        assert!(outcome.first_failure.is_some());
    }
}
