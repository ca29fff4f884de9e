//! Types of fio's `json+` output: keys, units and order are those of fio 3.33 (stat.c); figures
//! that fio does not have are under the key `ringmark`, once for the run and once for each job.
//!
//! A report goes both ways: a guest writes it, and the tool in dom0 reads it back and prints it in
//! any of fio's forms. The files of each fio from 2.21 on can be read, too.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::arrivals::OpenLoop;
use crate::costs::CostReport;
use crate::flag_reader;
use crate::flags::Flag;
use crate::fleet::Fleet;
use crate::latency::Latency;
use crate::list::at_most;
use crate::origin::Origin;
use crate::over_time::OverTime;
use crate::pairs::Pairs;
use crate::samples::Log;
use crate::steadiness::Steadiness;
use crate::steady_state::SteadyReport;

/// Report of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Version of fio, or `ringmark-` and its version.
    #[serde(rename = "fio version")]
    pub version: String,
    /// Seconds since 1970; `None` from a guest, which does not know the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<u64>,
    /// Same time as text, in the form of ctime(3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Options of a section `[global]`; ringmark lists them with each job instead.
    #[serde(rename = "global options", default, skip_serializing_if = "Pairs::is_empty")]
    pub global_options: Pairs<String, String>,
    /// Jobs, or with `group_reporting` their groups.
    pub jobs: Vec<Job>,
    /// Outcome of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringmark: Option<Run>,
}

/// Outcome of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Whether the run came to its end and no I/O failed.
    pub ok: bool,
    /// Reason why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// vCPUs of the guest, unless it ended before it looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<Vcpus>,
    /// Origin of the figures, filled in by the tool in dom0; `None` from a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Writes before the jobs that bring disks into the state in which they stay, filled in by the
    /// tool in dom0; `None` if there were none, and from a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preconditioning: Option<Preconditioning>,
    /// Guests that ran the jobs at once, and what they did together, filled in by the tool in dom0;
    /// `None` from a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Fleet>,
    /// Costs of an I/O of each job, filled in by whoever counted them; `None` from a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostReport>,
}

/// Most stages whose settling is read.
const STAGES_MAX: usize = 512;

/// Writes before a job that bring its disks into the state in which they stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preconditioning {
    /// Bytes that were written in order, once each.
    pub filled_bytes: u64,
    /// Time that this took, in milliseconds.
    pub filled_ms: u64,
    /// Steadiness of the writes after that, as each job writes, until they were steady or their
    /// time was over.
    #[serde(deserialize_with = "at_most::<STAGES_MAX, _, _>")]
    pub settled: Vec<Steadiness>,
}

/// vCPUs of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vcpus {
    /// Number of vCPUs that it may use.
    pub count: u32,
    /// Number of these that had no work and stayed down.
    pub idle: u32,
}

/// Figures of a job, or of a group of jobs. Those that a fio does not have are 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Job {
    /// Name of the job (`name=`).
    pub jobname: String,
    /// Number of the group: its jobs run together, and each `stonewall` begins the next.
    pub groupid: u64,
    /// `errno` of its first failure, or 0.
    pub error: i32,
    /// Seconds to go; 2^31 - 1 if there are none, as in fio.
    pub eta: u64,
    /// Runtime in seconds, rounded up.
    pub elapsed: u64,
    /// Options of the job.
    #[serde(rename = "job options", default, skip_serializing_if = "Pairs::is_empty")]
    pub options: Pairs<String, String>,
    /// Reads.
    pub read: Side,
    /// Writes.
    pub write: Side,
    /// Discards.
    pub trim: Side,
    /// Flushes.
    pub sync: Flushes,
    /// All directions in one, in place of each by itself (`unified_rw_reporting=1`); `None` from a
    /// guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<Box<Side>>,
    /// Time at which it started, in milliseconds since 1970, from fios that tell; 0 if it has not
    /// yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_start: Option<u64>,
    /// Runtime in milliseconds, the sum over a group.
    pub job_runtime: u64,
    /// Per cent.
    pub usr_cpu: f64,
    /// Per cent.
    pub sys_cpu: f64,
    /// Context switches.
    pub ctx: u64,
    /// Page faults with I/O.
    pub majf: u64,
    /// Page faults without I/O.
    pub minf: u64,
    /// Per cent of the I/Os for each number in flight at submission.
    pub iodepth_level: Pairs<String, f64>,
    /// Per cent of the notifications to the backends for each number of I/Os.
    pub iodepth_submit: Pairs<String, f64>,
    /// Per cent of the ring polls for each number of completions found.
    pub iodepth_complete: Pairs<String, f64>,
    /// Per cent of the I/Os with a latency below each bound.
    pub latency_ns: Pairs<String, f64>,
    /// Per cent of the I/Os with a latency below each bound.
    pub latency_us: Pairs<String, f64>,
    /// Per cent of the I/Os with a latency below each bound.
    pub latency_ms: Pairs<String, f64>,
    /// I/Os that failed, with `continue_on_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_err: Option<u64>,
    /// `errno` of the first of them, with `continue_on_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<i32>,
    /// Iodepth of the job (`iodepth=`).
    pub latency_depth: u64,
    /// Value of `latency_target=`, which is not supported.
    pub latency_target: u64,
    /// Value of `latency_percentile=`, which is not supported.
    pub latency_percentile: f64,
    /// Value of `latency_window=`, which is not supported.
    pub latency_window: u64,
    /// Description of the job (`description=`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// Samples by which the job was to end once it was steady (`steadystate=`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steadystate: Option<SteadyReport>,
    /// Host whose server ran the job for a `fio --client`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Figures that fio does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringmark: Option<Extra>,
}

