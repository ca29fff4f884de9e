//! Tools that read fio's files read ours: the converter of Debian's fio package, and pandas.

use std::fs;
use std::path::Path;
use std::process::Command;

use bench::result::{json, json_plus};

/// Runs one of Debian's Python programs and gives what it prints.
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
    let mut report = super::report(line, &[50_000]);
    report.timestamp_ms = Some(1_700_000_000_123);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("plus.json"), json_plus(&report)).unwrap();
    fs::write(directory.join("plain.json"), json(&report)).unwrap();
    let converter = "/usr/bin/fio_jsonplus_clat2csv";
    python(&[converter, "plus.json", "clat.csv"], &directory);
    let validated = python(&[converter, "plus.json", "clat.csv", "--validate"], &directory);
    assert_eq!(validated.matches("validated").count(), 2, "{validated}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/results/frames.py");
    let seen = python(&[script], &directory);
    let expected = report.jobs.iter().map(|job| {
        let ios = [job.read.total_ios, job.write.total_ios].map(|ios| ios.to_string());
        format!("{} {} {}\n", job.jobname, ios.join(" "), job.read.clat_ns.max)
    });
    assert_eq!(seen, expected.collect::<String>());
}
