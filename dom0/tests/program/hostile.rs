//! Texts of others on the terminal of this program: whatever way they take, they move no cursor,
//! begin no line, reverse or hide nothing, and have an end.

use guest_protocol::frame::{BEGIN, END};

use crate::stack::{Stack, emit_text, one_line, report};

/// Text that would clear the screen, reverse, hide and separate text, and then is long.
const EVIL: &str = "\u{1b}[2J\u{9b}2J\r\u{202e}\u{200b}\u{ad}\u{2028}\u{feff}\u{e0041}\tevil";
/// Most that a run prints of all that others say, in bytes.
const PRINTED_MAX: usize = 32 << 10;

/// Checks all that was printed in a run.
fn check(what: &str, (code, stdout, stderr): &(Option<i32>, String, String)) {
    for text in [stdout, stderr] {
        let is_evil = |letter: char| !letter.is_ascii() && EVIL.contains(letter);
        let is_seen = |letter: char| letter != '\n' && (letter.is_control() || is_evil(letter));
        assert!(!text.contains(is_seen), "{what}: {text:?}");
        assert!(text.lines().all(|line| line.len() <= 2048), "{what}: {text}");
        assert!(!text.lines().any(|line| line.starts_with("forged")), "{what}: {text}");
        assert!(text.len() <= PRINTED_MAX, "{what}: {} bytes", text.len());
    }
    assert!(code.is_some_and(|code| code < 100), "{what}: {stderr}");
}

/// Runs a job on a guest that prints these lines.
fn run(what: &str, lines: &str) -> (Option<i32>, String, String) {
    let stack = Stack::new(&format!("hostile_{what}"), "cat \"$(dirname \"$0\")/lines\"");
    stack.write("lines", lines);
    stack.write("state", "---s--");
    let done = stack.run(&["run", "job.fio", "--eta=always", "--verbose"]);
    assert!(!stack.has_domain(), "{what}");
    done
}

#[test]
fn nothing_of_a_guest_gets_to_the_terminal_as_it_is() {
    let long = EVIL.repeat(20_000);
    let status = "Jobs: 1 (f=1): [r(1)][33.3%]";
    for (what, lines) in [
        ("lines", format!("{EVIL}\nforged: {long}\n").repeat(12)),
        ("status", format!("{status}{EVIL}\n{status}{long}\n").repeat(20)),
        ("first_mark", format!("{BEGIN} {EVIL}\n")),
        ("long_mark", format!("{BEGIN} {long}\n")),
        ("last_mark", format!("{BEGIN} 1\n{END} {EVIL}\n")),
        ("piece", format!("{BEGIN} 1\nringmark-result 7{EVIL} {long}|\n")),
    ] {
        let done = run(what, &lines);
        check(what, &done);
        assert_eq!(done.0, Some(1), "{what}: {}", done.2);
        assert!(done.2.contains("ringmark: error: "), "{what}: {}", done.2);
    }
}

#[test]
fn nothing_in_a_result_gets_to_the_terminal_as_it_is() {
    let json = one_line(&report(1.0, Some("why")));
    let text = serde_json::to_string(EVIL).unwrap();
    let (short, long) = (text.trim_matches('"').to_owned(), "evil".repeat(50_000));
    for evil in [&short, &long] {
        for (number, good) in
            ["why", "\"job\"", "ringmark-0.1.0", "\"usr_cpu\":0.0", "\"iodepth_level\":{"]
                .iter()
                .enumerate()
        {
            assert!(json.contains(good), "{good}: {json}");
            let new = match number {
                1 => format!("\"{evil}\""),
                3 => format!("\"usr_cpu\":\"{evil}\""),
                4 => format!("\"iodepth_level\":{{\"{evil}\":1"),
                _ => evil.clone(),
            };
            let what = format!("result_{number}_{}", evil.len());
            let stack =
                Stack::new(&format!("hostile_{what}"), "cat \"$(dirname \"$0\")/lines\" | sh");
            stack.write("lines", &emit_text(&json.replace(good, &new)));
            let formats = "--output-format=normal,terse";
            let done = stack.run(&["run", "job.fio", formats]);
            check(&what, &done);
            assert_eq!((done.0, done.1.as_str()), (Some(1), ""), "{what}: {}", done.2);
        }
    }
}

#[test]
fn a_peer_says_no_more_than_its_jobs_have() {
    let json = one_line(&report(1.0, None));
    let long = json.replace("\"job\"", &format!("\"{}\"", "evil".repeat(50_000)));
    let job = json.split_once("\"jobs\":[").and_then(|(_, jobs)| jobs.split_once("],")).unwrap().0;
    let many = json.replace(job, &format!("{job},{job}"));
    for (what, json) in [("long", long), ("many", many)] {
        // The Linux guest is the one with a ramdisk; ours is first, and its result is printed.
        let guest = "here=$(dirname \"$0\")\nread -r created <domain\ncase $created in\n\
                     *ramdisk=*) cat \"$here/lines\" ;;\n*) sh \"$here/ours\" ;;\nesac\n";
        let stack = Stack::new(&format!("hostile_peer_{what}"), guest);
        stack.write("ours", &emit_text(&one_line(&report(1.0, None))));
        stack.write("lines", &format!("peer-result: {json}\n"));
        stack.write("peer.cpio", "an archive");
        let peer = ["--peer-kernel", "vmlinux", "--peer-initramfs", "peer.cpio"];
        let done = stack.run(&[&["compare", "job.fio"], &peer[..]].concat());
        check(what, &done);
        assert!(done.2.contains("linux, run 1 of 6: fio's result can't be read: "), "{}", done.2);
        assert!(done.2.contains(" are the most that was planned"), "{}", done.2);
    }
}

#[test]
fn nothing_of_xl_gets_to_the_terminal_as_it_is() {
    let stack = Stack::new("hostile_xl", "");
    stack.write("refuse", &format!("libxl: error: {EVIL}\n{}", EVIL.repeat(9_000)));
    let done = stack.run(&["run", "job.fio"]);
    check("xl", &done);
    assert!(done.2.contains("xl create failed (exit status: 3): libxl: error: \\u{1b}[2J"));
}

#[test]
fn no_name_of_a_file_gets_to_the_terminal_as_it_is() {
    let stack = Stack::new("hostile_names", "");
    let name = format!("{EVIL}\nforged: \u{1b}[m");
    let place = format!("{name}/out");
    for arguments in [
        &["run", name.as_str()][..],
        &["run", "job.fio", "--output", &place],
        &["compare", "job.fio", "--peer-kernel", "vmlinux", "--peer-initramfs", &name],
        &[
            "compare",
            "job.fio",
            "--save",
            &place,
            "--peer-kernel",
            "vmlinux",
            "--peer-initramfs",
            "y",
        ],
    ] {
        let done = stack.run(arguments);
        check(&format!("{arguments:?}"), &done);
        assert!(done.2.contains("\\u{202e}"), "{arguments:?}: {}", done.2);
    }
    stack.write(&name, &format!("[{EVIL}]\n{EVIL}=1\n"));
    check("job file", &stack.run(&["run", &name]));
    stack.write(&name, &format!("[a]\n{}", "evil".repeat(9_000)));
    check("long line", &stack.run(&["run", &name]));
    assert!(!stack.calls().contains("create"));
}
