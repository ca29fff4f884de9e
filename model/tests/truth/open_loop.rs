//! Latencies from due times against theory: the queues M/M/1 and M/D/1, and Lindley's recursion
//! with the same arrivals and a disk that stalls.

use model::blkback::service::{Law, Service, Stalls};
use model::{Config, Disk, ModelXen};
use results::{Arrivals, JobResult};

use crate::{MS, S, SECTORS, XVDA, run};

const US: u64 = 1_000;

/// A run of one job on one disk, from which the guest learns at once and for nothing what it did.
fn on_one(seed: u64, service: &Service, line: &str) -> JobResult {
    let config = Config { pages: 4000, grant_frames: 64, ..Config::seeded(seed) };
    let xen = ModelXen::new(config);
    xen.attach(Disk { service: Some(service.clone()), ..Disk::new(XVDA, SECTORS) });
    (xen.world().xen.prompt, xen.world().xen.completion_ns) = (true, 0);
    let mut outcome = run(&xen, &format!("bs=4k filename=xvda {line}"), None);
    assert!(outcome.error.is_none() && outcome.first_failure.is_none(), "{line}: {outcome:?}");
    outcome.results.remove(0)
}

fn reads(job: &JobResult) -> &Arrivals {
    job.read.arrivals.as_ref().expect("a rate")
}

#[track_caller]
fn near(found: f64, right: f64, tolerance: f64, what: &str) {
    assert!((found / right - 1.0).abs() < tolerance, "{what}: {found}, should be {right}");
}

/// Arrivals at random, one server, room for all: a share `rho` of the server's time is asked for.
fn queue(law: Law, rho: f64, ios: u64) -> JobResult {
    let line = format!(
        "rw=randread norandommap iodepth=200 io_size={}k rate_process=poisson randseed=3 \
         rate_iops={}",
        ios * 4,
        (rho * 10_000.0) as u64
    );
    let job = on_one(3, &Service::new(1, law), &line);
    let arrivals = reads(&job);
    assert_eq!((arrivals.due, arrivals.backlog), (ios, 0));
    assert_eq!((arrivals.held.count, arrivals.latency.moments().count()), (0, ios));
    // The rate is kept to four standard errors of so many gaps.
    near(job.read.iops(), rho * 10_000.0, 4.0 / (ios as f64).sqrt(), "the rate");
    job
}

/// Time in the queue M/M/1 is exponential with mean S/(1 - rho). Of so many I/Os the mean has a
/// standard error of 0.3 % at 0.5; at 0.8 it would take ten times as many.
#[test]
fn arrivals_at_random_wait_as_in_the_queue_mm1() {
    let job = queue(Law::Exponential(100 * US), 0.5, 300_000);
    let latency = &reads(&job).latency;
    near(latency.moments().mean(), 200_000.0, 0.02, "the mean");
    near(latency.percentile_ns(99.0) as f64, 200_000.0 * 100_f64.ln(), 0.02, "99 %");
}

/// Time in the queue M/D/1 is S (2 - rho) / (2 (1 - rho)) on average.
#[test]
fn arrivals_at_random_wait_as_in_the_queue_md1() {
    for (rho, ios) in [(0.5, 40_000), (0.8, 60_000)] {
        let job = queue(Law::Fixed(100 * US), rho, ios);
        let mean_ns = 100_000.0 * (2.0 - rho) / (2.0 * (1.0 - rho));
        near(reads(&job).latency.moments().mean(), mean_ns, 0.02, "the mean");
    }
}

