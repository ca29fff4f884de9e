//! The table of the comparison, and what the mail had.

use std::process::ExitCode;

use anyhow::Result;
use results::{Costs, Spread};
use serde_json::{Value, json};

use super::super::sample::Sample;
use super::super::table::{by_owner, cell, instructions, instructions_json, spread};
use super::turn::{DISKS, Turn, Writer, Written};
use crate::image::Image;
use crate::machine::Clock;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::rig::Rig;
use crate::scenario::costs;

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
    samples: &[(Turn, Written)],
) -> Result<ExitCode> {
    let rows: Vec<Row> = Turn::ALL
        .iter()
        .map(|&turn| {
            let samples = samples.iter().filter(|(of, _)| *of == turn);
            Row { turn, samples: samples.map(|(_, sample)| sample.0).collect() }
        })
        .filter(|row| !row.samples.is_empty())
        .collect();
    let table = match clock {
        Clock::Wall => by_clock(&rows),
        Clock::Instructions => by_instructions(&rows),
    };
    let legend = rig.legend(legend(image, peer));
    let text = format!("{table}\n{legend}");
    print_line(format_args!("{text}"));
    let measurements: Vec<Value> = rows.iter().map(Row::json).collect();
    let (name, clock) = super::super::names(2013, clock);
    let figures = json!({
        "clock": clock, "legend": legend, "mail_mb_per_s": MAIL, "measurements": measurements,
    });
    rig.save(&name, &figures)?;
    let bars = costs::groups(rows.iter().filter_map(Row::bar));
    if !bars.is_empty() {
        let about = "Writes of 2 MiB to 24 disks of one guest, as a mail of 2013 had them.";
        rig.save_page(&name, &costs::page(&[("a written MiB", bars)], &text, about))?;
    }
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
        spread(&self.samples)
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

    /// Returns the costs of its only run, if they were counted, below its vCPUs and grants.
    fn bar(&self) -> Option<(String, String, Costs)> {
        let sample = self.samples.first()?;
        let exits = sample.per_unit(|counts| counts.entries);
        let costs = by_owner(instructions(sample), exits)?;
        let Turn { writer, vcpus, bound, .. } = self.turn;
        let unbound = if bound { "" } else { ", unbound" };
        let grants = self.turn.grants();
        let (group, name) = match writer {
            Writer::Ours => (format!("vCPUs: {vcpus}, {grants}"), format!("ringmark{unbound}")),
            Writer::Linux => (format!("vCPUs: {vcpus}, {grants}"), "linux io_uring".to_owned()),
            Writer::Dom0(engine, _) => ("dom0's own fio".to_owned(), engine.to_owned()),
        };
        Some((group, name, costs))
    }

    fn json(&self) -> Value {
        let rates: Vec<f64> = self.samples.iter().map(Sample::rate).collect();
        json!({
            "row": self.turn.to_string(), "grants": self.turn.grants(), "vcpus": self.turn.vcpus,
            "bound": self.turn.bound, "rates": rates,
            "instructions": instructions_json(&self.samples, "mib"),
        })
    }
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

/// The table of instructions, of each row's only run.
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
        let Some(sample) = row.samples.first() else { continue };
        let [all, guest, xen, dom0] = instructions(sample);
        let is_dom0 = matches!(row.turn.writer, Writer::Dom0(..));
        let [guest, xen] = [guest, xen].map(|count| count.filter(|_| !is_dom0));
        let [all, guest, xen, dom0] = [all, guest, xen, dom0]
            .map(|count| count.map_or("-".to_owned(), |count| format!("{count:.0}")));
        text += &format!(
            "{:<41} {:>8.0} {all:>7} {guest:>7} {xen:>7} {dom0:>7} {:>6}\n",
            row.turn,
            sample.rate(),
            cell(row.ratio(rows))
        );
    }
    text
}
