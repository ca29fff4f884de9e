//! `fleet --mix`: Linux guests beside ours, which start with them and are summed up apart.

use std::fs;
use std::process::Child;
use std::time::Duration;

use crate::fleet::{STATUS, by_number, json, result};
use crate::fleet_stack::FleetStack;
use crate::run::kill;
use crate::stack::{emit, one_line, report};

/// A Linux guest that waits for a line, notes what there was before it, and has this result.
fn linux(result: &str) -> String {
    format!(
        "echo booting\necho 'peer: ready'\nread -r line || exit\ncp calls typed.$id\n\
         printf '%s\\n' 'peer-result: {result}'\n"
    )
}

fn linux_result(iops: f64) -> String {
    let mut report = report(iops, None);
    report.version = "fio-3.39".to_owned();
    report.ringmark = None;
    one_line(&report)
}

/// Two of ours, and a Linux guest that does this; the last is a good one.
fn guests(third: &str) -> String {
    let [one, two] = [1000.0, 2000.0]
        .map(|iops| format!("ready 1\necho '{STATUS}'\n{}", emit(&result(iops, 10, 20))));
    let last = format!("case $id in\n3) {third}\n;;\n*) {}\n;;\nesac", linux(&linux_result(50.0)));
    by_number([&one, &two, &last])
}

fn stack(name: &str, guests: &str) -> FleetStack {
    let stack = FleetStack::new(name, guests);
    stack.write("peer.cpio", "an archive");
    (3..=4).for_each(|id| stack.terminal(id));
    stack
}

fn begin(stack: &FleetStack, arguments: &[&str]) -> Child {
    let disk = format!("phy:{}", stack.path("disk{n}"));
    let mix = ["--mix=linux:2", "--peer-kernel=vmlinux", "--peer-initramfs=peer.cpio"];
    let fleet = ["fleet", "job.fio", "--kernel=kernel", "--disk", &disk, "-n", "2"];
    stack.spawn(&[&fleet[..], &mix, arguments].concat())
}

#[test]
fn both_systems_start_together_and_are_summed_up_apart() {
    let stack = stack("mix_good", &guests(&linux(&linux_result(70.0))));
    let (code, stdout, stderr) = stack.finish(begin(&stack, &["--", "--runtime=10"]));
    assert_eq!(code, Some(0), "{stderr}");
    let expected = "\
job, read, ringmark: 2 of 2 guests
guest               IOPS  bandwidth, MiB/s  mean latency, us  99 % within, us
ringmark-1          1000              3.91              0.01                -
ringmark-2          2000              7.81              0.01                -
sum                 3000             11.72              0.01                -
least               1000              3.91                 -                -
greatest            2000              7.81                 -                -
fairness 0.9000 (1: all alike, 0.5000: one has all), begun within 0.000 ms, 100.0 % of the time \
measured by all
job, read, linux: 2 of 2 guests
guest               IOPS  bandwidth, MiB/s  mean latency, us  99 % within, us
ringmark-3            70              0.00              0.01                -
ringmark-4            50              0.00              0.01                -
sum                 120*             0.00*              0.01                -
least                 50              0.00                 -                -
greatest              70              0.00                 -                -
fairness 0.9730 (1: all alike, 0.5000: one has all)
* sum: rates are of each guest's own time, and not all say when they measured
job, read, all: 4 of 4 guests
guest               IOPS  bandwidth, MiB/s  mean latency, us  99 % within, us
sum                3120*            11.72*              0.01                -
* sum: rates are of each guest's own time, and not all say when they measured
";
    assert_eq!(stdout, expected);
    // Both are told when all are there; the job of the one is not that of the other.
    let told = "/local/domain/2/ringmark/start 1";
    for id in 3..=4 {
        let before = fs::read_to_string(stack.0.join(format!("typed.{id}"))).unwrap();
        assert!(before.contains(told), "{before}");
        let domain = format!("/local/domain/{id}/ringmark");
        assert!(!before.contains(&format!("{domain}/job")), "{before}");
    }
    let creations = stack.calls_of("xl create");
    let created = creations.iter().find(|call| call.contains(" name=\"ringmark-4\" ")).unwrap();
    for words in [
        " kernel=\"vmlinux\" ",
        " memory=400 ",
        " extra=\"console=hvc0 quiet typed=yes\" ",
        &format!("target={}\"]", stack.path("disk4")),
    ] {
        assert!(created.contains(words), "no {words} in {created}");
    }
}

