//! A figure that both results have, and figures in words.

use results::Spread;
use statistics::samples::Comparison;

/// Most figures that are named in an error.
const NAMED_MAX: usize = 5;

/// A figure of both.
#[derive(Clone, Copy, Debug)]
pub struct Both {
    /// Spread of each.
    pub sides: [Option<Spread>; 2],
    /// Ratio of B to A with its interval, if the runs tell.
    pub ratio: Option<Comparison>,
    /// Number of runs of the side that has fewer.
    pub runs: usize,
    /// Whether both are of the same work.
    pub is_same_work: bool,
}

/// Returns the first of some texts.
pub fn named(all: &[String]) -> String {
    let mut text = all.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    if let more @ 1.. = all.len().saturating_sub(NAMED_MAX) {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// Returns a number of figures in words.
pub fn figures(count: usize) -> String {
    if count == 1 { "1 figure".to_owned() } else { format!("{count} figures") }
}