/// Lindley's recursion: each request is done a service after it was due or after the one before it
/// was done, and nobody works in the first 100 ms of each second. Returns the times from due to
/// done, ascending.
fn recursion(begin_ns: u64, gap_ns: u64, count: u64, stalls: Stalls) -> Vec<u64> {
    let Stalls { first_ns, length_ns, period_ns } = stalls;
    let period_ns = period_ns.expect("several");
    let behind = |ns: u64| ns.saturating_sub(first_ns) % period_ns;
    let mut done_ns = 0;
    let mut all: Vec<u64> = (0..count)
        .map(|number| {
            let due_ns = begin_ns + number * gap_ns;
            let mut at_ns = due_ns.max(done_ns);
            if at_ns >= first_ns && behind(at_ns) < length_ns {
                at_ns += length_ns - behind(at_ns);
            }
            // Work that a stall interrupts goes on after it.
            done_ns = at_ns + 100 * US;
            let is_cut = done_ns > first_ns && behind(done_ns) <= 100 * US && behind(done_ns) > 0;
            if is_cut && behind(done_ns) < length_ns {
                done_ns += length_ns;
            }
            done_ns - due_ns
        })
        .collect();
    all.sort_unstable();
    all
}

fn percentile(sorted: &[u64], percent: f64) -> f64 {
    sorted[(sorted.len() as f64 * percent / 100.0).ceil() as usize - 1] as f64
}

/// A disk of 100 us that stalls for 100 ms in each second, asked for half of what it can do: the
/// iodepth decides how much of that a latency from submission shows, and nothing of what one from
/// the due time does.
#[test]
fn a_stall_shows_at_every_iodepth() {
    let stalls = Stalls { first_ns: 100 * MS, length_ns: 100 * MS, period_ns: Some(S) };
    let service = Service { stalls: Some(stalls), ..Service::new(1, Law::Fixed(100 * US)) };
    let line = "rw=randread norandommap rate_iops=5000 runtime=3 time_based";
    for (iodepth, submit_ms) in [(1, 0.1), (4, 0.4), (32, 3.2), (256, 95.0)] {
        let job = on_one(2, &service, &format!("{line} iodepth={iodepth}"));
        let arrivals = reads(&job);
        assert_eq!((arrivals.due, arrivals.backlog), (15_000, 0), "{iodepth}");
        let right = recursion(job.begin_ns, 200 * US, arrivals.due, stalls);
        let mean_ns = right.iter().sum::<u64>() as f64 / right.len() as f64;
        near(arrivals.latency.moments().mean(), mean_ns, 0.01, "the mean");
        near(percentile(&right, 99.0), 95.09e6, 0.001, "99 % by the recursion");
        for percent in [50.0, 90.0, 95.0, 99.0, 99.9] {
            let found = arrivals.latency.percentile_ns(percent) as f64;
            near(found, percentile(&right, percent), 0.01, &format!("{percent} %, {iodepth}"));
        }
        let from_submit = job.read.latency.percentile_ns(99.0) as f64;
        near(from_submit, submit_ms * 1e6, 0.01, &format!("from submission, {iodepth}"));
    }
}

/// A disk of 100 us that is asked for a tenth of what it can do is never waited for, and the guest
/// itself is hardly late, however it waits.
#[test]
fn a_guest_is_awake_when_an_io_is_due() {
    let service = Service::new(1, Law::Fixed(100 * US));
    for poll in ["auto", "0", "1000000"] {
        let line = "rw=randread norandommap rate_iops=1000 iodepth=16 runtime=2 time_based";
        let job = on_one(5, &service, &format!("{line} ringmark_poll_us={poll}"));
        let late = reads(&job).late;
        assert!(late.max_ns < 20 * US, "{poll}: {late:?}");
    }
}

/// A job that ends by its I/Os leaves no more of them than it has.
#[test]
fn a_backlog_is_of_the_jobs_own_ios() {
    let service = Service::new(1, Law::Fixed(20 * MS));
    for options in ["number_ios=100", "size=400k", "io_size=400k"] {
        let line = format!("rw=randread norandommap rate_iops=1000 runtime=1 {options}");
        let job = on_one(6, &service, &line);
        let Arrivals { due, backlog, .. } = *reads(&job);
        let done = job.read.ios;
        assert!(done < 60 && (due, backlog) == (100, 100 - done), "{options}: {due}, {backlog}");
    }
}
