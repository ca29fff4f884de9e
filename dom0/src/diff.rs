//! `diff`: two results side by side, and a judge that fails when the second is worse.

mod both;
mod gate;
mod judge;
mod pairs;
mod slower;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::exit::{self, Exit};
use crate::measure::Measure;
use crate::percent;
use crate::report::load::Data;
use crate::report::names::names;
use crate::report::series::series;
use crate::report::view::View;
use crate::stdout;
use gate::Gate;
use judge::Judge;
use pairs::pairs;
use slower::Limit;
use text::{Side, text};

/// Compare two results, job by job; fail if the second is slower than allowed
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::DIFF))]
pub struct Diff {
    /// The result to compare with: JSON of ringmark or fio, or a file saved by `ab --save`,
    /// `compare --save` or `sweep`
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The result that is judged
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Fail if the runs show that B is slower than A by more than this, in per cent of A's: by the
    /// 95 % interval of the ratio, so that chance does not decide; where it holds the limit, the
    /// exit code is 6
    #[arg(long, value_name = "PERCENT", value_parser = parse_slower, group = "judge")]
    fail_if_slower: Option<f64>,
    /// Fail if a median of B is worse than A's by more than this, in per cent of A's, even if
    /// chance may be the reason
    #[arg(long, value_name = "PERCENT", value_parser = percent::parse, group = "judge")]
    gate: Option<f64>,
    /// Figures that are judged, separated by commas
    #[arg(long, value_enum, value_name = "FIGURE", value_delimiter = ',')]
    #[arg(default_value = "iops", requires = "judge")]
    by: Vec<Measure>,
}

impl Diff {
    /// Prints the comparison.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a file that has no result; a judge whom B does not pass;
    /// [`Exit::Undecided`].
    pub fn run(&self) -> Result<()> {
        let [a, b] = [read(&self.a)?, read(&self.b)?];
        let [series_a, series_b] = [series(&a, false), series(&b, false)];
        let [names_a, names_b] = [names(&series_a, &a.files), names(&series_b, &b.files)];
        let sides = [
            Side { data: &a, view: View { series: &series_a, names: &names_a } },
            Side { data: &b, view: View { series: &series_b, names: &names_b } },
        ];
        let gate = self.gate.map(|percent| Judge::Gate(Gate::new(percent, &self.by)));
        let limit = self.fail_if_slower.map(|percent| Judge::Limit(Limit::new(percent, &self.by)));
        let mut judge = gate.or(limit);
        let text = text(sides, &pairs(&series_a, &series_b), judge.as_mut());
        stdout::print(&text)?;
        judge.and_then(|judge| judge.failure()).map_or(Ok(()), Err)
    }
}

/// Reads the results in a file.
fn read(path: &Path) -> Result<Data> {
    let mut data = Data::default();
    data.add(path).map_err(|error| Exit::Usage(format!("{error:#}")))?;
    if data.runs.is_empty() {
        let why = "has IOPS logs and no results; `ringmark report` plots them";
        return Err(Exit::Usage(format!("{} {why}", path.display())).into());
    }
    Ok(data)
}

fn parse_slower(text: &str) -> Result<f64, &'static str> {
    let percent = percent::parse(text)?;
    if percent < 100.0 { Ok(percent) } else { Err("nothing is slower by 100 per cent or more") }
}
