//! Options about disks, regions and amounts.

use super::row::{AMOUNT, COUNT, Row, ZERO_OR_SECTORS, numbers, row};
use crate::option_doc::Initial::{Nothing, Value as Same, Words};
use crate::option_doc::Unit;
use crate::option_doc::Values::{Bool, Flag, Text};

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["filename"], "DISKS", "/dev/xvda, several as xvda:xvdb, or a file: xvda:/path or xvda@s1a:/path",
        |d, v| v.filename().map(|(disks, file)| d.name_disks(disks, file)),
        Words("every writable disk"), Text { form: "names of disks, or a disk and the path of a file in an FFS", example: "/dev/xvda" },
        "a job that writes has no default"),
    row(&["nrfiles", "nr_files"], "N", "uses the first N disks of a filename= before it",
        |d, v| v.count().map(|count| d.use_first_disks(count)),
        Nothing, COUNT, "fio's default is 1; as in fio 3.33 filename= comes first in a section of a job file, and counts anew"),
    row(&["file_service_type"], "WORD", "disk of the next I/O: roundrobin:4, sequential, random:4",
        |d, v| d.job.file_service.read(v),
        Same("roundrobin"), Text { form: "roundrobin or random, each perhaps with a colon and the I/Os in a row, or sequential", example: "roundrobin:4" },
        "zipf, pareto, normal and gauss only with one disk, where nothing changes"),
    row(&["openfiles"], "N", "most disks at a time; the next begins when one is gone through",
        |d, v| v.openfiles().map(|open| d.job.file_service.open = open),
        Words("all of them"), numbers(Unit::Count, 0, u32::MAX as u64), "0 is all"),
    row(&["allow_file_overwrite"], "0|1", "lets a job write into a file; not fio's",
        |d, v| v.flag().map(|on| d.job.allow_file_overwrite = on),
        Same("0"), Flag, ""),
    row(&["size"], "BYTES|%", "length of the region",
        |d, v| v.length().map(|size| d.job.size = size),
        Words("to the end of the disk"), AMOUNT, "as in fio it ends at the end of the disk, but random behind an offset="),
    row(&["filesize"], "BYTES", "length that the disk is taken to have",
        |d, v| v.filesize().map(|bytes| d.job.filesize = Some(bytes)),
        Words("all of it"), numbers(Unit::Bytes, 1, u64::MAX), "no range; as size= beyond the end of the disk"),
    row(&["fill_device", "fill_fs"], "0|1", "of no effect: a disk is used up to its end anyway",
        |d, v| v.boolean().map(|on| {
            d.fills = on;
            if on {
                d.warn_no_effect("fill_device");
            }
        }),
        Same("0"), Bool, "1 needs size= where blocks are drawn without a map"),
    row(&["io_size", "io_limit"], "BYTES|%", "amount to transfer",
        |d, v| v.length().map(|size| d.job.io_size = size),
        Words("size"), AMOUNT, ""),
    row(&["number_ios"], "N", "ends after N I/Os in each of the loops",
        |d, v| v.count_or_none().map(|ios| d.job.number_ios = ios),
        Words("no limit"), COUNT, "as in fio without effect with time_based"),
    row(&["loops"], "N", "times to repeat the whole transfer",
        |d, v| v.count_or_none().map(|loops| d.job.loops = loops.unwrap_or(1)),
        Same("1"), COUNT, "0 is 1, as in fio"),
    row(&["offset", "fileoffset"], "BYTES|%", "start of the region",
        |d, v| v.amount().map(|offset| d.job.offset = offset),
        Same("0"), AMOUNT, ""),
    row(&["offset_align"], "BYTES", "unit to which an offset= in per cent is rounded up",
        |d, v| v.offset_align().map(|bytes| d.job.offset_align = bytes),
        Same("0"), ZERO_OR_SECTORS, "0 is bs=, as in fio, which takes any size"),
    row(&["offset_increment"], "BYTES|%", "shift of the region from copy to copy of numjobs",
        |d, v| v.amount().map(|step| d.offset_increment = step),
        Same("0"), AMOUNT, "bytes and per cent do not mix with those of offset="),
];
