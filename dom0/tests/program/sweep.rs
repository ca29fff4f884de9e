//! `sweep`: which guests it makes, what it keeps when it is ended, and how it goes on.

use std::fs;

use serde_json::Value;

use crate::stack::{Stack, emit, report};

const SWEEP: [&str; 6] = ["sweep", "job.fio", "--vary", "bs=4k,8k", "--vary", "iodepth=1..2"];

fn good() -> String {
    emit(&report(115_000.0, None))
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SWEEP[..], more].concat()
}

fn saved(stack: &Stack) -> Value {
    serde_json::from_str(&fs::read_to_string(stack.0.join("sweep.json")).unwrap()).unwrap()
}

/// The places of the runs that have a result.
fn places(stack: &Stack) -> Vec<String> {
    let file = saved(stack);
    let place = |run: &Value| {
        let at = run["at"].as_array().unwrap().iter().filter_map(Value::as_str);
        at.collect::<Vec<_>>().join(" ")
    };
    file["runs"].as_array().unwrap().iter().map(place).collect()
}

const ALL: [&str; 4] = ["4k 1", "4k 2", "8k 1", "8k 2"];

#[test]
fn each_cell_is_a_guest() {
    let stack = Stack::new("sweep_each_cell", &good());
    let (code, stdout, stderr) = stack.run(&with(&["--", "--runtime=1", "--time_based"]));
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    assert_eq!(places(&stack), ALL);
    assert!(stderr.contains("ringmark: cell 1 of 4: bs=4k iodepth=1, 4 s left\n"), "{stderr}");
    assert!(stderr.contains("ringmark: cell 4 of 4: job read 115000 IOPS\n"), "{stderr}");
    let calls = stack.calls();
    assert_eq!((calls.matches("xl create").count(), stack.has_domain()), (4, false));
    assert!(calls.contains("[global]\\x0abs=8k\\x0aiodepth=2\\x0a[global]"), "{calls}");
    for by in [&["sweep.json"][..], &["sweep.json", "--merge"]] {
        let (code, _, stderr) = stack.report(by);
        assert_eq!(code, Some(0), "{stderr}");
    }
    let page = fs::read_to_string(stack.0.join("page.html")).unwrap();
    assert_eq!(page.matches(">115k</text>").count(), 4 + 4, "cells and bars");
    assert_eq!(stack.diff(&["sweep.json", "sweep.json", "--gate=1"]).0, Some(0));
}

