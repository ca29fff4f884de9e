//! The file of a sweep: runs as `compare --save` writes them, with the place of each in the grid.
//! It may come from anywhere, so each list in it is bounded.

use anyhow::{Context, Result, ensure};
use results::Report;
use serde::{Deserialize, Serialize};

use crate::display;
use crate::few::few;
use crate::saved::System;

/// Most axes.
pub const AXES_MAX: usize = 8;
/// Most values of an axis.
pub const VALUES_MAX: usize = 1000;
/// Most cells of a grid.
pub const CELLS_MAX: usize = 1000;
/// Most lines of a guest's configuration.
const LINES_MAX: usize = 256;
/// Most failures: one of each run of the greatest sweep.
const FAILURES_MAX: usize = 100_000;

/// An axis: an option or setting, and its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// First name of an option of a job, or `vcpus` or `memory`.
    pub name: String,
    /// Values as the command line has them, at least one.
    #[serde(deserialize_with = "few::<_, _, VALUES_MAX>")]
    pub values: Vec<String>,
}

/// Settings of a sweep. Two sweeps of which all is equal are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Axes, the slowest first.
    #[serde(deserialize_with = "few::<_, _, AXES_MAX>")]
    pub axes: Vec<Axis>,
    /// Runs of each cell.
    pub repeat: u32,
    /// Seed of the order; `None` for that of the grid.
    pub seed: Option<u64>,
    /// Length and fingerprint of the job.
    pub job: String,
    /// Length and fingerprint of the guest's kernel.
    pub kernel: String,
    /// Configuration of the guest without what is varied, line by line.
    #[serde(deserialize_with = "few::<_, _, LINES_MAX>")]
    pub guest: Vec<String>,
}

/// A run of a cell, with its result.
#[derive(Debug, Serialize, Deserialize)]
pub struct CellRun {
    /// Always ringmark.
    pub who: System,
    /// Value on each axis.
    #[serde(deserialize_with = "few::<_, _, AXES_MAX>")]
    pub at: Vec<String>,
    /// Number of the run of this cell, from 1.
    pub repetition: u32,
    /// Result of the guest.
    pub result: Report,
}

/// A run that failed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Value on each axis.
    #[serde(deserialize_with = "few::<_, _, AXES_MAX>")]
    pub at: Vec<String>,
    /// Number of the run of this cell, from 1.
    pub repetition: u32,
    /// Reason, as text to show.
    pub error: String,
}

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepFile {
    /// Settings.
    pub sweep: Header,
    /// Runs with a result, in the order in which they ran.
    pub runs: Vec<CellRun>,
    /// Runs without.
    #[serde(deserialize_with = "few::<_, _, FAILURES_MAX>")]
    pub failed: Vec<Failure>,
}

impl Header {
    /// Checks that there is a grid, and that it is not too large.
    ///
    /// # Errors
    /// No axis, an axis without values, or more than [`CELLS_MAX`] cells.
    pub fn check(&self) -> Result<()> {
        let lengths = self.axes.iter().map(|axis| axis.values.len());
        let cells = lengths.fold(1_usize, usize::saturating_mul);
        ensure!(!self.axes.is_empty() && cells != 0, "a sweep without cells");
        ensure!(cells <= CELLS_MAX, "{cells} cells, of at most {CELLS_MAX}");
        Ok(())
    }

    /// Returns what differs between this sweep and another, as text to show.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let axis = |axis: &Axis| format!("{}={}", axis.name, axis.values.join(","));
        let axes = |of: &Self| of.axes.iter().map(axis).collect::<Vec<_>>();
        let order = |of: &Self| vec![of.seed.map_or("grid".into(), |seed| format!("seed {seed}"))];
        let parts = [
            ("axes", axes(self), axes(other)),
            ("job", vec![self.job.clone()], vec![other.job.clone()]),
            ("kernel", vec![self.kernel.clone()], vec![other.kernel.clone()]),
            ("guest", self.guest.clone(), other.guest.clone()),
            ("order", order(self), order(other)),
            ("repeat", vec![self.repeat.to_string()], vec![other.repeat.to_string()]),
        ];
        parts.iter().find_map(|(what, ours, theirs)| {
            let most = ours.len().max(theirs.len());
            let line = |of: &Vec<String>, at| of.get(at).map_or("nothing".into(), String::clone);
            let pairs = (0..most).map(|at| [line(ours, at), line(theirs, at)]);
            let [ours, theirs] = pairs.into_iter().find(|[ours, theirs]| ours != theirs)?;
            Some(format!("{what}: {} and {}", display::text(&ours), display::text(&theirs)))
        })
    }
}

