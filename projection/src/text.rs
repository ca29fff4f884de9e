//! Projections as text. Each table says that it is projected.

use crate::anchors::{Checked, PER_CENT_MAX};
use crate::cause::{Cause, Whose};
use crate::costs::{Costs, Key};
use crate::crossing::Crossing;
use crate::curve::{Curve, Point, Share};
use crate::projection::Projection;
use crate::setup::{Disk, Setup};

/// Characters before the first column.
const HEAD: usize = 39;

/// Returns a projection as tables, and what its crossings say.
pub fn projection_text(costs: &Costs, projection: &Projection) -> String {
    let mut text = setup_text(costs, &projection.setup).trim_start().to_owned();
    text += &iops_table(&projection.curves);
    text += &limits_text(&projection.curves);
    text += &cycles_table(&projection.curves);
    for crossing in &projection.crossings {
        text += &crossing_text(crossing);
    }
    text
}

/// Returns published figures and their projections as a table, and what is wrong with the two that
/// are worst.
pub fn check_text(checked: &[Checked]) -> String {
    let mut text = format!(
        "{:<31} {:>10} {:>10} {:>7}  {:<13} from\n",
        "IOPS", "published", "projected", "error", "limit"
    );
    for of in checked {
        let mark = if of.is_met() { ' ' } else { '*' };
        let line = format!(
            "{:<31} {:>10.0} {:>10.0} {:>5.1} %{mark} {:<13} {}",
            of.anchor.name,
            of.anchor.iops,
            of.projected_iops,
            of.error_percent,
            of.limit.words(),
            of.anchor.source,
        );
        text += &format!("{line}\n");
    }
    let met = checked.iter().filter(|of| of.is_met()).count();
    let all = checked.len();
    text += &format!(
        "\nprojected from one table of costs; {met} of {all} are within {PER_CENT_MAX:.0} %, * \
         not\n"
    );
    let mut worst: Vec<&Checked> = checked.iter().collect();
    worst.sort_by(|a, b| b.error_percent.abs().total_cmp(&a.error_percent.abs()));
    for of in worst.iter().take(2) {
        let (name, error, anchor) = (of.anchor.name, of.error_percent, &of.anchor);
        text += &wrapped(&format!(
            "worst: {name} ({error:+.1} %). Assumed: {}. Left out: {}.",
            anchor.assumed, anchor.doubt
        ));
    }
    text
}

fn setup_text(costs: &Costs, setup: &Setup) -> String {
    let load = setup.load;
    let disk = match load.disk {
        Disk::Ramdisk => "ramdisks",
        Disk::Null => "null_blk",
    };
    let clock = costs.get(Key::Clock);
    wrapped(&format!(
        "projected, not measured: a host of {} at {clock} GHz, {} of dom0; guests of {} with a \
         disk of {}, 4 KiB I/O on {disk} at iodepth {}, of which {} fit in the rings.",
        counted(setup.cpus, "processor"),
        counted(setup.dom0_vcpus, "vCPU"),
        counted(load.vcpus, "vCPU"),
        counted(load.queues, "queue"),
        load.iodepth,
        setup.in_flight(),
    ))
}

fn iops_table(curves: &[Curve]) -> String {
    let head = format!("\n{:<HEAD$}", "projected IOPS by guests");
    let mut text =
        curves.iter().fold(head, |text, curve| text + &column(curve.system.name())) + "\n";
    let rows = curves.first().map_or(0, |curve| curve.points.len());
    for row in 0..rows {
        let points = || curves.iter().filter_map(|curve| curve.points.get(row));
        let guests = points().next().map_or(0, |point| point.guests);
        let line = format!("{guests:<HEAD$}");
        text += &points().fold(line, |line, point| line + &column(&format!("{:.0}", point.iops)));
        text += "\n";
    }
    text
}

/// Returns for each curve what limits it, with which numbers of guests.
fn limits_text(curves: &[Curve]) -> String {
    let mut text = "\nprojected to be limited by, for so many guests\n".to_owned();
    for curve in curves {
        let spans = curve.points.chunk_by(|one, next| one.limit == next.limit);
        let spans = spans.filter_map(|span| Some((span.first()?, span.last()?)));
        let spans = spans.map(|(first, last)| match first.guests == last.guests {
            true => format!("{} ({})", first.limit.words(), first.guests),
            false => format!("{} ({} to {})", first.limit.words(), first.guests, last.guests),
        });
        let spans: Vec<String> = spans.collect();
        text += &format!("{:<17} {}\n", curve.system.name(), spans.join(", "));
    }
    text
}

/// Returns the cycles of an I/O by cause, with the most guests.
fn cycles_table(curves: &[Curve]) -> String {
    let points: Vec<&Point> = curves.iter().filter_map(|curve| curve.points.last()).collect();
    let Some(guests) = points.first().map(|point| point.guests) else { return String::new() };
    let of = counted(guests, "guest");
    let head = format!("\n{:<HEAD$}", format!("projected cycles for an I/O, {of}"));
    let mut text =
        curves.iter().fold(head, |text, curve| text + &column(curve.system.name())) + "\n";
    for cause in Cause::ALL {
        let cycles = points.iter().map(|point| point.cycles(cause));
        if cycles.clone().any(|cycles| cycles > 0.0) {
            text += &cycles_row(&format!("{:<5} {}", whose(cause.whose()), cause.words()), cycles);
        }
    }
    text + &cycles_row("all", points.iter().map(|point| point.total()))
}

fn cycles_row(name: &str, cycles: impl Iterator<Item = f64>) -> String {
    let cell = |cycles: f64| if cycles > 0.0 { format!("{cycles:.0}") } else { "-".to_owned() };
    cycles.fold(format!("{name:<HEAD$}"), |row, cycles| row + &column(&cell(cycles))) + "\n"
}

pub(crate) fn column(text: &str) -> String {
    format!(" {text:>17}")
}

fn crossing_text(crossing: &Crossing) -> String {
    let (winner, loser) = (crossing.winner.name(), crossing.loser.name());
    let ahead = match crossing.from_guests {
        Some(guests) => format!("ahead of {loser} from {} on", counted(guests, "guest")),
        None => format!("never ahead of {loser}"),
    };
    let why = |verb: &str, share: Option<Share>| {
        share.map_or(String::new(), |share| {
            let whose = whose(share.whose);
            let Share { cause, cycles, .. } = share;
            format!("; most of what it {verb} is {} ({whose}), {cycles:.0} cycles", cause.words())
        })
    };
    let (saves, pays) = (why("saves", crossing.saves), why("pays", crossing.pays));
    let (ratio, guests) = (crossing.ratio, counted(crossing.guests, "guest"));
    wrapped(&format!(
        "projected: {winner} is {ahead}, {ratio:.2} times its IOPS with {guests}{saves}{pays}."
    ))
}

const fn whose(whose: Whose) -> &'static str {
    match whose {
        Whose::Guest => "guest",
        Whose::Xen => "Xen",
        Whose::Dom0 => "dom0",
    }
}

fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Returns a paragraph, with an empty line before it, in lines of at most 100 characters.
pub(crate) fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let (before, from) = match column {
            0 => ("\n", 0),
            _ if column + 1 + length > 100 => ("\n", 0),
            _ => (" ", column + 1),
        };
        lines += before;
        lines += word;
        column = from + length;
    }
    lines + "\n"
}
