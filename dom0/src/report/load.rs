//! Everything that was measured, from the files of a report: results of `run`, of fio and of
//! `compare`, and fio's IOPS logs.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use results::{Origin, Report};

use super::again::is_again;
use super::form;
use super::input::{self, Input, Json};
use super::iops_log::{self, Points};
use crate::curve::file::{CurveFile, CurveRun};
use crate::curve::points::{self, Curve};
use crate::display;
use crate::figures::Figures;
use crate::result;
use crate::saved::{Run as SavedRun, Saved, System, Variant};
use crate::sweep::file::{Axis, CellRun, SweepFile};

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Data {
    /// Files, in the order in which they were named.
    pub files: Vec<PathBuf>,
    /// Runs, in the order of the files.
    pub runs: Vec<Run>,
    /// IOPS over time.
    pub logs: Vec<Log>,
    /// Grids of runs.
    pub sweeps: Vec<Sweep>,
    /// Load curves, each with the index of the file that it is from.
    pub curves: Vec<(usize, Curve)>,
}

/// A grid of runs: what each of them has on an axis is among its options.
#[derive(Debug)]
pub struct Sweep {
    /// Index of the file that it is from.
    pub file: usize,
    /// Indexes of its runs.
    pub runs: Range<usize>,
    /// Axes, the slowest first.
    pub axes: Vec<Axis>,
}

/// A run of some jobs on one system.
#[derive(Debug)]
pub struct Run {
    /// Index of the file that it is from.
    pub file: usize,
    /// System that ran it, as far as the file tells.
    pub system: System,
    /// Variant of an A/B comparison.
    pub variant: Option<Variant>,
    /// Version of what ran it.
    pub version: Rc<str>,
    /// Date as text, if it is known.
    pub time: Option<String>,
    /// Provenance, if it is known.
    pub origin: Option<Origin>,
    /// Figures of its jobs and their directions.
    pub figures: Vec<Figures>,
}

/// IOPS over time.
#[derive(Debug)]
pub struct Log {
    /// Index of the file that it is from.
    pub file: usize,
    /// `read`, `write` or `trim`.
    pub direction: &'static str,
    /// Its values.
    pub points: Points,
}

impl Data {
    /// Adds what is in a file.
    ///
    /// # Errors
    /// When it can't be read, or is neither a result nor a log. The text has an end, and no control
    /// characters, whatever is in the file and its name.
    pub fn add(&mut self, path: &Path) -> Result<()> {
        let added = input::read(path).and_then(|text| self.add_text(path, &text));
        added.map_err(|error| {
            let name = display::text(&path.to_string_lossy());
            anyhow!("{name}: {}", display::text(&format!("{error:#}")))
        })
    }

    /// Adds what is in a text.
    ///
    /// # Errors
    /// When it is neither a result nor a log.
    pub fn add_text(&mut self, path: &Path, text: &str) -> Result<()> {
        let file = self.files.len();
        match input::split(text)? {
            Input::Log(text) => {
                let logs = iops_log::read(text).or_else(|error| match form::other(text) {
                    Some(form) => bail!("{form}"),
                    None => Err(error),
                });
                let logs = logs?.into_iter();
                self.logs.extend(logs.map(|(direction, points)| Log { file, direction, points }));
            }
            Input::Results(mut texts) => {
                for json in texts.iter().filter(|json| json.is_sweep) {
                    self.add_sweep(file, input::whole_sweep(json.text)?)?;
                }
                for json in texts.iter().filter(|json| json.is_curve) {
                    self.add_curve(file, CurveFile::read(json.text)?)?;
                }
                texts.retain(|json| !json.is_sweep && !json.is_curve);
                for SavedRun { system, variant, result } in reports(&texts)? {
                    self.runs.push(Run { variant, ..run(file, system, result)? });
                }
            }
        }
        self.files.push(path.to_owned());
        Ok(())
    }

    /// Adds the curves of a file, and those of its runs that came to their end.
    fn add_curve(&mut self, file: usize, read: CurveFile) -> Result<()> {
        let curves = points::curves(&read);
        ensure!(!curves.is_empty(), "a load curve without levels");
        self.curves.extend(curves.into_iter().map(|curve| (file, curve)));
        let whole = read.runs.into_iter().filter(|run| result::failure(&run.result).is_none());
        let runs = whole.map(|CurveRun { who, result, .. }| run(file, who, result));
        self.runs.extend(runs.collect::<Result<Vec<_>>>()?);
        Ok(())
    }

