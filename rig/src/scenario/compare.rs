//! `compare`: our guest and a Linux guest with fio, the same jobs on the same ramdisk, by turns.
//!
//! The wall clock is noise on a shared host, so all take turns in one boot and the spread is shown.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use results::Spread;
use serde_json::{Value, json};

use crate::best::Best;
use crate::guest::{ConsoleLine, Guest};
use crate::image::Image;
use crate::machine::Clock;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::side::{
    Figure, NOT_KEPT, OUR_MEMORY_MIB, PEER_MEMORY_MIB, Side, best_of_linux, legend, overlay,
};
use crate::steps::{Outcome, Seen, Step};
use crate::workload::Workload;

/// Ends the line by which either guest tells that it could use its disk.
const FIRST_IO: &str = "first I/O completed";

/// Runs each side `rounds` times, `runtime_s` seconds for each workload.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn compare(
    rig: &Rig,
    sides: &[Side],
    workloads: &[Workload],
    rounds: u32,
    runtime_s: u32,
) -> Result<ExitCode> {
    let best = Best::load()?;
    let runs = runs(sides, workloads, rounds, runtime_s, &best)?;
    let image = Image::build(&rig.cache, &rig.progress)?;
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("compare")?;
    let machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    let guests: Vec<Guest> = runs.iter().map(|(.., guest)| guest.clone()).collect();
    let allowed_s = 120 + workloads.len() as u64 * u64::from(runtime_s);
    let steps: Vec<Step> = guests
        .iter()
        .map(|guest| {
            Step::new(
                guest.name.clone(),
                allowed_s + 20,
                format!("guest {} {allowed_s}", guest.name),
            )
        })
        .collect();
    let mut samples = Vec::new();
    machine.run(overlay(rig, &peer, &guests)?, &steps, &mut |index, event| {
        let Seen::End(outcome) = event else {
            return Ok(());
        };
        let Some((side, of, guest)) = runs.get(index) else {
            return Ok(());
        };
        let sample = Sample::read(*side, &guest.name, of, &outcome, &best)
            .with_context(|| outcome.lines.join("\n"))?;
        rig.progress.detail(&sample.to_string());
        samples.push((*side, sample));
        Ok(())
    })?;
    report(rig, &peer, sides, workloads, &samples, &best)
}

/// Returns the guests in the order in which they run, each with its side and workloads.
///
/// # Errors
/// When a guest has no room for its jobs on its command line.
fn runs(
    sides: &[Side],
    workloads: &[Workload],
    rounds: u32,
    runtime_s: u32,
    best: &Best,
) -> Result<Vec<(Side, Vec<Workload>, Guest)>> {
    let mut runs = Vec::new();
    for round in 1..=rounds {
        // Whoever is first may find a quieter or a busier host: take turns.
        let mut order = sides.to_vec();
        if round % 2 == 0 {
            order.reverse();
        }
        for side in order {
            for (number, (setting, of)) in side.groups(workloads, best).into_iter().enumerate() {
                let name = format!("{}-{round}-{number}", side.name());
                let jobs = side.options(&of, runtime_s, best);
                let guest = side.guest_in(name, Clock::Wall, &jobs, &setting);
                let (length, most) = (guest.extra.len(), side.command_line_max());
                ensure!(
                    length <= most,
                    "{} workloads take a command line of {length} bytes, of at most {most}; name \
                     fewer, or measure with --deterministic, where each has a guest of its own",
                    of.len()
                );
                runs.push((side, of, guest));
            }
        }
    }
    Ok(runs)
}

/// Result of one guest.
struct Sample {
    /// Figures of each of its workloads, and the time that was stolen from the vCPU, in per
    /// cent; fio tells none.
    figures: Vec<(Workload, Figure, f64)>,
    start_up: StartUp,
}

impl Sample {
    fn read(
        side: Side,
        name: &str,
        workloads: &[Workload],
        outcome: &Outcome,
        best: &Best,
    ) -> Result<Self> {
        let result = side.result(outcome, name)?;
        let figure = |&workload: &Workload| {
            let figure = side.figure(outcome, name, workload, best)?;
            Ok((workload, figure, result.stolen_percent(&workload.name())?))
        };
        Ok(Self {
            figures: workloads.iter().map(figure).collect::<Result<_>>()?,
            start_up: StartUp::read(outcome, name)?,
        })
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let iops = self.figures.iter().map(|(_, figure, _)| format!("{:.0}", figure.iops));
        let iops: Vec<String> = iops.collect();
        write!(f, "{} IOPS, first I/O after {:.2} s", iops.join(", "), self.start_up.first_io_s)
    }
}

