//! Laws that hold of every run: no latency is below the backend's own, nothing is counted that was
//! not done, and no more is in flight than the iodepth (Little's law).

use model::blkback::service::{Law, Served, Service, Stalls};
use model::{Config, Disk, ModelXen};
use results::JobResult;

use crate::{MS, Machine, S, SECTORS, XVDA, run, vdev};

const US: u64 = 1_000;

/// A run of one job on each of some disks.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    disks: u32,
    queues: u32,
    iodepth: u32,
    /// Time that a completion takes of the guest's processor, in nanoseconds.
    completion_ns: u64,
    prompt: bool,
    service: Service,
    options: &'static str,
}

/// Runs the plan and checks every property; returns the results with what the backends saw.
fn hold(plan: &Plan) -> Vec<(JobResult, Vec<Served>)> {
    // The pages of a ring lie together, which needs room.
    let pages = (plan.disks * plan.queues * (plan.iodepth + 20) * 3 + 64) as usize;
    let config = Config { pages, grant_frames: 64, ..Config::seeded(plan.seed) };
    let xen = ModelXen::new(config);
    let mut line = format!("bs=4k iodepth={} ringmark_queues={}", plan.iodepth, plan.queues);
    for number in 0..plan.disks {
        let (service, traced) = (Some(plan.service.clone()), true);
        xen.attach(Disk { service, traced, ..Disk::new(vdev(number), SECTORS) });
        let name = char::from(b'a' + number as u8);
        line += &format!(" --name={name} --filename=xvd{name} {}", plan.options);
    }
    xen.world().xen.prompt = plan.prompt;
    xen.world().xen.completion_ns = plan.completion_ns;
    let outcome = run(&xen, &line, None);
    assert!(outcome.error.is_none() && outcome.first_failure.is_none(), "{plan:?}: {outcome:?}");
    let mut found = Vec::new();
    for (job, disk) in outcome.results.into_iter().zip(&mut xen.world().disks) {
        let served = std::mem::take(&mut disk.served);
        hold_job(&job, &served, plan);
        found.push((job, served));
    }
    found
}

/// The latencies of a job, ascending: of each the most that its bin holds.
fn latencies(job: &JobResult) -> Vec<u64> {
    let mut all: Vec<u64> = [&job.read, &job.write, &job.trim, &job.flush]
        .into_iter()
        .flat_map(|side| side.latency.bins())
        .flat_map(|(middle, count)| std::iter::repeat_n(middle + middle / 64 + 1, count as usize))
        .collect();
    all.sort_unstable();
    all
}

fn hold_job(job: &JobResult, served: &[Served], plan: &Plan) {
    let sides = [&job.read, &job.write, &job.trim, &job.flush];
    let done: u64 = sides.iter().map(|side| side.ios).sum();
    assert_eq!((done, job.errors()), (served.len() as u64, 0), "{plan:?}");
    let mut own: Vec<u64> =
        served.iter().map(|served| served.answered_ns - served.seen_ns).collect();
    own.sort_unstable();
    let ours = latencies(job);
    assert_eq!(ours.len(), own.len(), "{plan:?}");
    // If none is below the backend's own, the least is not, nor the second, and so on.
    for (rank, (ours, least)) in ours.iter().zip(&own).enumerate() {
        assert!(ours >= least, "{plan:?}: {ours} of {least} ns, number {rank}");
    }
    let moments = sides.map(|side| side.latency.moments());
    let least = moments.iter().filter(|m| m.count() > 0).map(|m| m.min()).min();
    assert!(least >= own.first().copied(), "{plan:?}: {least:?} of {:?}", own.first());
    let sum: u128 = moments.iter().map(|moments| moments.sum()).sum();
    assert!(sum >= own.iter().map(|&ns| u128::from(ns)).sum(), "{plan:?}");
    // All latencies together are all the time that I/Os were in flight.
    let most = u128::from(plan.iodepth) * u128::from(job.runtime_ns);
    assert!(sum <= most, "{plan:?}: {sum} of {most}");
    for side in sides {
        let in_flight = side.iops() * side.latency.moments().mean() / 1e9;
        assert!(in_flight <= f64::from(plan.iodepth) * (1.0 + 1e-9), "{plan:?}: {in_flight}");
        let samples = side.samples.iops();
        if samples.count > 0 {
            assert!((samples.mean / side.iops() - 1.0).abs() < 1e-6, "{plan:?}: {samples:?}");
        }
    }
}

const TIMED: &str = "--rw=randread --runtime=20ms --time_based";

