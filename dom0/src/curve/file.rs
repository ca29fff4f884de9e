//! The file of a curve: runs as `compare --save` writes them, with the levels of load of each. It
//! may come from anywhere, so each list in it is bounded.

use anyhow::{Context, Result, ensure};
use results::Report;
use serde::{Deserialize, Serialize};

use super::levels::LEVELS_MAX;
use crate::few::few;
use crate::saved::System;

/// Settings of a curve, and what they led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the job.
    pub job: String,
    /// Its iodepth, at which saturation was measured.
    pub iodepth: u32,
    /// Iodepth of the levels of load.
    pub depth: u32,
    /// I/Os a second of reads and of writes at saturation.
    pub saturation: [f64; 2],
}

/// A run with its result.
#[derive(Debug, Serialize, Deserialize)]
pub struct CurveRun {
    /// Always ringmark.
    pub who: System,
    /// Levels of the result's jobs, in per cent of saturation; empty if it is that of saturation
    /// itself.
    #[serde(deserialize_with = "few::<_, _, LEVELS_MAX>")]
    pub levels: Vec<f64>,
    /// Result of the guest; of one that was ended early without the jobs that did not come to their
    /// end.
    pub result: Report,
}

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
pub struct CurveFile {
    /// Settings.
    pub curve: Header,
    /// Runs: that of saturation, then those of the levels.
    #[serde(deserialize_with = "few::<_, _, { LEVELS_MAX + 1 }>")]
    pub runs: Vec<CurveRun>,
}

impl CurveFile {
    /// Reads the text of a curve.
    ///
    /// # Errors
    /// When it is none, lacks something, or has what no curve can have.
    pub fn read(text: &str) -> Result<Self> {
        let file: Self = serde_json::from_str(text).context("no whole load curve")?;
        let is_rate = |rate: &f64| (0.0..=1e12).contains(rate);
        let [reads, writes] = file.curve.saturation;
        ensure!([reads, writes].iter().all(is_rate), "{reads:e}, {writes:e} is no saturation");
        let levels = || file.runs.iter().flat_map(|run| &run.levels);
        let is_level = |level: &f64| *level > 0.0 && *level <= 1e3;
        let wrong = levels().find(|level| !is_level(level));
        ensure!(wrong.is_none(), "{:e} is no load in per cent", wrong.unwrap_or(&0.0));
        ensure!(levels().count() <= LEVELS_MAX, "more than {LEVELS_MAX} levels of load");
        Ok(file)
    }

    /// Returns it as it is written: one line of JSON.
    ///
    /// # Errors
    /// A result that is no JSON.
    pub fn text(&self) -> Result<String> {
        let text = serde_json::to_string(self).context("cannot write the results as JSON")?;
        Ok(text + "\n")
    }
}
