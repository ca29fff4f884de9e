//! `--precondition`: what the guest is told, what is refused, what the result says.

use results::{JobReport, Report, Steadiness, Verdict};

use crate::stack::{Stack, emit, report};

const WRITES: &str = "[job]\nrw=randwrite\nfilename=xvda\n";

/// A result of a guest that filled, settled and measured.
fn whole(jobs: usize) -> Report {
    let mut whole = report(115_000.0, None);
    let job = whole.jobs[0].clone();
    let before = |name: &str, groupid| {
        let mut before = JobReport { jobname: name.to_owned(), groupid, ..job.clone() };
        before.read.iops = 1.0;
        before.write.io_bytes = 4096;
        let steadiness = Some(Steadiness { verdict: Verdict::Steady, ..Steadiness::default() });
        before.ringmark = Some(results::Extra { members: 1, steadiness, ..Default::default() });
        before
    };
    let jobs_before = [before("precondition: fill", 0), before("precondition: settle", 1)];
    whole.jobs = [&jobs_before[..], &[JobReport { groupid: 2, ..job }]].concat();
    whole.jobs.truncate(jobs);
    whole
}

#[test]
fn the_guest_writes_first_and_the_result_is_of_the_job() {
    let name = "the_guest_writes_first_and_the_result_is_of_the_job";
    let stack = Stack::new(name, &emit(&whole(3)));
    stack.write("job.fio", WRITES);
    let (code, stdout, stderr) =
        stack.run(&["run", "job.fio", "--precondition", "--output-format=json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let jobs = json["jobs"].as_array().unwrap();
    assert_eq!(
        (jobs.len(), &jobs[0]["jobname"], &jobs[0]["groupid"]),
        (1, &"job".into(), &0.into())
    );
    let before = &json["ringmark"]["preconditioning"];
    assert_eq!(
        (&before["filled_bytes"], &before["settled"][0]["verdict"]),
        (&4096.into(), &"steady".into())
    );
    let calls = stack.calls();
    let given = calls.lines().find(|line| line.starts_with("xenstore-write")).unwrap();
    let places = ["[precondition: fill]", "[precondition: settle]", "[job]"];
    let places = places.map(|section| given.find(section).expect(section));
    assert!(places.is_sorted(), "{given}");
    // Of several runs only the first needs it.
    let again = emit(&report(115_000.0, None));
    let script =
        format!("if [ -e first ]; then\n{again}exit\nfi\ntouch first\n{}", emit(&whole(3)));
    let stack = Stack::new(name, &script);
    stack.write("job.fio", WRITES);
    let (code, _, stderr) = stack.run(&["run", "job.fio", "--precondition", "--repeat=2"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stack.calls().matches("precondition: fill").count(), 1);
}

#[test]
fn options_alone_are_a_job_too() {
    let stack = Stack::new("options_alone_are_a_job_too", "");
    let run = |options: &[&str]| {
        stack.run(&[&["run", "--precondition", "--dry-run", "--"], options].concat())
    };
    let (code, stdout, stderr) = run(&["--rw=write", "--filename=xvda", "--size=4m"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("\n[precondition: settle]\nrw=write\n"), "{stdout}");
    let (code, _, stderr) = run(&["--rw=write", "--filename=xvda", "hold"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("needs a job file"), "{stderr}");
}

#[test]
fn nothing_is_destroyed_that_the_job_would_not() {
    let stack = Stack::new("nothing_is_destroyed_that_the_job_would_not", &emit(&whole(3)));
    let (code, _, stderr) = stack.run(&["run", "job.fio", "--precondition"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("no job writes to xvda") && stderr.contains("=force"), "{stderr}");
    assert_eq!(stack.calls(), "", "there is no guest");
    let (code, stdout, stderr) =
        stack.run(&["run", "job.fio", "--precondition=force", "--dry-run"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("\n[precondition: fill]\nrw=write\nbs=1m\n"), "{stdout}");
    let (code, _, stderr) = stack.run(&["run", "job.fio", "--precondition-limit=60"]);
    assert_eq!(code, Some(2), "{stderr}");
    stack.write("job.fio", WRITES);
    let (code, _, stderr) = stack.run(&["run", "job.fio", "--precondition", "--delivery=module"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("leave --precondition out"), "{stderr}");
}

#[test]
fn a_run_that_fails_before_the_job_says_why() {
    let mut failed = whole(1);
    let run = failed.ringmark.as_mut().unwrap();
    (run.ok, run.error) = (false, Some("xvda: no space".to_owned()));
    let stack = Stack::new("a_run_that_fails_before_the_job_says_why", &emit(&failed));
    stack.write("job.fio", WRITES);
    let (code, _, stderr) = stack.run(&["run", "job.fio", "--precondition"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("xvda: no space"), "{stderr}");
}
