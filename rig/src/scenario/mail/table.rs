//! Pieces of the tables.

use results::{Costs, Spread};
use serde_json::{Value, json};

use super::sample::Sample;
use crate::counts::Counts;
use crate::scenario::costs;

/// Some of the instructions.
type Part = fn(Counts) -> u64;

/// Parts by whose they are, each with a key for files.
const WHOSE: [(&str, Part); 4] = [
    ("all", Counts::total),
    ("guest", |counts| counts.guest),
    ("xen", |counts| counts.xen),
    ("dom0", |counts| counts.dom0),
];

/// Returns the spread of some runs' rates.
pub(super) fn spread<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Option<Spread> {
    Spread::of(samples.into_iter().map(Sample::rate))
}

/// Returns the text of a ratio, if there is one.
pub(super) fn cell(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Returns instructions for each unit of work: in all, the guests', Xen's, dom0's.
pub(super) fn instructions(sample: &Sample) -> [Option<f64>; 4] {
    WHOSE.map(|(_, of)| sample.per_unit(of))
}

/// Returns them by owner, if they were counted, with exits for each unit of work.
pub(super) fn by_owner(
    [_, guest, xen, dom0]: [Option<f64>; 4],
    exits: Option<f64>,
) -> Option<Costs> {
    Some(costs::instructions([guest?, xen?, dom0?], exits))
}

/// Returns these of some runs for a file: keys that end in `unit`.
pub(super) fn instructions_json<'a>(
    samples: impl IntoIterator<Item = &'a Sample> + Clone,
    unit: &str,
) -> Value {
    WHOSE
        .into_iter()
        .map(|(whose, of)| {
            let all = samples.clone().into_iter().filter_map(|sample| sample.per_unit(of));
            (format!("{whose}_per_{unit}"), json!(all.collect::<Vec<f64>>()))
        })
        .collect::<serde_json::Map<String, Value>>()
        .into()
}
