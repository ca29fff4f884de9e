//! Rates over time, and what is made of them: the part that a mean is of is shaded, the part before
//! it, where the rate still settles, is striped.

use crate::axis::{Axis, count, round};
use crate::figure::{Figure, PLOTS_MAX, frame, left_out};
use crate::label::Label;
use crate::outline::outline;
use crate::svg::{AxisText, Frame, Svg};

/// Most values of a series that are drawn.
const VALUES_MAX: usize = 5000;

/// Rate of a job over time.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name of the job and its system.
    pub name: Label,
    /// Seconds that each value is of.
    pub window_s: f64,
    /// I/Os a second in each window from the start.
    pub iops: Vec<f64>,
    /// Number of windows at the start that are left out.
    pub left_out: usize,
    /// Mean of the others, if it is known.
    pub mean: Option<f64>,
    /// Half the width of its 95 % interval, likewise.
    pub half_width: Option<f64>,
    /// Judgement, in a few words.
    pub verdict: String,
}

impl Series {
    /// Returns when it ends, in seconds.
    fn end_s(&self) -> f64 {
        self.window_s * self.iops.len() as f64
    }
}

/// Draws a figure with a plot for each series that has values, none without.
pub fn figure(all: &[Series]) -> Option<Figure> {
    let with: Vec<&Series> = all.iter().filter(|series| !series.iops.is_empty()).collect();
    let shown = with.get(..with.len().min(PLOTS_MAX)).unwrap_or_default();
    let values = || shown.iter().flat_map(|series| &series.iops).copied();
    let greatest = values().filter(|iops| iops.is_finite()).reduce(f64::max)?;
    let ends = shown.iter().map(|series| series.end_s()).filter(|end| end.is_finite());
    let longest = ends.reduce(f64::max)?;
    let frame = frame(shown.len());
    let is_many = shown.len() > 1;
    let plot = |series: &&Series| {
        let Label { short, full } = &series.name;
        let [short, full] = [short, full].map(|name| format!("{name}: {}", series.verdict));
        let plot = plot(series, [longest, greatest], frame, &full);
        (Some(Label { short, full }), plot)
    };
    let same = if is_many { " All plots have the same axes." } else { "" };
    Some(Figure {
        title: Label::of("IOPS over time, and whether they are steady"),
        note: format!(
            "The shaded part is what the mean (dashed) and its 95 % interval are of; the striped part \
             before it is left out, as the rate still settles.{same}{}",
            left_out(shown.len(), with.len(), "series")
        ),
        plots: shown.iter().map(plot).collect(),
        legend: Vec::new(),
    })
}

fn plot(series: &Series, [longest, greatest]: [f64; 2], frame: &Frame, title: &str) -> String {
    let across = Axis::linear(longest, frame.across());
    let upwards = Axis::linear(greatest, frame.upwards());
    let seconds = AxisText::new(&across, round, "time, s");
    let iops = AxisText::new(&upwards, count, "I/Os a second");
    let mut svg = Svg::with_axes(frame, &seconds, &iops);
    let settled = series.window_s * series.left_out.min(series.iops.len()) as f64;
    let [begin, settled, end] = [0.0, settled, series.end_s()].map(|at| across.place(at));
    let [bottom, top] = frame.upwards();
    if settled > begin {
        svg.bar("beyond", [begin, top], [settled - begin, bottom - top], "left out");
        svg.stripes([begin, top], [settled - begin, bottom - top]);
    }
    if end > settled {
        svg.bar("settled", [settled, top], [end - settled, bottom - top], &series.verdict);
    }
    let middle = |index: usize| (index as f64 + 0.5) * series.window_s;
    let every = series.iops.len().div_ceil(VALUES_MAX).max(1);
    let points = series.iops.iter().enumerate().step_by(every);
    let points = points.map(|(index, &iops)| [across.place(middle(index)), upwards.place(iops)]);
    svg.curve("c0", &outline(&points.collect::<Vec<_>>()), &series.name.full);
    if let Some(mean) = series.mean.filter(|mean| mean.is_finite()) {
        let half = series.half_width.unwrap_or(0.0);
        let [low, at, high] = [mean - half, mean, mean + half].map(|iops| upwards.place(iops));
        if low > high {
            svg.bar("known", [settled, high], [end - settled, low - high], &series.verdict);
        }
        svg.line("mean", [settled, at], [end, at]);
    }
    svg.describe(&format!("{}.", series.verdict));
    svg.finish(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(iops: impl IntoIterator<Item = f64>, left_out: usize) -> Series {
        Series {
            name: Label::of("<a>, read"),
            window_s: 0.1,
            iops: iops.into_iter().collect(),
            left_out,
            mean: Some(1000.0),
            half_width: Some(50.0),
            verdict: "steady, +- 5.0 %".to_owned(),
        }
    }

    #[test]
    fn what_is_left_out_is_striped_and_the_rest_shaded() {
        let one = series((0..600).map(|n| f64::from(n.min(100)) * 10.0), 100);
        let figure = figure(&[one]).unwrap();
        let [(Some(name), plot)] = &figure.plots[..] else { panic!("{figure:?}") };
        assert_eq!(name.full, "<a>, read: steady, +- 5.0 %");
        let [left, right] = [66.0, 438.0];
        let from = left + (right - left) / 6.0;
        for (class, x, width) in [("beyond", left, from - left), ("settled", from, right - from)] {
            let rect = format!("<rect class=\"{class}\" x=\"{x}\" y=\"30\" width=\"{width}\"");
            assert!(plot.contains(&rect), "{rect}: {plot}");
        }
        assert!(plot.contains("class=\"known\"") && plot.contains("class=\"mean\""), "{plot}");
        assert!(!plot.contains("<a>") && plot.contains("<desc>steady, +- 5.0 %.</desc>"));
        let whole = super::figure(&[series([5.0; 10], 0)]).unwrap();
        assert!(!whole.plots[0].1.contains("beyond"));
    }

    #[test]
    fn many_series_are_small_and_have_an_end() {
        let many: Vec<Series> = (0..100).map(|_| series([5.0; 10], 3)).collect();
        let figure = figure(&many).unwrap();
        assert_eq!(figure.plots.len(), PLOTS_MAX);
        assert!(figure.note.ends_with("Of 100 series the first 48 are shown."), "{}", figure.note);
        assert!(super::figure(&[]).is_none() && super::figure(&[series([], 0)]).is_none());
    }

    #[test]
    fn absurd_series_are_drawn_within_the_plot() {
        let absurd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e308, 5e-324, 1e5];
        let mut all = Vec::new();
        for value in absurd {
            let window_s = series(absurd, 9);
            let of_mean =
                Series { mean: Some(value), half_width: Some(value), ..series(absurd, 2) };
            all.extend([Series { window_s: value, ..window_s }, of_mean, series([value; 3], 1)]);
        }
        for (_, plot) in figure(&all).unwrap().plots {
            assert!(!plot.contains("NaN") && !plot.contains("inf"), "{plot}");
        }
        let long = series((0..1_000_000).map(|n| f64::from(n % 977)), usize::MAX);
        let (_, plot) = figure(&[long]).unwrap().plots.remove(0);
        assert!(plot.len() < 50_000, "{}", plot.len());
    }
}
