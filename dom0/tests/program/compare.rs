//! `compare`: whose turn it is, what each is given, what is left.

use std::fs;

use crate::stack::{Stack, emit, peers, report};

fn guest() -> String {
    peers(&emit(&report(3000.0, None)), &report(1000.0, None))
}

const ARGUMENTS: [&str; 8] = [
    "compare",
    "job.fio",
    "--peer-kernel",
    "vmlinux",
    "--peer-initramfs",
    "peer.cpio",
    "--save",
    "all.json",
];

#[test]
fn the_two_take_turns() {
    let stack = Stack::new("the_two_take_turns", &guest());
    stack.write("peer.cpio", "an archive");
    let (code, stdout, stderr) = stack.run(&ARGUMENTS);
    assert_eq!(code, Some(0), "{stderr}");
    let iops = stdout.lines().find(|line| line.starts_with("  IOPS")).unwrap();
    let expected = "IOPS 3000 (3000 .. 3000) 1000 (1000 .. 1000) 3.000 (3.000 .. 3.000)";
    assert_eq!(iops.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    let verdict = "\n    ringmark is faster than Linux by 200.0 % .. 200.0 %\n";
    assert!(stdout.contains(verdict), "{stdout}");
    let calls = stack.calls();
    let turns: Vec<bool> = calls
        .lines()
        .filter(|call| call.starts_with("xl create"))
        .map(|call| call.contains(" kernel=\"vmlinux\" "))
        .collect();
    assert_eq!(turns, [[false, true, true, false]; 3].concat());
    assert_eq!(calls.matches("xenstore-write").count(), 6, "ours gets its job by xenstore");
    let saved = fs::read_to_string(stack.0.join("all.json")).unwrap();
    assert_eq!(saved.matches("\"who\":\"linux\"").count(), 6);
    assert!(!stack.has_domain());
    let left = fs::read_dir(&stack.0).unwrap().filter_map(Result::ok);
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with("ringmark-peer")), "{left:?}");
}

#[test]
fn a_comparison_goes_on_until_it_shows_enough() {
    let stack = Stack::new("a_comparison_goes_on_until_it_shows_enough", &guest());
    stack.write("peer.cpio", "an archive");
    let until = ["--resolve=1%", "--runs=4", "--limit=1h", "--by=iops,clat"];
    let (code, stdout, stderr) = stack.run(&[&ARGUMENTS[..], &until].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.ends_with("\n--resolve: 4 pairs show a difference of 1 %\n"), "{stdout}");
    assert!(stderr.contains("ringmark: linux, run 4 of 4 or more: job read 1000 IOPS"), "{stderr}");
    assert_eq!(stack.calls().matches("xl create").count(), 8);
}

/// Output that `--save` finds no room for is printed, behind the table.
#[test]
fn a_comparison_is_not_lost_to_its_file() {
    let stack = Stack::new("a_comparison_is_not_lost_to_its_file", &guest());
    stack.write("peer.cpio", "an archive");
    let arguments = [&ARGUMENTS[..6], &["--runs=1", "--save=/dev/full"]].concat();
    let (code, stdout, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(5));
    assert!(stderr.contains("cannot write /dev/full: No space left on device"), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("  IOPS")), "{stdout}");
    assert!(lines.last().unwrap().starts_with("{\"runs\":[{\"who\":\"ringmark\""), "{stdout}");
}

/// Its directory vanishes after the first run: no run is lost, and none is left out.
#[test]
fn a_comparison_goes_on_without_its_file() {
    let gone = format!("rm -rf \"$(dirname \"$0\")/place\"\n{}", guest());
    let stack = Stack::new("a_comparison_goes_on_without_its_file", &gone);
    stack.write("peer.cpio", "an archive");
    fs::create_dir(stack.0.join("place")).unwrap();
    let arguments = [&ARGUMENTS[..6], &["--runs=2", "--save=place/all.json"]].concat();
    let (code, stdout, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(5), "{stderr}");
    assert!(stderr.contains("cannot write place/all.json"), "{stderr}");
    assert_eq!(stdout.lines().last().unwrap().matches("\"who\":").count(), 4, "{stdout}");
}