impl SweepFile {
    /// Returns a file without runs.
    pub fn new(sweep: Header) -> Self {
        Self { sweep, runs: Vec::new(), failed: Vec::new() }
    }

    /// Returns it as it is written: one line of JSON. Runs that make it longer than `most` bytes
    /// lose the bins of their latencies; percentiles stay.
    ///
    /// # Errors
    /// When it is longer even so.
    pub fn text(&mut self, most: u64) -> Result<String> {
        let text = self.json()?;
        if text.len() as u64 <= most {
            return Ok(text);
        }
        for job in self.runs.iter_mut().flat_map(|run| &mut run.result.jobs) {
            let sides = [&mut job.read, &mut job.write, &mut job.trim].into_iter();
            for side in sides.chain(job.mixed.as_deref_mut()) {
                side.clat_ns.bins = Default::default();
                side.lat_ns.bins = Default::default();
            }
            job.sync.lat_ns.bins = Default::default();
        }
        let text = self.json()?;
        let why = "sweep what is missing to another --output";
        ensure!(text.len() as u64 <= most, "it would be longer than {} MiB; {why}", most >> 20);
        Ok(text)
    }

    fn json(&self) -> Result<String> {
        let text = serde_json::to_string(self).context("cannot write the results as JSON")?;
        Ok(text + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    fn header(values: usize) -> Header {
        let values: Vec<String> = (0..values).map(|n| n.to_string()).collect();
        let axis = |name: &str| Axis { name: name.to_owned(), values: values.clone() };
        Header {
            axes: vec![axis("iodepth"), axis("bs")],
            repeat: 1,
            seed: None,
            job: "5 bytes, 7".to_owned(),
            kernel: "9 bytes, 8".to_owned(),
            guest: vec!["name = \"a\"".to_owned(), "memory = 64".to_owned()],
        }
    }

    #[test]
    fn a_grid_has_cells_and_an_end() {
        for (values, is_good) in [(0, false), (1, true), (31, true), (32, false)] {
            assert_eq!(header(values).check().is_ok(), is_good, "{values}");
        }
        assert!(Header { axes: Vec::new(), ..header(1) }.check().is_err());
    }

    #[test]
    fn a_list_has_an_end() {
        for (values, is_good) in [(VALUES_MAX, true), (VALUES_MAX + 1, false)] {
            let text = serde_json::to_string(&header(values)).unwrap();
            assert_eq!(serde_json::from_str::<Header>(&text).is_ok(), is_good, "{values}");
        }
    }

    #[test]
    fn a_file_that_grows_too_long_loses_its_bins() {
        let run = |n: u32| CellRun {
            who: System::Ringmark,
            at: vec!["0".to_owned(), "1".to_owned()],
            repetition: n,
            result: sample("a", Some("persistent"), 1.0),
        };
        let mut file = SweepFile { runs: (0..50).map(run).collect(), ..SweepFile::new(header(2)) };
        let whole = file.json().unwrap().len() as u64;
        assert_eq!(file.text(whole).unwrap().len() as u64, whole);
        assert!(file.text(whole).unwrap().contains("bins"));
        let lean = file.text(whole - 1).unwrap();
        assert!(!lean.contains("bins") && lean.contains("99.000000"), "{lean}");
        let lean = lean.len() as u64;
        let error = file.text(lean - 1).unwrap_err().to_string();
        assert!(error.starts_with("it would be longer than 0 MiB; sweep what"), "{error}");
    }

    #[test]
    fn what_differs_is_named() {
        let ours = header(2);
        assert_eq!(ours.difference(&header(2)), None);
        let mut guest = header(2);
        guest.guest[1] = "memory = 32".to_owned();
        let mut more = header(2);
        more.guest.push("\u{1b}".to_owned());
        for (other, expected) in [
            (header(3), "axes: iodepth=0,1 and iodepth=0,1,2"),
            (Header { job: "x".into(), ..header(2) }, "job: 5 bytes, 7 and x"),
            (Header { kernel: "x".into(), ..header(2) }, "kernel: 9 bytes, 8 and x"),
            (guest, "guest: memory = 64 and memory = 32"),
            (more, "guest: nothing and \\u{1b}"),
            (Header { seed: Some(4), ..header(2) }, "order: grid and seed 4"),
            (Header { repeat: 2, ..header(2) }, "repeat: 1 and 2"),
        ] {
            assert_eq!(ours.difference(&other).as_deref(), Some(expected));
        }
    }
}
