//! The result on its way to dom0.

use core::fmt;

use guest_protocol::ResultFramer;
use results::{JobResult, Vcpus};

use crate::say;

/// Prints what jobs did and what ended the run early, if anything, for a program to read.
pub fn print(results: &[JobResult], vcpus: Option<Vcpus>, failure: Option<&dyn fmt::Display>) {
    let mut print = |line: fmt::Arguments<'_>| say!("{line}");
    let mut framer = ResultFramer::begin(&mut print);
    results::emit(results, vcpus, failure, &mut |part| framer.text(part));
    framer.end();
}
