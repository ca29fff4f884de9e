//! Series: repeated runs of one job in one direction on one system.

use std::collections::BTreeMap;
use std::rc::Rc;

use results::Spread;

use super::identity::Identity;
use super::load::Data;
use crate::figures::{Doubts, Figures};

/// Runs of which everything is the same but the time.
#[derive(Debug)]
pub struct Series<'a> {
    /// Identity of each of them.
    pub identity: Rc<Identity>,
    /// The first run.
    pub first: &'a Figures,
    /// The runs after it.
    others: Vec<&'a Figures>,
}

/// Returns the series of all runs, in the order in which each begins. With `merge` they may go
/// across files.
pub fn series(data: &Data, merge: bool) -> Vec<Series<'_>> {
    let mut all: Vec<Series<'_>> = Vec::new();
    let mut known: BTreeMap<Rc<Identity>, usize> = BTreeMap::new();
    for run in &data.runs {
        for (identity, first) in Identity::of(run, merge).into_iter().zip(&run.figures) {
            let series = known.get(&identity).and_then(|&index| all.get_mut(index));
            if let Some(series) = series {
                series.others.push(first);
                continue;
            }
            known.insert(Rc::clone(&identity), all.len());
            all.push(Series { identity, first, others: Vec::new() });
        }
    }
    all
}

impl<'a> Series<'a> {
    /// All runs.
    pub fn runs(&self) -> impl Iterator<Item = &'a Figures> + Clone {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// The run, if it is the only one.
    pub fn only(&self) -> Option<&'a Figures> {
        self.others.is_empty().then_some(self.first)
    }

    /// The runs' spread in one figure, if they have it.
    pub fn spread(&self, figure: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs().filter_map(figure))
    }

    /// The median of one figure, if the runs have it.
    pub fn median(&self, figure: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        self.spread(figure).map(|spread| spread.median)
    }

    /// Returns the reasons to doubt its figures.
    pub fn doubts(&self) -> Doubts {
        Doubts::about(self.runs())
    }

    /// Returns the mark behind its figures, empty if there is no reason to doubt them.
    pub fn star(&self) -> &'static str {
        if self.doubts().marks().is_empty() { "" } else { " *" }
    }
}
