//! Memory of the reader of reports: a constant and ten times its bytes, whatever is in them.

use results::{JobResult, Report, Stolen, emit};

/// Heap that any report may take, in bytes.
const CONSTANT: u64 = 3 << 20;
/// Heap that it may take for each of its bytes.
const FACTOR: u64 = 10;
/// Length of what is put into a report, in bytes.
const STUFFING: usize = 4 << 20;

/// Returns a guest's report.
fn report() -> String {
    let line = "rw=randrw filename=xvda write_bw_log=x log_avg_msec=100";
    let mut result = JobResult::new(fio_job::parse(line).expect(line).remove(0));
    result.counters = Some(Default::default());
    result.stolen = Some(Stolen { ns: 1, of_ns: 2 });
    for side in [&mut result.read, &mut result.write] {
        (1..=100).for_each(|ns| side.latency.record(ns, 1));
        (1..=100).for_each(|n| side.samples.record(n * 100_000_000, 4096, 1));
        side.ios = 100;
    }
    let mut text = String::new();
    emit(&[result], None, None, &mut |part| text.push_str(part));
    text
}

/// Puts members before the last `place` of a report, until it is long.
fn stuffed(report: &str, place: &str, items: &str) -> String {
    let at = report.rfind(place).expect(place);
    let (before, after) = report.split_at(at);
    let count = STUFFING / items.len();
    format!("{before}{}{after}", items.repeat(count))
}

#[test]
fn a_report_takes_a_small_multiple_of_its_bytes() {
    let report = report();
    let (open, close) = ("[".repeat(100), "]".repeat(100));
    let deep = format!("\"x\":{open}{close},");
    let long = format!("\"x\":\"{}\",", "x".repeat(100_000));
    let job = report.split_once("\"jobs\":[").and_then(|(_, rest)| rest.rsplit_once("],\"ring"));
    let job = format!("{},", job.expect("jobs").0);
    // A list that has grown beyond a power of two may have twice the room.
    let many = |place: &str, items: &str| {
        let (before, after) = job.split_once(place).expect(place);
        format!("{before}{}{place}{after}", items.repeat(1_025))
    };
    let (options, levels) = (many("\"rw\":", "\"\":\"\","), many("\"1\":0.0", "\"\":0,"));
    let (bins, percentiles) = (many("\"1\":1,", "\"0\":0,"), many("\"1.000000\":", "\"\":0,"));
    let origin = "{\"job\":[\"\"],\"domain\":{\"affinity\":[\"\"]},\"disks\":[{}]}";
    let report = report.replace("{\"ok\":true", &format!("{{\"ok\":true,\"origin\":{origin}"));
    let mut worst = 0.0_f64;
    for (what, place, items) in [
        ("unknown numbers of the run", "\"jobs\":", "\"x\":[0,0,0,0],"),
        ("unknown numbers of a job", "\"jobname\":", "\"x\":[0,0,0,0],"),
        ("unknown numbers of our figures", "\"members\":", "\"x\":[0,0,0,0],"),
        ("unknown objects of our figures", "\"members\":", "\"x\":{\"\":[]},"),
        ("unknown members of our figures", "\"members\":", "\"\":0,"),
        ("deep arrays of our figures", "\"members\":", &deep),
        ("long strings of our figures", "\"members\":", &long),
        ("disks", "\"xvda\"]", "\"\","),
        ("unknown members of a flag", "\"flag\":", "\"x\":[0,0,0,0],"),
        ("samples", "[100,", "[0,0,0,0],"),
        (
            "logs",
            "{\"read\":{\"samples\"",
            "{\"read\":{\"samples\":[],\"dropped\":0},\"write\":{\"samples\":[],\"dropped\":0}},",
        ),
        ("options", "\"rw\":", "\"\":\"\","),
        ("bins", "\"1\":1,", "\"0\":0,"),
        ("percentiles", "\"1.000000\":", "\"\":0,"),
        ("lines of the job", "\"\"],\"domain\"", "\"\","),
        ("vCPUs", "\"\"]},\"disks\"", "\"\","),
        ("disks of the run", "{}]}", "{},"),
        ("jobs", "{\"jobname\":", &job),
        ("jobs with many options", "{\"jobname\":", &options),
        ("jobs with many classes", "{\"jobname\":", &levels),
        ("jobs with many bins", "{\"jobname\":", &bins),
        ("jobs with many percentiles", "{\"jobname\":", &percentiles),
    ] {
        let text = stuffed(&report, place, items);
        let bytes = text.len() as u64;
        let mut is_read = false;
        let heap = allocation_counter::measure(|| is_read = Report::from_json(&text).is_ok());
        let ratio = heap.bytes_max as f64 / bytes as f64;
        println!("{what}: {bytes} bytes, read: {is_read}, {ratio:.2} bytes of heap for each");
        worst = worst.max(heap.bytes_max.saturating_sub(CONSTANT) as f64 / bytes as f64);
    }
    println!("worst beyond the constant: {worst:.2}");
    assert!(worst <= FACTOR as f64, "{worst}");
}
