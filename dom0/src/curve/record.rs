//! Results so far, kept so that a curve can be ended at any time.

use std::path::Path;

use anyhow::Result;
use results::{JobReport, Report};

use super::file::{CurveFile, CurveRun, Header};
use super::picture;
use super::points::curves;
use super::table::table;
use crate::output::Output;
use crate::result::first_error;
use crate::saved::System;
use crate::signals::Signals;

/// Share of its time after which a level has come to its end.
const WHOLE: f64 = 0.95;

/// Results so far, and where they go.
pub struct Record<'a> {
    /// Empty until saturation is known.
    file: Option<CurveFile>,
    save: Option<Output>,
    plot: Option<Output>,
    /// Whether all that is in `file` is in `save`.
    is_saved: bool,
    signals: &'a Signals,
}

impl<'a> Record<'a> {
    /// Begins without results.
    pub fn new(save: Option<Output>, plot: Option<Output>, signals: &'a Signals) -> Self {
        Self { file: None, save, plot, is_saved: false, signals }
    }

    /// Takes the result of saturation.
    pub fn begin(&mut self, curve: Header, result: Report) {
        let run = CurveRun { who: System::Ringmark, levels: Vec::new(), result };
        self.file = Some(CurveFile { curve, runs: vec![run] });
    }

    /// Takes a result whose jobs are these levels, or the first of them, each of so many
    /// milliseconds. Those that did not come to their end are left out.
    ///
    /// # Errors
    /// A result that is no JSON.
    pub fn take(&mut self, mut result: Report, levels: &[f64], runtime_ms: u64) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let jobs = std::mem::take(&mut result.jobs);
        let whole = levels.iter().zip(jobs).filter(|(_, job)| is_whole(job, runtime_ms));
        let (levels, jobs): (Vec<f64>, Vec<JobReport>) = whole.unzip();
        if !jobs.is_empty() {
            file.runs.push(CurveRun {
                who: System::Ringmark,
                levels,
                result: Report { jobs, ..result },
            });
        }
        // A file that cannot be written now is tried again at the end.
        if let Some(save) = self.save.as_mut().filter(|save| save.replaces()) {
            self.is_saved = save.write(&file.text()?, &self.signals.patience()).is_ok();
        }
        Ok(())
    }

    /// Returns the number of levels that have a result.
    pub fn level_count(&self) -> usize {
        self.file.iter().flat_map(|file| &file.runs).map(|run| run.levels.len()).sum()
    }

    /// Prints the curves of what there is, of so many levels, saves what is not saved yet, and
    /// draws them.
    ///
    /// # Errors
    /// The first place that cannot be written.
    pub fn finish(mut self, wanted: usize, plot: Option<&Path>) -> Result<()> {
        let count = self.level_count();
        let Some(file) = self.file.take().filter(|_| count != 0) else { return Ok(()) };
        let give_up = self.signals.patience();
        let curves = curves(&file);
        let mut text = table(&curves);
        if count < wanted {
            text.push_str(&format!("incomplete: {count} of {wanted} levels\n"));
        }
        let printed = Output::open(None).and_then(|mut out| out.write(&text, &give_up));
        let saved = match &mut self.save {
            Some(save) if !self.is_saved => {
                file.text().and_then(|json| save.write_or_print(&json, &give_up))
            }
            _ => Ok(()),
        };
        let drawn = match self.plot.as_mut().zip(plot) {
            Some((output, place)) => output.write(&picture::draw(&curves, place), &give_up),
            None => Ok(()),
        };
        first_error(first_error(printed, saved), drawn)
    }
}

/// Returns whether a job ran for all of its time and did not fail.
fn is_whole(job: &JobReport, runtime_ms: u64) -> bool {
    job.error == 0 && job.job_runtime as f64 >= WHOLE * runtime_ms as f64
}
