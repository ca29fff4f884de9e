//! Totals of the jobs of a group in one direction: fio's "Run status group".

use crate::report::Side;

/// Figures of one job, or of several that are reported together, in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// Runtime in milliseconds; 0 if nothing was done.
    pub runtime: u64,
    /// Bytes moved.
    pub io_bytes: u64,
}

impl Part {
    /// Returns the bytes per second, by fio's arithmetic.
    pub fn bw_bytes(&self) -> u64 {
        per_second(self.io_bytes, self.runtime)
    }
}

impl From<&Side> for Part {
    fn from(side: &Side) -> Self {
        Self { runtime: side.runtime, io_bytes: side.io_bytes }
    }
}

/// Totals of one direction of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Shortest and longest runtime, in milliseconds; 0 if nothing was done.
    pub runtime: (u64, u64),
    /// Slowest and fastest part, in bytes per second.
    pub bw_bytes: (u64, u64),
    /// Bytes moved by all parts.
    pub io_bytes: u64,
}

impl FromIterator<Part> for Group {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        parts.into_iter().filter(|part| part.runtime > 0).fold(Self::default(), Self::with)
    }
}

impl Group {
    fn with(self, part: Part) -> Self {
        let first = self.runtime.1 == 0;
        let widen = |(least, most): (u64, u64), value: u64| match first {
            true => (value, value),
            false => (least.min(value), most.max(value)),
        };
        Self {
            runtime: widen(self.runtime, part.runtime),
            bw_bytes: widen(self.bw_bytes, part.bw_bytes()),
            io_bytes: self.io_bytes.saturating_add(part.io_bytes),
        }
    }

    /// Returns the bytes per second of all parts together.
    pub fn bw_together(&self) -> u64 {
        per_second(self.io_bytes, self.runtime.1)
    }

    /// Returns a job's mean of KiB per second in per cent of the group's, as in fio's `bw_agg`,
    /// where fio drops the fraction of the mean.
    pub fn percent(&self, mean: f64) -> f64 {
        match self.bw_together() {
            0..=1024 => 100.0,
            together => ((mean as u64) as f64 * 100.0 / (together as f64 / 1024.0)).min(100.0),
        }
    }
}

fn per_second(bytes: u64, runtime_ms: u64) -> u64 {
    let rate = u128::from(bytes) * 1_000 / u128::from(runtime_ms.max(1));
    if runtime_ms == 0 { 0 } else { u64::try_from(rate).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_a_group() {
        let parts = [(2_000, 8 << 20), (0, 0), (1_000, 8 << 20)];
        let group: Group =
            parts.into_iter().map(|(runtime, io_bytes)| Part { runtime, io_bytes }).collect();
        assert_eq!(group.runtime, (1_000, 2_000));
        assert_eq!(group.bw_bytes, (4 << 20, 8 << 20));
        assert_eq!(group.bw_together(), 8 << 20);
        assert_eq!(group.percent(4_096.9), 50.0);
        assert_eq!(group.percent(1e9), 100.0);
        assert_eq!(Group::default().percent(0.0), 100.0);
    }

    #[test]
    fn absurd_figures_do_no_harm() {
        let part = Part { runtime: 1, io_bytes: u64::MAX };
        let group: Group = [part, part].into_iter().collect();
        assert_eq!((group.bw_together(), group.io_bytes), (u64::MAX, u64::MAX));
    }
}
