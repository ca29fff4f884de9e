//! Tools that read fio's files read ours: those of Debian's fio package, and pandas.

use std::fs;
use std::path::Path;
use std::process::Command;

use fio_output::{LogFile, csv, json, json_plus, take_logs};
use model::report;
use results::{JobReport, Origin, Run};

/// Runs one of Debian's Python programs and returns its output.
fn python(arguments: &[&str], directory: &Path) -> String {
    let output = Command::new("/usr/bin/python3").args(arguments).current_dir(directory).output();
    let output = output.expect("python3 runs (apt-get install fio python3-pandas)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?}: {errors}\nis it there? apt-get install fio python3-pandas"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn tools_for_fios_files_read_ours() {
    let line = "bs=4k iodepth=4 filename=xvda io_size=2m --name=mixed --rw=randrw \
                --name=reads --rw=read --stonewall";
    let mut report = report(line, &[50_000]);
    report.timestamp_ms = Some(1_700_000_000_123);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("plus.json"), json_plus(&report)).unwrap();
    fs::write(directory.join("plain.json"), json(&report)).unwrap();
    let converter = "/usr/bin/fio_jsonplus_clat2csv";
    python(&[converter, "plus.json", "clat.csv"], &directory);
    let validated = python(&[converter, "plus.json", "clat.csv", "--validate"], &directory);
    assert_eq!(validated.matches("validated").count(), 2, "{validated}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fio_readers/frames.py");
    let seen = python(&[script], &directory);
    let expected = report.jobs.iter().map(|job| {
        let ios = [job.read.total_ios, job.write.total_ios].map(|ios| ios.to_string());
        format!("{} {} {}\n", job.jobname, ios.join(" "), job.read.clat_ns.max)
    });
    assert_eq!(seen, expected.collect::<String>());
}

#[test]
fn fios_plotter_reads_our_logs() {
    let line = "rw=randread bs=4k iodepth=2 runtime=2 time_based filename=xvda log_avg_msec=50 \
                write_bw_log name=one --name=two --bs=8k";
    let mut report = report(line, &[1_000_000]);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plots");
    fs::create_dir_all(&directory).unwrap();
    // To it a last window of some ms is worth as much as any other.
    let mean = |job: &JobReport| {
        let samples = &job.ringmark.as_ref().unwrap().logs[0].read.samples;
        samples.iter().map(|sample| sample.bw as f64).sum::<f64>() / samples.len() as f64
    };
    let ours: Vec<f64> = report.jobs.iter().map(|job| mean(job).floor()).collect();
    for file in take_logs(&mut report, &fio_job::parse(line).unwrap()).unwrap() {
        fs::write(directory.join(file.name), file.text).unwrap();
    }
    let seen = python(&["/usr/bin/fio2gnuplot", "-b", "-d", "."], &directory);
    assert!(seen.contains("one_bw.1.log") && seen.contains("two_bw.2.log"), "{seen}");
    // `NUMBER MEAN` for each file, in KiB a second, rounded down.
    let means = fs::read_to_string(directory.join("result.average")).unwrap();
    let means: Vec<f64> = means
        .lines()
        .filter_map(|line| line.split_once(' ').filter(|(number, _)| number.parse::<u32>().is_ok()))
        .map(|(_, mean)| mean.parse().unwrap())
        .collect();
    assert_eq!(means, ours);
}

#[test]
fn files_have_a_line_for_each_sample() {
    let line = "rw=randrw bs=4k iodepth=4 runtime=2 time_based filename=xvda log_avg_msec=100 \
                write_bw_log write_iops_log=i write_lat_log=l name=first";
    let mut report = report(line, &[1_000_000]);
    let logs = report.jobs[0].ringmark.as_ref().unwrap().logs[0].clone();
    let files = take_logs(&mut report, &fio_job::parse(line).unwrap()).unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["first_bw.1.log", "i_iops.1.log", "l_lat.1.log", "l_clat.1.log"]);
    assert_eq!(files[2].text, files[3].text);
    // By file and direction: times and values.
    let samples = |file: &LogFile, direction: u64| -> Vec<(u64, u64)> {
        let fields = |line: &str| -> Vec<u64> {
            line.split(", ").map(|field| field.parse().unwrap()).collect()
        };
        let lines = file.text.lines().map(fields).filter(|fields| fields[2] == direction);
        lines.map(|fields| (fields[0], fields[1])).collect()
    };
    for (direction, log) in [(0, &logs.read), (1, &logs.write)] {
        let expected = log.samples.iter();
        assert!(samples(&files[0], direction).into_iter().eq(expected.map(|s| (s.end_ms, s.bw))));
        let expected = log.samples.iter();
        assert!(samples(&files[1], direction).into_iter().eq(expected.map(|s| (s.end_ms, s.iops))));
        let expected = log.samples.iter().filter(|s| s.latency_ns != 0);
        let expected = expected.map(|s| (s.end_ms, s.latency_ns));
        assert!(samples(&files[2], direction).into_iter().eq(expected));
    }
}

#[test]
fn pythons_csv_module_reads_our_table() {
    let mut report = report("rw=randrw bs=4k iodepth=4 io_size=2m filename=xvda name=a", &[50_000]);
    let label = "two \"kinds\", of\nquotation; 'marks'";
    let origin = Origin { label: Some(label.to_owned()), ..Origin::default() };
    report.ringmark = Some(Run { ok: true, origin: Some(origin), ..Run::default() });
    report.jobs[0].jobname = "=cmd|' /C calc'!A0,\r\n".to_owned();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("csv");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("table.csv"), csv([&report])).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fio_readers/table.py");
    let seen = python(&[script], &directory);
    let job = &report.jobs[0];
    let expected = [("read", &job.read), ("write", &job.write)].map(|(direction, side)| {
        let (clat, ios) = (&side.clat_ns, side.total_ios);
        let [p50, p99] = [50.0, 99.0].map(|percent| clat.percentile_ns(percent).unwrap());
        let name = format!("'{}", job.jobname);
        format!("{direction} {ios} {p50} {p99} {} {name:?} {label:?}\n", clat.max)
    });
    assert_eq!(seen, expected.concat());
}
