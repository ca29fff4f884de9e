//! Options about the report.

use super::row::{PREFIX, Row, numbers, row};
use crate::option_doc::Initial::{Nothing, Value as Same};
use crate::option_doc::Unit;
use crate::option_doc::Values::{Bool, Flag, OneOf, Text};

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["group_reporting"], "0|1", "reports jobs that run together as one",
        |d, v| v.flag().map(|on| d.job.reporting.with_group = on),
        Same("0"), Flag, ""),
    row(&["unified_rw_reporting"], "WORD", "reads and writes are reported each for itself",
        |d, v| v.unified().map(|on| if on {
            d.warn("unified_rw_reporting", "reads and writes are reported each for itself here");
        }),
        Same("none"), OneOf(&["none", "mixed", "both", "0", "1", "2"]), "a sum has no effect but a warning"),
    row(&["log_unix_epoch", "log_alternate_epoch"], "0|1", "times in logs are from the job's start",
        |d, v| v.boolean().map(|on| if on {
            d.warn("log_unix_epoch", "times in logs are from the job's start here");
        }),
        Same("0"), Bool, "1 has no effect but a warning"),
    row(&["log_offset", "log_prio"], "0|1", "samples of logs have neither",
        |d, v| v.boolean().map(|on| if on {
            d.warn("log_offset", "samples of logs have neither an offset nor a priority here");
        }),
        Same("0"), Bool, "1 has no effect but a warning"),
    row(&["kb_base"], "1024|1000", "bytes of a k in values; kib is the other; before sizes",
        |d, v| v.kb_base().and_then(|kilo| d.set_kilo(kilo, v)),
        Same("1024"), OneOf(&["1024", "1000"]), "1000 stands before all sizes; output is not changed"),
    row(&["clat_percentiles"], "0|1", "reports percentiles of completion latency",
        |d, v| v.boolean().map(|on| d.job.reporting.clat_percentiles = on),
        Same("1"), Bool, ""),
    row(&["lat_percentiles"], "0|1", "reports percentiles of total latency",
        |d, v| v.boolean().map(|on| d.job.reporting.lat_percentiles = on),
        Same("0"), Bool, "the same figures as those of completion latency"),
    row(&["percentile_list"], "P:P..", "percentiles to report, e.g. 50:99.9",
        |d, v| v.percentiles().map(|(list, is_cut)| {
            d.job.reporting.percentiles = list;
            if is_cut {
                d.warn("percentile_list", "the first 20 count, as in fio");
            }
        }),
        Same("1:5:10:20:30:40:50:60:70:80:90:95:99:99.5:99.9:99.95:99.99"),
        Text { form: "20 at most, each more than 0 and up to 100, with up to six decimals", example: "50:99.9" }, "0 is refused; those behind the first 20 do not count, as in fio"),
    row(&["log_avg_msec"], "MS", "window of each log sample",
        |d, v| v.log_window_ms().map(|ms| d.job.reporting.log_avg_ms = ms),
        Same("0"), numbers(Unit::Count, 0, u32::MAX as u64), "raised where there would be more than 8192 samples; a log without one has 500"),
    row(&["write_bw_log"], "PREFIX", "logs bandwidth to PREFIX_bw.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[0] = Some(prefix)),
        Nothing, PREFIX, "means over log_avg_msec=, never each I/O"),
    row(&["write_iops_log"], "PREFIX", "logs IOPS to PREFIX_iops.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[1] = Some(prefix)),
        Nothing, PREFIX, "means over log_avg_msec=, never each I/O"),
    row(&["write_lat_log"], "PREFIX", "logs latency to PREFIX_lat.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[2] = Some(prefix)),
        Nothing, PREFIX, "means over log_avg_msec=, never each I/O; the same in PREFIX_clat.N.log, no _slat"),
];
