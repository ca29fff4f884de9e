//! Plots as a picture of their own: an SVG file that needs nothing else.
//!
//! Programs other than browsers know no variables of style sheets, so that those of the page's are
//! spelled out, for a light background.

use crate::label::Label;
use crate::svg::escape;

/// Mark of a picture, without the version behind it.
const MARK: &str = "<metadata>ringmark ";
/// Beginning of a picture.
const BEGIN: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" ";
/// Pixels of a unit of the plots.
const SCALE: f64 = 1.6;
/// Room around a plot, and for its name above, in units of the plots.
const AROUND: f64 = 14.0;
const NAME: f64 = 24.0;
/// Most plots, one below the other.
const PLOTS_MAX: usize = 8;

/// Returns a picture of these plots and their names, one below the other.
pub fn image(plots: &[(Label, String)]) -> String {
    let shown = plots.get(..plots.len().min(PLOTS_MAX)).unwrap_or_default();
    let (mut body, mut y, mut width) = (String::new(), AROUND, 0.0_f64);
    for (name, plot) in shown {
        let [plot_width, height] = size(plot);
        let title = escape(&name.full);
        body.push_str(&format!(
            "<text class=\"large head\" x=\"{AROUND}\" y=\"{}\">{title}</text>\n",
            y + NAME / 2.0
        ));
        y += NAME;
        let place =
            format!("<svg x=\"{AROUND}\" y=\"{y}\" width=\"{plot_width}\" height=\"{height}\" ");
        body.push_str(&plot.replacen("<svg ", &place, 1));
        y += height + AROUND;
        width = width.max(plot_width);
    }
    let width = width + 2.0 * AROUND;
    let names: Vec<&str> = shown.iter().map(|(name, _)| name.full.as_str()).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{BEGIN}role=\"img\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {y}\">\n\
         {MARK}{version}</metadata>\n<title>{}</title>\n<style>\n{}</style>\n\
         <rect class=\"card\" width=\"{width}\" height=\"{y}\"/>\n{body}</svg>\n",
        (width * SCALE).round(),
        (y * SCALE).round(),
        escape(&names.join("; ")),
        style(include_str!("page.css")),
    )
}

/// Width and height of a plot, from its own first line.
fn size(plot: &str) -> [f64; 2] {
    let view = plot.split_once("viewBox=\"0 0 ").and_then(|(_, rest)| rest.split_once('"'));
    let numbers = view.and_then(|(view, _)| view.split_once(' '));
    let number = |text: &str| text.parse().unwrap_or(0.0);
    numbers.map_or([0.0; 2], |(width, height)| [width, height].map(number))
}

/// The rules of the page's style sheet that plots have, each variable replaced by its value on a
/// light background.
fn style(page: &str) -> String {
    let light = page.split_once(":root {").and_then(|(_, rest)| rest.split_once('}'));
    let (light, rules) = light.unwrap_or(("", page));
    let rules = rules.split_once("\ntext {").map_or("", |(_, rules)| rules);
    let rules = rules.lines().filter(|line| !line.starts_with("@media"));
    let mut style = String::from("text {") + &rules.collect::<Vec<_>>().join("\n") + "\n";
    for variable in light.split(';') {
        if let Some((name, value)) = variable.trim().split_once(": ") {
            style = style.replace(&format!("var({name})"), value);
        }
    }
    style
}

/// Returns whether the beginning of a file is that of such a picture.
pub(crate) fn begins(start: &str) -> bool {
    start.starts_with(BEGIN) && start.contains(MARK)
}
