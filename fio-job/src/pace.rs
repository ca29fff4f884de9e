//! Limits on when a job's I/Os are submitted: delays, rates, pauses, batches.

use crate::bounds::Bounds;
use crate::keyword::{LatencyFrom, RateProcess};
use crate::number::Time;
use crate::rate::Rate;
use alloc::boxed::Box;
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
    /// Rates and latencies that end the job, if any do.
    pub bounds: Option<Box<Bounds>>,
}

/// Pause of the job, which begins when all submitted I/Os are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Think {
    /// Length of the pause, in nanoseconds (`thinktime=`).
    pub time_ns: u64,
    /// Number of I/Os between pauses, at least 1 (`thinktime_blocks=`); none if only a time is
    /// given.
    pub blocks: Option<u64>,
    /// Whether it counts I/Os that were put, rather than those that have completed
    /// (`thinktime_blocks_type=issue`).
    pub counts_issued: bool,
    /// Time between pauses, in nanoseconds (`thinktime_iotime=`).
    pub io_ns: Option<u64>,
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
            options.extend(think.blocks.map(|blocks| ("thinktime_blocks", blocks.to_string())));
            if think.counts_issued {
                options.push(("thinktime_blocks_type", "issue".to_string()));
            }
            let io_time = think.io_ns.map(|ns| ("thinktime_iotime", Time { ns }.to_string()));
            options.extend(io_time);
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
        options.extend(self.bounds.iter().flat_map(|bounds| bounds.options()));
        options
    }
}
