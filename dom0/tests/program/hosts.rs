//! `fleet --host`: guests of two hosts, whose connections are ssh's.

use std::fs;

use serde_json::Value;

use crate::fleet::{STATUS, result};
use crate::fleet_stack::FleetStack;
use crate::hosts_stack::{Hosts, wait_until};
use crate::run::kill;
use crate::stack::emit;

const JOB: [&str; 3] = ["job.fio", "--", "--runtime=10"];

/// Guests that all read at 1000 I/Os per second from and to these seconds.
fn good() -> String {
    format!("ready 1\necho '{STATUS}'\n{}", emit(&result(1000.0, 10, 20)))
}

/// Guests that work until the file `asked` is there.
fn endless(end: &str) -> String {
    format!("ready 1; echo '{STATUS}'; while [ ! -e asked ]; do sleep 0.1; done\n{end}")
}

fn early() -> String {
    let mut stopped = result(500.0, 10, 12);
    let run = stopped.ringmark.as_mut().unwrap();
    (run.ok, run.error) = (false, Some("stopped before the end, as asked".to_owned()));
    emit(&stopped)
}

/// Waits until all guests of both hosts work.
fn wait_for_work(hosts: &Hosts) {
    hosts.a.wait_for_call("/local/domain/1/ringmark/start 1");
    hosts.b.wait_for_call("/local/domain/3/ringmark/start 1");
}

fn no_guests(hosts: &Hosts) {
    let calls = [hosts.a.calls(), hosts.b.calls()].concat();
    assert!(!calls.contains("xl create"), "{calls}");
}

#[test]
fn guests_of_two_hosts_start_together() {
    let hosts = Hosts::new("sum", &good(), "");
    let formats = "--output-format=normal,json";
    let (code, stdout, stderr) = hosts.fleet(&[&[formats], &JOB[..]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("job, read: 4 of 4 guests\n"), "{stdout}");
    for (name, iops) in [
        ("root@a/ringmark-1", 1000),
        ("root@b/ringmark-4", 1000),
        ("sum of root@a", 2000),
        ("sum of root@b", 2000),
        ("sum", 4000),
    ] {
        let is_row = |line: &&str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.split_whitespace().next() == Some(&iops.to_string()))
        };
        assert_eq!(stdout.lines().filter(is_row).count(), 1, "{name}: {stdout}");
    }
    assert_eq!(stdout.matches("\nhost root@").count(), 2, "{stdout}");
    assert!(stdout.contains(" ms after the agreed time"), "{stdout}");
    let out: Value = serde_json::from_str(&stdout[stdout.find("\n{").unwrap()..]).unwrap();
    let jobs: Vec<String> = (0..4)
        .map(|n| format!("{} {}", out["jobs"][n]["jobname"], out["jobs"][n]["groupid"]))
        .collect();
    assert_eq!(jobs[1..3], ["\"root@a/ringmark-2/job\" 1", "\"root@b/ringmark-3/job\" 2"]);
    let fleet = &out["ringmark"]["fleet"];
    assert_eq!((&fleet["complete"], &fleet["started"]), (&true.into(), &4.into()));
    for n in 0..2 {
        let host = &fleet["hosts"][n];
        // They share this clock, so what is measured of it cannot be more than its error.
        let (offset, error) = (&host["clock_offset_ns"], &host["clock_error_ns"]);
        assert!(offset.as_i64().unwrap().unsigned_abs() <= error.as_u64().unwrap(), "{host}");
        assert!(host["late_ns"].is_u64() && host["write_ns"].is_u64(), "{host}");
        assert_eq!(host["sums"][0]["sum"]["iops"].as_f64(), Some(2000.0), "{host}");
        assert_eq!(host["sums"][0]["start_spread_ns"], 0);
    }
    assert!(fleet["sums"][0]["start_spread_ns"].is_u64(), "{fleet}");
    let create = hosts.b.calls_of("xl create");
    assert!(create.iter().any(|call| call.contains("/disk4\"]")), "{create:?}");
    hosts.write("out.json", &stdout[stdout.find("\n{").unwrap()..]);
    assert_eq!(hosts.report(&["out.json"]).0, Some(0));
}

