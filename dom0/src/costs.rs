//! Costs of an I/O by owner, where somebody counted them. The tool counts none itself.

use std::rc::Rc;

use anyhow::{Result, anyhow, ensure};
use results::{CostUnit, Costs, Report};

use crate::display;
use crate::saved::System;

/// Costs of a job, and what counted them.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// The costs, each of which an I/O can have.
    pub costs: Costs,
    /// Words that tell what counted them.
    pub from: Rc<str>,
}

/// Returns the costs of each of a report's jobs; nothing if none were counted.
///
/// # Errors
/// Costs of other jobs than ran; a cost that no I/O can have.
pub fn of_jobs(report: &Report) -> Result<Vec<Option<Counted>>> {
    let Some(all) = report.ringmark.as_ref().and_then(|run| run.costs.as_ref()) else {
        return Ok(Vec::new());
    };
    let (of, ran) = (all.jobs.len(), report.jobs.len());
    ensure!(of == ran, "the result has costs of {of} jobs, but {ran} ran");
    let from: Rc<str> = all.from.as_str().into();
    let counted = |(costs, job): (&Option<Costs>, &results::JobReport)| {
        let Some(costs) = *costs else { return Ok(None) };
        costs.check().map_err(|why| anyhow!("{why}, job {}", job.jobname))?;
        Ok(Some(Counted { costs, from: Rc::clone(&from) }))
    };
    all.jobs.iter().zip(&report.jobs).map(counted).collect()
}

/// Returns the costs of the run that is in the middle by the sum of its costs, the lower of two:
/// unlike medians of each owner, they add up. Units do not mix: that of the first run counts.
pub fn middle<'a>(runs: impl Iterator<Item = &'a Counted>) -> Option<&'a Counted> {
    let mut runs: Vec<&Counted> = runs.collect();
    let unit = runs.first()?.costs.unit;
    runs.retain(|run| run.costs.unit == unit);
    runs.sort_by(|one, other| one.costs.total().total_cmp(&other.costs.total()));
    runs.get((runs.len() - 1) / 2).copied()
}

/// Costs of a job on each system that has them.
pub type Job<'a> = (String, Vec<(System, &'a Counted)>);