#[test]
fn json_tells_the_systems_apart() {
    let stack = stack("mix_json", &guests(&linux(&linux_result(70.0))));
    let arguments = ["--output-format=json", "--output=out"];
    let (code, _, stderr) = stack.finish(begin(&stack, &arguments));
    assert_eq!(code, Some(0), "{stderr}");
    let out = json(&fs::read_to_string(stack.0.join("out")).unwrap());
    let fleet = &out["ringmark"]["fleet"];
    assert_eq!((&fleet["guests"], &fleet["linux"]), (&4.into(), &2.into()));
    assert_eq!((&fleet["started"], &fleet["complete"]), (&4.into(), &true.into()));
    let sums: Vec<_> = (0..3)
        .map(|n| &fleet["sums"][n])
        .map(|sum| (sum["system"].as_str().unwrap(), sum["sum"]["iops"].as_f64().unwrap()))
        .collect();
    assert_eq!(sums, [("ringmark", 3000.0), ("linux", 120.0), ("all", 3120.0)]);
    for n in 0..4 {
        assert_eq!(out["jobs"][n]["jobname"], format!("ringmark-{}/job", n + 1));
        assert_eq!(out["jobs"][n]["ringmark"].is_null(), n >= 2);
    }
    assert_eq!(stack.report(&["out"]).0, Some(0));
    assert_eq!(stack.diff(&["out", "out", "--gate=1"]).0, Some(0));
}

#[test]
fn a_linux_guest_without_a_result_is_named() {
    let failed = report(5.0, None);
    let failed = {
        let mut failed = failed;
        failed.jobs[0].error = 5;
        failed.ringmark = None;
        one_line(&failed)
    };
    let fails = "echo 'peer: ready'; read -r line; echo 'peer: fio failed'; echo 'fio: no xvdb'";
    for (third, state, why) in [
        (
            "echo booting; sleep 1000",
            "-b----",
            "the guest was not ready to start stage 1 within 2 s",
        ),
        (
            "echo booting; sleep 1000",
            "-b----",
            "with typed=yes its /init is to print `peer: ready`",
        ),
        (fails, "---s--", "the guest has ended without a result; last lines of its console"),
        (fails, "---s--", "| peer: fio failed | fio: no xvdb"),
        (&*linux(&failed), "-b----", "job job ended with error 5"),
        (&*linux("{\"jobs\":"), "-b----", "fio's result can't be read"),
        (&*linux(&linux_result(9.0).replace("\"job\"", "\"a\"")), "-b----", "result is a, not job"),
        (
            &*format!("printf '%s\\n' 'peer-result: {}'", linux_result(9.0)),
            "-b----",
            "the guest did not wait for the others; with typed=yes its /init",
        ),
        ("echo 'peer: ready'; read -r line; echo 'peer: ready'; sleep 9", "-b----", "out of step"),
    ] {
        let stack = stack("mix_lost", &guests(third));
        stack.write("state.3", state);
        let (code, stdout, stderr) = stack.finish(begin(&stack, &["--ready-timeout=2"]));
        assert_eq!(code, Some(1), "{why}: {stderr}");
        let named = stderr.lines().find(|line| line.starts_with("  ringmark-3: ")).unwrap();
        assert!(named.contains(why), "{why}: {stderr}");
        assert!(stdout.contains("job, read, ringmark: 2 of 2 guests\n"), "{why}: {stdout}");
        assert!(stdout.contains("job, read, linux: 1 of 2 guests\n"), "{why}: {stdout}");
        assert!(stdout.contains("\n* sum: incomplete, of 1 of 2 guests\n"), "{why}: {stdout}");
        assert!(stdout.contains("job, read, all: 3 of 4 guests\n"), "{why}: {stdout}");
    }
}

