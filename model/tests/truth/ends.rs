//! End of a job's time, on which all its rates depend.

use drivers::Vcpu;
use model::Disk;
use model::blkback::service::{Law, Service, Stalls};
use model::blkback::{Lie, Mischief};
use results::JobResult;

use crate::{MS, Machine, S, SECTORS, XVDA, run};

/// Runs a job that ends well on a disk that takes these times.
fn job(service_ns: std::ops::Range<u64>, options: &str, stop_ns: Option<u64>) -> JobResult {
    let xen = Machine::seeded(1).disk(Disk { service_ns, ..Disk::new(XVDA, SECTORS) }).build();
    let outcome = run(&xen, &format!("bs=4k filename=xvda {options}"), stop_ns);
    assert!(outcome.error.is_none() && outcome.first_failure.is_none(), "{outcome:?}");
    outcome.results.into_iter().next().expect("a job")
}

#[track_caller]
fn near(found: f64, expected: f64, options: &str) {
    assert!((found / expected - 1.0).abs() < 1e-3, "{options}: {found}, should be {expected}");
}

#[test]
fn a_job_that_its_time_ends_takes_all_of_it() {
    for (options, reads, writes) in [
        // fio 3.33 with its null engine: 0.9998, 9.995 and, because it sleeps a pause out beyond
        // the end, 1.11 for 1.25.
        ("rw=randread rate_iops=1 runtime=4 time_based", 1.0, 0.0),
        ("rw=randread rate_iops=10 runtime=2 time_based", 10.0, 0.0),
        ("rw=randread thinktime=900000 runtime=4 time_based", 1.25, 0.0),
        ("rw=randread rate_iops=1 runtime=4", 1.0, 0.0),
        ("rw=randwrite rate_iops=,2 runtime=4 iodepth=8 time_based", 0.0, 2.0),
        ("rw=randrw rate_iops=1,3 runtime=4 time_based", 1.0, 3.0),
        ("rw=read rate=8k runtime=4 time_based startdelay=3", 2.0, 0.0),
        ("rw=read rate_iops=1 runtime=4 time_based ramp_time=2", 1.0, 0.0),
        ("rw=write rate_iops=1 runtime=4 iodepth=4 iodepth_batch=2 time_based", 0.0, 1.0),
    ] {
        let job = job(50_000..60_000, options, None);
        for (side, expected) in [(&job.read, reads), (&job.write, writes)] {
            if expected > 0.0 {
                near(side.iops(), expected, options);
                near(side.bytes_per_second(), expected * 4096.0, options);
                assert_eq!(side.runtime_ns, job.runtime_ns, "{options}");
            } else {
                assert_eq!((side.ios, side.runtime_ns), (0, 0), "{options}");
            }
        }
    }
}

#[test]
fn several_disks_share_the_time() {
    let xen = Machine::seeded(2).disks(2, SECTORS).build();
    let line = "rw=read bs=4k rate_iops=3 runtime=3 time_based filename=xvda:xvdb";
    let outcome = run(&xen, line, None);
    near(outcome.results[0].read.iops(), 3.0, line);
}

#[test]
fn a_job_whose_ios_end_takes_until_the_last() {
    // Ten at 10 a second are done after 0.9 s, whatever the job's time.
    for options in ["number_ios=10", "io_size=40k"] {
        let job = ten_a_second(options);
        let took_ns = job.read.runtime_ns;
        assert!((900 * MS..905 * MS).contains(&took_ns), "{options}: {took_ns}");
    }
}

/// Checks a rule of fio 3.33, which does 50.
#[test]
fn a_job_goes_on_for_its_time_whatever_its_ios() {
    for options in ["number_ios=10 time_based", "io_size=40k time_based"] {
        let job = ten_a_second(options);
        assert_eq!((job.read.ios, job.read.runtime_ns), (50, 5 * S), "{options}");
    }
}

fn ten_a_second(options: &str) -> JobResult {
    job(MS..MS + 1, &format!("rw=read rate_iops=10 runtime=5 {options}"), None)
}

#[test]
fn what_is_in_flight_at_the_end_of_the_time_is_waited_for() {
    let job = job(S..S + 1, "rw=randread iodepth=4 runtime=2500ms time_based", None);
    assert_eq!(job.read.ios, 12);
    assert!((3000 * MS..3050 * MS).contains(&job.read.runtime_ns), "{}", job.read.runtime_ns);
}

#[test]
fn both_directions_of_a_job_take_its_time() {
    // One of them has the last completion.
    let options = "rw=randrw rwmixread=50 number_ios=20";
    let job = job(MS..2 * MS, options, None);
    assert!(job.read.ios > 3 && job.write.ios > 3);
    assert_eq!((job.read.runtime_ns, job.write.runtime_ns), (job.runtime_ns, job.runtime_ns));
}

#[test]
fn a_read_back_has_a_time_of_its_own() {
    let options = "rw=write rate_iops=1 runtime=4 time_based verify=crc32c";
    let job = job(10 * MS..10 * MS + 1, options, None);
    near(job.write.iops(), 1.0, options);
    assert_eq!((job.write.ios, job.read.ios), (4, 4));
    assert!((40 * MS..45 * MS).contains(&job.read.runtime_ns), "{}", job.read.runtime_ns);
    let sum_ns = job.read.runtime_ns + job.write.runtime_ns;
    assert!((sum_ns..sum_ns + MS).contains(&job.runtime_ns), "{} {sum_ns}", job.runtime_ns);
}

