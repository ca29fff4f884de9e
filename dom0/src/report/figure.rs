//! A figure: one plot, or many small ones that share their axes.

use super::distinct::Label;
use super::names::Names;
use super::series::Series;
use super::svg::{Frame, LARGE, SMALL, color};

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

/// Series to plot, and their names.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Series of runs.
    pub series: &'a [Series<'a>],
    /// Names of the series.
    pub names: &'a Names,
}

impl<'a> View<'a> {
    /// Returns the number of a series' job, and that of its system.
    pub fn numbers(self, series: usize) -> (usize, usize) {
        self.names.of.get(series).copied().unwrap_or_default()
    }

    /// Returns the names of a series' job and of its system.
    pub fn labels(self, series: usize) -> Option<(&'a Label, &'a Label)> {
        let (what, who) = self.numbers(series);
        self.names.whats.get(what).zip(self.names.whos.get(who))
    }

    /// Returns the indexes of the series in groups of one job each.
    pub fn jobs(self) -> Vec<Vec<usize>> {
        let mut jobs = vec![Vec::new(); self.names.whats.len()];
        for series in 0..self.series.len() {
            if let Some(job) = jobs.get_mut(self.numbers(series).0) {
                job.push(series);
            }
        }
        jobs
    }

    /// Returns the systems of these series, each once, with their colours.
    pub fn legend(self, series: impl Iterator<Item = usize>) -> Vec<(String, Label)> {
        let mut whos: Vec<usize> = series.map(|series| self.numbers(series).1).collect();
        whos.sort_unstable();
        whos.dedup();
        let entry = |&who: &usize| Some((color(who), self.names.whos.get(who)?.clone()));
        whos.iter().filter_map(entry).collect()
    }
}

impl Label {
    /// A title that fits as it is.
    pub fn of(text: &str) -> Self {
        Self { short: text.to_owned(), full: text.to_owned() }
    }
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
