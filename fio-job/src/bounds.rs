//! Bounds on a job's rates and latencies: what breaks one ends with an error.

use crate::error::JobError;
use crate::number::{NS_PER_SECOND, Time};
use crate::rate::{Rate, in_directions};
use crate::value::Value;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const NS_PER_MS: u64 = 1_000_000;

/// Bounds of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Least rates (`rate_min=` or `rate_iops_min=`).
    pub least: Option<Rate>,
    /// Least time over which a rate is judged, in whole milliseconds, at least one, but given in
    /// nanoseconds (`rate_cycle=`).
    pub cycle_ns: u64,
    /// Longest latencies of reads, writes and trims, in nanoseconds (`max_latency=`).
    pub longest_ns: [Option<u64>; 3],
}

/// Options that make bounds.
#[derive(Clone)]
pub(crate) struct BoundOptions {
    pub(crate) rate_min: Option<Rate>,
    pub(crate) rate_iops_min: Option<Rate>,
    pub(crate) cycle_ms: u32,
    pub(crate) longest_ns: [Option<u64>; 3],
}

impl Default for BoundOptions {
    fn default() -> Self {
        Self { rate_min: None, rate_iops_min: None, cycle_ms: 1_000, longest_ns: [None; 3] }
    }
}

impl BoundOptions {
    /// Reads `rate_cycle=`.
    pub(crate) fn read_cycle(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let ms = u32::try_from(value.count()?);
        self.cycle_ms = ms.map_err(|_| value.wrong("too long; it is in milliseconds"))?;
        Ok(())
    }

    /// Reads `max_latency=`.
    pub(crate) fn read_latency(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let read = |one: Value<'_>| one.delay_ns(true).map(|ns| Some(ns).filter(|&ns| ns != 0));
        self.longest_ns = in_directions(value, read)?;
        Ok(())
    }

    /// Returns the bounds; `None` if there are none.
    pub(crate) fn bounds(&self) -> Option<Box<Bounds>> {
        let least = self.rate_min.or(self.rate_iops_min).filter(Rate::limits);
        let has_any = least.is_some() || self.longest_ns != [None; 3];
        let cycle_ms = if least.is_some() { self.cycle_ms.max(1) } else { 1_000 };
        let cycle_ns = u64::from(cycle_ms) * NS_PER_MS;
        has_any.then(|| Box::new(Bounds { least, cycle_ns, longest_ns: self.longest_ns }))
    }

    /// Returns a way to fix bounds that go together neither with each other nor with the rates of
    /// a job, if there are any.
    pub(crate) fn conflict(
        &self,
        rate: Option<Rate>,
        rate_iops: Option<Rate>,
    ) -> Option<&'static str> {
        if self.rate_min.is_some() && self.rate_iops_min.is_some() {
            return Some("rate_min= and rate_iops_min= cannot be used together; leave one out");
        }
        let exceeds = |least: Option<Rate>, most: Option<Rate>| {
            let sides = least.zip(most).map(|(least, most)| least.exceeds(&most));
            sides.unwrap_or(false)
        };
        let fix = "the least rate is more than the rate; give a lower rate_min= or rate_iops_min=";
        let is_broken = exceeds(self.rate_min, rate) || exceeds(self.rate_iops_min, rate_iops);
        is_broken.then_some(fix)
    }
}

impl Bounds {
    /// Returns the options that give these bounds.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        let mut options = Vec::new();
        if let Some(least) = &self.least {
            let name = if least.in_ios { "rate_iops_min" } else { "rate_min" };
            options.push((name, least.print()));
            options.push(("rate_cycle", (self.cycle_ns / NS_PER_MS).to_string()));
        }
        if self.longest_ns != [None; 3] {
            let print = |ns: Option<u64>| match ns {
                // A time without a unit is in microseconds.
                Some(ns) if ns.is_multiple_of(NS_PER_SECOND) => format!("{}s", ns / NS_PER_SECOND),
                Some(ns) => Time { ns }.to_string(),
                None => String::new(),
            };
            options.push(("max_latency", self.longest_ns.map(print).join(",")));
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn bounds(options: &str) -> Option<Box<Bounds>> {
        let line = format!("rw=randrw filename=xvda {options}");
        parse(&line).expect(&line).remove(0).pace.bounds
    }

    #[test]
    fn bounds_are_fios() {
        assert_eq!(bounds("rate_cycle=5"), None);
        assert_eq!(bounds("max_latency=0"), None);
        for (options, sides, cycle_ms) in [
            ("rate_iops_min=9", [Some(9); 3], 1_000),
            ("rate_iops_min=9,8 ratecycle=50", [Some(9), Some(8), Some(8)], 50),
            ("rate_iops_min=,8, rate_cycle=0", [None, Some(8), None], 1),
            ("ratemin=1k,,3", [Some(1024), None, Some(3)], 1_000),
        ] {
            let bounds = bounds(options).expect(options);
            let least = bounds.least.expect(options);
            assert_eq!([least.read, least.write, least.trim], sides, "{options}");
            assert_eq!(bounds.cycle_ns, cycle_ms * NS_PER_MS, "{options}");
        }
        let ms = Some(NS_PER_MS);
        for (options, sides) in [
            ("max_latency=1000", [ms; 3]),
            ("max_latency=1ms,", [ms, None, None]),
            ("max_latency=0,1ms", [None, ms, ms]),
            ("max_latency=2s,,1us", [Some(2 * NS_PER_SECOND), None, Some(1_000)]),
        ] {
            assert_eq!(bounds(options).expect(options).longest_ns, sides, "{options}");
        }
    }

    #[test]
    fn bounds_that_nothing_keeps_are_refused() {
        for (options, is_taken) in [
            ("rate_min=1m rate_iops_min=5", false),
            ("rate=1m rate_min=2m", false),
            ("rate_iops=50,5 rate_iops_min=6", false),
            ("rate_iops=50,5 rate_iops_min=6,5,", true),
            ("rate_iops=50 rate_min=2m", true),
            ("rate_iops_min=9 rate_cycle=4294967296", false),
        ] {
            let line = format!("rw=randrw filename=xvda {options}");
            assert_eq!(parse(&line).is_ok(), is_taken, "{line}");
        }
    }
}
