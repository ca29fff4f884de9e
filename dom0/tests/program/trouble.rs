//! Trouble at each call of the tool stack: what hangs, fails, lies or dies, and signals. No domain
//! is left behind, and no result that a guest has reported is lost.

use std::fs;
use std::sync::Mutex;
use std::thread;

use crate::stack::{Stack, emit, peers, report};

/// Kinds of trouble, before or after the program has done its work.
const KINDS: [&str; 10] =
    ["hang", "fail", "die", "lie", "INT", "TERM", "twice", "late-hang", "late-fail", "late-die"];
/// Runs at a time; most of them wait for a deadline.
const THREADS: usize = 8;

/// A guest that reports and notes that it did; stopped early if it is asked to be.
fn guest(result: &str) -> String {
    format!("{result}\necho >\"$(dirname \"$0\")/reported\"\n")
}

/// Runs `arguments` without trouble, then with each kind of trouble at each call.
fn sweep(name: &str, guest: &str, arguments: &[&str], figure: &str) {
    let stack = |number: usize, kind: &str| {
        let stack = Stack::new(&format!("{name}-{number}-{kind}"), guest);
        stack.write("peer.cpio", "an archive");
        stack.write("trouble", &format!("{number} {kind}\n"));
        stack
    };
    let quiet = stack(0, "none");
    let (code, _, stderr) = quiet.run(arguments);
    assert_eq!(code, Some(0), "{stderr}");
    let call_count = quiet.calls().lines().count();
    assert!(call_count >= 8, "{}", quiet.calls());
    let arguments = [arguments, &["--xl-timeout=1", "--timeout=2"]].concat();
    let cases = (1..=call_count).flat_map(|number| KINDS.map(|kind| (number, kind)));
    let cases = Mutex::new(cases);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((number, kind)) = next(&cases) {
                    check(&stack(number, kind), &arguments, figure, kind);
                }
            });
        }
    });
}

fn next<T>(cases: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    cases.lock().unwrap().next()
}

fn check(stack: &Stack, arguments: &[&str], figure: &str, kind: &str) {
    let (code, stdout, stderr) = stack.run(arguments);
    let what = format!("{stderr}\n{stdout}\n{}\nin {}", stack.calls(), stack.0.display());
    assert!(!stack.has_domain(), "a domain is left: {what}");
    assert!(code.is_some_and(|code| [0, 1, 3, 4].contains(&code)), "{code:?}: {what}");
    assert_eq!(code == Some(0), !stderr.contains("error: "), "{what}");
    let is_signal = ["INT", "TERM", "twice"].contains(&kind);
    let result = fs::read_to_string(stack.0.join("out")).unwrap_or_default();
    if stack.0.join("reported").exists() && !is_signal {
        assert!(result.contains(figure), "a result is lost: {what}");
    }
    assert!(!stack.names().iter().any(|name| name.starts_with(".ringmark")), "{what}");
    // Where the guest still writes there it stays.
    let _ = fs::remove_dir_all(&stack.0);
}

#[test]
fn a_run_leaves_no_domain_and_loses_no_result() {
    let guest = guest(&emit(&report(115_000.0, None)));
    sweep("trouble-run", &guest, &["run", "job.fio", "--output=out"], "IOPS=115k");
}

#[test]
fn a_comparison_leaves_no_domain_and_loses_no_result() {
    let guest = peers(&emit(&report(3000.0, None)), &report(1000.0, None));
    let peer = ["--peer-kernel=vmlinux", "--peer-initramfs=peer.cpio", "--runs=1", "--save=out"];
    let arguments = [&["compare", "job.fio"], &peer[..]].concat();
    sweep("trouble-compare", &guest, &arguments, "3000");
}

/// Another program makes a domain of the name between the look for it and the creation.
#[test]
fn a_domain_that_takes_the_name_meanwhile_is_left_alone() {
    for is_mute in [false, true] {
        let stack = Stack::new("a_domain_that_takes_the_name_meanwhile_is_left_alone", "");
        stack.write("rival", "uuid=\"6b1a2c3d-0000-4000-8000-000000000000\"\n");
        if is_mute {
            stack.write("mute", "");
        }
        let (code, _, stderr) = stack.run(&["run", "job.fio"]);
        assert_eq!(code, Some(1));
        assert!(stderr.contains("libxl: error: ringmark already exists"), "{stderr}");
        assert!(stack.has_domain() && !stack.calls().contains("xl destroy"), "{stderr}");
        // Nobody knows whether one of ours is there, too.
        assert_eq!(stderr.contains("may be left behind"), is_mute, "{stderr}");
    }
}
