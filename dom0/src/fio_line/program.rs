//! Options of fio's command line that are no job's, as fio 3.33 has them.

use Fate::{Here, Is, NoEffect, Only, Refused};
use Takes::{Maybe, Nothing, Value};

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Never.
    Nothing,
    /// Always, behind `=` or as the next word.
    Value,
    /// Sometimes, behind `=`.
    Maybe,
}

/// Fate of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An option of this tool, which means the same.
    Here,
    /// This option of this tool.
    Is(&'static str),
    /// Taken without effect: it can't change what is measured. The reason.
    NoEffect(&'static str),
    /// Taken so with this value; any other is refused. The reason for both.
    Only(&'static str, &'static str),
    /// Refused. The reason, and what to do.
    Refused(&'static str),
}

/// Names, values and fates.
const OPTIONS: &[(&str, Takes, Fate)] = &[
    ("output", Value, Here),
    ("output-format", Value, Here),
    ("minimal", Nothing, Is("--output-format=terse")),
    ("append-terse", Maybe, Refused("name both forms, as in --output-format=normal,terse")),
    ("terse-version", Value, Only("3", "terse output is of version 3; read that, or JSON")),
    ("eta", Value, Here),
    ("eta-newline", Value, Here),
    ("eta-interval", Value, NoEffect("a guest tells its progress once a second")),
    ("status-interval", Value, NoEffect("a guest has its result at the end; --eta shows progress")),
    ("section", Value, Here),
    ("readonly", Nothing, Here),
    ("warnings-fatal", Nothing, Here),
    ("showcmd", Nothing, Here),
    ("parse-only", Nothing, Here),
    ("max-jobs", Value, NoEffect("fio does without it, too")),
    ("alloc-size", Value, NoEffect("--memory is the guest's")),
    ("debug", Value, NoEffect("--verbose shows each program that is run")),
    (
        "bandwidth-log",
        Nothing,
        Refused("there is no log of all jobs; write_bw_log=PREFIX with log_avg_msec= logs each"),
    ),
    (
        "latency-log",
        Value,
        Refused("fio refuses it, too; write_lat_log=PREFIX with log_avg_msec= logs each job"),
    ),
    ("idle-prof", Value, Refused("how idle CPUs are is not told; leave it out")),
    ("daemonize", Value, Refused("the tool stays in the foreground; use setsid(1)")),
    ("server", Maybe, Refused(ELSEWHERE)),
    ("client", Value, Refused(ELSEWHERE)),
    ("remote-config", Value, Refused(ELSEWHERE)),
    ("cpuclock-test", Nothing, Refused(TEST)),
    ("crctest", Maybe, Refused(TEST)),
    ("memcpytest", Maybe, Refused(TEST)),
    ("enghelp", Maybe, Refused("there is one engine; `ringmark options ioengine` has its names")),
    ("profile", Value, Refused("there are no profiles; write a job file")),
    ("trigger-file", Value, Refused(TRIGGER)),
    ("trigger-timeout", Value, Refused(TRIGGER)),
    ("trigger", Value, Refused(TRIGGER)),
    ("trigger-remote", Value, Refused(TRIGGER)),
    ("aux-path", Value, Refused("logs are written where the tool runs; change the directory")),
    ("version", Nothing, Refused("`ringmark --version` prints it")),
    ("inflate-log", Value, Refused("logs are not compressed; leave it out")),
    ("merge-blktrace-only", Nothing, Refused("traces are not replayed; leave it out")),
];

const ELSEWHERE: &str = "`ringmark fleet --host` makes guests on other hosts";
const TEST: &str = "it tests fio on its host; `selftest` behind -- tests the guest";
const TRIGGER: &str = "nothing is triggered from outside; end the run with Ctrl-C";

/// Returns the names of all of them.
pub fn names() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|(name, ..)| *name)
}

/// Returns an option with its place in this list.
pub fn find(name: &str) -> Option<(&'static str, Takes, Fate)> {
    OPTIONS.iter().find(|(own, ..)| *own == name).copied()
}
