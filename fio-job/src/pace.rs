//! When a job's I/Os are put, if not as soon as there is room: delays, rates, pauses, batches.

use crate::direction::Direction;
use crate::error::JobError;
use crate::number::{Bytes, Time};
use crate::value::Value;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What holds a job's I/Os back; by default nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// `startdelay=`: the job starts so much later, in nanoseconds.
    pub start_delay_ns: u64,
    /// `ramp_time=`: what is done before counts for no figure and no `runtime=`, in nanoseconds.
    pub ramp_ns: u64,
    /// `rate=` or `rate_iops=`.
    pub rate: Option<Rate>,
    /// `thinktime=`.
    pub think: Option<Think>,
    /// `fsync=`, `fdatasync=`: a flush after so many writes, at least 1.
    pub flush_after: Option<u64>,
    /// `iodepth_batch=` and its kin.
    pub batch: Option<Batch>,
}

/// The most that a job does a second, for reads and writes apart. As in fio, a job that fell behind
/// catches up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Whether I/Os are limited rather than bytes.
    pub in_ios: bool,
    /// I/Os or bytes a second, at least 1; `None` is no limit.
    pub read: Option<u64>,
    /// Likewise.
    pub write: Option<u64>,
}

impl Rate {
    /// Whether there is a limit.
    pub(crate) fn limits(&self) -> bool {
        self.read.or(self.write).is_some()
    }

    /// The limit of one direction.
    pub fn of(&self, direction: Direction) -> Option<u64> {
        match direction {
            Direction::Read => self.read,
            Direction::Write => self.write,
            Direction::Trim => None,
        }
    }

    /// Reads `500k` or `1m,500k`: reads and writes (a third is for trims, which there are none of).
    pub(crate) fn read(value: Value<'_>, in_ios: bool) -> Result<Self, JobError> {
        let part = |text: &str| match text {
            "" => Ok(None),
            text => value.part(text).positive().map(Some),
        };
        let limits = value.text()?.split(',').take(4).map(part).collect::<Result<Vec<_>, _>>()?;
        match limits[..] {
            [all] => Ok(Self { in_ios, read: all, write: all }),
            [read, write] | [read, write, _] => Ok(Self { in_ios, read, write }),
            _ => Err(value.wrong("at most three rates, for reads, writes and trims")),
        }
    }

    fn spell(&self) -> String {
        let spell = |limit: Option<u64>| match limit {
            Some(limit) if self.in_ios => limit.to_string(),
            Some(limit) => Bytes(limit).to_string(),
            None => String::new(),
        };
        match (spell(self.read), spell(self.write)) {
            (read, write) if read == write => read,
            (read, write) => format!("{read},{write}"),
        }
    }
}

/// A pause of the job, which begins when all that it has put is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Think {
    /// `thinktime=`, in nanoseconds.
    pub time_ns: u64,
    /// `thinktime_blocks=`: after so many I/Os, at least 1.
    pub blocks: u64,
}

/// How many I/Os are put at a time. Neither is over the iodepth, and `min` not over `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// `iodepth_batch_complete_min=` or `iodepth_batch=`, whichever is more: I/Os are put when
    /// there is room for so many.
    pub min: u32,
    /// `iodepth_batch_complete_max=`: no more are put at once.
    pub max: u32,
}

impl Pace {
    /// The options that make this pace.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        let mut options = Vec::new();
        let mut time = |name, ns| {
            if ns != 0 {
                options.push((name, Time { ns }.to_string()));
            }
        };
        time("startdelay", self.start_delay_ns);
        time("ramp_time", self.ramp_ns);
        if let Some(rate) = &self.rate {
            options.push((if rate.in_ios { "rate_iops" } else { "rate" }, rate.spell()));
        }
        if let Some(think) = self.think {
            options.push(("thinktime", format!("{}us", think.time_ns / 1_000)));
            options.push(("thinktime_blocks", think.blocks.to_string()));
        }
        options.extend(self.flush_after.map(|writes| ("fsync", writes.to_string())));
        if let Some(batch) = self.batch {
            options.push(("iodepth_batch_complete_min", batch.min.to_string()));
            options.push(("iodepth_batch_complete_max", batch.max.to_string()));
        }
        options
    }
}
