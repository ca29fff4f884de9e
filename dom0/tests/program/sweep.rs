//! `sweep`: which guests it makes, what it keeps when it is ended, and how it goes on.

use std::fs;

use results::{JobReport, Report};
use serde_json::Value;

use crate::stack::{Stack, emit, report};

const SWEEP: [&str; 6] = ["sweep", "job.fio", "--vary", "bs=4k,8k", "--vary", "iodepth=1..2"];

/// The result of a job file, each of whose jobs read so fast.
fn result(job: &str, iops: f64) -> Report {
    let one = report(iops, None).jobs.remove(0);
    let reported = |job: &fio_job::Job| {
        let options = job.options().into_iter().map(|(name, value)| (name.to_owned(), value));
        JobReport { options: options.collect(), jobname: job.name.clone(), ..one.clone() }
    };
    let jobs = fio_job::parse_file(job).unwrap().iter().map(reported).collect();
    Report { jobs, ..report(iops, None) }
}

/// A guest that tells the options of its cell, which it finds by its job.
fn good() -> String {
    let arm = |(bs, iodepth): (&str, u32)| {
        let job = format!("[job]\nrw=randread\nbs={bs}\niodepth={iodepth}\n");
        let told = emit(&result(&job, 115_000.0));
        format!("*bs={bs}*iodepth={iodepth}*)\n{told};;\n")
    };
    let cells = ["4k", "8k"].into_iter().flat_map(|bs| [1, 2].map(|iodepth| (bs, iodepth)));
    let arms: String = cells.map(arm).collect();
    format!("case $(grep ^xenstore-write calls | tail -n 1) in\n{arms}esac\n")
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
    let (code, stdout, stderr) = stack.run(&SWEEP);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    assert_eq!(places(&stack), ALL);
    assert!(stderr.contains("ringmark: run 1 of 4: bs=4k iodepth=1\n"), "{stderr}");
    assert!(stderr.contains("ringmark: run 4 of 4: job read 115000 IOPS\n"), "{stderr}");
    let calls = stack.calls();
    assert_eq!((calls.matches("xl create").count(), stack.has_domain()), (4, false));
    assert!(calls.contains("[global]\\x0abs=8k\\x0aiodepth=2\\x0a[job]"), "{calls}");
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
    let job = "[job]\nrw=randread\nruntime=1\ntime_based\n";
    let stack = Stack::new("sweep_guest", &emit(&result(job, 1.0)));
    let sweep = ["sweep", "--vary", "vcpus=1,2", "--vary=memory=32", "--repeat=2"];
    let options = ["--", "--rw=randread", "--runtime=1", "--time_based"];
    let (code, _, stderr) = stack.run(&[&sweep[..], &options].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains("run 1 of 4: vcpus=1 memory=32 (repeat 1 of 2), 4 s left\n"),
        "{stderr}"
    );
    assert_eq!(places(&stack), ["1 32", "2 32", "1 32", "2 32"]);
    let calls = stack.calls();
    assert_eq!(calls.matches("memory=32 vcpus=2").count(), 2, "{calls}");
    assert!(stderr.contains("run 4 of 4: vcpus=2 memory=32 (repeat 2 of 2), "), "{stderr}");
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
        (&["--seed=3"], "--seed is that of --order random"),
        (&["--vary=rwmixread=1..100", "--repeat=100"], "make no difference"),
    ] {
        let (code, _, stderr) = stack.run(&with(more));
        assert_eq!(code, Some(2), "{more:?}: {stderr}");
        assert!(stderr.contains(told), "{more:?}: {stderr}");
    }
    // The directory of `comm`, which is a regular file, takes no new one.
    let again = "again and again; name a regular file in a directory that takes new files";
    for (output, told) in [
        ("/dev/null", again),
        ("/proc/self/comm", again),
        ("none/out", "cannot write none/out"),
        ("job.fio/out", "cannot write job.fio/out"),
    ] {
        for more in [&["--dry-run"][..], &[]] {
            let output = format!("--output={output}");
            let (code, _, stderr) = stack.run(&with(&[&[output.as_str()], more].concat()));
            assert_eq!(code, Some(5), "{output} {more:?}: {stderr}");
            assert!(stderr.contains(told), "{output} {more:?}: {stderr}");
        }
    }
    assert!(!stack.calls().contains("create"), "{}", stack.calls());
    assert!(!stack.0.join("sweep.json").exists());
}

