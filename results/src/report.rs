//! fio's `json+` output as types: keys, units and order are those of fio 3.33 (stat.c), and what
//! fio does not know stands under the key `ringmark`, once for the run and once for each job.
//!
//! A report goes both ways: a guest writes one, and whoever collects it reads it back and shows it
//! in any of fio's forms. fio's own files can be read, too.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::counters::Counters;
use crate::pairs::Pairs;
use crate::samples::Log;

/// All of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// fio's version, or `ringmark-` and ours.
    #[serde(rename = "fio version")]
    pub version: String,
    /// Seconds since 1970; a guest does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<u64>,
    /// The same for people, as of ctime(3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The options of a section `[global]`. Ours stand with each job.
    #[serde(rename = "global options", default, skip_serializing_if = "is_empty")]
    pub global_options: Pairs<String, String>,
    /// The jobs, or with `group_reporting` their groups.
    pub jobs: Vec<Job>,
    /// How the run went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringmark: Option<Run>,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// It came to its end, and no I/O failed.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a job, or a group of them, did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// `name=`.
    pub jobname: String,
    /// Jobs of one group run together; each `stonewall` begins the next.
    pub groupid: u64,
    /// The `errno` of its first failure, or 0.
    pub error: i32,
    /// Seconds to go; fio's word for none is 2^31 - 1.
    pub eta: u64,
    /// Seconds, begun ones included.
    pub elapsed: u64,
    /// Its options.
    #[serde(rename = "job options", default, skip_serializing_if = "is_empty")]
    pub options: Pairs<String, String>,
    /// Its reads.
    pub read: Side,
    /// Its writes.
    pub write: Side,
    /// Its discards.
    pub trim: Side,
    /// Its flushes.
    pub sync: Flushes,
    /// Milliseconds, those of all of a group added up.
    pub job_runtime: u64,
    /// Per cent.
    pub usr_cpu: f64,
    /// Per cent.
    pub sys_cpu: f64,
    /// Context switches.
    pub ctx: u64,
    /// Page faults with I/O.
    pub majf: u64,
    /// Page faults without.
    pub minf: u64,
    /// Per cent of the I/Os that were put as one of so many.
    pub iodepth_level: Pairs<String, f64>,
    /// Per cent of the notices to the backends that were of so many I/Os.
    pub iodepth_submit: Pairs<String, f64>,
    /// Per cent of the looks at the rings that found so many I/Os completed.
    pub iodepth_complete: Pairs<String, f64>,
    /// Per cent of the I/Os that took less.
    pub latency_ns: Pairs<String, f64>,
    /// Per cent of the I/Os that took less.
    pub latency_us: Pairs<String, f64>,
    /// Per cent of the I/Os that took less.
    pub latency_ms: Pairs<String, f64>,
    /// I/Os that failed, with `continue_on_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_err: Option<u64>,
    /// The first one's `errno`, with `continue_on_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<i32>,
    /// `iodepth=`.
    pub latency_depth: u64,
    /// `latency_target=`, which is not supported.
    pub latency_target: u64,
    /// `latency_percentile=`, which is not supported.
    pub latency_percentile: f64,
    /// `latency_window=`, which is not supported.
    pub latency_window: u64,
    /// `description=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// What fio does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringmark: Option<Extra>,
}

/// One direction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Bytes.
    pub io_bytes: u64,
    /// KiB.
    pub io_kbytes: u64,
    /// Bytes a second.
    pub bw_bytes: u64,
    /// KiB a second.
    pub bw: u64,
    /// I/Os a second.
    pub iops: f64,
    /// Milliseconds.
    pub runtime: u64,
    /// I/Os.
    pub total_ios: u64,
    /// I/Os that moved less than asked for.
    pub short_ios: u64,
    /// I/Os that were left out.
    pub drop_ios: u64,
    /// From the generator to the ring; not measured, as nothing lies in between.
    pub slat_ns: Latency,
    /// From the ring to the completion.
    pub clat_ns: Latency,
    /// Both together.
    pub lat_ns: Latency,
    /// KiB a second, the least of some samples.
    pub bw_min: u64,
    /// The greatest.
    pub bw_max: u64,
    /// Per cent of what the group moved.
    pub bw_agg: f64,
    /// The mean.
    pub bw_mean: f64,
    /// The standard deviation.
    pub bw_dev: f64,
    /// How many samples.
    pub bw_samples: u64,
    /// I/Os a second, likewise.
    pub iops_min: u64,
    /// The greatest.
    pub iops_max: u64,
    /// The mean.
    pub iops_mean: f64,
    /// The standard deviation.
    pub iops_stddev: f64,
    /// How many samples.
    pub iops_samples: u64,
}

/// Flushes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flushes {
    /// How many.
    pub total_ios: u64,
    /// How long they took.
    pub lat_ns: Latency,
}

/// Latencies in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The least.
    pub min: u64,
    /// The greatest.
    pub max: u64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub stddev: f64,
    /// How many.
    #[serde(rename = "N")]
    pub count: u64,
    /// For each percentile, as `99.900000`, the bin that so many per cent do not exceed.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub percentile: Pairs<String, u64>,
    /// How many are in each bin; a bin goes by the middle of its values. Only in `json+`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub bins: Pairs<u64, u64>,
}

/// What fio does not know of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extra {
    /// Jobs in the group.
    pub members: u64,
    /// `grants=`.
    pub grants: String,
    /// The backends kept all pages mapped that I/Os used and that stayed granted.
    #[serde(default)]
    pub backend_persistent: bool,
    /// Pages that stayed granted and that I/Os used within the last 20 to 40 s of the run, if they
    /// could be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_used: Option<u64>,
    /// Those among them that the backends had mapped when nothing was in flight any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_pages_kept: Option<u64>,
    /// Nanoseconds in which the vCPU wanted to run and did not while the job was measured, those of
    /// all of a group added up; if the hypervisor tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_ns: Option<u64>,
    /// The same in per cent of the time in which it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_percent: Option<f64>,
    /// The disks that were used.
    pub disks: Vec<String>,
    /// I/Os that failed, or whose data was wrong.
    pub errors: u64,
    /// What the I/Os cost, where that is this job's alone.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// What `write_bw_log` and the like ask for: of each of the members, or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<JobLog>,
}

/// The logs of one job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobLog {
    /// Of its reads.
    pub read: Log,
    /// Of its writes.
    pub write: Log,
}

impl Report {
    /// Reads a report, ours or fio's, in `json` or `json+` form.
    ///
    /// # Errors
    /// The first error of syntax or type in the text, and its place.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

fn is_empty<K, V>(pairs: &Pairs<K, V>) -> bool {
    pairs.is_empty()
}

impl Job {
    /// Its directions, in fio's order and with fio's names.
    pub fn sides(&self) -> [(&'static str, &Side); 3] {
        [("read", &self.read), ("write", &self.write), ("trim", &self.trim)]
    }
}
