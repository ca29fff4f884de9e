//! `doctor`: what it says of hosts that answer, and of those that do not.

use serde_json::Value;

use crate::stack::Stack;

const INFO: &str = "\
host                   : h
nr_cpus                : 8
threads_per_core       : 1
free_memory            : 6644
xen_version            : 4.17.5
xen_scheduler          : credit2
xen_changeset          : 
xen_commandline        : placeholder dom0_mem=1024M dom0_max_vcpus=2 dom0_vcpus_pin
";
const POWER: &str = "cpu id : 0\ncurrent_governor : performance\nturbo mode : disabled or n/a\n";
const VCPUS: &str = "Name ID VCPU CPU State Time(s) Affinity (Hard / Soft)\n\
                     Domain-0 0 0 0 r-- 9.0 0 / all\nDomain-0 0 1 1 r-- 9.0 1 / all\n";
const PARAMETERS: [(&str, &str); 6] = [
    ("feature_persistent", "Y"),
    ("max_ring_page_order", "4"),
    ("max_queues", "2"),
    ("max_persistent_grants", "1056"),
    ("persistent_grant_unused_seconds", "60"),
    ("log_stats", "0"),
];

/// A host on which nothing spoils a measurement, below `copy`.
fn host(name: &str) -> Stack {
    let stack = Stack::new(name, "");
    let files = [
        ("proc/sys/kernel/ostype", "Linux\n"),
        ("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n"),
        ("proc/cpuinfo", "processor : 0\nmodel name : EPYC\n\nprocessor : 1\nmodel name : EPYC\n"),
        ("proc/self/mountinfo", ""),
    ];
    let module = "sys/module/xen_blkback/parameters";
    let parameters = PARAMETERS.map(|(name, value)| (format!("{module}/{name}"), value));
    let files = files.map(|(name, text)| (name.to_owned(), text));
    for (name, text) in files.into_iter().chain(parameters) {
        let path = stack.0.join("copy").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    stack.write("info", INFO);
    stack.write("power", POWER);
    stack.write("vcpus", VCPUS);
    stack.write("backends", "");
    stack.write("messages", "(XEN) Xen version 4.17.5 (Debian) debug=n Thu\n");
    stack
}

fn doctor(stack: &Stack, more: &[&str]) -> (Option<i32>, String, String) {
    stack.end(stack.spawn(&[&["doctor", "--root=copy"], more].concat()))
}

#[test]
fn a_quiet_host_is_fine() {
    let stack = host("a_quiet_host_is_fine");
    let expected = "\
ok    xen: 4.17.5
ok    xen options: dom0_mem=1024M dom0_max_vcpus=2 dom0_vcpus_pin
ok    xen scheduler: credit2
ok    memory: 6644 MiB are free
ok    dom0: Linux 6.1.0-28-amd64, 2 vCPUs, EPYC
ok    dom0 vCPUs: run on 0 1; give the guest others, with --cpus
ok    other guests: none
ok    cpu clock: governor performance
ok    turbo: is off
ok    xen-blkback: feature_persistent=Y max_ring_page_order=4 max_queues=2 \
max_persistent_grants=1056 persistent_grant_unused_seconds=60 log_stats=N
";
    assert_eq!(doctor(&stack, &[]), (Some(0), expected.to_owned(), String::new()));
    let calls = stack.calls();
    let allowed = ["xl info", "xenpm get-cpufreq-para", "xl vcpu-list 0", "xl dmesg", "xl list"];
    let is_allowed = |call: &str| allowed.contains(&call) || call.starts_with("xenstore-ls -f /");
    assert!(calls.lines().all(is_allowed), "nothing is changed: {calls}");
}

#[test]
fn the_documents_show_what_is_printed() {
    let stack = host("the_documents_show_what_is_printed");
    stack.write("info", &INFO.replace(" dom0_vcpus_pin", ""));
    stack.write("power", "current_governor : ondemand\nturbo mode : enabled\n");
    stack
        .write("vcpus", &VCPUS.replace(" 0 / all", " all / all").replace(" 1 / all", " all / all"));
    let (code, stdout, stderr) = doctor(&stack, &["--disk=phy:/dev/none"]);
    assert_eq!(code, Some(1), "{stderr}");
    let documents = include_str!("../../../docs/dom0.md");
    assert!(documents.contains(&format!("```\n{stdout}```\n")), "{stdout}");
}

#[test]
fn what_spoils_figures_is_found_and_counts() {
    let stack = host("what_spoils_figures_is_found_and_counts");
    stack.write("info", &INFO.replace("6644", "12").replace("credit2", "rtds"));
    stack.write("power", "current_governor : ondemand\nturbo mode : enabled\n");
    stack.write("vcpus", &VCPUS.replace(" 0 / all", " all / all"));
    stack.write("messages", "(XEN) Xen version 4.17.5 (Debian) debug=y Thu\n");
    stack.write("busy", "");
    stack.write("copy/sys/module/xen_blkback/parameters/log_stats", "1\n");
    let (code, stdout, stderr) = doctor(&stack, &["--disk=phy:/dev/none"]);
    assert_eq!(code, Some(1), "{stdout}");
    let spoiling: Vec<&str> = stdout.lines().filter(|line| !line.starts_with("ok ")).collect();
    let about = spoiling.iter().map(|line| line.split(':').next().unwrap());
    let expected = [
        "warn  xen build",
        "warn  xen scheduler",
        "warn  memory",
        "warn  dom0 vCPUs",
        "warn  other guests",
        "warn  cpu clock",
        "warn  turbo",
        "warn  xen-blkback",
        "fail  /dev/none",
    ];
    assert!(about.eq(expected), "{stdout}");
    assert_eq!(stderr, "ringmark: error: 9 findings spoil a measurement on this host\n");
}

#[test]
fn a_host_without_xen_is_told_so() {
    let stack = host("a_host_without_xen_is_told_so");
    let xl = "#!/bin/sh\necho \"xl $*\" >>\"$(dirname \"$0\")/calls\"\nexit 1\n";
    stack.program("xl", xl);
    let (code, stdout, _) = doctor(&stack, &[]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(
        stdout.starts_with("fail  xen: is not there, so ringmark makes no guest: xl info failed")
    );
    assert!(
        stdout.contains("\nok    linux: Linux 6.1.0-28-amd64, 2 processors"),
        "it goes on: {stdout}"
    );
    assert_eq!(stack.calls(), "xl info\n", "nothing more is asked");
    // Whoever may not ask is told what cannot be seen; that spoils nothing.
    std::fs::create_dir_all(stack.0.join("copy/proc/xen")).unwrap();
    stack.write("copy/proc/xen/capabilities", "control_d\n");
    let (code, stdout, stderr) = doctor(&stack, &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(
        stdout.starts_with("note  xen: is there, but what it is cannot be seen: xl info failed")
    );
}

#[test]
fn facts_are_told_in_json_as_results_have_them() {
    let stack = host("facts_are_told_in_json_as_results_have_them");
    let disk = format!("--disk={}", stack.path("disk"));
    let (code, stdout, _) = stack.end(stack.spawn(&["doctor", "--json", &disk]));
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, Some(1), "a file is no disk: {stdout}");
    let host: results::OriginHost = serde_json::from_value(told["host"].clone()).unwrap();
    assert_eq!((host.cpus, host.turbo), (Some(8), Some(false)));
    assert_eq!(
        (told["disks"][0]["device"].as_str(), host.dom0_affinity),
        (Some("file"), vec!["0".to_owned(), "1".to_owned()])
    );
    let findings = told["findings"].as_array().unwrap();
    assert!(findings.iter().any(|one| one["level"] == "warn" && one["advice"].is_string()));
    assert!(findings.iter().all(|one| one["about"].is_string() && one["text"].is_string()));
}

/// Texts of the tool stack and of files that are not what they should be.
#[test]
fn odd_texts_are_no_trouble() {
    let stack = host("odd_texts_are_no_trouble");
    let odd = ["", ":", " : \n:\n", "\u{1b}[2J\u{202e}", "a / b / c\n/\n", &"9 : ".repeat(100_000)];
    for text in odd {
        for name in ["info", "power", "vcpus", "messages", "backends", "busy"] {
            let before = std::fs::read(stack.0.join(name)).ok();
            stack.write(name, text);
            let (code, stdout, stderr) = doctor(&stack, &["--disk=phy:/dev/none"]);
            assert_eq!(code, Some(1), "{name}: {stdout}{stderr}");
            assert!(stdout.is_ascii() && !stdout.contains('\u{1b}'), "{stdout}");
            assert!(stdout.len() < 10_000, "{stdout}");
            match before {
                Some(before) => std::fs::write(stack.0.join(name), before).unwrap(),
                None => std::fs::remove_file(stack.0.join(name)).unwrap(),
            }
        }
    }
    let parameters = stack.0.join("copy/sys/module/xen_blkback/parameters");
    for (name, _) in PARAMETERS {
        std::fs::write(parameters.join(name), "\u{1b}99999999999999999999").unwrap();
    }
    let (code, stdout, _) = doctor(&stack, &[]);
    assert_eq!(code, Some(0));
    assert!(stdout.ends_with("ok    xen-blkback: tells no parameters\n"), "{stdout}");
}

/// A tool stack that hangs holds it up no longer than its answers may take.
#[test]
fn what_hangs_is_left_out() {
    let stack = host("what_hangs_is_left_out");
    stack.write("trouble", "2 hang\n");
    let (code, stdout, _) = doctor(&stack, &[]);
    assert_eq!(code, Some(0), "{stdout}");
    let expected = "note  cpu clock: what sets it cannot be seen: xenpm get-cpufreq-para was not \
                    done after 5 s\n";
    assert!(stdout.contains(expected), "{stdout}");
    assert!(stdout.contains("ok    other guests"), "{stdout}");
}
