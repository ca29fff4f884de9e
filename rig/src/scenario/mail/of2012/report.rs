//! The tables of the comparison, and what the mail had.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::sample::Sample;
use super::super::table::{cell, instructions, instructions_json, spread};
use super::turn::{Many, Turn, Who};
use crate::image::Image;
use crate::machine::Clock;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::rig::Rig;
use crate::scenario::side::{OUR_MEMORY_MIB, PEER_MEMORY_MIB};

/// The mail's sums of IOPS of 15 guests: a grant for each request, persistent grants, both NetBSD's
/// on a file; Linux's guests.
const MAIL: [f64; 3] = [336_718.0, 686_010.0, 1_102_019.0];

/// Prints all and saves it.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn report(
    rig: &Rig,
    clock: Clock,
    image: &Image,
    peer: &PeerImage,
    turns: &[Turn],
    samples: &[(Turn, Many)],
) -> Result<ExitCode> {
    let row = |&turn: &Turn| {
        let runs = samples.iter().filter(|(of, _)| *of == turn).map(|(_, run)| run).collect();
        Row { turn, runs }
    };
    let rows: Vec<Row<'_>> = turns.iter().map(row).filter(|row| !row.runs.is_empty()).collect();
    let table = match clock {
        Clock::Wall => by_clock(&rows),
        Clock::Instructions => by_instructions(&rows),
    };
    let (starts, legend) = (starts(&rows), legend(image, peer));
    print_line(format_args!("{table}\n{starts}\n{legend}"));
    let measurements: Vec<Value> = rows.iter().map(|row| row.json(&rows)).collect();
    let (name, clock) = super::super::names(2012, clock);
    let figures = json!({
        "clock": clock, "legend": legend, "mail_iops": MAIL, "measurements": measurements,
    });
    rig.save(&name, &figures)?;
    Ok(ExitCode::SUCCESS)
}

fn legend(image: &Image, peer: &PeerImage) -> String {
    let [per_request, persistent, linux] = MAIL.map(|figure| figure / MAIL[2]);
    format!(
        "random reads of 4 KiB, iodepth 32, by all guests at once, each with a vCPU and a\n\
         ramdisk of its own; file: on an FFSv2; all guests share a processor; ringmark has\n\
         {OUR_MEMORY_MIB} MiB, Linux {PEER_MEMORY_MIB}\n\
         linux: io_uring of fio {} on Linux {}, fixedbufs, registerfiles,\n\
         nonvectored, batches of iodepth / 2, gtod_reduce; scheduler none, nomerges 2,\n\
         iostats 0, add_random 0, mitigations=off\n\
         dom0: Linux {}\n\
         to one: to one such guest; ratio: to as many Linux guests\n\
         grants made: each is a page that the backend maps and unmaps again; none in a\n\
         persistent mode, whose pages it maps once; copies: pages that the guest copies\n\
         the mail of 2012, 15 guests, a grant for each request : persistent : Linux's guests:\n\
         {per_request:.2} : {persistent:.2} : {linux:.2} (other hardware, NetBSD's frontend: no\n\
         more than these ratios)",
        peer.fio_version, peer.linux_version, image.linux_version
    )
}

/// A row and its runs.
struct Row<'a> {
    turn: Turn,
    runs: Vec<&'a Many>,
}

