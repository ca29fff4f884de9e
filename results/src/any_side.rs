//! Figures of one direction in the words of each fio from 2.21 on; [`Side`] has those of 3.33.
//!
//! Up to 3.17 no latency has its number of values, up to 3.1 no direction has `bw_bytes`, and
//! 2.21 has microseconds, and no samples of the rate.

use alloc::string::String;
use core::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::latency::Latency;
use crate::pairs::Pairs;
use crate::report::{Flushes, Side};

/// Latencies, in nanoseconds or microseconds.
#[derive(Deserialize)]
struct AnyLatency {
    min: u64,
    max: u64,
    mean: f64,
    stddev: f64,
    #[serde(rename = "N")]
    count: Option<u64>,
    #[serde(default)]
    percentile: Pairs<String, u64>,
    #[serde(default)]
    bins: Pairs<u64, u64>,
}

/// Figures of one direction.
#[derive(Deserialize)]
struct AnySide {
    io_bytes: u64,
    io_kbytes: Option<u64>,
    bw_bytes: Option<u64>,
    bw: u64,
    iops: f64,
    runtime: u64,
    total_ios: u64,
    short_ios: u64,
    drop_ios: u64,
    slat_ns: Option<AnyLatency>,
    clat_ns: Option<AnyLatency>,
    lat_ns: Option<AnyLatency>,
    slat: Option<AnyLatency>,
    clat: Option<AnyLatency>,
    lat: Option<AnyLatency>,
    bw_min: u64,
    bw_max: u64,
    bw_agg: f64,
    bw_mean: f64,
    bw_dev: f64,
    #[serde(default)]
    bw_samples: u64,
    #[serde(default)]
    iops_min: u64,
    #[serde(default)]
    iops_max: u64,
    #[serde(default)]
    iops_mean: f64,
    #[serde(default)]
    iops_stddev: f64,
    #[serde(default)]
    iops_samples: u64,
}

/// Flushes.
#[derive(Deserialize)]
struct AnyFlushes {
    total_ios: u64,
    lat_ns: AnyLatency,
}

/// Reason why a direction has no figures.
#[derive(Debug, PartialEq, Eq)]
enum NoSide {
    /// `io_bytes` may be in KiB.
    Old,
    /// A latency is missing.
    NoLatency(&'static str),
}

impl fmt::Display for NoSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Old => f.write_str(
                "no io_kbytes: a fio before 2.21, whose io_bytes are KiB; run the job with a \
                 later one",
            ),
            Self::NoLatency(name) => write!(f, "missing field `{name}_ns` or `{name}`"),
        }
    }
}

/// Nanoseconds of a microsecond.
const NS: u64 = 1000;

impl AnyLatency {
    /// Returns them in nanoseconds, of this many I/Os: where their number is missing, all of them
    /// have a latency, or none has.
    fn known(self, unit_ns: u64, ios: u64) -> Latency {
        let ns = |value: u64| value.saturating_mul(unit_ns);
        let count = self.count.unwrap_or(if self.max > 0 { ios } else { 0 });
        let mut percentile = self.percentile;
        // A place of fio's list that is not used.
        percentile.0.retain(|(of, _)| of != "0.00");
        percentile.0.iter_mut().for_each(|(_, value)| *value = ns(*value));
        let mut bins = self.bins;
        bins.0.iter_mut().for_each(|(value, _)| *value = ns(*value));
        let unit = unit_ns as f64;
        Latency {
            min: ns(self.min),
            max: ns(self.max),
            mean: self.mean * unit,
            stddev: self.stddev * unit,
            count,
            percentile,
            bins,
        }
    }
}

impl TryFrom<AnySide> for Side {
    type Error = NoSide;

    fn try_from(any: AnySide) -> Result<Self, NoSide> {
        let io_kbytes = any.io_kbytes.ok_or(NoSide::Old)?;
        let latency = |in_ns: Option<AnyLatency>, in_us: Option<AnyLatency>, name| {
            let known = in_ns.map(|of| of.known(1, any.total_ios));
            let known = known.or_else(|| in_us.map(|of| of.known(NS, any.total_ios)));
            known.ok_or(NoSide::NoLatency(name))
        };
        let bw_bytes = any.bw_bytes.unwrap_or_else(|| {
            let bytes = u128::from(any.io_bytes) * 1000 / u128::from(any.runtime.max(1));
            u64::try_from(bytes).unwrap_or(u64::MAX)
        });
        Ok(Self {
            io_bytes: any.io_bytes,
            io_kbytes,
            bw_bytes,
            bw: any.bw,
            iops: any.iops,
            runtime: any.runtime,
            total_ios: any.total_ios,
            short_ios: any.short_ios,
            drop_ios: any.drop_ios,
            slat_ns: latency(any.slat_ns, any.slat, "slat")?,
            clat_ns: latency(any.clat_ns, any.clat, "clat")?,
            lat_ns: latency(any.lat_ns, any.lat, "lat")?,
            bw_min: any.bw_min,
            bw_max: any.bw_max,
            bw_agg: any.bw_agg,
            bw_mean: any.bw_mean,
            bw_dev: any.bw_dev,
            bw_samples: any.bw_samples,
            iops_min: any.iops_min,
            iops_max: any.iops_max,
            iops_mean: any.iops_mean,
            iops_stddev: any.iops_stddev,
            iops_samples: any.iops_samples,
        })
    }
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnySide::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Flushes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyFlushes { total_ios, lat_ns } = AnyFlushes::deserialize(deserializer)?;
        Ok(Self { total_ios, lat_ns: lat_ns.known(1, total_ios) })
    }
}
