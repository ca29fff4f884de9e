//! Options about when jobs begin and end.

use super::row::{DELAY, Row, SECONDS, numbers, row, words};
use crate::keyword::{ExitWhat, OnError};
use crate::limits::NUMJOBS_MAX;
use crate::option_doc::Initial::{Nothing, Value as Same, Words};
use crate::option_doc::Unit;
use crate::option_doc::Values;
use crate::option_doc::Values::{Flag, OneOf, Text};

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["numjobs"], "N", "copies of the job that run together",
        |d, v| v.numjobs().map(|count| d.numjobs = count),
        Same("1"), numbers(Unit::Count, 1, NUMJOBS_MAX as u64), "all jobs together are limited to 512"),
    row(&["stonewall", "wait_for_previous"], "0|1", "starts once all jobs before it are done",
        |d, v| v.flag().map(|on| d.job.stonewall = on),
        Same("0"), Flag, ""),
    row(&["runtime", "timeout"], "TIME", "ends after this time, or earlier once all bytes are done",
        |d, v| v.runtime_ns().map(|ns| d.job.runtime_ns = ns),
        Words("no limit"), DELAY, "fio has no upper limit"),
    row(&["time_based"], "0|1", "runs for the whole runtime, whatever the size",
        |d, v| v.flag().map(|on| d.job.time_based = on),
        Same("0"), Flag, ""),
    row(&["startdelay"], "TIME", "time to wait before the job starts",
        |d, v| v.delay_ns(false).map(|ns| d.job.pace.start_delay_ns = ns),
        Same("0"), DELAY, "no ranges; fio has no upper limit"),
    row(&["ramp_time"], "TIME", "time to run before measuring begins",
        |d, v| v.delay_ns(false).map(|ns| d.job.pace.ramp_ns = ns),
        Same("0"), DELAY, "a job that ends before that fails; fio has no upper limit"),
    row(&["steadystate", "ss"], "RULE", "ends the job once it is steady: auto, iops:2%, bw_slope:1%",
        |d, v| d.steady.set_rule(v),
        Same("iops_slope:0.01%"), Text { form: "auto, or iops, bw, iops_slope or bw_slope, a colon, and a limit of more than 0, which may be in per cent", example: "iops:2%" },
        "auto is not fio's; no lat and no lat_slope; refused without steadystate_duration=, fio ignores it then"),
    row(&["steadystate_duration", "ss_dur"], "TIME", "time that steadystate= looks at",
        |d, v| v.delay_ns(false).map(|ns| d.steady.duration_ns = ns),
        Nothing, DELAY, "at most 3600 samples; whole seconds; fio's default is 0, no rule"),
    row(&["steadystate_ramp_time", "ss_ramp"], "TIME", "time before its first sample",
        |d, v| v.delay_ns(false).map(|ns| d.steady.ramp_ns = ns),
        Same("0"), DELAY, "refused without steadystate_duration="),
    row(&["steadystate_check_interval", "ss_interval"], "TIME", "time between two samples; not fio's before 3.34",
        |d, v| v.sample_interval_ns().map(|ns| d.steady.interval_ns = Some(ns)),
        Words("1"), Values::Numbers(SECONDS), "whole seconds"),
    row(&["continue_on_error"], "WORD", "failures that do not end the job",
        |d, v| v.on_error().map(|on_error| d.job.on_error = on_error),
        Same("none"), OneOf(&words(&OnError::NAMES)), ""),
    row(&["exitall_on_error"], "0|1", "a failure ends all running jobs",
        |d, v| v.flag().map(|on| d.job.exitall_on_error = on),
        Same("0"), Flag, ""),
    row(&["exitall"], "0|1", "the end of a job ends all that run with it",
        |d, v| v.flag().map(|on| d.job.exitall = on),
        Same("0"), Flag, "fio takes no value"),
    row(&["exit_what"], "WORD", "jobs that exitall and exitall_on_error end",
        |d, v| v.exit_what().map(|what| d.job.exit_what = what),
        Same("group"), OneOf(&words(&ExitWhat::NAMES)), "group and all are refused where they differ from stonewall"),
    row(&["new_group"], "0|1", "begins a new group of group_reporting",
        |d, v| v.flag().map(|on| d.new_group = on),
        Same("0"), Flag, ""),
];
