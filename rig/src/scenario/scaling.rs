//! `scaling`: executed instructions for each I/O of our guest on more vCPUs, disks and queues, and
//! for blocks that take several requests; beside them dom0's own fio on the same ramdisk, which is
//! what the backend could reach.
//!
//! All vCPUs share the one processor that QEMU counts, so a second vCPU makes nothing faster, and
//! what an I/O takes more with it is what it costs.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use results::Costs;
use serde_json::{Value, json};

use crate::blkback;
use crate::counts::Counts;
use crate::guest::{ConsoleLine, Guest};
use crate::image::{Image, Release};
use crate::machine::{Clock, Machine};
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::costs;
use crate::scenario::side::Side;
use crate::scenario::window::{Edge, Window};
use crate::setting::Setting;
use crate::steps::{Outcome, Seen, Step};
use crate::workload::Workload;

const RAMDISKS: Ramdisks = Ramdisks { count: 8, mib: 64, filled: true };
/// Memory of the guest in MiB, with room for several blocks of 2 MiB.
const MEMORY_MIB: u32 = 32;
/// Prefix of the result of dom0's own fio.
const DOM0_RESULT: &str = "dom0-result: ";

/// Jobs of our guest, on so many vCPUs and disks.
struct Row {
    label: &'static str,
    vcpus: u32,
    disks: u32,
    jobs: &'static str,
    /// Label of the row that it is compared with.
    base: &'static str,
}

const READS: &str = "1 vCPU, 1 disk, 1 queue";
const MIBS: &str = "writes of 1 MiB, iodepth 4";

const fn row(
    (vcpus, disks): (u32, u32),
    label: &'static str,
    jobs: &'static str,
    base: &'static str,
) -> Row {
    Row { label, vcpus, disks, jobs, base }
}

const ROWS: [Row; 11] = [
    row((1, 1), READS, "--iodepth=32 --name=a --filename=xvda", READS),
    row((1, 1), "4 jobs", "--iodepth=8 --numjobs=4 --name=a --filename=xvda", READS),
    row((1, 1), "random writes", "--rw=randwrite --iodepth=32 --name=a --filename=xvda", READS),
    row(
        (2, 2),
        "2 vCPUs, 2 disks",
        "--iodepth=32 --name=a --filename=xvda --name=b --filename=xvdb",
        READS,
    ),
    row((1, 1), "2 queues", "--iodepth=32 --ringmark_queues=2 --name=a --filename=xvda", READS),
    row((1, 1), "4 queues", "--iodepth=32 --ringmark_queues=4 --name=a --filename=xvda", READS),
    row(
        (4, 1),
        "4 vCPUs with a queue each",
        "--iodepth=8 --numjobs=4 --group_reporting --name=a --filename=xvda",
        READS,
    ),
    row((1, 4), "4 disks", "--iodepth=32 --name=a --filename=xvda:xvdb:xvdc:xvdd", READS),
    row(
        (1, 8),
        "8 disks",
        "--iodepth=32 --name=a --filename=xvda:xvdb:xvdc:xvdd:xvde:xvdf:xvdg:xvdh",
        READS,
    ),
    row((1, 1), MIBS, "--rw=write --bs=1m --iodepth=4 --name=a --filename=xvda", MIBS),
    row(
        (1, 1),
        "writes of 2 MiB, iodepth 2",
        "--rw=write --bs=2m --iodepth=2 --name=a --filename=xvda",
        MIBS,
    ),
];

/// Measures each row for `runtime_s` virtual seconds, prints a table and saves it.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn measure(rig: &Rig, runtime_s: u32) -> Result<ExitCode> {
    let image = Image::of(&Release::TRIXIE, &rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("scaling")?;
    let machine = rig.machine(&image, directory, RAMDISKS);
    let counter = Some(rig.counter()?);
    let machine = Machine { clock: Clock::Instructions, counter, ..machine };
    let guests: Vec<Guest> = ROWS.iter().map(|row| row.guest(runtime_s)).collect();
    let mut steps: Vec<Step> = ROWS.iter().map(|row| row.step(runtime_s)).collect();
    steps.push(dom0_step(runtime_s));

    let mut costs: Vec<Cost> = Vec::new();
    let mut dom0 = None;
    let mut window = Window::default();
    machine.run(rig.overlay(&guests)?, &steps, &mut |index, event| {
        match event {
            Seen::Line(line) => {
                if let Some(line) = ConsoleLine::parse(line)
                    && let Some(edge) = Edge::of(Side::Ours, line.text)
                {
                    window.meet(edge, machine.counts()?);
                }
            }
            Seen::End(outcome) => {
                let counts = std::mem::take(&mut window).counts();
                let why = || outcome.lines.join("\n");
                match ROWS.get(index) {
                    Some(row) => {
                        let cost = row.cost(&outcome, counts).with_context(why)?;
                        rig.progress.detail(&format!("{}: {:.0}", row.label, cost.total));
                        costs.push(cost);
                    }
                    None if index == ROWS.len() => {
                        dom0 = Some(dom0_cost(&outcome).with_context(why)?);
                    }
                    None => {}
                }
            }
        }
        Ok(())
    })?;
    report(rig, &image, &costs, dom0.context("dom0's fio did not run")?)
}