fn draw(seed: u64) -> Plan {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut of = |all: &[u64]| all[rng.usize(0..all.len())];
    let law = match of(&[0, 1, 2]) {
        0 => Law::Fixed(of(&[5 * US, 100 * US, 2 * MS])),
        1 => Law::Uniform(20 * US..of(&[21 * US, 400 * US])),
        _ => Law::Exponential(of(&[10 * US, 100 * US])),
    };
    let servers = of(&[1, 4, 32, 10_000]) as usize;
    let stalls = [
        None,
        Some(Stalls { first_ns: 5 * MS, length_ns: 3 * MS, period_ns: Some(7 * MS) }),
        Some(Stalls { first_ns: 10 * MS, length_ns: 30 * MS, period_ns: None }),
    ][of(&[0, 0, 1, 2]) as usize];
    let options = [
        TIMED,
        "--rw=randrw --number_ios=300",
        "--rw=write --number_ios=200 --fsync=7",
        "--rw=randwrite --number_ios=100 --verify=crc32c",
        "--rw=randread --rate_iops=20000 --number_ios=200",
        "--rw=read --number_ios=200 --thinktime=50 --thinktime_blocks=9",
        "--rw=trim --number_ios=100 --iodepth_batch=2",
    ][of(&[0, 0, 0, 1, 2, 3, 4, 5, 6]) as usize];
    Plan {
        seed,
        disks: of(&[1, 2, 8]) as u32,
        queues: of(&[1, 2, 4]) as u32,
        iodepth: of(&[1, 2, 8, 32, 128, 512]) as u32,
        completion_ns: of(&[0, 2 * US]),
        prompt: of(&[0, 1]) == 1,
        service: Service { stalls, ..Service::new(servers, law) },
        options,
    }
}

#[test]
fn every_run_is_true() {
    (0..40).for_each(|seed| drop(hold(&draw(seed))));
}

/// A plan for which theory gives figures.
fn exact(disks: u32, queues: u32, iodepth: u32, service: Service) -> Plan {
    let (seed, completion_ns, prompt, options) = (1, 0, true, TIMED);
    Plan { seed, disks, queues, iodepth, completion_ns, prompt, service, options }
}

#[test]
fn a_disk_that_never_takes_less_is_never_quicker() {
    // A completion of 2 us makes a pass over 512 as long as many a request.
    for (disks, queues, iodepth) in [(1, 1, 512), (1, 4, 512), (2, 1, 128), (8, 2, 32), (8, 1, 1)] {
        for completion_ns in [0, 2 * US, 20 * US] {
            let service = Service::unbounded(Law::Uniform(100 * US..300 * US));
            let plan = Plan { completion_ns, ..exact(disks, queues, iodepth, service) };
            for (job, _) in hold(&plan) {
                let least_ns = job.read.latency.moments().min();
                assert!(least_ns >= 100 * US, "{plan:?}: {least_ns}");
            }
        }
    }
}

#[test]
fn a_quiet_disk_beside_a_busy_one_is_not_quicker() {
    let xen = Machine::seeded(3).pages(1800).grant_frames(32).build();
    for (vdev, law) in [(XVDA, Law::Fixed(5 * US)), (vdev(1), Law::Fixed(300 * US))] {
        let service = Some(Service::unbounded(law));
        xen.attach(Disk { service, traced: true, ..Disk::new(vdev, SECTORS) });
    }
    (xen.world().xen.prompt, xen.world().xen.completion_ns) = (true, 2 * US);
    let line = "bs=4k rw=randread runtime=50ms time_based --name=a --iodepth=256 --filename=xvda \
                --name=b --iodepth=1 --filename=xvdb";
    let outcome = run(&xen, line, None);
    let quiet = outcome.results[1].read.latency.moments();
    assert!(quiet.count() > 20 && quiet.min() >= 300 * US, "{quiet:?}");
}

#[test]
fn a_closed_loop_does_what_theory_says() {
    for (servers, iodepth) in [(1, 1), (1, 8), (4, 2), (4, 4), (4, 64), (32, 512)] {
        for (disks, queues) in [(1, 1), (1, 4), (2, 1)] {
            let plan = exact(disks, queues, iodepth, Service::new(servers, Law::Fixed(MS)));
            let options = "--rw=randread --runtime=500ms --time_based";
            let plan = Plan { options, ..plan };
            for (job, _) in hold(&plan) {
                let busy = f64::from(iodepth).min(servers as f64);
                let expected = busy * S as f64 / MS as f64;
                // What is in flight at the end of the time is waited for.
                let drained = job.read.iops() * job.read.runtime_ns as f64 / (500 * MS) as f64;
                let error = drained / (expected + f64::from(iodepth) * 2.0) - 1.0;
                assert!(error.abs() < 0.02, "{plan:?}: {} of {expected}", job.read.iops());
            }
        }
    }
}

#[test]
fn with_a_server_that_has_no_memory_the_mean_is_known() {
    // M/M/k with all busy: D in flight, so each waits for D / k times of service.
    let options = "--rw=randread --runtime=5 --time_based";
    let plan = Plan { options, ..exact(1, 1, 16, Service::new(4, Law::Exponential(MS))) };
    let (job, _) = hold(&plan).remove(0);
    let mean = job.read.latency.moments().mean() / (4 * MS) as f64;
    assert!((mean - 1.0).abs() < 0.03, "{mean}");
}

#[test]
fn all_the_time_of_a_job_is_in_its_latencies() {
    // As one ends the next is put: nothing is lost but what is not put any more.
    for (queues, iodepth, completion_ns) in [(1, 1, 0), (1, 32, 2 * US), (4, 32, 2 * US)] {
        let service = Service::new(8, Law::Exponential(200 * US));
        let options = "--rw=randread --runtime=100ms --time_based";
        let plan = Plan { completion_ns, options, ..exact(1, queues, iodepth, service) };
        let (job, _) = hold(&plan).remove(0);
        let sum = job.read.latency.moments().sum();
        let asked = u128::from(iodepth) * u128::from(100 * MS);
        assert!(sum >= asked, "{plan:?}: {sum} of {asked}");
    }
}
