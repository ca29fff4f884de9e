//! Ratios of two systems with their intervals: a row for each, a line at 1, on a logarithmic axis.
//!
//! A ratio whose interval holds 1 shows no difference: its point is hollow.

use crate::axis::Axis;
use crate::figure::{Figure, left_out};
use crate::label::Label;
use crate::svg::{Anchor, AxisText, Svg, WIDTH};

/// Most rows of all figures, and rows after which a figure ends.
const ROWS_MAX: usize = 96;
const FIGURE_ROWS: usize = 24;
/// Heights of a name, of the interval below it, of the values below all, and room beside.
const NAME: f64 = 18.0;
const ROW: f64 = 20.0;
const VALUES: f64 = 40.0;
const BESIDE: f64 = 24.0;
/// Half the height of the ends of an interval.
const CAP: f64 = 4.0;
/// Ends of the axis: no closer to 1, and no farther from it.
const ENDS: [f64; 2] = [1.02, 100.0];
/// Values beside the axis, above 1, for an end up to so much.
const TICKS: [(f64, &[f64]); 6] = [
    (1.05, &[1.01, 1.02, 1.05]),
    (1.15, &[1.05, 1.1]),
    (1.5, &[1.1, 1.25, 1.5]),
    (3.0, &[1.5, 2.0, 3.0]),
    (12.0, &[2.0, 5.0, 10.0]),
    (f64::INFINITY, &[3.0, 10.0, 30.0, 100.0]),
];

/// Ratio of two systems.
#[derive(Clone, Debug)]
pub struct Row {
    /// Work that both did, and which two they are.
    pub name: Label,
    /// Estimate of the ratio.
    pub ratio: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Row {
    /// Returns whether the interval shows a difference.
    fn differs(&self) -> bool {
        self.low > 1.0 || self.high < 1.0
    }

    fn is_good(&self) -> bool {
        let ends = [self.low, self.ratio, self.high];
        ends.iter().all(|end| end.is_finite() && *end > 0.0) && ends.is_sorted()
    }
}

/// Draws the rows that are ratios, in one figure or more, all to one scale. `note` says whose they
/// are, in sentences.
pub fn figures(title: &str, note: &str, rows: &[Row]) -> Vec<Figure> {
    let good: Vec<&Row> = rows.iter().filter(|row| row.is_good()).collect();
    let shown = good.get(..good.len().min(ROWS_MAX)).unwrap_or_default();
    let beyond = |row: &&Row| row.high.max(1.0 / row.low);
    let [least, greatest] = ENDS;
    let end = shown.iter().map(beyond).fold(least, f64::max).min(greatest) * 1.005;
    let left_out = left_out(shown.len(), rows.len(), "ratios");
    let last = shown.chunks(FIGURE_ROWS).count();
    let figure = |(index, rows): (usize, &[&Row])| {
        let number = if last == 1 { String::new() } else { format!(" ({} of {last})", index + 1) };
        let how = "The line is the 95 % interval; one that crosses 1 shows no difference, and its \
                   point is hollow.";
        Figure {
            title: Label::of(&format!("{title}{number}")),
            note: match index {
                0 => format!("{note} {how}{left_out}"),
                _ => "To the same scale.".to_owned(),
            },
            plots: vec![(None, plot(title, rows, end))],
            legend: Vec::new(),
        }
    };
    shown.chunks(FIGURE_ROWS).enumerate().map(figure).collect()
}

fn plot(title: &str, rows: &[&Row], end: f64) -> String {
    let bottom = (NAME + ROW) * rows.len() as f64;
    let axis = Axis::log(1.0 / end, end, [BESIDE, WIDTH - BESIDE]);
    let mut svg = Svg::new(bottom + VALUES);
    let text = AxisText { axis: &axis, ticks: ticks(end), title: "" };
    svg.values_below(&text, [bottom - CAP, bottom]);
    let one = axis.place(1.0);
    svg.text(Anchor::Middle, [WIDTH / 2.0, bottom + VALUES - 6.0], "ratio");
    let mut about = String::new();
    for (number, row) in rows.iter().enumerate() {
        let y = (NAME + ROW) * number as f64;
        svg.label([0.0, y + NAME - 5.0], &row.name);
        let told = told(row);
        svg.text(Anchor::End, [WIDTH, y + NAME - 5.0], &told);
        let middle = y + NAME + ROW / 2.0 - 2.0;
        // No line through a name.
        svg.line("axis", [one, y + NAME], [one, y + NAME + ROW - CAP]);
        let [low, at, high] = [row.low, row.ratio, row.high].map(|value| axis.place(value));
        svg.interval([low, middle], [high, middle], CAP);
        svg.dot(if row.differs() { "c0" } else { "c0 hollow" }, [at, middle], &told);
        about.push_str(&format!("{}: {told}. ", row.name.full));
    }
    svg.describe(about.trim_end());
    svg.finish(title)
}

fn told(row: &Row) -> String {
    let digits = if row.high < 10.0 { 3 } else { 1 };
    let [ratio, low, high] = [row.ratio, row.low, row.high].map(|of| format!("{of:.digits$}"));
    format!("{ratio} ({low} .. {high})")
}

/// Returns values on both sides of 1, whose logarithms are as far from it.
fn ticks(end: f64) -> Vec<(f64, String)> {
    let above = TICKS.iter().find(|(most, _)| end <= *most).map_or(&[][..], |(_, ticks)| *ticks);
    let above = || above.iter().copied().filter(|tick| *tick <= end);
    let below = above().rev().map(|tick| 1.0 / tick);
    let spell = |tick: f64| {
        let text = format!("{tick:.3}");
        (tick, text.trim_end_matches('0').trim_end_matches('.').to_owned())
    };
    below.chain([1.0]).chain(above()).map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, low: f64, high: f64) -> Row {
        Row { name: Label::of("<a>, read"), ratio, low, high }
    }

