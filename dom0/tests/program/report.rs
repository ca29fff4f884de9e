//! `report`: one page with everything in it, and nothing of what a result says is taken for markup.

use std::fs;

use fio_output::json_plus;
use results::{Extra, Latency, Report};

use crate::stack::{Stack, report};

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
    // Every colour and dash that is used has its rule.
    for class in page.split("class=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        for word in class.split(' ') {
            assert!(page.contains(&format!(".{word} {{")), "no rule for {word}");
        }
    }
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
