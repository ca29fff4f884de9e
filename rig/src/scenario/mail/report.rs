//! The table of the comparison, and what the mail had.

use std::process::ExitCode;

use anyhow::Result;
use results::Spread;
use serde_json::{Value, json};

use super::sample::Sample;
use super::turn::{DISKS, Turn, Writer};
use crate::counts::Counts;
use crate::image::Image;
use crate::machine::Clock;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::rig::Rig;

/// The mail's figures in MB/s: before and after its locks were split, and with event channels
/// bound to vCPUs.
const MAIL: [f64; 3] = [1400.0, 3000.0, 3600.0];

/// Prints all and saves it.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn report(
    rig: &Rig,
    clock: Clock,
    image: &Image,
    peer: &PeerImage,
    samples: &[(Turn, Sample)],
) -> Result<ExitCode> {
    let rows: Vec<Row> = Turn::ALL
        .iter()
        .map(|&turn| {
            let samples = samples.iter().filter(|(of, _)| *of == turn);
            Row { turn, samples: samples.map(|(_, sample)| *sample).collect() }
        })
        .filter(|row| !row.samples.is_empty())
        .collect();
    let table = match clock {
        Clock::Wall => by_clock(&rows),
        Clock::Instructions => by_instructions(&rows),
    };
    let legend = legend(image, peer);
    print_line(format_args!("{table}\n{legend}"));
    let measurements: Vec<Value> = rows.iter().map(Row::json).collect();
    let (name, clock) = match clock {
        Clock::Wall => ("compare-mail.json", "wall"),
        Clock::Instructions => ("compare-mail-deterministic.json", "instructions"),
    };
    let figures = json!({
        "clock": clock, "legend": legend, "mail_mb_per_s": MAIL, "measurements": measurements,
    });
    rig.save(name, &figures)?;
    Ok(ExitCode::SUCCESS)
}

fn legend(image: &Image, peer: &PeerImage) -> String {
    let [before, after, bound] = MAIL.map(|figure| figure / MAIL[1]);
    format!(
        "{DISKS} disks of one guest, a job each: writes of 2 MiB one after the other, iodepth 2,\n\
         on ramdisks; a queue for each vCPU; unbound: all events go to vCPU 0; all vCPUs share a\n\
         processor\n\
         linux: io_uring of fio {} on Linux {}, max_indirect_segments=256, fixedbufs,\n\
         registerfiles, nonvectored, gtod_reduce; scheduler none, nomerges 2, iostats 0,\n\
         mitigations=off\n\
         dom0: Linux {}; its own fio has one job for all ramdisks, without a guest\n\
         ratio: to Linux with the same vCPUs and grants\n\
         the mail of 2013, a grant for each request: {before:.2} : {after:.2} : {bound:.2} before\n\
         and after its locks were split, and with event channels bound to vCPUs (other hardware:\n\
         no more than these ratios)",
        peer.fio_version, peer.linux_version, image.linux_version
    )
}

/// A row and its runs.
struct Row {
    turn: Turn,
    samples: Vec<Sample>,
}

impl Row {
    fn spread(&self) -> Option<Spread> {
        Spread::of(self.samples.iter().map(Sample::rate))
    }

    /// Returns the ratio of its rate to Linux's with the same vCPUs and grants.
    fn ratio(&self, all: &[Self]) -> Option<f64> {
        let is_same = |row: &&Self| {
            let [of, own] = [row.turn, self.turn].map(|turn| (turn.persistent, turn.vcpus));
            row.turn.writer == Writer::Linux && of == own
        };
        let linux = all.iter().find(is_same)?.spread()?;
        let rate = self.spread()?.median;
        (!matches!(self.turn.writer, Writer::Dom0(..))).then_some(rate / linux.median)
    }

    fn json(&self) -> Value {
        let rates: Vec<f64> = self.samples.iter().map(Sample::rate).collect();
        let per_mib = |of: fn(Counts) -> u64| -> Vec<f64> {
            let counts = |sample: &Sample| Some(of(sample.counts?) as f64 / sample.mib());
            self.samples.iter().filter_map(counts).collect()
        };
        json!({
            "row": self.turn.to_string(), "grants": self.turn.grants(), "vcpus": self.turn.vcpus,
            "bound": self.turn.bound, "rates": rates,
            "guest_per_mib": per_mib(|counts| counts.guest),
            "xen_per_mib": per_mib(|counts| counts.xen),
            "dom0_per_mib": per_mib(|counts| counts.dom0),
        })
    }
}

fn cell(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// The table of rates by the wall clock.
fn by_clock(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<41} {:>28} {:>6}\n",
        "MiB/s, by vCPUs, grants, writer", "median (least .. greatest)", "ratio"
    );
    for row in rows {
        let rate = row.spread().map_or("-".to_owned(), |spread| spread.to_string());
        text += &format!("{:<41} {rate:>28} {:>6}\n", row.turn, cell(row.ratio(rows)));
    }
    text
}

/// The table of instructions, of each row's first run: all are alike.
fn by_instructions(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<41} {:>8} {:>7} {:>7} {:>7} {:>7} {:>6}\n",
        "instructions for a MiB, by vCPUs, grants",
        "MiB/10⁹",
        "in all",
        "guest",
        "Xen",
        "dom0",
        "ratio"
    );
    for row in rows {
        let Some((sample, counts)) =
            row.samples.first().and_then(|sample| Some((sample, sample.counts?)))
        else {
            continue;
        };
        let per_mib = |count: u64| format!("{:.0}", count as f64 / sample.mib());
        let (guest, xen) = match row.turn.writer {
            Writer::Dom0(..) => ("-".to_owned(), "-".to_owned()),
            _ => (per_mib(counts.guest), per_mib(counts.xen)),
        };
        text += &format!(
            "{:<41} {:>8.0} {:>7} {guest:>7} {xen:>7} {:>7} {:>6}\n",
            row.turn,
            sample.rate(),
            per_mib(counts.total()),
            per_mib(counts.dom0),
            cell(row.ratio(rows))
        );
    }
    text
}
