//! `diff`: which jobs of two files belong together, what is said of them, exit codes.

use results::{Extra, Report, Steadiness, Verdict};

use crate::stack::{Stack, emit, one_line, report, saved};

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
fn runs(all: &[Report]) -> String {
    saved(all.iter().map(|run| ("ringmark", run)))
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
    let runs = |iops: [f64; 3]| runs(&iops.map(|iops| of("seq", "8", iops)));
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
    let expected = "IOPS 1000 (990 .. 1010) 900.0 (890.0 .. 995.0) 0.900 0.800 .. 1.074 \
                    worse, but runs overlap";
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

/// The interval decides, not the median: shown slower, shown not slower, neither.
#[test]
fn what_the_runs_show_has_a_code() {
    let stack = Stack::new("what_the_runs_show_has_a_code", "");
    let around = |iops: f64, spread: f64| {
        let all = [-1.0, 1.0, -0.5, 0.5, 0.2, -0.2].map(|of| of * spread + iops);
        runs(&all.map(|iops| of("seq", "8", iops)))
    };
    stack.write("a.json", &around(1000.0, 10.0));
    for (iops, spread, code, said, error) in [
        (990.0, 10.0, 0, "not slower", ""),
        (1200.0, 100.0, 0, "not slower", ""),
        (900.0, 10.0, 1, "slower", "1 of 1 figures slower by more than 5 %: seq, read; ringmark"),
        (
            930.0,
            60.0,
            6,
            "undecided: about ",
            " undecided at 5 %: seq, read; ringmark, persistent: IOPS",
        ),
        (960.0, 60.0, 6, "undecided: about ", " runs of each would tell"),
    ] {
        stack.write("b.json", &around(iops, spread));
        let (found, stdout, stderr) = stack.diff(&["a.json", "b.json", "--fail-if-slower=5%"]);
        assert_eq!(found, Some(code), "{iops}: {stdout}{stderr}");
        let row = stdout.lines().find(|line| line.starts_with("  IOPS")).unwrap();
        assert!(row.contains(&format!("  {said}")), "{row}");
        assert!(stderr.contains(error) && (stderr.is_empty() == (code == 0)), "{stderr}");
        assert_eq!(stdout.contains("fail-if-slower: 1 figure judged, none is slower"), code == 0);
    }
    // A latency is slower where it is more.
    stack.write("b.json", &around(900.0, 10.0));
    let slower = |arguments: &[&str]| stack.diff(&[arguments, &["--fail-if-slower=5"]].concat());
    assert_eq!(slower(&["a.json", "b.json", "--by=clat"]).0, Some(1));
    assert_eq!(slower(&["b.json", "a.json", "--by=clat,iops,bw"]).0, Some(0));
    // What is slower goes before what nobody knows.
    assert_eq!(slower(&["a.json", "b.json", "--by=iops,p99"]).0, Some(1));
    assert_eq!(slower(&["b.json", "a.json", "--by=iops,p99"]).0, Some(6));
}

#[test]
fn one_run_shows_nothing() {
    let stack = Stack::new("one_run_shows_nothing", "");
    stack.write("a.json", &one_line(&of("seq", "8", 1000.0)));
    stack.write("b.json", &runs(&[900.0, 901.0].map(|iops| of("seq", "8", iops))));
    stack.write("c.json", &runs(&[900.0, 901.0].map(|iops| of("seq", "16", iops))));
    for (a, b, told) in [
        ("a.json", "a.json", "one run does not tell unless steady; run both with --repeat 6"),
        ("a.json", "b.json", "one run does not tell unless steady; run both with --repeat 6"),
        ("b.json", "c.json", "not the same job"),
    ] {
        let (code, stdout, stderr) = stack.diff(&[a, b, "--fail-if-slower=5"]);
        assert_eq!(code, Some(6), "{stdout}{stderr}");
        assert!(stderr.contains(told) && stdout.contains(told), "{stdout}{stderr}");
    }
    for arguments in [
        &["--fail-if-slower=5", "--gate=5"][..],
        &["--fail-if-slower=100"],
        &["--fail-if-slower=x"],
    ] {
        let (code, _, stderr) = stack.diff(&[&["a.json", "b.json"], arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
    }
    let (_, help, _) = stack.end(stack.spawn(&["diff", "--help"]));
    assert!(help.contains("  6  --fail-if-slower is undecided"), "{help}");
}

/// A run that is steady tells how well its mean is known; one that drifts does not.
#[test]
fn one_run_that_is_steady_can_show_it() {
    let stack = Stack::new("one_run_that_is_steady_can_show_it", "");
    let run = |iops: f64, half_width: f64, verdict: Verdict| {
        let mut report = of("seq", "8", iops);
        let steadiness = Steadiness {
            verdict,
            iops_mean: iops,
            iops_half_width: Some(half_width),
            effective_samples: 100.0,
            ..Steadiness::default()
        };
        report.jobs[0].ringmark.as_mut().unwrap().steadiness = Some(steadiness);
        one_line(&report)
    };
    stack.write("a.json", &run(1000.0, 10.0, Verdict::Steady));
    for (iops, half_width, verdict, code, told) in [
        (990.0, 10.0, Verdict::Steady, 0, "  not slower"),
        (900.0, 10.0, Verdict::Steady, 1, "  slower"),
        (930.0, 50.0, Verdict::Steady, 6, " times as long would tell, or several"),
        (990.0, 10.0, Verdict::Drifting, 6, "one run does not tell unless steady"),
        (990.0, -10.0, Verdict::Steady, 6, "one run does not tell unless steady"),
    ] {
        stack.write("b.json", &run(iops, half_width, verdict));
        let (found, stdout, stderr) = stack.diff(&["a.json", "b.json", "--fail-if-slower=5"]);
        assert_eq!(found, Some(code), "{iops}: {stdout}{stderr}");
        assert!(stdout.contains(told), "{stdout}");
    }
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
    stack.write("b.json", &runs(&[of("seq", "8", 1000.0), of("seq", "8", 1200.0)]));
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
