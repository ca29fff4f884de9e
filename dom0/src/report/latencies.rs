//! Distributions of latencies: the share of a job's I/Os that took no longer than so much time.

use plots::axis::{Axis, round, time};
use plots::figure::{Figure, LINES_MAX, PLOTS_MAX, frame, left_out};
use plots::label::Label;
use plots::svg::{AxisText, Frame, Svg, color};

use super::series::Series;
use super::view::View;

/// The part of I/Os that a plot ends at: 99.99 %.
const TAIL: f64 = 0.9999;
/// Most jobs that have a large plot each.
const LARGE_MAX: usize = 8;
/// Explanation for the reader.
const NOTE: &str = "Share of the I/Os that took no longer than this.";

/// Nanoseconds and the part of the I/Os (0 to 1) that took no longer, ascending.
type Curve = Vec<(f64, f64)>;
/// A series by its index, and its distribution.
type Line = (usize, Curve);

/// Returns a figure for each job and direction, or one with many plots.
pub fn figures(view: View<'_>) -> Vec<Figure> {
    let jobs = view.jobs();
    let is_crowded = jobs.iter().any(|job| job.len() > LINES_MAX);
    let groups: Vec<Vec<usize>> = match is_crowded {
        true => jobs.into_iter().flatten().map(|series| vec![series]).collect(),
        false => jobs,
    };
    let lines = |group: &Vec<usize>| {
        let line = |&at: &usize| Some((at, shares(view.series.get(at)?)));
        let lines = group.iter().filter_map(line).filter(|(_, curve)| curve.len() > 1);
        let lines: Vec<Line> = lines.collect();
        (!lines.is_empty()).then_some(lines)
    };
    let all = groups.iter().filter(|group| group.iter().any(|&at| has_curve(view, at))).count();
    let shown: Vec<Vec<Line>> = groups.iter().filter_map(lines).take(PLOTS_MAX).collect();
    if all > LARGE_MAX || is_crowded {
        let left_out = left_out(shown.len(), all, "plots");
        return many(view, &shown, is_crowded, &left_out).into_iter().collect();
    }
    shown.iter().filter_map(|lines| one(view, lines)).collect()
}

fn one(view: View<'_>, lines: &[Line]) -> Option<Figure> {
    let (what, _) = view.labels(lines.first()?.0)?;
    let [short, full] = [&what.short, &what.full].map(|name| format!("Latency, {name}"));
    let plot = plot(view, lines, ends(lines.iter())?, frame(1), &full);
    Some(Figure {
        title: Label { short, full },
        note: NOTE.to_owned(),
        plots: vec![(None, plot)],
        legend: view.legend(lines.iter().map(|(series, _)| *series)),
    })
}

/// A figure with a small plot for each of these. Where `is_crowded`, there is but one line in each,
/// named after its job and system.
fn many(view: View<'_>, groups: &[Vec<Line>], is_crowded: bool, left_out: &str) -> Option<Figure> {
    let ends = ends(groups.iter().flatten())?;
    let plot = |lines: &Vec<Line>| {
        let (what, who) = view.labels(lines.first()?.0)?;
        let with = |what: &str, who: &str| {
            if is_crowded { format!("{what}, {who}") } else { what.to_owned() }
        };
        let label =
            Label { short: with(&what.short, &who.short), full: with(&what.full, &who.full) };
        let plot = plot(view, lines, ends, frame(groups.len().max(2)), &label.full);
        Some((Some(label), plot))
    };
    let series = groups.iter().flatten().map(|(series, _)| *series);
    Some(Figure {
        title: Label::of("Latency"),
        note: format!("{NOTE} All plots have the same axes.{left_out}"),
        plots: groups.iter().filter_map(plot).collect(),
        legend: if is_crowded { Vec::new() } else { view.legend(series) },
    })
}

/// The least and the greatest latency.
fn ends<'a>(lines: impl Iterator<Item = &'a Line> + Clone) -> Option<[f64; 2]> {
    let times = || lines.clone().flat_map(|(_, curve)| curve.iter().map(|(ns, _)| *ns));
    Some([times().reduce(f64::min)?, times().reduce(f64::max)?])
}

fn plot(view: View<'_>, lines: &[Line], ends: [f64; 2], frame: &Frame, title: &str) -> String {
    let across = Axis::decades(ends[0], ends[1], frame.across());
    // Upwards stands how rare a greater latency is: one in 1, 10, 100, .. I/Os.
    let upwards = Axis::log(1.0, 1.0 / (1.0 - TAIL), frame.upwards());
    let ticks = [0.0, 0.5, 0.9, 0.99, 0.999, TAIL];
    let ticks = ticks.map(|share| (1.0 / (1.0 - share), format!("{}%", round(share * 100.0))));
    let times = AxisText::new(&across, time, "latency");
    let shares = AxisText { axis: &upwards, ticks: ticks.into(), title: "share of I/Os" };
    let mut svg = Svg::with_axes(frame, &times, &shares);
    for (series, curve) in lines {
        let place = |&(ns, share): &(f64, f64)| {
            [across.place(ns), upwards.place(1.0 / (1.0 - share.min(TAIL)))]
        };
        let points: Vec<[f64; 2]> = curve.iter().map(place).collect();
        let who = view.labels(*series).map_or("", |(_, who)| &*who.full);
        let is_alone = view.names.whos.len() > LINES_MAX && lines.len() == 1;
        let number = if is_alone { 0 } else { view.numbers(*series).1 };
        svg.curve(&color(number), &points, who);
    }
    svg.finish(title)
}

/// Returns whether [`shares`] has more than one value.
fn has_curve(view: View<'_>, index: usize) -> bool {
    view.series.get(index).is_some_and(|series| {
        let bins: usize = series.runs().map(|run| run.bins.len()).sum();
        if bins > 0 { bins > 1 } else { series.first.percentiles.len() > 1 }
    })
}

/// The distribution of a series: from its bins, or where it has none, from the percentiles of its
/// first run. Ends at the first beyond [`TAIL`].
fn shares(series: &Series<'_>) -> Curve {
    let mut bins: Vec<(f64, u64)> = series.runs().flat_map(|run| run.bins.clone()).collect();
    bins.sort_by(|one, other| one.0.total_cmp(&other.0));
    let total: f64 = bins.iter().map(|(_, count)| *count as f64).sum();
    let mut all: Curve = if total == 0.0 {
        series.first.percentiles.iter().map(|&(percent, ns)| (ns, percent / 100.0)).collect()
    } else {
        let mut below = 0.0;
        let share = |(ns, count)| {
            below += count as f64;
            (ns, below / total)
        };
        bins.into_iter().map(share).collect()
    };
    all.sort_by(|one, other| one.1.total_cmp(&other.1));
    let end = all.iter().position(|(_, share)| *share >= TAIL).map_or(all.len(), |last| last + 1);
    all.truncate(end);
    all
}
