//! Arrivals of open loops: the processes that make I/Os due, and what is counted of them, against
//! a reference.

use std::collections::VecDeque;

use load::engine::Outcome;
use model::ModelXen;
use model::blkback::service::{Law, Service};
use model::blkback::{Lie, Mischief};
use results::{Arrivals, JobResult};

use model::Disk;

use crate::{Machine, XVDA, ok, run, run_and_see};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
const SECTORS: u64 = 16_384;

/// A machine whose disk has one server and tells what it saw; nothing takes time but its work.
fn machine(law: Law) -> ModelXen {
    let service = Some(Service::new(1, law));
    let disk = Disk { service, traced: true, ..Disk::new(XVDA, SECTORS) };
    let xen = Machine::seeded(4).pages(4000).grant_frames(64).disk(disk).build();
    xen.world().xen.prompt = true;
    xen
}

/// Runs a job on a disk that takes 10 us; returns its result and when the backend saw each request,
/// in nanoseconds since the job began.
fn seen(line: &str) -> (JobResult, Vec<u64>) {
    let xen = machine(Law::Fixed(10 * US));
    let mut outcome = run(&xen, &format!("filename=xvda bs=4k iodepth=64 {line}"), 1);
    ok(&outcome);
    let job = outcome.results.remove(0);
    let served = &xen.world().disks[0].served;
    let times = served.iter().map(|one| one.seen_ns - job.begin_ns).collect();
    (job, times)
}

fn reads(job: &JobResult) -> &Arrivals {
    job.read.arrivals.as_ref().expect("reads with a rate")
}

const RANDOM: &str = "rw=randread norandommap rate_process=poisson";

/// Counts of a Poisson process in windows vary as much as their mean: the index of dispersion of n
/// windows is 1, to some standard errors sqrt(2 / n).
#[test]
fn arrivals_at_random_are_dispersed_as_a_poisson_process() {
    let (_, times) = seen(&format!("{RANDOM} rate_iops=2000 runtime=10 time_based"));
    let windows = 1_000;
    let mut counts = vec![0_u32; windows];
    times.iter().for_each(|ns| counts[(ns / (10 * MS)) as usize] += 1);
    let mean = times.len() as f64 / windows as f64;
    let squares: f64 = counts.iter().map(|&count| (f64::from(count) - mean).powi(2)).sum();
    let dispersion = squares / mean / (windows - 1) as f64;
    assert!((dispersion - 1.0).abs() < 3.0 * (2.0 / windows as f64).sqrt(), "{dispersion}");
    // The number in all has the root of itself as its standard error.
    assert!((mean / 20.0 - 1.0).abs() < 3.0 / (20_000_f64).sqrt(), "{mean}");
}

#[test]
fn arrivals_are_those_of_the_seed() {
    let of = |options: &str| seen(&format!("{RANDOM} rate_iops=2000 number_ios=300 {options}")).1;
    assert_eq!(of("randseed=5"), of("randseed=5"));
    assert_ne!(of("randseed=5"), of("randseed=6"));
    // Copies of a job have arrivals of their own.
    let xen = machine(Law::Fixed(10 * US));
    let line = format!("filename=xvda bs=4k iodepth=64 {RANDOM} rate_iops=2000 number_ios=300");
    let outcome = run(&xen, &format!("{line} numjobs=2 randseed=5"), 1);
    ok(&outcome);
    let both: Vec<u64> = xen.world().disks[0].served.iter().map(|one| one.seen_ns).collect();
    let begin_ns = outcome.results[0].begin_ns;
    let mut two = [of("randseed=5"), of("randseed=6")].concat();
    two.sort_unstable();
    // They see each other's requests, but come when they come alone.
    let near =
        both.iter().zip(&two).filter(|(one, other)| (*one - begin_ns).abs_diff(**other) < 20 * US);
    assert_eq!((both.len(), near.count()), (600, 600));
}

#[test]
fn rates_are_kept_on_average_in_each_direction_and_in_bytes() {
    for (options, read, write) in [
        ("rw=randread rate_iops=2000", 2000.0, 0.0),
        ("rw=randread rate=8m", 2048.0, 0.0),
        ("rw=randread bs=8k rate=8m", 1024.0, 0.0),
        ("rw=randread bssplit=4k/50:12k/50 rate=16m", 2048.0, 0.0),
        ("rw=randrw rate_iops=500,1500", 500.0, 1500.0),
        ("rw=randrw rate=2m,6m", 512.0, 1536.0),
    ] {
        let timed = "norandommap rate_process=poisson runtime=10 time_based";
        let (job, _) = seen(&format!("{timed} {options}"));
        for (side, rate) in [(&job.read, read), (&job.write, write)] {
            let found = side.ios as f64 / 10.0;
            // Several sizes vary more: by 1.5 for a half of each.
            let error = 3.0 * (1.25 * rate / 10.0_f64).sqrt();
            assert!((found - rate).abs() <= error, "{options}: {found}, {rate}");
        }
    }
}