#[test]
fn a_job_that_is_stopped_takes_until_then() {
    // One each two seconds; who stops it is asked about once a second.
    for time in ["", "runtime=60 time_based"] {
        let job = job(MS..MS + 1, &format!("rw=read rate=2k {time}"), Some(2_900 * MS));
        assert_eq!(job.read.ios, 2);
        assert!((2_900 * MS..3_100 * MS).contains(&job.read.runtime_ns), "{}", job.read.runtime_ns);
    }
}

#[test]
fn a_job_that_ended_before_the_stop_keeps_its_end() {
    let xen = Machine::seeded(3).disks(2, SECTORS).build();
    let line = "rw=read bs=4k rate_iops=1 time_based --name=a --filename=xvda --runtime=2500ms \
                --name=b --filename=xvdb --runtime=60";
    let outcome = run(&xen, line, Some(5 * S));
    let [a, b] = [0, 1].map(|job| outcome.results[job].runtime_ns);
    assert_eq!(a, 2_500 * MS);
    assert!((5 * S..=6 * S).contains(&b), "{b}");
}

#[test]
fn a_job_that_fails_takes_until_its_last_completion() {
    let xen = Machine::seeded(4)
        .disk(Disk { service_ns: MS..MS + 1, ..Disk::new(XVDA, SECTORS) })
        .build();
    xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 16);
    let outcome = run(&xen, "rw=read bs=4k runtime=60 time_based filename=xvda", None);
    let job = &outcome.results[0];
    assert_eq!((job.read.ios, job.read.errors), (0, 1));
    assert!((MS..5 * MS).contains(&job.read.runtime_ns), "{}", job.read.runtime_ns);
}

#[test]
fn jobs_of_a_group_share_the_time() {
    let xen = Machine::seeded(5).disk(Disk::new(XVDA, SECTORS)).build();
    let line = "rw=read bs=4k rate_iops=1 runtime=4 time_based numjobs=3 group_reporting \
                filename=xvda";
    let outcome = run(&xen, line, None);
    let sum = JobResult::sum(&outcome.results).expect("a group");
    assert_eq!((sum.read.runtime_ns, sum.runtime_ns), (4 * S, 12 * S));
    near(sum.read.iops(), 3.0, line);
}

#[test]
fn a_wait_for_the_last_is_in_no_window() {
    // Ten at a time each millisecond, until all stop for ten seconds, 5 ms before the end.
    let stall = Stalls { first_ns: S + 995 * MS, length_ns: 10 * S, period_ns: None };
    let service = Service { stalls: Some(stall), ..Service::unbounded(Law::Fixed(MS)) };
    let disk = Disk { service: Some(service), ..Disk::new(XVDA, SECTORS) };
    let xen = Machine::seeded(3).disk(disk).build();
    let delay_ns = S.checked_sub(xen.now_ns()).expect("a boot of less than a second");
    let options = "rw=randread bs=4k iodepth=10 runtime=1 time_based";
    let line = format!("{options} startdelay={}us filename=xvda", delay_ns / 1_000);
    let outcome = run(&xen, &line, None);
    let read = &outcome.results[0].read;
    let begin_ns = outcome.results[0].begin_ns;
    let worked = (stall.first_ns - begin_ns) as f64 / MS as f64;
    assert!((read.ios as f64 / (worked * 10.0) - 1.0).abs() < 0.05, "{} in {worked}", read.ios);
    assert_eq!((read.late_ios, read.window_ns), (10, S));
    near(read.iops_in_window(), (read.ios - 10) as f64, options);
    assert!(read.iops() < read.iops_in_window() / 10.0, "{}", read.iops());
}

#[test]
fn without_a_wait_the_window_is_the_runtime() {
    for options in [
        "rw=randread iodepth=8 io_size=1m",
        "rw=randread iodepth=8 number_ios=10 runtime=9",
        "rw=randread iodepth=8 runtime=1 time_based ramp_time=1",
        "rw=read rate_iops=100 runtime=1 time_based",
    ] {
        let read = job(MS..2 * MS, options, None).read;
        assert_eq!((read.late_ios, read.window_ns), (0, read.runtime_ns), "{options}");
    }
    // Those in flight when it was told to stop.
    let read = job(MS..2 * MS, "rw=randread iodepth=8 runtime=9 time_based", Some(2 * S)).read;
    assert!(read.late_ios <= 8 && read.window_ns <= read.runtime_ns, "{read:?}");
    assert!((2 * S..3 * S).contains(&read.window_ns), "{}", read.window_ns);
}

#[test]
fn a_read_back_is_in_the_window() {
    let options = "rw=randrw rwmixread=50 iodepth=8 io_size=64k verify=crc32c";
    let JobResult { read, write, .. } = job(MS..2 * MS, options, None);
    assert_eq!((read.late_ios, read.window_ns), (0, read.runtime_ns));
    assert_eq!((write.late_ios, write.window_ns), (0, write.runtime_ns));
    assert!(read.window_ns > write.window_ns);
}

#[test]
fn a_stop_after_the_end_moves_no_window() {
    // Its last I/Os take ten seconds; another job goes on until a stop.
    let stall = Stalls { first_ns: S, length_ns: 10 * S, period_ns: None };
    let slow = Service { stalls: Some(stall), ..Service::unbounded(Law::Fixed(MS)) };
    let disk = Disk { service: Some(slow), ..Disk::new(XVDA, SECTORS) };
    let xen = Machine::seeded(4).disk(disk).build();
    let line = "rw=randread bs=4k iodepth=4 time_based filename=xvda \
                --name=a --runtime=1 --name=b --runtime=60";
    let outcome = run(&xen, line, Some(13 * S));
    let read = &outcome.results[0].read;
    assert_eq!((read.window_ns, read.late_ios), (S, 4));
    let other = &outcome.results[1].read;
    assert!((13 * S..15 * S).contains(&other.window_ns), "{}", other.window_ns);
}
