//! `--keep`: which domains stay, whatever becomes of them, and how they are removed.

use std::process::Command;
use std::time::Duration;

use crate::fleet::{JOB, but_second, endless, good, json};
use crate::fleet_stack::FleetStack;
use crate::run::kill;
use crate::stack::{Stack, emit, report};

/// Starts a fleet whose domains stay.
fn begin(stack: &FleetStack) -> std::process::Child {
    stack.begin(&[&["--keep"], &JOB[..]].concat())
}

/// Words about three domains that stay.
const ALL: &str = "ringmark: kept: ringmark-1 (domid 1), ringmark-2 (domid 2), ringmark-3 (domid 3)\n\
                   ringmark: remove with: for id in 1 2 3; do xl destroy $id; done\n";

#[test]
fn all_stay_after_a_good_run() {
    let stack = FleetStack::new("keep_good", &good());
    let (code, stdout, stderr) = stack.kept(begin(&stack));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.ends_with(ALL) && stdout.contains("\nsum                 6000 "), "{stderr}");
    // The tool destroyed none: what removed them ran when it had ended.
    assert_eq!(stack.calls_of("xl destroy"), ["xl destroy 1", "xl destroy 2", "xl destroy 3"]);
    let child = stack.begin(&[&["--keep", "--progress=json"], &JOB[..]].concat());
    let (_, _, stderr) = stack.end(child);
    let last = json(stderr.lines().last().unwrap());
    assert!(last["text"].as_str().unwrap().starts_with("remove with: "), "{stderr}");
    for id in 1..=3 {
        assert!(stack.0.join(format!("domain.{id}")).exists(), "{stderr}");
    }
}

#[test]
fn one_that_crashed_or_is_late_stays() {
    for (state, script) in
        [("----c-", "ready 1; echo oops"), ("---s--", "ready 1"), ("-b----", "sleep 1000")]
    {
        let stack = FleetStack::new("keep_crash", &but_second(script));
        stack.write("state.2", state);
        let arguments = [&["--keep", "--ready-timeout=2"], &JOB[..]].concat();
        let (code, stdout, stderr) = stack.kept(stack.begin(&arguments));
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains(ALL), "{stderr}");
        assert!(stdout.contains("\nno result: ringmark-2: the guest "), "{stdout}");
        let ends = ["on_poweroff", "on_reboot", "on_crash"];
        let created = &stack.calls_of("xl create")[1];
        assert!(
            ends.iter().all(|end| created.contains(&format!(" {end}=\"preserve\""))),
            "{created}"
        );
    }
}

#[test]
fn one_that_is_gone_is_not_said_to_stay() {
    let stack = FleetStack::new("keep_gone", &but_second("ready 1; xl destroy 2"));
    let (code, _, stderr) = stack.kept(begin(&stack));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("ringmark: remove with: for id in 1 3; do"), "{stderr}");
    stack.write("refuse.2", "libxl: error: not enough memory");
    let (code, _, stderr) = stack.kept(begin(&stack));
    assert!(code == Some(1) && stderr.contains(" for id in 1 3; do"), "{stderr}");
}

#[test]
fn all_stay_after_signals() {
    for signals in [&["INT"][..], &["TERM"], &["TERM", "INT"]] {
        let stack = FleetStack::new("keep_signal", &endless());
        let child = begin(&stack);
        stack.wait_for_call("/local/domain/3/ringmark/start 1");
        for signal in signals {
            std::thread::sleep(Duration::from_millis(300));
            kill(signal, child.id());
        }
        std::thread::sleep(Duration::from_millis(300));
        stack.write("asked", "");
        let (code, _, stderr) = stack.kept(child);
        assert_eq!(code, Some(if signals.len() == 1 { 3 } else { 1 }), "{stderr}");
        assert!(stderr.contains(ALL), "{stderr}");
    }
}

#[test]
fn the_domain_of_a_run_stays() {
    let good = emit(&report(7.0, None));
    for (script, state, expected) in
        [(&*good, "-b----", 0), ("echo oops", "----c-", 1), ("exit", "---s--", 1)]
    {
        let stack = Stack::new("keep_run", script);
        stack.write("state", state);
        let (code, _, stderr) = stack.run(&["run", "--keep", "job.fio"]);
        assert!(code == Some(expected) && stack.has_domain(), "{stderr}");
        let told = "ringmark: kept: ringmark (domid 7)\n\
                    ringmark: remove with: for id in 7; do xl destroy $id; done\n";
        assert!(stderr.contains(told) && !stack.calls().contains("destroy"), "{stderr}");
    }
    let stack = Stack::new("keep_run", "sleep 1000");
    let child = stack.start(&["run", "--keep", "job.fio"]);
    stack.wait_for_call("xl unpause");
    std::thread::sleep(Duration::from_millis(300));
    kill("TERM", child.id());
    let (code, _, stderr) = stack.end(child);
    assert!(code == Some(1) && stack.has_domain(), "{stderr}");
    assert!(stderr.contains("ringmark: kept: ringmark (domid 7)\n"), "{stderr}");
    assert!(Command::new(stack.path("xl")).args(["destroy", "7"]).status().unwrap().success());
    let (code, _, stderr) = stack.run(&["run", "--keep", "--repeat=2", "job.fio"]);
    assert!(code == Some(2) && stderr.contains("; leave out --repeat"), "{stderr}");
}

/// Trouble at any time: what is there is named.
#[test]
fn what_stays_is_named_whatever_happens_when() {
    for (at, kind) in [
        ("name=\"ringmark-2\"", "late-die"),
        ("name=\"ringmark-2\"", "TERM"),
        ("/local/domain/3/ringmark/start 0", "INT"),
        ("xl unpause 1", "fail"),
        ("/local/domain/3/ringmark/start 1", "die"),
        ("xl vm-list", "fail"),
    ] {
        let asked = "[ ! -e struck ] || touch asked";
        let stack = FleetStack::new("keep_trouble", &format!("{asked}\n{}", good()));
        stack.trouble(at, kind);
        let (code, _, stderr) = stack.kept(begin(&stack));
        assert!(code.is_some() && stack.0.join("struck").exists(), "{at} {kind}: {stderr}");
    }
}