impl Row<'_> {
    fn samples(&self) -> impl Iterator<Item = &Sample> + Clone {
        self.runs.iter().map(|run| &run.sample)
    }

    /// Returns the mean of its rates.
    fn rate(&self) -> f64 {
        self.samples().map(Sample::rate).sum::<f64>() / self.runs.len() as f64
    }

    /// Returns the ratio of its rate to that of another row, if there is that row.
    fn ratio(&self, all: &[Self], to: Turn) -> Option<f64> {
        let other = all.iter().find(|row| row.turn == to)?;
        Some(self.rate() / other.rate())
    }

    fn to_one(&self, all: &[Self]) -> Option<f64> {
        self.ratio(all, Turn { count: 1, ..self.turn })
    }

    fn to_linux(&self, all: &[Self]) -> Option<f64> {
        self.ratio(all, Turn { who: Who::Linux, ..self.turn })
    }

    /// Returns the mean of something of its runs, if they have it.
    fn mean(&self, of: impl Fn(&Many) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<f64>> = self.runs.iter().map(|run| of(run)).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    }

    fn json(&self, all: &[Self]) -> Value {
        let made = |index: usize| self.mean(|run| run.made.map(|made| made[index]));
        let values = |of: fn(&Many) -> Option<f64>| -> Vec<Option<f64>> {
            self.runs.iter().map(|run| of(run)).collect()
        };
        json!({
            "row": self.turn.to_string(), "guests": self.turn.count, "grants": self.turn.grants(),
            "rates": self.samples().map(Sample::rate).collect::<Vec<f64>>(),
            "instructions": instructions_json(self.samples(), "io"),
            "exits_per_io": exits(self),
            "ratio_to_one": self.to_one(all), "ratio_to_linux": self.to_linux(all),
            "grants_made_per_io": made(0), "copies_made_per_io": made(1),
            "ready_s": values(|run| Some(run.ready_s)), "starts_ms": values(|run| run.starts_ms),
        })
    }
}

/// Returns exits for each I/O of its first run, if they were counted.
fn exits(row: &Row<'_>) -> Option<f64> {
    row.samples().next()?.per_unit(|counts| counts.entries)
}

/// The table of rates by the wall clock.
fn by_clock(rows: &[Row<'_>]) -> String {
    let rounds = rows.iter().map(|row| row.runs.len()).max().unwrap_or_default();
    let head = format!("mean of {rounds} (least .. greatest)");
    let mut text =
        format!("{:<34} {head:>32} {:>6} {:>6}\n", "IOPS of all guests", "to one", "ratio");
    for row in rows {
        let spread = spread(row.samples());
        let rate = spread.map_or("-".to_owned(), |spread| {
            format!("{:.0} ({:.0} .. {:.0})", row.rate(), spread.least, spread.greatest)
        });
        let [to_one, to_linux] = [row.to_one(rows), row.to_linux(rows)].map(cell);
        text += &format!("{:<34} {rate:>32} {to_one:>6} {to_linux:>6}\n", row.turn);
    }
    text
}

/// The table of instructions, of each row's first run: all are alike.
fn by_instructions(rows: &[Row<'_>]) -> String {
    let mut text = format!(
        "{:<34} {:>8} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}\n",
        "instructions for an I/O",
        "I/Os/10⁹",
        "in all",
        "guests",
        "Xen",
        "dom0",
        "exits",
        "to one",
        "ratio"
    );
    for row in rows {
        let Some(sample) = row.samples().next() else { continue };
        text += &format!("{:<34} {:>8.0}", row.turn, sample.rate());
        for count in instructions(sample) {
            text += &format!(" {:>6}", count.map_or("-".to_owned(), |count| format!("{count:.0}")));
        }
        let exits = exits(row).map_or("-".to_owned(), |exits| format!("{exits:.3}"));
        let [to_one, to_linux] = [row.to_one(rows), row.to_linux(rows)].map(cell);
        text += &format!(" {exits:>6} {to_one:>6} {to_linux:>6}\n");
    }
    text
}

/// The table of what is no rate: grants, copies, and the guests' start.
fn starts(rows: &[Row<'_>]) -> String {
    let mut text = format!(
        "{:<34} {:>12} {:>12} {:>10} {:>16}\n",
        "for each I/O; then the start", "grants made", "copies", "ready, s", "begun within, ms"
    );
    for row in rows {
        let value = |of: &dyn Fn(&Many) -> Option<f64>| {
            row.mean(of).map_or("-".to_owned(), |value| format!("{value:.3}"))
        };
        text += &format!(
            "{:<34} {:>12} {:>12} {:>10} {:>16}\n",
            row.turn,
            value(&|run| run.made.map(|made| made[0])),
            value(&|run| run.made.map(|made| made[1])),
            value(&|run| Some(run.ready_s)),
            value(&|run| run.starts_ms)
        );
    }
    text
}
