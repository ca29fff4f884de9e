//! Figures of one run of a row.

use anyhow::{Context, Result};

use super::window::Window;
use crate::counts::Counts;
use crate::machine::Clock;

/// Figures of one run of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Work that was done in the window, in units of the comparison's.
    pub(super) amount: f64,
    /// The window's length.
    pub(super) seconds: f64,
    /// Instructions in the window, if they were counted.
    pub(super) counts: Option<Counts>,
}

impl Sample {
    /// The figures of a window in which the backend has counted `units` for each unit of work.
    ///
    /// # Errors
    /// When there was no window, a disk did nothing in it, or counts are missing.
    pub(super) fn of(window: &Window, units: f64, clock: Clock) -> Result<Self> {
        let (begin, end) = window.edges()?;
        let counts = match clock {
            Clock::Wall => None,
            Clock::Instructions => {
                let both = begin.instructions.zip(end.instructions);
                let (begin, end) = both.context("QEMU's counts were not taken at both marks")?;
                Some(end - begin)
            }
        };
        let moved: u64 = window.moved()?.iter().sum();
        Ok(Self { amount: moved as f64 / units, seconds: end.uptime_s - begin.uptime_s, counts })
    }

    /// Returns the work done in a second, or for each 10⁹ instructions if these were counted.
    pub(super) fn rate(&self) -> f64 {
        self.amount / self.counts.map_or(self.seconds, |counts| counts.total() as f64 / 1e9)
    }

    /// Returns the rate with its unit.
    pub(super) fn text(&self, unit: &str) -> String {
        let per = if self.counts.is_some() { " for 10⁹ instructions" } else { "/s" };
        format!("{:.0} {unit}{per}", self.rate())
    }

    /// Returns some of the instructions, for each unit of work.
    pub(super) fn per_unit(&self, of: fn(Counts) -> u64) -> Option<f64> {
        Some(of(self.counts?) as f64 / self.amount)
    }
}
