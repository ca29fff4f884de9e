//! Series to draw figures of, and their names.

use plots::label::Label;
use plots::svg::color;

use super::names::Names;
use super::series::Series;

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
