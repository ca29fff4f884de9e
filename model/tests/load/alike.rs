//! I/Os that are replaced in a row and counted at once, against the same job off the fast path,
//! which puts and counts each by itself.

use fio_job::Job;
use load::engine::{Control, Outcome, Pass, RunError};
use model::blkback::service::{Law, Service};
use model::blkback::{Lie, Mischief};
use model::fixture::start_engine;
use model::guest::Device;
use model::{Disk, Guest, ModelXen};
use results::JobResult;

use crate::{Machine, XVDA, connect, ok, run_jobs, vdev};

const US: u64 = 1_000;
const SECTORS: u64 = 16_384;

/// A machine whose disks serve by this law, at once and as soon as they are told, while each
/// completion takes the guest 2 us: so a pass finds many, of several passes.
fn machine(disks: u32, law: &Law) -> ModelXen {
    let disk = |number| Disk {
        service: Some(Service::unbounded(law.clone())),
        traced: true,
        ..Disk::new(vdev(number), SECTORS)
    };
    let machine = Machine::seeded(11).pages(1800).grant_frames(32);
    let xen = (0..disks).fold(machine, |machine, number| machine.disk(disk(number))).build();
    (xen.world().xen.prompt, xen.world().xen.completion_ns) = (true, 2 * US);
    xen
}

/// All figures of a job but the classes of iodepth, which depend on the order of completions and
/// I/Os put within a pass.
fn figures(job: &JobResult) -> String {
    let sides = [&job.read, &job.write, &job.trim];
    let classes = format!("{:?}", job.classes);
    let (_, classes) = classes.split_once("unclassed").expect("the field behind the depths");
    let times = (job.runtime_ns, job.begin_ns, job.end_ns);
    format!("{sides:?} {times:?} {classes} {:?} {:?}", job.counters, job.together)
}

fn depths(job: &JobResult) -> String {
    let classes = format!("{:?}", job.classes);
    classes.split_once("unclassed").expect("the field behind the depths").0.to_owned()
}

/// The start of each sector, where a write has its place and number; what is behind belongs to the
/// slot, and slots come in another order.
fn stamps(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.chunks_exact(512).map(|sector| &sector[..16])
}

/// The jobs of a line; `each` of their I/Os is put by itself if it says so, for the sake of a flush
/// that never comes.
fn jobs(line: &str, each: bool) -> Vec<Job> {
    let mut jobs = fio_job::parse(line).expect(line);
    if each {
        jobs.iter_mut().for_each(|job| job.pace.flush_after = Some(u64::MAX));
    }
    jobs
}

/// Runs the jobs of a line, on the fast path or off it. `chance` of 16 I/Os fail.
fn run(line: &str, law: &Law, chance: u32, each: bool) -> (Outcome, ModelXen) {
    let jobs = jobs(line, each);
    let disks = jobs.iter().map(|job| job.disks.len()).max().expect("a job") as u32;
    let xen = machine(disks, law);
    for disk in &mut xen.world().disks {
        disk.mischief = Mischief::of(Lie::Status(-1), chance);
    }
    (run_jobs(&xen, jobs, disks, &mut |_| {}), xen)
}

fn hold_same(line: &str, at_once: &[JobResult], each: &[JobResult]) {
    assert_eq!(at_once.len(), each.len());
    for (one, other) in at_once.iter().zip(each) {
        let (one, other) = (figures(one), figures(other));
        let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
        let from = same.saturating_sub(300);
        assert!(one == other, "{line}\n{:.600}\n{:.600}", &one[from..], &other[from..]);
    }
}

/// Holds that a line's one job does the same on the fast path and off it; returns what it did.
fn hold(line: &str, law: &Law, chance: u32) -> Outcome {
    let [(at_once, xen), (each, other)] = [false, true].map(|each| run(line, law, chance, each));
    ok(&at_once);
    ok(&each);
    hold_same(line, &at_once.results, &each.results);
    let (world, other) = (xen.world(), other.world());
    for (disk, other) in world.disks.iter().zip(&other.disks) {
        assert!(disk.served == other.served, "{line}");
        assert!(stamps(&disk.data).eq(stamps(&other.data)), "{line}");
    }
    let served: u64 = world.disks.iter().map(|disk| disk.served.len() as u64).sum();
    let failed: u64 = world.disks.iter().map(|disk| disk.mischief.told).sum();
    let ios: u64 = at_once.results.iter().map(JobResult::ios).sum();
    let errors: u64 = at_once.results.iter().map(JobResult::errors).sum();
    let has_ramp = at_once.results[0].job.pace.ramp_ns != 0;
    assert!(ios == served || has_ramp && ios < served, "{line}: {ios} of {served}");
    assert_eq!(errors, failed, "{line}");
    at_once
}

