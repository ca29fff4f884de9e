//! `compare --deterministic`: executed instructions for each I/O of the whole stack, ours and the
//! Linux guest's in its two ways, under QEMU's instruction counting.
//!
//! A virtual second is 10⁹ instructions on the one CPU, so 10⁹ / IOPS is what one I/O costs as long
//! as the CPU has no idle time. Whose they are (Xen's, dom0's, the guest's) is counted by a plugin
//! in QEMU while the job runs.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use results::{Costs, Report};
use serde_json::{Value, json};

use crate::baseline::Baseline;
use crate::best::Best;
use crate::counts::Counts;
use crate::guest::{ConsoleLine, Guest};
use crate::image::Image;
use crate::machine::Clock;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::costs;
use crate::scenario::side::{Figure, NOT_KEPT, Side, best_of_linux, legend, overlay};
use crate::scenario::window::{Edge, Window};
use crate::steps::{Outcome, Seen, Step};
use crate::workload::Workload;

/// Instructions in a virtual second.
const PER_SECOND: f64 = 1e9;

/// Measures each workload on each side for `runtime_s` virtual seconds, prints a table and saves
/// it, with a page of plots; with `keep`, our figures become the baseline.
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
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    let best = Best::load()?;
    let name = "compare-deterministic";
    let runs = Run::all(sides, workloads, runtime_s, &best);
    let costs = measure(rig, Some(&peer), name, runs, runtime_s)?;
    report(rig, &rig.legend(legend(&peer, workloads, &best)), &best, &costs)?;
    if keep {
        let ours = costs.iter().filter(|(run, _)| run.side == Side::Ours);
        baseline(ours).save()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what an I/O of our guest costs, by workload.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn ours(rig: &Rig, workloads: &[Workload], runtime_s: u32) -> Result<Baseline> {
    let runs = Run::all(&[Side::Ours], workloads, runtime_s, &Best::default());
    let costs = measure(rig, None, "cost", runs, runtime_s)?;
    Ok(baseline(&costs))
}

fn baseline<'c>(costs: impl IntoIterator<Item = &'c (Run, Cost)>) -> Baseline {
    let costs = costs.into_iter();
    Baseline::of(costs.map(|(run, cost)| (run.workload.name(), [cost.total, cost.exits])))
}

/// Runs the jobs, of our side only without `peer`.
fn measure(
    rig: &Rig,
    peer: Option<&PeerImage>,
    scenario: &str,
    runs: Vec<Run>,
    runtime_s: u32,
) -> Result<Vec<(Run, Cost)>> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory(scenario)?;
    let mut machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    machine.clock = Clock::Instructions;
    machine.counter = Some(rig.counter()?);

    let guests: Vec<Guest> = runs.iter().map(|run| run.guest.clone()).collect();
    let steps: Vec<Step> = runs.iter().map(|run| run.step(runtime_s)).collect();
    let (mut costs, mut results) = (Vec::new(), Vec::new());
    let mut window = Window::default();
    let overlay = match peer {
        Some(peer) => overlay(rig, peer, &guests)?,
        None => rig.overlay(&guests)?,
    };
    machine.run(overlay, &steps, &mut |index, event| {
        let Some(run) = runs.get(index) else {
            return Ok(());
        };
        match event {
            Seen::Line(line) => {
                if let Some(line) = ConsoleLine::parse(line)
                    && let Some(edge) = Edge::of(run.side, line.text)
                {
                    window.meet(edge, machine.counts()?);
                }
            }
            Seen::End(outcome) => {
                let counts = core::mem::take(&mut window).counts();
                let cost = run.cost(&outcome, counts).with_context(|| outcome.lines.join("\n"))?;
                rig.progress.detail(&format!("{:.0} instructions for each I/O", cost.total));
                let result = run.side.result(&outcome, &run.guest.name)?;
                results.push(costs::counted(&result.text, cost.by_owner())?);
                costs.push(cost);
            }
        }
        Ok(())
    })?;
    let runs = runs.into_iter().zip(results).map(|(run, result)| Run { result, ..run });
    Ok(runs.zip(costs).collect())
}

