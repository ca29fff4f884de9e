//! `run --kvm`: what it asks of QEMU, what it makes of its end, and that no QEMU is left.
//!
//! QEMU is a script, which notes its words in `words`, one a line, and runs `guest.sh` on its
//! standard input and output.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use results::{Extra, Flag, Report};

use crate::stack::{Stack, emit, report};

/// Stand-in for QEMU.
const QEMU: &str = r#"#!/bin/sh
here=$(dirname "$0")
case $1 in --version) cat "$here/version"; exit ;; esac
printf '%s\n' "$@" >"$here/words"
echo $$ >>"$here/pids"
for word in "$@"; do
    [ "$before" != -initrd ] || cp "$word" "$here/module"
    before=$word
done
. "$here/guest.sh"
"#;

const STATUS: &str = "Jobs: 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]";

/// A directory with the stand-in, whose guest is this script.
fn stack(name: &str, guest: &str) -> Stack {
    let stack = Stack::new(name, guest);
    stack.program("qemu-system-x86_64", QEMU);
    stack.write("version", "QEMU emulator version 10.0.11 (Debian)\n");
    stack.write("kvm", "");
    stack
}

fn good() -> String {
    let mut good = report(115_000.0, None);
    good.jobs[0].ringmark = Some(Extra { members: 1, ..Extra::default() });
    emit(&good)
}

/// The tool's outcome with these arguments behind `run --kvm=kvm --kernel=kernel`.
fn run(stack: &Stack, arguments: &[&str]) -> (Option<i32>, String, String) {
    let words = ["run", "--kvm=kvm", "--kernel=kernel"];
    stack.end(stack.spawn(&[&words[..], arguments].concat()))
}

