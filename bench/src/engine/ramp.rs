//! What a job does before anything is measured (`ramp_time=`).

use alloc::vec::Vec;

use super::rules::NEVER;
use crate::result::Counters;

/// The ramp of a job.
#[derive(Debug, Default)]
pub(super) enum Ramp {
    /// There is none.
    #[default]
    Absent,
    /// It lasts until then.
    Until(u64),
    /// The job's own I/Os ended before it did.
    Outlasted,
    /// It is over; by disk, what it used.
    Over(Vec<Counters>),
}

impl Ramp {
    /// So long from `start_ns` on.
    pub(super) fn new(start_ns: u64, ramp_ns: u64) -> Self {
        if ramp_ns == 0 { Self::Absent } else { Self::Until(start_ns.saturating_add(ramp_ns)) }
    }

    /// When it is to end; [`NEVER`] if that is not to come.
    pub(super) fn end_ns(&self) -> u64 {
        if let Self::Until(end_ns) = *self { end_ns } else { NEVER }
    }

    /// Whether all that was done so far belongs to it.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::Until(_) | Self::Outlasted)
    }

    /// The job's own I/Os have ended.
    pub(super) fn outlast(&mut self) {
        if self.is_all() {
            *self = Self::Outlasted;
        }
    }

    /// What it used of a disk.
    pub(super) fn used(&self, disk: usize) -> Counters {
        let used = if let Self::Over(used) = self { used.get(disk) } else { None };
        used.copied().unwrap_or_default()
    }
}
