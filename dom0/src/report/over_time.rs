//! IOPS over time, from logs: a line for each.

use plots::axis::{Axis, count, round};
use plots::figure::{Figure, LINES_MAX, PLOTS_MAX, frame, left_out};
use plots::label::Label;
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

/// Returns a line that looks like the one through these points, with no more than four in a unit of
/// width: the first, the lowest, the highest and the last.
fn outline(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let columns = points.chunk_by(|[a, _], [b, _]| a.floor() == b.floor());
    let ends = |column: &[[f64; 2]]| {
        let by_height = |one: &&[f64; 2], other: &&[f64; 2]| one[1].total_cmp(&other[1]);
        let [low, high] = [column.iter().max_by(by_height), column.iter().min_by(by_height)];
        let mut ends = [column.first(), low, high, column.last()].map(Option::<&_>::copied);
        ends.sort_by(|one, other| {
            let x = |point: &Option<[f64; 2]>| point.map_or(0.0, |[x, _]| x);
            x(one).total_cmp(&x(other))
        });
        ends
    };
    let mut outline: Vec<[f64; 2]> = columns.flat_map(ends).flatten().collect();
    outline.dedup();
    outline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_has_few_points_and_its_peaks() {
        let height = |n: u32| if n == 77_777 { 3.0 } else { f64::from(n % 2) * 50.0 + 100.0 };
        let points: Vec<[f64; 2]> =
            (0..100_000).map(|n| [f64::from(n) / 1000.0, height(n)]).collect();
        let found = outline(&points);
        assert!(found.len() <= 400, "{}", found.len());
        assert!(found.iter().any(|[_, y]| *y == 3.0));
        assert!(found.is_sorted_by(|[a, _], [b, _]| a <= b));
        assert_eq!((found.first(), found.last()), (points.first(), points.last()));
        let few = [[0.0, 1.0], [10.0, 2.0], [10.2, 1.0]];
        assert_eq!(outline(&few), few);
    }
}
