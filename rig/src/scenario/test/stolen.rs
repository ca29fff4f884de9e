//! Time that Xen keeps the guest's vCPU from running.

use anyhow::{Context, Result, ensure};
use results::{Extra, Report};

use super::check::{Check, good_result, guest, number};
use crate::guest::ConsoleLine;
use crate::steps::Outcome;

/// The guest of this check.
const NAME: &str = "stolen";

pub(super) fn checks() -> Vec<Check> {
    let extra = "--filename=/dev/xvda --rw=randread --bs=4k --iodepth=8 --time_based \
                 --name=paused --runtime=15 --name=asleep --stonewall --iodepth=1 \
                 --rate_iops=20 --runtime=3";
    // dom0's clock goes on while the guest is paused.
    let command = format!(
        "guest_create {NAME}\nguest_until 'Jobs: *' 60\nnap 2\n\
         xl pause {NAME}\nnow\nfrom=${{up%.*}}${{up#*.}}\nnap 5\nnow\nto=${{up%.*}}${{up#*.}}\n\
         xl unpause {NAME}\necho paused_ms=$(((to - from) * 10))\nguest_end 90"
    );
    let check = Check::new("a guest that is paused in a job", 180, command)
        .with(guest(NAME, &[0], 'w', extra))
        .judged("(X11) time stolen from the vCPU is reported", judge);
    vec![check]
}

fn judge(outcome: &Outcome) -> Result<String> {
    let result = good_result(outcome, NAME)?;
    let report: Report = serde_json::from_value(result.json)?;
    let [(paused_ms, paused), (_, asleep)] = ["paused", "asleep"].map(|name| {
        let job = report.jobs.iter().find(|job| job.jobname == name);
        job.map_or((0, Extra::default()), |job| {
            (job.job_runtime, job.ringmark.clone().unwrap_or_default())
        })
    });
    let stolen_ms = |extra: &Extra| {
        let ns = extra.stolen_ns.context("the result does not say what was stolen")?;
        Ok::<_, anyhow::Error>(ns / 1_000_000)
    };
    let (stolen, pause) = (stolen_ms(&paused)?, number(outcome, "paused_ms")?);
    ensure!(pause >= 4_900, "the pause lasted {pause} ms only");
    // A guest that sleeps when it is paused is woken by its timer, 100 ms later at most.
    ensure!(stolen + 200 >= pause, "{stolen} ms stolen, but the pause lasted {pause} ms");
    ensure!(stolen < paused_ms, "{stolen} ms stolen of {paused_ms} ms");
    let percent = asleep.stolen_percent.context("the last job has no share")?;
    // However busy the host is, this job hardly ever wants to run.
    ensure!(percent < 50.0, "{percent:.2} % stolen from a job that sleeps");
    let lines = ConsoleLine::of(outcome, NAME);
    let marked = |name: &str| {
        let mark = format!("* {name} persistent: ");
        let mut lines = lines.iter().filter(|line| line.text.starts_with(&mark));
        lines.any(|line| line.text.contains("was stolen from the vCPU"))
    };
    ensure!(marked("paused"), "the table has no mark");
    ensure!(marked("asleep") == (percent > 1.0), "a mark at {percent:.2} % stolen");
    Ok(format!(
        "{stolen} of {paused_ms} ms, with a pause of {pause} ms; {percent:.2} % of a job that sleeps"
    ))
}
