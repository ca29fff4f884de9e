//! A row of the tables and plots: its runs, and what they come to.

use serde_json::{Value, json};

use super::super::sample::Sample;
use super::super::table::{instructions, instructions_json};
use super::turn::{Many, Place, Turn, Who};

/// A row and its runs.
pub(super) struct Row<'a> {
    pub(super) turn: Turn,
    pub(super) runs: Vec<&'a Many>,
}

impl Row<'_> {
    /// Returns its runs' figures.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> + Clone {
        self.runs.iter().map(|run| &run.sample)
    }

    /// Returns the mean of its rates.
    pub(super) fn rate(&self) -> f64 {
        self.samples().map(Sample::rate).sum::<f64>() / self.runs.len() as f64
    }

    /// Returns the ratio of its rate to that of another row, if there is that row.
    fn ratio(&self, all: &[Self], to: Turn) -> Option<f64> {
        let other = all.iter().find(|row| row.turn == to)?;
        Some(self.rate() / other.rate())
    }

    /// Returns the ratio of its rate to that of one such guest, if there is that row.
    pub(super) fn to_one(&self, all: &[Self]) -> Option<f64> {
        self.ratio(all, Turn { count: 1, ..self.turn })
    }

    /// Returns the ratio of its rate to that of as many Linux guests that read disks, which is the
    /// best that Linux can, if there is that row.
    pub(super) fn to_linux(&self, all: &[Self]) -> Option<f64> {
        self.ratio(all, Turn { who: Who::Linux(Place::Disk), ..self.turn })
    }

    /// Returns the mean of something of its runs, if they have it.
    pub(super) fn mean(&self, of: impl Fn(&Many) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<f64>> = self.runs.iter().map(|run| of(run)).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Returns it for a file.
    pub(super) fn json(&self, all: &[Self]) -> Value {
        let made = |index: usize| self.mean(|run| run.made.map(|made| made[index]));
        let values = |of: fn(&Many) -> Option<f64>| -> Vec<Option<f64>> {
            self.runs.iter().map(|run| of(run)).collect()
        };
        json!({
            "row": self.turn.to_string(), "guests": self.turn.count, "grants": self.turn.grants(),
            "rates": self.samples().map(Sample::rate).collect::<Vec<f64>>(),
            "instructions": instructions_json(self.samples(), "io"),
            "exits_per_io": self.exits(),
            "ratio_to_one": self.to_one(all), "ratio_to_linux_on_disks": self.to_linux(all),
            "grants_made_per_io": made(0), "copies_made_per_io": made(1),
            "grant_maps_per_io": self.mean(|run| Some(run.grant_ops[0])),
            "grant_unmaps_per_io": self.mean(|run| Some(run.grant_ops[1])),
            "reads_of_guests_and_backends": self.runs.iter().map(|run| run.reads).collect::<Vec<_>>(),
            "ready_s": values(|run| Some(run.ready_s)), "starts_ms": values(|run| run.starts_ms),
        })
    }

    /// Returns the mean of its instructions for each I/O, if they were counted: in all, the
    /// guests', Xen's, dom0's.
    pub(super) fn instructions(&self) -> [Option<f64>; 4] {
        std::array::from_fn(|whose| self.mean(|run| instructions(&run.sample)[whose]))
    }

    /// Returns the mean of exits for each I/O, if they were counted.
    pub(super) fn exits(&self) -> Option<f64> {
        self.mean(|run| run.sample.per_unit(|counts| counts.entries))
    }
}
