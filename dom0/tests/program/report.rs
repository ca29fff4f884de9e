//! `report`: one page with everything in it, and nothing of what a result says is taken for markup.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use fio_output::{json, json_plus, normal};
use results::{Extra, Latency, OverTime, Report, Saved, SavedRun, Steadiness, System, Verdict};

use crate::stack::{Stack, one_line, report};

/// A result at an iodepth, with a latency histogram.
fn at_depth(name: &str, iodepth: u32, grants: Option<&str>) -> Report {
    let mut report = report(1000.0 * f64::from(iodepth), None);
    let [job] = &mut report.jobs[..] else { panic!("{report:?}") };
    job.jobname = name.to_owned();
    job.options = [("iodepth".to_owned(), iodepth.to_string())].into_iter().collect();
    job.ringmark = grants.map(|of| Extra { grants: of.to_owned(), ..Extra::default() });
    let bins = (1..2000).map(|bin| (1000 * bin, 2000 - bin)).collect();
    job.read.clat_ns = Latency { mean: 5e5, count: 9, bins, ..Latency::default() };
    report
}

/// The page made of these files.
fn page(stack: &Stack, files: &[&str]) -> String {
    let (code, _, stderr) = stack.report(files);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    fs::read_to_string(stack.0.join("page.html")).unwrap()
}

#[test]
fn a_page_needs_nothing_else() {
    let stack = Stack::new("a_page_needs_nothing_else", "");
    for iodepth in [1, 32] {
        let ours = at_depth(&format!("q{iodepth}"), iodepth, Some("persistent"));
        stack.write(&format!("ours-{iodepth}.json"), &json_plus(&ours));
        let fios = Report {
            version: "fio-3.33".into(),
            ..at_depth(&format!("q{iodepth}"), iodepth, None)
        };
        stack.write(&format!("fio-{iodepth}.json"), &json_plus(&fios));
    }
    stack.write("x_iops.1.log", "500, 100, 0, 0, 0\n1000, 120, 0, 0, 0\n");
    let files = ["ours-1.json", "ours-32.json", "fio-1.json", "fio-32.json", "x_iops.1.log"];
    let page = page(&stack, &files);
    for title in ["IOPS", "Latency by iodepth", "Latency, q1, read", "Latency, q32, read"] {
        assert!(page.contains(&format!("<h2>{title}</h2>")), "{title}");
    }
    assert!(page.contains("<h2>IOPS over time</h2>") && page.contains("prefers-color-scheme"));
    for foreign in ["http:", "https:", "//", "<script", "<img", "<link", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "a place that is no number");
    check_classes(&page);
}

/// Checks that every colour and dash that is used has its rule.
pub fn check_classes(page: &str) {
    for class in page.split("class=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        for word in class.split(' ') {
            assert!(page.contains(&format!(".{word} ")), "no rule for {word}");
        }
    }
}

#[test]
fn what_is_known_of_a_rate_is_drawn() {
    let stack = Stack::new("what_is_known_of_a_rate_is_drawn", "");
    let run = |system, iops: f64| {
        let mut result = report(iops, None);
        let steadiness = Steadiness {
            verdict: Verdict::Steady,
            windows: 400,
            windows_left_out: 40,
            iops_mean: iops,
            iops_half_width: Some(iops / 50.0),
            ..Steadiness::default()
        };
        let over_time = OverTime { window_ns: 100_000_000, ios: vec![iops as u64 / 10; 400] };
        let (steadiness, over_time) = (Some(steadiness), Some(over_time));
        result.jobs[0].ringmark = Some(Extra { steadiness, over_time, ..Extra::default() });
        SavedRun { system, variant: None, result }
    };
    let pair = |n: f64| [run(System::Ringmark, 1100.0 + n), run(System::Linux, 1000.0 - n)];
    let saved = Saved { runs: [1.0, 2.0, 3.0].into_iter().flat_map(pair).collect() };
    stack.write("saved.json", &saved.json().unwrap());
    stack.write("one.json", &json_plus(&run(System::Ringmark, 500.0).result));
    let page = page(&stack, &["saved.json", "one.json"]);
    assert!(page.contains("<h2>Ratio of IOPS</h2>") && page.contains(">1.104 (1.099 .. 1.109)<"));
    assert!(page.contains(">500 \u{b1} 2%<"), "{page}");
    assert!(page.contains("<h2>IOPS over time, and whether they are steady</h2>"), "{page}");
    let told = ["class=\"settled\"", "class=\"beyond\"", ": steady, +- 2.0 %</"];
    assert!(told.iter().all(|text| page.contains(text)), "{page}");
    check_classes(&page);
}

