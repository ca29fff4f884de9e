//! `ringmark` for dom0: makes guests with `xl`, gives them jobs, collects what they measured.
//!
//! `cli` reads the command line, which `fio_line` makes of one of fio's. `run`, `sweep`, `curve`,
//! `ab` and `compare` (both of `paired` runs) begin a `session` for each guest (create it, start
//! its job, wait for the result, destroy
//! it) and `drive` it to its end; `fleet` has many at once. A session is a step: it never waits. It
//! is made of calls of the tool stack's programs (`xl`), each a `child` with a deadline, and of a
//! `monitor` of the guest's `console`; what happens is an `event`, which `status` shows. `wait` is
//! the one place that waits, for all of them and for `signals`. On the way an `inquiry` collects
//! facts for the `origin` of the result: of the `host` with its `power` and `blkback`, and of the
//! disks (`backend`, `block`). Files of `/proc` and `/sys` are read below a `root`.
//!
//! `guest` has a guest's options (`installed` finds its kernel), `fio_options` those of fio's
//! command line, `check` looks at what it is made of, `job` reads the input, `plan` bounds the
//! result's size and time, `dry_run` shows all that. `progress` says how long the rest takes.
//! `result` parses what came, `printable` bounds it, `print` and `table` give it forms,
//! `output` and `logs` write it, `saved`
//! keeps several. `peer` is the Linux guest of `compare` and `fleet`. `display` escapes what others
//! said. Guests are not trusted: their output is bounded and checked. No domain outlives this
//! program but those that are `kept`. `kvm` runs a guest without `xl`, on QEMU's own Xen.
//!
//! `report` and `diff` read what was saved: `figures` of jobs, of which some are a `measure`;
//! of two systems the `verdict` says what they show, in `percent`.
//! `doctor` looks at the host and judges it. `options`, `manual`, `check_jobs` and `project`, which
//! computes what other hosts would do, need no guest; `stdout` prints their text.

mod ab;
mod backend;
mod blkback;
mod block;
mod check;
mod check_jobs;
mod child;
mod cli;
mod compare;
mod console;
mod costs;
mod counted;
mod curve;
mod date;
mod diff;
mod display;
mod doctor;
mod drive;
mod dry_run;
mod event;
mod exit;
mod few;
mod figures;
mod fio_line;
mod fio_options;
mod fleet;
mod guest;
mod host;
mod inquiry;
mod installed;
mod job;
mod kept;
mod kvm;
mod logs;
mod manual;
mod measure;
mod memory;
mod monitor;
mod options;
mod origin;
mod output;
mod paired;
mod peer;
mod percent;
mod plan;
mod power;
mod precondition;
mod print;
mod printable;
mod progress;
mod project;
mod report;
mod result;
mod root;
mod run;
mod saved;
mod session;
mod signals;
mod status;
mod stdout;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod uuid;
mod verdict;
mod wait;
mod xl;

use std::process::ExitCode;

use exit::Exit;

fn main() -> ExitCode {
    match cli::Cli::read().and_then(cli::Cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            status::eprint_line(&format!("ringmark: error: {error:#}"));
            ExitCode::from(error.downcast_ref().map_or(1, Exit::code))
        }
    }
}
