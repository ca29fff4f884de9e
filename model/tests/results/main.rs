//! Reports of whole runs on the model: figures of a known spread of latencies, logs, groups.

use model::report;
use results::{JobReport, Log};

#[test]
fn percentiles_of_a_known_spread() {
    const MS: u64 = 1_000_000;
    // The disks take turns: of ten I/Os, seven take 1 ms, two 100 ms and one 10 s. The model adds
    // some milliseconds at most, when the backend's processor is taken away.
    let spread = [1, 1, 100, 1, 1, 10_000, 1, 100, 1, 1].map(|ms| ms * MS);
    let disks: Vec<String> = (b'a'..).take(10).map(|c| format!("xvd{}", c as char)).collect();
    let line = format!("rw=randread bs=4k io_size=4000k filename={}", disks.join(":"));
    let report = report(&line, &spread);
    let job = &report.jobs[0];
    assert_eq!(job.read.total_ios, 1_000);
    let clat = &job.read.clat_ns;
    for (percent, expected_ns) in [
        ("1.000000", MS),
        ("50.000000", MS),
        ("70.000000", MS),
        ("80.000000", 100 * MS),
        ("90.000000", 100 * MS),
        ("95.000000", 10_000 * MS),
        ("99.990000", 10_000 * MS),
    ] {
        let found = *clat.percentile.value(percent).unwrap();
        // The middle of a bin, which is at most 1/64 wide.
        let bin = expected_ns / 64 * 63..expected_ns / 64 * 65 + 20 * MS;
        assert!(bin.contains(&found), "{percent}: {found}");
    }
    let below = |ns| -> u64 {
        clat.bins.iter().filter(|&&(bin, _)| bin < ns).map(|(_, count)| count).sum()
    };
    assert_eq!([below(MS), below(50 * MS), below(5_000 * MS)], [0, 700, 900]);
    assert_eq!(job.latency_ms.value(">=2000"), Some(&10.0));
    // 700 ms, 20 s and 1,000 s.
    assert!((clat.mean / 1_020.7e6 - 1.0).abs() < 0.01, "{}", clat.mean);
    assert!((clat.stddev / 2_994.6e6 - 1.0).abs() < 0.01, "{}", clat.stddev);
    assert_eq!(job.iodepth_level.value("1"), Some(&100.0));
    // Of the 1,021 s most half seconds are spent in one of the long I/Os.
    assert_eq!((job.read.iops_samples, job.read.iops_min), (2_042, 0));
    assert!((job.read.iops_mean / 1_000.0 * 1_020.8 - 1.0).abs() < 0.01, "{}", job.read.iops_mean);
}

#[test]
fn depths_and_batches_are_those_of_the_job() {
    let line = "rw=randrw bs=4k iodepth=8 io_size=4m filename=xvda";
    let job = &report(line, &[200_000]).jobs[0];
    assert_eq!(job.read.total_ios + job.write.total_ios, 1_024);
    // All but the first seven are put as the eighth.
    let level = |key| *job.iodepth_level.value(key).unwrap();
    assert!(level("8") > 99.0 && level("16") == 0.0, "{:?}", job.iodepth_level);
    for batches in [&job.iodepth_submit, &job.iodepth_complete] {
        assert!((batches.iter().map(|(_, percent)| percent).sum::<f64>() - 100.0).abs() < 1.0);
        assert_eq!(batches.value("16"), Some(&0.0));
    }
}

#[test]
fn logs_tell_what_was_done_by_and_by() {
    let line = "rw=randrw bs=4k iodepth=4 runtime=2 time_based filename=xvda log_avg_msec=100 \
                write_bw_log write_iops_log=i write_lat_log=l name=first";
    let report = report(line, &[1_000_000]);
    let job = &report.jobs[0];
    let [logs] = &job.ringmark.as_ref().unwrap().logs[..] else { panic!("one job's logs") };
    for (Log { samples, dropped }, side) in [(&logs.read, &job.read), (&logs.write, &job.write)] {
        assert_eq!((samples.len() as u64, *dropped), (side.iops_samples, 0));
        // The last is the rest, until the last I/O.
        assert_eq!(samples.len(), 21);
        let mut before = 0;
        let mut ios = 0.0;
        for sample in samples {
            let end_ms = sample.end_ms;
            assert!(end_ms - before == 100 || end_ms > 2_000, "{before} {end_ms}");
            ios += sample.iops as f64 * (end_ms - before) as f64 / 1e3;
            before = end_ms;
            assert!(sample.bw.abs_diff(sample.iops * 4) <= 4, "{sample:?}");
        }
        let expected = side.iops * before as f64 / 1e3;
        assert!((ios / expected - 1.0).abs() < 0.03, "{ios} {expected}");
        let latencies: Vec<f64> =
            samples.iter().map(|s| s.latency_ns as f64).filter(|&ns| ns > 0.0).collect();
        let mean = latencies.iter().sum::<f64>() / latencies.len() as f64;
        assert!((mean / side.clat_ns.mean - 1.0).abs() < 0.1, "{mean} {}", side.clat_ns.mean);
    }
}

#[test]
fn a_group_is_one_job_that_did_it_all() {
    let line = "rw=randread bs=4k iodepth=2 io_size=1m filename=xvda numjobs=3 name=g";
    let single = report(line, &[100_000]);
    let group = report(&format!("{line} group_reporting percentile_list=50:99"), &[100_000]);
    assert_eq!((single.jobs.len(), group.jobs.len()), (3, 1));
    let job = &group.jobs[0];
    assert_eq!(job.ringmark.as_ref().unwrap().members, 3);
    assert_eq!((job.read.total_ios, job.read.io_bytes), (768, 3 << 20));
    assert_eq!(job.read.clat_ns.bins.iter().map(|(_, count)| count).sum::<u64>(), 768);
    let keys: Vec<&str> = job.read.clat_ns.percentile.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["50.000000", "99.000000"]);
    // The same I/Os in the same simulated time.
    let most = |figure: fn(&JobReport) -> u64| single.jobs.iter().map(figure).max().unwrap();
    assert_eq!(job.read.runtime, most(|job| job.read.runtime));
    assert_eq!(job.read.clat_ns.max, most(|job| job.read.clat_ns.max));
}

#[test]
fn flushes_are_told_by_themselves() {
    let line = "rw=write bs=4k fsync=4 number_ios=40 filename=xvda";
    let job = &report(line, &[100_000]).jobs[0];
    assert_eq!((job.write.total_ios, job.sync.total_ios), (40, 9));
    let sync = &job.sync.lat_ns;
    assert_eq!((sync.count, sync.percentile.len()), (9, 17));
    assert!(sync.min > 0 && sync.min as f64 <= sync.mean && sync.mean <= sync.max as f64);
    // They are no I/Os of the job: every figure of the writes is as without them.
    assert_eq!(job.write.io_bytes, 40 * 4096);
    assert_eq!(job.write.clat_ns.count, 40);
}
