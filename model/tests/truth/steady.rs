//! Steadiness of a job's rate over time, and jobs that end once they are steady.

use drivers::Vcpu;
use load::engine::Outcome;
use model::Disk;
use model::blkback::service::{Law, Service};
use results::{JobReport, JobResult, Report, Steadiness, Verdict, emit};

use super::{MS, Machine, ModelXen, S, SECTORS, XVDA, run};

/// A disk that takes 4 ms for a request on average, one at a time.
fn even(seed: u64) -> ModelXen {
    with(seed, &|_| Law::Exponential(4 * MS))
}

/// A disk that takes one request at a time, by a law that may depend on the time of the boot.
fn with(seed: u64, law: &dyn Fn(u64) -> Law) -> ModelXen {
    let xen = Machine::seeded(seed).build();
    let service = Some(Service::new(1, law(xen.now_ns())));
    xen.attach(Disk { service, ..Disk::new(XVDA, SECTORS) });
    xen
}

/// A disk that takes 4 ms at first, and this much from then on after so many seconds.
fn changing(seed: u64, after_ns: u64, [begin_s, end_s]: [u64; 2]) -> ModelXen {
    with(seed, &|boot_ns| {
        let [begin_ns, end_ns] = [begin_s, end_s].map(|s| boot_ns + s * S);
        Law::Changing { before_ns: 4 * MS, after_ns, begin_ns, end_ns }
    })
}

fn judged(outcome: &Outcome) -> Steadiness {
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    let sum = JobResult::sum(&outcome.results).expect("a job");
    sum.steadiness().expect("I/Os")
}

fn reported(outcome: &Outcome) -> Vec<JobReport> {
    let mut text = String::new();
    emit(&outcome.results, None, None, &mut |part| text.push_str(part));
    Report::from_json(&text).expect("a report").jobs
}

#[test]
fn an_even_disk_is_steady_and_its_interval_has_the_mean() {
    for seed in 1..=3 {
        let outcome = run(
            &even(seed),
            "rw=randread ringmark_poll_us=0 runtime=40 time_based filename=xvda",
            None,
        );
        let judged = judged(&outcome);
        assert_eq!((judged.verdict, judged.windows), (Verdict::Steady, 400), "{seed}: {judged:?}");
        let width = judged.iops_half_width.expect("an interval");
        assert!(width > 1.0 && width < 8.0, "{seed}: {width}");
        let read = &outcome.results[0].read;
        assert!((judged.iops_mean - read.iops()).abs() < width, "{seed}: {judged:?}");
        let series = outcome.results[0].over_time().expect("I/Os");
        let total: u64 = series.ios.iter().sum();
        assert!(read.ios - total < 3, "{seed}: all but those of the last moment");
    }
}

#[test]
fn a_disk_that_slows_down_drifts() {
    for (after_ns, seconds) in [(6 * MS, [0, 40]), (3 * MS, [0, 40]), (6 * MS, [30, 31])] {
        let xen = changing(7, after_ns, seconds);
        let outcome =
            run(&xen, "rw=randread ringmark_poll_us=0 runtime=40 time_based filename=xvda", None);
        let judged = judged(&outcome);
        assert_eq!(judged.verdict, Verdict::Drifting, "{after_ns}: {judged:?}");
        let [from, to] = judged.iops_thirds.expect("thirds that differ");
        assert_eq!(to < from, after_ns > 4 * MS, "{after_ns}: {judged:?}");
    }
    // What settles at once is left out.
    let xen = changing(8, 2 * MS, [2, 4]);
    let judged = judged(&run(
        &xen,
        "rw=randread ringmark_poll_us=0 runtime=40 time_based filename=xvda",
        None,
    ));
    assert_eq!(judged.verdict, Verdict::Steady, "{judged:?}");
    assert!((15..=60).contains(&judged.windows_left_out), "{judged:?}");
}

#[test]
fn a_short_run_says_how_much_is_missing() {
    let line = "rw=randread ringmark_poll_us=0 ramp_time=1500ms runtime=5 time_based filename=xvda";
    let outcome = run(&even(2), line, None);
    let judged = judged(&outcome);
    assert_eq!((judged.verdict, judged.windows), (Verdict::TooShort, 50));
    assert_eq!(judged.summary(), "too short to tell, by 25.0 s");
    let series = outcome.results[0].over_time().expect("I/Os");
    assert!(series.ios[0] > 10, "the grid begins after the ramp");
    let [job] = &reported(&outcome)[..] else { panic!("one job") };
    let extra = job.ringmark.as_ref().expect("ours");
    assert_eq!((&extra.steadiness, &extra.over_time), (&Some(judged), &Some(series)));
    assert_eq!(job.steadystate, None);
}

