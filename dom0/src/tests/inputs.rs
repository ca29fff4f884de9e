//! Inputs as they come from guests and from fio.

use fio_output::{json, json_plus, normal, terse};
use guest_protocol::frame::ResultFramer;
use results::{JobResult, Report, emit};

use crate::saved::{Run, Saved, System};
use crate::sweep::file::{Axis, CellRun, Failure, Header, SweepFile};

/// Bytes of an input.
pub type Input = Vec<u8>;

/// Jobs of the inputs.
pub const JOBS: &str = "filename=xvda rw=randrw lat_percentiles=1 fsync=8 write_bw_log=x \
                        log_avg_msec=100 --name=a --name=b --stonewall";

pub const CONSOLE_WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "ringmark-result-begin 1\n",
    "ringmark-result 1 ",
    "ringmark-result-end ",
    "|",
    "\u{1b}[2J",
    "\u{9b}",
    "\u{202e}",
    "\u{2028}",
    "\u{200b}",
    "Jobs: 1 (f=1): [33.3%]",
    " ",
];

pub const JSON_WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"\":",
    "\"jobs\":[",
    "\"ringmark\":{",
    "\"costs\":{\"from\":\"\",\"jobs\":[",
    "null,",
    "\"bins\":{",
    "\"0\":0,",
    "[0,0,0,0],",
    "\"\",",
    "{},",
    "[[[[[[[[[[",
    "null",
    "true",
    "1e300",
    "1e19",
    "-1",
    "18446744073709551615",
    "1e999",
    "\\u202e",
    "\\u0000",
    "\u{202e}",
    "\u{7f}",
    "\u{feff}",
    "\n",
    "\n{\n",
    "\\ud800",
    "\"fio version\":\"\"",
    "\"runs\":[",
    "\"sweep\":{",
    "\"at\":[",
    "\"values\":[",
];

pub const LOG_WORDS: &[&str] = &[
    ",",
    "\n",
    "\r",
    "\n\n",
    "0, 0, 0\n",
    "inf",
    "nan",
    "-1",
    "1e308",
    "1e12",
    "\u{202e}",
    "\u{1b}[2J",
    "\u{feff}",
    "{",
    "\n{\n",
];

/// Returns a result as a guest of ours sends it.
pub fn ours() -> String {
    let jobs = fio_job::parse(JOBS).expect(JOBS).into_iter();
    let results: Vec<JobResult> = jobs.map(measured).collect();
    let mut text = String::new();
    emit(&results, None, None, &mut |part| text.push_str(part));
    text
}

/// Returns the longest result: one with each latency that has a bin.
pub fn longest() -> String {
    let jobs = fio_job::parse(JOBS).expect(JOBS).into_iter();
    let mut results: Vec<JobResult> = jobs.map(measured).collect();
    for side in results.iter_mut().flat_map(|job| [&mut job.read, &mut job.write, &mut job.flush]) {
        let all = (0..28).flat_map(|power| (64..128).map(move |step| step << power));
        all.for_each(|ns| side.latency.record(ns, 1));
    }
    let mut text = String::new();
    emit(&results, None, None, &mut |part| text.push_str(part));
    text
}

/// Returns what came of a job.
fn measured(job: fio_job::Job) -> JobResult {
    let mut result = JobResult::new(job);
    result.counters = Some(Default::default());
    result.runtime_ns = 500_000_000;
    for side in [&mut result.read, &mut result.write, &mut result.flush] {
        (1..=50).for_each(|n| side.latency.record(n * n, 1));
        (1..=5).for_each(|n| side.samples.record(n * 100_000_000, 4096, 1));
        (side.ios, side.bytes, side.runtime_ns) = (50, 50 << 12, 500_000_000);
    }
    result
}

/// Returns consoles of guests: with a long result, with a short one, with both.
pub fn consoles() -> Vec<Input> {
    let consoles = sent().map(|text| {
        let mut lines = String::from("ringmark 0.1.0 on Xen 4.17\r\n");
        let mut print = |line: std::fmt::Arguments<'_>| lines.push_str(&format!("{line}\r\n"));
        let mut frame = ResultFramer::begin(&mut print);
        frame.text(&text);
        frame.end();
        lines.push_str("Jobs: 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]\r\n");
        lines.into_bytes()
    });
    let both = consoles.concat();
    consoles.into_iter().chain([both]).collect()
}

/// Returns the results in [`consoles`].
pub fn sent() -> [String; 2] {
    [ours(), "{\"jobs\":[], \"|\": \"| \u{e4}\"}".to_owned()]
}

/// Returns files that a report is made of.
pub fn files() -> Vec<Input> {
    let report = Report::from_json(&ours()).expect("a report");
    let mut fios = report.clone();
    (fios.version, fios.ringmark) = ("fio-3.33".to_owned(), None);
    fios.jobs.iter_mut().for_each(|job| job.ringmark = None);
    fios.global_options =
        [("bs", "4k")].map(|(key, v)| (key.into(), v.into())).into_iter().collect();
    let run = |system, result: &Report| Run { system, variant: None, result: result.clone() };
    let runs = vec![run(System::Ringmark, &report), run(System::Linux, &fios)];
    let axis = |name: &str| Axis { name: name.to_owned(), values: vec!["1".into(), "2".into()] };
    let sweep = Header {
        axes: vec![axis("iodepth"), axis("vcpus")],
        repeat: 1,
        seed: Some(1),
        job: "5 bytes, 7".to_owned(),
        kernel: "9 bytes, 8".to_owned(),
        guest: vec!["memory = 64".to_owned()],
    };
    let at = vec!["1".to_owned(), "2".to_owned()];
    let failed = vec![Failure { at: at.clone(), repetition: 1, error: "x".to_owned() }];
    let who = System::Ringmark;
    let cell = CellRun { who, at, repetition: 1, result: report.clone() };
    let swept = serde_json::to_string(&SweepFile { sweep, runs: vec![cell], failed });
    let saved = serde_json::to_string(&Saved { runs }).expect("JSON");
    let texts = [
        json_plus(&report) + &normal(&report),
        format!("\u{feff}fio: a note\n{}{}", json(&fios), terse(&fios)),
        // What fio 3.33 printed.
        include_str!("fio.json").to_owned(),
        saved,
        swept.expect("JSON"),
    ];
    let forms = super::forms::ALL.map(str::to_owned);
    texts.into_iter().chain(forms).map(String::into_bytes).collect()
}

/// Returns fio's logs of IOPS.
pub fn logs() -> Vec<Input> {
    let line = |n: u64| format!("{}, {}, {}, 0, 0\n", n * 500, n * 7, n % 3);
    vec![(1..100).map(line).collect::<String>().into(), b"500, 10, 0, 0, 0\r\n".to_vec()]
}
