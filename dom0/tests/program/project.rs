//! `project`: what it prints, and what it refuses. It asks nothing of `xl`.

use results::{Extra, Report};
use serde_json::Value;

use crate::stack::{Stack, one_line, report};

fn say(stack: &Stack, arguments: &[&str]) -> (Option<i32>, String, String) {
    let said = stack.end(stack.spawn(&[&["project"], arguments].concat()));
    assert_eq!(stack.calls(), "", "{arguments:?}");
    said
}

/// A result of one job in this grant mode, of 1,000 I/Os and so many requests.
fn counted(grants: &str, requests: u64) -> Report {
    let mut report = report(1000.0, None);
    let job = &mut report.jobs[0];
    job.read.total_ios = 1000;
    job.ringmark = Some(Extra {
        grants: grants.to_owned(),
        requests: Some(requests),
        grants_made: Some(0),
        copies_made: Some(0),
        ..Extra::default()
    });
    report
}

#[test]
fn curves_are_printed_as_tables_or_json() {
    let stack = Stack::new("project_curves", "");
    let small = ["--guests=1..3", "--cpus=8", "--dom0-vcpus=2"];
    let (code, text, stderr) = say(&stack, &small);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(text.contains("projected, not measured: a host of 8 processors"), "{text}");
    assert!(text.contains("\nprojected IOPS by guests "), "{text}");
    assert!(text.contains("projected cycles for an I/O, 3 guests"), "{text}");
    assert!(text.contains("projected: persistent is ahead of per-request from 1 guest"), "{text}");
    assert_eq!(say(&stack, &small).1, text);
    assert_ne!(say(&stack, &[&small[..], &["--seed=2"]].concat()).1, text);
    let (code, json, stderr) = say(&stack, &[&small[..], &["--format=json"]].concat());
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["projected"], &json["setup"]["dom0_vcpus"]), (&true.into(), &2.into()));
    let curves = json["curves"].as_array().unwrap();
    let names: Vec<_> = curves.iter().map(|curve| curve["system"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["persistent", "persistent-copy", "per-request", "linux", "linux-per-request"]
    );
    assert!(curves.iter().all(|curve| curve["points"].as_array().unwrap().len() == 3));
}

