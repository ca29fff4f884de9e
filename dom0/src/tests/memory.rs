//! Memory of the readers: a constant and ten times the bytes that they read, whatever is in them.

use super::{inputs, targets};
use crate::console::Splitter;
use crate::monitor::Reader;
use crate::peer::PeerReader;
use crate::printable;

/// Heap that a reader may take for each byte that it reads.
pub const FACTOR: u64 = 10;
/// Heap that a reader may take besides, in bytes.
const CONSTANT: u64 = 3 << 20;
/// Length of an input, in bytes, about.
const LENGTH: usize = 3 << 19;

/// Puts items before a place in a text, until it is long.
fn stuffed(text: &str, place: &str, items: &str) -> String {
    let (before, after) = text.split_at(text.find(place).expect(place));
    format!("{before}{}{after}", items.repeat(LENGTH / items.len()))
}

/// Returns results with much of something.
fn results(text: &str) -> Vec<(&'static str, String)> {
    let deep = format!("\"x\":{}{},", "[".repeat(100), "]".repeat(100));
    let escaped = format!("\"x\":\"{}\",", "\\u00e4".repeat(100_000));
    let jobs = text.split_once("\"jobs\":[").expect("jobs").1;
    let job = format!("{},", jobs.split_once(",{\"jobname\"").expect("two jobs").0);
    [
        ("unknown numbers", "\"members\":", "\"x\":[0,0,0,0],"),
        ("unknown members", "\"members\":", "\"\":0,"),
        ("unknown lists", "\"jobs\":", "\"x\":[[],[],{}],"),
        ("deep lists", "\"jobname\":", &deep),
        ("long strings", "\"jobs\":", &escaped),
        ("disks", "\"xvda\"]", "\"\","),
        ("samples", "[100,", "[0,0,0,0],"),
        ("options", "\"rw\":", "\"\":\"\","),
        ("bins", "\"1\":1,", "\"0\":0,"),
        ("percentiles", "\"1.000000\":", "\"\":0,"),
        ("jobs", "{\"jobname\":", &job),
    ]
    .map(|(what, place, items)| (what, stuffed(text, place, items)))
    .into()
}

/// Measures a reader over inputs; prints the worst of them.
fn measure(reader: &str, inputs: &[(&str, Vec<u8>)], read: impl Fn(&[u8])) {
    let mut worst = (0.0_f64, "");
    for (what, data) in inputs {
        let heap = allocation_counter::measure(|| read(data)).bytes_max;
        let bytes = data.len() as u64;
        worst = if heap as f64 / bytes as f64 > worst.0 {
            (heap as f64 / bytes as f64, what)
        } else {
            worst
        };
        assert!(heap <= CONSTANT + FACTOR * bytes, "{reader}, {what}: {heap} bytes for {bytes}");
    }
    println!("{reader}: at most {:.2} bytes of heap for each byte, for {}", worst.0, worst.1);
}

fn bytes(texts: Vec<(&'static str, String)>) -> Vec<(&'static str, Vec<u8>)> {
    texts.into_iter().map(|(what, text)| (what, text.into_bytes())).collect()
}

#[test]
fn results_take_ten_times_their_bytes() {
    let longest = ("the longest result", inputs::longest());
    let texts = bytes(results(&inputs::ours()).into_iter().chain([longest]).collect());
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).expect("text");
    measure("check of a result", &texts, |data| drop(printable::check(&text(data))));
    measure("result of ours", &texts, |data| {
        targets::our_json(data);
    });
    measure("file of a report", &texts, |data| {
        targets::report_file(data);
    });
}

#[test]
fn logs_take_ten_times_their_bytes() {
    let lines = |line: &str| line.repeat(LENGTH / line.len()).into_bytes();
    let logs = [
        ("short lines", lines("0,0,0\n")),
        ("empty lines", lines("\n")),
        ("a long line", lines("0,")),
        ("another thing", lines("x")),
        ("objects", lines("{\"runs\":[]}\n")),
        ("small results", lines("{\"fio version\":\"\",\"jobs\":[]}\n")),
    ];
    measure("log of a report", &logs, |data| {
        targets::report_file(data);
    });
}

#[test]
fn consoles_take_ten_times_their_bytes() {
    let lines = |line: &[u8]| line.repeat(LENGTH / line.len());
    let piece = format!("ringmark-result-begin 1\n{}", "ringmark-result 1 |\n".repeat(9));
    let whole = inputs::consoles().concat();
    let consoles = [
        ("results", lines(&whole)),
        ("empty lines", lines(b"\n")),
        ("short lines", lines(b"x\n")),
        ("a line", lines(b"x")),
        ("a line that ends", [lines(b"x"), b"\n".to_vec()].concat()),
        ("no text", [lines(b"\xff"), b"\n".to_vec()].concat()),
        ("broken frames", lines(piece.as_bytes())),
        ("marks", lines(b"ringmark-result-begin \xff\n")),
        ("a peer's result", [b"peer-result: ", &lines(b"\xc3\xa4")[..], b"\n"].concat()),
    ];
    measure("console of ours", &consoles, |data| {
        targets::result_frames(data);
    });
    measure("console of a peer", &consoles, |data| {
        let mut splitter = Splitter::new(PeerReader::default().line_bytes_max());
        for piece in data.chunks(1 << 16) {
            splitter.split(piece).iter().for_each(|line| drop(PeerReader::default().line(line)));
        }
    });
}
