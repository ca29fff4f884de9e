//! Options about the data, its checks and flushes.

use super::row::{BLOCK, COUNT, PATTERN, PERCENT, Row, row, words};
use crate::buffers::Buffers;
use crate::keyword::VerifyWord;
use crate::option_doc::Initial::{Nothing, Value as Same, Words};
use crate::option_doc::Values::{Flag, OneOf};

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
    row(&["scramble_buffers"], "1", "no two written sectors are alike",
        |_, v| v.must_be("1", "use buffer_pattern= to write equal data"),
        Same("1"), OneOf(&["1"]), "0 is refused"),
    row(&["fsync", "fdatasync"], "N", "flushes after every N writes; 0 is never",
        |d, v| v.count().map(|writes| d.job.pace.flush_after = (writes != 0).then_some(writes)),
        Same("0"), COUNT, "both names mean the same; other I/Os in flight go on"),
    row(&["verify"], "WORD", "checks the data",
        |d, v| v.verify().map(|word| d.verify = word),
        Same("0"), OneOf(&words(&VerifyWord::NAMES)), "no other checksums"),
    row(&["verify_pattern"], "PATTERN", "data for verify=pattern, e.g. 0xff, \"text\" or %o (the offset)",
        |d, v| v.pattern().map(|bytes| d.verify_pattern = Some(bytes)),
        Nothing, PATTERN, "no names of files"),
    row(&["verify_interval"], "BYTES", "bytes per header with verify=crc32c",
        |d, v| v.block_bytes().map(|bytes| d.verify_interval = Some(bytes)),
        Words("one block"), BLOCK, "it must divide bs=; fio takes sizes from 80 bytes on"),
    row(&["verify_fatal"], "0|1", "ends the job at the first wrong block",
        |d, v| v.flag().map(|on| d.verify_fatal = on),
        Same("0"), Flag, ""),
    row(&["do_verify"], "0|1", "reads back and checks what was written",
        |d, v| v.flag().map(|on| d.no_verify_after_write = !on),
        Same("1"), Flag, ""),
];
