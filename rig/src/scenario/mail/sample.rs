//! Figures of one run of a row.

use std::fmt::{self, Display, Formatter};

use crate::counts::Counts;

/// Figures of one run of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Bytes written in the window.
    pub(super) bytes: u64,
    /// The window's length.
    pub(super) seconds: f64,
    /// Instructions in the window, if they were counted.
    pub(super) counts: Option<Counts>,
}

impl Sample {
    /// Returns the MiB written.
    pub(super) fn mib(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 20)
    }

    /// Returns MiB written in a second, or for each 10⁹ instructions if these were counted.
    pub(super) fn rate(&self) -> f64 {
        self.mib() / self.counts.map_or(self.seconds, |counts| counts.total() as f64 / 1e9)
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unit = if self.counts.is_some() { "MiB for 10⁹ instructions" } else { "MiB/s" };
        write!(f, "{:.0} {unit}", self.rate())
    }
}
