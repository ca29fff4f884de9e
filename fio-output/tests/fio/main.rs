//! fio itself as the oracle: what a real fio prints of a run in one form, our types read and print
//! in all others as it does. Needs fio 3.33 (Debian 12).

mod absurd;
mod text;

use std::process::Command;

use results::{Extra, Histogram, JobReport, Latency, Report};

/// Runs of fio that show each part of its output.
const RUNS: [&str; 10] = [
    "--name=mixed --ioengine=null --size=8m --rw=randrw --bs=4k --iodepth=4",
    "--name=paced --ioengine=null --rw=rw --size=1g --rate_iops=2000,500 --runtime=1200ms \
     --percentile_list=0.5:12.5:33.333:50:99.9:99.999:100 --description=at_a_pace",
    "--name=flushed --filename=fio.tmp --ioengine=psync --rw=randwrite --bs=8k --size=2m --fsync=4",
    "--name=all --ioengine=null --size=4m --rw=read --slat_percentiles=1 --lat_percentiles=1",
    "--name=lat --ioengine=null --size=4m --rw=read --clat_percentiles=0 --lat_percentiles=1",
    "--name=none --ioengine=null --size=4m --rw=write --clat_percentiles=0 \
     --continue_on_error=all",
    "--ioengine=null --size=4m --name=one --rw=read --name=two --rw=write --stonewall \
     --name=three --rw=randread --bs=16k",
    "--ioengine=null --size=4m --group_reporting --rw=randrw --numjobs=3 --rate_iops=1000 \
     --runtime=1100ms --time_based --name=group",
    "--ioengine=null --size=1g --name=steady --rw=randrw --rate_iops=700,300 --runtime=9 \
     --time_based --steadystate=bw:50% --ss_dur=2 --ss_ramp=1",
    "--ioengine=null --size=1g --numjobs=2 --group_reporting --name=drifting --rw=randread \
     --rate_iops=5000 --runtime=4 --time_based --ss=iops_slope:0.000001 --ss_dur=3",
];

struct Printed {
    terse: String,
    json: String,
    normal: String,
}

fn run_fio(arguments: &str, format: &str) -> Printed {
    let output = Command::new("fio")
        .args(arguments.split_whitespace())
        .args([&format!("--output-format={format}"), "--disk_util=0"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("fio runs (apt-get install fio)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("plain text");
    // In this order, after what fio says at the start.
    let json_at = text.find("\n{\n").expect("JSON") + 1;
    let json_end = text.find("\n}\n").expect("the JSON ends") + 3;
    let terse = text[..json_at].lines().filter(|line| line.starts_with("3;"));
    Printed {
        terse: terse.map(|line| format!("{line}\n")).collect(),
        json: text[json_at..json_end].to_owned(),
        normal: text[json_end..].to_owned(),
    }
}

fn latencies(job: &JobReport) -> Vec<&Latency> {
    let sides = job.sides().into_iter();
    let latencies = sides.flat_map(|(_, side)| [&side.slat_ns, &side.clat_ns, &side.lat_ns]);
    latencies.chain([&job.sync.lat_ns]).collect()
}

#[test]
fn what_fio_prints_of_a_run_we_print_of_its_json() {
    for arguments in RUNS {
        let theirs = run_fio(arguments, "json+,terse,normal");
        let mut report = Report::from_json(&theirs.json).expect(arguments);
        assert_eq!(fio_output::json_plus(&report), theirs.json, "{arguments}");
        if let Some((_, numjobs)) = arguments.split_once("--numjobs=") {
            // fio's JSON does not tell how many jobs a group has.
            let members = numjobs[..1].parse().expect("a digit");
            report.jobs[0].ringmark = Some(Extra { members, ..Extra::default() });
        }
        text::assert_alike(&fio_output::terse(&report), &theirs.terse);
        // A guest has no processes, and fio takes the time once more.
        let until_pid = |line: &str| line.split(": pid=").next().unwrap_or_default().to_owned();
        let plain = |text: &str| text.lines().map(until_pid).collect::<Vec<_>>().join("\n");
        text::assert_alike(&plain(&fio_output::normal(&report)), &plain(&theirs.normal));
    }
}

#[test]
fn json_is_json_plus_without_bins() {
    for arguments in [RUNS[0], RUNS[3], RUNS[6]] {
        let theirs = run_fio(arguments, "normal,json").json;
        let report = Report::from_json(&theirs).expect(arguments);
        assert_eq!(fio_output::json(&report), theirs);
        assert_eq!(fio_output::json_plus(&report), theirs);
    }
    let report = Report::from_json(&run_fio(RUNS[0], "normal,json+").json).expect("JSON");
    let plain = Report::from_json(&fio_output::json(&report)).expect("JSON");
    let bins = |report: &Report| -> usize {
        report.jobs.iter().flat_map(latencies).map(|latency| latency.bins.len()).sum()
    };
    assert!(bins(&report) > 0 && bins(&plain) == 0);
}

#[test]
fn percentiles_of_fios_samples_are_fios() {
    let (mut histograms, mut percentiles) = (0, 0);
    for arguments in RUNS {
        let report = Report::from_json(&run_fio(arguments, "normal,json+").json).expect(arguments);
        for latency in report.jobs.iter().flat_map(latencies).filter(|l| !l.bins.is_empty()) {
            let mut histogram = Histogram::new();
            for &(middle, count) in latency.bins.iter() {
                (0..count).for_each(|_| histogram.record(middle, 1));
            }
            assert_eq!(histogram.moments().count(), latency.count);
            assert!(histogram.bins().eq(latency.bins.iter().copied()), "buckets are fio's");
            for (percent, ns) in latency.percentile.iter() {
                let found = histogram.percentile_ns(percent.parse().expect("a number"));
                assert_eq!(found, *ns, "{percent} of {arguments}");
                percentiles += 1;
            }
            histograms += 1;
        }
    }
    println!("{percentiles} percentiles of {histograms} histograms are fio's");
    assert!(percentiles > 100);
}
