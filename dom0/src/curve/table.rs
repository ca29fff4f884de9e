//! A curve as text: a row for each level of load, and its knee.

use super::knee::Knee;
use super::points::{Curve, Point};
use crate::display;

/// Widths of the columns behind the first.
const WIDTHS: [usize; 8] = [10, 10, 11, 11, 11, 11, 10, 9];

/// Returns the tables of all curves.
pub fn table(curves: &[Curve]) -> String {
    curves.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(curve: &Curve) -> String {
    let Curve { job, direction, saturation, iodepth, depth, points } = curve;
    let mut text = format!(
        "{}, {direction}: {saturation:.0} IOPS at saturation (closed loop, iodepth {iodepth}); \
         below, an open loop\nof Poisson arrivals at iodepth {depth}, latency from the time at \
         which an I/O was due\n",
        display::text(job)
    );
    let heads =
        ["asked", "IOPS", "50 %, us", "99 %, us", "99.9 %, us", "max, us", "held back", "backlog"];
    text.push_str(&row("load", heads.map(str::to_owned), ""));
    for point in points {
        let Point { percent, asked, done, latency_ns: [p50, p99, p999], .. } = point;
        let us = |ns: Option<f64>| ns.map_or("-".to_owned(), |ns| format!("{:.1}", ns / 1e3));
        let ios = |ios: Option<u64>| ios.map_or("-".to_owned(), |ios| ios.to_string());
        let cells = [
            format!("{asked:.0}"),
            format!("{done:.0}"),
            us(*p50),
            us(*p99),
            us(*p999),
            us(point.max_ns),
            ios(point.held_back),
            ios(point.backlog),
        ];
        let above = if point.kept_up { "" } else { "  above saturation" };
        let star = if point.marks.is_empty() { "" } else { " *" };
        text.push_str(&row(&format!("{percent} %"), cells, &format!("{star}{above}")));
    }
    text.push_str(&knee(curve));
    for point in points {
        for mark in &point.marks {
            text.push_str(&format!("* {} %: {mark}\n", point.percent));
        }
    }
    text
}

fn row(first: &str, cells: [String; 8], last: &str) -> String {
    let cells = cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:>width$}"));
    format!("{first:>6}{}{last}\n", cells.collect::<String>())
}

/// Returns the line that tells the knee.
fn knee(curve: &Curve) -> String {
    let least = curve.least_ns().map_or(String::new(), |ns| format!(" ({:.1} us)", ns / 1e3));
    match curve.knee() {
        Some(Knee::At(percent)) => format!(
            "knee: {percent:.0} %, from where on 99 % take more than twice their least{least}\n"
        ),
        Some(Knee::Collapse(percent)) => format!(
            "knee: {percent} %, the last load that the disk kept up with; until then 99 % stay \
             within twice their least{least}\n"
        ),
        Some(Knee::NoneBelow(percent)) => {
            format!("no knee below {percent} %: 99 % stay within twice their least{least}\n")
        }
        None => "no knee: fewer than two levels that the disk kept up with\n".to_owned(),
    }
}
