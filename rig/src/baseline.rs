//! The cost of an I/O that is known, to be held against what is measured: `rig/baseline.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Instructions of the whole stack and exits of the guest for each I/O, by workload.
#[derive(Debug, PartialEq)]
pub(crate) struct Baseline(BTreeMap<String, [f64; 2]>);

/// Change of instructions that needs no reason, in per cent: another layout of the same code moves
/// a figure by as much.
const TOLERANCE_PERCENT: f64 = 4.0;
/// Change of exits that needs no reason, in per cent and at least: the waiter tries to poll now and
/// then.
const TOLERANCE_EXITS_PERCENT: f64 = 10.0;
const TOLERANCE_EXITS: f64 = 0.02;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.json");

impl Baseline {
    /// From figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = (String, [f64; 2])>) -> Self {
        // Tenths of an instruction are noise to a reader of the file.
        let rounded = |[instructions, exits]: [f64; 2]| {
            [instructions.round(), (exits * 100.0).round() / 100.0]
        };
        Self(figures.into_iter().map(|(name, figures)| (name, rounded(figures))).collect())
    }

    /// The one in the tree.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn load() -> Result<Self> {
        let text = fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}"))?;
        serde_json::from_str(&text).map(Self).with_context(|| format!("cannot parse {PATH}"))
    }

    /// Makes it the one in the tree.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.0)?;
        fs::write(Path::new(PATH), text + "\n").with_context(|| format!("cannot write {PATH}"))
    }

    /// Returns a line for each figure of `measured` beyond the tolerance or without a baseline.
    pub(crate) fn differences(&self, measured: &Self) -> Vec<String> {
        let line = |(name, &[instructions, exits]): (&String, &[f64; 2])| {
            let Some(&[known, known_exits]) = self.0.get(name) else {
                return Some(format!("{name}: {instructions:.0} instructions, no baseline"));
            };
            let percent = (instructions / known - 1.0) * 100.0;
            // Hundredths, as they are kept: what is on the edge differs by no rounding.
            let exits_most = (known_exits * TOLERANCE_EXITS_PERCENT / 100.0).max(TOLERANCE_EXITS);
            let differ = percent.abs() > TOLERANCE_PERCENT
                || (exits - known_exits).abs() > exits_most + 0.001;
            differ.then(|| {
                format!(
                    "{name}: {instructions:.0} instructions and {exits:.2} exits for each I/O, \
                     {known:.0} and {known_exits:.2} before"
                )
            })
        };
        measured.0.iter().filter_map(line).collect()
    }
}

impl std::fmt::Display for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each: Vec<String> = self
            .0
            .iter()
            .map(|(name, [cost, exits])| format!("{name} {cost:.0} ({exits:.2} exits)"))
            .collect();
        f.write_str(&each.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_a_reason_in_both_directions() {
        let of = |a, b| Baseline::of([("a".to_owned(), a), ("b".to_owned(), b)]);
        let known = of([1000.0, 3.0], [1000.0, 3.0]);
        assert!(known.differences(&of([1039.0, 3.3], [961.0, 2.7])).is_empty());
        assert_eq!(known.differences(&of([1041.0, 3.0], [959.0, 3.0])).len(), 2);
        assert_eq!(known.differences(&of([1000.0, 3.31], [1000.0, 2.69])).len(), 2);
        let deep = of([1000.0, 0.09], [1000.0, 0.24]);
        assert!(deep.differences(&of([1000.0, 0.11], [1000.0, 0.22])).is_empty());
        assert_eq!(deep.differences(&of([1000.0, 0.12], [1000.0, 0.27])).len(), 2);
        let other = Baseline::of([("c".to_owned(), [1.0, 0.0])]);
        assert_eq!(known.differences(&other), ["c: 1 instructions, no baseline"]);
    }

    #[test]
    fn the_tree_has_one() {
        let known = Baseline::load().unwrap();
        assert!(crate::workload::Workload::MAIN.iter().all(|it| known.0.contains_key(&it.name())));
    }
}
