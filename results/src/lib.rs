//! Results of jobs: counted while they run, and reported as fio reports them.
//!
//! A guest adds up a [`JobResult`] for each job, shows a [`table()`] of them on its console, and
//! [`emit`]s a [`Report`], which has everything that fio reports. The reader parses the report
//! ([`Report::from_json`]) and prints it in fio's forms. Nothing but [`JobResult::count_done`],
//! [`JobResult::count_latency`] and what they call is hot.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod any_report;
mod any_side;
mod arrivals;
mod classes;
mod collect;
mod costs;
mod counters;
mod flag_reader;
mod flags;
mod fleet;
mod group;
mod histogram;
mod judged;
mod latency;
mod list;
mod marks;
mod origin;
mod over_time;
mod pairs;
mod record;
mod report;
mod room;
mod samples;
mod saved;
mod spread;
mod steadiness;
mod steady_state;
mod stolen;
mod table;

pub use arrivals::{Arrivals, Delays, OpenLoop, OpenSide};
pub use classes::Classes;
pub use collect::{emit, reported};
pub use costs::{CostReport, CostUnit, Costs, NoCost, Owners};
pub use counters::Counters;
pub use flags::{Flag, OTHERS_PERCENT_MAX, Rates as FlagRates, STOLEN_PERCENT_MAX};
pub use fleet::{Basis, Fleet, FleetHost, FleetSum, Missing, Rate};
pub use group::{Group, Part};
pub use histogram::{BUCKETS, Histogram, Moments};
pub use latency::Latency;
pub use origin::{Origin, OriginBlkback, OriginDisk, OriginDomain, OriginHost, OriginOthers};
pub use over_time::{OverTime, WINDOWS_MAX};
pub use pairs::Pairs;
pub use record::{DirectionResult, Done, JobResult, PagesKept};
pub use report::{
    Extra, Flushes, Job as JobReport, JobLog, Preconditioning, Report, Run, Side, SideExtra, Vcpus,
};
pub use room::{heap_bytes, report_bytes_max};
pub use samples::{Log, Rates, Sample, Samples, Together, log_samples};
pub use saved::{Saved, SavedRun, System, Variant};
pub use spread::Spread;
pub use steadiness::{Steadiness, Verdict};
pub use steady_state::{SteadyData, SteadyReport, SteadyWatch};
pub use stolen::Stolen;
pub use table::table;
