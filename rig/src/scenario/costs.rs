//! Costs of an I/O by owner, as the plugin in QEMU counts them: stacked bars for a page, and
//! results with their costs for the tool in dom0 (`ringmark report`, `ringmark compare --costs`).

use anyhow::{Context, Result};
use plots::costs::{Group, Row, figures};
use plots::label::Label;
use plots::svg::escape;
use results::{CostReport, Costs, Origin, Owners, Report, Run, Saved, SavedRun, System};

use crate::scenario::side::Side;

/// Counter, in words for a reader.
const COUNTED_BY: &str = concat!("qemu-count ", env!("CARGO_PKG_VERSION"), " in QEMU's emulation");
/// Label of results whose other figures nobody should take for those of a clock.
const LABEL: &str = "by instruction counting: a second is 10^9 instructions";

/// Returns costs in instructions.
pub(super) fn instructions([guest, xen, dom0]: [f64; 3], exits: Option<f64>) -> Costs {
    Costs { owners: Owners { guest, xen, dom0 }, exits, ..Costs::default() }
}

/// Puts rows into groups: those with one name, in the order in which each name comes first.
pub(super) fn groups(rows: impl IntoIterator<Item = (String, String, Costs)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (of, name, costs) in rows {
        let row = Row { name: Label::of(&name), costs };
        match groups.iter_mut().find(|group| group.name.full == of) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { name: Label::of(&of), rows: vec![row] }),
        }
    }
    groups
}

/// Returns a page of bars, each for its unit of work, with the tables and what explains them.
pub(super) fn page(bars: &[(&str, Vec<Group>)], tables: &str, about: &str) -> String {
    let figures: Vec<_> = bars.iter().flat_map(|(work, groups)| figures(work, groups)).collect();
    plots::page::page(&[format!("<pre>{}</pre>\n", escape(tables))], &figures, about)
}

/// Returns a guest's result, which has one job, with the costs of that.
///
/// # Errors
/// When the result is none.
pub(super) fn counted(result: &str, costs: Costs) -> Result<Report> {
    let mut report = Report::from_json(result).context("the tool would not read the result")?;
    // fio's reports say nothing of the run: there is one only if all went well.
    let run = report.ringmark.get_or_insert_with(|| Run { ok: true, ..Run::default() });
    run.costs = Some(CostReport { from: COUNTED_BY.to_owned(), jobs: vec![Some(costs)] });
    run.origin = Some(Origin { label: Some(LABEL.to_owned()), ..Origin::default() });
    Ok(report)
}

/// Returns results as `ringmark compare --save` writes them.
///
/// # Errors
/// A result that is no JSON.
pub(super) fn file(runs: impl Iterator<Item = (Side, Report)>) -> Result<String> {
    let run = |(side, result)| {
        let system = if side == Side::Ours { System::Ringmark } else { System::Linux };
        SavedRun { system, variant: None, result }
    };
    Ok(Saved { runs: runs.map(run).collect() }.json()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::JobReport;

    #[test]
    fn rows_of_a_name_are_together() {
        let costs = instructions([1.0, 2.0, 3.0], Some(0.5));
        let rows = [("a", "x"), ("b", "x"), ("a", "y")];
        let groups = groups(rows.map(|(of, name)| (of.to_owned(), name.to_owned(), costs)));
        let found: Vec<(&str, usize)> =
            groups.iter().map(|group| (&*group.name.full, group.rows.len())).collect();
        assert_eq!(found, [("a", 2), ("b", 1)]);
        let page = page(&[("an I/O", groups)], "<t>", "about");
        assert!(page.contains("<pre>&lt;t&gt;</pre>") && page.contains(">6 \u{b7} 0.500 exits<"));
    }

    #[test]
    fn results_have_their_costs_and_say_what_their_seconds_are() {
        let result = Report { jobs: vec![JobReport::default()], ..Report::default() };
        let result = serde_json::to_string(&result).unwrap();
        let costs = instructions([1.0, 2.0, 3.0], None);
        let report = || counted(&result, costs).unwrap();
        let text = file([(Side::Ours, report()), (Side::LINUX[0], report())].into_iter()).unwrap();
        let saved: Saved = serde_json::from_str(&text).unwrap();
        let [ours, linux] = &saved.runs[..] else { panic!("{text}") };
        assert_eq!((ours.system, linux.system), (System::Ringmark, System::Linux));
        let run = linux.result.ringmark.as_ref().unwrap();
        let label = run.origin.as_ref().and_then(|origin| origin.label.as_deref());
        assert_eq!((run.ok, label), (true, Some(LABEL)));
        // The tool refuses costs of other jobs than ran.
        let jobs = &run.costs.as_ref().unwrap().jobs;
        assert_eq!((jobs.len(), jobs[0]), (linux.result.jobs.len(), Some(costs)));
        assert!(counted("{}", costs).is_err());
    }
}