#[test]
fn an_interrupted_comparison_keeps_its_runs() {
    let second = "[ -e first ] && { touch second; sleep 1000; }; touch first\n";
    let stack =
        Stack::new("an_interrupted_comparison_keeps_its_runs", &format!("{second}{}", guest()));
    stack.write("peer.cpio", "an archive");
    let child = stack.start(&ARGUMENTS);
    stack.wait_for_calls("xl unpause", 2);
    crate::run::kill("TERM", child.id());
    let (code, stdout, stderr) = stack.end(child);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.ends_with("error: linux, run 1 of 6: interrupted\n"), "{stderr}");
    assert!(stdout.ends_with("\nincomplete: 1 of 12 runs\n"), "{stdout}");
    let saved = fs::read_to_string(stack.0.join("all.json")).unwrap();
    assert_eq!(saved.matches("\"who\":").count(), 1);
    assert!(!stack.has_domain());
}

/// Copies come to an end.
#[test]
fn an_initramfs_is_a_file() {
    let stack = Stack::new("an_initramfs_is_a_file", &guest());
    for (path, why) in [("/dev/null", "it is no file"), ("none", "No such file or directory")] {
        let arguments = ARGUMENTS.map(|word| if word == "peer.cpio" { path } else { word });
        let (code, _, stderr) = stack.run(&arguments);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(&format!("{path}: {why}")), "{stderr}");
        assert!(stderr.ends_with("initramfs with --peer-initramfs\n"), "{stderr}");
    }
    assert_eq!(stack.calls(), "");
}

#[test]
fn a_job_on_a_file_is_for_no_peer() {
    let stack = Stack::new("a_job_on_a_file_is_for_no_peer", &guest());
    let (code, _, stderr) = stack.run(&[&ARGUMENTS[..], &["--", "filename=xvda:/big"]].concat());
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("job job reads a file; a Linux guest runs jobs on disks only"),
        "{stderr}"
    );
    assert_eq!(stack.calls(), "");
}

#[test]
fn a_silent_peer_is_given_up() {
    let guest = guest().replace("printf '%s\\n' 'peer", ": 'peer");
    let stack = Stack::new("a_silent_peer_is_given_up", &guest);
    stack.write("peer.cpio", "an archive");
    let (code, _, stderr) = stack.run(&[&ARGUMENTS[..], &["--timeout=2"]].concat());
    assert_eq!(code, Some(4));
    let expected = "ringmark: error: linux, run 1 of 6: the guest was not done after 2 s; ";
    assert!(stderr.contains(expected), "{stderr}");
    assert!(!stack.has_domain());
}

#[test]
fn the_peer_keeps_its_command_line() {
    let stack = Stack::new("the_peer_keeps_its_command_line", &guest());
    stack.write("peer.cpio", "an archive");
    let arguments = [&ARGUMENTS[..], &["--set", "extra=\"hypercall=page\""]].concat();
    let (code, _, stderr) = stack.run(&arguments);
    let expected = "ringmark: error: --set extra= would replace the command line \
                    \"console=hvc0 quiet\"; leave it out\n";
    assert_eq!((code, stderr.as_str()), (Some(2), expected));
    assert_eq!(stack.calls(), "");
}

#[test]
fn a_peer_moves_no_cursor() {
    let version = "peer-result: {\"fio version\":\"";
    let guest = guest().replace(version, &format!("{version}\\u001b[2J"));
    let stack = Stack::new("a_peer_moves_no_cursor", &guest);
    stack.write("peer.cpio", "an archive");
    let (code, stdout, stderr) = stack.run(&ARGUMENTS);
    // What was measured before is not lost.
    assert_eq!(code, Some(1));
    assert!(stdout.contains("\n  IOPS                                 3000 (3000"), "{stdout}");
    assert!(stdout.ends_with("incomplete: 1 of 12 runs\n"), "{stdout}");
    assert!(!stdout.contains(|letter: char| letter.is_control() && letter != '\n'), "{stdout:?}");
    let expected = "linux, run 1 of 6: fio's result can't be read: control character '\\u{1b}'";
    assert!(stderr.contains(expected), "{stderr:?}");
}

#[test]
fn a_failed_run_is_named() {
    let stack = Stack::new("a_failed_run_is_named", &emit(&report(1.0, Some("no xvdz"))));
    stack.write("peer.cpio", "an archive");
    let (code, _, stderr) = stack.run(&ARGUMENTS);
    let expected = "ringmark: error: ringmark, run 1 of 6: the guest reports: no xvdz\n";
    assert_eq!((code, stderr.as_str()), (Some(1), expected));
    assert!(!stack.has_domain());
}
