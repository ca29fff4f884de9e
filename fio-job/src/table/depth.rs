//! Options about I/Os in flight, and the way to the disk.

use super::row::{BATCH, Row, numbers, row, words};
use crate::keyword::IoEngine;
use crate::limits::IODEPTH_MAX;
use crate::option_doc::Initial::{Nothing, Value as Same, Words};
use crate::option_doc::Unit;
use crate::option_doc::Values::{Bool, OneOf};

/// Reason to refuse buffered I/O.
const NO_PAGE_CACHE: &str = "I/O through a page cache is another load, and there is none here; \
                             use direct=1";

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["iodepth"], "N", "I/Os in flight over all disks of the job",
        |d, v| v.iodepth().map(|depth| d.job.iodepth = depth),
        Same("1"), numbers(Unit::Count, 1, IODEPTH_MAX as u64), "fio has no upper limit; what finds no room on the ring waits, as in Linux"),
    row(&["iodepth_batch", "iodepth_batch_submit"], "N", "I/Os to submit at a time; 0 means iodepth",
        |d, v| v.batch().map(|count| d.batch_submit = Some(count)),
        Nothing, BATCH, "as in fio the default is 1, but without any option of batches all that completed is taken"),
    row(&["iodepth_batch_complete_min", "iodepth_batch_complete"], "N", "completions to wait for at a time",
        |d, v| v.batch().map(|count| d.batch_min = Some(count)),
        Nothing, BATCH, "as in fio the default is 1; latencies end when a completion is there, even if it is taken later"),
    row(&["iodepth_batch_complete_max"], "N", "most completions to take at a time; at least the least",
        |d, v| v.batch().map(|count| d.batch_max = Some(count)),
        Words("iodepth_batch_complete_min"), BATCH, ""),
    row(&["iodepth_low"], "N", "I/Os in flight down to which to wait once all are; 0 means iodepth",
        |d, v| v.batch().map(|count| d.low = Some(count)),
        Words("iodepth"), BATCH, ""),
    row(&["serialize_overlap"], "0|1", "never has two I/Os of a block in flight where one writes",
        |d, v| v.boolean().map(|on| d.job.serialize_overlap = on),
        Same("0"), Bool, "another block is taken instead of waiting; only between I/Os of one job"),
    row(&["ioengine"], "WORD", "all use the ring; sync, psync and the like with iodepth 1",
        |d, v| v.engine().map(|engine| d.job.ioengine = Some(engine)),
        Nothing, OneOf(&words(&IoEngine::NAMES)), "fio has more, which do other work; its default is psync"),
    // These options are accepted with the only value that holds here.
    row(&["direct"], "1", "there is no page cache",
        |_, v| v.must_be("1", NO_PAGE_CACHE),
        Same("1"), OneOf(&["1"]), "fio's default is 0"),
    row(&["buffered"], "0", "there is no page cache",
        |_, v| v.must_be("0", NO_PAGE_CACHE),
        Same("0"), OneOf(&["0"]), "fio's default is 1"),
    row(&["io_submit_mode"], "WORD", "one loop submits and completes I/Os",
        |d, v| v.submit_mode().map(|offload| d.offload = offload),
        Same("inline"), OneOf(&["inline", "offload"]), "with offload one loop submits, too, and a synchronous engine keeps iodepth in flight"),
];