#[test]
fn a_page_that_finds_no_room_leaves_nothing() {
    let stack = Stack::new("a_page_that_finds_no_room_leaves_nothing", "");
    stack.write("good.json", &json_plus(&report(1.0, None)));
    for (page, reason) in [("/no/such/page.html", "No such file"), ("/dev/full", "No space left")] {
        let (code, stdout, stderr) = stack.report_to(page, &["good.json"]);
        assert_eq!((code, stdout.as_str()), (Some(5), ""));
        let expected = format!("ringmark: error: cannot write {page}: {reason}");
        assert!(stderr.starts_with(&expected), "{stderr}");
    }
}

#[test]
fn figures_that_are_not_what_they_seem_are_marked() {
    let stack = Stack::new("figures_that_are_not_what_they_seem_are_marked", "");
    let mut result = at_depth("deep", 64, Some("persistent"));
    if let Some(extra) = &mut result.jobs[0].ringmark {
        (extra.backend_pages_kept, extra.pages_used) = (Some(1006), Some(2112));
        (extra.stolen_ns, extra.stolen_percent) = (Some(5_000_000_000), Some(33.3));
    }
    stack.write("deep.json", &json_plus(&result));
    stack.write("good.json", &json_plus(&at_depth("good", 1, Some("persistent"))));
    let page = page(&stack, &["deep.json", "good.json"]);
    assert!(page.contains("<td>1006 of 2112</td><td>33.30%</td>"), "{page}");
    assert!(page.contains("<p>* deep, read, ringmark, persistent: the backend keeps 1006 of 2112"));
    assert!(page.contains("<p>* deep, read, ringmark, persistent: 33.3 % of its time (5.00 s)"));
    assert!(!page.contains("* good"));
    assert_eq!(page.matches(" *</td>").count(), 1);
    assert_eq!(page.matches(" *</text>").count(), 1);
}

