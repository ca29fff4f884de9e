//! Table of figures: for each job and direction the median of all runs on each system, and their
//! spread; of two systems the ratio of their pairs with its interval, and what it shows; below it
//! costs of an I/O by owner, where they were counted.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use results::{Spread, Verdict};

use crate::costs::{self, Counted, middle};
use crate::display;
use crate::figures::{Doubts, Figures};
use crate::measure::Measure;
use crate::saved::{Run, System, Variant};
use crate::verdict::{self, Told};

/// Most options that are named because two variants of a job differ in them.
const NAMED_MAX: usize = 8;

/// Runs of a system, or of a variant on it.
#[derive(Debug)]
pub struct Column {
    /// System.
    pub system: System,
    /// Variant, if both columns are of one system.
    pub variant: Option<Variant>,
    /// Runs in their order, each with its jobs and directions. Of two columns those of the same
    /// number are a pair.
    pub runs: Vec<Vec<Figures>>,
}

impl Column {
    /// Creates a column without runs.
    pub fn new(system: System, variant: Option<Variant>) -> Self {
        Self { system, variant, runs: Vec::new() }
    }

    /// Returns the column of runs that all are of one system.
    ///
    /// # Errors
    /// A result without figures.
    pub fn of(system: System, runs: &[Run]) -> Result<Self> {
        let runs = runs.iter().map(|run| Figures::of(&run.result)).collect::<Result<_>>()?;
        Ok(Self { system, variant: None, runs })
    }

    /// Its title.
    fn title(&self) -> &'static str {
        self.variant.map_or_else(|| self.system.title(), Variant::name)
    }

    /// Its name in a sentence.
    fn name(&self) -> &'static str {
        match (self.variant, self.system) {
            (Some(variant), _) => variant.name(),
            (None, System::Ringmark) => "ringmark",
            (None, System::Linux) => "Linux",
        }
    }

    /// Returns the figures of a job and direction in each run.
    fn all(&self, index: usize) -> impl Iterator<Item = &Figures> + Clone {
        self.runs.iter().filter_map(move |run| run.get(index))
    }

    /// Returns how many runs have a steady rate, if that is known of any.
    fn steady(&self, index: usize) -> Option<String> {
        let known = self.all(index).filter_map(|of| Some(of.steadiness.as_ref()?.verdict));
        let known: Vec<Verdict> = known.collect();
        let count = |wanted| known.iter().filter(|&&one| one == wanted).count();
        let too_short = match count(Verdict::TooShort) {
            0 => String::new(),
            count => format!(" ({count} too short)"),
        };
        let steady = count(Verdict::Steady);
        (!known.is_empty()).then(|| format!("{steady} of {}{too_short}", known.len()))
    }

    fn doubts(&self, index: usize) -> Vec<String> {
        match self.system {
            System::Ringmark => Doubts::about(self.all(index)).marks(),
            // Its figures tell nothing of that.
            System::Linux => Vec::new(),
        }
    }
}

/// Returns the table. A column without runs is left out; if two are there, each figure has the
/// ratio of the first to the second, and below it the verdict.
///
/// # Errors
/// No runs; results of different jobs.
pub fn table(columns: &[Column]) -> Result<String> {
    let columns: Vec<&Column> = columns.iter().filter(|column| !column.runs.is_empty()).collect();
    let first = columns.first().and_then(|column| column.runs.first()).context("no runs")?;
    for run in columns.iter().flat_map(|column| &column.runs) {
        check_same_jobs(first, run)?;
    }
    let titles = columns.iter().map(|column| column.title().to_owned());
    let ratio = (columns.len() > 1).then_some("ratio (95 % within)");
    let mut text = row("median (least .. greatest)", titles, ratio);
    let (mut marks, mut counted) = (String::new(), Vec::new());
    for (index, Figures { job, direction, .. }) in first.iter().enumerate() {
        let job = format!("{job}, {direction}");
        let told = marks.len();
        for column in &columns {
            let of = column.variant.map_or(String::new(), |of| format!(", {}", of.name()));
            let line = |doubt: String| format!("* {job}{of}: {doubt}\n");
            marks.extend(column.doubts(index).into_iter().map(line));
        }
        let star = if marks.len() == told { "" } else { " *" };
        text.push_str(&section(&columns, index, &job, star));
        let costs =
            columns.iter().filter_map(|column| Some((column.system, middle_of(column, index)?)));
        counted.push((job, costs.collect()));
    }
    Ok(text + &marks + &costs::text(&counted))
}

