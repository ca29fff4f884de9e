//! `compare --deterministic`: executed instructions for each I/O of the whole stack, ours and the
//! Linux guest's, under QEMU's instruction counting.
//!
//! A virtual second is 10⁹ instructions on the one CPU, so 10⁹ / IOPS is what one I/O costs as long
//! as the CPU has no idle time. Whose they are (Xen's, dom0's, the guest's) is counted by a plugin
//! in QEMU while the job runs.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::baseline::Baseline;
use crate::counts::Counts;
use crate::guest::{ConsoleLine, Guest};
use crate::image::Image;
use crate::machine::Clock;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::compare::{Side, overlay};
use crate::steps::{Outcome, Seen, Step};
use crate::workload::Workload;

/// Instructions in a virtual second.
const PER_SECOND: f64 = 1e9;

/// Measures each workload on each side for `runtime_s` virtual seconds, prints a table and saves
/// it; with `keep`, our figures become the baseline.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(
    rig: &Rig,
    sides: &[Side],
    workloads: &[Workload],
    runtime_s: u32,
    keep: bool,
) -> Result<ExitCode> {
    let costs = measure(rig, "compare-deterministic", sides, workloads, runtime_s)?;
    report(rig, &costs)?;
    if keep {
        let ours = costs.iter().filter(|(run, _)| run.side == Side::Ours);
        Baseline::of(ours.map(|(run, cost)| (run.workload.name(), cost.total))).save()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What our guest costs in instructions for each I/O, by workload.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn ours(rig: &Rig, workloads: &[Workload], runtime_s: u32) -> Result<Baseline> {
    let costs = measure(rig, "cost", &[Side::Ours], workloads, runtime_s)?;
    Ok(Baseline::of(costs.iter().map(|(run, cost)| (run.workload.name(), cost.total))))
}

fn measure(
    rig: &Rig,
    scenario: &str,
    sides: &[Side],
    workloads: &[Workload],
    runtime_s: u32,
) -> Result<Vec<(Run, Cost)>> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory(scenario)?;
    let mut machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    machine.clock = Clock::Instructions;
    machine.counter = Some(rig.counter()?);

    let runs: Vec<Run> = workloads
        .iter()
        .flat_map(|&workload| sides.iter().map(move |&side| Run::new(side, workload, runtime_s)))
        .collect();
    let guests: Vec<Guest> = runs.iter().map(|run| run.guest.clone()).collect();
    let steps: Vec<Step> = runs.iter().map(|run| run.step(runtime_s)).collect();
    let mut costs = Vec::new();
    let mut window = Window::default();
    machine.run(overlay(rig, &image, &guests)?, &steps, &mut |index, event| {
        let Some(run) = runs.get(index) else {
            return Ok(());
        };
        match event {
            Seen::Line(line) => {
                if let Some(line) = ConsoleLine::parse(line)
                    && let Some(edge) = run.edge(line.text)
                {
                    window.meet(edge, machine.counts()?);
                }
            }
            Seen::End(outcome) => {
                let counts = core::mem::take(&mut window).counts();
                let cost = run.cost(&outcome, counts).with_context(|| outcome.lines.join("\n"))?;
                rig.progress.detail(&format!("{:.0} instructions for each I/O", cost.total));
                costs.push(cost);
            }
        }
        Ok(())
    })?;
    Ok(runs.into_iter().zip(costs).collect())
}

/// The two ends of a job's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

/// The counts at both ends of a job's time.
#[derive(Default)]
struct Window {
    begin: Option<Counts>,
    end: Option<Counts>,
}

impl Window {
    fn meet(&mut self, edge: Edge, counts: Counts) {
        let place = match edge {
            Edge::Begin => &mut self.begin,
            Edge::End => &mut self.end,
        };
        place.get_or_insert(counts);
    }

    fn counts(self) -> Option<Counts> {
        self.begin.zip(self.end).map(|(begin, end)| end - begin)
    }
}

/// One guest with one job.
struct Run {
    side: Side,
    workload: Workload,
    guest: Guest,
}

impl Run {
    fn new(side: Side, workload: Workload, runtime_s: u32) -> Self {
        let jobs = Workload::options(&[workload], runtime_s);
        let name = format!("{}-{}", side.name(), workload.name());
        Self { side, workload, guest: side.guest(name, Clock::Instructions, &jobs) }
    }

    fn step(&self, runtime_s: u32) -> Step {
        let name = &self.guest.name;
        let allowed_s = 30 + runtime_s;
        let [begin, end] = self.side.edges();
        let command = format!(
            "guest_create {name} && guest_until '{begin}*' {allowed_s} && \
             guest_until '{end}*' {allowed_s}; guest_end 20"
        );
        Step::new(name.clone(), u64::from(allowed_s) + 40, command)
    }

    /// What a line of the guest tells of its job's time.
    fn edge(&self, text: &str) -> Option<Edge> {
        let [begin, end] = self.side.edges().map(|edge| text.starts_with(edge));
        if begin { Some(Edge::Begin) } else { end.then_some(Edge::End) }
    }

    fn cost(&self, outcome: &Outcome, counts: Option<Counts>) -> Result<Cost> {
        let result = self.side.result(outcome, &self.guest.name)?;
        let iops = result.iops(&self.workload.name(), self.workload.direction())?;
        let counts = counts.context("QEMU's counts were not taken at both ends of the job")?;
        ensure!(counts.total() != 0, "QEMU's plugin counted nothing while the job ran");
        let total = PER_SECOND / iops;
        let share = |part: u64| total * part as f64 / counts.total() as f64;
        Ok(Cost {
            iops,
            total,
            guest: share(counts.guest),
            xen: share(counts.xen),
            dom0: share(counts.dom0),
            exits: share(counts.entries),
        })
    }
}

/// Instructions for each I/O.
struct Cost {
    iops: f64,
    total: f64,
    guest: f64,
    xen: f64,
    dom0: f64,
    /// Exits from the guest to Xen, for each I/O.
    exits: f64,
}

fn report(rig: &Rig, costs: &[(Run, Cost)]) -> Result<()> {
    println!(
        "{:<25} {:<9} {:>11} {:>15} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "instructions for each I/O",
        "guest",
        "IOPS at 1e9",
        "whole stack",
        "guest",
        "Xen",
        "dom0",
        "exits",
        "ratio"
    );
    let mut measurements = Vec::new();
    for (run, cost) in costs {
        let linux = costs
            .iter()
            .find(|(other, _)| other.side == Side::Linux && other.workload == run.workload)
            .map(|(_, cost)| cost.total);
        let ratio = linux.map(|linux| cost.total / linux);
        println!(
            "{:<25} {:<9} {:>11.0} {:>15.0} {:>8.0} {:>8.0} {:>8.0} {:>8.3} {:>8}",
            run.workload,
            run.side.name(),
            cost.iops,
            cost.total,
            cost.guest,
            cost.xen,
            cost.dom0,
            cost.exits,
            ratio.map_or("-".into(), |ratio| format!("{:.1} %", ratio * 100.0))
        );
        measurements.push(json!({
            "workload": run.workload.name(), "guest": run.side.name(), "iops": cost.iops,
            "instructions_per_io": cost.total, "guest_per_io": cost.guest,
            "xen_per_io": cost.xen, "dom0_per_io": cost.dom0, "exits_per_io": cost.exits,
            "ratio_to_linux": ratio,
        }));
    }
    let figures = json!({ "clock": "instructions", "measurements": measurements });
    rig.save("compare-deterministic.json", &figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_from_its_first_edges() {
        let run = Run::new(Side::Ours, Workload::MAIN[0], 2);
        assert_eq!(run.edge("ringmark: first I/O completed"), Some(Edge::Begin));
        assert_eq!(run.edge("ringmark-result-begin 1"), Some(Edge::End));
        assert_eq!(run.edge("anything else"), None);
        let at = |xen| Counts { xen, ..Counts::default() };
        let mut window = Window::default();
        window.meet(Edge::Begin, at(5));
        window.meet(Edge::Begin, at(7));
        window.meet(Edge::End, at(11));
        assert_eq!(window.counts(), Some(at(6)));
        assert_eq!(Window::default().counts(), None);
    }
}
