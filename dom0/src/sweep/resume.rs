//! A file that a sweep goes on with: each of its runs must be one of this sweep.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use super::cell::Cell;
use super::file::{CellRun, SweepFile};
use super::grid::{Turn, shown_run};
use crate::display;
use crate::saved::System;

/// Returns the runs that a file has.
///
/// # Errors
/// The first that is not of the cell that it names, or that is there twice.
pub fn known(file: &SweepFile, cells: &[Cell]) -> Result<BTreeSet<Turn>> {
    let by_place: BTreeMap<&[String], (usize, &Cell)> =
        cells.iter().enumerate().map(|(index, cell)| (&cell.at[..], (index, cell))).collect();
    let mut known = BTreeSet::new();
    for (number, run) in (1..).zip(&file.runs) {
        let place = by_place.get(&run.at[..]).copied();
        let checked = check(run, file.sweep.repeat, place).and_then(|turn| {
            ensure!(known.insert(turn), "it is there twice");
            Ok(())
        });
        checked.with_context(|| {
            let shown = shown_run(&file.sweep, &run.at, run.repetition);
            format!("run {number} ({}) is not of this sweep", display::text(&shown))
        })?;
    }
    Ok(known)
}

fn check(run: &CellRun, repeat: u32, place: Option<(usize, &Cell)>) -> Result<Turn> {
    let (index, cell) = place.context("there is no such cell")?;
    let is_number = (1..=repeat).contains(&run.repetition);
    ensure!(is_number, "it is run {} of {repeat}", run.repetition);
    ensure!(run.who == System::Ringmark, "it is not of ringmark");
    cell.check_run(run)?;
    Ok(Turn { cell: index, repetition: run.repetition })
}
