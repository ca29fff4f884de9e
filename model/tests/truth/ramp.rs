//! Effect of a ramp on the figures: none.

use model::Disk;
use results::JobResult;

use crate::{MS, Machine, S, SECTORS, XVDA, run};

/// Runs one job on a disk that takes this time for each request.
fn job(seed: u64, service_ns: u64, options: &str) -> JobResult {
    let xen = Machine::seeded(seed)
        .disk(Disk { service_ns: service_ns..service_ns + 1, ..Disk::new(XVDA, SECTORS) })
        .build();
    let outcome = run(&xen, &format!("bs=4k filename=xvda {options}"), None);
    assert!(outcome.error.is_none() && outcome.first_failure.is_none(), "{outcome:?}");
    outcome.results.into_iter().next().expect("a job")
}

#[test]
fn no_more_is_in_flight_than_the_iodepth() {
    for iodepth in [1, 8, 32, 200] {
        for (service_ms, ramp_ms) in [(50, 1_010), (50, 990), (7, 500), (20, 10)] {
            let options =
                format!("rw=randread iodepth={iodepth} ramp_time={ramp_ms}ms runtime=1 time_based");
            let job = job(iodepth, service_ms * MS, &options);
            let in_flight = job.read.iops() * job.read.latency.moments().mean() / 1e9;
            let per_io = in_flight / iodepth as f64;
            assert!(per_io < 1.01, "{options}, {service_ms} ms: {in_flight}");
            // Nor is it slower than it is, but for the model's delays and what is left of a round.
            let round = service_ms as f64 / 1_000.0;
            assert!(per_io > 0.98 - round, "{options}, {service_ms} ms: {in_flight}");
        }
    }
}

#[test]
fn what_was_put_in_the_ramp_counts_as_done_and_not_as_slow() {
    // At 10 s each is a round: put at 0, 10 and 20 s, done at 10, 20 and 30 s.
    let options = "rw=randread iodepth=4 ramp_time=15 runtime=10 time_based";
    let job = job(1, 10 * S, options);
    assert_eq!((job.read.ios, job.read.runtime_ns), (4, 10 * S));
    // Those that were put at 20 s, though they are done when nothing is counted any more.
    let latency = job.read.latency.moments();
    assert_eq!(latency.count(), 4);
    assert!((10 * S..10 * S + 50 * MS).contains(&latency.min()), "{latency:?}");
    assert_eq!(job.counters.expect("its own disk").requests, 4);
    assert_eq!(job.read.samples.iops().count, 20);
    assert!((job.read.samples.iops().mean - 0.4).abs() < 1e-9);
    // Were they slow in the ramp alone, nobody would know.
    let all: f64 = job.read.iops() * latency.mean() / 1e9;
    assert!(all < 4.1, "{all}");
}

#[test]
fn all_figures_begin_with_the_end_of_the_ramp() {
    for options in [
        "rw=randread iodepth=16",
        "rw=randrw iodepth=16",
        "rw=randwrite iodepth=16 fsync=10",
        "rw=randread iodepth=16 rate_iops=1500",
        "rw=randread iodepth=16 log_avg_msec=100 write_bw_log=x",
    ] {
        let options = format!("{options} ramp_time=700ms runtime=1300ms time_based");
        let job = job(2, 5 * MS, &options);
        for side in [&job.read, &job.write] {
            if side.ios == 0 {
                continue;
            }
            assert_eq!(side.runtime_ns, 1_300 * MS, "{options}");
            let samples = &side.samples;
            let mean = samples.iops().mean / side.iops();
            assert!((mean - 1.0).abs() < 1e-9, "{options}: {mean}");
            assert!((samples.bw().mean * 1024.0 / side.bytes_per_second() - 1.0).abs() < 1e-9);
            // At full speed from the first window on.
            let least = samples.iops().min as f64 / side.iops();
            assert!(least > 0.8, "{options}: {least}");
            assert!(side.latency.moments().count().abs_diff(side.ios) <= 16, "{options}");
        }
        let put = job.counters.expect("its own disk").requests;
        let timed = [&job.read, &job.write, &job.flush].map(|side| side.latency.moments().count());
        assert_eq!(put, timed.iter().sum::<u64>(), "{options}");
    }
}

#[test]
fn a_group_leaves_out_what_the_ramps_did() {
    let xen = Machine::seeded(3)
        .disk(Disk { service_ns: 5 * MS..5 * MS + 1, ..Disk::new(XVDA, SECTORS) })
        .build();
    let line = "rw=randread bs=4k iodepth=4 numjobs=3 ramp_time=700ms runtime=1 time_based \
                group_reporting filename=xvda";
    let outcome = run(&xen, line, None);
    let sum = JobResult::sum(&outcome.results).expect("a group");
    assert_eq!(sum.read.ios, outcome.results.iter().map(|job| job.read.ios).sum::<u64>());
    let iops = sum.read.samples.iops();
    assert_eq!(iops.count, 2);
    assert!((iops.mean / sum.read.iops() - 1.0).abs() < 1e-9, "{}", iops.mean);
    // What the disk can do: 12 in flight, 5 ms each.
    assert!(iops.max <= 2_400 && iops.min > 2_000, "{iops:?}");
}

#[test]
fn a_job_that_is_stopped_after_its_ramp_takes_until_then() {
    let xen = Machine::seeded(4)
        .disk(Disk { service_ns: MS..MS + 1, ..Disk::new(XVDA, SECTORS) })
        .build();
    let line = "rw=read bs=4k iodepth=4 ramp_time=1500ms runtime=60 time_based filename=xvda";
    let outcome = run(&xen, line, Some(3 * S));
    let took_ns = outcome.results[0].read.runtime_ns;
    assert!((1_450 * MS..2_600 * MS).contains(&took_ns), "{took_ns}");
    assert!(outcome.results[0].read.iops() > 2_000.0);
}
