//! Pace of the corpus' jobs, and their shares: of those that go on for a time, fio's engine that
//! does nothing and ours on the model do as many I/Os a second where an option says how many, and
//! the same shares of directions and lengths, within chance.

use std::thread;

use fio_job::{Job, RateProcess};
use results::{DirectionResult, JobResult};
use serde_json::Value;

use crate::{Case, cases, fio, ours};

/// Standard deviations by which two figures may differ.
const SIGMAS: f64 = 5.0;

/// Directions as fio's report names them.
const DIRECTIONS: [&str; 3] = ["read", "write", "trim"];

/// I/Os of a job in a direction, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    ios: f64,
    bytes: f64,
}

/// Amounts of a job by direction, and the seconds that it took.
#[derive(Clone, Copy, Debug)]
struct Amounts {
    by_direction: [Amount; 3],
    seconds: f64,
}

impl Amounts {
    fn ios(&self) -> f64 {
        self.by_direction.iter().map(|amount| amount.ios).sum()
    }

    fn of_ours(result: &JobResult) -> Self {
        let amount =
            |side: &DirectionResult| Amount { ios: side.ios as f64, bytes: side.bytes as f64 };
        let by_direction = [&result.read, &result.write, &result.trim].map(amount);
        Self { by_direction, seconds: result.runtime_ns as f64 / 1e9 }
    }

    fn of_fios(job: &Value) -> Self {
        let figure = |side: &Value, name: &str| side[name].as_f64().unwrap_or(0.0);
        let amount = |name| Amount {
            ios: figure(&job[name], "total_ios"),
            bytes: figure(&job[name], "io_bytes"),
        };
        let ms = DIRECTIONS.map(|name| figure(&job[name], "runtime"));
        let seconds = ms.into_iter().fold(0.0, f64::max) / 1e3;
        Self { by_direction: DIRECTIONS.map(amount), seconds }
    }
}

/// Returns how many I/Os a second options let a job do in each direction, at most.
fn paces(job: &Job) -> [Option<f64>; 3] {
    let of_rate = |limit: Option<u64>| {
        let bytes = if job.pace.rate.is_some_and(|rate| rate.in_ios) { 1 } else { job.bs_bytes };
        Some(limit? as f64 / f64::from(bytes))
    };
    let limits = job.pace.rate.map_or([None; 3], |rate| [rate.read, rate.write, rate.trim]);
    // A short pause is no pace: what is between takes longer.
    let think = job.pace.think.filter(|think| think.time_ns >= 100_000_000);
    let of_think = think.map(|think| think.blocks.unwrap_or(1) as f64 * 1e9 / think.time_ns as f64);
    limits.map(|limit| of_rate(limit).or(of_think))
}

/// Returns the most I/Os a second that an option lets a job of these do.
fn pace(jobs: &[Job]) -> Option<f64> {
    jobs.iter().flat_map(paces).flatten().reduce(f64::max)
}

/// Returns for how many milliseconds the jobs of a file go on, if they are timed: for longer where
/// they do little.
fn runtime_ms(text: &str) -> Option<u64> {
    let jobs = fio_job::parse_file(text).ok()?;
    let pace = pace(&jobs);
    let is_timed = jobs.iter().any(|job| job.time_based) || pace.is_some();
    let checks = jobs.iter().any(|job| job.verify.is_some());
    (is_timed && !checks).then_some(if pace.is_some() { 2_000 } else { 100 })
}

/// Returns how what a job of ours did differs from what fio's did, if it does.
fn difference(job: &Job, ours: &Amounts, fios: &Amounts) -> Option<String> {
    // Of directions each at its own pace the shares say nothing.
    let is_paced = paces(job).iter().any(Option::is_some);
    let n = 1.0 / (1.0 / ours.ios().max(1.0) + 1.0 / fios.ios().max(1.0));
    for (name, (our, their)) in
        DIRECTIONS.into_iter().zip(ours.by_direction.iter().zip(&fios.by_direction))
    {
        let [one, other] = [our.ios / ours.ios(), their.ios / fios.ios()];
        let mean = (one + other) / 2.0;
        let most = SIGMAS * (mean * (1.0 - mean) / n).sqrt() + 2.0 / n;
        if !is_paced && (one - other).abs() > most {
            return Some(format!("{name}: {one:.4} of the I/Os, fio {other:.4}"));
        }
        let [one, other] = [our, their].map(|amount| amount.bytes / amount.ios.max(1.0));
        let n = 1.0 / (1.0 / our.ios.max(1.0) + 1.0 / their.ios.max(1.0));
        // No spread is wider than half of the largest.
        let spread = if job.bs_mix.is_some() { f64::from(job.bs_bytes) / 2.0 } else { 0.0 };
        if our.ios * their.ios > 0.0 && (one - other).abs() > SIGMAS * spread / n.sqrt() {
            return Some(format!("{name}: {one:.0} bytes, fio {other:.0}"));
        }
    }
    // A rate in bytes says how many I/Os there are only where all have one size.
    let size = match job.pace.rate.is_some_and(|rate| !rate.in_ios) {
        true => f64::from(job.bs_bytes),
        false => 1.0,
    };
    let count = |amount: &Amount| if size > 1.0 { amount.bytes / size } else { amount.ios };
    let each = DIRECTIONS.into_iter().zip(ours.by_direction.iter().zip(&fios.by_direction));
    each.zip(paces(job)).filter(|(_, pace)| pace.is_some()).find_map(|((name, both), _)| {
        let (our, their) = (count(both.0) / ours.seconds, count(both.1) / fios.seconds);
        let by_chance = match job.pace.process {
            RateProcess::Poisson => SIGMAS * ((our + their) / ours.seconds).sqrt(),
            RateProcess::Linear => 0.0,
        };
        // Where a pace begins is not said: an I/O, or those before a pause.
        let blocks = job.pace.think.and_then(|think| think.blocks).unwrap_or(1) as f64;
        let most = by_chance + 0.02 * their + 2.0 * blocks / ours.seconds;
        ((our - their).abs() > most)
            .then(|| format!("{name}: {our:.1} I/Os of bs= a second, fio {their:.1}"))
    })
}

