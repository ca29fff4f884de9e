//! A guest that lies about its figures: every form prints them, none fails.

use fio_job::{Direction, Job};
use fio_output::{json, json_plus, normal, take_logs, terse};
use results::{Counters, Done, JobResult, PagesKept, Report, Stolen, emit};
use serde_json::Value;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Sets all numbers to the greatest value, except those that are not 64 bits wide.
fn exaggerate(value: &mut Value) {
    match value {
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| !name.ends_with("error"))
            .for_each(|(_, field)| exaggerate(field)),
        Value::Array(values) => values.iter_mut().for_each(exaggerate),
        Value::Number(number) if number.is_u64() => *value = u64::MAX.into(),
        Value::Number(_) => *value = 1e300.into(),
        _ => {}
    }
}

/// Returns a result with figures of every kind.
fn result_of(job: Job) -> JobResult {
    let mut result = JobResult::new(job);
    for (direction, ios) in [(Direction::Read, 3_000), (Direction::Write, 1_000)] {
        for io in 1..=ios {
            let elapsed_ns = 2 * NS_PER_SECOND * io / ios;
            result.classes.put(32, 1);
            let (ios, bytes, timed) = (1, 4096, 1);
            let latencies_ns = 20_000 + io;
            result.count_latency(direction, latencies_ns, ios);
            result.count_done(&Done { ios, direction, bytes, elapsed_ns, timed, latencies_ns });
        }
        let side = result.direction_mut(direction);
        side.runtime_ns = 2 * NS_PER_SECOND;
        side.samples.finish(2 * NS_PER_SECOND);
    }
    result.runtime_ns = 2 * NS_PER_SECOND;
    result.classes.submitted(32);
    result.classes.completed(32);
    result.pages.push((0, PagesKept { used: 32, kept: 32 }));
    result.stolen = Some(Stolen { ns: 1_000_000, of_ns: 2 * NS_PER_SECOND });
    result.counters = Some(Counters { requests: 4_000, ..Counters::default() });
    result
}

#[test]
fn no_figure_is_too_absurd_to_be_printed() {
    let line = "--name=logged --write_bw_log=x --log_avg_msec=9 \
                --name=mix --rw=randrw --iodepth=32 --runtime=10 --filename=/dev/xvda";
    let jobs = fio_job::parse(line).expect("a command line");
    let results: Vec<JobResult> = jobs.iter().cloned().map(result_of).collect();
    let mut text = String::new();
    emit(&results, None, Some(&"why"), &mut |part| text.push_str(part));
    let mut report = Report::from_json(&text).expect("a report");
    report.jobs[0].sync.lat_ns = report.jobs[0].read.clat_ns.clone();
    let mut value = serde_json::to_value(&report).expect("JSON");
    exaggerate(&mut value);
    let mut absurd: Report = serde_json::from_value(value).expect("a report");
    assert_eq!(absurd.jobs[1].read.bw_bytes, u64::MAX);
    for text in [normal(&absurd), terse(&absurd), json(&absurd), json_plus(&absurd)] {
        assert!(text.contains("mix"));
    }
    assert_eq!(take_logs(&mut absurd, &jobs).map(|files| files.len()), Ok(1));
}