/// Checks that two runs are of the same jobs and directions, in the same order.
///
/// # Errors
/// They are not.
pub fn check_same_jobs(first: &[Figures], run: &[Figures]) -> Result<()> {
    let same = |(one, other): (&Figures, &Figures)| {
        one.job == other.job && one.direction == other.direction
    };
    let is_same = run.len() == first.len() && run.iter().zip(first).all(same);
    ensure!(is_same, "the results have different jobs: {} and {}", summary(first), summary(run));
    Ok(())
}

/// Returns the rows of a job and direction.
fn section(columns: &[&Column], index: usize, job: &str, star: &str) -> String {
    let mut text = format!("{job}{star}\n");
    if let [a, b] = columns
        && a.variant.is_some()
    {
        text.push_str(&differences(a.all(index).next(), b.all(index).next()));
    }
    for by in Measure::ALL {
        let has_any = columns.iter().any(|of| of.all(index).any(|of| by.of(of).is_some()));
        if by == Measure::DueP99 && !has_any {
            continue;
        }
        let spread = |column: &&Column| {
            let spread = Spread::of(column.all(index).filter_map(|figures| by.of(figures)));
            spread.map_or("-".to_owned(), |spread| spread.to_string())
        };
        let told = match columns {
            [a, b] => {
                let pairs = verdict::pairs([&a.runs, &b.runs], index, by);
                Some(Told::of(by, [a.name(), b.name()], &pairs))
            }
            _ => None,
        };
        let ratio = told.as_ref().map(|told| told.ratio.as_str());
        text.push_str(&row(&format!("  {}", by.title()), columns.iter().map(spread), ratio));
        text.extend(told.map(|told| format!("    {}{star}\n", told.verdict)));
    }
    let steady: Vec<Option<String>> = columns.iter().map(|of| of.steady(index)).collect();
    if steady.iter().any(Option::is_some) {
        let cells = steady.into_iter().map(|cell| cell.unwrap_or_else(|| "-".into()));
        text.push_str(&row("  steady", cells, None));
    }
    text
}

/// Returns a line about the options in which two variants of a job differ, if they do.
fn differences(a: Option<&Figures>, b: Option<&Figures>) -> String {
    let Some((a, b)) = a.zip(b) else { return String::new() };
    let names: BTreeSet<&str> = a.options.keys().chain(b.options.keys()).map(|of| &**of).collect();
    let value =
        |of: &Figures, name: &str| of.options.get(name).map_or("-".into(), ToString::to_string);
    let differ = names.into_iter().filter_map(|name| {
        let [a, b] = [a, b].map(|of| value(of, name));
        (a != b).then(|| format!("{name}: {a} and {b}"))
    });
    let mut differ: Vec<String> = differ.map(|text| display::text(&text)).collect();
    if let more @ 1.. = differ.len().saturating_sub(NAMED_MAX) {
        differ.truncate(NAMED_MAX);
        differ.push(format!("and {more} more"));
    }
    if differ.is_empty() { String::new() } else { format!("  differs: {}\n", differ.join("; ")) }
}

/// Returns the costs of a job and direction, if they were counted.
fn middle_of(column: &Column, index: usize) -> Option<&Counted> {
    middle(column.all(index).filter_map(|figures| figures.costs.as_ref()))
}

fn row(name: &str, cells: impl Iterator<Item = String>, ratio: Option<&str>) -> String {
    let cells: String = cells.map(|cell| format!(" {cell:>30}")).collect();
    let ratio = ratio.map_or(String::new(), |ratio| format!(" {ratio:>24}"));
    format!("{name:<27}{cells}{ratio}\n")
}