#[test]
fn the_check_says_how_far_off_it_is() {
    let stack = Stack::new("project_check", "");
    let (code, text, stderr) = say(&stack, &["--check"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for part in ["published", "projected", "336718", "1102019", "1600000", "worst: "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (code, json, _) = say(&stack, &["--check", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["projected"]), (Some(0), &true.into()));
    let figures = json["figures"].as_array().unwrap();
    assert!(figures.len() >= 8 && figures.iter().all(|of| of["projected"] == true), "{json}");
    let (code, _, stderr) = say(&stack, &["--check", "--cpus=2"]);
    assert!(code == Some(2) && stderr.contains("cannot be used with"), "{stderr}");
}

#[test]
fn costs_are_printed_changed_and_given_back() {
    let stack = Stack::new("project_costs", "");
    let (code, costs, _) = say(&stack, &["--print-costs"]);
    assert!(code == Some(0) && costs.contains("source = "), "{costs}");
    let project = ["--guests=2", "--costs", "costs.toml"];
    stack.write("costs.toml", &costs);
    let (code, same, stderr) = say(&stack, &project);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(say(&stack, &project[..1]).1, same);
    let slow = "[processor]\nclock = { value = 1, unit = \"GHz\", source = \"mine\" }\n";
    stack.write("costs.toml", slow);
    let (code, slower, _) = say(&stack, &project);
    assert!(code == Some(0) && slower.contains("at 1 GHz") && slower != same, "{slower}");
}

#[test]
fn costs_that_make_no_sense_are_refused() {
    let stack = Stack::new("project_bad_costs", "");
    let clock = |value: &str| {
        format!("[processor]\nclock = {{ value = {value}, unit = \"GHz\", source = \"a\" }}\n")
    };
    let unknown = "[\"\\u001b[2J\"]\nclock = { value = 1, unit = \"GHz\", source = \"a\" }";
    let long = " ".repeat((1 << 20) + 1);
    for (text, expected) in [
        (clock("nan").as_str(), "costs.toml: processor.clock = NaN: write a value from 0.1 to 20"),
        (&clock("-1"), "costs.toml: processor.clock = -1: write a value from 0.1 to 20, in GHz"),
        (&clock("0"), "costs.toml: processor.clock = 0: write a value"),
        (&clock("\"x\""), "costs.toml: line 2: invalid type: string \"x\", expected f64"),
        ("[processor", "costs.toml: line 1: unclosed table"),
        (unknown, "costs.toml: there is no cost \\u{1b}[2J.clock; --print-costs shows"),
        (&long, "costs.toml: longer than 1 MiB; it is no table of costs"),
    ] {
        stack.write("costs.toml", text);
        let (code, stdout, stderr) = say(&stack, &["--costs=costs.toml"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.starts_with("ringmark: error: ") && stderr.contains(expected), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let (code, _, stderr) = say(&stack, &["--costs=none.toml"]);
    assert!(code == Some(2) && stderr.contains("none.toml: No such file"), "{stderr}");
}

#[test]
fn counters_of_a_result_are_used() {
    let stack = Stack::new("project_from", "");
    let project = ["--guests=1", "--from=result.json"];
    stack.write("result.json", &one_line(&counted("persistent", 1000)));
    let (code, same, stderr) = say(&stack, &project);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(say(&stack, &project[..1]).1, same);
    stack.write("result.json", &one_line(&counted("persistent", 4000)));
    let (code, more, _) = say(&stack, &project);
    assert!(code == Some(0) && more != same, "{more}");
}

#[test]
fn results_that_say_nothing_are_refused() {
    let stack = Stack::new("project_bad_results", "");
    let failed = one_line(&report(1000.0, Some("no disk")));
    let absurd = one_line(&counted("persistent", u64::MAX));
    let plain = one_line(&report(1000.0, None));
    let several = format!("{{\"runs\":[{{\"who\":\"ringmark\",\"result\":{plain}}}]}}");
    for (text, expected) in [
        ("", "no JSON of ringmark"),
        ("1, 2, 0\n", "no JSON of ringmark"),
        ("{\"fio version\": 1e999}", "result.json: "),
        ("{\"fio version\": \"\u{1b}\"}", "result.json: "),
        ("{\"fio version\": \"a\", \"jobs\": [{}]}", "missing field"),
        (failed.as_str(), "that run failed: no disk"),
        (&absurd, "its number of requests for each I/O is none"),
        (&plain, "no job of ringmark in it has bs=4k"),
        (&several, "it has several runs"),
    ] {
        stack.write("result.json", text);
        let (code, stdout, stderr) = say(&stack, &["--from=result.json"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{text}: {stderr}");
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{text}: {stderr}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let stack = Stack::new("project_numbers", "");
    for (arguments, expected) in [
        (&["--guests=0"][..], "write numbers from 1 to 128, such as 1..15"),
        (&["--guests=9..3"], "write numbers from 1 to 128"),
        (&["--cpus=0"], "'0' for '--cpus <COUNT>': 0 is not in 1..=1024"),
        (&["--cpus=4294967296"], "4294967296 is not in 1..=1024"),
        (&["--dom0-vcpus=2000"], "'2000' for '--dom0-vcpus <COUNT>': 2000 is not in 1..=1024"),
        (&["--vcpus=0"], "'0' for '--vcpus <COUNT>': 0 is not in 1..=1024"),
        (&["--queues=1025"], "'1025' for '--queues <COUNT>': 1025 is not in 1..=1024"),
        (&["--iodepth=0"], "'0' for '--iodepth <COUNT>': 0 is not in 1..=65536"),
        (
            &["--guests=128", "--vcpus=1024", "--queues=1024"],
            "I/Os in flight of all guests: 4194304 is not from 1 to 65536; \
             lower --guests, --vcpus, --queues or --iodepth",
        ),
        (
            &["--guests=128", "--vcpus=1024"],
            "vCPUs and queues of all guests: 131200 is not from 1 to 65536; lower --guests",
        ),
        (&["--disk=ssd"], "invalid value 'ssd'"),
        (&["--seed=-1"], "invalid value"),
        (&["--print-costs", "--check"], "cannot be used with"),
    ] {
        let (code, stdout, stderr) = say(&stack, arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn grant_locks_are_printed_and_plotted() {
    let stack = Stack::new("project_grant_locks", "");
    let small = ["--grant-locks=2", "--report", "locks.html"];
    let (code, text, stderr) = say(&stack, &small);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for part in ["projected, not measured: ", "events unbound", "packed-words", "3600", "ratios"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let page = std::fs::read_to_string(stack.path("locks.html")).unwrap();
    assert!(page.contains("Grant locks, events bound") && page.contains("packed-words"), "{page}");
    // A page is replaced by another; a file that is none stays.
    assert_eq!(say(&stack, &small).1, text);
    stack.write("mine", "mine");
    let (code, _, stderr) = say(&stack, &["--grant-locks=2", "--report=mine"]);
    assert!(code == Some(2) && stderr.contains("is no page of ringmark report"), "{stderr}");
    assert_eq!(std::fs::read_to_string(stack.path("mine")).unwrap(), "mine");
    let (code, json, _) = say(&stack, &["--grant-locks=1", "--format=json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["curves"]["projected"]), (Some(0), &true.into()));
    assert_eq!(json["curves"]["curves"].as_array().unwrap().len(), 15);
    assert_eq!(json["check"]["figures"].as_array().unwrap().len(), 6);
}

#[test]
fn grant_locks_refuse_what_makes_no_sense() {
    let stack = Stack::new("project_grant_locks_refuse", "");
    for arguments in [
        &["--grant-locks=0"][..],
        &["--grant-locks=257"],
        &["--grant-locks=-1"],
        &["--grant-locks=x"],
        &["--grant-locks=18446744073709551616"],
        &["--grant-locks=2", "--sockets=0"],
        &["--grant-locks=2", "--sockets=9"],
        &["--grant-locks=2", "--cpus=4"],
        &["--grant-locks=2", "--check"],
        &["--sockets=2"],
        &["--report=x.html"],
    ] {
        let (code, text, stderr) = say(&stack, arguments);
        assert_eq!((code, text.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!stderr.is_empty());
    }
}
