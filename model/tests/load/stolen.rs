//! Time that is taken from the vCPU is told, to the nanosecond but for what yields lent, and of
//! nobody but the jobs that were measured meanwhile.

use model::ModelXen;
use results::{JobResult, Stolen};

use crate::{ok, one_disk, run_and_see};

/// Time stolen in all of these tests, in nanoseconds.
const PAUSE_NS: u64 = 5_000_000_007;

/// The results of jobs of which the guest is paused when `after_ns` have passed, once.
fn paused(line: &str, after_ns: u64) -> Vec<JobResult> {
    let xen = one_disk(41);
    let mut pause = true;
    let outcome = run_and_see(&xen, line, 1, &mut |progress| {
        if progress.elapsed_ns >= after_ns && std::mem::take(&mut pause) {
            xen.pause_ns(PAUSE_NS);
        }
    });
    ok(&outcome);
    assert!(!pause, "the jobs ended before the pause");
    check_asked(&xen, outcome.results.len());
    outcome.results
}

/// Checks that the hypervisor was asked when the run began, at both ends of each job, and around
/// few yields.
fn check_asked(xen: &ModelXen, jobs: usize) {
    let totals = xen.world().xen.totals;
    let asked = totals.stolen_calls.checked_sub(1 + 2 * jobs as u64).expect("both ends");
    let most = totals.yields.min(32 + totals.yields / 512);
    assert!(asked <= 2 * most, "{totals:?}");
}

fn stolen_ns(result: &JobResult) -> u64 {
    result.stolen.expect("the hypervisor tells").ns
}

#[test]
fn a_pause_is_told_to_the_nanosecond_and_marked() {
    for line in [
        "rw=randread iodepth=32 time_based runtime=15 ringmark_poll_us=0",
        "rw=randread iodepth=1 time_based runtime=15 ringmark_poll_us=0",
        "rw=randwrite iodepth=4 time_based runtime=15 rate_iops=100 ringmark_poll_us=0",
        "rw=randread iodepth=4 time_based runtime=15 startdelay=2 ringmark_poll_us=0",
    ] {
        let [result] = &paused(&format!("filename=xvda {line}"), 4_000_000_000)[..] else {
            panic!("one job")
        };
        let Stolen { ns, of_ns } = result.stolen.expect("the hypervisor tells");
        assert_eq!(ns, PAUSE_NS, "{line}");
        assert!((14_900_000_000..15_200_000_000).contains(&of_ns), "{line}: {of_ns}");
        let marks = result.marks();
        assert!(marks.len() == 1 && marks[0].contains("(5.00 s) was stolen"), "{marks:?}");
    }
}

#[test]
fn time_that_the_guest_sleeps_is_not_stolen() {
    let xen = one_disk(42);
    let line = "filename=xvda rw=read iodepth=1 rate_iops=5 time_based runtime=20";
    let outcome = run_and_see(&xen, line, 1, &mut |_| {});
    ok(&outcome);
    assert_eq!(stolen_ns(&outcome.results[0]), 0);
    assert_eq!(outcome.results[0].marks(), [""; 0]);
}

/// Times of yields, short and as long as a time slice.
#[test]
fn what_a_yield_lends_is_not_stolen_but_a_time_slice_is() {
    for (yield_ns, is_lent) in [(20_000, true), (30_000_000, false)] {
        let xen = one_disk(45);
        xen.world().xen.yield_ns = yield_ns;
        let line = "filename=xvda rw=randread iodepth=1 time_based runtime=2";
        let outcome = run_and_see(&xen, line, 1, &mut |_| {});
        ok(&outcome);
        let world = xen.world();
        let others_ns = world.xen.stolen_ns.expect("known");
        assert!(others_ns >= yield_ns * world.xen.totals.yields.max(1), "{others_ns}");
        let expected_ns = if is_lent { 0 } else { others_ns };
        assert_eq!(stolen_ns(&outcome.results[0]), expected_ns, "{yield_ns}");
    }
}

#[test]
fn what_is_stolen_before_a_job_is_measured_does_not_count() {
    let line = "filename=xvda rw=randread iodepth=8 time_based runtime=3";
    for before in ["ramp_time=8", "startdelay=8"] {
        let results = paused(&format!("{line} {before}"), 2_000_000_000);
        // At most as much as it takes to see that the ramp is over.
        assert!(stolen_ns(&results[0]) < 1_000_000, "{before}: {:?}", results[0].stolen);
    }
}

