//! Latency against load: percentiles as lines, the knee, and the loads that a disk did not keep up
//! with.
//!
//! A percentile is told by its place, its name at the end of its line, its dashes and its colour.
//! One curve has a large plot, several have small ones with the same axes.

use crate::axis::{Axis, round, time};
use crate::figure::{Figure, PLOTS_MAX, frame, left_out};
use crate::label::Label;
use crate::svg::{Anchor, AxisText, Frame, Svg};

/// Names of the percentiles of a point, from below, and the classes of their lines.
const PERCENTILES: [(&str, &str); 3] = [("50%", "c0"), ("99%", "c1 d1"), ("99.9%", "c3 d2")];
/// Most points of a curve that are drawn: more than anybody can tell apart.
const POINTS_MAX: usize = 400;
/// Most points that a description lists.
const DESCRIBED_MAX: usize = 20;
/// Least end of the horizontal axis, in per cent.
const WHOLE: f64 = 100.0;
/// Distance of two names at the ends of lines, in a plot's units.
const APART: f64 = 13.0;

/// Curve to draw.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Name of the job and whatever else tells it from others.
    pub name: Label,
    /// Points with ascending loads.
    pub points: Vec<Point>,
    /// Load of the knee in per cent of saturation, if there is one.
    pub knee: Option<f64>,
}

/// Point of a curve.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Load, in per cent of saturation.
    pub percent: f64,
    /// Latencies that 50, 99 and 99.9 % of the I/Os did not exceed, in nanoseconds.
    pub latency_ns: [Option<f64>; 3],
    /// Whether the disk kept up with this load.
    pub kept_up: bool,
}

/// Greatest load, least and greatest latency of all curves.
#[derive(Clone, Copy, Debug)]
struct Ends {
    load: f64,
    latency: [f64; 2],
}

impl Ends {
    fn of(curves: &[Curve]) -> Option<Self> {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let is_good = |ns: &f64| ns.is_finite() && *ns > 0.0;
        let times = || points().flat_map(|point| point.latency_ns).flatten().filter(is_good);
        let load = points().map(|point| point.percent).filter(|load| load.is_finite());
        Some(Self {
            load: load.fold(WHOLE, f64::max).min(10.0 * WHOLE),
            latency: [times().reduce(f64::min)?, times().reduce(f64::max)?],
        })
    }
}

/// Draws a figure of curves; none if they have no latency.
pub fn figure(curves: &[Curve]) -> Option<Figure> {
    let plots = plots(curves);
    let is_many = plots.len() > 1;
    let named = |(name, plot): (Label, String)| (is_many.then_some(name), plot);
    let legend = PERCENTILES.iter().map(|(name, class)| {
        ((*class).to_owned(), Label::of(&format!("{name} of the I/Os took no longer")))
    });
    let title = match curves {
        [curve] => Label {
            short: format!("Latency by load, {}", curve.name.short),
            full: format!("Latency by load, {}", curve.name.full),
        },
        _ => Label::of("Latency by load"),
    };
    (!plots.is_empty()).then(|| Figure {
        title,
        note: format!(
            "From the time at which an I/O was due, at a share of the IOPS at saturation. The \
             vertical line is the knee, from where on 99 % take more than twice their least; \
             striped are loads that the disk did not keep up with.{}",
            left_out(plots.len(), curves.len(), "curves")
        ),
        plots: plots.into_iter().map(named).collect(),
        legend: legend.collect(),
    })
}

/// Draws a plot of each curve, as many as a figure has; none if they have no latency.
pub fn plots(curves: &[Curve]) -> Vec<(Label, String)> {
    let curves = curves.get(..curves.len().min(PLOTS_MAX)).unwrap_or_default();
    let Some(ends) = Ends::of(curves) else { return Vec::new() };
    let frame = frame(curves.len());
    curves.iter().map(|curve| (curve.name.clone(), plot(curve, ends, frame))).collect()
}