/// Figures of one direction. Those that a fio does not have are 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// Bytes.
    pub io_bytes: u64,
    /// KiB.
    pub io_kbytes: u64,
    /// Bytes per second.
    pub bw_bytes: u64,
    /// KiB per second.
    pub bw: u64,
    /// I/Os per second.
    pub iops: f64,
    /// Milliseconds.
    pub runtime: u64,
    /// I/Os.
    pub total_ios: u64,
    /// I/Os that moved less than asked for.
    pub short_ios: u64,
    /// I/Os that were left out.
    pub drop_ios: u64,
    /// Submission latency, from the generator to the ring; not measured, because nothing lies in
    /// between.
    pub slat_ns: Latency,
    /// Completion latency, from the ring to the completion.
    pub clat_ns: Latency,
    /// Total latency, of both together.
    pub lat_ns: Latency,
    /// Least sample of the bandwidth, in KiB per second.
    pub bw_min: u64,
    /// Greatest value.
    pub bw_max: u64,
    /// Share of the group's bandwidth, in per cent.
    pub bw_agg: f64,
    /// Mean.
    pub bw_mean: f64,
    /// Standard deviation.
    pub bw_dev: f64,
    /// Number of samples.
    pub bw_samples: u64,
    /// Least sample of the rate, in I/Os per second.
    pub iops_min: u64,
    /// Greatest value.
    pub iops_max: u64,
    /// Mean.
    pub iops_mean: f64,
    /// Standard deviation.
    pub iops_stddev: f64,
    /// Number of samples.
    pub iops_samples: u64,
}

/// Flushes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flushes {
    /// Number of values.
    pub total_ios: u64,
    /// Latencies of the flushes.
    pub lat_ns: Latency,
}

/// Most disks of a job that are read: `xvda` to `xvdz`, and as many again for each partition.
const DISKS_MAX: usize = 26 * 16;

/// Most vCPUs of a job that are read.
const VCPUS_MAX: usize = 128;