#[test]
fn a_pause_is_told_though_the_guest_yields() {
    let line = "filename=xvda rw=randread iodepth=32 time_based runtime=8";
    for call_ns in [0, 100_000] {
        let xen = one_disk(46);
        xen.world().xen.yield_call_ns = call_ns;
        let mut pause = true;
        let outcome = run_and_see(&xen, line, 1, &mut |progress| {
            if progress.elapsed_ns >= 1_000_000_000 && std::mem::take(&mut pause) {
                xen.pause_ns(PAUSE_NS);
            }
        });
        ok(&outcome);
        let yields = xen.world().xen.totals.yields;
        assert!(yields > 100, "{yields}");
        // The call of a yield takes about as long as that of another.
        let ns = stolen_ns(&outcome.results[0]);
        assert!((PAUSE_NS - 1_000_000..=PAUSE_NS + 1_000_000).contains(&ns), "{call_ns}: {ns}");
        check_asked(&xen, 1);
    }
}

/// A pause that outlasts the ramp is stolen from what is measured as far as it reaches into it.
#[test]
fn a_pause_across_the_end_of_a_ramp_counts_from_there() {
    let line = "filename=xvda rw=randread iodepth=8 time_based runtime=9";
    for before in ["ramp_time=5", "startdelay=5"] {
        let results = paused(&format!("{line} {before}"), 2_000_000_000);
        let ns = stolen_ns(&results[0]);
        // The pause begins when some ms of the third or fourth second have passed.
        assert!((PAUSE_NS - 3_100_000_000..PAUSE_NS - 900_000_000).contains(&ns), "{before}: {ns}");
    }
}

#[test]
fn a_pause_in_any_call_is_told() {
    let line = "filename=xvda rw=randread iodepth=4 time_based runtime=15 ringmark_poll_us=0";
    for call in (2_000..20_000).step_by(3_000) {
        let xen = one_disk(44);
        xen.world().xen.pauses.push((call, PAUSE_NS));
        let outcome = run_and_see(&xen, line, 1, &mut |_| {});
        ok(&outcome);
        assert_eq!(stolen_ns(&outcome.results[0]), PAUSE_NS, "{call}");
    }
}

#[test]
fn a_job_that_has_ended_does_not_count_what_is_stolen_from_others() {
    let line = "filename=xvda rw=randread iodepth=4 time_based ringmark_poll_us=0 --name=short --runtime=2 \
                --name=long --runtime=9 --name=slow --runtime=2 --rate_iops=50";
    // Without the last one nobody is looked after but for an end.
    let plain = line.split_once(" --name=slow").expect("three jobs").0;
    let results = paused(plain, 3_000_000_000);
    assert_eq!([0, 1].map(|job| stolen_ns(&results[job])), [0, PAUSE_NS]);
    let results = paused(line, 3_000_000_000);
    assert_eq!([0, 1, 2].map(|job| stolen_ns(&results[job])), [0, PAUSE_NS, 0]);
    let sum = JobResult::sum(&results).expect("three");
    assert_eq!(stolen_ns(&sum), PAUSE_NS);
}

#[test]
fn a_hypervisor_that_does_not_tell_makes_no_zero() {
    let xen = one_disk(43);
    xen.world().xen.stolen_ns = None;
    let outcome = run_and_see(&xen, "filename=xvda rw=read iodepth=4", 1, &mut |_| {});
    ok(&outcome);
    assert_eq!(outcome.results[0].stolen, None);
}

#[test]
fn a_pause_that_leaves_nothing_to_measure_is_named() {
    let xen = one_disk(44);
    let line = "filename=xvda rw=randread iodepth=1 time_based ramp_time=3 runtime=1";
    let mut pause = true;
    let outcome = run_and_see(&xen, line, 1, &mut |progress| {
        if progress.elapsed_ns >= 1_000_000_000 && std::mem::take(&mut pause) {
            xen.pause_ns(PAUSE_NS);
        }
    });
    let expected = "job job1: no I/O was issued after ramp_time=3, so nothing was measured; \
                    the vCPU was kept from running meanwhile: run the job again";
    assert_eq!(outcome.first_failure.as_deref(), Some(expected));
}
