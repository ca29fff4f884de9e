//! `fleet --host` where a host does what ours do not.

use crate::fleet::{STATUS, result};
use crate::hosts_stack::Hosts;
use crate::stack::emit;

const JOB: [&str; 3] = ["job.fio", "--", "--runtime=10"];
/// Answer to a question for the time.
const ANSWER: &str = r#"echo "{\"clock\":{\"number\":${order#*:},\"ns\":$(date +%s%N)}}""#;

/// Hosts of which `b` is made of a shell script: it says that its guests are ready, does `clock`
/// when it is asked for the time, and `start` when they are to start.
fn hostile(name: &str, clock: &str, start: &str) -> Hosts {
    let guest = format!("ready 1\necho '{STATUS}'\n{}", emit(&result(1000.0, 10, 20)));
    let hosts = Hosts::new(name, &guest, "ForceCommand hostile");
    let script = format!(
        r#"#!/bin/sh
case $SSH_ORIGINAL_COMMAND in "cat >"*) exec cat >/dev/null ;; esac
echo /x; read -r sent; echo ringmark {}; read -r go; echo '"hello"'
while read -r order; do
    order=${{order%\}}}}
    case $order in
    *begin*) echo '{{"ready":1}}' ;;
    *clock*) {clock} ;;
    *start*) {start} ;;
    esac
done
"#,
        env!("CARGO_PKG_VERSION")
    );
    hosts.b.program("hostile", &script);
    hosts
}

/// Checks that `b` is lost for this reason, and that those of `a` have their results.
fn check_lost(code: Option<i32>, stdout: &str, stderr: &str, why: &str) {
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.starts_with("job, read: 2 of 4 guests\n"), "{stdout}");
    assert!(stdout.contains(&format!("\nhost root@b: lost: {why}")), "{stdout}");
    let error = format!("error: 2 of 4 guests have no result: host root@b is lost: {why}");
    assert!(stderr.contains(&error), "{stderr}");
}

#[test]
fn a_stage_starts_once() {
    // What it prints besides is no reason to know less of what comes then.
    let start = r#"printf '\377\n' >&2; head -c 300000 /dev/zero | tr '\0' x >&2; echo >&2
        printf '%s\n' '{"event":"note","text":"a\nb\u001b"}' '+ xl x' >&2
        sleep 0.5; for n in 1 2 3; do echo '{"ready":1}'; done"#;
    let hosts = hostile("stage", ANSWER, start);
    let (code, stdout, stderr) = hosts.fleet(&JOB);
    check_lost(code, &stdout, &stderr, "it is out of step: it says {\"ready\":1}");
    assert!(stderr.contains("ringmark: root@b: a | b\\u{1b}\n"), "{stderr}");
    assert!(!stderr.contains("xl x"), "{stderr}");
}

#[test]
fn who_does_not_tell_the_time_is_not_waited_for() {
    let hosts = hostile("silent", ":", "");
    let (code, stdout, stderr) = hosts.end(hosts.begin(&[&["--keep"], &JOB[..]].concat()));
    let why = "it was asked what time it is, and said nothing for 10 s; domains of its guests may \
               be left there; `xl list` tells";
    check_lost(code, &stdout, &stderr, why);
    hosts.a.remove_with("for id in 1 2; do xl destroy $id; done");
    hosts.wait_for_nothing(&stderr);
}

#[test]
fn a_clock_that_is_hardly_known_is_refused() {
    let hosts = hostile("slow", &format!("sleep 2.1; {ANSWER}"), "");
    let (code, stdout, stderr) = hosts.fleet(&JOB);
    check_lost(code, &stdout, &stderr, "its clock is known to 1.1 s only: ");
}

#[test]
fn too_few_sessions_are_named() {
    let hosts = Hosts::new("sessions", "ready 1", "MaxSessions 1");
    let (code, stdout, stderr) = hosts.fleet(&JOB);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let expected = "ringmark: error: root@b: its sshd takes too few sessions over a connection; \
                    four are needed (MaxSessions of sshd_config(5))\n";
    assert_eq!(stderr, expected);
}
