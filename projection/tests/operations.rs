//! Operations of an I/O, as a result has counted them.

use projection::{Operations, System};
use results::{Extra, JobReport, Report};

fn job(grants: &str, bs: Option<&str>, ios: u64, counts: [Option<u64>; 3]) -> JobReport {
    let [requests, grants_made, copies_made] = counts;
    let extra =
        Extra { grants: grants.into(), requests, grants_made, copies_made, ..Extra::default() };
    let mut job = JobReport { ringmark: Some(extra), ..JobReport::default() };
    job.read.total_ios = ios;
    job.options = bs.map(|bs| ("bs".to_owned(), bs.to_owned())).into_iter().collect();
    job
}

fn measured(jobs: Vec<JobReport>) -> Result<Vec<(System, Operations)>, String> {
    let report = Report { jobs, ..Report::default() };
    // As it is read from a file.
    let text = serde_json::to_string(&report).unwrap();
    let report = Report::from_json(&text).unwrap();
    Operations::measured(&report).map_err(|error| error.to_string())
}

#[test]
fn counters_are_divided_by_ios() {
    let jobs = vec![
        job("persistent", None, 1000, [Some(1000), Some(0), Some(0)]),
        job("persistent-copy", Some("4096"), 1000, [Some(1000), Some(0), Some(1500)]),
        job("per-request", Some("4K"), 1000, [Some(1100), Some(2000), Some(0)]),
        job("per-request", Some("4k"), 1000, [Some(1000), Some(1000), Some(0)]),
    ];
    let found = |requests, grants, copies| Operations { requests, grants, copies };
    let expected = [
        (System::Persistent, found(1.0, 0.0, 0.0)),
        (System::PersistentCopy, found(1.0, 0.0, 1.5)),
        (System::PerRequest, found(1.1, 2.0, 0.0)),
    ];
    assert_eq!(measured(jobs).unwrap(), expected);
}

#[test]
fn jobs_that_say_nothing_are_passed_over() {
    let counts = [Some(1000), Some(0), Some(0)];
    for job in [
        job("persistent", Some("8k"), 1000, counts),
        job("persistent", Some("4k,8k"), 1000, counts),
        job("persistent", None, 0, counts),
        job("persistent", None, 1000, [None; 3]),
        job("persistent", None, 1000, [Some(1000), None, Some(0)]),
        job("other", None, 1000, counts),
        JobReport { ringmark: None, ..job("persistent", None, 1000, counts) },
    ] {
        let error = measured(vec![job]).unwrap_err();
        assert!(error.starts_with("no job of ringmark in it has bs=4k"), "{error}");
    }
    assert!(measured(Vec::new()).is_err());
}

/// A trim is an I/O that grants and copies nothing.
#[test]
fn jobs_that_trim_are_passed_over() {
    let counts = [Some(1000), Some(0), Some(0)];
    let trims = |mut job: JobReport| {
        job.trim.total_ios = 500;
        job
    };
    for ios in [0, 500] {
        let error = measured(vec![trims(job("per-request", Some("4k"), ios, counts))]).unwrap_err();
        assert!(error.contains("trims"), "{error}");
    }
    let reads = job("per-request", Some("4k"), 1000, [Some(1000), Some(1000), Some(0)]);
    let found = measured(vec![trims(reads.clone()), reads]).unwrap();
    let expected = Operations { requests: 1.0, grants: 1.0, copies: 0.0 };
    assert_eq!(found, [(System::PerRequest, expected)]);
}

#[test]
fn counters_that_cannot_be_are_refused() {
    for (counts, what) in [
        ([0, 0, 0], "requests"),
        ([u64::MAX, 0, 0], "requests"),
        ([1000, u64::MAX, 0], "grants made"),
        ([1000, 0, 17_000], "copies"),
    ] {
        let error = measured(vec![job("persistent", None, 1000, counts.map(Some))]).unwrap_err();
        let expected =
            format!("its number of {what} for each I/O is none that a job of 4 KiB can have");
        assert_eq!(error, expected);
    }
    let mut job = job("persistent", None, u64::MAX, [Some(1000), Some(0), Some(0)]);
    job.write.total_ios = u64::MAX;
    assert!(measured(vec![job]).unwrap_err().contains("requests"));
}
