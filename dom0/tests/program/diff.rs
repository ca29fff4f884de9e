//! `diff`: which jobs of two files belong together, what is said of them, exit codes.

use results::{Extra, Report};

use crate::stack::{Stack, emit, one_line, report};

/// A result of a job of ours at this depth.
fn of(name: &str, depth: &str, iops: f64) -> Report {
    let mut report = report(iops, None);
    let job = &mut report.jobs[0];
    job.jobname = name.to_owned();
    job.options = [("iodepth".to_owned(), depth.to_owned())].into_iter().collect();
    job.read.bw_bytes = (iops * 4096.0) as u64;
    job.read.lat_ns.mean = 1e9 / iops;
    job.ringmark = Some(Extra { members: 1, grants: "persistent".to_owned(), ..Extra::default() });
    report
}

/// Several runs as `compare --save` and `run --repeat` save them.
fn saved(runs: &[Report]) -> String {
    let runs: Vec<String> = runs
        .iter()
        .map(|run| format!("{{\"who\":\"ringmark\",\"result\":{}}}", one_line(run)))
        .collect();
    format!("{{\"runs\":[{}]}}", runs.join(","))
}

#[test]
fn figures_of_both_are_side_by_side() {
    let stack = Stack::new("figures_of_both_are_side_by_side", "");
    let mut a = of("seq", "8", 4000.0);
    a.jobs.extend(of("gone", "1", 10.0).jobs);
    let mut b = of("seq", "8", 3000.0);
    b.jobs.extend(of("new", "1", 10.0).jobs);
    stack.write("a.json", &one_line(&a));
    stack.write("b.json", &one_line(&b));
    let (code, stdout, stderr) = stack.diff(&["a.json", "b.json"]);
    let expected = "\
A: a.json, ringmark-0.1.0, 1 run
B: b.json, ringmark-0.1.0, 1 run
median (least .. greatest)                               A                              B      B/A
seq, read; ringmark, persistent
  IOPS                                                4000                           3000    0.750
  bandwidth, MiB/s                                   15.62                          11.72    0.750
  mean latency, us                                   250.0                          333.3    1.333
only in A: gone, read; ringmark, persistent
only in B: new, read; ringmark, persistent
note: a single run does not tell how far runs differ; run with --repeat
";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), expected, ""));
}