const LINES: [&str; 10] = [
    "rw=randread norandommap bs=4k iodepth=32 number_ios=333",
    "rw=randread bs=4k iodepth=32 loops=3 number_ios=701",
    "rw=read bs=8k iodepth=7 number_ios=500",
    "rw=randrw norandommap bs=4k iodepth=32 number_ios=333",
    "rw=randwrite norandommap bs=4k iodepth=16 number_ios=333",
    "rw=write bs=44k iodepth=3 loops=20 number_ios=400",
    "rw=randtrim bs=4k iodepth=9 number_ios=250",
    "rw=rw bs=4k iodepth=32 runtime=5ms time_based",
    "rw=randread bs=4k iodepth=32 runtime=6ms ramp_time=2ms time_based",
    "rw=randread bs=4k iodepth=8 runtime=10ms time_based log_avg_msec=3 write_iops_log=x",
];

/// Jobs that share the disks: their I/Os end in the same passes.
const TOGETHER: [&str; 5] = [
    "rw=randread bs=4k iodepth=7 number_ios=101 numjobs=3",
    "rw=randrw bs=4k iodepth=7 number_ios=101 numjobs=3 group_reporting",
    "rw=randread iodepth=8 number_ios=99 --name=a --bs=4k --name=b --bs=8k",
    "bs=4k iodepth=8 number_ios=99 --name=a --rw=read --name=b --rw=write --name=c --rw=trim",
    "rw=randread bs=4k iodepth=8 --name=a --number_ios=33 --name=b --runtime=9ms --time_based",
];

/// Names of 1 to 4 disks.
const NAMES: [&str; 4] = ["xvda", "xvda:xvdb", "xvda:xvdb:xvdc", "xvda:xvdb:xvdc:xvdd"];

fn laws() -> [Law; 3] {
    [Law::Fixed(50 * US), Law::Uniform(20 * US..400 * US), Law::Exponential(60 * US)]
}

/// The line with these disks for all of its jobs.
fn on(disks: &str, line: &str) -> String {
    format!("filename={disks} {line}")
}

/// On one disk: off the fast path, what takes the place of the I/Os of several begins only when the
/// last of them has been looked at.
#[test]
fn figures_are_those_of_ios_counted_one_by_one() {
    for line in LINES {
        laws().iter().for_each(|law| drop(hold(&on("xvda", line), law, 0)));
    }
}

/// In a pass, the I/Os of jobs are put in another order off the fast path. So that this makes no
/// difference, each pass finds all that is in flight.
#[test]
fn figures_of_jobs_that_share_a_disk_are_those_of_ios_counted_one_by_one() {
    for line in TOGETHER {
        let line = on("xvda", line);
        let [at_once, each] = [false, true].map(|each| in_step(&line, each));
        hold_same(&line, &at_once, &each);
    }
}

#[test]
fn errors_among_ios_alike_are_counted_for_themselves() {
    let law = Law::Uniform(20 * US..400 * US);
    let enough = |outcome: &Outcome, line: &str| {
        let errors: u64 = outcome.results.iter().map(JobResult::errors).sum();
        assert!(errors > 5, "{line}: {errors}");
    };
    for (disks, chance) in [("xvda", 2), ("xvda", 9)] {
        for line in LINES {
            let line = on(disks, &format!("continue_on_error=io {line}"));
            enough(&hold(&line, &law, chance), &line);
        }
        for line in TOGETHER {
            let line = on(disks, &format!("continue_on_error=io {line}"));
            let (outcome, xen) = run(&line, &law, chance, false);
            enough(&outcome, &line);
            let world = xen.world();
            let told: u64 = world.disks.iter().map(|disk| disk.mischief.told).sum();
            let served: u64 = world.disks.iter().map(|disk| disk.served.len() as u64).sum();
            let sum = JobResult::sum(&outcome.results).expect("a job");
            assert_eq!((sum.ios(), sum.errors()), (served, told), "{line}");
            for JobResult { job, read, write, trim, .. } in &outcome.results {
                let sides = [read, write, trim];
                let done = sides.map(|side| side.ios + side.errors).iter().sum::<u64>();
                assert!(job.number_ios.is_none_or(|ios| ios == done), "{line}: {done}");
                for side in sides {
                    assert_eq!(side.latency.moments().count(), side.ios, "{line}");
                    assert_eq!(side.bytes, side.ios * u64::from(job.bs_bytes), "{line}");
                }
            }
        }
    }
}

#[test]
fn a_job_ends_in_the_middle_of_ios_alike() {
    // All 32 end in each pass, and 333 are ten passes and 13 I/Os.
    for number_ios in [31, 32, 33, 333] {
        for (options, chance) in [
            ("", 0),
            ("group_reporting numjobs=2", 0),
            ("continue_on_error=io", 5),
            ("group_reporting numjobs=2 continue_on_error=io", 5),
        ] {
            let line = format!("rw=randread bs=4k iodepth=32 number_ios={number_ios} {options}");
            let (outcome, _) = run(&on("xvda", &line), &Law::Fixed(500 * US), chance, false);
            ok(&outcome);
            for job in &outcome.results {
                let JobResult { read, .. } = job;
                assert_eq!(read.ios + read.errors, number_ios, "{line}");
                assert_eq!(read.latency.moments().count(), read.ios);
                assert_eq!(read.bytes, read.ios << 12);
            }
            let sum = JobResult::sum(&outcome.results).expect("a job");
            let seconds = sum.read.runtime_ns as f64 / 1e9;
            let sampled = sum.read.samples.iops().mean * seconds / sum.read.ios as f64;
            assert!((sampled - 1.0).abs() < 1e-9, "{line}: {sampled}");
        }
    }
}