    /// Adds the runs of a sweep. Settings of the guest become options, so that no two cells are
    /// taken for repeats.
    fn add_sweep(&mut self, file: usize, swept: SweepFile) -> Result<()> {
        ensure!(!swept.runs.is_empty(), "a sweep without results");
        let (first, axes) = (self.runs.len(), swept.sweep.axes);
        for CellRun { who, at, result, .. } in swept.runs {
            ensure!(at.len() == axes.len(), "a run with {} of {} axes", at.len(), axes.len());
            let mut run = run(file, who, result)?;
            for (axis, value) in axes.iter().zip(at) {
                let (name, value): (Rc<str>, Rc<str>) = (axis.name.as_str().into(), value.into());
                for figures in &mut run.figures {
                    figures.options.insert(Rc::clone(&name), Rc::clone(&value));
                }
            }
            self.runs.push(run);
        }
        self.sweeps.push(Sweep { file, runs: first..self.runs.len(), axes });
        Ok(())
    }
}

fn run(file: usize, system: System, report: Report) -> Result<Run> {
    let figures = Figures::of(&report)?;
    let Report { version, time, ringmark, .. } = report;
    let (version, origin) = (version.into(), ringmark.and_then(|run| run.origin));
    Ok(Run { file, system, variant: None, version, time, origin, figures })
}

