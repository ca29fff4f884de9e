//! Text of a comparison of two results.

use std::collections::BTreeSet;

use results::Spread;
use statistics::samples::{self, Comparison};

use super::both::Both;
use super::judge::Judge;
use super::pairs::{Pair, Pairs};
use crate::display;
use crate::measure::Measure;
use crate::report::load::Data;
use crate::report::series::Series;
use crate::report::view::View;

/// Most jobs of one side that are named.
const ONLY_MAX: usize = 100;

/// A result and the names of its jobs.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Runs as they were read.
    pub data: &'a Data,
    /// The same runs by job.
    pub view: View<'a>,
}

/// Returns the comparison, with the judge's words if there is one.
pub fn text(sides: [Side<'_>; 2], pairs: &Pairs<'_>, mut judge: Option<&mut Judge<'_>>) -> String {
    let [a, b] = sides;
    let mut text = head("A", a.data) + &head("B", b.data);
    let common = common(&pairs.both);
    text.extend(common.iter().map(|way| format!("differs: {way}\n")));
    let has_intervals = pairs.both.iter().any(|pair| ratio(pair, Measure::Iops).is_some());
    let within = has_intervals.then_some("95 % within");
    let titles = ["A", "B"].map(str::to_owned);
    text.push_str(&row("median (least .. greatest)", titles, "B/A", within, ""));
    for pair in &pairs.both {
        let job = job(a.view, pair.index_a);
        text.push_str(&section(&job, pair, &common, within.is_some(), judge.as_deref_mut()));
    }
    for (name, side, only) in [("A", a, &pairs.only_a), ("B", b, &pairs.only_b)] {
        let jobs = only.iter().take(ONLY_MAX);
        text.extend(jobs.map(|&index| format!("only in {name}: {}\n", job(side.view, index))));
        if let more @ 1.. = only.len().saturating_sub(ONLY_MAX) {
            text.push_str(&format!("only in {name}: and {more} more\n"));
        }
    }
    let is_single = |pair: &Pair<'_>| pair.runs() == 1;
    if pairs.both.iter().any(is_single) {
        text.push_str("note: a single run does not tell how far runs differ; run with --repeat\n");
    }
    if let Some(judge) = judge {
        pairs.only_a.iter().for_each(|&index| judge.miss(&job(a.view, index)));
        text.push_str(&judge.passed());
    }
    text
}

/// Returns a line about a file: its labels and versions.
fn head(name: &str, of: &Data) -> String {
    let label = |of: &Data| -> BTreeSet<String> {
        let origins = of.runs.iter().filter_map(|run| run.origin.as_ref());
        origins.filter_map(|origin| origin.label.clone()).collect()
    };
    let versions: BTreeSet<String> = of.runs.iter().map(|run| run.version.to_string()).collect();
    let file = of.files.iter().map(|file| file.display().to_string());
    let facts: Vec<String> = file.chain(label(of)).chain(versions).collect();
    let runs = match of.runs.len() {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    };
    format!("{name}: {}, {runs}\n", display::text(&facts.join(", ")))
}

/// Returns the differences other than of work that all pairs have.
fn common(pairs: &[Pair<'_>]) -> Vec<String> {
    let Some((first, others)) = pairs.split_first() else { return Vec::new() };
    let is_common = |way: &&String| others.iter().all(|pair| pair.way.contains(way));
    first.way.iter().filter(is_common).cloned().collect()
}

/// Returns the name of a job with its direction and system.
fn job(view: View<'_>, index: usize) -> String {
    let labels = view.labels(index);
    labels.map_or_else(String::new, |(what, who)| format!("{}; {}", what.short, who.short))
}

/// Returns the figures of one job.
fn section(
    job: &str,
    pair: &Pair<'_>,
    common: &[String],
    has_intervals: bool,
    mut judge: Option<&mut Judge<'_>>,
) -> String {
    let mut text = format!("{job}\n");
    for different in &pair.work {
        text.push_str(&format!("  not the same job: {different}\n"));
    }
    for different in pair.way.iter().filter(|way| !common.contains(way)) {
        text.push_str(&format!("  differs: {different}\n"));
    }
    for by in Measure::ALL {
        let sides = [pair.a, pair.b].map(|side| side.spread(|figures| by.of(figures)));
        let is_same_work = pair.work.is_empty();
        let both = Both { sides, ratio: ratio(pair, by), runs: pair.runs(), is_same_work };
        let said = judge.as_mut().map_or(String::new(), |judge| judge.judge(job, by, &both));
        if sides == [None, None] {
            continue;
        }
        let cells = [(pair.a, sides[0]), (pair.b, sides[1])].map(|(of, side)| cell(of, side));
        let ratio = match sides {
            [Some(a), Some(b)] if a.median > 0.0 => format!("{:.3}", b.median / a.median),
            _ => "-".to_owned(),
        };
        let within =
            both.ratio.map_or("-".to_owned(), |of| format!("{:.3} .. {:.3}", of.low, of.high));
        let within = has_intervals.then_some(within.as_str());
        text.push_str(&row(&format!("  {}", by.title()), cells, &ratio, within, &said));
    }
    for (name, side) in [("A", pair.a), ("B", pair.b)] {
        text.extend(side.doubts().marks().iter().map(|mark| format!("  * {name}: {mark}\n")));
    }
    text
}

/// Returns the median with its spread, or the figure itself if there is one run.
fn cell(of: &Series<'_>, side: Option<Spread>) -> String {
    let text = side.map_or_else(|| "-".to_owned(), |spread| spread.to_string());
    match text.split_once(' ') {
        Some((median, _)) if of.runs().count() == 1 => median.to_owned(),
        _ => text,
    }
}

/// Returns the ratio of B to A with its interval: of several runs of both, or of one each if these
/// tell how well their mean is known.
fn ratio(pair: &Pair<'_>, by: Measure) -> Option<Comparison> {
    let values = |of: &Series<'_>| of.runs().map(|run| by.of(run)).collect::<Option<Vec<f64>>>();
    match (pair.a.only(), pair.b.only()) {
        (Some(a), Some(b)) if by.is_rate() => {
            samples::compare_means(b.steady_mean()?, a.steady_mean()?)
        }
        _ => samples::compare(&values(pair.b)?, &values(pair.a)?),
    }
}

fn row(name: &str, [a, b]: [String; 2], ratio: &str, within: Option<&str>, said: &str) -> String {
    let within = within.map_or(String::new(), |within| format!(" {within:>16}"));
    format!("{name:<27} {a:>30} {b:>30} {ratio:>8}{within}  {said}").trim_end().to_owned() + "\n"
}
