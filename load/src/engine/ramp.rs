//! What a job does before anything is measured (`ramp_time=`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::time::NEVER;
use fio_job::Job;
use fio_job::number::Time;
use results::{Counters, STOLEN_PERCENT_MAX, Stolen};

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

    /// Says why nothing was measured of a job of this ramp, if so; `is_empty` if no I/O after it
    /// ended. A pause can take all of the time that would have been measured.
    pub(super) fn nothing_measured(
        &self,
        Job { name, pace, .. }: &Job,
        is_empty: bool,
        stolen: Option<Stolen>,
    ) -> Option<String> {
        let ramp = Time { ns: pace.ramp_ns };
        let why = match self {
            Self::Until(_) | Self::Outlasted => format!("ended within ramp_time={ramp}"),
            Self::Over(_) if is_empty => format!("no I/O was put after ramp_time={ramp}"),
            Self::Over(_) | Self::Absent => return None,
        };
        let advice = match self {
            _ if stolen.is_some_and(|stolen| stolen.percent() > STOLEN_PERCENT_MAX) => {
                "the vCPU was kept from running meanwhile: run the job again"
            }
            Self::Over(_) => "raise runtime= or size=, or lower ramp_time=",
            _ => "raise size= or lower ramp_time=",
        };
        Some(format!("job {name}: {why}, so that nothing was measured; {advice}"))
    }
}