#[test]
fn signals_end_both() {
    for signals in [&["INT"][..], &["TERM"], &["TERM", "INT"]] {
        let stopped = emit(&result(500.0, 10, 12));
        let ours = format!("ready 1; while [ ! -e asked ]; do sleep 0.1; done\n{stopped}");
        let theirs = "echo 'peer: ready'; read -r line; touch typed.$id; sleep 1000";
        let stack = stack("mix_signals", &by_number([&ours, &ours, theirs]));
        let child = begin(&stack, &[]);
        stack.wait_for_call("/local/domain/2/ringmark/start 1");
        for signal in signals {
            std::thread::sleep(Duration::from_millis(500));
            kill(signal, child.id());
        }
        std::thread::sleep(Duration::from_millis(300));
        stack.write("asked", "");
        let (code, stdout, stderr) = stack.finish(child);
        match signals.len() {
            1 => {
                assert_eq!(code, Some(3), "{stderr}");
                assert!(stderr.ends_with("interrupted, with 2 of 4 results\n"), "{stderr}");
                assert!(stdout.contains("no result: ringmark-3: interrupted"), "{stdout}");
            }
            _ => assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}"),
        }
    }
}

#[test]
fn linux_guests_may_stay_too() {
    let stack = stack("mix_keep", &guests(&linux(&linux_result(70.0))));
    let (code, _, stderr) = stack.kept(begin(&stack, &["--keep"]));
    assert!(code == Some(0) && stderr.contains(" for id in 1 2 3 4; do "), "{stderr}");
}

#[test]
fn what_cannot_work_is_refused_before_there_is_a_guest() {
    let stack = stack("mix_wrong", "");
    stack.write("stages.fio", "[job]\nrw=randread\n[second]\nstonewall\n");
    stack.write("file.fio", "[job]\nrw=read\nfilename=xvda:/a\n");
    let shared = format!("--disk=phy:{},xvdb,w", stack.path("disk4"));
    let peer = ["--peer-kernel=vmlinux", "--peer-initramfs=peer.cpio"];
    let disk = format!("--disk=phy:{}", stack.path("disk{n}"));
    let fleet = ["fleet", "--kernel=kernel", &disk, "-n2"];
    for (arguments, told) in [
        (&["job.fio", "--mix=linux:2"][..], "--peer-initramfs <PATH>"),
        (&["job.fio", peer[0], peer[1]], "--mix <linux:COUNT>"),
        (&["job.fio", "--mix=bsd:2", peer[0], peer[1]], "write linux:COUNT"),
        (&["job.fio", "--mix=linux:999", peer[0], peer[1]], "make more than 1000 guests"),
        (&["stages.fio", "--mix=linux:2", peer[0], peer[1]], "leave out stonewall, or --mix"),
        (&["file.fio", "--mix=linux:2", peer[0], peer[1]], "runs jobs on disks only"),
        (&["job.fio", "--mix=linux:2", "--peer-kernel=peer.cpio", peer[1]], "with --peer-kernel"),
        (&["job.fio", "--mix=linux:2", peer[0], "--peer-initramfs=x"], "with --peer-initramfs"),
        (&["job.fio", "--mix=linux:2", &shared, peer[0], peer[1]], "would be a disk of"),
        (
            &["job.fio", "--mix=linux:2", "--runs=2", "--output-format=json", peer[0], peer[1]],
            "leave out --mix, --runs or JSON",
        ),
    ] {
        let (code, stdout, stderr) = stack.finish(stack.spawn(&[&fleet[..], arguments].concat()));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
    let (code, stdout, stderr) = stack.finish(begin(&stack, &["--dry-run"]));
    assert_eq!(code, Some(0), "{stderr}");
    for words in ["\n# ringmark-4\n", "ramdisk = \"peer.cpio\"", "\n[global]\ndirect=1\n"] {
        assert!(stdout.contains(words), "{stdout}");
    }
    assert_eq!(stack.calls(), "");
}