#[test]
fn all_hosts_wait_for_all() {
    // A second stage, before which those of `b` work until they are told.
    let end = emit(&result(1000.0, 10, 20));
    let slow = "[ -e domain.1 ] || while [ ! -e go ]; do sleep 0.1; done";
    let hosts = Hosts::new("wait", &format!("ready 1\n{slow}\nready 2\n{end}"), "");
    hosts.write("job.fio", "[job]\nrw=randread\n[second]\nstonewall\n");
    let child = hosts.begin(&["job.fio"]);
    wait_for_work(&hosts);
    let is_ready = || hosts.a.calls().contains("start 2");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!is_ready(), "{}", hosts.a.calls());
    hosts.b.write("go", "");
    let (code, _, stderr) = hosts.finish(child);
    // What these guests send is of one job.
    let why = "the guest reports 1 of 2 jobs; use guest and tool of the same version";
    assert!(code == Some(1) && stderr.contains(why), "{stderr}");
    assert!(is_ready() && hosts.b.calls().contains("/local/domain/3/ringmark/start 2"));
}

#[test]
fn a_host_that_is_lost_is_named() {
    let hosts = Hosts::new("lost", &endless(&emit(&result(1000.0, 10, 20))), "");
    let child = hosts.begin(&JOB);
    wait_for_work(&hosts);
    hosts.b.cut();
    wait_until("guests of b are destroyed", || hosts.b.left().is_empty());
    hosts.a.write("asked", "");
    let (code, stdout, stderr) = hosts.finish(child);
    assert_eq!(code, Some(1), "{stderr}");
    let why = "error: 2 of 4 guests have no result: host root@b is lost: ";
    assert_eq!(stderr.lines().filter(|line| line.contains(why)).count(), 1, "{stderr}");
    assert!(stdout.starts_with("job, read: 2 of 4 guests\n"), "{stdout}");
    assert!(stdout.contains("\n* sum: incomplete, of 2 of 4 guests\n"), "{stdout}");
    assert!(stdout.contains("\nhost root@b: lost: "), "{stdout}");
    assert!(!stdout.contains("no result: "), "{stdout}");
}

#[test]
fn a_wrong_key_is_one_line() {
    let hosts = Hosts::new("key", &good(), "");
    hosts.b.write("authorized_keys", "");
    let (code, stdout, stderr) = hosts.fleet(&JOB);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let expected = "ringmark: error: cannot connect to root@b: root@10.99.2.2: Permission denied \
                    (publickey).; try `ssh -o BatchMode=yes root@b true`\n";
    assert_eq!(stderr, expected);
    no_guests(&hosts);
}

#[test]
fn a_host_that_is_not_known_is_one_line() {
    let hosts = Hosts::new("known", &good(), "");
    hosts.write("known_hosts", "");
    let (code, _, stderr) = hosts.fleet(&JOB);
    assert_eq!(code, Some(1), "{stderr}");
    // Neither is known, and either may be the first to say so.
    let expected = ["a", "b"].map(|host| {
        format!("cannot connect to root@{host}: Host key verification failed.; try `ssh -o")
    });
    let is_expected = expected.iter().any(|why| stderr.contains(why));
    assert!(is_expected && stderr.lines().count() == 1, "{stderr}");
    no_guests(&hosts);
}