/// Start-up times of a guest, by dom0's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct StartUp {
    /// From the start of `xl create` until xl has let the guest run.
    xl_s: f64,
    /// From the start of `xl create` to the line that says that the first request has completed.
    first_io_s: f64,
}

impl StartUp {
    fn read(outcome: &Outcome, name: &str) -> Result<Self> {
        let xl = ConsoleLine::of(outcome, "xl");
        let of_xl = |text| xl.iter().find(|line| line.text.starts_with(text));
        let create = of_xl("create ").context("xl was not started")?;
        let runs = of_xl("Waiting for domain").context("xl does not wait for the guest")?;
        let lines = ConsoleLine::of(outcome, name);
        let first_io = lines.iter().find(|line| line.text.ends_with(FIRST_IO));
        let first_io = first_io.context("no line reports the first I/O")?;
        Ok(Self {
            xl_s: runs.uptime_s - create.uptime_s,
            first_io_s: first_io.uptime_s - create.uptime_s,
        })
    }
}

fn report(
    rig: &Rig,
    peer: &PeerImage,
    sides: &[Side],
    workloads: &[Workload],
    samples: &[(Side, Sample)],
    best: &Best,
) -> Result<ExitCode> {
    let of = |side: Side| samples.iter().filter(move |(of, _)| *of == side).map(|(_, it)| it);
    let in_workload = |side, workload: Workload| {
        let figures = of(side).flat_map(|sample| &sample.figures);
        figures.filter(move |(of, ..)| *of == workload)
    };
    let mut rows: Vec<Row> = Vec::new();
    for &workload in workloads {
        rows.extend(sides.iter().map(|&side| Row {
            what: workload.to_string(),
            side,
            label: side.label(workload, best),
            values: in_workload(side, workload).map(|(_, figure, _)| figure.iops).collect(),
            kept: in_workload(side, workload).all(|(_, figure, _)| figure.kept),
        }));
    }
    let worst = |workload| {
        in_workload(Side::Ours, workload).map(|(.., stolen)| *stolen).fold(0.0, f64::max)
    };
    let stolen = workloads.iter().map(|&workload| (workload.to_string(), worst(workload)));
    let table = table(&rows) + &stolen_lines(stolen);
    let legend = rig.legend(legend(peer, workloads, best));
    print_line(format_args!("{table}\n{legend}\n"));

    let starts = [Side::Ours, Side::LINUX[0]];
    print_line(format_args!(
        "{:<32} {:>26} {:>26} {:>8}",
        "median (least .. greatest)", "ringmark", "linux", "ratio"
    ));
    let mut start_ups = Vec::new();
    for (name, value) in TIMES {
        let of = |side| -> Vec<f64> { of(side).map(|sample| value(&sample.start_up)).collect() };
        let [ours, linux] = starts.map(of);
        let medians = [&ours, &linux].map(|all| Spread::of(all.iter().copied()));
        let ratio = match medians {
            [Some(ours), Some(linux)] => format!("{:.2}", ours.median / linux.median),
            _ => "-".to_owned(),
        };
        print_line(format_args!(
            "{name:<32} {:>26} {:>26} {ratio:>8}",
            spread(&ours),
            spread(&linux)
        ));
        start_ups.push(json!({ "name": name.trim_start(), "ringmark": ours, "linux": linux }));
    }
    let kib = |path: &Path| -> Result<u64> { Ok(path.metadata()?.len().div_ceil(1024)) };
    let ours_kib = kib(&rig.kernel()?)?;
    let linux_kib = kib(&peer.kernel())? + kib(&peer.initramfs())?;
    print_line(format_args!("{:<32} {OUR_MEMORY_MIB:>26} {PEER_MEMORY_MIB:>26}", "memory, MiB"));
    print_line(format_args!("{:<32} {ours_kib:>26} {linux_kib:>26}", "kernel and initramfs, KiB"));
    let measurements: Vec<Value> = rows.iter().map(Row::json).collect();
    rig.save(
        "compare.json",
        &json!({
            "clock": "wall", "legend": legend, "measurements": measurements,
            "start_up": start_ups,
            "memory_mib": { "ringmark": OUR_MEMORY_MIB, "linux": PEER_MEMORY_MIB },
            "image_kib": { "ringmark": ours_kib, "linux": linux_kib },
        }),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A time of a guest's start.
type Time = fn(&StartUp) -> f64;

const TIMES: [(&str, Time); 2] = [
    ("xl create to first I/O, s", |start_up| start_up.first_io_s),
    ("  of that, xl until it runs, s", |start_up| start_up.xl_s),
];

/// Result of one side in one workload.
struct Row {
    what: String,
    side: Side,
    label: String,
    /// IOPS.
    values: Vec<f64>,
    kept: bool,
}

impl Row {
    fn median(&self) -> Option<f64> {
        Spread::of(self.values.iter().copied()).map(|spread| spread.median)
    }

    fn json(&self) -> Value {
        json!({
            "workload": self.what, "guest": self.side.name(), "label": self.label,
            "iops": self.values, "backend_keeps_pages": self.kept,
        })
    }
}

/// The table of all rows.
fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<25} {:<22} {:>30} {:>8}\n",
        "IOPS", "guest", "median (least .. greatest)", "ratio"
    );
    for row in rows {
        let alike = rows.iter().filter(|other| other.what == row.what);
        let best = best_of_linux(alike, |row| (row.side, row.median().unwrap_or(0.0)));
        let best = best.and_then(Row::median);
        let ratio = row.median().zip(best).map(|(iops, best)| format!("{:.2}", iops / best));
        text += &format!(
            "{:<25} {:<22} {:>30} {:>8}{}\n",
            row.what,
            row.label,
            spread(&row.values),
            ratio.as_deref().unwrap_or("-"),
            if row.kept { "" } else { NOT_KEPT.0 }
        );
    }
    if rows.iter().any(|row| !row.kept) {
        text += &format!("{}\n", NOT_KEPT.1);
    }
    text
}