fn plot(curve: &Curve, ends: Ends, frame: &Frame) -> String {
    let across = Axis::linear(ends.load, frame.across_to_names());
    let upwards = Axis::decades(ends.latency[0], ends.latency[1], frame.upwards());
    let loads = AxisText::new(&across, |load| format!("{}%", round(load)), "load, of saturation");
    let times = AxisText::new(&upwards, time, "latency");
    let mut svg = Svg::with_axes(frame, &loads, &times);
    above_saturation(&mut svg, curve, &across, frame);
    let every = curve.points.len().div_ceil(POINTS_MAX).max(1);
    let shown: Vec<&Point> = curve.points.iter().step_by(every).collect();
    let mut names = Vec::new();
    for (number, (name, class)) in PERCENTILES.iter().enumerate() {
        let place = |point: &&&Point| {
            let ns = point.latency_ns.get(number).copied().flatten()?;
            ns.is_finite().then(|| [across.place(point.percent), upwards.place(ns)])
        };
        let line: Vec<[f64; 2]> =
            shown.iter().filter(|point| point.kept_up).filter_map(|p| place(&p)).collect();
        svg.curve(class, &line, name);
        let above = shown.iter().filter(|point| !point.kept_up).filter_map(|p| place(&p));
        above.for_each(|at| svg.cross(class, at));
        names.extend(line.last().map(|&[x, y]| (x, y, *name)));
    }
    name_lines(&mut svg, names);
    knee(&mut svg, curve, &across, frame);
    svg.describe(&described(curve));
    svg.finish(&format!("Latency by load, {}", curve.name.full))
}

/// Stripes the loads from the first that the disk did not keep up with to the end.
fn above_saturation(svg: &mut Svg, curve: &Curve, across: &Axis, frame: &Frame) {
    let Some(first) = curve.points.iter().position(|point| !point.kept_up) else { return };
    let load = |index: usize| curve.points.get(index).map(|point| point.percent);
    let before = first.checked_sub(1).and_then(load);
    let Some(first) = load(first) else { return };
    let from = across.place(before.map_or(first, |before| f64::midpoint(before, first)));
    let ([_, to], [bottom, top]) = (frame.across_to_names(), frame.upwards());
    if to > from {
        svg.bar("beyond", [from, top], [to - from, bottom - top], "above saturation");
        svg.stripes([from, top], [to - from, bottom - top]);
    }
}

/// Names the lines at their ends, from below; names that would touch are moved up.
fn name_lines(svg: &mut Svg, mut ends: Vec<(f64, f64, &str)>) {
    ends.sort_by(|(_, one, _), (_, other, _)| other.total_cmp(one));
    let mut last = f64::INFINITY;
    for (x, y, name) in ends {
        last = y.min(last - APART);
        svg.text(Anchor::Start, [x + 6.0, last + 4.0], name);
    }
}

fn knee(svg: &mut Svg, curve: &Curve, across: &Axis, frame: &Frame) {
    let Some(percent) = curve.knee.filter(|knee| knee.is_finite()) else { return };
    let (x, [bottom, top]) = (across.place(percent), frame.upwards());
    svg.line("knee", [x, bottom], [x, top]);
    let [left, right] = frame.across_to_names();
    let anchor = if x < f64::midpoint(left, right) { Anchor::Start } else { Anchor::End };
    let beside = if anchor == Anchor::Start { 4.0 } else { -4.0 };
    svg.text(anchor, [x + beside, top + 11.0], &format!("knee {}%", percent.round()));
}