#[test]
fn another_version_is_one_line() {
    // What runs there is not what was sent.
    let force = "ForceCommand case $SSH_ORIGINAL_COMMAND in *version*) echo /x; read x; echo \
                 ringmark 0.0.1; read x ;; *) cat >/dev/null ;; esac";
    let hosts = Hosts::new("version", &good(), force);
    let (code, stdout, stderr) = hosts.fleet(&JOB);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let expected = format!(
        "ringmark: error: root@b: what runs there is not this tool: it says \"ringmark 0.0.1\", \
         not \"ringmark {}\"\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(stderr, expected);
    no_guests(&hosts);
}

#[test]
fn a_disk_that_is_not_there_is_one_line() {
    let hosts = Hosts::new("disk", &good(), "");
    let (code, stdout, stderr) = hosts.fleet(&[&["--disk=phy:/no{n},xvdb,r"], &JOB[..]].concat());
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    // It is missing on both, and either may say so first.
    let expected = [("a", 1), ("b", 3)].map(|(host, n)| {
        format!(
            "ringmark: error: root@{host}: /no{n}: No such file or directory (os error 2); name a \
             block device or a file with --disk\n"
        )
    });
    assert!(expected.contains(&stderr), "{stderr}");
    no_guests(&hosts);
}

#[test]
fn hosts_are_refused_that_cannot_be() {
    let hosts = Hosts::new("refused", &good(), "");
    for (arguments, why) in [
        (&["--host=root@a"][..], "host root@a is named twice"),
        (&["--host=ssh://root@b"], "host root@b is named twice"),
        (&["--host=-oProxyCommand=x"], "ssh would take it for an option"),
        (&["--host=c", "--guests=400"], "cannot be used multiple times"),
        (&["--host=c", "--follow=1"], "cannot be used with"),
        (&["--mix=linux:1", "--peer-kernel=k", "--peer-initramfs=i"], "cannot be used with"),
    ] {
        let (code, _, stderr) = hosts.fleet(&[arguments, &JOB[..]].concat());
        assert!(code == Some(2) && stderr.contains(why), "{arguments:?}: {stderr}");
    }
}

#[test]
fn guests_are_destroyed_where_the_leader_is_killed() {
    let hosts = Hosts::new("killed", &endless(""), "");
    let child = hosts.begin(&JOB);
    wait_for_work(&hosts);
    kill("KILL", child.id());
    assert_eq!(child.wait_with_output().unwrap().status.code(), None);
    let is_gone = || hosts.a.left().is_empty() && hosts.b.left().is_empty();
    wait_until("guests are destroyed", is_gone);
    // ssh's own directory is left with its log: nobody is there to remove it.
    hosts.forget_sockets();
    hosts.wait_for_nothing("killed");
}

#[test]
fn a_signal_ends_what_connects() {
    let hosts = Hosts::new("connect", &good(), "");
    let (config, pid) = (hosts.read("ssh_config"), hosts.path("pid"));
    hosts.write("proxy", &format!("echo $$ >{pid}.new\nmv {pid}.new {pid}\nsleep 1000\n"));
    let proxy = format!("Host a\nProxyCommand sh {}\n", hosts.path("proxy"));
    hosts.write("ssh_config", &(proxy + &config));
    let child = hosts.begin(&JOB);
    let is_connecting = || fs::exists(&pid).unwrap() && !hosts.b.sessions().is_empty();
    wait_until("a is waited for", is_connecting);
    interrupt(&child);
    let (code, stdout, stderr) = hosts.finish(child);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert_eq!(stderr, "ringmark: error: interrupted before there was a guest\n");
    let process = format!("/proc/{}", hosts.read("pid").trim());
    wait_until("its way there has ended", || !fs::exists(&process).unwrap());
    no_guests(&hosts);
}

#[test]
fn a_directory_that_ssh_does_not_take_is_named() {
    let hosts = Hosts::new("directory", &good(), "");
    let mut tool = hosts.command(&JOB);
    let output = tool.env("TMPDIR", hosts.path("%h")).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let why = "its name has a % or ${ in it; set TMPDIR to another\n";
    assert!(stderr.contains("/%h: ") && stderr.ends_with(why), "{stderr}");
    no_guests(&hosts);
}

#[test]
fn domains_stay_on_their_hosts() {
    let hosts = Hosts::new("keep", &good(), "");
    let (code, stdout, stderr) = hosts.end(hosts.begin(&[&["--keep"], &JOB[..]].concat()));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("job, read: 4 of 4 guests\n"), "{stdout}");
    for (host, name, ids) in [(&hosts.a, "a", [1, 2]), (&hosts.b, "b", [3, 4])] {
        let [one, two] = ids;
        let kept = format!("ringmark-{one} (domid {one}), ringmark-{two} (domid {two})");
        let command = format!("for id in {one} {two}; do xl destroy $id; done");
        for told in [format!("kept: {kept}"), format!("remove with: {command}")] {
            let line = format!("ringmark: root@{name}: {told}");
            assert_eq!(stderr.lines().filter(|one| *one == line).count(), 1, "{line}: {stderr}");
        }
        ids.iter().for_each(|id| assert!(host.0.join(format!("domain.{id}")).exists()));
        host.remove_with(&command);
    }
    hosts.wait_for_nothing(&stderr);
}

