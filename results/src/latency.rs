//! Latencies of a report, as in fio's `json+`.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::pairs::Pairs;

/// Latencies in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Least value.
    pub min: u64,
    /// Greatest value.
    pub max: u64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub stddev: f64,
    /// Number of values.
    #[serde(rename = "N")]
    pub count: u64,
    /// Latency for each percentile, with keys such as `99.900000`: the bin that this share of the
    /// values does not exceed.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub percentile: Pairs<String, u64>,
    /// Number of values in each bin, keyed by the middle of the bin. Only in `json+`.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub bins: Pairs<u64, u64>,
}

impl Latency {
    /// Returns the latency in nanoseconds that this share of the values does not exceed, if the
    /// report tells it. `percent` is from 0 to 100.
    pub fn percentile_ns(&self, percent: f64) -> Option<u64> {
        let is_it = |key: &str| key.parse::<f64>().is_ok_and(|of| (of - percent).abs() < 1e-6);
        self.percentile.iter().find(|(key, _)| is_it(key)).map(|&(_, ns)| ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn percentiles_are_found_by_their_value() {
        let percentile = [("99.000000", 4096), ("99.900000", 5000), ("x", 1)];
        let percentile = percentile.map(|(key, ns)| (key.to_owned(), ns)).into_iter().collect();
        let latency = Latency { percentile, ..Latency::default() };
        let found = [99.0, 99.9, 99.99].map(|percent| latency.percentile_ns(percent));
        assert_eq!(found, [Some(4096), Some(5000), None]);
    }
}