/// Tells what is on a plot.
fn described(curve: &Curve) -> String {
    let knee = match curve.knee {
        Some(percent) if percent.is_finite() => format!("Knee at {} %.", percent.round()),
        _ => "No knee.".to_owned(),
    };
    let point = |point: &Point| {
        let told = |ns: Option<f64>| ns.filter(|ns| ns.is_finite()).map_or("-".to_owned(), time);
        let [p50, p99, p999] = point.latency_ns.map(told);
        let above = if point.kept_up { "" } else { ", above saturation" };
        let load = if point.percent.is_finite() { point.percent } else { 0.0 };
        let load = round(load.clamp(0.0, 1e6));
        format!(" At {load} %: 50 % within {p50}, 99 % within {p99}, 99.9 % within {p999}{above}.")
    };
    let points: String = curve.points.iter().take(DESCRIBED_MAX).map(point).collect();
    format!("{knee}{points}{}", left_out(DESCRIBED_MAX, curve.points.len(), "loads"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: impl IntoIterator<Item = (f64, f64, bool)>) -> Curve {
        let point = |(percent, ns, kept_up)| Point {
            percent,
            latency_ns: [Some(ns), Some(ns * 3.0), Some(ns * 9.0)],
            kept_up,
        };
        Curve {
            name: Label::of("<job>, read"),
            points: points.into_iter().map(point).collect(),
            knee: Some(55.0),
        }
    }

    #[test]
    fn a_curve_has_lines_names_and_a_knee() {
        let figure = figure(&[curve([(10.0, 1e5, true), (50.0, 2e5, true), (95.0, 9e5, true)])]);
        let figure = figure.unwrap();
        let [(None, plot)] = &figure.plots[..] else { panic!("{figure:?}") };
        assert_eq!(plot.matches("<polyline").count(), 3);
        for text in [">50%<", ">99%<", ">99.9%<", ">knee 55%<", "class=\"knee\"", ">100us<"] {
            assert!(plot.contains(text), "{text}: {plot}");
        }
        assert!(plot.contains("<desc>Knee at 55 %. At 10 %: 50 % within 100us, "), "{plot}");
        assert!(!plot.contains("<job>") && !plot.contains("beyond"), "{plot}");
        assert_eq!(figure.legend.len(), 3);
    }

    #[test]
    fn loads_above_saturation_are_striped_and_end_no_line() {
        let points = [(10.0, 1e5, true), (50.0, 2e5, true), (90.0, 9e9, false)];
        let (_, plot) = plots(&[curve(points)]).remove(0);
        assert!(plot.contains("beyond") && plot.contains("above saturation"), "{plot}");
        assert_eq!(plot.matches("<path class=\"cross").count(), 3, "{plot}");
        let line = plot.split("<polyline").nth(1).unwrap().split("points=\"").nth(1).unwrap();
        assert_eq!(line.split('"').next().unwrap().split(' ').count(), 2, "{plot}");
    }

    #[test]
    fn several_curves_share_their_axes() {
        let one = || curve([(10.0, 1e3, true), (95.0, 2e3, true)]);
        let other = Curve { points: curve([(10.0, 1e8, true)]).points, ..one() };
        let figure = figure(&[one(), other]).unwrap();
        assert_eq!(figure.plots.len(), 2);
        assert!(figure.plots.iter().all(|(name, plot)| name.is_some() && plot.contains(">1s<")));
        assert!(figure.plots.iter().all(|(_, plot)| plot.contains("class=\"small\"")));
        let many: Vec<Curve> = (0..100).map(|_| one()).collect();
        let figure = super::figure(&many).unwrap();
        assert_eq!(figure.plots.len(), PLOTS_MAX);
        assert!(figure.note.ends_with("Of 100 curves the first 48 are shown."));
    }

    #[test]
    fn nothing_to_draw_is_no_figure() {
        assert!(figure(&[]).is_none() && figure(&[curve([])]).is_none());
        assert!(figure(&[curve([(10.0, f64::NAN, true)])]).is_none());
    }

    #[test]
    fn absurd_points_are_drawn_within_the_plot() {
        let absurd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e308, 5e-324, 1e5];
        let points = absurd.into_iter().flat_map(|load| {
            absurd.into_iter().flat_map(move |ns| [(load, ns, true), (load, ns, false)])
        });
        let mut all = vec![curve(points)];
        for knee in absurd {
            all.push(Curve { knee: Some(knee), ..all[0].clone() });
        }
        for (_, plot) in plots(&all) {
            assert!(!plot.contains("NaN") && !plot.contains("inf"), "{plot}");
        }
        let long =
            (1..50_000).map(|n| (f64::from(n) / 500.0, f64::from(n % 997) * 1e4, n < 40_000));
        let (_, plot) = plots(&[curve(long)]).remove(0);
        assert!(plot.len() < 200_000, "{}", plot.len());
    }
}
