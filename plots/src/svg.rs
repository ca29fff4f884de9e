//! SVG by hand: the few shapes that the plots are made of, as text within the page.
//!
//! Colours are classes, which the page's style sheet gives a value for each colour scheme. What
//! comes from results is escaped.

use std::fmt::{self, Write};

use crate::axis::Axis;
use crate::label::Label;

/// Number of colours in the style sheet; more lines share them and differ in their dashes.
pub const COLORS: usize = 6;
/// Room between neighbouring texts, in a plot's units.
const BETWEEN: f64 = 8.0;
/// Least distance of neighbouring lines of text, in a plot's units.
const BETWEEN_LINES: f64 = 11.0;
/// Distance of neighbouring stripes, in a plot's units.
const BETWEEN_STRIPES: f64 = 5.0;
/// Width of a name at the end of a line, in digits.
const NAME_DIGITS: f64 = 3.5;
/// Half the size of a cross, in a plot's units.
const CROSS: f64 = 3.5;
/// Most points of a curve that are each shown.
const DOTS_MAX: usize = 12;

/// Measures of a plot with axes, in its own units; the page scales it.
#[derive(Debug)]
pub struct Frame {
    /// Class of the plot, for the size of its texts.
    class: &'static str,
    width: f64,
    height: f64,
    /// Places of the axes' ends; beside them is room for the values.
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Width of a digit, where texts are largest.
    digit: f64,
}

/// Width of a plot without axes, and of one that has a card for itself.
pub const WIDTH: f64 = 460.0;

/// A plot that has a card for itself.
pub const LARGE: Frame = Frame {
    class: "large",
    width: WIDTH,
    height: 300.0,
    left: 66.0,
    right: WIDTH - 22.0,
    top: 30.0,
    bottom: 258.0,
    digit: 9.5,
};

/// One of many plots.
pub const SMALL: Frame = Frame {
    class: "small",
    width: 240.0,
    height: 170.0,
    left: 52.0,
    right: 222.0,
    top: 22.0,
    bottom: 136.0,
    digit: 6.6,
};

impl Frame {
    /// The horizontal ends.
    pub fn across(&self) -> [f64; 2] {
        [self.left, self.right]
    }

    /// The horizontal ends of a plot whose lines have names at their ends.
    pub fn across_to_names(&self) -> [f64; 2] {
        [self.left, self.right - NAME_DIGITS * self.digit]
    }

    /// The vertical ends, upwards.
    pub fn upwards(&self) -> [f64; 2] {
        [self.bottom, self.top]
    }
}

/// A plot under way.
#[derive(Debug)]
pub struct Svg {
    body: String,
    /// Text for those who do not see it, beyond its title; often none.
    about: String,
    class: &'static str,
    width: f64,
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

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        })
    }
}

impl Svg {
    /// An empty plot of this height.
    pub fn new(height: f64) -> Self {
        Self { body: String::new(), about: String::new(), class: LARGE.class, width: WIDTH, height }
    }

    /// A plot with axes and a grid: the horizontal one with these values, spelled so, and a title
    /// below; the vertical one likewise, its title above. Of values whose texts would touch, only
    /// some are there.
    pub fn with_axes(frame: &Frame, across: &AxisText<'_>, upwards: &AxisText<'_>) -> Self {
        let &Frame { class, width, height, left, right, top, bottom, digit } = frame;
        let (body, about) = (String::new(), String::new());
        let mut svg = Self { body, about, class, width, height };
        svg.values(across, [top, bottom], digit);
        let mut last = f64::INFINITY;
        for (value, text) in &upwards.ticks {
            let y = upwards.axis.place(*value);
            svg.line("grid", [left, y], [right, y]);
            if last - y >= BETWEEN_LINES {
                svg.text(Anchor::End, [left - 6.0, y + 4.0], text);
                last = y;
            }
        }
        svg.line("axis", [left, top], [left, bottom]);
        svg.line("axis", [left, bottom], [right, bottom]);
        svg.text(Anchor::Middle, [f64::midpoint(left, right), height - 6.0], across.title);
        svg.text(Anchor::Start, [2.0, 13.0], upwards.title);
        svg
    }

    /// The grid and the values of a horizontal axis, between these heights, on a plot of the page's
    /// width without other axes.
    pub fn values_below(&mut self, across: &AxisText<'_>, [top, bottom]: [f64; 2]) {
        self.values(across, [top, bottom], LARGE.digit);
    }

