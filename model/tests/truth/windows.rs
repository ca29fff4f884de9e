//! Course of a job as it is told: means over windows, of a disk that stalls, and of groups.

use model::blkback::service::{Law, Service, Stalls};
use model::{Disk, ModelXen};
use results::JobResult;

use crate::{MS, Machine, S, SECTORS, XVDA, run};

/// A machine whose disk takes 0.2 ms, one at a time but for its stalls.
fn machine(stalls: Option<Stalls>) -> ModelXen {
    let service = Some(Service { stalls, ..Service::new(1, Law::Fixed(MS / 5)) });
    let xen = Machine::seeded(1).disk(Disk { service, ..Disk::new(XVDA, SECTORS) }).build();
    xen.world().xen.prompt = true;
    xen
}

#[test]
fn a_stall_is_in_the_means() {
    // Of four seconds the disk works 2.8.
    let stall = Stalls { first_ns: S, length_ns: 1_200 * MS, period_ns: None };
    let line = "rw=randread bs=4k iodepth=4 runtime=4 time_based filename=xvda";
    let outcome = run(&machine(Some(stall)), line, None);
    let read = &outcome.results[0].read;
    assert!((read.iops() / 3_500.0 - 1.0).abs() < 0.01, "{}", read.iops());
    let (iops, bw) = (read.samples.iops(), read.samples.bw());
    assert!((iops.mean / read.iops() - 1.0).abs() < 1e-9, "{iops:?}");
    assert!((bw.mean * 1024.0 / read.bytes_per_second() - 1.0).abs() < 1e-9, "{bw:?}");
    assert_eq!((iops.min, bw.min), (0, 0));
    assert!(iops.max <= 5_002 && iops.stddev() > 1_500.0, "{iops:?} {}", iops.stddev());
}

#[test]
fn a_slow_rate_is_in_the_means() {
    let line = "rw=randread bs=4k rate_iops=7 runtime=3 time_based filename=xvda";
    let outcome = run(&machine(None), line, None);
    let iops = outcome.results[0].read.samples.iops();
    assert!((iops.mean - 7.0).abs() < 0.01 && iops.count == 6, "{iops:?}");
    assert_eq!((iops.min, iops.max), (6, 8));
}

#[test]
fn a_group_has_no_more_than_the_disk() {
    // Whoever has the disk, it does 5,000 a second.
    let line = "rw=randread bs=4k iodepth=2 runtime=3 time_based numjobs=4 group_reporting \
                filename=xvda";
    let outcome = run(&machine(None), line, None);
    let sum = JobResult::sum(&outcome.results).expect("a group");
    let iops = sum.read.samples.iops();
    assert!(iops.max <= 5_002 && iops.min > 4_900, "{iops:?}");
    assert!((iops.mean / sum.read.iops() - 1.0).abs() < 1e-9, "{iops:?}");
    // By turns: neither's best is the group's.
    let line = "rw=randread bs=4k time_based group_reporting filename=xvda runtime=1 --name=a \
                --name=b --startdelay=1";
    let outcome = run(&machine(None), line, None);
    let sum = JobResult::sum(&outcome.results).expect("a group");
    let iops = sum.read.samples.iops();
    assert!(iops.max <= 5_002 && (4..=5).contains(&iops.count), "{iops:?}");
}

#[test]
fn every_io_is_in_a_window_of_the_log() {
    let line = "rw=randread bs=4k iodepth=4 runtime=1030ms time_based filename=xvda \
                log_avg_msec=100 write_iops_log=x";
    let outcome = run(&machine(None), line, None);
    let read = &outcome.results[0].read;
    let samples = &read.samples.log().samples;
    let mut before_ms = 0;
    let mut sum = 0.0;
    for sample in samples {
        sum += sample.iops as f64 * (sample.end_ms - before_ms) as f64 / 1e3;
        before_ms = sample.end_ms;
    }
    assert_eq!(samples.len(), 11);
    assert!((sum / read.ios as f64 - 1.0).abs() < 0.002, "{sum} of {}", read.ios);
}

#[test]
fn reads_before_and_in_a_read_back_are_of_one_course() {
    // In the longer case a read back alone is longer than a window.
    for ms in [2, 3] {
        let xen = machine(None);
        xen.world().disks[0].disk.service = Some(Service::new(1, Law::Fixed(ms * MS)));
        let line =
            "rw=randrw rwmixread=20 bs=4k iodepth=4 io_size=2400k verify=crc32c filename=xvda";
        let outcome = run(&xen, line, None);
        let read = &outcome.results[0].read;
        let iops = read.samples.iops();
        assert!((iops.mean / read.iops() - 1.0).abs() < 1e-3, "{iops:?} {}", read.iops());
        assert_eq!(iops.count, read.runtime_ns.div_ceil(S / 2));
        // No half second has reads of both.
        assert!(iops.max <= 1000 / ms + 2, "{ms}: {iops:?}");
    }
}
