//! Table of the options, by topic: names, values, help, effects and documentation.

mod amount;
mod data;
mod depth;
mod own;
mod pace;
mod pattern;
mod report;
mod row;
mod time;

use crate::option_doc::OptionDoc;
pub(crate) use row::OptionSpec;
use row::Row;

/// Supported options, each in one place.
const TOPICS: [&[Row]; 8] = [
    pattern::ROWS,
    depth::ROWS,
    amount::ROWS,
    time::ROWS,
    pace::ROWS,
    data::ROWS,
    report::ROWS,
    own::ROWS,
];

/// Number of the options.
const COUNT: usize = {
    let (mut count, mut topic) = (0, 0);
    while topic < TOPICS.len() {
        count += TOPICS[topic].len();
        topic += 1;
    }
    count
};

/// Supported options without their documentation, which so takes no room in the guest.
pub(crate) static OPTIONS: [OptionSpec; COUNT] = {
    let mut specs = [TOPICS[0][0].spec; COUNT];
    let (mut index, mut topic) = (0, 0);
    while topic < TOPICS.len() {
        let mut row = 0;
        while row < TOPICS[topic].len() {
            specs[index] = TOPICS[topic][row].spec;
            (index, row) = (index + 1, row + 1);
        }
        topic += 1;
    }
    specs
};

fn rows() -> impl Iterator<Item = &'static Row> {
    TOPICS.into_iter().flatten()
}

/// Returns the documentation of all options.
pub fn option_docs() -> impl Iterator<Item = OptionDoc> {
    rows().map(|Row { spec, default, values, unlike_fio }| {
        let OptionSpec { names, value, help, .. } = *spec;
        OptionDoc { names, value, help, default: *default, values: *values, unlike_fio }
    })
}

#[cfg(test)]
mod tests;
