//! Time in which a vCPU wanted to run and did not.

use core::ops::Add;

/// Time in which the vCPU wanted to run and did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stolen {
    /// How long, in nanoseconds.
    pub ns: u64,
    /// Of how long, in nanoseconds.
    pub of_ns: u64,
}

impl Stolen {
    /// The share, in per cent; 0 of no time.
    pub fn percent(&self) -> f64 {
        if self.of_ns == 0 { 0.0 } else { self.ns as f64 * 100.0 / self.of_ns as f64 }
    }
}

impl Add for Stolen {
    type Output = Self;

    /// Of jobs that are added up, as their runtimes are.
    fn add(self, other: Self) -> Self {
        Self { ns: self.ns.saturating_add(other.ns), of_ns: self.of_ns.saturating_add(other.of_ns) }
    }
}
