//! Options about limits on submission.

use super::row::{COUNT, DELAY, Row, numbers, row, words};
use crate::keyword::{LatencyFrom, RateProcess};
use crate::limits::RUNTIME_NS_MAX;
use crate::option_doc::Initial::{Value as Same, Words};
use crate::option_doc::Unit;
use crate::option_doc::Values::OneOf;
use crate::rate::Rate;

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["rate"], "BYTES", "limit of bytes per second, or of reads,writes,trims",
        |d, v| Rate::read(v, false).map(|rate| d.rate = rate),
        Words("no limit"), numbers(Unit::Bytes, 0, u64::MAX), "0 is no limit; not with rate_iops="),
    row(&["rate_iops"], "N", "limit of I/Os per second, or of reads,writes,trims",
        |d, v| Rate::read(v, true).map(|rate| d.rate_iops = rate),
        Words("no limit"), COUNT, "0 is no limit; not with rate="),
    row(&["rate_process"], "WORD", "I/Os at even (linear) or exponential (poisson) intervals",
        |d, v| v.rate_process().map(|process| d.job.pace.process = process),
        Same("linear"), OneOf(&words(&RateProcess::NAMES)), "the first I/O of poisson comes after an interval, too; its bytes are those of each I/O, not of the smallest"),
    row(&["latency_from"], "WORD", "latencies from due times besides fio's; not fio's",
        |d, v| v.latency_from().map(|from| d.latency_from = Some(from)),
        Words("due with a rate and no thinktime, or else submit"), OneOf(&words(&LatencyFrom::NAMES)), ""),
    row(&["thinktime"], "TIME", "pause, in microseconds, after every thinktime_blocks I/Os",
        |d, v| v.delay_ns(true).map(|ns| d.think_ns = ns),
        Same("0"), numbers(Unit::Microseconds, 0, RUNTIME_NS_MAX / 1_000), "at most 30d"),
    row(&["thinktime_blocks"], "N", "I/Os between two pauses",
        |d, v| v.count().map(|blocks| d.think_blocks = Some(blocks.max(1))),
        Same("1"), COUNT, "0 is 1, as in fio"),
    row(&["thinktime_blocks_type"], "WORD", "I/Os that it counts: completed or issued",
        |d, v| v.think_type().map(|issued| d.think_issued = issued),
        Same("complete"), OneOf(&["complete", "issue"]), ""),
    row(&["thinktime_iotime"], "TIME", "time of I/O between two pauses",
        |d, v| v.delay_ns(false).map(|ns| d.think_io_ns = ns),
        Same("0"), DELAY, "at most 30d"),
    row(&["rate_min", "ratemin"], "BYTES", "least bytes per second, or of reads,writes,trims; fewer end the job",
        |d, v| Rate::read(v, false).map(|rate| d.bounds.rate_min = rate),
        Words("no limit"), numbers(Unit::Bytes, 0, u64::MAX), "0 is no limit; not with rate_iops_min="),
    row(&["rate_iops_min"], "N", "least I/Os per second, or of reads,writes,trims; fewer end the job",
        |d, v| Rate::read(v, true).map(|rate| d.bounds.rate_iops_min = rate),
        Words("no limit"), COUNT, "0 is no limit; not with rate_min="),
    row(&["rate_cycle", "ratecycle"], "N", "milliseconds over which least rates are judged",
        |d, v| d.bounds.read_cycle(v),
        Same("1000"), numbers(Unit::Count, 0, u32::MAX as u64), ""),
    row(&["max_latency"], "TIME", "longest latency, or of reads,writes,trims; a longer one ends the job",
        |d, v| d.bounds.read_latency(v),
        Words("no limit"), numbers(Unit::Microseconds, 0, RUNTIME_NS_MAX / 1_000), "at most 30d"),
];
