//! Costs of an I/O by owner, of the series that have them: a table, and stacked bars.

use std::collections::BTreeMap;

use plots::costs::{Group, Row};
use plots::figure::Figure;
use plots::label::Label;
use plots::svg::escape;

use super::distinct::{labels, middle_cut};
use super::names::WHO_MAX;
use super::table::{ROWS_MAX, cell};
use super::view::View;
use crate::costs::{Counted, HEADS, cells, middle};

/// Most counters that are named, and their longest name, in characters.
const FROM_MAX: usize = 8;
const FROM_CHARS_MAX: usize = 200;

/// Bars of a job, and what counted them.
struct Job<'a> {
    name: Label,
    /// Names of the systems, and their costs.
    rows: Vec<(Label, &'a Counted)>,
}

/// Indexes of series, and their costs.
type Indexed<'a> = Vec<(usize, &'a Counted)>;

/// Returns the figures; none if nothing was counted.
pub fn figures(view: View<'_>) -> Vec<Figure> {
    let row = |(name, of): (Label, &Counted)| Row { name, costs: of.costs };
    let group =
        |job: Job<'_>| Group { name: job.name, rows: job.rows.into_iter().map(row).collect() };
    let groups: Vec<Group> = jobs(view).into_iter().map(group).collect();
    plots::costs::figures("an I/O", &groups)
}

/// Returns the section of the page; nothing if nothing was counted.
pub fn section(view: View<'_>) -> String {
    let jobs = jobs(view);
    let all = || jobs.iter().flat_map(|job| job.rows.iter().map(move |row| (&job.name, row)));
    let count = all().count();
    if count == 0 {
        return String::new();
    }
    let mut from: Vec<&str> = Vec::new();
    let mut rows = String::new();
    for (job, (who, of)) in all().take(ROWS_MAX) {
        let figures = cells(&of.costs).map(|figure| format!("<td>{figure}</td>")).concat();
        let unit = of.costs.unit.name();
        let named = [job, who].map(cell).concat();
        rows.push_str(&format!("<tr>{named}<td>{unit}</td>{figures}</tr>\n"));
        if !from.contains(&&*of.from) && from.len() < FROM_MAX {
            from.push(&of.from);
        }
    }
    let left_out = plots::figure::left_out(ROWS_MAX, count, "rows");
    let heads = ["job", "system", "unit"].into_iter().chain(HEADS);
    let heads: String = heads.map(|head| format!("<th>{head}</th>")).collect();
    let from: Vec<String> = from.iter().map(|of| middle_cut(of, FROM_CHARS_MAX)).collect();
    let from = escape(&from.join("; "));
    format!(
        "<h2>Costs of an I/O</h2>\n<p>Whose they are; of several runs those of the one in the \
         middle. Counted by {from}.{left_out}</p>\n<div class=\"table\"><table>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

/// Returns the series that have costs, by their jobs: systems spell the options of a job in their
/// own ways, so that its name and direction alone put them together.
fn jobs(view: View<'_>) -> Vec<Job<'_>> {
    let (mut known, mut jobs) = (BTreeMap::new(), Vec::<((&str, &str), Indexed<'_>)>::new());
    for (index, series) in view.series.iter().enumerate() {
        let Some(of) = middle(series.runs().filter_map(|run| run.costs.as_ref())) else { continue };
        let key = (series.identity.job.as_str(), series.identity.direction);
        let next = jobs.len();
        let number = *known.entry(key).or_insert(next);
        match jobs.get_mut(number) {
            Some((_, rows)) => rows.push((index, of)),
            None => jobs.push((key, vec![(index, of)])),
        }
    }
    let names: Vec<String> = jobs.iter().map(|((job, of), _)| format!("{job}, {of}")).collect();
    let named = names.iter().zip(labels(&names, WHO_MAX)).zip(jobs);
    named.map(|((whole, name), (_, rows))| job(view, whole, name, rows)).collect()
}

/// Returns a job with the names of its systems: each tells what of the job's options differs, too.
fn job<'a>(view: View<'_>, whole: &str, name: Label, rows: Indexed<'a>) -> Job<'a> {
    let who = |&(index, _): &(usize, &Counted)| {
        let (what, who) = view.labels(index)?;
        let more = what.full.strip_prefix(whole).unwrap_or_default();
        Some(format!("{}{more}", who.full))
    };
    let whos: Vec<String> = rows.iter().map(|row| who(row).unwrap_or_default()).collect();
    let rows = labels(&whos, WHO_MAX).into_iter().zip(rows.into_iter().map(|(_, of)| of));
    Job { name, rows: rows.collect() }
}
