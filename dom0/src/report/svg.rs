//! SVG by hand: the few shapes that the plots are made of, as text within the page.
//!
//! Colours are classes, which the page's style sheet gives a value for each colour scheme. What
//! comes from results is escaped.

use std::fmt::Write;

use super::axis::Axis;

/// The width of each plot, in its own units; the page scales it.
pub const WIDTH: f64 = 460.0;
/// The height of a plot with axes.
const HEIGHT: f64 = 290.0;
/// Place of the axes, which leaves room for the values beside them.
const LEFT: f64 = 60.0;
const RIGHT: f64 = WIDTH - 22.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = HEIGHT - 42.0;
/// Number of colours in the style sheet; more lines share them and differ in their dashes.
pub const COLORS: usize = 6;

/// The horizontal ends of a plot with axes.
pub const ACROSS: [f64; 2] = [LEFT, RIGHT];
/// Its vertical ends, upwards.
pub const UPWARDS: [f64; 2] = [BOTTOM, TOP];

/// A plot under way.
#[derive(Debug)]
pub struct Svg {
    body: String,
    height: f64,
}

/// A text with what HTML would take for markup spelled out.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The class of a line's or bar's colour.
pub fn color(number: usize) -> String {
    let dashes = ["", " d1", " d2"];
    format!("c{}{}", number % COLORS, dashes[(number / COLORS) % dashes.len()])
}

/// Which end of a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Svg {
    /// An empty plot of this height.
    pub fn new(height: f64) -> Self {
        Self { body: String::new(), height }
    }

    /// A plot with axes and a grid: the horizontal one with these values, spelled so, and a title
    /// below; the vertical one likewise, its title above.
    pub fn with_axes(across: &AxisText<'_>, upwards: &AxisText<'_>) -> Self {
        let mut svg = Self::new(HEIGHT);
        for (value, text) in &across.ticks {
            let x = across.axis.place(*value);
            svg.line("grid", [x, TOP], [x, BOTTOM]);
            svg.text(Anchor::Middle, [x, BOTTOM + 16.0], text);
        }
        for (value, text) in &upwards.ticks {
            let y = upwards.axis.place(*value);
            svg.line("grid", [LEFT, y], [RIGHT, y]);
            svg.text(Anchor::End, [LEFT - 6.0, y + 4.0], text);
        }
        svg.line("axis", [LEFT, TOP], [LEFT, BOTTOM]);
        svg.line("axis", [LEFT, BOTTOM], [RIGHT, BOTTOM]);
        svg.text(Anchor::Middle, [(LEFT + RIGHT) / 2.0, HEIGHT - 6.0], across.title);
        svg
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: [f64; 2], to: [f64; 2]) {
        let ([x1, y1], [x2, y2]) = (from, to);
        self.add(&format!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// A text, whatever is in it.
    pub fn text(&mut self, anchor: Anchor, [x, y]: [f64; 2], text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.add(&format!(r#"<text text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#));
    }

    /// A filled rectangle that tells `title` when it is pointed at.
    pub fn bar(&mut self, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2], title: &str) {
        let title = escape(title);
        self.add(&format!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"><title>{title}</title></rect>"#
        ));
    }

    /// A line through points, each shown if there are but few.
    pub fn curve(&mut self, class: &str, points: &[[f64; 2]], title: &str) {
        let title = escape(title);
        let places: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        self.add(&format!(
            r#"<polyline class="{class}" points="{}"><title>{title}</title></polyline>"#,
            places.join(" ")
        ));
        if points.len() <= 12 {
            for [x, y] in points {
                self.add(&format!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3"/>"#));
            }
        }
    }

    /// The element, which `title` tells of to those who do not see it.
    pub fn finish(self, title: &str) -> String {
        let (title, height) = (escape(title), self.height);
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">\n{}</svg>\n",
            self.body
        )
    }

    fn add(&mut self, element: &str) {
        let _ = writeln!(self.body, "{element}");
    }
}

/// An axis and what is written beside it.
#[derive(Debug)]
pub struct AxisText<'a> {
    /// The axis.
    pub axis: &'a Axis,
    /// Values and how they are spelled.
    pub ticks: Vec<(f64, String)>,
    /// Name of the values.
    pub title: &'a str,
}

impl<'a> AxisText<'a> {
    /// An axis with its own round values.
    pub fn new(axis: &'a Axis, spell: fn(f64) -> String, title: &'a str) -> Self {
        let ticks = axis.ticks().into_iter().map(|value| (value, spell(value))).collect();
        Self { axis, ticks, title }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let mut svg = Svg::new(20.0);
        svg.text(Anchor::Start, [0.0, 1.0], "<script>&");
        svg.bar("c0", [0.0; 2], [1.0; 2], "a\"b<c>");
        let text = svg.finish("\"><script>");
        assert!(!text.contains("<script>") && text.contains("&lt;script&gt;&amp;"), "{text}");
        assert!(text.contains("a&quot;b&lt;c&gt;"));
    }

    #[test]
    fn more_lines_than_colours_have_dashes() {
        assert_eq!([0, 5, 6, 12].map(color), ["c0", "c5", "c0 d1", "c0 d2"]);
    }
}
