//! IOPS over time of each series' first run, where its result has them.

use plots::figure::Figure;
use plots::label::Label;
use plots::steady::{self, Series};

use super::distinct::labels;
use super::names::WHO_MAX;
use super::view::View;
use crate::figures::Figures;

/// Nanoseconds of a second.
const SECOND_NS: f64 = 1e9;

/// Returns the figure, if a result has rates over time.
pub fn figure(view: View<'_>) -> Option<Figure> {
    let named = view.series.iter().enumerate().filter_map(|(index, series)| {
        series.first.over_time.as_ref()?;
        let (what, who) = view.labels(index)?;
        Some((format!("{}, {}", what.full, who.full), series.first))
    });
    let (names, runs): (Vec<String>, Vec<&Figures>) = named.unzip();
    let names = labels(&names, WHO_MAX).into_iter().zip(runs);
    let all: Vec<Series> = names.filter_map(|(name, run)| shown(name, run)).collect();
    steady::figure(&all)
}

fn shown(name: Label, run: &Figures) -> Option<Series> {
    let over_time = run.over_time.as_ref()?;
    let steadiness = run.steadiness.as_ref();
    Some(Series {
        name,
        window_s: over_time.window_ns as f64 / SECOND_NS,
        iops: over_time.iops(),
        left_out: steadiness.map_or(0, |of| usize::try_from(of.windows_left_out).unwrap_or(0)),
        mean: steadiness.map(|of| of.iops_mean),
        half_width: steadiness.and_then(|of| of.iops_half_width),
        verdict: steadiness.map_or_else(|| "not judged".to_owned(), results::Steadiness::summary),
    })
}