/// One guest with one job.
struct Run {
    side: Side,
    workload: Workload,
    /// Linux's best settings.
    best: Best,
    guest: Guest,
    /// Result of its guest with its costs, when it has run.
    result: Report,
}

impl Run {
    fn all(sides: &[Side], workloads: &[Workload], runtime_s: u32, best: &Best) -> Vec<Self> {
        let of =
            |&workload| sides.iter().map(move |&side| Self::new(side, workload, runtime_s, best));
        workloads.iter().flat_map(of).collect()
    }

    fn new(side: Side, workload: Workload, runtime_s: u32, best: &Best) -> Self {
        let jobs = side.options(&[workload], runtime_s, best);
        let name = format!("{}-{}", side.name(), workload.name());
        let guest = side.guest_in(name, Clock::Instructions, &jobs, &best.of(workload));
        Self { side, workload, best: best.clone(), guest, result: Report::default() }
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

    fn cost(&self, outcome: &Outcome, counts: Option<Counts>) -> Result<Cost> {
        let figure = self.side.figure(outcome, &self.guest.name, self.workload, &self.best)?;
        let counts = counts.context("QEMU's counts were not taken at both ends of the job")?;
        ensure!(counts.total() != 0, "QEMU's plugin counted nothing while the job ran");
        let total = PER_SECOND / figure.iops;
        let share = |part: u64| total * part as f64 / counts.total() as f64;
        Ok(Cost {
            figure,
            total,
            guest: share(counts.guest),
            xen: share(counts.xen),
            dom0: share(counts.dom0),
            exits: share(counts.entries),
        })
    }
}

/// Instructions for each I/O.
#[derive(Clone, Copy)]
struct Cost {
    figure: Figure,
    total: f64,
    guest: f64,
    xen: f64,
    dom0: f64,
    /// Exits from the guest to Xen, for each I/O.
    exits: f64,
}

impl Cost {
    fn by_owner(&self) -> Costs {
        costs::instructions([self.guest, self.xen, self.dom0], Some(self.exits))
    }
}

fn report(rig: &Rig, legend: &str, best: &Best, costs: &[(Run, Cost)]) -> Result<()> {
    let rows: Vec<Row> =
        costs.iter().map(|(run, cost)| Row(run.side, run.workload, *cost)).collect();
    let text = format!("{}\n{legend}\n{EVEN}", table(&rows, best));
    print_line(format_args!("{text}"));
    let measurements: Vec<Value> = rows.iter().map(|row| row.json(&rows, best)).collect();
    let figures = json!({
        "clock": "instructions", "legend": format!("{legend}\n{EVEN}"),
        "measurements": measurements,
    });
    let name = "compare-deterministic.json";
    rig.save(name, &figures)?;
    rig.save_page(name, &page(&rows, best, &text))?;
    rig.save_costs(&costs::file(costs.iter().map(|(run, _)| (run.side, run.result.clone())))?)
}

/// Returns the page of plots, with the table and what explains it.
fn page(rows: &[Row], best: &Best, text: &str) -> String {
    let bar = |Row(side, workload, cost): &Row| {
        let mark = if cost.figure.kept { "" } else { NOT_KEPT.0 };
        (workload.to_string(), side.label(*workload, best) + mark, cost.by_owner())
    };
    let about =
        "Executed instructions of the whole stack for each I/O, under instruction counting.";
    costs::page(&[("an I/O", costs::groups(rows.iter().map(bar)))], text, about)
}

/// Explanation of `even`: the ratio without the costs that only the emulation adds to Linux.
///
/// QEMU's SVM does not tell how long the instruction is that exits, so for a hypercall or a halt
/// Xen walks the guest's page tables to read it; a processor tells, and it is Linux that pays most.
const EVEN: &str = "even: the ratio if each exit of Linux's cost Xen as much as one of ours, and \
                    Linux's\ncopying took an instruction for 8 bytes";

/// Instructions for a byte that Linux 6.12 copies without FSRM, in blocks of 32 bytes
/// (arch/x86/lib/memcpy_64.S), beyond those of dom0's `rep movsq`.
const LINUX_COPIES: f64 = 12.0 / 32.0 - 1.0 / 8.0;

/// Cost of one side's guest in one workload.
struct Row(Side, Workload, Cost);

impl Row {
    fn best_of_linux<'a>(&self, all: &'a [Self]) -> Option<&'a Cost> {
        let alike = all.iter().filter(|other| other.1 == self.1);
        best_of_linux(alike, |row| (row.0, row.2.figure.iops)).map(|best| &best.2)
    }

    /// Returns the ratio of its IOPS to those of the best Linux row in this workload.
    fn ratio(&self, all: &[Self]) -> Option<f64> {
        Some(self.2.figure.iops / self.best_of_linux(all)?.figure.iops)
    }

    /// Returns the ratio that [`EVEN`] explains; only for our rows.
    fn even(&self, all: &[Self]) -> Option<f64> {
        let (ours, linux) = (&self.2, self.best_of_linux(all)?);
        let xen = ours.xen / ours.exits * linux.exits;
        // It copies where pages stay mapped.
        let copied = if linux.figure.kept { self.1.block_bytes() } else { 0 };
        let copy = copied as f64 * LINUX_COPIES;
        (self.0 == Side::Ours).then(|| (linux.total - linux.xen + xen - copy) / ours.total)
    }

    fn json(&self, all: &[Self], best: &Best) -> Value {
        let Self(side, workload, cost) = self;
        json!({
            "workload": workload.name(), "guest": side.name(), "label": side.label(*workload, best),
            "iops": cost.figure.iops, "backend_keeps_pages": cost.figure.kept,
            "instructions_per_io": cost.total, "guest_per_io": cost.guest,
            "xen_per_io": cost.xen, "dom0_per_io": cost.dom0, "exits_per_io": cost.exits,
            "ratio_to_best_of_linux": self.ratio(all), "even_ratio": self.even(all),
        })
    }
}