/// Returns notes on our rows with a run in which more than 1 % of the time was stolen.
fn stolen_lines(rows: impl Iterator<Item = (String, f64)>) -> String {
    let rows = rows.filter(|(_, percent)| *percent > 1.0);
    let line = |(what, percent)| {
        format!("{what}, ringmark: up to {percent:.1} % of the time was stolen from the vCPU\n")
    };
    rows.map(line).collect()
}

fn spread(values: &[f64]) -> String {
    Spread::of(values.iter().copied()).map_or("-".into(), |spread| spread.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_to_the_best_of_linux() {
        let row = |what: &str, side: Side, values: &[f64], kept| Row {
            what: what.into(),
            side,
            label: side.label(Workload::MAIN[0], &Best::default()),
            values: values.to_vec(),
            kept,
        };
        let [default, tuned] = Side::LINUX;
        let rows = [
            row("a", Side::Ours, &[3000.0, 5000.0, 4000.0], true),
            row("a", default, &[1000.0], true),
            row("a", tuned, &[2000.0], true),
            row("b", Side::Ours, &[4000.0], false),
            row("b", default, &[8000.0], true),
            row("b", tuned, &[2000.0], true),
            row("c", Side::Ours, &[4000.0], true),
        ];
        let expected = "\
IOPS                      guest                      median (least .. greatest)    ratio
a                         ringmark                          4000 (3000 .. 5000)     2.00
a                         linux, fio default                1000 (1000 .. 1000)     0.50
a                         linux, best io_uring              2000 (2000 .. 2000)     1.00
b                         ringmark                          4000 (4000 .. 4000)     0.50 *
b                         linux, fio default                8000 (8000 .. 8000)     1.00
b                         linux, best io_uring              2000 (2000 .. 2000)     0.25
c                         ringmark                          4000 (4000 .. 4000)        -
* the backend did not keep all pages mapped: not a figure of persistent grants
";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn jobs_that_no_command_line_holds_are_refused() {
        let many: Vec<Workload> =
            (1..=60).map(|depth| format!("read-4k-{depth}").parse().unwrap()).collect();
        for side in Side::ALL {
            let runs = |workloads| runs(&[side], workloads, 2, 3600, &Best::default());
            assert_eq!(runs(&many[..1]).unwrap().len(), 2);
            let error = runs(&many).err().unwrap().to_string();
            assert!(error.contains("fewer, or measure with --deterministic"), "{error}");
        }
    }

    #[test]
    fn more_than_one_per_cent_of_stolen_time_is_told() {
        let rows = [("a".to_owned(), 1.0), ("b".to_owned(), 9.54)].into_iter();
        let expected = "b, ringmark: up to 9.5 % of the time was stolen from the vCPU\n";
        assert_eq!(stolen_lines(rows), expected);
    }

    #[test]
    fn start_up_is_between_the_lines() {
        let lines = [
            "[xl 6.50] create a",
            "[xl 7.25] Waiting for domain a (domid 1) to die [pid 9]",
            "[a 8.25] ringmark: first I/O completed",
        ];
        let outcome = Outcome::printed(lines);
        let start_up = StartUp::read(&outcome, "a").unwrap();
        assert_eq!(start_up, StartUp { xl_s: 0.75, first_io_s: 1.75 });
        assert!(StartUp::read(&outcome, "b").is_err());
    }
}
