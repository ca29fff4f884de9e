//! Limits on when a job's I/Os are submitted: delays, rates, pauses, batches.

use crate::direction::Direction;
use crate::error::JobError;
use crate::keyword::{LatencyFrom, RateProcess, Rw};
use crate::number::{Bytes, Time};
use crate::value::Value;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Limits on a job's submissions; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Time before the job starts, in nanoseconds (`startdelay=`).
    pub start_delay_ns: u64,
    /// Time to run before measuring begins and `runtime=` starts, in nanoseconds (`ramp_time=`).
    pub ramp_ns: u64,
    /// Rate limit (`rate=` or `rate_iops=`).
    pub rate: Option<Rate>,
    /// Process by which I/Os become due at that rate; linear if there is none (`rate_process=`).
    pub process: RateProcess,
    /// Time from which latencies are reported besides fio's (`latency_from=`, not fio's).
    pub latency_from: LatencyFrom,
    /// Pauses (`thinktime=`).
    pub think: Option<Think>,
    /// Number of writes after which to flush, at least 1 (`fsync=`, `fdatasync=`).
    pub flush_after: Option<u64>,
    /// Whether each write is flushed, which is part of it (`sync=`).
    pub sync_writes: bool,
    /// Whether each disk is flushed when all I/Os have ended, within the job's time (`end_fsync=`,
    /// `fsync_on_close=`).
    pub end_flush: bool,
    /// Batch sizes, if any of `iodepth_batch=` and the like is given.
    pub batch: Option<Batch>,
}

/// Rate limit of a job, for each direction. As in fio, a job that fell behind catches up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Whether the limit is in I/Os rather than bytes.
    pub in_ios: bool,
    /// Reads: I/Os or bytes per second, at least 1; `None` is no limit.
    pub read: Option<u64>,
    /// Writes, likewise.
    pub write: Option<u64>,
    /// Trims, likewise.
    pub trim: Option<u64>,
}

impl Rate {
    /// Returns whether there is a limit.
    pub(crate) fn limits(&self) -> bool {
        self.read.or(self.write).or(self.trim).is_some()
    }

    /// Returns whether it limits anything that a job does.
    pub(crate) fn applies_to(&self, rw: Rw) -> bool {
        rw.reads() && self.read.is_some()
            || rw.writes() && self.write.is_some()
            || rw.trims() && self.trim.is_some()
    }

    /// Returns the limit of one direction.
    pub fn of(&self, direction: Direction) -> Option<u64> {
        match direction {
            Direction::Read => self.read,
            Direction::Write => self.write,
            Direction::Trim => self.trim,
        }
    }

    /// Reads `500k` or `1m,500k,2m`, for reads, writes and trims. As in fio the last one is that of
    /// the directions behind it, too, unless a comma ends it.
    pub(crate) fn read(value: Value<'_>, in_ios: bool) -> Result<Self, JobError> {
        let part = |text: &str| match text {
            "" => Ok(None),
            text => value.part(text).positive().map(Some),
        };
        let limits = value.text()?.split(',').take(4).map(part).collect::<Result<Vec<_>, _>>()?;
        match limits[..] {
            [read] => Ok(Self { in_ios, read, write: read, trim: read }),
            [read, write] => Ok(Self { in_ios, read, write, trim: write }),
            [read, write, trim] => Ok(Self { in_ios, read, write, trim }),
            _ => {
                Err(value.wrong("too many rates; give at most three, for reads, writes and trims"))
            }
        }
    }

    fn print(&self) -> String {
        let print = |limit: Option<u64>| match limit {
            Some(limit) if self.in_ios => limit.to_string(),
            Some(limit) => Bytes(limit).to_string(),
            None => String::new(),
        };
        match [self.read, self.write, self.trim].map(print) {
            [read, write, trim] if read == write && write == trim => read,
            [read, write, trim] if write == trim => format!("{read},{write}"),
            [read, write, trim] => format!("{read},{write},{trim}"),
        }
    }
}

/// Pause of the job, which begins when all submitted I/Os are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Think {
    /// Length of the pause, in nanoseconds (`thinktime=`).
    pub time_ns: u64,
    /// Number of I/Os between pauses, at least 1 (`thinktime_blocks=`).
    pub blocks: u64,
}

/// Numbers of I/Os that fio's loop submits and completes at a time. None exceeds the iodepth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// I/Os to submit at once, at least 1, unless the loop must wait before (`iodepth_batch=`).
    pub submit: u32,
    /// Fewest completions to wait for (`iodepth_batch_complete_min=`).
    pub complete_min: u32,
    /// Most completions to take at once, at least `complete_min`
    /// (`iodepth_batch_complete_max=`). With both 0 each I/O is waited for.
    pub complete_max: u32,
    /// Number of I/Os in flight, at least 1, to wait for once there are as many as the iodepth
    /// (`iodepth_low=`).
    pub low: u32,
}

impl Pace {
    /// Returns whether the disks are flushed.
    pub fn flushes(&self) -> bool {
        self.flush_after.is_some() || self.sync_writes || self.end_flush
    }

    /// Returns the options that give this pace.
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
            options.push((if rate.in_ios { "rate_iops" } else { "rate" }, rate.print()));
            options.push(("rate_process", self.process.to_string()));
            options.push(("latency_from", self.latency_from.to_string()));
        }
        if let Some(think) = self.think {
            options.push(("thinktime", format!("{}us", think.time_ns / 1_000)));
            options.push(("thinktime_blocks", think.blocks.to_string()));
        }
        options.extend(self.flush_after.map(|writes| ("fsync", writes.to_string())));
        options.extend(self.sync_writes.then(|| ("sync", "1".to_string())));
        options.extend(self.end_flush.then(|| ("end_fsync", "1".to_string())));
        if let Some(batch) = self.batch {
            options.extend([
                ("iodepth_batch", batch.submit.to_string()),
                ("iodepth_batch_complete_min", batch.complete_min.to_string()),
                ("iodepth_batch_complete_max", batch.complete_max.to_string()),
                ("iodepth_low", batch.low.to_string()),
            ]);
        }
        options
    }
}
