//! Results for machines: one line with fio's JSON layout and keys (fio's manual, "JSON output"),
//! and an object `ringmark` in each job for what fio does not know.
//!
//! fio's completion latency starts when the request is submitted, and so does ours: `clat_ns` and
//! `lat_ns` are the same figures, and there is no `slat_ns`.

use super::{Counters, DirectionResult, JobResult};
use crate::histogram::{Histogram, PERCENTILES};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use serde::{Serialize, Serializer};

/// What the line starts with, so that it can be found among other output.
pub const PREFIX: &str = "ringmark-result: ";

/// fio's `error` of a job with failed I/Os: `EIO`.
const EIO: u32 = 5;

/// The result line, without a line break. `failure` is what ended the run, if it did not end well;
/// `jobs` are those done so far. Failed I/Os make the result a failure, too.
pub fn json_line(jobs: &[JobResult], failure: Option<&dyn fmt::Display>) -> String {
    let error = failure.map(|failure| failure.to_string()).or_else(|| failed_ios(jobs));
    let report = Report {
        version: concat!("ringmark-", env!("CARGO_PKG_VERSION")),
        ok: error.is_none(),
        error,
        jobs,
    };
    let json = serde_json::to_string(&report).expect("text keys and plain numbers make JSON");
    format!("{PREFIX}{json}")
}

fn failed_ios(jobs: &[JobResult]) -> Option<String> {
    let failed = jobs.iter().find(|result| result.errors() > 0)?;
    Some(format!("job {}: {} I/Os failed", failed.job.name, failed.errors()))
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(rename = "fio version")]
    version: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    jobs: &'a [JobResult],
}

impl Serialize for JobResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JobObject {
            jobname: &self.job.name,
            error: if self.errors() > 0 { EIO } else { 0 },
            options: Options(self),
            read: Side::from(&self.read),
            write: Side::from(&self.write),
            ringmark: Cost {
                grants: self.job.grants.to_string(),
                disks: &self.job.disks,
                errors: self.errors(),
                counters: self.counters,
            },
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct JobObject<'a> {
    jobname: &'a str,
    error: u32,
    #[serde(rename = "job options")]
    options: Options<'a>,
    read: Side<'a>,
    write: Side<'a>,
    ringmark: Cost<'a>,
}

/// An object of the job's options, in their order.
struct Options<'a>(&'a JobResult);

impl Serialize for Options<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.job.options())
    }
}

#[derive(Serialize)]
struct Cost<'a> {
    grants: String,
    disks: &'a [String],
    errors: u64,
    /// Only where they are this job's alone.
    #[serde(flatten)]
    counters: Option<Counters>,
}

#[derive(Serialize)]
struct Side<'a> {
    io_bytes: u64,
    io_kbytes: u64,
    /// Bytes a second.
    bw_bytes: u64,
    /// KiB a second.
    bw: u64,
    iops: f64,
    /// Milliseconds.
    runtime: u64,
    total_ios: u64,
    clat_ns: Latency<'a>,
    lat_ns: Latency<'a>,
}

impl<'a> From<&'a DirectionResult> for Side<'a> {
    fn from(side: &'a DirectionResult) -> Self {
        let bytes_per_second = side.bytes_per_second() as u64;
        Self {
            io_bytes: side.bytes,
            io_kbytes: side.bytes / 1024,
            bw_bytes: bytes_per_second,
            bw: bytes_per_second / 1024,
            iops: side.iops(),
            runtime: side.runtime_ns / 1_000_000,
            total_ios: side.ios,
            clat_ns: Latency {
                percentile: (side.latency.count() > 0).then_some(Percentiles(&side.latency)),
                ..Latency::from(&side.latency)
            },
            lat_ns: Latency::from(&side.latency),
        }
    }
}

#[derive(Serialize)]
struct Latency<'a> {
    min: u64,
    max: u64,
    mean: f64,
    stddev: u64,
    #[serde(rename = "N")]
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    percentile: Option<Percentiles<'a>>,
}

impl From<&Histogram> for Latency<'_> {
    fn from(latency: &Histogram) -> Self {
        Self {
            min: latency.min_ns(),
            max: latency.max_ns(),
            mean: latency.mean_ns(),
            stddev: latency.stddev_ns(),
            count: latency.count(),
            percentile: None,
        }
    }
}

/// An object with keys such as `99.900000`.
struct Percentiles<'a>(&'a Histogram);

impl Serialize for Percentiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(PERCENTILES.map(|hundredths| {
            let key = format!("{}.{:02}0000", hundredths / 100, hundredths % 100);
            (key, self.0.percentile_ns(hundredths))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::{Value, json};

    fn read_back(line: &str) -> Value {
        assert!(!line.contains('\n'));
        let json = line.strip_prefix(PREFIX).expect("the prefix");
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn keys_and_units_are_fios() {
        let value = read_back(&json_line(&[sample()], None));
        assert_eq!(value["ok"], json!(true));
        assert_eq!(value.get("error"), None);
        let job = &value["jobs"][0];
        assert_eq!(job["jobname"], json!("mix"));
        assert_eq!(job["error"], json!(0));
        assert_eq!(job["job options"]["filename"], json!("/dev/xvda"));
        assert_eq!(job["job options"]["runtime"], json!("10"));
        let read = &job["read"];
        assert_eq!(read["io_bytes"], json!(3_000 * 4096));
        assert_eq!(read["io_kbytes"], json!(12_000));
        assert_eq!(read["bw_bytes"], json!(1_500 * 4096));
        assert_eq!(read["bw"], json!(6_000));
        assert_eq!(read["iops"], json!(1_500.0));
        assert_eq!(read["runtime"], json!(2_000));
        assert_eq!(read["total_ios"], json!(3_000));
        assert_eq!(read["clat_ns"]["N"], json!(3_000));
        assert_eq!(read["clat_ns"]["min"], json!(20_000));
        assert_eq!(read["lat_ns"]["mean"], json!(21_499.5));
        let percentiles = read["clat_ns"]["percentile"].as_object().expect("an object");
        assert_eq!(percentiles.len(), PERCENTILES.len());
        assert!(percentiles.contains_key("1.000000"));
        assert!(percentiles.contains_key("99.950000"));
        assert_eq!(job["ringmark"]["notifications"], json!(125));
        assert_eq!(job["ringmark"]["grants"], json!("persistent"));
        assert_eq!(job["ringmark"]["disks"], json!(["xvda"]));
    }

    #[test]
    fn no_ios_have_no_percentiles() {
        let value = read_back(&json_line(&[JobResult::new(sample().job)], None));
        let latency = &value["jobs"][0]["read"]["clat_ns"];
        assert_eq!(latency["N"], json!(0));
        assert_eq!(latency.get("percentile"), None);
    }

    #[test]
    fn a_failure_keeps_the_jobs_done() {
        let value = read_back(&json_line(&[sample()], Some(&"xvdb: not \"there\"\n")));
        assert_eq!(value["ok"], json!(false));
        assert_eq!(value["error"], json!("xvdb: not \"there\"\n"));
        assert_eq!(value["jobs"].as_array().map(|jobs| jobs.len()), Some(1));
    }

    #[test]
    fn failed_ios_are_a_failure() {
        let mut result = sample();
        result.write.errors = 3;
        let value = read_back(&json_line(&[result], None));
        assert_eq!(value["ok"], json!(false));
        assert_eq!(value["error"], json!("job mix: 3 I/Os failed"));
        assert_eq!(value["jobs"][0]["error"], json!(EIO));
    }
}
