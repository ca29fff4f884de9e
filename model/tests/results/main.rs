//! Reports of whole runs on the model: figures of a known spread of latencies, and the tools that
//! people use on fio's files.

mod readers;

use bench::engine::{self, Verdict};
use bench::job;
use bench::result::frame::Unframe;
use bench::result::{Report, emit};
use drivers::blkfront::{Setup, Vdev};
use model::guest::Device;
use model::{Disk, Guest, ModelXen};

const XVDA: u32 = 51712;

/// The report of a command line's jobs, as it arrives, on disks with these times for each I/O.
fn report(command_line: &str, service_ns: &[u64]) -> Report {
    let xen = ModelXen::seeded(5);
    let vdevs: Vec<u32> = (0..).map(|n| XVDA + 16 * n).take(service_ns.len()).collect();
    for (&vdev, &ns) in vdevs.iter().zip(service_ns) {
        let mut disk = Disk::new(vdev, 2048);
        disk.service_ns = ns..ns + 1;
        xen.attach(disk);
    }
    let jobs = job::parse(command_line).unwrap();
    let slots = jobs[0].iodepth;
    let setup = Setup { grants: jobs[0].grants, slots, pages_per_slot: 1 };
    let mut guest = Guest::boot(&xen);
    let mut devices: Vec<Device<'_>> =
        vdevs.iter().map(|&vdev| guest.connect(vdev, &setup).unwrap()).collect();
    let names: Vec<String> = vdevs.iter().map(|&vdev| Vdev(vdev).to_string()).collect();
    let mut results = Vec::new();
    for stage in jobs.chunk_by(|_, next| !next.stonewall) {
        let queues = names.iter().zip(&mut devices);
        let mut disks: Vec<_> = queues
            .map(|(name, device)| {
                let info = *device.info();
                engine::Disk { name, info, queue: &mut device.queue }
            })
            .collect();
        let outcome = engine::run(&xen, stage.to_vec(), &mut disks, &mut |_| Verdict::Continue);
        assert!(outcome.error.is_none() && outcome.first_failure.is_none(), "{outcome:?}");
        results.extend(outcome.results);
    }
    let (mut unframe, mut text) = (Unframe::default(), None);
    emit(&results, None, |line| text = unframe.line(&line.to_string()).unwrap().or(text.take()));
    Report::from_json(&text.unwrap()).unwrap()
}

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
    // A sample ends with the first I/O after 500 ms: with each of 10 s.
    assert_eq!((job.read.iops_samples, job.read.iops_max, job.read.bw_max), (100, 0, 3));
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
