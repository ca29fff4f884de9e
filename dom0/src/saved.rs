//! Results of several runs, as they are saved.

use anyhow::{Context, Result};
use results::Report;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::signals::Interrupts;

/// A system under comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// The ringmark guest.
    #[default]
    Ringmark,
    /// The Linux guest with fio.
    Linux,
}

impl System {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ringmark => "ringmark",
            Self::Linux => "linux",
        }
    }

    /// Returns its title in a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ringmark => "ringmark",
            Self::Linux => "Linux, fio",
        }
    }
}

/// Contents of the `--save` file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    /// All runs, in the order in which they ran.
    pub runs: Vec<Run>,
}

/// A run on one of the systems.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// System that ran it.
    #[serde(rename = "who")]
    pub system: System,
    /// fio's report.
    pub result: Report,
}

impl Saved {
    /// Passes the end of all runs on: an interruption as one that left a result, if there is any.
    ///
    /// # Errors
    /// Those of the runs.
    pub fn interrupted(&self, done: Result<()>, interrupts: Interrupts) -> Result<()> {
        match done {
            Err(error) if interrupts.count != 0 && !self.runs.is_empty() => {
                Err(Exit::Interrupted(format!("{error:#}")).into())
            }
            done => done,
        }
    }

    /// Returns it as it is saved: one line of JSON.
    ///
    /// # Errors
    /// A result that is no JSON.
    pub fn json(&self) -> Result<String> {
        let text = serde_json::to_string(self).context("cannot write the results as JSON")?;
        Ok(text + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    #[test]
    fn what_is_saved_can_be_read() {
        let saved = Saved {
            runs: [(System::Ringmark, Some("persistent")), (System::Linux, None)]
                .map(|(system, grants)| Run { system, result: sample("a", grants, 1.0) })
                .into(),
        };
        let text = saved.json().unwrap();
        let again: Saved = serde_json::from_str(&text).unwrap();
        assert_eq!(again.runs[1].system, System::Linux);
        assert_eq!(again.runs[0].result, saved.runs[0].result);
    }
}
