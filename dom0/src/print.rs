//! Results in the forms of fio.

use anyhow::Result;
use clap::ValueEnum;
use results::Report;

use crate::saved::{self, Saved, System};
use crate::table::{Column, table};

/// Form of a printed result (fio's `--output-format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for reading.
    Normal,
    /// JSON.
    Json,
    /// JSON with histograms of all latencies.
    #[value(name = "json+")]
    JsonPlus,
    /// Fields separated by semicolons, version 3.
    Terse,
    /// Fields separated by commas, under a header: a line for each job and direction.
    Csv,
}

/// A report in these forms, one after the other.
pub fn print(report: &Report, formats: &[Format]) -> String {
    let print = |format: &Format| match format {
        Format::Normal => fio_output::normal(report),
        Format::Json => fio_output::json(report),
        Format::JsonPlus => fio_output::json_plus(report),
        Format::Terse => fio_output::terse(report),
        Format::Csv => fio_output::csv([report]),
    };
    let mut texts: Vec<String> = formats.iter().map(print).collect();
    texts.iter_mut().filter(|text| !text.ends_with('\n')).for_each(|text| text.push('\n'));
    texts.concat()
}

/// Returns several runs of one job of ours in these forms, one form after the other. JSON is that
/// of a saved comparison, which `report` reads.
///
/// # Errors
/// A result that is no JSON.
pub fn print_all(saved: &Saved, formats: &[Format]) -> Result<String> {
    let print = |format: &Format| match format {
        Format::Json | Format::JsonPlus => saved::json(saved),
        Format::Terse => Ok(saved.runs.iter().map(|run| print(&run.result, &[*format])).collect()),
        Format::Csv => Ok(fio_output::csv(saved.runs.iter().map(|run| &run.result))),
        Format::Normal => {
            let column = Column::of(System::Ringmark, &saved.runs)?;
            let runs = saved.runs.iter().map(|run| print(&run.result, &[*format]));
            Ok(runs.collect::<String>() + "\n" + &table(&[column])?)
        }
    };
    formats.iter().map(print).collect()
}
