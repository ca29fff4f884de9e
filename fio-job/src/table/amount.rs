//! Options about disks, regions and amounts.

use super::row::{AMOUNT, LENGTH, POSITIVE, Row, row};
use crate::option_doc::Initial::{Value as Same, Words};
use crate::option_doc::Values::{Flag, Text};

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["filename"], "DISKS", "/dev/xvda, several as xvda:xvdb, or a file as xvda:/path",
        |d, v| v.filename().map(|(disks, file)| (d.job.disks, d.job.file) = (disks, file)),
        Words("every writable disk"), Text { form: "names of disks, or a disk and the path of a file in an FFS", example: "/dev/xvda" },
        "a job that writes has no default"),
    row(&["allow_file_overwrite"], "0|1", "lets a job write into a file; not fio's",
        |d, v| v.flag().map(|on| d.job.allow_file_overwrite = on),
        Same("0"), Flag, ""),
    row(&["size"], "BYTES|%", "length of the region",
        |d, v| v.length().map(|size| d.job.size = Some(size)),
        Words("to the end of the disk"), LENGTH, "0 is refused"),
    row(&["io_size", "io_limit"], "BYTES|%", "amount to transfer",
        |d, v| v.length().map(|size| d.job.io_size = Some(size)),
        Words("size"), LENGTH, "0 is refused"),
    row(&["number_ios"], "N", "ends after N I/Os in each of the loops",
        |d, v| v.positive().map(|ios| d.job.number_ios = Some(ios)),
        Words("no limit"), POSITIVE, "0 is refused; as in fio without effect with time_based"),
    row(&["loops"], "N", "times to repeat the whole transfer",
        |d, v| v.positive().map(|loops| d.job.loops = loops),
        Same("1"), POSITIVE, "0 is refused"),
    row(&["offset", "fileoffset"], "BYTES|%", "start of the region",
        |d, v| v.amount().map(|offset| d.job.offset = offset),
        Same("0"), AMOUNT, ""),
    row(&["offset_increment"], "BYTES|%", "shift of the region from copy to copy of numjobs",
        |d, v| v.amount().map(|step| d.offset_increment = step),
        Same("0"), AMOUNT, "bytes and per cent do not mix with those of offset="),
];
