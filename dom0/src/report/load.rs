//! Input of a report: results of `run`, of fio and of `compare`, and fio's IOPS logs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use results::Report;

use crate::figures::{Doubts, Figures};
use crate::printable;
use crate::saved::{Saved, System};
use results::Spread;

/// All that was measured.
#[derive(Debug, Default)]
pub struct Data {
    /// In the order of the files.
    pub series: Vec<Series>,
    /// IOPS over time.
    pub logs: Vec<Log>,
}

/// Runs of one job in one direction on one system.
#[derive(Debug)]
pub struct Series {
    /// Name of the system and its version or grant mode: `ringmark, persistent`; `Linux, fio-3.33`.
    pub system: String,
    /// The first run.
    pub first: Figures,
    /// The runs after it.
    pub others: Vec<Figures>,
}

/// IOPS over time: seconds and I/Os a second.
#[derive(Debug)]
pub struct Log {
    /// The file's name and the direction.
    pub name: String,
    /// In the order of time.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// Returns the job and the direction: `JOB, read`.
    pub fn what(&self) -> String {
        format!("{}, {}", self.first.job, self.first.direction)
    }

    /// All runs.
    pub fn runs(&self) -> impl Iterator<Item = &Figures> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The runs' spread in one figure, if they have it.
    pub fn spread(&self, figure: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs().filter_map(figure))
    }

    /// Returns the reasons to doubt its figures.
    pub fn doubts(&self) -> Doubts {
        Doubts::about(self.runs())
    }

    /// Returns the mark behind its figures, empty if there is no reason to doubt them.
    pub fn star(&self) -> &'static str {
        if self.doubts().marks().is_empty() { "" } else { " *" }
    }

    fn is_of(&self, system: &str, figures: &Figures) -> bool {
        self.system == system
            && self.first.job == figures.job
            && self.first.direction == figures.direction
            && self.first.iodepth == figures.iodepth
    }
}

impl Data {
    /// Adds what is in a file.
    ///
    /// # Errors
    /// When it can't be read, or is neither a result nor a log.
    pub fn add(&mut self, path: &Path) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        fs::read_to_string(path)
            .map_err(Into::into)
            .and_then(|text| self.add_text(&name, &text))
            .with_context(|| path.display().to_string())
    }

    fn add_text(&mut self, name: &str, text: &str) -> Result<()> {
        let Some(text) = json(text) else {
            self.logs.extend(read_log(name, text)?);
            return Ok(());
        };
        printable::check(text)?;
        if let Ok(saved) = serde_json::from_str::<Saved>(text) {
            return saved.runs.iter().try_for_each(|run| self.add_report(run.system, &run.result));
        }
        let report = Report::from_json(text).context("neither a result nor a comparison")?;
        self.add_report(System::Ringmark, &report)
    }

    /// Adds a report; `system` tells the Linux guest from any other system that runs fio.
    fn add_report(&mut self, system: System, report: &Report) -> Result<()> {
        for figures in Figures::of(report)? {
            let system = match (figures.grants.as_str(), system) {
                ("", System::Linux) => format!("Linux, {}", report.version),
                ("", System::Ringmark) => report.version.clone(),
                (grants, _) => format!("ringmark, {grants}"),
            };
            match self.series.iter_mut().find(|series| series.is_of(&system, &figures)) {
                Some(series) => series.others.push(figures),
                None => self.series.push(Series { system, first: figures, others: Vec::new() }),
            }
        }
        Ok(())
    }
}

/// The JSON in a text, if there is any: fio writes its notes before it.
fn json(text: &str) -> Option<&str> {
    let start = if text.starts_with('{') { 0 } else { text.find("\n{")? };
    text.get(start..)
}

/// Reads fio's log: `MSEC, VALUE, DIRECTION, ..`, where the value is a number of I/Os a second
/// (`write_iops_log` with `log_avg_msec`). Each direction is a log of its own.
fn read_log(name: &str, text: &str) -> Result<Vec<Log>> {
    let mut logs: [Vec<(f64, f64)>; 3] = Default::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("line {} is neither JSON nor fio's log: {line:?}", number + 1);
        let mut fields = line.split(',').map(|field| field.trim().parse::<f64>());
        let (Some(Ok(msec)), Some(Ok(iops)), Some(Ok(direction))) =
            (fields.next(), fields.next(), fields.next())
        else {
            bail!(place());
        };
        logs.get_mut(direction as usize).with_context(place)?.push((msec / 1e3, iops));
    }
    let directions = ["read", "write", "trim"].into_iter().zip(logs);
    let logs: Vec<Log> = directions
        .filter(|(_, points)| !points.is_empty())
        .map(|(direction, points)| Log { name: format!("{name}, {direction}"), points })
        .collect();
    if logs.is_empty() { bail!("the file is empty") } else { Ok(logs) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use crate::saved::Run;
    use fio_output::json_plus;

    #[test]
    fn runs_of_one_job_are_put_together() {
        let mut data = Data::default();
        let ours = |iops| sample("a", Some("persistent"), iops);
        data.add_text("x", &json_plus(&ours(10.0))).unwrap();
        let fio = format!("note: of fio\n{}", json_plus(&sample("a", None, 5.0)));
        data.add_text("x", &fio).unwrap();
        let runs = vec![
            Run { system: System::Ringmark, result: ours(20.0) },
            Run { system: System::Linux, result: sample("a", None, 7.0) },
        ];
        data.add_text("x", &serde_json::to_string(&Saved { runs }).unwrap()).unwrap();
        let found: Vec<_> = data
            .series
            .iter()
            .map(|series| {
                let spread = series.spread(|figures| Some(figures.iops)).unwrap();
                (series.system.as_str(), series.what(), spread.median)
            })
            .collect();
        let expected =
            [("ringmark, persistent", 15.0), ("fio-3.33", 5.0), ("Linux, fio-3.33", 7.0)];
        assert_eq!(found, expected.map(|(system, median)| (system, "a, read".to_owned(), median)));
    }

    #[test]
    fn logs_are_read_by_direction() {
        let text = "500, 10, 0, 0, 0\n500, 7, 1, 0\n1000, 12, 0, 0, 0\n";
        let logs = read_log("x.log", text).unwrap();
        let [reads, writes] = &logs[..] else { panic!("{logs:?}") };
        assert_eq!(reads.points, [(0.5, 10.0), (1.0, 12.0)]);
        assert_eq!((writes.name.as_str(), writes.points.len()), ("x.log, write", 1));
        for text in ["", "a, b", "1, 2", "1, 2, 9"] {
            assert!(read_log("x.log", text).is_err(), "{text}");
        }
    }
}