impl Row {
    fn name(&self) -> String {
        self.label.chars().filter(char::is_ascii_alphanumeric).collect()
    }

    /// Bytes that its figure is for: those of a read, or a MiB.
    fn unit_bytes(&self) -> f64 {
        if self.base == MIBS { 1_048_576.0 } else { 4096.0 }
    }

    fn guest(&self, runtime_s: u32) -> Guest {
        let common = "--rw=randread --bs=4k --norandommap --time_based --runtime=";
        let jobs = format!("{common}{runtime_s} {}", self.jobs);
        let guest = Side::Ours.guest(self.name(), Clock::Instructions, &jobs);
        let disk = |(number, letter)| format!("phy:/dev/ram{number},xvd{letter},w");
        let disks = ('a'..='h').enumerate().take(self.disks as usize).map(disk).collect();
        Guest { disks, vcpus: self.vcpus, memory_mib: MEMORY_MIB, ..guest }
    }

    fn step(&self, runtime_s: u32) -> Step {
        let (name, allowed_s) = (self.name(), 30 + runtime_s);
        let [begin, end] = Side::Ours.edges();
        let command = format!(
            "{}\nguest_create {name} && guest_until '{begin}*' {allowed_s} && \
             guest_until '{end}*' {allowed_s}; guest_end 20",
            blkback::offer_queues(4)
        );
        Step::new(self.label.to_owned(), u64::from(allowed_s) + 40, command)
    }

    fn cost(&self, outcome: &Outcome, counts: Option<Counts>) -> Result<Cost> {
        let result = Side::Ours.result(outcome, &self.name())?;
        result.verdict().map_err(|reason| anyhow::anyhow!("the guest reports: {reason}"))?;
        let jobs = result.json["jobs"].as_array().context("the result has no jobs")?;
        let mut units_per_s = 0.0;
        for job in jobs {
            ensure!(job["error"] == 0, "job {} had error {}", job["jobname"], job["error"]);
            let bw = |side: &str| job[side]["bw_bytes"].as_f64().unwrap_or_default();
            units_per_s += (bw("read") + bw("write")) / self.unit_bytes();
        }
        let counts = counts.context("QEMU's counts were not taken at both ends of the job")?;
        ensure!(units_per_s > 0.0 && counts.total() != 0, "nothing was done or counted");
        let total = 1e9 / units_per_s;
        let share = |part: u64| total * part as f64 / counts.total() as f64;
        let parts = [counts.guest, counts.xen, counts.dom0, counts.entries];
        let [guest, xen, dom0, exits] = parts.map(share);
        Ok(Cost { total, guest, xen, dom0, exits })
    }
}

/// Instructions for each I/O of 4 KiB, or for each MiB.
#[derive(Clone, Copy)]
struct Cost {
    total: f64,
    guest: f64,
    xen: f64,
    dom0: f64,
    /// Exits from the guest to Xen.
    exits: f64,
}

fn dom0_step(runtime_s: u32) -> Step {
    let jobs = Workload::options(&Workload::MAIN[..1], runtime_s, |of| Setting::fixed(of).fio(of));
    let command = format!(
        "fio --output-format=json --output=/tmp/result {} >/tmp/log 2>&1 || \
         {{ cat /tmp/log; exit 1; }}\n\
         echo \"{DOM0_RESULT}$(tr -d '\\n' </tmp/result)\"",
        jobs.replace("/dev/xvda", "/dev/ram0")
    );
    Step::new("dom0's own fio".to_owned(), u64::from(60 + runtime_s), command)
}

/// Returns the instructions of dom0's own fio for each I/O.
fn dom0_cost(outcome: &Outcome) -> Result<f64> {
    let found = outcome.lines.iter().find_map(|line| line.strip_prefix(DOM0_RESULT));
    let json: Value = serde_json::from_str(found.context("dom0's fio failed")?.trim())
        .context("the result of dom0's fio is not JSON")?;
    let iops = json["jobs"][0]["read"]["iops"].as_f64().filter(|iops| *iops > 0.0);
    Ok(1e9 / iops.context("dom0's fio read nothing")?)
}

