//! Rates and latencies that end a job with an error (`rate_min=`, `rate_iops_min=`,
//! `max_latency=`).

use load::engine::Outcome;
use model::Disk;

use crate::{Machine, XVDA, run, vdev};

const MS: u64 = 1_000_000;
const EIO: i32 = 5;
const ETIMEDOUT: i32 = 110;

/// Runs jobs on two disks whose I/Os take 20 ms.
fn slow(line: &str) -> Outcome {
    let disk = |vdev| Disk { service_ns: 20 * MS..20 * MS + 1, ..Disk::new(vdev, 16_384) };
    let xen = Machine::seeded(41).pages(3000).disk(disk(XVDA)).disk(disk(vdev(1))).build();
    run(&xen, line, 2)
}

#[test]
fn a_rate_that_is_too_low_ends_its_job_alone() {
    for (options, reason) in [
        ("rate_iops_min=60", Some("job a: 49 reads per second are less than rate_iops_min=60")),
        ("rate_iops_min=60 rate_cycle=500", Some("less than rate_iops_min=60")),
        ("rate_iops_min=40", None),
        ("rate_iops_min=,60", None),
        ("rate_min=240k", Some("bytes read per second are less than rate_min=240k")),
        ("rate_min=160k", None),
        ("rate_iops_min=90 iodepth=2", None),
    ] {
        for exitall in [0, 1] {
            let line = format!(
                "bs=4k rw=randread runtime=6 time_based exitall_on_error={exitall} \
                 --name=a --filename=xvda {options} --name=b --filename=xvdb"
            );
            let outcome = slow(&line);
            assert_eq!(outcome.error, None, "{line}");
            let [one, other] = &outcome.results[..] else { panic!("two jobs") };
            let told = outcome.first_failure.as_deref();
            assert_eq!((one.errno, one.errors()), (if reason.is_some() { EIO } else { 0 }, 0));
            let ends_ns = match (reason, options.contains("rate_cycle")) {
                (None, _) => 6000 * MS,
                (_, true) => 2520 * MS,
                (_, false) => 3020 * MS,
            };
            assert!(one.runtime_ns.abs_diff(ends_ns) < 60 * MS, "{line}: {}", one.runtime_ns);
            let ends_ns = if exitall == 1 { ends_ns } else { 6000 * MS };
            assert!(other.runtime_ns.abs_diff(ends_ns) < 60 * MS, "{line}: {}", other.runtime_ns);
            let is_told = told.zip(reason).is_some_and(|(told, why)| told.ends_with(why));
            assert!(is_told || told.is_none() && reason.is_none(), "{line}: {told:?}");
            assert_eq!(other.errno, 0, "{line}");
        }
    }
}

#[test]
fn a_latency_that_is_too_long_ends_its_job() {
    for (options, ends) in [
        ("rw=randread bs=4k max_latency=19ms", true),
        ("rw=randread bs=4k max_latency=40ms", false),
        ("rw=randwrite bs=4k max_latency=19ms,", false),
        ("rw=randwrite bs=4k max_latency=0,19ms", true),
        ("rw=trim bs=4k max_latency=0,0,19ms", true),
        ("rw=read bs=1m max_latency=19ms", true),
        ("rw=read bs=4k iodepth=4 ramp_time=1 max_latency=19ms", true),
    ] {
        let line = format!("{options} filename=xvda:xvdb runtime=2 time_based");
        let outcome = slow(&line);
        let job = &outcome.results[0];
        assert_eq!((outcome.error, job.errors()), (None, 0), "{line}");
        assert_eq!(job.errno, if ends { ETIMEDOUT } else { 0 }, "{line}");
        let told = outcome.first_failure;
        let is_told = told.as_ref().is_some_and(|told| told.contains("is more than max_latency="));
        assert_eq!((is_told, told.is_some()), (ends, ends), "{line}: {told:?}");
        assert_eq!(ends, job.ios() < 50, "{line}: {}", job.ios());
    }
}

#[test]
fn a_ramp_is_not_judged() {
    let line = "bs=4k rw=randread rate_iops_min=60 ramp_time=4 runtime=6 time_based \
                filename=xvda:xvdb";
    let outcome = slow(line);
    let job = &outcome.results[0];
    assert_eq!(job.errno, EIO);
    assert!(job.runtime_ns.abs_diff(3020 * MS) < 60 * MS, "{}", job.runtime_ns);
}
