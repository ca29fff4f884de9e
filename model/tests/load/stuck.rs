//! Backends that do not answer, wholly or in part, and what is said about the run then.

use load::engine::{Control, Pass, REQUEST_TIMEOUT_NS, RunError, TICK_NS};
use model::blkback::{Lie, Mischief};
use model::{Disk, Guest};

use model::fixture::{run_jobs, start_engine};

use crate::{Machine, SECTORS, XVDA, connect, ok, one_disk, run, run_and_see};

const S: u64 = 1_000_000_000;

#[test]
fn what_is_owed_when_a_run_ends_has_failed_and_took_until_then() {
    for (options, writes) in [
        ("rw=randread", false),
        ("rw=randrw", true),
        ("rw=randrw continue_on_error=all", true),
        ("rw=write verify=pattern verify_pattern=%o", true),
    ] {
        let xen = one_disk(1);
        xen.world().disks[0].mischief = Mischief::of(Lie::Silent, 2);
        let line = format!("{options} bs=4k iodepth=32 runtime=100 time_based filename=xvda");
        let outcome = run(&xen, &line, 1);
        let stuck = RunError::Stuck { disk: "xvda".into(), outstanding: 32 };
        assert_eq!(outcome.error, Some(stuck), "{options}");
        let job = &outcome.results[0];
        assert_eq!(job.errors(), 32, "{options}");
        assert!(job.ios() > 50 && job.runtime_ns >= REQUEST_TIMEOUT_NS, "{options}");
        for side in [&job.read, &job.write] {
            assert!(side.iops() < 10.0, "{options}: {} IOPS", side.iops());
            assert_eq!(side.latency.moments().count(), side.ios, "{options}");
        }
        assert_eq!(job.write.runtime_ns != 0, writes, "{options}");
    }
}

#[test]
fn writes_that_ended_before_keep_their_time_when_the_read_back_is_stuck() {
    let line = "rw=write bs=4k iodepth=8 verify=crc32c filename=xvda";
    let [honest, stuck] = [false, true].map(|swallows| {
        let xen = Machine::seeded(2)
            .disk(Disk { service_ns: S / 4..S / 2, ..Disk::new(XVDA, SECTORS) })
            .build();
        let outcome = run_and_see(&xen, line, 1, &mut |progress| {
            if swallows && progress.read.ios > 0 {
                xen.world().disks[0].mischief = Mischief::of(Lie::Silent, 16);
            }
        });
        assert_eq!(outcome.error.is_some(), swallows);
        outcome.results.into_iter().next().unwrap()
    });
    assert_eq!((stuck.write.ios, stuck.write.errors, stuck.read.errors), (256, 0, 8));
    assert_eq!(stuck.write.runtime_ns, honest.write.runtime_ns);
    assert!(stuck.read.runtime_ns >= REQUEST_TIMEOUT_NS);
    assert!(stuck.runtime_ns >= stuck.write.runtime_ns + stuck.read.runtime_ns);
}

#[test]
fn jobs_with_nothing_in_flight_are_as_they_were() {
    let xen = Machine::seeded(3).disks(2, SECTORS).build();
    xen.world().disks[1].mischief = Mischief::of(Lie::Silent, 16);
    let line = "bs=4k rw=read --name=a --filename=xvda --name=b --filename=xvdb --iodepth=3";
    let outcome = run(&xen, line, 2);
    let [done, stuck] = [0, 1].map(|job| &outcome.results[job].read);
    assert_eq!((done.ios, done.errors), (256, 0));
    assert!(done.runtime_ns < S);
    assert_eq!((stuck.ios, stuck.errors, stuck.iops()), (0, 3, 0.0));
}

/// Runs a job whose backend takes some of its first requests and never answers them; all others
/// it answers within these times. Returns how that ended, how many it took, and after how long.
fn swallow_some(service_ns: std::ops::Range<u64>) -> (Option<RunError>, u64, u64) {
    let xen = Machine::seeded(1).disk(Disk { service_ns, ..Disk::new(XVDA, SECTORS) }).build();
    xen.world().disks[0].mischief = Mischief::of(Lie::Silent, 12);
    let line = "rw=randread bs=4k iodepth=32 runtime=10m time_based filename=xvda";
    let mut taken = 0;
    let outcome = run_and_see(&xen, line, 1, &mut |progress| {
        if progress.read.ios != 0 {
            let mischief = &mut xen.world().disks[0].mischief;
            taken += std::mem::take(mischief).told;
        }
    });
    assert!(outcome.results[0].read.errors >= taken);
    (outcome.error, taken, outcome.results[0].runtime_ns)
}