/// The table of all rows.
fn table(rows: &[Row], best: &Best) -> String {
    let mut text = format!(
        "{:<23} {:<21} {:>8} {:>7} {:>6} {:>6} {:>6} {:>6} {:>5}\n",
        "instructions for an I/O",
        "guest",
        "in all",
        "guest",
        "Xen",
        "dom0",
        "exits",
        "ratio",
        "even"
    );
    let cell = |ratio: Option<f64>| ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
    for row in rows {
        let Row(side, workload, cost) = row;
        text += &format!(
            "{:<23} {:<21} {:>8.0} {:>7.0} {:>6.0} {:>6.0} {:>6.3} {:>6} {:>5}{}\n",
            workload,
            side.label(*workload, best),
            cost.total,
            cost.guest,
            cost.xen,
            cost.dom0,
            cost.exits,
            cell(row.ratio(rows)),
            cell(row.even(rows)),
            if cost.figure.kept { "" } else { NOT_KEPT.0 }
        );
    }
    if rows.iter().any(|row| !row.2.figure.kept) {
        text += &format!("{}\n", NOT_KEPT.1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_side_and_its_ratios() {
        let cost = |total, xen, exits| Cost {
            figure: Figure { iops: PER_SECOND / total, kept: true },
            total,
            guest: 500.0,
            xen,
            dom0: 3200.0,
            exits,
        };
        let mut spoiled = cost(50_000.0, 30_000.0, 4.0);
        spoiled.figure.kept = false;
        let [default, tuned] = Side::LINUX;
        let [first, second] = Workload::MAIN;
        let rows = [
            Row(Side::Ours, first, cost(5000.0, 1000.0, 0.1)),
            Row(default, first, cost(25_000.0, 2500.0, 0.2)),
            Row(tuned, first, cost(12_500.0, 4500.0, 0.2)),
            Row(Side::Ours, second, spoiled),
        ];
        let expected = "\
instructions for an I/O guest                   in all   guest    Xen   dom0  exits  ratio  even
4k randread iodepth 32  ringmark                  5000     500   1000   3200  0.100   2.50  1.80
4k randread iodepth 32  linux, fio default       25000     500   2500   3200  0.200   0.50     -
4k randread iodepth 32  linux, best io_uring     12500     500   4500   3200  0.200   1.00     -
4k randread iodepth 1   ringmark                 50000     500  30000   3200  4.000      -     - *
* the backend did not keep all pages mapped: not a figure of persistent grants
";
        assert_eq!(table(&rows, &Best::default()), expected);
    }
}
