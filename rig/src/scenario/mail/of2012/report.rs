//! The tables of the comparison, and what the mail had.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::table::{cell, spread};
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
    let (starts, legend) = (starts(&rows), rig.legend(legend(image, peer)));
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
        "random reads of 4 KiB by all guests at once, at iodepth 32 but for psync, which has\n\
         one read under way; each has a vCPU and a ramdisk of its own, all share a processor;\n\
         file: on an FFSv2; ringmark has {OUR_MEMORY_MIB} MiB,\n\
         Linux {LINUX_MEMORY_MIB}, and {FILE_MEMORY_MIB} for a file\n\
         linux: io_uring of fio {} on Linux {}, fixedbufs, registerfiles,\n\
         nonvectored, batches of iodepth / 2, gtod_reduce; scheduler none, nomerges 2,\n\
         iostats 0, add_random 0, mitigations=off\n\
         linux, file: buffered, one read at a time, of each block once before the page cache\n\
         is emptied: Linux's ufs driver knows no direct I/O; nomerges 0, and I/Os counted by\n\
         sectors\n\
         dom0: Linux {}\n\
         means of all runs; apart: by how much the greatest rate of them is above the least\n\
         to one: to one such guest; ratio: to as many Linux guests that read disks, for files\n\
         too: the best that Linux can\n\
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
    let mut text = format!(
        "{:<34} {:>32} {:>4} {:>6} {:>6}\n",
        "IOPS of all guests", "mean (least .. greatest)", "runs", "to one", "ratio"
    );
    for row in rows {
        let spread = spread(row.samples());
        let rate = spread.map_or("-".to_owned(), |spread| {
            format!("{:.0} ({:.0} .. {:.0})", row.rate(), spread.least, spread.greatest)
        });
        let [to_one, to_linux] = [row.to_one(rows), row.to_linux(rows)].map(cell);
        let runs = row.runs.len();
        text += &format!("{:<34} {rate:>32} {runs:>4} {to_one:>6} {to_linux:>6}\n", row.turn);
    }
    text
}

/// The table of instructions: means of each row's runs, and how far their rates are apart.
fn by_instructions(rows: &[Row<'_>]) -> String {
    let mut text = format!(
        "{:<34} {:>8} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>4} {:>8}\n",
        "instructions for an I/O",
        "I/Os/10⁹",
        "in all",
        "guests",
        "Xen",
        "dom0",
        "exits",
        "to one",
        "ratio",
        "runs",
        "apart"
    );
    for row in rows {
        text += &format!("{:<34} {:>8.0}", row.turn, row.rate());
        for count in row.instructions() {
            text += &format!(" {:>6}", count.map_or("-".to_owned(), |count| format!("{count:.0}")));
        }
        let exits = row.exits().map_or("-".to_owned(), |exits| format!("{exits:.3}"));
        let [to_one, to_linux] = [row.to_one(rows), row.to_linux(rows)].map(cell);
        let apart = spread(row.samples()).filter(|_| row.runs.len() > 1);
        let apart = apart.map_or("-".to_owned(), |spread| {
            format!("{:.3} %", (spread.greatest / spread.least - 1.0) * 100.0)
        });
        let runs = row.runs.len();
        text += &format!(" {exits:>6} {to_one:>6} {to_linux:>6} {runs:>4} {apart:>8}\n");
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

#[cfg(test)]
mod tests {
    use super::super::super::sample::Sample;
    use super::super::turn::{MODES, Place, Who};
    use super::*;
    use crate::counts::Counts;

    /// A run of a thousand I/Os.
    fn run(seconds: f64, guest: Option<u64>) -> Many {
        let counts = guest.map(|guest| Counts { guest, ..Counts::default() });
        Many {
            sample: Sample { amount: 1000.0, seconds, counts },
            ready_s: 1.5,
            starts_ms: None,
            made: None,
            reads: [1000; 2],
            grant_ops: [0.0; 2],
        }
    }

    /// Lines of a table of two runs from a disk and one from a file, and as many of Linux, without
    /// spaces.
    fn lines(table: fn(&[Row<'_>]) -> String, [one, other]: [&Many; 2]) -> Vec<String> {
        let ours = |place| Turn { who: Who::Ours(MODES[0], place), count: 2 };
        let linux = Turn { who: Who::Linux(Place::Disk), count: 2 };
        let rows = [
            Row { turn: ours(Place::Disk), runs: vec![one, other] },
            Row { turn: ours(Place::File), runs: vec![one] },
            Row { turn: linux, runs: vec![other] },
        ];
        let table = table(&rows);
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn each_row_tells_of_how_many_runs_it_is_the_mean() {
        assert_eq!(
            lines(by_clock, [&run(2.0, None), &run(4.0, None)])[1..],
            [
                "2 ringmark, persistent 375 (250 .. 500) 2 - 1.50",
                "2 ringmark, persistent, file 500 (500 .. 500) 1 - 2.00",
                "2 linux, io_uring 250 (250 .. 250) 1 - 1.00",
            ]
        );
    }

    #[test]
    fn instructions_are_the_mean_of_all_runs_with_their_spread() {
        assert_eq!(
            lines(by_instructions, [&run(2.0, Some(1_000_000)), &run(2.0, Some(2_000_000))])[1..],
            [
                "2 ringmark, persistent 750000 1500 1500 0 0 0.000 - 1.50 2 100.000 %",
                "2 ringmark, persistent, file 1000000 1000 1000 0 0 0.000 - 2.00 1 -",
                "2 linux, io_uring 500000 2000 2000 0 0 0.000 - 1.00 1 -",
            ]
        );
    }
}
