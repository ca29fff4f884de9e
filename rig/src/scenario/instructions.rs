//! `compare --deterministic`: executed instructions for each I/O of the whole stack (Xen, dom0,
//! guest), ours and the Linux guest's, under QEMU's instruction counting.
//!
//! A virtual second is 10⁹ instructions on the one CPU, so 10⁹ / IOPS is what one I/O costs as long
//! as the CPU has no idle time. Which domain they went to is told by the domains' CPU time over the
//! job, as `xl list` counts it (to 0.1 s; Xen's own work is in each).

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::guest::Guest;
use crate::image::Image;
use crate::machine::Clock;
use crate::ramdisk::Ramdisks;
use crate::result::GuestResult;
use crate::rig::Rig;
use crate::scenario::compare::{COMMON, Side, overlay};
use crate::steps::{Outcome, Seen, Step};

/// The queue depths that are measured.
const DEPTHS: [u32; 2] = [32, 1];
/// Instructions in a virtual second.
const PER_SECOND: f64 = 1e9;

/// Runs each side at each depth for `runtime_s` virtual seconds.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(rig: &Rig, sides: &[Side], runtime_s: u32) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("compare-deterministic")?;
    let mut machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    machine.clock = Clock::Instructions;

    let runs: Vec<Run> = DEPTHS
        .into_iter()
        .flat_map(|depth| sides.iter().map(move |&side| Run::new(side, depth, runtime_s)))
        .collect();
    let guests: Vec<Guest> = runs.iter().map(|run| run.guest.clone()).collect();
    let steps: Vec<Step> = runs.iter().map(|run| run.step(runtime_s)).collect();
    let mut costs = Vec::new();
    machine.run(overlay(rig, &image, &guests)?, &steps, &mut |index, event| {
        let Seen::End(outcome) = event else {
            return Ok(());
        };
        let Some(run) = runs.get(index) else {
            return Ok(());
        };
        let cost = run.cost(&outcome).with_context(|| outcome.lines.join("\n"))?;
        rig.progress.detail(&format!("{:.0} instructions for each I/O", cost.total));
        costs.push((run, cost));
        Ok(())
    })?;
    report(rig, &costs)
}

/// One guest with one job.
struct Run {
    side: Side,
    depth: u32,
    guest: Guest,
}

impl Run {
    fn new(side: Side, depth: u32, runtime_s: u32) -> Self {
        // Before and after its job the guest keeps still while dom0 asks for CPU times.
        let words = match side {
            Side::Ours => "hold",
            Side::Linux => "settle=4",
        };
        let jobs = format!("{COMMON} --runtime={runtime_s} --name=job --iodepth={depth}");
        let name = format!("{}-{depth}", side.name());
        Self { side, depth, guest: side.guest(name, Clock::Instructions, words, &jobs) }
    }

    fn step(&self, runtime_s: u32) -> Step {
        let name = &self.guest.name;
        let allowed_s = 30 + runtime_s;
        let mark = self.side.mark();
        let command = match self.side {
            Side::Ours => format!(
                "guest_create {name} -p && xl list && xl unpause {name} && \
                 guest_until '{mark}*' {allowed_s} 1 && xl list; xl shutdown {name}; guest_end 10"
            ),
            Side::Linux => format!(
                "guest_create {name} && guest_until '*first I/O completed*' {allowed_s} && xl list && \
                 guest_until '{mark}*' {allowed_s} 1 && xl list; guest_end 20"
            ),
        };
        Step::new(name.clone(), u64::from(allowed_s) + 40, command)
    }

    fn cost(&self, outcome: &Outcome) -> Result<Cost> {
        let result = GuestResult::find(outcome, &self.guest.name, self.side.mark())?;
        let job = result.job("job")?;
        let iops = result.read_iops("job")?;
        let ios = job["read"]["total_ios"].as_f64().context("the job has no total_ios")?;
        let seconds = |domain: &str| -> Result<f64> {
            let times = cpu_times_s(outcome, domain);
            ensure!(times.len() == 2, "`xl list` shows {domain} {} times, not twice", times.len());
            Ok(times[1] - times[0])
        };
        Ok(Cost {
            iops,
            total: PER_SECOND / iops,
            dom0: seconds("Domain-0")? * PER_SECOND / ios,
            guest: seconds(&self.guest.name)? * PER_SECOND / ios,
        })
    }
}

/// Instructions for each I/O.
struct Cost {
    iops: f64,
    total: f64,
    dom0: f64,
    guest: f64,
}

/// The CPU times of a domain in a step's `xl list` tables, whose last column they are.
fn cpu_times_s(outcome: &Outcome, domain: &str) -> Vec<f64> {
    let row = |line: &String| {
        let mut words = line.split_whitespace();
        if words.next() != Some(domain) { None } else { words.next_back()?.parse().ok() }
    };
    outcome.lines.iter().filter_map(row).collect()
}

fn report(rig: &Rig, costs: &[(&Run, Cost)]) -> Result<ExitCode> {
    println!(
        "{:<22} {:<10} {:>12} {:>18} {:>10} {:>10} {:>8}",
        "4k randread", "guest", "IOPS at 1e9", "instructions/IO", "dom0", "guest", "ratio"
    );
    let mut measurements = Vec::new();
    for (run, cost) in costs {
        let linux = costs
            .iter()
            .find(|(other, _)| other.side == Side::Linux && other.depth == run.depth)
            .map(|(_, cost)| cost.total);
        let ratio = linux.map(|linux| cost.total / linux);
        println!(
            "{:<22} {:<10} {:>12.0} {:>18.0} {:>10.0} {:>10.0} {:>8}",
            format!("iodepth {}", run.depth),
            run.side.name(),
            cost.iops,
            cost.total,
            cost.dom0,
            cost.guest,
            ratio.map_or("-".into(), |ratio| format!("{:.1} %", ratio * 100.0))
        );
        measurements.push(json!({
            "iodepth": run.depth, "guest": run.side.name(), "iops": cost.iops,
            "instructions_per_io": cost.total, "dom0_per_io": cost.dom0, "guest_per_io": cost.guest,
            "ratio_to_linux": ratio,
        }));
    }
    let figures = json!({ "clock": "instructions", "measurements": measurements });
    rig.save("compare-deterministic.json", &figures)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_are_the_last_column() {
        let lines = [
            "Name                                        ID   Mem VCPUs\tState\tTime(s)",
            "Domain-0                                     0  1024     1     r-----      14.2",
            "linux-32                                     3   400     1     -b----       2.0",
            "Domain-0                                     0  1024     1     r-----      15.7",
            "[linux-32 3.4] linux-32 9",
        ];
        let outcome = Outcome { lines: lines.map(str::to_owned).into(), status: 0 };
        assert_eq!(cpu_times_s(&outcome, "Domain-0"), [14.2, 15.7]);
        assert_eq!(cpu_times_s(&outcome, "linux-32"), [2.0]);
    }
}