/// Values that mean the same, and options that decide in place of an axis.
#[test]
fn cells_that_are_the_same_are_refused() {
    let stack = Stack::new("sweep_same", &good());
    for (axes, options, told) in [
        (
            &["bs=4k,64k,4096"][..],
            &["rw=randread"][..],
            "--vary bs: 4k and 4096 make no difference",
        ),
        (&["bs=4k,64k"], &["bssplit=4k/50:8k/50"], "--vary bs: 4k and 64k make no"),
        (&["iodepth=4,8", "rwmixread=30,70"], &["rw=read"], "--vary rwmixread: 30 and 70 make no"),
        (&["rwmixread=30,70"], &["rw=randrw", "rwmixwrite=50", "filename=xvda"], "30 and 70 make"),
        (&["cpus_allowed=0,1"], &["cpumask=1"], "--vary cpus_allowed: 0 and 1 make no"),
        (&["rw=randread,rw", "rwmixread=30,70"], &["filename=xvda"], "rwmixread: 30 and 70 make"),
        (&["vcpus=1,2,01"], &["rw=read"], "--vary vcpus: 1 and 01 make no difference"),
    ] {
        let axes: Vec<String> = axes.iter().map(|axis| format!("--vary={axis}")).collect();
        let axes: Vec<&str> = axes.iter().map(String::as_str).collect();
        let (code, _, stderr) = stack.run(&[&["sweep"], &axes[..], &["--"], options].concat());
        assert_eq!(code, Some(2), "{axes:?}: {stderr}");
        assert!(stderr.contains(told), "{axes:?}: {stderr}");
    }
    assert_eq!(stack.calls(), "");
}

#[test]
fn a_file_that_no_report_could_read_is_refused_before_the_first_guest() {
    let stack = Stack::new("sweep_long", &good());
    let many = ["sweep", "job.fio", "--vary=iodepth=1..1000", "--repeat=100"];
    let (code, _, stderr) = stack.run(&many);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("MiB at least, and `ringmark report` reads 128 MiB"), "{stderr}");
    assert_eq!(stack.calls(), "");
}

#[test]
fn help_tells_how_values_are_written_and_how_it_ends() {
    let stack = Stack::new("sweep_help", "");
    let (code, stdout, _) = stack.end(stack.spawn(&["sweep", "--help"]));
    assert_eq!(code, Some(0));
    for told in ["'bs=4k..2m*8'", "a comma always divides", "  3  interrupted; --resume goes on"] {
        assert!(stdout.contains(told), "{stdout}");
    }
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
        "[ -e again ] || case $(grep ^xenstore-write calls | tail -n 1) in *bs=4k*iodepth=2*) {} exit ;; esac\n{}",
        emit(&report(1.0, Some("no memory"))),
        good()
    );
    let stack = Stack::new("sweep_fails", &fails);
    let (code, _, stderr) = stack.run(&SWEEP);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("run 2 of 4 failed: the guest reports: no memory"), "{stderr}");
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
        let kept = places(&stack);
        assert!(kept.len() >= done && kept.len() <= done + 1, "{number} {kind}: {kept:?}");
        assert_eq!(kept, ALL[..kept.len()], "{number} {kind}");
        if kept.len() < ALL.len() {
            assert_eq!(code, Some(3), "{number} {kind}: {stderr}");
            let told = format!("with --resume goes on; {} of 4 runs are in", kept.len());
            assert!(stderr.contains(&told), "{number} {kind}: {stderr}");
        }
        stack.write("trouble", "");
        let (code, _, stderr) = stack.run(&with(&["--resume"]));
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

/// Changes the file that was saved.
fn change(stack: &Stack, change: impl FnOnce(&mut Value)) {
    let mut file = saved(stack);
    change(&mut file);
    stack.write("sweep.json", &file.to_string());
}

/// A change of a file by somebody else.
type Lie = fn(&mut Value);