#[test]
fn a_backend_that_leaves_requests_out_is_found_though_it_goes_on() {
    let (error, taken, took_ns) = swallow_some(9_000_000..11_000_000);
    assert!((1..32).contains(&taken), "{taken}");
    let overdue = taken as u32;
    assert_eq!(error, Some(RunError::Overdue { disk: "xvda".into(), overdue, outstanding: 32 }));
    let limits_ns = REQUEST_TIMEOUT_NS..REQUEST_TIMEOUT_NS + 3 * TICK_NS;
    assert!(limits_ns.contains(&took_ns), "{took_ns}");
}

#[test]
fn a_slow_disk_may_keep_a_request_for_longer_than_the_limit() {
    // In any order, as if by an elevator.
    let disk = Disk { service_ns: S..70 * S, ..Disk::new(XVDA, SECTORS) };
    let xen = Machine::seeded(5).disk(disk).build();
    let line = "rw=randread bs=4k iodepth=32 runtime=10m time_based filename=xvda";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let latency = outcome.results[0].read.latency.moments();
    assert!(latency.max() > 2 * REQUEST_TIMEOUT_NS && latency.count() > 300, "{latency:?}");
}

#[test]
fn what_a_slow_disk_leaves_out_is_found_later() {
    let (error, taken, took_ns) = swallow_some(S..10 * S);
    assert!(taken > 0 && matches!(error, Some(RunError::Overdue { .. })), "{taken}: {error:?}");
    assert!(took_ns < 300 * S, "{took_ns}");
}

#[test]
fn a_job_all_of_whose_ios_are_lost_took_until_it_was_given_up() {
    let xen = one_disk(6);
    xen.world().disks[0].mischief = Mischief::of(Lie::Silent, 16);
    let outcome = run(&xen, "rw=read bs=4k iodepth=8 number_ios=3 filename=xvda", 1);
    let job = &outcome.results[0];
    assert_eq!((job.ios(), job.errors()), (0, 3));
    assert!(job.read.runtime_ns >= REQUEST_TIMEOUT_NS, "{}", job.read.runtime_ns);
}

#[test]
fn a_ring_that_overran_ends_the_run_at_once() {
    let xen = one_disk(7);
    xen.world().disks[0].mischief = Mischief::of(Lie::ProdAhead(200), 16);
    let outcome = run(&xen, "rw=read bs=4k iodepth=8 filename=xvda", 1);
    assert!(matches!(outcome.error, Some(RunError::Broken(..))), "{:?}", outcome.error);
    assert!(outcome.results[0].runtime_ns < S, "{}", outcome.results[0].runtime_ns);
}

#[test]
fn a_disk_that_is_broken_before_a_run_ends_it_at_once() {
    for options in ["rw=read bs=4k iodepth=8", "rw=randwrite bs=2m size=4m verify=crc32c"] {
        let xen = Machine::seeded(8).disks(1, 16 << 10).build();
        xen.world().disks[0].mischief = Mischief::of(Lie::ProdAhead(200), 16);
        let mut guest = Guest::boot(&xen);
        let jobs = fio_job::parse(&format!("{options} filename=xvda")).unwrap();
        let mut devices = [connect(&mut guest, XVDA, &jobs)];
        for begins in [true, false] {
            let tick = &mut |_: &_| Control::Continue;
            let outcome = run_jobs(&xen, &mut devices, jobs.clone(), tick);
            assert!(matches!(outcome.error, Some(RunError::Broken(..))), "{:?}", outcome.error);
            assert_eq!(outcome.results.is_empty(), !begins, "{options}");
        }
    }
}

#[test]
fn a_run_that_fails_as_it_begins_counts_each_lost_io_once() {
    let xen = one_disk(45);
    let mut guest = Guest::boot(&xen);
    let jobs = fio_job::parse("rw=randread iodepth=8 filename=xvda").unwrap();
    let mut device = connect(&mut guest, XVDA, &jobs);
    // The first event that is to be sent.
    let calls = xen.world().xen.totals.fallible_calls;
    xen.world().xen.fail_call = Some(calls);
    let mut engine = start_engine(&xen, jobs, vec![device.lend()]);
    for _ in 0..3 {
        assert_eq!(engine.pass(&mut |_| Control::Continue), Pass::Done);
    }
    let (outcome, _) = engine.finish();
    assert!(matches!(outcome.error, Some(RunError::Broken(..))), "{:?}", outcome.error);
    assert_eq!(outcome.results[0].read.errors, 8);
}