/// Reads results. One that was written in two forms, or by fio again and again while it ran
/// (`--status-interval`), is there once: the last has it all.
fn reports(texts: &[Json<'_>]) -> Result<Vec<SavedRun>> {
    let mut all: Vec<SavedRun> = Vec::new();
    let mut texts = texts.to_vec();
    texts.dedup_by(|one, before| one.text == before.text);
    for json in texts {
        if json.has_runs {
            let saved: Saved = serde_json::from_str(json.text).context("no whole comparison")?;
            all.extend(saved.runs);
            continue;
        }
        let report = Report::from_json(json.text).context("no whole result")?;
        match all.last_mut() {
            Some(SavedRun { result: last, .. }) if is_again(last, &report) => {
                *last = richer(last, report);
            }
            _ => all.push(SavedRun { system: System::Ringmark, variant: None, result: report }),
        }
    }
    Ok(all)
}

/// The later of two reports of one run, or the earlier if it alone has all latencies.
fn richer(before: &mut Report, report: Report) -> Report {
    let has_bins = |report: &Report| {
        let mut sides = report.jobs.iter().flat_map(|job| job.sides());
        sides.any(|(_, side)| !side.clat_ns.bins.is_empty())
    };
    let is_form = before.timestamp_ms == report.timestamp_ms;
    if is_form && has_bins(before) && !has_bins(&report) { std::mem::take(before) } else { report }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use fio_output::{json, json_plus, normal, terse};

    fn read(text: &str) -> Result<Data> {
        let mut data = Data::default();
        data.add_text(Path::new("x"), text).map(|()| data)
    }

    fn iops(text: &str) -> Vec<f64> {
        let data = read(text).unwrap();
        data.runs.iter().flat_map(|run| &run.figures).map(|figures| figures.iops).collect()
    }

    #[test]
    fn results_of_all_makers_are_read() {
        let ours = |iops| sample("a", Some("persistent"), iops);
        let fio = format!("note: of fio\n{}", json_plus(&sample("a", None, 5.0)));
        let run = |system, result| SavedRun { system, variant: None, result };
        let runs =
            vec![run(System::Ringmark, ours(20.0)), run(System::Linux, sample("a", None, 7.0))];
        let saved = serde_json::to_string(&Saved { runs }).unwrap();
        let mut data = Data::default();
        for text in [&json_plus(&ours(10.0)), &fio, &saved, "1, 2, 1\n"] {
            data.add_text(Path::new("x"), text).unwrap();
        }
        let found: Vec<_> =
            data.runs.iter().map(|run| (run.file, run.system, run.figures[0].iops)).collect();
        let (ours, linux) = (System::Ringmark, System::Linux);
        assert_eq!(found, [(0, ours, 10.0), (1, ours, 5.0), (2, ours, 20.0), (2, linux, 7.0)]);
        assert_eq!((data.files.len(), data.logs[0].file, data.logs[0].direction), (4, 3, "write"));
    }

    #[test]
    fn a_run_in_several_forms_is_one_run() {
        let mut report = sample("{x", Some("persistent"), 10.0);
        report.timestamp_ms = Some(5);
        let [json, plus] = [json, json_plus].map(|form| form(&report));
        let [normal, terse] = [normal, terse].map(|form| form(&report));
        for text in [
            json.clone() + &normal,
            normal.clone() + &json,
            terse + &plus + &normal,
            json.clone() + &plus,
            plus.clone() + &json,
        ] {
            let data = read(&text).unwrap();
            assert_eq!(data.runs.len(), 1, "{text}");
            let has_bins = !data.runs[0].figures[0].bins.is_empty();
            assert_eq!(has_bins, text.contains("bins"), "{text}");
        }
    }

    #[test]
    fn repeats_are_runs_and_states_of_a_run_are_not() {
        // Seconds, milliseconds, I/Os.
        let text = |ours: Option<&str>, times: [(u64, Option<u64>, u64); 2]| {
            let texts = [(10.0, times[0]), (20.0, times[1])].map(|(iops, (elapsed, ms, ios))| {
                let mut report = sample("a", ours, iops);
                report.timestamp_ms = ms;
                report.jobs[0].elapsed = elapsed;
                report.jobs[0].read.total_ios = ios;
                json_plus(&report)
            });
            texts.concat()
        };
        let goes_on = [(1, Some(5_900), 9), (2, Some(6_900), 20)];
        assert_eq!(iops(&text(Some("persistent"), goes_on)), [10.0, 20.0]);
        assert_eq!(iops(&text(None, goes_on)), [20.0]);
        // The end of a run in the second of its last state, which the clock shows.
        assert_eq!(iops(&text(None, [(2, Some(6_100), 9), (2, Some(6_900), 10)])), [20.0]);
        // Another run, which took as long or longer.
        assert_eq!(iops(&text(None, [(2, Some(6_100), 9), (2, Some(8_200), 10)])), [10.0, 20.0]);
        assert_eq!(iops(&text(None, [(2, Some(6_100), 9), (3, Some(9_200), 10)])), [10.0, 20.0]);
        assert_eq!(iops(&text(None, [(1, Some(6_100), 9), (1, Some(6_900), 9)])), [10.0, 20.0]);
        assert_eq!(iops(&text(None, [(2, Some(6_100), 9), (2, Some(6_900), 8)])), [10.0, 20.0]);
        // Nothing but the seconds tells.
        assert_eq!(iops(&text(None, [(1, None, 9), (2, None, 9)])), [20.0]);
        assert_eq!(iops(&text(None, [(2, None, 9), (2, None, 10)])), [10.0, 20.0]);
        let result = sample("a", Some("persistent"), 5.0);
        let run = SavedRun { system: System::Ringmark, variant: None, result };
        let saved = Saved { runs: vec![run] };
        assert_eq!(iops(&saved.json().unwrap().repeat(2)), [5.0]);
    }

    #[test]
    fn an_error_has_an_end_and_shows_nothing_raw() {
        let mut report = sample("a", None, 1.0);
        report.jobs[0].jobname = "\u{202e}".repeat(1 << 20);
        report.jobs[0].error = 5;
        let place = std::env::temp_dir().join(format!("ringmark-\u{1b}[2J{}", std::process::id()));
        for text in [
            json_plus(&report),
            format!("{{\"fio version\": \"\", \"jobs\": \"{}\"}}", "x".repeat(3 << 20)),
        ] {
            std::fs::write(&place, text).unwrap();
            let error = Data::default().add(&place).unwrap_err().to_string();
            assert!(error.len() < 1000 && error.contains("ringmark-\\u{1b}[2J"), "{error}");
            assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error}");
        }
        std::fs::remove_file(&place).unwrap();
    }
}
