//! Figures of guests that ran the same jobs at once.
//!
//! The tool in dom0 fills them in. A guest knows of no others, so what it says of them is not
//! believed.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::list::at_most;

/// Most guests of a fleet that are read.
const GUESTS_MAX: usize = 1000;
/// Most hosts that are read.
const HOSTS_MAX: usize = 1000;
/// Most jobs, directions and systems that are read.
const SUMS_MAX: usize = 9000;

/// Guests that ran the same jobs at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fleet {
    /// Number of guests that were asked for.
    pub guests: u32,
    /// Number of those that run Linux: the last ones.
    #[serde(skip_serializing_if = "is_zero")]
    pub linux: u32,
    /// Number of guests that started their first job together.
    pub started: u32,
    /// Whether all guests are in all sums.
    pub complete: bool,
    /// Guests without a result.
    #[serde(deserialize_with = "at_most::<GUESTS_MAX, _, _>")]
    pub missing: Vec<Missing>,
    /// Sums, for each job and direction; where there are guests of both systems, for each system,
    /// and for all.
    #[serde(deserialize_with = "at_most::<SUMS_MAX, _, _>")]
    pub sums: Vec<FleetSum>,
    /// Hosts that the guests ran on, if they were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<HOSTS_MAX, _, _>")]
    pub hosts: Vec<FleetHost>,
}

/// Host that a part of the guests ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetHost {
    /// Its name, as it was given.
    pub host: String,
    /// Number of guests that were asked for there.
    pub guests: u32,
    /// Reason why the connection to it ended before its guests had reported, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Its clock less that of the host that asked, in nanoseconds, just before the first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_ns: Option<i64>,
    /// Greatest error of that in nanoseconds: half of the shortest round trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_error_ns: Option<u64>,
    /// Nanoseconds from the time that all hosts were to start to the begin of the write that
    /// started its guests, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ns: Option<u64>,
    /// Nanoseconds that this write took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_ns: Option<u64>,
    /// Sums over its guests, for each job and direction.
    #[serde(deserialize_with = "at_most::<SUMS_MAX, _, _>")]
    pub sums: Vec<FleetSum>,
}

/// Returns whether a number is 0: serde wants a reference.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Guest without a result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Missing {
    /// Name of the guest.
    pub guest: String,
    /// Reason why it has none.
    pub reason: String,
}

/// Figures of all guests in one direction of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetSum {
    /// Name of the job.
    pub jobname: String,
    /// `read`, `write` or `trim`.
    pub direction: String,
    /// System of the guests in the sum, `ringmark` or `linux`, or `all`; `None` where the whole
    /// fleet is of one system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Number of guests in the sum.
    pub guests: u32,
    /// Time of which the rates are.
    pub basis: Basis,
    /// Sum of the guests' rates.
    pub sum: Rate,
    /// Rate of the guest with the fewest I/Os per second.
    pub least: Rate,
    /// Rate of the guest with the most.
    pub greatest: Rate,
    /// Jain's index of fairness of the I/Os per second: 1 if all guests have the same, 1 / `guests`
    /// if one has all.
    pub fairness: f64,
    /// Share of the time from the first guest's begin to the last one's end in which all guests
    /// measured, in per cent; if all said when they measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_percent: Option<f64>,
    /// Nanoseconds from the first guest's begin to the last one's, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_spread_ns: Option<u64>,
    /// Mean latency of the I/Os of all guests in nanoseconds.
    pub mean_ns: f64,
    /// Latency that 99 % of the I/Os of all guests did not exceed in nanoseconds, if the guests'
    /// results have bins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ns: Option<u64>,
}

/// Time of which the rates in a sum are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// All guests measured at the same time, to 1 %: the rates are those of their results.
    Whole,
    /// The time in which all guests measured; the rates are from logs.
    Overlap,
    /// Each guest's own time, though these differ or are not known: the sum is none of one time.
    #[default]
    Each,
}

/// Rate of I/O.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rate {
    /// I/Os per second.
    pub iops: f64,
    /// Bytes per second.
    pub bw_bytes: f64,
}
