//! `report`: plots of what was measured, in one HTML file that needs nothing else.
//!
//! `input` reads a file once and finds the results in it, `iops_log` reads logs, `load` collects
//! them, `provenance` reads what results tell of their origin. `identity` says which runs are
//! repeats, `series` puts them together, `names` tells the series apart, by `distinct` labels.
//! `facts` and `table` are the page's first sections; `bars`, `by_depth`, `latencies` and
//! `over_time` say what of a `view` is plotted where, `costs` where costs were counted, `curves`
//! what of load curves, `ratios` what of systems that took turns, `steady` what of a job's rate
//! over time, and `heat` what of a sweep (`clones` of a job together). An `interval` says how
//! well a rate is known. The crate `plots` draws them; `destination` is the place where the page
//! may go.

mod again;
mod bars;
mod by_depth;
mod clones;
mod costs;
mod curves;
mod destination;
mod distinct;
mod facts;
mod form;
mod heat;
pub mod identity;
pub mod input;
mod interval;
mod iops_log;
mod latencies;
pub mod load;
mod locks;
pub mod names;
mod over_time;
pub mod provenance;
mod ratios;
pub mod series;
mod steady;
mod table;
pub mod view;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use plots::figure::Figure;
use projection::grants::{GrantLocks, LockCheck};

use crate::date;
use crate::exit;
use crate::output::Output;
use load::Data;
use view::View;

/// Plot results in one HTML file that needs no network
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::REPORT))]
pub struct PlotReport {
    /// Results in fio's JSON, from ringmark or fio (json+ has the most detailed latencies), files
    /// saved by `compare --save`, `curve --save` or `sweep`, and IOPS logs in fio's format
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// HTML file to write; an older page there is replaced, any other file is not
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Take runs in different files for repeats if all of their job is the same, and their version
    #[arg(long)]
    merge: bool,
}

impl PlotReport {
    /// Writes the report.
    ///
    /// # Errors
    /// When a file can't be read or written, or has nothing to plot; a usage error when the page
    /// would replace what is no page.
    pub fn run(&self) -> Result<()> {
        destination::check(&self.output, &self.files)?;
        input::check_once(&self.files)?;
        let mut output = Output::open(Some(&self.output))?;
        let mut data = Data::default();
        self.files.iter().try_for_each(|file| data.add(file))?;
        let made = format!("Made {} UTC.", date::ctime(date::now()));
        output.write(&page(&data, self.merge, &made), &|| false)
    }
}

/// Checks that a page can be written to a place without replacing what is no page.
///
/// # Errors
/// [`destination::check`]'s.
pub fn check_destination(output: &Path) -> Result<()> {
    destination::check(output, &[])
}

/// Writes the page of a projection of grant locks.
///
/// # Errors
/// When it can't be written.
pub fn write_locks(output: &Path, locks: &GrantLocks, check: &LockCheck) -> Result<()> {
    let made = "But this page is a projection: nothing on it was measured.";
    let page = plots::page::page(&[locks::section(check)], &locks::figures(locks, check), made);
    Output::open(Some(output))?.write(&page, &|| false)
}

/// The page of what was read.
fn page(data: &Data, merge: bool, made: &str) -> String {
    let series = series::series(data, merge);
    let names = names::names(&series, &data.files);
    let view = View { series: &series, names: &names };
    let (bars, by_depth) = (bars::figures(view), by_depth::figures(view));
    // A curve tells more than many bars.
    let (first, second) = if bars.len() > 1 { (by_depth, bars) } else { (bars, by_depth) };
    let mut figures: Vec<Figure> = heat::figures(data);
    figures.extend(curves::figure(data));
    figures.extend(ratios::figures(data));
    figures.extend(costs::figures(view));
    figures.extend(first.into_iter().chain(second));
    figures.extend(latencies::figures(view));
    figures.extend(steady::figure(view));
    figures.extend(over_time::figure(&data.logs, &data.files));
    let sections = [facts::section(data), table::section(view), costs::section(view)];
    plots::page::page(&sections, &figures, made)
}

#[cfg(test)]
mod tests {
    use super::load::{Log, Run};
    use super::*;
    use crate::figures::{Figures, sample};
    use crate::saved::System;

    /// Jobs at depths from 1 to 40, and their names.
    fn many(jobs: usize, name: impl Fn(usize) -> String) -> Data {
        let mut report = sample("a", Some("persistent"), 5.0);
        let bins = (1..200).map(|bin| (1000 * bin, 1)).collect();
        report.jobs[0].read.clat_ns.bins = bins;
        if let Some(extra) = &mut report.jobs[0].ringmark {
            (extra.backend_pages_kept, extra.pages_used) = (Some(1), Some(2));
        }
        let figures = Figures::of(&report).unwrap().remove(0);
        let job = |number: usize| {
            let mut figures = Figures { job: name(number), ..figures.clone() };
            figures.options.insert("iodepth".into(), (number % 40 + 1).to_string().into());
            figures
        };
        let figures = (0..jobs).map(job).collect();
        let version = report.version.into();
        let run = Run {
            file: 0,
            system: System::Ringmark,
            variant: None,
            version,
            time: None,
            origin: None,
            figures,
        };
        Data { files: vec!["x.json".into()], runs: vec![run], ..Data::default() }
    }

    #[test]
    fn ten_thousand_jobs_make_a_page_that_can_be_opened() {
        for (jobs, most) in [(1, 20), (12, 300), (1000, 1024), (10_000, 1024)] {
            let page = page(&many(jobs, |number| format!("job-{number}")), false, "");
            assert!(page.len() < most << 10, "{jobs} jobs: {} bytes", page.len());
            let is_cut = page.contains("The first 1000 of 10000 rows; 9000 are left out");
            assert_eq!(is_cut, jobs > 1000);
            assert_eq!(page.contains("bars the first 96 are shown"), jobs > 96);
            assert_eq!(page.contains("plots the first 48 are shown"), jobs > 48);
        }
    }

    #[test]
    fn names_and_files_of_any_length_make_a_page_that_can_be_opened() {
        let name = |number| format!("{number}{}{number}", "\"<&>".repeat(500));
        let mut data = many(2000, name);
        data.files = (0..3000).map(|number| name(number).into()).collect();
        let points: Vec<(f64, f64)> =
            (0..100_000).map(|n| (f64::from(n), f64::from(n % 7))).collect();
        let log = |file| Log { file, direction: "read", points: points.clone() };
        data.logs = (0..60).map(log).collect();
        let page = page(&data, false, "");
        assert!(page.len() < 8 << 20, "{} bytes", page.len());
        assert!(!page.contains("NaN") && !page.contains("\"inf"));
    }
}