/// Counts of a reference, of arrivals at even intervals and an iodepth.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    due: u64,
    backlog: u64,
    held: u64,
    held_ns: u64,
    held_max_ns: u64,
    latency_ns: u128,
}

/// Puts each I/O when it is due and fewer than `iodepth` are in flight, until `end_ns`; those put
/// are done at these times.
fn reference(gap_ns: u64, iodepth: usize, end_ns: u64, done_ns: &[u64]) -> Counted {
    let mut counted = Counted::default();
    let mut in_flight = VecDeque::new();
    let mut done = done_ns.iter();
    for due_ns in (0..end_ns).step_by(gap_ns as usize) {
        counted.due += 1;
        while in_flight.front().is_some_and(|&&done_ns| done_ns <= due_ns) {
            in_flight.pop_front();
        }
        let first = if in_flight.len() == iodepth { in_flight.pop_front() } else { None };
        let put_ns = first.copied().unwrap_or(due_ns);
        if counted.backlog > 0 || put_ns >= end_ns {
            counted.backlog += 1;
            continue;
        }
        let held_ns = put_ns - due_ns;
        counted.held += u64::from(held_ns != 0);
        counted.held_ns += held_ns;
        counted.held_max_ns = counted.held_max_ns.max(held_ns);
        let done_ns = done.next().expect("it was served");
        in_flight.push_back(done_ns);
        counted.latency_ns += u128::from(done_ns - due_ns);
    }
    assert_eq!(done.next(), None, "what was served was put");
    counted
}

#[test]
fn what_is_held_back_and_left_is_that_of_a_reference() {
    for (gap_us, service_us, iodepth) in
        [(500, 400, 1), (500, 1300, 1), (500, 700, 4), (500, 501, 32), (1000, 5000, 7)]
    {
        let xen = machine(Law::Fixed(service_us * US));
        let line = format!(
            "filename=xvda bs=4k rw=randread norandommap iodepth={iodepth} rate_iops={} runtime=1 \
             time_based ringmark_poll_us=1000000",
            1_000_000 / gap_us
        );
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let arrivals = reads(&outcome.results[0]);
        let served = &xen.world().disks[0].served;
        let begin_ns = outcome.results[0].begin_ns;
        let done_ns: Vec<u64> = served.iter().map(|one| one.answered_ns - begin_ns).collect();
        let right = reference(gap_us * US, iodepth, S, &done_ns);
        assert_eq!((arrivals.due, arrivals.backlog), (right.due, right.backlog), "{line}");
        assert_eq!(arrivals.held.count, right.held, "{line}: {:?}", arrivals.held);
        // The guest sees an answer a little after it is there.
        let slack = |ns: u64| ns / 100 + 2 * US;
        let near = |found: u64, right: u64| found.abs_diff(right) <= slack(right);
        assert!(near(arrivals.held.total_ns, right.held_ns), "{line}: {arrivals:?} {right:?}");
        assert!(near(arrivals.held.max_ns, right.held_max_ns), "{line}: {right:?}");
        let latency = arrivals.latency.moments();
        assert_eq!(latency.count(), right.due - right.backlog);
        assert!(near(latency.sum() as u64, right.latency_ns as u64), "{line}: {right:?}");
        assert!(arrivals.late.max_ns < 3 * US, "{line}: {:?}", arrivals.late);
    }
}

/// A guest that looks away for 10 ms is late, and the disk is not to blame.
#[test]
fn a_guest_that_comes_late_says_so() {
    let xen = machine(Law::Fixed(100 * US));
    let line = "filename=xvda bs=4k rw=randread norandommap iodepth=64 rate_iops=1000 runtime=3 \
                time_based";
    let mut looks = 0;
    let outcome = run_and_see(&xen, line, 1, &mut |_| {
        looks += 1;
        xen.pass_ns(10 * MS);
    });
    ok(&outcome);
    let arrivals = reads(&outcome.results[0]);
    assert_eq!((arrivals.due, arrivals.backlog, arrivals.held.count), (3000, 0, 0));
    assert!((9 * MS..=10 * MS + MS).contains(&arrivals.late.max_ns), "{:?}", arrivals.late);
    let most = looks * 60 * MS;
    assert!((looks * 40 * MS..most).contains(&arrivals.late.total_ns), "{:?}", arrivals.late);
}

