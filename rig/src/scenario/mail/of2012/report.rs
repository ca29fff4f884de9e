//! The tables of the comparison, and what the mail had.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::table::{cell, instructions, spread};
use super::plot;
use super::row::Row;
use super::turn::{FILE_MEMORY_MIB, LINUX_MEMORY_MIB, Many, Turn};
use crate::image::Image;
use crate::machine::Clock;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::rig::Rig;
use crate::scenario::side::OUR_MEMORY_MIB;

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
    let text = format!("{table}\n{starts}\n{legend}");
    print_line(format_args!("{text}"));
    let measurements: Vec<Value> = rows.iter().map(|row| row.json(&rows)).collect();
    let (name, clock) = super::super::names(2012, clock);
    let figures = json!({
        "clock": clock, "legend": legend, "mail_iops": MAIL, "measurements": measurements,
    });
    rig.save(&name, &figures)?;
    rig.save_page(&name, &plot::page(&rows, &text))?;
    Ok(ExitCode::SUCCESS)
}

fn legend(image: &Image, peer: &PeerImage) -> String {
    let [per_request, persistent, linux] = MAIL.map(|figure| figure / MAIL[2]);
    format!(
        "random reads of 4 KiB, iodepth 32, by all guests at once, each with a vCPU and a\n\
         ramdisk of its own; file: on an FFSv2; all guests share a processor; ringmark has\n\
         {OUR_MEMORY_MIB} MiB, Linux {LINUX_MEMORY_MIB}, and {FILE_MEMORY_MIB} for a file\n\
         linux: io_uring of fio {} on Linux {}, fixedbufs, registerfiles,\n\
         nonvectored, batches of iodepth / 2, gtod_reduce; scheduler none, nomerges 2,\n\
         iostats 0, add_random 0, mitigations=off\n\
         linux, file: buffered, one read at a time, of each block once before the page cache\n\
         is emptied: Linux's ufs driver knows no direct I/O; nomerges 0, and I/Os counted by\n\
         sectors\n\
         dom0: Linux {}\n\
         to one: to one such guest; ratio: to as many Linux guests\n\
         grants made, copies: of pages, by ringmark; maps, unmaps: of granted pages, counted\n\
         by ftrace in dom0's kernel, by which it asks Xen for them, in a quarter of a second\n\
         behind the window, since counting takes instructions\n\
         guests' I/Os: of all their jobs, from begin to end; backends': all their rd_req, in\n\
         which are look-ups of a file, and what Linux reads by itself (a file: its sectors)\n\
         the mail of 2012, 15 guests, a grant for each request : persistent : Linux's guests:\n\
         {per_request:.2} : {persistent:.2} : {linux:.2} (other hardware, NetBSD's frontend: no\n\
         more than these ratios)",
        peer.fio_version, peer.linux_version, image.linux_version
    )
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
        let exits = row.exits().map_or("-".to_owned(), |exits| format!("{exits:.3}"));
        let [to_one, to_linux] = [row.to_one(rows), row.to_linux(rows)].map(cell);
        text += &format!(" {exits:>6} {to_one:>6} {to_linux:>6}\n");
    }
    text
}

/// A column of the table of what is no rate: its head, its decimals, its values.
type Column = (&'static str, usize, fn(&Many) -> Option<f64>);

/// Figures that are no rate: grants, what Xen did for these, copies, the guests' start, and the
/// I/Os of whole jobs.
const COLUMNS: [Column; 8] = [
    ("grants made", 3, |run| run.made.map(|made| made[0])),
    ("maps", 3, |run| Some(run.grant_ops[0])),
    ("unmaps", 3, |run| Some(run.grant_ops[1])),
    ("copies", 3, |run| run.made.map(|made| made[1])),
    ("ready after, s", 2, |run| Some(run.ready_s)),
    ("begun within, ms", 3, |run| run.starts_ms),
    ("guests' I/Os", 0, |run| Some(run.reads[0] as f64)),
    ("backends'", 0, |run| Some(run.reads[1] as f64)),
];

/// The table of what is no rate.
fn starts(rows: &[Row<'_>]) -> String {
    let width = |head: &str| head.len().max(8);
    let mut text = format!("{:<34}", "for each I/O; the start; in all");
    text.extend(COLUMNS.map(|(head, ..)| format!(" {head:>0$}", width(head))));
    for row in rows {
        text += &format!("\n{:<34}", row.turn);
        text.extend(COLUMNS.map(|(head, digits, of)| {
            let value = row.mean(of).map_or("-".to_owned(), |value| format!("{value:.digits$}"));
            format!(" {value:>0$}", width(head))
        }));
    }
    text + "\n"
}
