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

/// Returns reports with much of the shortest that any fio writes.
fn shortest() -> [(&'static str, String); 3] {
    let lat = r#"{"min":0,"max":0,"mean":0,"stddev":0}"#;
    let mut side = r#"{"io_bytes":0,"io_kbytes":0,"bw":0,"iops":0,"runtime":0,"#.to_owned();
    side += r#""total_ios":0,"short_ios":0,"drop_ios":0,"#;
    side += &format!(r#""slat":{lat},"clat":{lat},"lat":{lat},"bw_min":0,"bw_max":0,"#);
    side += r#""bw_agg":0,"bw_mean":0,"bw_dev":0}"#;
    let job = |sides: &str| {
        format!(r#"{{"jobname":"","groupid":0,"error":0,{sides},"usr_cpu":0,"sys_cpu":0,"ctx":0,"#)
            + r#""majf":0,"minf":0,"iodepth_level":{},"latency_us":{},"latency_ms":{}},"#
    };
    let mixed = job(&format!(r#""mixed":{side}"#));
    let each = job(&format!(r#""read":{side},"write":{side}"#));
    let host = r#"{"hostname":"","port":0,"":""},"#;
    let report = |hosts: &str, jobs: &str| {
        let [hosts, jobs] = [hosts, jobs].map(|list| list.trim_end_matches(','));
        format!(r#"{{"fio version":"","global options":[{hosts}],"client_stats":[{jobs}]}}"#)
    };
    let many = |item: &str| item.repeat(STUFFING / item.len());
    [
        ("all in one", report("", &mixed.repeat(1280))),
        ("reads and writes", report("", &many(&each))),
        ("hosts", report(&many(host), &each)),
    ]
}

#[test]
fn jobs_with_all_in_one_have_an_end() {
    let [(_, text), ..] = shortest();
    assert!(Report::from_json(&text).is_ok());
    let (head, jobs) = text.split_once("[{\"jobname\"").expect("jobs");
    let (job, _) = jobs.split_once(",{\"jobname\"").expect("two jobs");
    let more = format!("{head}[{{\"jobname\"{job},{{\"jobname\"{jobs}");
    let error = Report::from_json(&more).expect_err("too many").to_string();
    assert!(error.starts_with("more than 1280 jobs"), "{error}");
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
    for (what, text) in shortest() {
        let bytes = text.len() as u64;
        let mut error = None;
        let heap = allocation_counter::measure(|| error = Report::from_json(&text).err());
        assert!(error.is_none(), "{what}: {error:?}");
        let ratio = heap.bytes_max as f64 / bytes as f64;
        println!("{what}: {bytes} bytes, {ratio:.2} bytes of heap for each");
        worst = worst.max(heap.bytes_max.saturating_sub(CONSTANT) as f64 / bytes as f64);
    }
    println!("worst beyond the constant: {worst:.2}");
    assert!(worst <= FACTOR as f64, "{worst}");
}
