//! Reports in the forms of each fio from 2.21 on, and of a fio that had its jobs run by servers
//! (`--client`); [`Report`] has that of 3.33.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::pairs::Pairs;
use crate::report::{Extra, Flushes, Job, Report, Run, Side};
use crate::steady_state::SteadyReport;

/// Report.
#[derive(Deserialize)]
struct AnyReport {
    #[serde(rename = "fio version")]
    version: String,
    timestamp: Option<u64>,
    timestamp_ms: Option<u64>,
    time: Option<String>,
    #[serde(rename = "global options", default)]
    global_options: GlobalOptions,
    jobs: Option<Jobs>,
    client_stats: Option<Jobs>,
    ringmark: Option<Run>,
}

/// Figures of a job: those that all fios have, and those that some lack.
#[derive(Deserialize)]
struct AnyJob {
    /// Missing with `stats=0`, with all figures 0.
    jobname: Option<String>,
    groupid: u64,
    error: i32,
    #[serde(default)]
    eta: u64,
    #[serde(default)]
    elapsed: u64,
    #[serde(rename = "job options", default)]
    options: Pairs<String, String>,
    read: Option<Side>,
    write: Option<Side>,
    #[serde(default)]
    trim: Side,
    #[serde(default)]
    sync: Flushes,
    mixed: Option<Box<Side>>,
    job_start: Option<u64>,
    #[serde(default)]
    job_runtime: u64,
    usr_cpu: f64,
    sys_cpu: f64,
    ctx: u64,
    majf: u64,
    minf: u64,
    #[serde(default)]
    iodepth_level: Pairs<String, f64>,
    #[serde(default)]
    iodepth_submit: Pairs<String, f64>,
    #[serde(default)]
    iodepth_complete: Pairs<String, f64>,
    #[serde(default)]
    latency_ns: Pairs<String, f64>,
    #[serde(default)]
    latency_us: Pairs<String, f64>,
    #[serde(default)]
    latency_ms: Pairs<String, f64>,
    total_err: Option<u64>,
    first_error: Option<i32>,
    #[serde(default)]
    latency_depth: u64,
    #[serde(default)]
    latency_target: u64,
    #[serde(default)]
    latency_percentile: f64,
    #[serde(default)]
    latency_window: u64,
    desc: Option<String>,
    steadystate: Option<SteadyReport>,
    hostname: Option<String>,
    ringmark: Option<Extra>,
}

/// Reason why there is no report in a text.
#[derive(Debug, PartialEq, Eq)]
enum NoReport {
    /// List of jobs is missing.
    NoJobs,
    /// A job has neither reads and writes nor both in one.
    NoSides(String),
    /// A job has no name.
    Nameless,
}

impl fmt::Display for NoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJobs => {
                f.write_str("missing field `jobs` or, from fio --client, `client_stats`")
            }
            Self::Nameless => f.write_str("missing field `jobname`"),
            Self::NoSides(job) => {
                write!(f, "missing field `read`, `write` or, of unified_rw_reporting, `mixed`")?;
                write!(f, " in job {job}")
            }
        }
    }
}

/// Most jobs that have all directions in one: such a job takes far more room than its text.
const MIXED_MAX: usize = 1280;

/// Jobs: a list that takes little more room than they do, also while it grows.
struct Jobs(Vec<Job>);

impl<'de> Deserialize<'de> for Jobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(JobsVisitor)
    }
}

struct JobsVisitor;

impl<'de> Visitor<'de> for JobsVisitor {
    type Value = Jobs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of jobs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Jobs, A::Error> {
        let mut jobs: Vec<Job> = Vec::new();
        let mut mixed = 0;
        while let Some(job) = items.next_element::<AnyJob>()? {
            if job.has_no_figures() {
                continue;
            }
            let job = Job::try_from(job).map_err(A::Error::custom)?;
            mixed += usize::from(job.mixed.is_some());
            if mixed > MIXED_MAX {
                let what = "jobs with unified_rw_reporting; run fio with group_reporting";
                return Err(A::Error::custom(format_args!("more than {MIXED_MAX} {what}")));
            }
            if jobs.len() == jobs.capacity() {
                jobs.reserve_exact(1 + jobs.len() / 8);
            }
            jobs.push(job);
        }
        Ok(Jobs(jobs))
    }
}

/// Name of the sum over all jobs of all servers, which is of none of them.
const ALL_CLIENTS: &str = "All clients";