    #[test]
    fn a_ratio_has_its_interval_and_says_whether_it_differs() {
        let rows = [row(1.2, 1.1, 1.3), row(1.01, 0.95, 1.08), row(0.5, 0.4, 0.6)];
        let figure = figures("A/B", "IOPS of A to B.", &rows).remove(0);
        let (_, plot) = &figure.plots[0];
        assert_eq!(plot.matches("<path class=\"interval\"").count(), 3, "{plot}");
        assert_eq!(plot.matches("class=\"c0 hollow\"").count(), 1, "{plot}");
        assert!(plot.contains(">1.010 (0.950 .. 1.080)</text>") && plot.contains(">1</text>"));
        assert!(plot.contains("<desc>&lt;a&gt;, read: 1.200 (1.100 .. 1.300). "), "{plot}");
        assert!(!plot.contains("<a>") && figure.note.starts_with("IOPS of A to B. The line is"));
    }

    #[test]
    fn the_axis_is_even_about_one() {
        for (end, expected) in [
            (1.025, &["0.98", "0.99", "1", "1.01", "1.02"][..]),
            (1.12, &["0.909", "0.952", "1", "1.05", "1.1"]),
            (2.5, &["0.5", "0.667", "1", "1.5", "2"]),
            (90.0, &["0.033", "0.1", "0.333", "1", "3", "10", "30"]),
        ] {
            let found: Vec<String> = ticks(end).into_iter().map(|(_, text)| text).collect();
            assert_eq!(found, expected, "{end}");
        }
    }

    #[test]
    fn absurd_ratios_are_left_out_and_many_have_an_end() {
        let absurd = [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e308, 5e-324, 1.0];
        let rows = absurd.into_iter().flat_map(|a| {
            absurd.into_iter().flat_map(move |b| absurd.into_iter().map(move |c| row(a, b, c)))
        });
        let rows: Vec<Row> = rows.collect();
        for figure in figures("A/B", "", &rows) {
            let (_, plot) = &figure.plots[0];
            assert!(!plot.contains("NaN") && !plot.contains("inf"), "{plot}");
        }
        assert!(figures("A/B", "", &rows[..1]).is_empty());
        let many = vec![row(1.0, 0.9, 1.1); 5000];
        let figures = figures("A/B", "", &many);
        assert_eq!(figures.len(), ROWS_MAX / FIGURE_ROWS);
        assert!(figures[0].note.ends_with("Of 5000 ratios the first 96 are shown."));
    }
}
