//! Work of a job before anything is measured (`ramp_time=`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::time::NEVER;
use fio_job::Job;
use fio_job::number::Time;
use results::{Counters, STOLEN_PERCENT_MAX, Stolen};

/// State of a job's ramp.
#[derive(Debug, Default)]
pub(super) enum Ramp {
    /// There is no ramp.
    #[default]
    Absent,
    /// The ramp lasts until this time, in nanoseconds.
    Until(u64),
    /// The job's own I/Os ended before the ramp did.
    Outlasted,
    /// The ramp is over; these are its counters, by disk.
    Over(Vec<Counters>),
}

impl Ramp {
    /// Returns a ramp of `ramp_ns` nanoseconds from `start_ns` on.
    pub(super) fn new(start_ns: u64, ramp_ns: u64) -> Self {
        if ramp_ns == 0 { Self::Absent } else { Self::Until(start_ns.saturating_add(ramp_ns)) }
    }

    /// Returns when it is to end; [`NEVER`] if it has no end to come.
    pub(super) fn end_ns(&self) -> u64 {
        if let Self::Until(end_ns) = *self { end_ns } else { NEVER }
    }

    /// Returns whether everything done so far belongs to it.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::Until(_) | Self::Outlasted)
    }

    /// Notes that the job's own I/Os have ended.
    pub(super) fn outlast(&mut self) {
        if self.is_all() {
            *self = Self::Outlasted;
        }
    }

    /// Returns what it used of a disk.
    pub(super) fn used(&self, disk: usize) -> Counters {
        let used = if let Self::Over(used) = self { used.get(disk) } else { None };
        used.copied().unwrap_or_default()
    }

    /// Returns why nothing was measured of a job of this ramp, if so; `is_empty` if no I/O after it
    /// ended. A pause can take up all of the time that would have been measured.
    pub(super) fn nothing_measured(
        &self,
        Job { name, pace, .. }: &Job,
        is_empty: bool,
        stolen: Option<Stolen>,
    ) -> Option<String> {
        let ramp = Time { ns: pace.ramp_ns };
        let why = match self {
            Self::Until(_) | Self::Outlasted => format!("ended within ramp_time={ramp}"),
            Self::Over(_) if is_empty => format!("no I/O was issued after ramp_time={ramp}"),
            Self::Over(_) | Self::Absent => return None,
        };
        let advice = match self {
            _ if stolen.is_some_and(|stolen| stolen.percent() > STOLEN_PERCENT_MAX) => {
                "the vCPU was kept from running meanwhile: run the job again"
            }
            Self::Over(_) => "raise runtime= or size=, or lower ramp_time=",
            _ => "raise size= or lower ramp_time=",
        };
        Some(format!("job {name}: {why}, so nothing was measured; {advice}"))
    }
}
