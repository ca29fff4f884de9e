//! Options about the data, its checks and flushes.

use super::row::{BLOCK, COUNT, HEADER_OFFSET, PATTERN, PERCENT, Row, row, words};
use crate::buffers::Buffers;
use crate::option_doc::Initial::{Nothing, Value as Same, Words};
use crate::option_doc::Values::{Bool, Flag, OneOf};
use crate::value::SYNC_NAMES;
use crate::verify::VerifyWord;

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["buffer_pattern"], "PATTERN", "data to write, in the form of verify_pattern",
        |d, v| v.pattern().map(|pattern| d.job.buffers = Buffers::Pattern(pattern)),
        Words("random data"), PATTERN, "no names of files"),
    row(&["zero_buffers"], "0|1", "writes zeros",
        |d, v| v.flag().map(|on| d.zero_buffers = on),
        Same("0"), Flag, ""),
    row(&["refill_buffers"], "0|1", "new random data for each write",
        |d, v| v.flag().map(|on| d.refill_buffers = on),
        Same("0"), Flag, ""),
    row(&["buffer_compress_percentage"], "PERCENT", "share of zeros in each 512 bytes; the rest is random",
        |d, v| v.percent().map(|zeros_percent| d.compress_percent = zeros_percent),
        Same("0"), PERCENT, "not with buffer_pattern="),
    row(&["scramble_buffers"], "0|1", "no two written sectors are alike",
        |d, v| v.boolean().map(|on| {
            d.repeats = !on;
            if !on {
                d.warn_no_effect("scramble_buffers");
            }
        }),
        Same("1"), Bool, "0 is refused where a job writes random data"),
    row(&["fsync", "fdatasync"], "N", "flushes after every N writes; 0 is never",
        |d, v| v.count().map(|writes| d.job.pace.flush_after = (writes != 0).then_some(writes)),
        Same("0"), COUNT, "both names mean the same; other I/Os in flight go on"),
    row(&["sync"], "WORD", "flushes after each write, as a part of it",
        |d, v| v.sync().map(|on| d.job.pace.sync_writes = on),
        Same("none"), OneOf(&words(&SYNC_NAMES)), "sync and dsync mean the same; the backend must offer flushes"),
    row(&["end_fsync"], "0|1", "flushes each disk at the end of a job that writes, in its time",
        |d, v| v.boolean().map(|on| d.end_fsync = on),
        Same("0"), Bool, "once, not at the end of each of the loops"),
    row(&["fsync_on_close"], "0|1", "the same as end_fsync",
        |d, v| v.boolean().map(|on| d.fsync_on_close = on),
        Same("0"), Bool, "as end_fsync="),
    row(&["verify"], "WORD", "checks the data",
        |d, v| v.verify().map(|word| d.verify.word = Some(word)),
        Same("0"), OneOf(&words(&VerifyWord::NAMES)), "headers as those of fio 3.33; its sha512 covers both ends of a block only"),
    row(&["verify_pattern"], "PATTERN", "data to write and check, e.g. 0xff, \"text\" or %o (the offset)",
        |d, v| v.pattern().map(|bytes| d.verify.pattern = Some(bytes)),
        Nothing, PATTERN, "no names of files; without verify=, it is verify=pattern"),
    row(&["verify_interval"], "BYTES", "bytes per header of verify=",
        |d, v| v.block_bytes().map(|bytes| d.verify.interval_bytes = Some(bytes)),
        Words("one block"), BLOCK, "one block also if it does not divide bs=; fio takes sizes from 80 bytes on"),
    row(&["verify_offset"], "BYTES", "bytes in front of each header of verify=",
        |d, v| v.header_offset().map(|bytes| d.verify.offset_bytes = bytes),
        Words("none"), HEADER_OFFSET, "as many as the header takes, 40 to 168, or more; 0 is refused"),
    row(&["verify_backlog"], "N", "reads back the writes after every N of them",
        |d, v| v.count().map(|writes| d.verify.backlog_writes = writes),
        Same("0"), COUNT, "0 reads back at the end"),
    row(&["verify_backlog_batch"], "N", "blocks to read back then",
        |d, v| v.count().map(|batch| d.verify.backlog_batch = batch),
        Words("verify_backlog"), COUNT, "less than verify_backlog= is refused"),
    row(&["verify_only"], "0|1", "reads and checks what the job would write",
        |d, v| v.flag().map(|on| d.verify.only = on),
        Same("0"), Flag, "not for reads and writes mixed"),
    row(&["verify_state_load"], "0", "does not end where an earlier run was stopped",
        |_, v| v.must_be("0", "a guest keeps no files; leave it out"),
        Same("0"), OneOf(&["0"]), "1 is refused"),
    row(&["verify_fatal"], "0|1", "ends the job at the first wrong block",
        |d, v| v.boolean().map(|on| d.verify.fatal = on),
        Same("0"), Bool, ""),
    row(&["do_verify"], "0|1", "reads back and checks what was written",
        |d, v| v.boolean().map(|on| d.verify.not_after_write = !on),
        Same("1"), Bool, ""),
];