    fn values(&mut self, across: &AxisText<'_>, [top, bottom]: [f64; 2], digit: f64) {
        for (x, text) in across.fitting(digit) {
            self.line("grid", [x, top], [x, bottom]);
            self.text(Anchor::Middle, [x, bottom + 16.0], text);
        }
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: [f64; 2], to: [f64; 2]) {
        let ([x1, y1], [x2, y2]) = (from.map(Place), to.map(Place));
        self.add(&format!(r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#));
    }

    /// A text, whatever is in it.
    pub fn text(&mut self, anchor: Anchor, place: [f64; 2], text: &str) {
        let ([x, y], text) = (place.map(Place), escape(text));
        self.add(&format!(r#"<text text-anchor="{anchor}" x="{x}" y="{y}">{text}</text>"#));
    }

    /// A text on a filled rectangle, in the colour of this class.
    pub fn text_on(&mut self, class: &str, place: [f64; 2], text: &str) {
        let ([x, y], text) = (place.map(Place), escape(text));
        self.add(&format!(
            r#"<text class="{class}" text-anchor="middle" x="{x}" y="{y}">{text}</text>"#
        ));
    }

    /// A label, which tells its whole name when it is pointed at.
    pub fn label(&mut self, place: [f64; 2], label: &Label) {
        let ([x, y], title) = (place.map(Place), title(&label.full));
        let text = escape(&label.short);
        self.add(&format!(r#"<text x="{x}" y="{y}">{text}{title}</text>"#));
    }

    /// A label above others.
    pub fn heading(&mut self, place: [f64; 2], label: &Label) {
        let ([x, y], title) = (place.map(Place), title(&label.full));
        let text = escape(&label.short);
        self.add(&format!(r#"<text class="head" x="{x}" y="{y}">{text}{title}</text>"#));
    }

    /// Stripes on a rectangle, which tell it from its neighbours without a colour.
    pub fn stripes(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
        let count = (width / BETWEEN_STRIPES) as u32;
        let stripe = |number| {
            let x = x + (f64::from(number) + 0.5) * BETWEEN_STRIPES;
            format!("M{} {}v{}", Place(x), Place(y), Place(height))
        };
        let path: String = (0..count).map(stripe).collect();
        if count > 0 {
            self.add(&format!(r#"<path class="stripes" d="{path}"/>"#));
        }
    }

    /// A text for those who do not see the plot: all that is on it.
    pub fn describe(&mut self, about: &str) {
        self.about = format!("<desc>{}</desc>\n", escape(about));
    }

    /// A filled rectangle that tells `name` when it is pointed at.
    pub fn bar(&mut self, class: &str, place: [f64; 2], size: [f64; 2], name: &str) {
        let ([x, y], [width, height]) = (place.map(Place), size.map(Place));
        let title = title(name);
        self.add(&format!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}">{title}</rect>"#
        ));
    }

    /// A line through points, each shown if there are but few. Points that nobody could tell from
    /// the last one are left out.
    pub fn curve(&mut self, class: &str, points: &[[f64; 2]], name: &str) {
        let mut places = String::new();
        let mut last = None;
        for (index, &[x, y]) in points.iter().enumerate() {
            let is_near = |[a, b]: [f64; 2]| (x - a).abs() < 0.5 && (y - b).abs() < 0.5;
            if last.is_some_and(is_near) && index + 1 != points.len() {
                continue;
            }
            last = Some([x, y]);
            let blank = if places.is_empty() { "" } else { " " };
            let _ = write!(places, "{blank}{},{}", Place(x), Place(y));
        }
        let title = title(name);
        self.add(&format!(r#"<polyline class="{class}" points="{places}">{title}</polyline>"#));
        if points.len() <= DOTS_MAX {
            for [x, y] in points.iter().map(|point| point.map(Place)) {
                self.add(&format!(r#"<circle class="{class}" cx="{x}" cy="{y}" r="3"/>"#));
            }
        }
    }

    /// A horizontal line from one place to another, with ends that are so high on either side.
    pub fn interval(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], cap: f64) {
        let [x1, x2, y1, y2] = [x1, x2, y1, y2].map(Place);
        let [up, down] = [-cap, 2.0 * cap].map(Place);
        let end = format!("m0 {up}v{down}");
        self.add(&format!(
            r#"<path class="interval" d="M{x1} {y1}L{x2} {y2}{end}M{x1} {y1}{end}"/>"#
        ));
    }

    /// A point that tells `name` when it is pointed at.
    pub fn dot(&mut self, class: &str, [x, y]: [f64; 2], name: &str) {
        let ([x, y], title) = ([x, y].map(Place), title(name));
        self.add(&format!(r#"<circle class="{class}" cx="{x}" cy="{y}" r="4">{title}</circle>"#));
    }

    /// A cross: a point that is on no line.
    pub fn cross(&mut self, class: &str, [x, y]: [f64; 2]) {
        let [from, to] = [-CROSS, CROSS].map(|by| [Place(x + by), Place(y + by)]);
        let ([left, top], [right, bottom]) = (from, to);
        self.add(&format!(
            r#"<path class="cross {class}" d="M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}"/>"#
        ));
    }

    /// The element, which `title` tells of to those who do not see it.
    pub fn finish(self, title: &str) -> String {
        let Self { body, about, class, width, height } = self;
        let (title, height) = (escape(title), Place(height));
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{title}\">\n{about}{body}</svg>\n"
        )
    }

    fn add(&mut self, element: &str) {
        let _ = writeln!(self.body, "{element}");
    }
}

/// A name that shows when its element is pointed at.
fn title(name: &str) -> String {
    format!("<title>{}</title>", escape(name))
}

/// A coordinate: whatever it is made of, it is a number, and no long one.
struct Place(f64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.0.is_finite() { self.0.clamp(-1e6, 1e6) } else { 0.0 };
        let text = format!("{place:.1}");
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

/// An axis and what is written beside it.
#[derive(Debug)]
pub struct AxisText<'a> {
    /// The axis.
    pub axis: &'a Axis,
    /// Values and how they are spelled, ascending.
    pub ticks: Vec<(f64, String)>,
    /// Name and unit of the values.
    pub title: &'a str,
}

impl<'a> AxisText<'a> {
    /// An axis with its own round values.
    pub fn new(axis: &'a Axis, spell: fn(f64) -> String, title: &'a str) -> Self {
        let ticks = axis.ticks().into_iter().map(|value| (value, spell(value))).collect();
        Self { axis, ticks, title }
    }

    /// Returns the places and texts of a horizontal axis that do not touch, both ends among them.
    fn fitting(&'a self, digit: f64) -> Vec<(f64, &'a str)> {
        let mut fitting: Vec<(f64, &str)> = Vec::new();
        let width = |text: &str| text.chars().count() as f64 * digit;
        let touch = |(x, text): (f64, &str), (other, before): (f64, &str)| {
            x - other < f64::midpoint(width(text), width(before)) + BETWEEN
        };
        let place = |(value, text): &'a (f64, String)| (self.axis.place(*value), text.as_str());
        for tick in self.ticks.iter().map(place) {
            if !fitting.last().is_some_and(|&last| touch(tick, last)) {
                fitting.push(tick);
            }
        }
        let last = self.ticks.last().map(place);
        if let Some(last) = last.filter(|last| fitting.last() != Some(last)) {
            while fitting.len() > 1 && fitting.last().is_some_and(|&before| touch(last, before)) {
                fitting.pop();
            }
            fitting.push(last);
        }
        fitting
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
        let label = Label { short: "<i>".to_owned(), full: "<b>".to_owned() };
        svg.label([0.0; 2], &label);
        svg.curve("c0", &[[0.0; 2]], "<u>");
        let text = svg.finish("\"><script>");
        for markup in ["<script>", "<i>", "<b>", "<u>", "<c>"] {
            assert!(!text.contains(markup), "{text}");
        }
        assert!(text.contains("&lt;script&gt;&amp;") && text.contains("a&quot;b&lt;c&gt;"));
    }

    #[test]
    fn more_lines_than_colours_have_dashes() {
        assert_eq!([0, 5, 6, 12].map(color), ["c0", "c5", "c0 d1", "c0 d2"]);
    }

    #[test]
    fn every_coordinate_is_a_number() {
        for (value, text) in [
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
            (f64::NEG_INFINITY, "0"),
            (1e308, "1000000"),
            (12.34, "12.3"),
            (7.0, "7"),
        ] {
            assert_eq!(Place(value).to_string(), text);
        }
    }

    #[test]
    fn a_curve_has_no_more_points_than_can_be_seen() {
        let points: Vec<[f64; 2]> = (0..100_000).map(|n| [f64::from(n) / 1000.0, 5.0]).collect();
        let mut svg = Svg::new(10.0);
        svg.curve("c0", &points, "");
        assert!(svg.body.len() < 3000 && svg.body.contains("0,5 0.5,5 "), "{}", svg.body);
        assert!(svg.body.contains(" 100,5\""), "{}", svg.body);
    }

    #[test]
    fn texts_above_each_other_do_not_touch() {
        let across = Axis::linear(1.0, SMALL.across());
        let upwards = Axis::linear(100.0, SMALL.upwards());
        let ticks = [0.0, 5.0, 50.0, 100.0].map(|value| (value, format!("at {value}")));
        let upwards = AxisText { axis: &upwards, ticks: ticks.into(), title: "" };
        let svg = Svg::with_axes(&SMALL, &AxisText::new(&across, |_| String::new(), ""), &upwards);
        let shown = [0, 5, 50, 100].map(|value| svg.body.contains(&format!(">at {value}<")));
        assert_eq!(shown, [true, false, true, true]);
    }

    #[test]
    fn texts_beside_an_axis_do_not_touch() {
        let axis = Axis::log(1.0, 40.0, LARGE.across());
        let ticks = (1..=40).map(|depth| (f64::from(depth), depth.to_string())).collect();
        let text = AxisText { axis: &axis, ticks, title: "" };
        let found = text.fitting(LARGE.digit);
        for pair in found.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= LARGE.digit + BETWEEN, "{found:?}");
        }
        let texts: Vec<&str> = found.iter().map(|(_, text)| *text).collect();
        assert_eq!((texts.first(), texts.last()), (Some(&"1"), Some(&"40")));
        assert!((6..20).contains(&texts.len()), "{texts:?}");
    }
}
