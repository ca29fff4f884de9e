//! Configurations that xl is given: names, settings and disks, however they are spelled.

use crate::run::COMPARE;
use crate::stack::{Stack, emit, report};

#[test]
fn xl_gets_what_was_meant() {
    let stack = Stack::new("xl_gets_what_was_meant", &emit(&report(1000.0, None)));
    let arguments = [
        "run",
        "job.fio",
        "--name=dom\\test \"1\"",
        "--set=pool='a\\\\'; maxmem=64 # it's",
        &format!("--disk=phy:{},xvda,r", stack.path("a")),
        &format!("--disk={}", stack.path("b=c")),
        &format!("--disk=target={}", stack.path("c,d e'f\"")),
    ];
    for name in ["a", "b=c", "c,d e'f\""] {
        stack.write(name, "data");
    }
    let (code, _, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    let calls = stack.calls();
    let create = calls.lines().find(|call| call.starts_with("xl create ")).unwrap();
    let place = stack.path("");
    for expected in [
        " name=\"dom\\\\test \\\"1\\\"\" ",
        " disk=[\"vdev=xvdb,access=w,target={place}disk\", \"vdev=xvda,access=r,target={place}a\", \
         \"vdev=xvdc,access=w,target={place}b=c\", \
         \"vdev=xvdd,access=w,target={place}c,d e'f\\\"\"] ",
        " pool=\"a\\\\\" maxmem=64",
    ] {
        let expected = expected.replace("{place}", &place);
        assert!(create.contains(&expected), "{expected}\n{create}");
    }
}

#[test]
fn what_would_take_the_guest_from_the_tool_is_refused() {
    let stack = Stack::new("what_would_take_the_guest_from_the_tool_is_refused", "");
    for (argument, expected) in [
        ("--set=pool=\"a\\\\\" ; name=\"b\"", "use --name"),
        ("--set=pool='a\\'' ; name='b'", "use --name"),
        ("--set=\"\\x6e\"", "xl has no such escape"),
        ("--set=pool=\"\\x41\"", "xl has no such escape"),
        ("--set=uuid='x'", "leave it out"),
        ("--set=disk+=['phy:/dev/b,xvdb,w']", "use --disk"),
        ("--set=kernel='/x'", "use --kernel"),
        ("--set=bootloader='/x'", "leave it out"),
        ("--name=", "not empty"),
        ("--name=7", "number of a domain"),
        ("--name=-v", "begin it with a letter"),
        ("--name=a/b", "has a slash"),
        ("--name=a\nb", "do not show"),
        ("--disk=/dev/a,xvdb,w", "\"xvdb\" is no format; write phy:TARGET,xvda,w"),
        ("--disk=phy:/dev/a,xvda,cdrom", "not taken"),
        ("--disk=phy:/dev/a,vda,w", "no virtual device"),
    ] {
        let (code, _, stderr) = stack.run(&["run", "job.fio", argument]);
        assert_eq!(code, Some(2), "{argument}: {stderr}");
        assert!(stderr.contains(expected), "{argument}: {stderr}");
    }
    assert_eq!(stack.calls(), "");
}

#[test]
fn two_disks_are_not_one() {
    let stack = Stack::new("two_disks_are_not_one", "");
    let arguments = ["run", "job.fio", "--disk=phy:/dev/a,sdb,w", "--disk=phy:/dev/b,d1p0"];
    let (code, _, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("sdb and xvdb name the same disk"), "{stderr}");
    let (code, _, stderr) = stack.run(&["run", "--", "--rw=read", "--filename=xvdb"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("filename=/dev/xvdb: no such disk; the guest has xvda"), "{stderr}");
    assert_eq!(stack.calls(), "");
}

#[test]
fn no_result_is_written_onto_an_input() {
    let stack = Stack::new("no_result_is_written_onto_an_input", "");
    std::os::unix::fs::symlink("job.fio", stack.0.join("link")).unwrap();
    for output in ["job.fio", "./job.fio", "link", "kernel", "disk"] {
        for command in [&["run", "job.fio", "--output", output][..], &with_save(output)] {
            let (code, _, stderr) = stack.run(command);
            assert_eq!(code, Some(2), "{command:?}: {stderr}");
            assert!(stderr.contains(" would replace the input "), "{command:?}: {stderr}");
        }
    }
    stack.write("costs.json", "");
    let command = [&with_save("costs.json")[..], &["--costs", "costs.json"]].concat();
    let (code, _, stderr) = stack.run(&command);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("costs.json would replace the input costs.json"), "{stderr}");
    assert_eq!(stack.calls(), "");
}

fn with_save(file: &str) -> Vec<&str> {
    [&COMPARE[..], &["--save", file]].concat()
}
