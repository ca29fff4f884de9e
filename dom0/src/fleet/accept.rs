//! Results of a fleet's guests: which are good.

use anyhow::{Context, Result, bail};
use results::{Origin, Report, Run, reported};

use crate::figures::Figures;
use crate::origin;
use crate::peer;
use crate::plan::Plan;
use crate::result;
use crate::saved::System;

/// Advice where a guest does not keep to the protocol.
pub const SAME_VERSION: &str = "use guest and tool of the same version";
/// The same, where the guest is one of Linux.
pub const LINUX_WAITS: &str =
    "with typed=yes its /init is to print `peer: ready` before fio, and to wait for a line";

/// Circumstances in which a result came.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Whether all were asked to end early.
    pub is_ending: bool,
    /// Whether all stages have started.
    pub has_started: bool,
}

/// Reads a result of a guest of this system and plan: a good one, or one that ends early because it
/// was asked to.
///
/// # Errors
/// Reason why it is neither.
pub fn accept(
    system: System,
    text: &str,
    origin: Origin,
    plan: &Plan,
    when: Circumstances,
) -> Result<Report> {
    let (mut report, advice) = match system {
        System::Ringmark => (result::read(text, plan)?, SAME_VERSION),
        System::Linux => {
            let report = peer::read(text, plan)?;
            plan.check(&report).context("fio's result is not believed")?;
            (report, LINUX_WAITS)
        }
    };
    origin::attach(&mut report, origin);
    match result::failure(&report) {
        // What it measured until then.
        Some(_) if when.is_ending && has_figures(&report) => {
            // A result that no report could show is none; this one is good as far as it goes.
            let run = report.ringmark.clone().map(|run| Run { ok: true, error: None, ..run });
            Figures::of(&Report { ringmark: run, ..report.clone() })?;
            return Ok(report);
        }
        Some(reason) => bail!("the guest reports: {reason}"),
        None => {}
    }
    let (found, all) = (report.jobs.len(), reported(plan.jobs()).count());
    if found != all {
        bail!("the guest reports {found} of {all} jobs; {advice}");
    }
    if !when.has_started {
        bail!("the guest did not wait for the others; {advice}");
    }
    // A result that no report could show is none.
    Figures::of(&report)?;
    Ok(report)
}

/// Returns whether a job did any I/O.
fn has_figures(report: &Report) -> bool {
    report.jobs.iter().flat_map(results::JobReport::sides).any(|(_, side)| side.total_ios != 0)
}
