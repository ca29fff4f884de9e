//! Costs of an I/O by owner: shown where they were counted, refused where they cannot be, and never
//! a guest's own.

use std::fs;

use results::{CostReport, Costs, Owners, Report, Run};

use crate::stack::{Stack, emit, one_line, peers, report, saved};

/// A result with the costs of its job.
fn counted(mut result: Report, guest: f64) -> Report {
    let owners = Owners { guest, xen: 1391.0, dom0: 3175.0 };
    let costs = Costs { owners, exits: Some(0.119), ..Costs::default() };
    let run = result.ringmark.get_or_insert_with(|| Run { ok: true, ..Run::default() });
    run.costs = Some(CostReport { from: "a <counter>".into(), jobs: vec![Some(costs)] });
    result
}

fn ours() -> Report {
    report(3000.0, None)
}

fn linux() -> Report {
    Report { version: "fio-3.39".into(), ringmark: None, ..report(1000.0, None) }
}

/// A comparison as `--save` writes it.
fn compared(ours: &Report, linux: &Report) -> String {
    saved([("ringmark", ours), ("linux", linux)])
}

fn page(stack: &Stack, files: &[&str]) -> String {
    let (code, _, stderr) = stack.report(files);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    fs::read_to_string(stack.0.join("page.html")).unwrap()
}

#[test]
fn a_page_shows_costs_that_were_counted_and_nothing_of_them_else() {
    let stack = Stack::new("a_page_shows_costs_that_were_counted_and_nothing_of_them_else", "");
    stack.write("with.json", &compared(&counted(ours(), 470.0), &counted(linux(), 7633.0)));
    let with = page(&stack, &["with.json"]);
    for text in [
        "<h2>Costs of an I/O</h2>",
        "Counted by a &lt;counter&gt;.",
        "<td>instructions</td><td>12199</td><td>7633</td><td>1391</td><td>3175</td><td>0.119</td>",
        "<h2>Instructions of an I/O by owner</h2>",
        ">12199 \u{b7} 0.119 exits</text>",
        "<desc>job, read: ",
    ] {
        assert!(with.contains(text), "{text}: {with}");
    }
    assert!(with.contains("<path class=\"stripes\""));
    for class in with.split("class=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        for word in class.split(' ') {
            assert!(with.contains(&format!(".{word} ")), "no rule for {word}");
        }
    }
    stack.write("without.json", &compared(&ours(), &linux()));
    let without = page(&stack, &["without.json"]);
    for text in ["Costs of an I/O", "by owner", "exits", "<desc>", "NaN"] {
        assert!(!without.contains(text), "{text}");
    }
}

#[test]
fn costs_that_cannot_be_are_refused() {
    let stack = Stack::new("costs_that_cannot_be_are_refused", "");
    let good = one_line(&counted(ours(), 470.0));
    for (from, to, words) in [
        ("470.0", "-470.0", "is no cost of an I/O (guest)"),
        ("470.0", "1e13", "is no cost of an I/O (guest)"),
        ("470.0", "1e400", "number out of range"),
        ("470.0", "\"470\"", "invalid type: string"),
        ("0.119", "-0.119", "is no cost of an I/O (exits)"),
        ("\"xen\"", "\"hyper-v\"", "unknown field `hyper-v`"),
        ("\"instructions\"", "\"joules\"", "unknown variant `joules`"),
        ("a <counter>", "a\\u001b[2J", "control character"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        stack.write("bad.json", &bad);
        let (code, _, stderr) = stack.report(&["bad.json"]);
        assert!(stderr.starts_with("ringmark: error: bad.json: "), "{stderr}");
        assert!(stderr.contains(words) && stderr.lines().count() == 1, "{words}: {stderr}");
        assert_eq!(code, Some(1));
    }
}

/// Two guests in one, each of which claims costs.
fn guests() -> String {
    peers(&emit(&counted(ours(), 1.0)), &counted(linux(), 1.0))
}

const ARGUMENTS: [&str; 9] = [
    "compare",
    "job.fio",
    "--peer-kernel",
    "vmlinux",
    "--peer-initramfs",
    "peer.cpio",
    "--runs=1",
    "--save",
    "all.json",
];

#[test]
fn a_comparison_shows_costs_that_were_counted_elsewhere() {
    let stack = Stack::new("a_comparison_shows_costs_that_were_counted_elsewhere", &guests());
    stack.write("peer.cpio", "an archive");
    stack.write("costs.json", &compared(&counted(ours(), 470.0), &counted(linux(), 7633.0)));
    let (code, stdout, stderr) = stack.run(&[&ARGUMENTS[..], &["--costs=costs.json"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let table = stdout.split_once("instructions for an I/O").expect(&stdout).1;
    let words: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[2], ["ringmark", "5036", "470", "1391", "3175", "0.119"]);
    assert_eq!(words[3], ["Linux,", "fio", "12199", "7633", "1391", "3175", "0.119"]);
    assert!(table.ends_with("counted by a <counter>, in costs.json\n"), "{table}");
    assert!(page(&stack, &["all.json"]).contains("<h2>Instructions of an I/O by owner</h2>"));
}

#[test]
fn a_guest_cannot_set_its_costs() {
    let stack = Stack::new("a_guest_cannot_set_its_costs", &guests());
    stack.write("peer.cpio", "an archive");
    let (code, stdout, stderr) = stack.run(&ARGUMENTS);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stdout.contains("instructions") && !stdout.contains("counted"), "{stdout}");
    assert!(!fs::read_to_string(stack.0.join("all.json")).unwrap().contains("costs"));
}

#[test]
fn costs_of_other_jobs_are_not_taken_and_a_file_without_is_refused() {
    let stack = Stack::new("costs_of_other_jobs_are_not_taken", &guests());
    stack.write("peer.cpio", "an archive");
    let mut other = counted(ours(), 470.0);
    other.jobs[0].options = [("bs".to_owned(), "8k".to_owned())].into_iter().collect();
    stack.write("other.json", &one_line(&other));
    let (code, stdout, stderr) = stack.run(&[&ARGUMENTS[..], &["--costs=other.json"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.ends_with(
            "other.json has no costs of job job on Linux, fio\n\
             other.json has no costs of job job on ringmark\n"
        ),
        "{stdout}"
    );
    let calls = stack.calls();
    stack.write("none.json", &one_line(&ours()));
    for (file, why) in [("none.json", "no result in none.json has costs"), ("no", "No such file")] {
        let costs = format!("--costs={file}");
        let (code, _, stderr) = stack.run(&[&ARGUMENTS[..], &[&costs]].concat());
        assert!(
            code == Some(2) && stderr.contains("--costs: ") && stderr.contains(why),
            "{stderr}"
        );
    }
    assert_eq!(stack.calls(), calls, "no guest was made");
}