/// Returns how a file's jobs differ from fio's.
fn compare(case: &Case, ours: Result<ours::Done, String>, fios: Result<Value, String>) -> String {
    let (results, report) = match (ours, fios) {
        (Ok(ours), Ok(fios)) => (ours.results, fios),
        (ours, fios) => return format!("{:?}; fio {:?}", ours.err(), fios.err()),
    };
    let none = Vec::new();
    let theirs = report["jobs"].as_array().unwrap_or(&none);
    if results.len() != theirs.len() {
        return format!("{} jobs, fio {}", results.len(), theirs.len());
    }
    let differ = results.iter().zip(theirs).enumerate().find_map(|(number, (ours, fios))| {
        let (ours, fios) = (Amounts::of_ours(ours), Amounts::of_fios(fios));
        let why = difference(&case.jobs[number], &ours, &fios)?;
        Some(format!("job {number}: {why}"))
    });
    differ.unwrap_or_default()
}

#[test]
fn fio_has_the_same_shares_and_the_same_pace() {
    let (cases, _) = cases(runtime_ms);
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.jobs[0].time_based).collect();
    let differ: Vec<String> = thread::scope(|scope| {
        let fios = scope.spawn(|| -> Vec<_> {
            cases.iter().map(|case| fio::report(&case.name, &case.small)).collect()
        });
        // A disk that is quick enough for any pace, or one that does not do too much meanwhile.
        let work = |case: &Case| {
            let us = match pace(&case.jobs) {
                None => 100,
                Some(1_000.0..) => 10,
                Some(_) => 1_000,
            };
            ours::work(&case.jobs, &case.small, us * 1_000..us * 3_000, false)
        };
        let ours: Vec<_> = cases.iter().map(work).collect();
        let fios = fios.join().unwrap();
        let each = cases.iter().zip(ours.into_iter().zip(fios));
        each.map(|(case, (ours, fios))| (case, compare(case, ours, fios)))
            .filter(|(_, differ)| !differ.is_empty())
            .map(|(case, differ)| format!("{}: {differ}\n{}", case.name, case.small.text))
            .collect()
    });
    println!("{} files", cases.len());
    assert!(differ.is_empty(), "{} files differ\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn another_pace_and_other_shares_are_told() {
    let amounts = |ios: [f64; 3], bytes: f64| Amounts {
        by_direction: ios.map(|ios| Amount { ios, bytes: ios * bytes }),
        seconds: 2.0,
    };
    let apart = |line: &str, ours: Amounts, fios: Amounts| {
        let jobs = fio_job::parse(line).expect(line);
        difference(&jobs[0], &ours, &fios).is_some()
    };
    let mixed = "rw=randrw filename=xvda";
    let of = |reads: f64| amounts([reads, 10_000.0 - reads, 0.0], 4096.0);
    assert!(!apart(mixed, of(5_000.0), of(5_200.0)) && apart(mixed, of(5_000.0), of(5_600.0)));
    let split = "rw=randread bssplit=4k/50:8k/50";
    let sizes = |bytes| amounts([10_000.0, 0.0, 0.0], bytes);
    assert!(!apart(split, sizes(6_144.0), sizes(6_200.0)));
    assert!(apart(split, sizes(6_144.0), sizes(7_000.0)));
    assert!(apart("rw=randread bs=4k", sizes(4_096.0), sizes(4_097.0)));
    let reads = |ios| amounts([ios, 0.0, 0.0], 4096.0);
    for line in ["rate_iops=1000", "rate=4000k", "thinktime=1s thinktime_blocks=1000"] {
        let line = format!("rw=randread bs=4k {line}");
        assert!(!apart(&line, reads(2_000.0), reads(2_002.0)), "{line}");
        let other = if line.contains("think") { 5_000.0 } else { 2_100.0 };
        assert!(apart(&line, reads(2_000.0), reads(other)), "{line}");
    }
    let poisson = "rw=randread rate_iops=1000 rate_process=poisson";
    assert!(!apart(poisson, reads(2_000.0), reads(2_100.0)));
    assert!(apart(poisson, reads(2_000.0), reads(2_600.0)));
}