fn all_or_none(outcome: &Outcome, line: &str) {
    let job = &outcome.results[0];
    for side in [&job.read, &job.write] {
        let Some(arrivals) = &side.arrivals else { continue };
        let put = arrivals.due - arrivals.backlog;
        assert_eq!(arrivals.latency.moments().count(), side.latency.moments().count(), "{line}");
        assert!(arrivals.latency.moments().sum() >= side.latency.moments().sum(), "{line}");
        assert!(put >= arrivals.latency.moments().count(), "{line}");
    }
}

/// Arrivals do not change with what a job also does.
#[test]
fn flushes_checks_splits_ramps_and_delays_go_with_due_times() {
    for (options, read, write) in [
        ("rw=write fsync=3 number_ios=90", None, Some(90)),
        ("rw=randwrite verify=crc32c number_ios=90", None, Some(90)),
        ("rw=read bs=256k number_ios=20", Some(20), None),
        ("rw=read bs=256k iodepth=40 number_ios=20", Some(20), None),
        ("rw=write bs=256k verify=crc32c number_ios=20", None, Some(20)),
        ("rw=randread startdelay=500ms number_ios=90", Some(90), None),
        ("rw=randread iodepth_batch=4 number_ios=90", Some(90), None),
        ("rw=randread ramp_time=500ms runtime=1 time_based", Some(1000), None),
        ("rw=randread runtime=1 time_based latency_from=submit", None, None),
        ("rw=randread number_ios=90 thinktime=10", None, None),
        ("rw=randrw verify=crc32c number_ios=90", None, None),
    ] {
        let xen = machine(Law::Fixed(100 * US));
        let line = format!("filename=xvda bs=4k iodepth=8 rate_iops=1000 {options}");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let job = &outcome.results[0];
        let due = [&job.read, &job.write].map(|side| side.arrivals.as_ref().map(|all| all.due));
        assert_eq!(due, [read, write], "{line}");
        all_or_none(&outcome, &line);
    }
}

#[test]
fn a_mixed_job_has_the_due_times_of_each_direction() {
    for options in ["", "rate_process=poisson"] {
        let xen = machine(Law::Fixed(100 * US));
        let line = format!("filename=xvda bs=4k rw=randrw iodepth=8 rate_iops=300,700 {options}");
        let outcome = run(&xen, &format!("{line} number_ios=500"), 1);
        ok(&outcome);
        let job = &outcome.results[0];
        let due = |side: &results::DirectionResult| side.arrivals.as_ref().expect("a rate").due;
        assert_eq!(due(&job.read) + due(&job.write), 500, "{line}");
        for side in [&job.read, &job.write] {
            let arrivals = side.arrivals.as_ref().expect("a rate");
            assert!(arrivals.late.max_ns < 20 * US, "{line}: {:?}", arrivals.late);
        }
    }
}

#[test]
fn what_fails_has_no_latency_from_its_due_time() {
    let xen = machine(Law::Fixed(100 * US));
    xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 4);
    let line = "filename=xvda bs=4k rw=randread continue_on_error=io rate_iops=1000 number_ios=200";
    let outcome = run(&xen, line, 1);
    let job = &outcome.results[0];
    assert!(job.read.errors > 20 && job.read.ios + job.read.errors == 200);
    assert_eq!((reads(job).due, reads(job).latency.moments().count()), (200, job.read.ios));
}

/// A job of which the time is over, or that is stopped, leaves what was due until then.
#[test]
fn a_stop_ends_the_arrivals() {
    let xen = machine(Law::Fixed(10 * MS));
    let jobs = fio_job::parse(
        "filename=xvda bs=4k rw=randread norandommap rate_iops=1000 runtime=60 time_based",
    )
    .unwrap();
    let mut guest = model::Guest::boot(&xen);
    let mut devices = [crate::connect(&mut guest, XVDA, &jobs)];
    let outcome = model::fixture::run_jobs(&xen, &mut devices, jobs, &mut |progress| {
        let is_late = progress.elapsed_ns >= 2 * S;
        if is_late { load::engine::Control::Stop } else { load::engine::Control::Continue }
    });
    devices.into_iter().for_each(|device| drop(guest.disconnect(device)));
    let job = &outcome.results[0];
    let arrivals = reads(job);
    let put = arrivals.due - arrivals.backlog;
    assert_eq!((put, arrivals.latency.moments().count()), (job.read.ios, job.read.ios));
    // A stop comes with a pass, some of the disk's time after the second was over.
    assert!((2_000..2_030).contains(&arrivals.due), "{}", arrivals.due);
    assert!((1_790..1_830).contains(&arrivals.backlog), "{}", arrivals.backlog);
}
