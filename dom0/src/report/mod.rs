//! `report`: plots of what was measured, in one HTML file that needs nothing else.
//!
//! `load` reads results and logs; `plots` says what is put where, by `axis` and `svg`; `page` is
//! what is around them.

mod axis;
mod load;
mod page;
mod plots;
mod svg;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::date;
use crate::output::Output;
use load::Data;

/// Plot results in one HTML file that needs no network
#[derive(Args, Debug)]
pub struct PlotReport {
    /// Results in fio's JSON, from ringmark or fio (json+ has the most detailed latencies), files
    /// saved by `compare --save`, and IOPS logs in fio's format
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// HTML file to write
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

impl PlotReport {
    /// Writes the report.
    ///
    /// # Errors
    /// When a file can't be read or written, or there is nothing to plot.
    pub fn run(&self) -> Result<()> {
        let mut output = Output::open(Some(&self.output))?;
        let mut data = Data::default();
        self.files.iter().try_for_each(|file| data.add(file))?;
        let figures = plots::all(&data);
        ensure!(!figures.is_empty(), "there is nothing to plot in these files");
        let made = format!("Made {} UTC.", date::ctime(date::now()));
        output.write(&page::page(&data, &figures, &made), &|| false)
    }
}