#[test]
fn a_job_ends_when_fios_criterion_is_met() {
    let line = "rw=randread ringmark_poll_us=0 runtime=60 time_based ss_dur=4 ss_ramp=2 filename=xvda steadystate=";
    let outcome = run(&even(3), &format!("{line}iops:20%"), None);
    let [job] = &reported(&outcome)[..] else { panic!("one job") };
    let steady = job.steadystate.as_ref().expect("fio's");
    assert_eq!((&*steady.ss, steady.duration, steady.attained), ("iops:20.000000%", 4, 1));
    assert!((6_000..6_500).contains(&job.read.runtime), "{}", job.read.runtime);
    assert!(steady.data.iops.iter().all(|&iops| (200..300).contains(&iops)), "{steady:?}");
    assert!(
        steady
            .data
            .bw
            .iter()
            .zip(&steady.data.iops)
            .all(|(bw, iops)| bw / iops >= 4096 && bw / iops < 4120)
    );
    // Never: the job has its time.
    for rule in ["iops:0.0001%", "bw:1", "iops_slope:0.000001", "bw_slope:0.000001%"] {
        let line = line.replace("runtime=60", "runtime=9") + rule;
        let outcome = run(&even(3), &line, None);
        let [job] = &reported(&outcome)[..] else { panic!("one job") };
        assert_eq!(job.steadystate.as_ref().map(|one| one.attained), Some(0), "{rule}");
        assert!(job.read.runtime >= 9_000, "{rule}: {}", job.read.runtime);
    }
}

#[test]
fn a_disk_that_settles_is_waited_for() {
    let xen = changing(5, 2 * MS, [0, 10]);
    let line = "rw=randread ringmark_poll_us=0 runtime=60 time_based ss=iops_slope:1% ss_dur=5 filename=xvda";
    let outcome = run(&xen, line, None);
    let [job] = &reported(&outcome)[..] else { panic!("one job") };
    assert_eq!(job.steadystate.as_ref().map(|one| one.attained), Some(1));
    assert!((10_000..25_000).contains(&job.read.runtime), "{}", job.read.runtime);
}

#[test]
fn jobs_of_a_group_end_together_and_others_by_themselves() {
    let line = "--rw=randread --ringmark_poll_us=0 --runtime=60 --time_based --steadystate=iops:25% --ss_dur=3 \
                --filename=xvda --name=a --numjobs=3";
    let outcome = run(&even(4), &format!("{line} --group_reporting"), None);
    let [group] = &reported(&outcome)[..] else { panic!("one group") };
    let steady = group.steadystate.as_ref().expect("fio's");
    assert_eq!(steady.attained, 1);
    assert!(steady.data.iops.iter().all(|&iops| (200..300).contains(&iops)), "{steady:?}");
    let ends = outcome.results.iter().map(|result| result.runtime_ns);
    assert!(ends.clone().all(|ns| (3 * S..4 * S).contains(&ns)), "{:?}", ends.collect::<Vec<_>>());
    let series = group.ringmark.as_ref().and_then(|extra| extra.over_time.clone()).expect("I/Os");
    assert!(series.ios[1..].iter().all(|ios| (5..50).contains(ios)), "{series:?}");
    // One that is never steady goes on.
    let line = line.replace("--numjobs=3", "--name=b --steadystate=iops:0.0001% --runtime=9");
    let jobs = reported(&run(&even(4), &line, None));
    let attained = |job: &JobReport| job.steadystate.as_ref().map(|one| one.attained);
    assert_eq!(jobs.iter().map(attained).collect::<Vec<_>>(), [Some(1), Some(0)]);
    assert!(jobs[0].read.runtime < 6_000 && jobs[1].read.runtime >= 9_000);
}

#[test]
fn auto_ends_a_job_that_is_steady_and_no_other() {
    let line =
        "rw=randread ringmark_poll_us=0 runtime=90 time_based steadystate=auto filename=xvda";
    let outcome = run(&even(6), line, None);
    let [job] = &reported(&outcome)[..] else { panic!("one job") };
    assert!((30_000..60_000).contains(&job.read.runtime), "{}", job.read.runtime);
    let steady = judged(&outcome);
    assert_eq!(steady.verdict, Verdict::Steady, "{steady:?}");
    let judged_ns = steady.windows * steady.window_ns;
    assert_eq!(outcome.results[0].steady_ns, Some(judged_ns), "by what ended it");
    assert_eq!(job.steadystate, None, "fio has no such rule");
    let group = run(&even(6), &format!("{line} numjobs=2 group_reporting"), None);
    assert!(group.results.iter().all(|one| one.runtime_ns < 60 * S));
    assert_eq!(judged(&group).verdict, Verdict::Steady);
    let xen = changing(6, 12 * MS, [0, 60]);
    let outcome = run(&xen, &line.replace("runtime=90", "runtime=50"), None);
    assert!(outcome.results[0].runtime_ns >= 50 * S);
    assert_eq!(judged(&outcome).verdict, Verdict::Drifting);
}

#[test]
fn what_is_written_is_not_read_back_once_it_is_steady() {
    let line = "rw=write ringmark_poll_us=0 bs=512 loops=1000000 runtime=60 time_based verify=crc32c ss=iops:30% ss_dur=2 filename=xvda";
    let outcome = run(&even(9), line, None);
    let [job] = &reported(&outcome)[..] else { panic!("one job") };
    assert_eq!(job.steadystate.as_ref().map(|one| one.attained), Some(1));
    assert_eq!(job.read.total_ios, 0, "as in fio");
}