/// Returns a table for each unit; nothing if there are no costs.
pub fn text(jobs: &[Job<'_>]) -> String {
    [CostUnit::Instructions, CostUnit::Cycles].map(|unit| of_unit(jobs, unit)).concat()
}

fn of_unit(jobs: &[Job<'_>], unit: CostUnit) -> String {
    let (mut rows, mut from) = (String::new(), Vec::<&str>::new());
    for (name, systems) in jobs {
        let mut name = format!("{name}\n");
        for (system, of) in systems.iter().filter(|(_, of)| of.costs.unit == unit) {
            rows.push_str(&std::mem::take(&mut name));
            rows.push_str(&row(&format!("  {}", system.title()), cells(&of.costs)));
            if !from.contains(&&*of.from) {
                from.push(&of.from);
            }
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let heads = HEADS.map(str::to_owned);
    let from = display::text(&from.join("; "));
    format!("{}{rows}counted by {from}\n", row(&format!("{} for an I/O", unit.name()), heads))
}

/// Heads of the columns.
pub const HEADS: [&str; 5] = ["in all", "guest", "Xen", "dom0", "exits"];

/// Returns the texts of the columns.
pub fn cells(costs: &Costs) -> [String; 5] {
    let [guest, xen, dom0] = costs.owners().map(|(_, cost)| format!("{cost:.0}"));
    let exits = costs.exits.map_or_else(|| "-".to_owned(), |exits| format!("{exits:.3}"));
    [format!("{:.0}", costs.total()), guest, xen, dom0, exits]
}

fn row(name: &str, cells: [String; 5]) -> String {
    let cells = cells.map(|cell| format!(" {cell:>9}")).concat();
    format!("{name:<27}{cells}\n")
}

#[cfg(test)]
mod tests {
    use results::{CostReport, Owners};

    use super::*;
    use crate::figures::{Figures, sample};

    fn costs(guest: f64) -> Costs {
        let owners = Owners { guest, xen: 1391.0, dom0: 3175.0 };
        Costs { owners, exits: Some(0.119), ..Costs::default() }
    }

    fn counted(costs: Costs) -> Counted {
        Counted { costs, from: "a counter".into() }
    }

    /// A report of one job that has these costs, among which its own are.
    fn report(jobs: &[Option<Costs>]) -> Report {
        let mut report = sample("a", Some("persistent"), 1.0);
        let run = report.ringmark.as_mut().unwrap();
        run.costs = Some(CostReport { from: "a counter".into(), jobs: jobs.into() });
        report
    }

    #[test]
    fn costs_are_those_of_the_jobs_that_ran() {
        let found = of_jobs(&report(&[Some(costs(469.0))])).unwrap();
        assert_eq!(found, [Some(counted(costs(469.0)))]);
        assert_eq!(of_jobs(&report(&[None])).unwrap(), [None]);
        assert_eq!(of_jobs(&sample("a", None, 1.0)).unwrap(), []);
        for jobs in [&[][..], &[None, None]] {
            let error = of_jobs(&report(jobs)).unwrap_err().to_string();
            assert!(error.ends_with("jobs, but 1 ran"), "{error}");
        }
    }

    #[test]
    fn costs_that_no_io_has_are_refused() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e13] {
            let error = Figures::of(&report(&[Some(costs(bad))])).unwrap_err().to_string();
            assert!(error.contains("is no cost of an I/O (guest)"), "{error}");
            assert!(error.ends_with("job a"), "{error}");
        }
    }

    #[test]
    fn a_job_in_both_directions_has_its_costs_once() {
        let mut report = report(&[Some(costs(469.0))]);
        report.jobs[0].write = report.jobs[0].read.clone();
        let all = Figures::of(&report).unwrap();
        let found: Vec<bool> = all.iter().map(|figures| figures.costs.is_some()).collect();
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn the_run_in_the_middle_is_a_run() {
        let runs = [30.0, 10.0, 40.0, 20.0].map(|guest| counted(costs(guest)));
        let middle = |count| middle(runs.iter().take(count)).map(|of| of.costs.owners.guest);
        assert_eq!(
            [0, 1, 2, 3, 4].map(middle),
            [None, Some(30.0), Some(10.0), Some(30.0), Some(20.0)]
        );
        let mut cycles = counted(costs(1.0));
        cycles.costs.unit = CostUnit::Cycles;
        let mixed = [&runs[0], &cycles, &cycles];
        assert_eq!(super::middle(mixed.into_iter()), Some(&runs[0]));
    }

    #[test]
    fn the_table_has_each_system() {
        let (ours, linux) = (counted(costs(470.0)), counted(costs(7633.0)));
        let jobs =
            [("a, read".to_owned(), vec![(System::Ringmark, &ours), (System::Linux, &linux)])];
        let expected = "\
instructions for an I/O        in all     guest       Xen      dom0     exits
a, read
  ringmark                       5036       470      1391      3175     0.119
  Linux, fio                    12199      7633      1391      3175     0.119
counted by a counter
";
        assert_eq!(text(&jobs), expected);
        assert_eq!(text(&[("a, read".to_owned(), Vec::new())]), "");
        let mut cycles = ours.clone();
        (cycles.costs.unit, cycles.costs.exits) = (CostUnit::Cycles, None);
        let both = [("a".to_owned(), vec![(System::Ringmark, &cycles), (System::Linux, &linux)])];
        let heads: Vec<String> = text(&both)
            .lines()
            .filter_map(|line| line.split_once(" for an I/O").map(|(unit, _)| unit.to_owned()))
            .collect();
        assert_eq!(heads, ["instructions", "cycles"]);
    }
}