#[test]
fn nothing_stays_where_the_leader_is_lost() {
    // One guest of each host has ended before, and was to stay.
    let result = emit(&result(1000.0, 10, 20));
    let guest = format!("ready 1\ncase $id in\n1 | 3) {result}\n;;\n*) sleep 1000 ;;\nesac");
    let hosts = Hosts::new("keep-lost", &guest, "");
    let child = hosts.begin(&[&["--keep"], &JOB[..]].concat());
    // After two for the creations, it is looked whether that one is there.
    let is_kept = |host: &FleetStack| host.calls_of("xl vm-list").len() == 3;
    wait_until("a guest of each is kept", || is_kept(&hosts.a) && is_kept(&hosts.b));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(hosts.a.0.join("domain.1").exists() && hosts.b.0.join("domain.3").exists());
    kill("KILL", child.id());
    assert_eq!(child.wait_with_output().unwrap().status.code(), None);
    let is_gone = || hosts.a.left().is_empty() && hosts.b.left().is_empty();
    wait_until("guests are destroyed", is_gone);
    hosts.forget_sockets();
    hosts.wait_for_nothing("killed");
}

#[test]
fn the_first_signal_ends_all_early_with_their_figures() {
    let hosts = Hosts::new("early", &endless(&early()), "");
    let child = hosts.begin(&JOB);
    wait_for_work(&hosts);
    std::thread::sleep(std::time::Duration::from_millis(500));
    // As Ctrl-C at a terminal: for all processes of its group.
    interrupt(&child);
    std::thread::sleep(std::time::Duration::from_millis(500));
    [&hosts.a, &hosts.b].iter().for_each(|host| host.write("asked", ""));
    let (code, stdout, stderr) = hosts.finish(child);
    assert_eq!(code, Some(3), "{stderr}");
    assert_eq!(stderr.matches("ending early").count(), 1, "{stderr}");
    assert!(stderr.ends_with("interrupted, with 4 of 4 results\n"), "{stderr}");
    assert!(stdout.contains("\nsum of root@b "), "{stdout}");
}

#[test]
fn the_second_signal_ends_all_at_once() {
    let hosts = Hosts::new("twice", &endless(&early()), "");
    let child = hosts.begin(&JOB);
    wait_for_work(&hosts);
    interrupt(&child);
    std::thread::sleep(std::time::Duration::from_millis(300));
    interrupt(&child);
    let (code, stdout, stderr) = hosts.finish(child);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("\n  root@a/ringmark-1: interrupted\n"), "{stderr}");
}

#[test]
fn guests_that_all_take_too_long_have_a_code() {
    let hosts = Hosts::new("timeout", &endless(""), "");
    let (code, stdout, stderr) = hosts.fleet(&[&["--timeout=1"], &JOB[..]].concat());
    assert_eq!((code, stdout.as_str()), (Some(4), ""), "{stderr}");
    assert!(stderr.contains("error: 4 of 4 guests have no result:\n"), "{stderr}");
}

/// Sends SIGINT to the group of a process.
fn interrupt(child: &std::process::Child) {
    let group = format!("-{}", child.id());
    let status = std::process::Command::new("kill").args(["-INT", "--", &group]).status();
    assert!(status.unwrap().success());
    assert!(fs::exists(format!("/proc/{}", child.id())).unwrap());
}