impl TryFrom<AnyReport> for Report {
    type Error = NoReport;

    fn try_from(any: AnyReport) -> Result<Self, NoReport> {
        let jobs = any.jobs.or(any.client_stats).ok_or(NoReport::NoJobs)?.0;
        Ok(Self {
            version: any.version,
            timestamp: any.timestamp,
            timestamp_ms: any.timestamp_ms,
            time: any.time,
            global_options: any.global_options.0,
            jobs,
            ringmark: any.ringmark,
        })
    }
}

impl AnyJob {
    /// Returns whether it was left out of the figures (`stats=0`).
    fn has_no_figures(&self) -> bool {
        let sides = [self.read.as_ref(), self.write.as_ref(), Some(&self.trim)];
        let mut sides = sides.into_iter().flatten().chain(self.mixed.as_deref());
        self.jobname.is_none() && sides.all(|side| side.total_ios == 0)
    }
}

impl TryFrom<AnyJob> for Job {
    type Error = NoReport;

    fn try_from(any: AnyJob) -> Result<Self, NoReport> {
        let jobname = any.jobname.ok_or(NoReport::Nameless)?;
        let (read, write, mixed) = match (any.read, any.write, any.mixed) {
            // All in one besides each is their sum.
            (Some(read), Some(write), _) => (read, write, None),
            (None, None, Some(mixed)) => (Side::default(), Side::default(), Some(mixed)),
            _ => return Err(NoReport::NoSides(jobname)),
        };
        let hostname = any.hostname.filter(|_| jobname != ALL_CLIENTS);
        Ok(Self {
            jobname,
            groupid: any.groupid,
            error: any.error,
            eta: any.eta,
            elapsed: any.elapsed,
            options: any.options,
            read,
            write,
            trim: any.trim,
            sync: any.sync,
            mixed,
            job_start: any.job_start,
            job_runtime: any.job_runtime,
            usr_cpu: any.usr_cpu,
            sys_cpu: any.sys_cpu,
            ctx: any.ctx,
            majf: any.majf,
            minf: any.minf,
            iodepth_level: any.iodepth_level,
            iodepth_submit: any.iodepth_submit,
            iodepth_complete: any.iodepth_complete,
            latency_ns: any.latency_ns,
            latency_us: any.latency_us,
            latency_ms: any.latency_ms,
            total_err: any.total_err,
            first_error: any.first_error,
            latency_depth: any.latency_depth,
            latency_target: any.latency_target,
            latency_percentile: any.latency_percentile,
            latency_window: any.latency_window,
            desc: any.desc,
            steadystate: any.steadystate,
            hostname,
            ringmark: any.ringmark,
        })
    }
}

/// Most options of sections `[global]` of several servers.
const OPTIONS_MAX: usize = 128;

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyReport::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyJob::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

/// Options of a section `[global]`: an object, or from several servers one object of each.
#[derive(Default)]
struct GlobalOptions(Pairs<String, String>);

impl<'de> Deserialize<'de> for GlobalOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GlobalVisitor)
    }
}

struct GlobalVisitor;

impl<'de> Visitor<'de> for GlobalVisitor {
    type Value = GlobalOptions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of options, or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<GlobalOptions, A::Error> {
        let map = serde::de::value::MapAccessDeserializer::new(map);
        Pairs::deserialize(map).map(GlobalOptions)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut hosts: A) -> Result<GlobalOptions, A::Error> {
        let mut all: Pairs<String, String> = Pairs::default();
        let full = || A::Error::custom(format_args!("more than {OPTIONS_MAX} options of all jobs"));
        while let Some(options) = hosts.next_element::<Pairs<String, Text>>()? {
            let host = options.value("hostname").map_or("", |Text(name)| name);
            for (name, Text(value)) in options.iter() {
                let is_place = ["hostname", "port"].contains(&name.as_str());
                match all.value(name) {
                    _ if is_place => {}
                    Some(known) if known == value => {}
                    // Another host, another value: it must not get lost.
                    Some(_) => all.0.push((format!("{name} ({host})"), value.clone())),
                    None => all.0.push((name.clone(), value.clone())),
                }
                if all.len() > OPTIONS_MAX {
                    return Err(full());
                }
            }
        }
        Ok(GlobalOptions(all))
    }
}

/// Value of an option: text, or the number of a port.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an option")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }
}