#[test]
fn names_are_no_markup() {
    let stack = Stack::new("names_are_no_markup", "");
    let name = "</text><script>alert(1)</script>\"'&";
    stack.write("evil.json", &json_plus(&at_depth(name, 1, Some("<b>"))));
    let page = page(&stack, &["evil.json"]);
    assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn what_cannot_be_plotted_is_named() {
    let stack = Stack::new("what_cannot_be_plotted_is_named", "");
    stack.write("words.json", "words");
    stack.write("evil.json", &json_plus(&at_depth("\u{1b}[2J", 1, None)));
    stack.write("other.json", "{\"a\":1}");
    stack.write("idle.json", &json_plus(&Report { jobs: Vec::new(), ..report(1.0, None) }));
    stack.write("failed.json", &json_plus(&report(1.0, Some("no xvdz"))));
    for (file, reason) in [
        ("none.json", "none.json: No such file"),
        ("words.json", "words.json: line 1 is neither JSON nor fio's log: \"words\""),
        ("other.json", "other.json: neither a result nor a comparison"),
        ("idle.json", "idle.json: no job did any I/O"),
        ("evil.json", "evil.json: control character '\\u{1b}' in a string at line"),
        ("failed.json", "failed.json: the run failed: no xvdz\n"),
    ] {
        let (code, _, stderr) = stack.report(&[file]);
        assert_eq!(code, Some(1), "{file}");
        assert!(stderr.starts_with(&format!("ringmark: error: {reason}")), "{stderr}");
    }
    stack.write("good.json", &json_plus(&report(1.0, None)));
    let (code, _, stderr) = stack.report(&["good.json", "failed.json"]);
    let expected = "ringmark: error: failed.json: the run failed: no xvdz\n";
    assert_eq!((code, stderr.as_str()), (Some(1), expected));
    assert!(!stack.0.join("page.html").exists());
    assert_eq!(stack.report(&[]).0, Some(2));
}

#[test]
fn no_file_but_an_older_page_is_replaced() {
    let stack = Stack::new("no_file_but_an_older_page_is_replaced", "");
    let result = json_plus(&report(1.0, None));
    for name in ["a.json", "b.json", "other.json"] {
        stack.write(name, &result);
    }
    stack.write("notes.html", "<!DOCTYPE html><title>notes</title>");
    symlink("b.json", stack.0.join("link")).unwrap();
    fs::hard_link(stack.0.join("b.json"), stack.0.join("hard")).unwrap();
    let input = "-o b.json would replace the input b.json; name another file there\n";
    let is_there = "is there and is no page of ringmark report; remove it, or name another file";
    for (output, files, reason) in [
        ("b.json", &["a.json", "b.json"][..], input.to_owned()),
        ("./b.json", &["b.json"], input.replace("-o b", "-o ./b")),
        ("link", &["b.json"], input.replace("-o b.json", "-o link")),
        ("b.json", &["link"], input.replace("input b.json", "input link")),
        ("hard", &["b.json"], input.replace("-o b.json", "-o hard")),
        ("other.json", &["a.json"], format!("other.json {is_there}")),
        ("notes.html", &["a.json"], format!("notes.html {is_there}")),
    ] {
        let (code, _, stderr) = stack.report_to(output, files);
        assert!(stderr.starts_with(&format!("ringmark: error: {reason}")), "{stderr}");
        assert_eq!(code, Some(2), "{output}");
    }
    for name in ["a.json", "b.json", "other.json"] {
        assert_eq!(fs::read_to_string(stack.0.join(name)).unwrap(), result);
    }
    let (code, _, stderr) = stack.report(&["a.json", "b.json", "hard"]);
    let expected = "ringmark: error: b.json and hard are the same file; leave one out\n";
    assert_eq!((code, stderr.as_str()), (Some(2), expected));
    // What is empty or made by this tool is replaced.
    stack.write("page.html", "");
    let first = page(&stack, &["a.json"]);
    let second = page(&stack, &["a.json", "b.json"]);
    assert!(first.len() < second.len() && second.contains("<meta name=\"generator\""));
}

#[test]
fn a_page_says_what_was_measured_before_its_figures() {
    let stack = Stack::new("a_page_says_what_was_measured_before_its_figures", "");
    for iodepth in [1, 32] {
        let mut result = at_depth("deep", iodepth, Some("persistent"));
        result.time = Some("Sun Nov 22 03:20:00 2026".to_owned());
        if let Some(extra) = &mut result.jobs[0].ringmark {
            extra.disks = vec!["xvdq".to_owned()];
        }
        stack.write(&format!("{iodepth}.json"), &json_plus(&result));
    }
    let page = page(&stack, &["1.json", "32.json"]);
    let places =
        ["What was measured", "<dd>1.json, 32.json</dd>", ">Figures<", ">IOPS<", ">Latency, "];
    let places = places.map(|text| page.find(text).unwrap_or_else(|| panic!("{text}: {page}")));
    assert!(places.is_sorted(), "{places:?}");
    for text in ["<dd>ringmark-0.1.0</dd>", "<dd>xvdq</dd>", "<dd>Sun Nov 22 03:20:00 2026</dd>"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(page.contains(">IOPS by iodepth<") && page.contains(">I/Os a second</text>"), "{page}");
}

#[test]
fn files_are_merged_on_demand_and_only_the_same_jobs() {
    let stack = Stack::new("files_are_merged_on_demand_and_only_the_same_jobs", "");
    for (name, bs, iops) in [("1", "4k", 100.0), ("2", "4k", 200.0), ("3", "64k", 300.0)] {
        let mut result = report(iops, None);
        result.jobs[0].options = [("bs".to_owned(), bs.to_owned())].into_iter().collect();
        stack.write(&format!("{name}.json"), &json(&result));
    }
    let files = ["1.json", "2.json", "3.json"];
    let row = |what: &str, who: &str, runs: usize| {
        format!("<td>job, read, bs={what}</td><td>ringmark-0.1.0{who}</td><td>{runs}</td>")
    };
    let apart = page(&stack, &files);
    for (bs, who) in [("4k", ", 1.json"), ("4k", ", 2.json"), ("64k", ", 3.json")] {
        assert!(apart.contains(&row(bs, who, 1)), "{bs}{who}: {apart}");
    }
    let merged = page(&stack, &["--merge", files[0], files[1], files[2]]);
    assert!(merged.contains(&row("4k", "", 2)) && merged.contains(&row("64k", "", 1)), "{merged}");
    assert!(merged.contains("<td>150</td>"), "{merged}");
}

#[test]
fn our_own_output_is_read_in_all_forms() {
    let stack = Stack::new("our_own_output_is_read_in_all_forms", "");
    let mut result = at_depth("{deep", 4, Some("persistent"));
    result.timestamp_ms = Some(1_700_000_000_000);
    let [normal, json, plus] = [normal, json, json_plus].map(|form| form(&result));
    for text in [
        format!("{json}{normal}"),
        format!("{normal}{plus}"),
        format!("{json}{plus}{normal}"),
        format!("\u{feff}{json}"),
        json.replace('\n', "\r\n"),
    ] {
        stack.write("out", &text);
        let page = page(&stack, &["out"]);
        assert!(page.contains("<td>{deep, read</td><td>ringmark, persistent</td><td>1</td>"));
    }
}

#[test]
fn logs_that_cannot_be_are_refused_with_their_line() {
    let stack = Stack::new("logs_that_cannot_be_are_refused_with_their_line", "");
    for line in ["1, inf, 0", "nan, 1, 0", "2, 1e308, 0", "2, -1, 0", "1, 1, 0", "x\u{1b}[2J\u{9b}"]
    {
        stack.write("bad.log", &format!("2, 100, 0\n{line}\n"));
        let (code, _, stderr) = stack.report(&["bad.log"]);
        assert!(stderr.starts_with("ringmark: error: bad.log: line 2 "), "{stderr}");
        assert!(!stderr.contains(['\u{1b}', '\u{9b}']) && code == Some(1), "{stderr}");
    }
    stack.write("long.log", &"x".repeat(3 << 20));
    let (_, _, stderr) = stack.report(&["long.log"]);
    assert!(stderr.len() < 200 && stderr.ends_with("xxx\"..\n"), "{stderr}");
    let (_, _, stderr) = stack.report(&["no\u{1b}[2J\u{202e}.log"]);
    assert!(stderr.starts_with("ringmark: error: no\\u{1b}[2J\\u{202e}.log: No such"), "{stderr}");
}

#[test]
fn memory_is_bounded_by_the_files() {
    let stack = Stack::new("memory_is_bounded_by_the_files", "");
    let log: String = (0..1_000_000).map(|_| "1,1,0\n").collect();
    stack.write("long.log", &log);
    let mut result = report(1.0, None);
    let job = &mut result.jobs[0];
    job.read.clat_ns.bins = (1..1800).map(|bin| (bin, 1)).collect();
    let jobs = vec![job.clone(); 200];
    stack.write("long.json", &one_line(&Report { jobs, ..result }));
    for name in ["long.log", "long.json"] {
        let kib = fs::metadata(stack.0.join(name)).unwrap().len() / 1024;
        let limit = (kib * 10 + 16 * 1024).to_string();
        let run = "ulimit -v \"$1\"; exec \"$2\" report -o page.html \"$3\"";
        let tool = env!("CARGO_BIN_EXE_ringmark-dom0");
        let mut command = Command::new("sh");
        command.args(["-c", run, "sh", &limit, tool, name]).current_dir(&stack.0);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}, {limit} KiB: {output:?}");
    }
    let length = fs::metadata(stack.0.join("page.html")).unwrap().len();
    assert!(length < 1 << 20, "{length}");
}