#[test]
fn runs_of_another_sweep_are_not_believed() {
    let stack = Stack::new("sweep_believed", &good());
    assert_eq!(stack.run(&SWEEP).0, Some(0));
    let whole = fs::read_to_string(stack.0.join("sweep.json")).unwrap();
    let changes: [(Lie, &str); 9] = [
        (|file| file["runs"][0]["at"][0] = "16k".into(), "run 1 (bs=16k iodepth=1) is not"),
        (|file| file["runs"][1]["repetition"] = 2.into(), "it is run 2 of 1"),
        (|file| file["runs"][2]["at"] = file["runs"][0]["at"].clone(), "job job: bs is 8k, not 4k"),
        (|file| file["runs"][1] = file["runs"][0].clone(), "it is there twice"),
        (|file| file["runs"][0]["who"] = "linux".into(), "it is not of ringmark"),
        (|file| file["runs"][0]["result"]["jobs"][0]["jobname"] = "a".into(), "is a, not job"),
        (
            |file| file["runs"][0]["result"]["ringmark"]["origin"]["job"][1] = "rw=read".into(),
            "it is of another job file",
        ),
        (
            |file| file["runs"][0]["result"]["ringmark"]["origin"]["domain"]["vcpus"] = 2.into(),
            "it is of a guest with other memory or vCPUs",
        ),
        (|file| file["runs"][3]["result"]["ringmark"]["ok"] = false.into(), "the run failed"),
    ];
    for (index, (lie, told)) in changes.into_iter().enumerate() {
        stack.write("sweep.json", &whole);
        change(&stack, lie);
        let lied = fs::read_to_string(stack.0.join("sweep.json")).unwrap();
        let (code, _, stderr) = stack.run(&with(&["--resume"]));
        assert_eq!(code, Some(2), "{index}: {stderr}");
        assert!(stderr.contains(told) && stderr.contains("name another --output"), "{stderr}");
        assert_eq!(fs::read_to_string(stack.0.join("sweep.json")).unwrap(), lied);
    }
    assert_eq!(stack.calls().matches("xl create").count(), 4);
}

/// A guest with other options than those of its cell is of another version.
#[test]
fn a_result_of_another_job_is_a_failure() {
    let stack = Stack::new("sweep_other", &emit(&result("[job]\nrw=randread\n", 1.0)));
    let (code, _, stderr) = stack.run(&["sweep", "job.fio", "--vary=bs=4k,8k"]);
    assert_eq!((code, places(&stack)), (Some(1), vec!["4k".to_owned()]), "{stderr}");
    let told = "not believed: job job: bs is 4k, not 8k; use guest and tool of the same version";
    assert!(stderr.contains(told), "{stderr}");
}

#[test]
fn two_sweeps_do_not_share_a_file() {
    let stack = Stack::new("sweep_shared", "sleep 1000");
    let first = stack.start(&SWEEP);
    stack.wait_for_call("xl unpause");
    for more in [&["--name=b"][..], &["--name=b", "--vary=rw=read"]] {
        let (code, _, stderr) = stack.run(&with(more));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("sweep.json: it is there"), "{stderr}");
    }
    let (code, _, stderr) = stack.run(&with(&["--resume"]));
    assert_eq!(code, Some(5), "{stderr}");
    let told = "cannot write sweep.json: another ringmark writes it; wait for its end";
    assert!(stderr.contains(told), "{stderr}");
    assert_eq!(stack.calls().matches("xl create").count(), 1);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(first.id() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    assert_eq!(stack.end(first).0, Some(3));
    stack.write("guest.sh", &good());
    assert_eq!(stack.run(&with(&["--resume"])).0, Some(0));
    assert_eq!(places(&stack), ALL);
}

/// Ends the sweep, in one line: what no later cell could do better.
#[test]
fn a_sweep_that_cannot_go_on_ends_at_once() {
    let bad = emit(&report(1.0, Some("no memory")));
    for (guest, file, told) in [
        (bad.as_str(), "keep", "the sweep ends: domain ringmark may be left behind"),
        (&good(), "keep", "the sweep ends: domain ringmark may be left behind"),
        (&good(), "domain", "the sweep ends: domain ringmark already exists (id 7)"),
        (&good(), "no xl", "the sweep ends: xl was not found; run this in dom0"),
        (&good(), "no xenstore-write", "the sweep ends: xenstore-write was not found"),
    ] {
        let stack = Stack::new("sweep_ends", guest);
        stack.write(file, "");
        if let Some(program) = file.strip_prefix("no ") {
            fs::remove_file(stack.0.join(program)).unwrap();
        }
        let (code, _, stderr) = stack.run(&SWEEP);
        assert_eq!(code, Some(1), "{file}: {stderr}");
        let errors: Vec<&str> = stderr.lines().filter(|line| line.contains("error:")).collect();
        assert!(errors.len() == 1 && errors[0].contains(told), "{file}: {stderr}");
        assert!(errors[0].contains("with --resume goes on; "), "{file}: {stderr}");
        assert!(stack.calls().matches("xl create").count() <= 1, "{file}: {stderr}");
        assert_eq!(saved(&stack)["sweep"]["axes"][0]["name"], "bs");
    }
}
