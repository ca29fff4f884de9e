//! Figures that runs are compared by.

use clap::ValueEnum;

use crate::figures::Figures;

/// A figure of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// I/Os per second.
    Iops,
    /// Bandwidth.
    Bw,
    /// Mean latency.
    Clat,
    /// Completion latency that 99 % of the I/Os did not exceed.
    P99,
    /// Latency from due times that 99 % of the I/Os did not exceed, of an open loop.
    DueP99,
}

impl Measure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Iops, Self::Bw, Self::Clat, Self::P99, Self::DueP99];
    /// Figures of any result, in the same order.
    pub const USUAL: [Self; 4] = [Self::Iops, Self::Bw, Self::Clat, Self::P99];

    /// Returns its name and unit.
    pub fn title(self) -> &'static str {
        match self {
            Self::Iops => "IOPS",
            Self::Bw => "bandwidth, MiB/s",
            Self::Clat => "mean latency, us",
            Self::P99 => "99 % within, us",
            Self::DueP99 => "99 % from due, us",
        }
    }

    /// Returns its value in a run, in that unit, if the result tells it.
    pub fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::Iops => Some(figures.iops),
            Self::Bw => Some(figures.bytes_per_second / f64::from(1 << 20)),
            Self::Clat => figures.mean_ns.map(|ns| ns / 1e3),
            Self::P99 => figures.percentile_ns(99.0).map(|ns| ns / 1e3),
            Self::DueP99 => figures.due_p99_ns.map(|ns| ns / 1e3),
        }
    }

    /// Returns whether it is a rate: more is better.
    pub fn is_rate(self) -> bool {
        matches!(self, Self::Iops | Self::Bw)
    }

    /// Returns whether `b` is worse than `a` by more than so many per cent of `a`.
    pub fn is_worse(self, a: f64, b: f64, percent: f64) -> bool {
        let change = (b - a) / a * 100.0;
        if self.is_rate() { change < -percent } else { change > percent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_worse_for_rates_and_more_for_latencies() {
        for by in Measure::ALL {
            let is_rate = matches!(by, Measure::Iops | Measure::Bw);
            assert!(!by.is_worse(100.0, 100.0, 0.0));
            assert_eq!(by.is_worse(100.0, 94.0, 5.0), is_rate);
            assert_eq!(by.is_worse(100.0, 106.0, 5.0), !is_rate);
            assert!(!by.is_worse(100.0, 95.0, 5.0) && !by.is_worse(100.0, 105.0, 5.0));
        }
    }
}
