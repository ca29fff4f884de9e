//! Targets: each lets a reader of the tool meet its bytes.

use std::path::Path;
use std::sync::LazyLock;

use fio_output::take_logs;

use super::inputs;
use crate::console::Splitter;
use crate::display;
use crate::figures::Figures;
use crate::monitor::{Line, Reader};
use crate::plan::Plan;
use crate::print::{Format, print};
use crate::report::load::Data;
use crate::result::{self, OurReader};

/// Longest line of a console, in bytes.
const LINE_BYTES_MAX: usize = 2048;

static PLAN: LazyLock<Plan> =
    LazyLock::new(|| Plan::of_line(inputs::JOBS, &["xvda".into()]).expect("jobs"));
static SENT: LazyLock<[String; 2]> = LazyLock::new(inputs::sent);

/// Checks a text that is printed.
fn check_printed(text: &str) {
    let letter = text.chars().find(|&letter| letter != '\n' && !display::is_harmless(letter));
    assert_eq!(letter, None, "{text:?}");
}

/// A console: no text comes out of a frame but those that were sent.
pub fn result_frames(data: &[u8]) -> &'static str {
    let mut reader = OurReader::new(&PLAN);
    let mut splitter = Splitter::new(reader.line_bytes_max());
    let (mut found, mut damaged) = (0, 0);
    for line in data.chunks(1 << 16).flat_map(|piece| splitter.split(piece)) {
        match reader.line(&line) {
            Ok(Line::Result(text)) => {
                assert!(SENT.contains(&text), "{text}");
                found += 1;
            }
            Ok(_) => {}
            Err(error) => {
                check_printed(&display::message(&format!("{error:#}")));
                damaged += 1;
            }
        }
    }
    match (found, damaged) {
        (0, 0) => "nothing",
        (_, 0) => "results",
        (0, _) => "damage",
        _ => "results and damage",
    }
}

/// A console: the same lines in whatever pieces it comes, none too long, none that controls.
pub fn console_text(data: &[u8]) -> &'static str {
    let line_bytes_max = 16 + data.len() % 100;
    let whole = Splitter::new(line_bytes_max).split(data);
    let mut splitter = Splitter::new(line_bytes_max);
    let pieces = data.chunks(1 + data.len() % 7);
    let pieces: Vec<String> = pieces.flat_map(|piece| splitter.split(piece)).collect();
    assert_eq!(whole, pieces);
    assert_eq!(whole.len(), data.iter().filter(|&&byte| byte == b'\n').count());
    let mut is_plain = true;
    for line in &whole {
        // A byte that is no text becomes a character of three.
        assert!(line.len() <= 3 * line_bytes_max, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
        let (text, shown) = (display::text(line), display::line(line));
        check_printed(&text);
        check_printed(&shown);
        assert!(!shown.contains('\n') && text.chars().count() <= display::TEXT_CHARS_MAX);
        is_plain &= shown == *line;
    }
    match () {
        () if whole.is_empty() => "no line",
        () if is_plain => "plain lines",
        () => "lines to escape",
    }
}

/// A result of ours: refused in one line, or what is printed of it has an end.
pub fn our_json(data: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(data);
    let mut report = match result::read(&text, &PLAN) {
        Ok(report) => report,
        Err(error) => {
            let text = format!("{error:#}");
            check_printed(&text);
            assert!(!text.contains('\n') && text.len() < LINE_BYTES_MAX, "{text}");
            return if text.contains("believed") { "not believed" } else { "refused" };
        }
    };
    assert!(report.jobs.len() <= PLAN.jobs().len());
    let logs = take_logs(&mut report, PLAN.jobs());
    for format in [Format::Normal, Format::Terse, Format::Json, Format::JsonPlus] {
        let text = print(&report, &[format]);
        check_printed(&text);
        if matches!(format, Format::Normal | Format::Terse) {
            assert!(text.len() <= (64 << 10) * report.jobs.len().max(1), "{text}");
        }
    }
    let figures = Figures::of(&report);
    match (logs, figures) {
        (Err(_), _) => "other logs",
        (_, Err(_)) => "no figures",
        _ => "read",
    }
}

/// A file of a report: refused in one line, or read.
pub fn report_file(data: &[u8]) -> &'static str {
    let Ok(text) = str::from_utf8(data) else { return "no text" };
    let mut read = Data::default();
    match read.add_text(Path::new("x"), text) {
        Ok(()) if !read.logs.is_empty() => "log",
        Ok(()) => "results",
        Err(error) => {
            check_printed(&display::text(&format!("{error:#}")));
            "refused"
        }
    }
}