/// Returns the IOPS of each job and direction in one line.
pub fn summary(all: &[Figures]) -> String {
    let one = |of: &Figures| format!("{} {} {:.0} IOPS", of.job, of.direction, of.iops);
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    fn column(system: System, variant: Option<Variant>, job: &str, iops: &[f64]) -> Column {
        let grants = (system == System::Ringmark).then_some("persistent");
        let run = |&iops: &f64| Figures::of(&sample(job, grants, iops)).unwrap();
        Column { system, variant, runs: iops.iter().map(run).collect() }
    }

    fn ours(iops: &[f64]) -> Column {
        column(System::Ringmark, None, "a", iops)
    }

    fn linux(iops: &[f64]) -> Column {
        column(System::Linux, None, "a", iops)
    }

    /// The flag of a backend that did not keep all pages.
    fn kept() -> Vec<results::Flag> {
        let (backend_pages_kept, pages_used) = (Some(1006), Some(2112));
        let extra = results::Extra { backend_pages_kept, pages_used, ..Default::default() };
        extra.all_flags()
    }

    #[test]
    fn runs_with_a_steady_rate_are_counted() {
        let text = |verdicts: &[Option<Verdict>]| {
            let mut ours = ours(&vec![3000.0; verdicts.len()]);
            for (figures, verdict) in ours.runs.iter_mut().flatten().zip(verdicts) {
                let judged = |verdict| results::Steadiness { verdict, ..Default::default() };
                figures.steadiness = verdict.map(judged);
            }
            let text = table(&[ours, linux(&[1000.0])]).unwrap();
            let line = text.lines().find(|line| line.starts_with("  steady"));
            line.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        };
        use Verdict::{Drifting, Steady, TooShort};
        assert_eq!(text(&[None]), None);
        assert_eq!(text(&[Some(Steady), Some(Drifting)]).as_deref(), Some("steady 1 of 2 -"));
        let short = text(&[Some(Steady), Some(TooShort), None]);
        assert_eq!(short.as_deref(), Some("steady 1 of 2 (1 too short) -"));
    }

    #[test]
    fn a_column_alone_has_no_ratio() {
        let expected = "\
median (least .. greatest)                        ringmark
a, read
  IOPS                                 2200 (1000 .. 3000)
  bandwidth, MiB/s                    8.59 (3.91 .. 11.72)
  mean latency, us                      2.00 (2.00 .. 2.00)
  99 % within, us                      4.10 (4.10 .. 4.10)
";
        let text = table(&[ours(&[3000.0, 1000.0, 2200.0])]).unwrap();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&text), words(expected));
        assert_eq!(text, table(&[ours(&[3000.0, 1000.0, 2200.0]), linux(&[])]).unwrap());
        assert!(table(&[ours(&[]), linux(&[])]).is_err());
    }

    #[test]
    fn pairs_have_a_ratio_and_a_verdict() {
        let text = table(&[ours(&[2000.0, 2040.0, 4000.0]), linux(&[1000.0, 1000.0, 2000.0])]);
        let text = text.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].ends_with("ringmark                     Linux, fio      ratio (95 % within)")
        );
        assert_eq!(lines[1], "a, read");
        assert!(lines[2].ends_with("      1000 (1000 .. 2000)   2.013 (1.957 .. 2.071)"), "{text}");
        assert_eq!(lines[3], "    ringmark is faster than Linux by 95.7 % .. 107.1 %");
        assert!(lines[6].ends_with(" 1.000 (1.000 .. 1.000)"), "{text}");
        assert!(
            lines[7].starts_with("    no difference shown (between 0.0 % and 0.0 %); "),
            "{text}"
        );
        let one = table(&[ours(&[3000.0, 1.0]), linux(&[1000.0])]).unwrap();
        assert!(one.contains(" 3.000\n    one pair does not tell how far chance goes\n"), "{one}");
    }

    #[test]
    fn variants_are_named_with_their_differences_and_doubts() {
        let mut both = [Variant::A, Variant::B]
            .map(|variant| column(System::Ringmark, Some(variant), "a", &[100.0, 101.0]));
        for figures in both[1].runs.iter_mut().flatten() {
            figures.options.insert("iodepth".into(), "4".into());
            figures.options.insert("grants".into(), "copy".into());
            figures.flags.extend(kept());
        }
        let text = table(&both).unwrap();
        let head = "\na, read *\n  differs: grants: - and copy; iodepth: 8 and 4\n  IOPS ";
        assert!(text.contains(head), "{text}");
        assert!(text.contains(" would have been seen *\n"), "{text}");
        assert!(text.contains("\n* a, read, B: the backend keeps 1006 of 2112 pages"), "{text}");
    }

    #[test]
    fn a_row_that_is_not_of_its_grant_mode_is_marked() {
        let mut ours = ours(&[3000.0, 3100.0]);
        ours.runs[0][0].flags.extend(kept());
        let text = table(&[ours, linux(&[1000.0])]).unwrap();
        assert!(text.contains("\na, read *\n"), "{text}");
        assert!(text.contains("\n* a, read: the backend keeps 1006 of 2112 pages"), "{text}");
    }

    #[test]
    fn latencies_from_due_times_have_a_row() {
        let mut ours = ours(&[3000.0]);
        ours.runs[0][0].due_p99_ns = Some(95_000.0);
        let text = table(&[ours, linux(&[1000.0])]).unwrap();
        let row = text.lines().find(|line| line.contains("99 % from due, us")).expect(&text);
        let cells: Vec<&str> = row.split_whitespace().skip(5).collect();
        assert_eq!(cells, ["95.00", "(95.00", "..", "95.00)", "-", "-"], "{text}");
        assert!(!table(&[linux(&[1.0])]).unwrap().contains("due"));
    }

    #[test]
    fn results_of_different_jobs_are_not_compared() {
        let other = column(System::Linux, None, "b", &[1.0]);
        let error = table(&[ours(&[1.0]), other]).unwrap_err();
        assert!(error.to_string().contains("different jobs"), "{error}");
    }
}
