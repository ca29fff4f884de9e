//! `diff`: two results side by side, and a gate that fails when the second is worse.

mod gate;
mod pairs;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use crate::exit::{self, Exit};
use crate::measure::Measure;
use crate::report::load::Data;
use crate::report::names::names;
use crate::report::series::series;
use crate::report::view::View;
use crate::stdout;
use gate::Gate;
use pairs::pairs;
use text::{Side, text};

/// Compare two results, job by job; fail if the second is worse than a gate allows
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::DIFF))]
pub struct Diff {
    /// The result to compare with: JSON of ringmark or fio, or a file saved by `compare --save` or
    /// `sweep`
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The result that is judged
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Fail if a median of B is worse than A's by more than this, in per cent of A's
    #[arg(long, value_name = "PERCENT", value_parser = parse_gate)]
    gate: Option<f64>,
    /// Figures that the gate judges, separated by commas
    #[arg(long, value_enum, value_name = "FIGURE", value_delimiter = ',')]
    #[arg(default_value = "iops", requires = "gate")]
    by: Vec<Measure>,
}

impl Diff {
    /// Prints the comparison.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a file that has no result; a gate that B does not pass.
    pub fn run(&self) -> Result<()> {
        let [a, b] = [read(&self.a)?, read(&self.b)?];
        let [series_a, series_b] = [series(&a, false), series(&b, false)];
        let [names_a, names_b] = [names(&series_a, &a.files), names(&series_b, &b.files)];
        let sides = [
            Side { data: &a, view: View { series: &series_a, names: &names_a } },
            Side { data: &b, view: View { series: &series_b, names: &names_b } },
        ];
        let mut gate = self.gate.map(|percent| Gate::new(percent, &self.by));
        let text = text(sides, &pairs(&series_a, &series_b), gate.as_mut());
        stdout::print(&text)?;
        match gate.and_then(|gate| gate.failure()) {
            Some(why) => bail!(why),
            None => Ok(()),
        }
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

fn parse_gate(text: &str) -> Result<f64, &'static str> {
    let percent = text.strip_suffix('%').unwrap_or(text).parse().ok();
    percent.filter(|percent| (0.0..=1e6).contains(percent)).ok_or("write per cent, such as 5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_per_cent() {
        for (text, percent) in [("5", 5.0), ("0", 0.0), ("2.5", 2.5), ("7%", 7.0)] {
            assert_eq!(parse_gate(text), Ok(percent));
        }
        for text in ["", "-1", "x", "nan", "inf", "5 %%", "%"] {
            assert!(parse_gate(text).is_err(), "{text}");
        }
    }
}
