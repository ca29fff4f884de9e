//! A figure: one plot, or many small ones that share their axes.

use crate::label::Label;
use crate::svg::{Frame, LARGE, SMALL};

/// Most lines in one plot; where there would be more, each has a small plot of its own.
pub const LINES_MAX: usize = 12;
/// Most plots in a figure.
pub const PLOTS_MAX: usize = 48;

/// Plots and what their colours mean.
#[derive(Debug)]
pub struct Figure {
    /// Heading.
    pub title: Label,
    /// Explanation for the reader.
    pub note: String,
    /// The plots, each an `svg` element; several have titles.
    pub plots: Vec<(Option<Label>, String)>,
    /// Colours and names.
    pub legend: Vec<(String, Label)>,
}

/// The measures of each of so many plots.
pub fn frame(plots: usize) -> &'static Frame {
    if plots > 1 { &SMALL } else { &LARGE }
}

/// A sentence about what was left out, if something was.
pub fn left_out(shown: usize, all: usize, what: &str) -> String {
    if shown >= all {
        return String::new();
    }
    format!(" Of {all} {what} the first {shown} are shown.")
}
