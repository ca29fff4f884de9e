//! Time in which a vCPU wanted to run and did not.

use core::ops::Add;

/// Time in which the vCPU wanted to run and did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stolen {
    /// Stolen time, in nanoseconds.
    pub ns: u64,
    /// Whole time measured, in nanoseconds.
    pub of_ns: u64,
}

impl Stolen {
    /// Returns the stolen share, in per cent; 0 if no time was measured.
    pub fn percent(&self) -> f64 {
        if self.of_ns == 0 { 0.0 } else { self.ns as f64 * 100.0 / self.of_ns as f64 }
    }
}

impl Add for Stolen {
    type Output = Self;

    /// Adds the time of another job, as runtimes are added up.
    fn add(self, other: Self) -> Self {
        Self { ns: self.ns.saturating_add(other.ns), of_ns: self.of_ns.saturating_add(other.of_ns) }
    }
}