fn report(rig: &Rig, image: &Image, costs: &[Cost], dom0: f64) -> Result<ExitCode> {
    let legend = rig.legend(format!(
        "instructions for an I/O of 4 KiB, 32 in flight in all (of 2 vCPUs, on each), or for a\n\
         written MiB; ratio: to the first row of that kind; dom0: fio's io_uring at its\n\
         best on Linux {}, without a guest",
        image.linux_version
    ));
    let text = format!("{}\n{legend}", table(costs, dom0));
    print_line(format_args!("{text}"));
    let measurements: Vec<Value> = ROWS
        .iter()
        .zip(costs)
        .map(|(row, cost)| {
            let Cost { total, guest, xen, dom0, exits } = cost;
            json!({
                "label": row.label, "vcpus": row.vcpus, "disks": row.disks, "jobs": row.jobs,
                "unit_bytes": row.unit_bytes(), "instructions": total, "guest": guest,
                "xen": xen, "dom0": dom0, "exits": exits,
            })
        })
        .collect();
    let figures = json!({
        "clock": "instructions", "legend": legend, "measurements": measurements,
        "dom0_fio_instructions": dom0,
    });
    rig.save("scaling.json", &figures)?;
    rig.save_page("scaling.json", &page(costs, dom0, &text))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the page of plots, with the table and what explains it.
fn page(costs: &[Cost], dom0: f64, text: &str) -> String {
    let bars = |base: &str, group: &str| -> Vec<(String, String, Costs)> {
        let rows = ROWS.iter().zip(costs).filter(|(row, _)| row.base == base);
        let bar = |(row, cost): (&Row, &Cost)| {
            let by_owner = [cost.guest, cost.xen, cost.dom0];
            let costs = costs::instructions(by_owner, Some(cost.exits));
            (group.to_owned(), row.label.to_owned(), costs)
        };
        rows.map(bar).collect()
    };
    const RANDOM: &str = "random I/O, 4 KiB";
    let mut random = bars(READS, RANDOM);
    let own = costs::instructions([0.0, 0.0, dom0], None);
    random.push((RANDOM.to_owned(), "dom0's own fio, without a guest".to_owned(), own));
    let figures = [
        ("an I/O of 4 KiB", costs::groups(random)),
        ("a written MiB", costs::groups(bars(MIBS, "writes"))),
    ];
    let about = "Executed instructions of the whole stack on more vCPUs, disks and queues.";
    costs::page(&figures, text, about)
}

fn table(costs: &[Cost], dom0: f64) -> String {
    let mut text = format!(
        "{:<27} {:>8} {:>7} {:>6} {:>7} {:>6} {:>6}\n",
        "instructions", "in all", "guest", "Xen", "dom0", "ratio", "guest"
    );
    let rows = || ROWS.iter().zip(costs);
    for (row, cost) in rows() {
        let base = rows().find(|(other, _)| other.label == row.base).map_or(*cost, |base| *base.1);
        text += &format!(
            "{:<27} {:>8.0} {:>7.0} {:>6.0} {:>7.0} {:>6.2} {:>6.2}\n",
            row.label,
            cost.total,
            cost.guest,
            cost.xen,
            cost.dom0,
            cost.total / base.total,
            cost.guest / base.guest,
        );
    }
    let ratio = costs.first().map_or(f64::NAN, |first| dom0 / first.total);
    text += &format!(
        "{:<27} {dom0:>8.0} {:>7} {:>6} {dom0:>7.0} {ratio:>6.2}\n",
        "dom0's own fio", "-", "-"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_base_and_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> = ROWS.iter().map(Row::name).collect();
        assert_eq!(names.len(), ROWS.len());
        assert!(ROWS.iter().all(|row| ROWS.iter().any(|base| base.label == row.base)));
        let two = ROWS.iter().find(|row| row.label == "2 vCPUs, 2 disks").unwrap();
        let guest = two.guest(2);
        assert_eq!((guest.vcpus, guest.disks.len()), (2, 2));
    }

    #[test]
    fn ratios_are_to_the_row_of_the_same_kind() {
        let cost = |total| Cost { total, guest: total / 10.0, xen: 0.0, dom0: 0.0, exits: 0.5 };
        let of_row = |row: &Row| {
            let base = if row.base == MIBS { 4e5 } else { 5000.0 };
            cost(if row.label == row.base { base } else { base * 1.5 })
        };
        let costs: Vec<Cost> = ROWS.iter().map(of_row).collect();
        let text = table(&costs, 4500.0);
        let last = |label: &str| {
            let line = text.lines().find(|line| line.starts_with(label)).unwrap_or(label);
            line.split_whitespace().next_back().unwrap_or_default().to_owned()
        };
        assert_eq!((last("8 disks"), last("writes of 2")), ("1.50".into(), "1.50".into()));
        assert_eq!((last(READS), last(MIBS)), ("1.00".into(), "1.00".into()));
        assert_eq!(last("dom0's own fio"), "0.90");
        let page = page(&costs, 4500.0, &text);
        assert_eq!(page.matches(" \u{b7} 0.500 exits</text>").count(), ROWS.len());
        for work in ["an I/O of 4 KiB", "a written MiB"] {
            assert!(page.contains(&format!("<h2>Instructions of {work} by owner</h2>")), "{work}");
        }
    }
}