/// Figures of a job that fio does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extra {
    /// Number of jobs in the group.
    pub members: u64,
    /// Grant mode (`grants=`).
    pub grants: String,
    /// Whether the backends kept mapped all pages that I/Os used and that stayed granted.
    #[serde(default)]
    pub backend_persistent: bool,
    /// Pages that stayed granted and that I/Os used in the last 20 to 40 s of the run, if they
    /// could be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_used: Option<u64>,
    /// Number of these pages that the backends still had mapped when nothing was in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_pages_kept: Option<u64>,
    /// Nanoseconds in which the vCPU was ready to run but did not while the job was measured, the
    /// sum over a group; if the hypervisor reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_ns: Option<u64>,
    /// Same time in per cent of the time in which the job was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_percent: Option<f64>,
    /// Nanoseconds in which the job's next I/O waited for room on a ring, the sum over a group; if
    /// it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_wait_ns: Option<u64>,
    /// I/Os by the times at which they were due; if the jobs have a rate (`latency_from=due`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<OpenLoop>,
    /// Time at which the first of the jobs began to be measured, in nanoseconds of Xen's system
    /// time, which all guests of a host share; if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_ns: Option<u64>,
    /// Time at which the measurement of the last of them ended, on the same clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ns: Option<u64>,
    /// vCPUs that ran the jobs, from the lowest on.
    #[serde(default, deserialize_with = "at_most::<VCPUS_MAX, _, _>")]
    pub vcpus: Vec<u32>,
    /// Queues of the disks that these vCPUs used.
    #[serde(default)]
    pub queues: u64,
    /// Largest physical sector of these disks in bytes, as their backends say; if a job ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_sector_bytes: Option<u32>,
    /// Most bytes of a read or write that go in one request to one of these disks, as its backend
    /// takes and `ringmark_indirect=` allows; if a job ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes_max: Option<u32>,
    /// Disks that were used.
    #[serde(deserialize_with = "at_most::<DISKS_MAX, _, _>")]
    pub disks: Vec<String>,
    /// I/Os that failed, or whose data was wrong.
    pub errors: u64,
    /// Reads, if the job did any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<SideExtra>,
    /// Writes, if the job did any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<SideExtra>,
    /// Discards, if the job did any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim: Option<SideExtra>,
    /// Requests put on rings. This and the next five are `None` if they cannot be separated from
    /// other jobs'; see [`Counters`](crate::Counters). They are no struct that serde flattens: that
    /// would hold all unknown members in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Event channel notifications sent to backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<u64>,
    /// Events from backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// Grant entries made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants_made: Option<u64>,
    /// Copies between granted and private pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_made: Option<u64>,
    /// Sleeps of the vCPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleeps: Option<u64>,
    /// Reasons to doubt these figures, each with its size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "flag_reader::known")]
    pub flags: Vec<Flag>,
    /// Whether the rate was steady, and how well its mean is known; if anything was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steadiness: Option<Steadiness>,
    /// I/Os in each window of the measurement, from which that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_time: Option<OverTime>,
    /// Logs that `write_bw_log` and the like ask for: one entry for each job of the group, or
    /// empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<JobLog>,
}

/// Figures of one direction that fio does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SideExtra {
    /// Nanoseconds, where fio has milliseconds.
    pub runtime_ns: u64,
    /// I/Os per second by these, without fio's rounding.
    pub iops: f64,
    /// I/Os per second until the job's time was over: without the I/Os that were then in flight,
    /// and the wait for them, which fio counts.
    pub iops_in_window: f64,
}

/// Logs of one job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobLog {
    /// Log of its reads.
    pub read: Log,
    /// Log of its writes.
    pub write: Log,
}

impl Report {
    /// Reads a report by ringmark or a fio from 2.21 on, in `json` or `json+` form.
    ///
    /// # Errors
    /// The first error of syntax or type in the text, and its place.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Returns the value of one of a job's options: the first of these names that the job has, or
    /// else that all jobs have.
    pub fn option<'a>(&'a self, job: &'a Job, names: &[&str]) -> Option<&'a str> {
        let all = [&job.options, &self.global_options].into_iter();
        let found = all.flat_map(|options| names.iter().filter_map(|name| options.value(name)));
        found.map(String::as_str).next()
    }
}

impl Job {
    /// Returns the directions, in fio's order and with fio's names.
    pub fn sides(&self) -> [(&'static str, &Side); 3] {
        [("read", &self.read), ("write", &self.write), ("trim", &self.trim)]
    }
}

impl Extra {
    /// Returns the figures of a direction by its name in [`Job::sides`], if it has any.
    pub fn side(&self, direction: &str) -> Option<&SideExtra> {
        match direction {
            "read" => self.read.as_ref(),
            "write" => self.write.as_ref(),
            "trim" => self.trim.as_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::vec;

    #[test]
    fn options_of_a_job_come_before_those_of_all() {
        let options = |key: &str, value: &str| [(key.to_owned(), value.to_owned())];
        let job =
            Job { options: options("blocksize", "8k").into_iter().collect(), ..Job::default() };
        let global_options = options("bs", "4k").into_iter().collect();
        let report =
            Report { global_options, jobs: vec![job, Job::default()], ..Report::default() };
        let option = |job, names: &[&str]| report.option(&report.jobs[job], names);
        assert_eq!(option(0, &["bs", "blocksize"]), Some("8k"));
        assert_eq!(option(0, &["bs"]), Some("4k"));
        assert_eq!(option(1, &["bs", "blocksize"]), Some("4k"));
        assert_eq!(option(1, &["iodepth"]), None);
    }
}