#[test]
fn a_plain_job_is_on_the_fast_path_and_its_ios_are_put_at_full_depth() {
    let law = Law::Fixed(500 * US);
    let line = on("xvda", LINES[0]);
    let of = |each| depths(&run(&line, &law, 0, each).0.results[0]);
    assert_eq!(of(false), "Classes { depths: [1, 2, 4, 8, 16, 302, 0], ");
    // There all 32 have ended before the first is put again.
    assert_ne!(of(true), of(false));
}

/// Steps jobs so that each pass finds all that is in flight, and each takes longer than the one
/// before; returns the results.
fn in_step(line: &str, each: bool) -> Vec<JobResult> {
    let xen = &machine(1, &Law::Uniform(100 * US..300 * US));
    let jobs = jobs(line, each);
    let mut guest = Guest::boot(xen);
    let mut device = connect(&mut guest, XVDA, &jobs);
    let mut engine = start_engine(xen, jobs, vec![device.lend()]);
    let mut step_ns = 1_000 * US;
    loop {
        xen.pass_ns(step_ns);
        step_ns += 100 * US;
        if engine.pass(&mut |_| Control::Continue) == Pass::Done {
            break;
        }
    }
    let (outcome, lent) = engine.finish();
    ok(&outcome);
    device.queues = lent.into_iter().flat_map(|disk| disk.queues).collect();
    guest.disconnect(device);
    outcome.results
}

/// Each completion takes 2 us, and yet what a pass puts begins at once and what it finds ends at
/// once.
#[test]
fn all_ios_of_a_pass_begin_at_the_same_time() {
    for rw in ["randread", "randwrite"] {
        let line = on("xvda", &format!("rw={rw} bs=4k iodepth=32 number_ios=320"));
        let job = in_step(&line, false).remove(0);
        let side = if rw == "randread" { &job.read } else { &job.write };
        let bins: Vec<(u64, u64)> = side.latency.bins().collect();
        assert_eq!((bins.len(), side.ios), (10, 320), "{bins:?}");
        assert!(bins.iter().all(|&(_, count)| count == 32), "{line}: {bins:?}");
        assert!(side.latency.moments().min() >= 300 * US);
        let in_flight = 32 * u128::from(job.runtime_ns);
        assert!(side.latency.moments().sum() <= in_flight, "{line}");
    }
}

#[test]
fn one_job_on_several_disks_is_never_quicker_than_they_are() {
    for disks in [2, 3, 4] {
        for law in laws() {
            let names = NAMES[disks - 1];
            let line = "rw=randread bs=4k iodepth=64 number_ios=1500";
            let (outcome, xen) = run(&on(names, line), &law, 0, false);
            ok(&outcome);
            let world = xen.world();
            let served = world.disks.iter().flat_map(|disk| &disk.served);
            let mut own: Vec<u64> = served.map(|one| one.answered_ns - one.seen_ns).collect();
            own.sort_unstable();
            let latency = &outcome.results[0].read.latency;
            let ours = latency.bins().flat_map(|(middle, count)| {
                std::iter::repeat_n(middle + middle / 64 + 1, count as usize)
            });
            assert_eq!((own.len() as u64, latency.moments().count()), (1500, 1500));
            assert!(ours.zip(&own).all(|(ours, own)| ours >= *own), "{names} {law:?}");
            assert!(latency.moments().min() >= own[0]);
        }
    }
}

/// A look finds that the ring of one overran, the first or the last.
#[test]
fn what_a_good_disk_did_counts_although_another_is_broken() {
    for (liar, number) in [("xvda", 0), ("xvdb", 1)] {
        let xen = machine(2, &Law::Fixed(100 * US));
        let line = "rw=randread bs=4k iodepth=8 --name=a --filename=xvda --name=b --filename=xvdb";
        let jobs = fio_job::parse(line).unwrap();
        let mut guest = Guest::boot(&xen);
        let mut devices = [XVDA, vdev(1)].map(|vdev| connect(&mut guest, vdev, &jobs));
        let lent = devices.iter_mut().map(Device::lend).collect();
        let mut engine = start_engine(&xen, jobs, lent);
        xen.world().disks[number].mischief = Mischief::of(Lie::ProdAhead(1 << 20), 16);
        xen.pass_ns(1_000 * US);
        assert_eq!(engine.pass(&mut |_| Control::Continue), Pass::Done, "it ends with this pass");
        let (outcome, _) = engine.finish();
        assert!(
            matches!(&outcome.error, Some(RunError::Broken(name, _)) if name == liar),
            "{:?}",
            outcome.error
        );
        let [bad, good] = [number, 1 - number].map(|job| &outcome.results[job].read);
        assert_eq!((good.ios, good.latency.moments().count()), (8, 8), "{liar}");
        // Those in their place, and those of the other, are lost.
        assert_eq!((good.errors, bad.ios, bad.errors), (8, 0, 8), "{liar}");
    }
}