#[test]
fn settings_of_the_guest_are_axes_too() {
    let stack = Stack::new("sweep_guest", &good());
    let sweep = ["sweep", "--vary", "vcpus=1,2", "--vary=memory=32", "--repeat=2"];
    let (code, _, stderr) = stack.run(&[&sweep[..], &["--", "--rw=randread"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(places(&stack), ["1 32", "2 32", "1 32", "2 32"]);
    let calls = stack.calls();
    assert_eq!(calls.matches("memory=32 vcpus=2").count(), 2, "{calls}");
    assert!(stderr.contains("cell 4 of 4: vcpus=2 memory=32 (run 2 of 2), "), "{stderr}");
}

#[test]
fn all_cells_are_checked_before_the_first() {
    let stack = Stack::new("sweep_checked", &good());
    for (more, told) in [
        (&["--vary=iodepth_low=1,x"][..], "iodepth_low"),
        (&["--vary=bs=1k"], "--vary bs is there twice"),
        (&["--vary=rw=read,write", "--vary=filename=xvdb"], "no such disk"),
        (&["--vary=numjobs=1..251"], "1004 cells, of at most 1000"),
        (&["--vary=write_iops_log=x", "--vary=log_avg_msec=500"], "sweep keeps no logs"),
        (&["--timeout=5", "--", "--runtime=9", "--time_based"], "would end the guest"),
        (&["--resume"], "sweep.json: there is no sweep to resume"),
        (&["--output=disk"], "would replace the input"),
    ] {
        let (code, _, stderr) = stack.run(&with(more));
        assert_eq!(code, Some(2), "{more:?}: {stderr}");
        assert!(stderr.contains(told), "{more:?}: {stderr}");
    }
    assert_eq!(stack.run(&with(&["--output=/dev/null"])).0, Some(5));
    assert!(!stack.calls().contains("create"), "{}", stack.calls());
    assert!(!stack.0.join("sweep.json").exists());
}

#[test]
fn a_dry_run_lists_the_cells() {
    let stack = Stack::new("sweep_dry", &good());
    let (code, stdout, _) = stack.run(&with(&["--dry-run", "--", "--runtime=60", "--time_based"]));
    let expected = "# 4 of 4 runs, in this order; 4 min at least\n\
                    bs=4k iodepth=1\nbs=4k iodepth=2\nbs=8k iodepth=1\nbs=8k iodepth=2\n";
    assert_eq!((code, stdout.as_str()), (Some(0), expected));
    let (_, shuffled, _) = stack.run(&with(&["--dry-run", "--order=random", "--seed=3"]));
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&shuffled), sorted(expected));
    assert_eq!(stack.calls(), "");
}

#[test]
fn a_cell_that_fails_is_told_and_tried_again() {
    let fails = format!(
        "[ -e again ] || case $(tail -n 3 calls) in *bs=4k*iodepth=2*) {} exit ;; esac\n{}",
        emit(&report(1.0, Some("no memory"))),
        good()
    );
    // The job of a guest is in the calls.
    let stack = Stack::new("sweep_fails", &fails);
    let (code, _, stderr) = stack.run(&SWEEP);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("cell 2 of 4 failed: the guest reports: no memory"), "{stderr}");
    assert!(stderr.contains("error: 1 of 4 runs failed:\n  bs=4k iodepth=2: the"), "{stderr}");
    assert_eq!(places(&stack), ["4k 1", "8k 1", "8k 2"]);
    assert_eq!(saved(&stack)["failed"][0]["error"], "the guest reports: no memory");
    assert_eq!(stack.report(&["sweep.json"]).0, Some(0));
    stack.write("again", "");
    let (code, _, stderr) = stack.run(&with(&["--resume"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(places(&stack), ["4k 1", "8k 1", "8k 2", "4k 2"]);
    assert_eq!(saved(&stack)["failed"].as_array().map(Vec::len), Some(0));
}

/// A signal at each call of the tool stack's programs: what was done stays, and the rest follows.
#[test]
fn a_sweep_goes_on_where_it_was_interrupted() {
    let stack = Stack::new("sweep_calls", &good());
    assert_eq!(stack.run(&SWEEP).0, Some(0));
    let calls = stack.calls().lines().count();
    let each = calls / ALL.len();
    for (number, kind) in (1..=calls).step_by(3).zip(["INT", "TERM", "twice"].into_iter().cycle()) {
        let stack = Stack::new("sweep_interrupted", &good());
        stack.write("trouble", &format!("{number} {kind}\n"));
        let (code, _, stderr) = stack.run(&SWEEP);
        let done = (number - 1) / each;
        assert!(!stack.has_domain(), "{number} {kind}: {stderr}");
        let path = stack.0.join("sweep.json");
        let kept = if path.exists() { places(&stack) } else { Vec::new() };
        assert!(kept.len() >= done && kept.len() <= done + 1, "{number} {kind}: {kept:?}");
        assert_eq!(kept, ALL[..kept.len()], "{number} {kind}");
        if kept.len() < ALL.len() {
            assert_eq!(code, Some(3), "{number} {kind}: {stderr}");
            let told = format!("with --resume goes on; {} of 4 runs are in", kept.len());
            assert!(stderr.contains(&told), "{number} {kind}: {stderr}");
        }
        stack.write("trouble", "");
        let arguments = if path.exists() { with(&["--resume"]) } else { SWEEP.to_vec() };
        let (code, _, stderr) = stack.run(&arguments);
        assert_eq!((code, places(&stack)), (Some(0), ALL.map(str::to_owned).to_vec()), "{stderr}");
    }
}

#[test]
fn only_the_same_sweep_is_resumed() {
    let stack = Stack::new("sweep_resumed", &good());
    assert_eq!(stack.run(&SWEEP).0, Some(0));
    let whole = fs::read_to_string(stack.0.join("sweep.json")).unwrap();
    let (code, _, stderr) = stack.run(&SWEEP);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("sweep.json: it is there; --resume goes on with it"), "{stderr}");
    assert_eq!(stack.run(&with(&["--resume"])).0, Some(0));
    for (more, told) in [
        (&["--vary=rw=read"][..], "axes: nothing and rw=read"),
        (&["--memory=32"], "guest: memory = 64 and memory = 32"),
        (&["--repeat=2"], "repeat: 1 and 2"),
        (&["--order=random"], "order: grid and seed 1"),
        (&["--", "--rw=randread"], "job: 18 bytes, "),
        (&["--disk=phy:kernel"], "guest: disk = "),
    ] {
        let (code, _, stderr) = stack.run(&[&with(&["--resume"])[..], more].concat());
        assert_eq!(code, Some(2), "{more:?}: {stderr}");
        assert!(stderr.contains(&format!("it is of another sweep; {told}")), "{stderr}");
    }
    stack.write("kernel", "\x7fELF, a new one");
    let (_, _, stderr) = stack.run(&with(&["--resume"]));
    assert!(stderr.contains("another sweep; kernel: 4 bytes, "), "{stderr}");
    stack.write("kernel", "\x7fELF");
    for damaged in [&whole[..whole.len() / 2], "{}", "1, 2, 3\n", "{\"runs\":[]}", "\u{1b}"] {
        stack.write("sweep.json", damaged);
        assert_eq!(stack.run(&with(&["--resume"])).0, Some(2), "{damaged}");
        assert_eq!(fs::read_to_string(stack.0.join("sweep.json")).unwrap(), damaged);
    }
    assert_eq!(stack.calls().matches("xl create").count(), 4);
}