#[test]
fn a_gate_fails_when_a_median_is_worse() {
    let stack = Stack::new("a_gate_fails_when_a_median_is_worse", "");
    let runs = |iops: [f64; 3]| saved(&iops.map(|iops| of("seq", "8", iops)));
    stack.write("a.json", &runs([1000.0, 990.0, 1010.0]));
    stack.write("b.json", &runs([900.0, 890.0, 995.0]));
    let gate = |more: &[&str]| stack.diff(&[&["a.json", "b.json"], more].concat());
    let (code, stdout, stderr) = gate(&["--gate=5"]);
    assert_eq!(code, Some(1), "{stdout}");
    let expected = "ringmark: error: --gate: 1 of 1 figures worse by more than 5 %: \
                    seq, read; ringmark, persistent: IOPS 0.900\n";
    assert_eq!(stderr, expected);
    let row = stdout.lines().find(|line| line.starts_with("  IOPS")).unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    let expected = "IOPS 1000 (990 .. 1010) 900.0 (890.0 .. 995.0) 0.900 worse, but runs overlap";
    assert_eq!(row.join(" "), expected);
    assert!(!stdout.contains("note:"), "{stdout}");
    let (code, stdout, stderr) = gate(&["--gate=12%", "--by=iops,bw,clat"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let passed = "gate: 3 figures judged, none is worse by more than 12 %\n";
    assert!(stdout.ends_with(passed), "{stdout}");
    // The same the other way round is no worse.
    assert_eq!(stack.diff(&["b.json", "a.json", "--gate=5"]).0, Some(0));
    // Without percentiles there is nothing to judge.
    let (code, _, stderr) = gate(&["--gate=5", "--by=p99"]);
    assert!(code == Some(1) && stderr.contains("1 cannot be judged"), "{stderr}");
}

#[test]
fn other_work_is_said_and_not_judged() {
    let stack = Stack::new("other_work_is_said_and_not_judged", "");
    stack.write("a.json", &one_line(&of("seq", "8", 1000.0)));
    stack.write("b.json", &one_line(&of("seq", "16", 2000.0)));
    let (code, stdout, _) = stack.diff(&["a.json", "b.json"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("\n  not the same job: iodepth: 8 and 16\n"), "{stdout}");
    let (code, stdout, stderr) = stack.diff(&["a.json", "b.json", "--gate=5"]);
    assert!(code == Some(1) && stderr.contains("1 cannot be judged"), "{stderr}");
    assert!(stdout.contains("not judged"), "{stdout}");
    // A job that is gone is not judged either; one that is new need not be.
    let mut two = of("seq", "8", 1000.0);
    two.jobs.extend(of("more", "8", 1000.0).jobs);
    stack.write("b.json", &one_line(&two));
    assert_eq!(stack.diff(&["a.json", "b.json", "--gate=5"]).0, Some(0));
    let (code, _, stderr) = stack.diff(&["b.json", "a.json", "--gate=5"]);
    assert!(code == Some(1) && stderr.contains(": only in A"), "{stderr}");
}

#[test]
fn results_of_ours_and_of_fio_are_compared() {
    let stack = Stack::new("results_of_ours_and_of_fio_are_compared", "");
    let mut fios = of("seq", "8", 500.0);
    (fios.version, fios.ringmark, fios.jobs[0].ringmark) = ("fio-3.39".to_owned(), None, None);
    stack.write("a.json", &format!("note: of fio's\n{}", one_line(&fios)));
    stack.write("b.json", &saved(&[of("seq", "8", 1000.0), of("seq", "8", 1200.0)]));
    let (code, stdout, stderr) = stack.diff(&["a.json", "b.json", "--gate=1"]);
    assert_eq!(code, Some(0), "{stderr}");
    let system = "\ndiffers: system: fio-3.39 and ringmark, persistent\n";
    assert!(stdout.contains(system), "{stdout}");
    assert!(stdout.contains(" 1100 (1000 .. 1200)    2.200\n"), "{stdout}");
}

/// Facts that both jobs share are said once.
#[test]
fn another_host_is_said_and_judged() {
    let stack = Stack::new("another_host_is_said_and_judged", &emit(&of("job", "8", 1000.0)));
    for (file, xen, label) in [("a.json", "4.17.5", "before"), ("b.json", "4.20.1", "after")] {
        stack.write("info", &format!("xen_version : {xen}\n"));
        let (label, output) = (format!("--label={label}"), format!("--output={file}"));
        let arguments = ["run", "job.fio", "--output-format=json", &label, &output];
        let (code, _, stderr) = stack.run(&arguments);
        assert_eq!(code, Some(0), "{stderr}");
    }
    let (code, stdout, stderr) = stack.diff(&["a.json", "b.json", "--gate=0"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let heads = "A: a.json, before, ringmark-0.1.0, 1 run\nB: b.json, after, ringmark-0.1.0, 1 run\n\
                 differs: Xen: 4.17.5 and 4.20.1\nmedian ";
    assert!(stdout.starts_with(heads), "{stdout}");
}

#[test]
fn what_is_no_result_is_a_wrong_command_line() {
    let stack = Stack::new("what_is_no_result_is_a_wrong_command_line", "");
    stack.write("a.json", &one_line(&of("seq", "8", 1000.0)));
    stack.write("failed.json", &one_line(&report(1.0, Some("no xvdz"))));
    stack.write("iops.log", "500, 10, 0, 0, 0\n");
    for arguments in [
        &["a.json"][..],
        &["a.json", "none.json"],
        &["a.json", "iops.log"],
        &["iops.log", "a.json"],
        &["a.json", "failed.json"],
        &["a.json", "a.json", "--gate=x"],
        &["a.json", "a.json", "--gate=-1"],
        &["a.json", "a.json", "--gate=5", "--by=p50"],
        &["a.json", "a.json", "--by=bw"],
    ] {
        let (code, stdout, stderr) = stack.diff(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
    }
}