fn words(stack: &Stack) -> Vec<String> {
    let text = fs::read_to_string(stack.path("words")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Checks that all QEMUs that were started have ended.
fn none_is_left(stack: &Stack) {
    let pids = fs::read_to_string(stack.path("pids")).unwrap_or_default();
    for pid in pids.lines() {
        let alive = fs::read_to_string(format!("/proc/{pid}/stat"));
        let is_alive = alive.is_ok_and(|stat| !stat.contains(") Z "));
        assert!(!is_alive, "QEMU {pid} is left");
    }
}

#[test]
fn a_job_runs_without_xl() {
    let guest = format!("echo 'ringmark 0.1.0'; echo '{STATUS}'; {}", good());
    let stack = stack("kvm_a_job_runs_without_xl", &guest);
    let arguments = ["job.fio", "--disk", "disk", "--machine=q35", "--output-format=json"];
    let (code, stdout, stderr) = run(&stack, &[&arguments[..], &["--", "--bs=8k"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.lines().any(|line| line == STATUS), "{stderr}");
    assert_eq!(stack.calls(), "", "no program of Xen's is called");
    let module = fs::read_to_string(stack.path("module")).unwrap();
    assert_eq!(module, "[global]\nbs=8k\n[job]\nrw=randread\n");
    let left = stack.names().into_iter().filter(|name| name.starts_with("ringmark-job-")).count();
    assert_eq!(left, 0, "the job's file goes");
    let all = words(&stack);
    for pair in [["-machine", "q35"], ["-smp", "1"], ["-m", "64"], ["-kernel", "kernel"]] {
        assert!(all.windows(2).any(|words| words == pair), "{pair:?} in {all:?}");
    }
    let place = format!("\"filename\":\"{}\"", stack.path("disk"));
    assert!(all.iter().any(|word| word.contains(&place)), "{place} in {all:?}");
    let report = Report::from_json(&stdout).unwrap();
    let flags = report.jobs[0].ringmark.as_ref().unwrap().all_flags();
    assert!(flags.contains(&Flag::QemuXen), "{flags:?}");
    let origin = report.ringmark.unwrap().origin.unwrap();
    assert_eq!(origin.qemu.as_deref(), Some("10.0.11"));
    assert_eq!(origin.disks[0].target, Some(stack.path("disk")));
    assert_eq!(origin.host.unwrap().xen.as_deref(), Some("4.17 of QEMU 10.0.11 under KVM"));
    none_is_left(&stack);
}

#[test]
fn options_are_the_guests_command_line() {
    let stack = stack("kvm_options_are_the_guests_command_line", &good());
    let disks = ["--disk", "disk", "--disk", "vmlinux,raw,xvdd,r"];
    let (code, stdout, stderr) = run(
        &stack,
        &[&disks[..], &["--repeat=2", "--", "--name=job", "rw=randread", "filename=xvdd"]].concat(),
    );
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("QEMU's own Xen"), "{stdout}");
    let all = words(&stack);
    let line = all.iter().position(|word| word == "-append").map(|place| &all[place + 1]);
    assert!(line.is_some_and(|line| line.contains("rw=randread filename=xvdd")), "{all:?}");
    assert!(all.contains(&"xen-disk,drive=disk1,vdev=xvdd".to_owned()), "{all:?}");
    assert_eq!(fs::read_to_string(stack.path("pids")).unwrap().lines().count(), 2);
}

#[test]
fn a_dry_run_prints_the_command() {
    let stack = stack("kvm_a_dry_run_prints_the_command", "");
    stack.write("version", "");
    let (code, stdout, stderr) = run(&stack, &["job.fio", "--disk", "disk", "--dry-run"]);
    assert_eq!(code, Some(0), "{stderr}");
    let line = stdout.lines().find(|line| line.starts_with("qemu-system-x86_64 ")).unwrap();
    for word in ["-machine pc", "-accel kvm,xen-version=0x40011,kernel-irqchip=split,device=kvm"] {
        assert!(line.contains(word), "{word} in {line}");
    }
    assert!(line.ends_with(" -kernel kernel -initrd JOB"), "{line}");
    assert!(!stdout.contains("xl"), "{stdout}");
    // A shell divides it as it is meant.
    let mut shell = Command::new("sh");
    let path = format!("{}:{}", stack.0.display(), std::env::var("PATH").unwrap());
    let status = shell.arg("-c").arg(line).current_dir(&stack.0).env("PATH", path).status();
    assert!(status.unwrap().success());
    assert!(stack.names().contains(&"words".to_owned()));
}

#[test]
fn what_is_missing_is_told_with_a_way_out() {
    for (name, change, code, expected) in [
        ("device", "rm kvm", 1, "there is no kvm: this machine has no KVM"),
        ("old", "echo 'QEMU emulator version 8.1.5' >version", 1, "is version 8.1.5, which has no"),
        ("other", "echo 'GNU bash' >version", 1, "is no QEMU: it printed GNU bash"),
        ("program", "rm qemu-system-x86_64", 1, "QEMU was not found as ./qemu-system-x86_64;"),
        ("disk", "rm disk", 2, "disk: No such file"),
        ("qcow2", r"printf 'QFI\373' >disk", 2, "it is a qcow2 image; add format=qcow2"),
    ] {
        let stack = stack(&format!("kvm_what_is_missing_{name}"), &good());
        let changed = Command::new("sh").arg("-c").arg(change).current_dir(&stack.0).status();
        assert!(changed.unwrap().success());
        let arguments = ["job.fio", "--disk", "disk", "--qemu=./qemu-system-x86_64"];
        let (status, _, stderr) = run(&stack, &arguments);
        assert_eq!(status, Some(code), "{name}: {stderr}");
        assert!(stderr.contains(expected), "{name}: {stderr}");
        assert!(words(&stack).is_empty(), "{name}: nothing runs");
    }
}

#[test]
fn options_for_xl_are_refused() {
    let stack = stack("kvm_options_for_xl_are_refused", &good());
    for (arguments, expected) in [
        (&["--cpus=1"][..], "--cpus is for xl"),
        (&["--set", "tsc_mode=\"native\""], "--set is for xl"),
        (&["--keep"], "--keep is for xl"),
        (&["--disk", "vdev=xvdb,script=block-own,target=/a"], "script= is for xl"),
    ] {
        let (code, _, stderr) = run(&stack, &[&["job.fio", "--disk", "disk"], arguments].concat());
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    let (code, _, stderr) = stack.run(&["run", "job.fio", "--machine=q35"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--kvm"), "{stderr}");
    assert!(words(&stack).is_empty());
}

#[test]
fn the_end_of_qemu_is_explained() {
    let crash = "echo 'ringmark: out of order'; echo 'RAX=0000000000000001' >&2; exit 1";
    for (name, guest, expected) in [
        ("crash", crash, "the guest has crashed without a result; last lines of its console:"),
        ("silent", "exit 0", "the guest has ended without a result; its console is empty"),
        (
            "locked",
            "echo 'Is another process using the image [/a]?' >&2; exit 1",
            "disk /a is in use by another program",
        ),
        (
            "xen",
            "echo 'qemu: kvm: Xen HVM guest support not present or insufficient' >&2; exit 1",
            "this kernel's KVM cannot run guests of Xen",
        ),
        ("half", "echo 'ringmark-result-begin 1'; kill -9 $$", "the guest has crashed with"),
    ] {
        let stack = stack(&format!("kvm_the_end_{name}"), guest);
        let (code, stdout, stderr) = run(&stack, &["job.fio", "--disk", "disk"]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{name}: {stderr}");
        assert!(stderr.contains(expected), "{name}: {stderr}");
        assert!(!stderr.contains("RAX"), "{name}: {stderr}");
    }
}

#[test]
fn a_failed_job_is_a_failed_run() {
    let failed = emit(&report(115_000.0, Some("xvda: I/O error")));
    let stack = stack("kvm_a_failed_job_is_a_failed_run", &failed);
    let (code, stdout, stderr) = run(&stack, &["job.fio", "--disk", "disk"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("IOPS=115k"), "{stdout}");
    assert!(stderr.contains("the guest reports: xvda: I/O error"), "{stderr}");
}

#[test]
fn ctrl_c_is_typed_on_the_guests_console() {
    let guest = format!(
        "echo '{STATUS}'; touch \"$here/runs\"; stty raw 2>/dev/null\n\
         [ \"$(head -c 1 | od -An -tx1)\" = ' 03' ] || exit 1\n{}",
        emit(&report(5.0, Some("stopped before the end, as asked")))
    );
    let stack = stack("kvm_ctrl_c_is_typed", &guest);
    let child = stack.spawn(&["run", "--kvm=kvm", "--kernel=kernel", "job.fio", "--disk", "disk"]);
    wait_for(&stack, "runs");
    signal(child.id(), "INT");
    let (code, stdout, stderr) = stack.end(child);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stdout.contains("IOPS=5"), "{stdout}");
}

#[test]
fn a_run_that_is_stopped_leaves_no_qemu() {
    // The first ends when it is asked to, the second has to be killed.
    for (name, guest, limit) in [
        ("willing", "touch \"$here/runs\"; exec sleep 1000", "1000"),
        ("late", "touch \"$here/runs\"; exec sleep 1000", "1"),
    ] {
        let stack = stack(&format!("kvm_a_run_that_is_stopped_{name}"), guest);
        let limit = format!("--timeout={limit}");
        let words = ["run", "--kvm=kvm", "--kernel=kernel", "job.fio", "--disk", "disk"];
        let child = stack.spawn(&[&words[..], &[&limit, "--", "--runtime=0"]].concat());
        wait_for(&stack, "runs");
        if name == "willing" {
            signal(child.id(), "TERM");
        }
        let (code, _, stderr) = stack.end(child);
        let expected =
            if name == "willing" { (1, "interrupted") } else { (4, "not done after 1 s") };
        assert_eq!(code, Some(expected.0), "{stderr}");
        assert!(stderr.contains(expected.1), "{stderr}");
        none_is_left(&stack);
    }
}

fn wait_for(stack: &Stack, file: &str) {
    let start = Instant::now();
    while !stack.0.join(file).exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no {file}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}
