//! IOPS over time, from logs: a line for each.

use plots::axis::{Axis, count, round};
use plots::figure::{Figure, LINES_MAX, PLOTS_MAX, frame, left_out};
use plots::label::Label;
use plots::outline::outline;
use plots::svg::{AxisText, Frame, Svg, color};

use super::distinct::labels;
use super::load::Log;
use super::names::{WHO_MAX, file_names};

/// Returns the figure, if there are logs.
pub fn figure(logs: &[Log], files: &[std::path::PathBuf]) -> Option<Figure> {
    let is_crowded = logs.len() > LINES_MAX;
    let shown = logs.get(..logs.len().min(PLOTS_MAX)).unwrap_or_default();
    let points = || shown.iter().flat_map(|log| &log.points);
    let longest = points().map(|(seconds, _)| *seconds).reduce(f64::max)?;
    let greatest = points().map(|(_, iops)| *iops).reduce(f64::max)?;
    let files = file_names(files);
    let file = |log: &Log| files.get(log.file).map_or("", String::as_str);
    let name = |log: &Log| format!("{}, {}", file(log), log.direction);
    let names: Vec<String> = shown.iter().map(name).collect();
    let named: Vec<(&Log, Label)> = shown.iter().zip(labels(&names, WHO_MAX)).collect();
    let plot = |logs: &[(&Log, Label)], frame: &Frame, title: &str| {
        let across = Axis::linear(longest, frame.across());
        let upwards = Axis::linear(greatest, frame.upwards());
        let seconds = AxisText::new(&across, round, "time, s");
        let iops = AxisText::new(&upwards, count, "I/Os a second");
        let mut svg = Svg::with_axes(frame, &seconds, &iops);
        for (number, (log, label)) in logs.iter().enumerate() {
            let place = |&(x, y): &(f64, f64)| [across.place(x), upwards.place(y)];
            let points: Vec<[f64; 2]> = log.points.iter().map(place).collect();
            svg.curve(&color(number), &outline(&points), &label.full);
        }
        svg.finish(title)
    };
    let small = |log: &(&Log, Label)| {
        let plot = plot(std::slice::from_ref(log), frame(shown.len()), &log.1.full);
        (Some(log.1.clone()), plot)
    };
    let plots = match is_crowded {
        true => named.iter().map(small).collect(),
        false => vec![(None, plot(&named, frame(1), "IOPS over time"))],
    };
    let legend =
        named.iter().enumerate().map(|(number, (_, label))| (color(number), label.clone()));
    Some(Figure {
        title: Label::of("IOPS over time"),
        note: format!("From the logs.{}", left_out(shown.len(), logs.len(), "logs")),
        plots,
        legend: if is_crowded { Vec::new() } else { legend.collect() },
    })
}
