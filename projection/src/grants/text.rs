//! Projections of grant locks as text. Each table says that it is projected.

use super::curves::{GrantLocks, LockCurve, PageTime};
use super::designs::Design;
use super::figures::{LockCheck, SEEDS};
use super::machine::{MEASURED, WARM_UP};
use super::workload::IN_FLIGHT;
use crate::costs::{Costs, Key};
use crate::text::{column, wrapped};

/// Characters before the first column.
const HEAD: usize = 30;
/// Rates at the ends of a chart, in MB/s, and the characters between them.
const CHART: (f64, f64, usize) = (100.0, 1e6, 60);

/// Difference that seeds make at most, in per cent, which a test holds them to.
const SEEDS_PERCENT: f64 = 12.0;
/// Difference up to which two designs count as equal, in per cent.
const SAME_PERCENT: f64 = 2.0;

/// Returns curves and published figures as tables.
pub fn grant_locks_text(costs: &Costs, locks: &GrantLocks, check: &LockCheck) -> String {
    let cost = |key: Key| format!("{} {}", costs.get(key), key.unit());
    let (near, far) = (cost(Key::LineSocket), cost(Key::LineRemote));
    let sockets = locks.sockets;
    let sockets = if sockets == 1 { "1 socket".to_owned() } else { format!("{sockets} sockets") };
    let setup = format!(
        "projected, not measured: a guest that writes 2 MB at a time to as many disks as dom0 has \
         processors, in requests of 11 pages that are each mapped and unmapped, {IN_FLIGHT} in \
         flight of each disk; as many processors of its own; each a core at {}, all on {sockets}; \
         a cache line takes {near} within a socket and {far} between two. Each request goes round \
         {WARM_UP} times before anything counts, and {MEASURED} times that count. Rates \
         have three digits, and seeds differ by up to {SEEDS_PERCENT} %.",
        cost(Key::Clock),
    );
    let mut text = wrapped(&setup).trim_start().to_owned();
    for curves in locks.curves.chunk_by(|one, next| one.case() == next.case()) {
        text += &curves_table(curves);
        text += &times_table(curves);
        text += &chart(curves);
    }
    text + &comparison(locks) + &check_table(check)
}

/// Returns a number with three digits, or with all that are before its point.
fn rounded(value: f64) -> String {
    let digits = value.abs().max(1.0).log10().floor() as i32;
    let unit = 10_f64.powi((digits - 2).max(0));
    format!("{:.0}", (value / unit).round() * unit)
}

/// Says where the last design is slower than the one before it.
fn comparison(locks: &GrantLocks) -> String {
    let (last, before) = (Design::PackedWords, Design::PerCpuRwLock);
    let compare = |one: Design, other: Design| {
        let slower = locks.slower(one, other, SAME_PERCENT);
        let slower = slower.iter().map(|(case, cpus)| format!("{cpus} ({case})"));
        let slower: Vec<String> = slower.collect();
        let slower = if slower.is_empty() { "none".to_owned() } else { slower.join(", ") };
        format!("{} slower than {}: {slower}.", one.name(), other.name())
    };
    wrapped(&format!(
        "numbers of processors with which one of the last two is slower by more than \
         {SAME_PERCENT} %: {} {}",
        compare(last, before),
        compare(before, last)
    ))
}

fn head(title: &str) -> String {
    let names = Design::ALL.into_iter().map(|design| column(design.name()));
    format!("\n{title:<HEAD$}{}\n", names.collect::<String>())
}

fn curves_table(curves: &[LockCurve]) -> String {
    let case = curves.first().map_or("", LockCurve::case);
    let mut text = head(&format!("projected MB/s, {case}"));
    let rows = curves.first().map_or(0, |curve| curve.points.len());
    for row in 0..rows {
        let points = || curves.iter().filter_map(|curve| curve.points.get(row));
        let cpus = points().next().map_or(0, |point| point.cpus);
        let values = points().map(|point| column(&rounded(point.mb_per_s)));
        text += &format!("{cpus:<HEAD$}{}\n", values.collect::<String>());
    }
    text
}

/// Returns where the time of dom0's processors goes, with most of them.
fn times_table(curves: &[LockCurve]) -> String {
    let last = || curves.iter().filter_map(|curve| curve.points.last());
    let cpus = last().next().map_or(0, |point| point.cpus);
    let mut text = head(&format!("ns for a page of these, {cpus} CPUs"));
    type Part = fn(&PageTime) -> f64;
    let rows: [(&str, Part); 4] = [
        ("work", |time| time.work),
        ("waiting for cache lines", |time| time.lines),
        ("spinning for locks", |time| time.spin),
        ("flushing TLBs", |time| time.flush),
    ];
    for (name, of) in rows {
        let values = last().map(|point| column(&rounded(of(&point.page_ns))));
        text += &format!("{name:<HEAD$}{}\n", values.collect::<String>());
    }
    text
}

/// Returns the curves as letters on a logarithmic scale.
fn chart(curves: &[LockCurve]) -> String {
    let (least, most, width) = CHART;
    let mut text = format!("\n{:>6} {:<width$}{:>8}\n", "CPUs", "|100 MB/s, logarithmic", "10^6|");
    let rows = curves.first().map_or(0, |curve| curve.points.len());
    for row in 0..rows {
        let mut line = vec![' '; width + 1];
        let mut cpus = 0;
        for (letter, curve) in ('a'..).zip(curves) {
            let Some(point) = curve.points.get(row) else { continue };
            cpus = point.cpus;
            let part = (point.mb_per_s.clamp(least, most) / least).ln() / (most / least).ln();
            if let Some(place) = line.get_mut((part * width as f64).round() as usize) {
                *place = if *place == ' ' { letter } else { '=' };
            }
        }
        let line: String = line.into_iter().collect();
        text += &format!("{cpus:>6} {}\n", line.trim_end());
    }
    let names =
        ('a'..).zip(curves).map(|(letter, curve)| format!("{letter} {}", curve.design.name()));
    let names: Vec<String> = names.collect();
    text + &format!("{:>6} {}; = several\n", "", names.join(", "))
}

fn check_table(check: &LockCheck) -> String {
    let mut text = format!(
        "\n{:<38} {:>7} {:>9} {:>9} {:>14}  from\n",
        "figures",
        "unit",
        "published",
        "projected",
        format!("of {SEEDS} seeds")
    );
    for of in &check.figures {
        let range = format!("{:.0} to {:.0}", of.range[0], of.range[1]);
        text += &format!(
            "{:<38} {:>7} {:>9.0} {:>9.0} {:>14}  {}\n",
            of.name, of.unit, of.published, of.value, range, of.source
        );
    }
    text += &format!(
        "\n{:<38} {:>9} {:>9} {:>8} {:>8}\n",
        "ratios", "published", "projected", "error", "aim"
    );
    for of in &check.ratios {
        let mark = if of.is_met() { ' ' } else { '*' };
        text += &format!(
            "{:<38} {:>9.2} {:>9.2} {:>6.0} %{mark} {:>5.0} %\n",
            of.name,
            of.published,
            of.projected,
            of.error_percent(),
            of.most_percent
        );
    }
    let met = check.ratios.iter().filter(|of| of.is_met()).count();
    let order = if check.has_order() { "is" } else { "is not" };
    text += &wrapped(&format!(
        "projected from one table of costs: the order of the mail's three {order} met beyond what \
         seeds differ by; {met} of {} ratios are within their aim, * not.",
        check.ratios.len()
    ));
    text
}
