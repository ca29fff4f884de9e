//! A run is a list of named steps that dom0 works off by itself; this is how they get into its
//! initramfs and what it reports of them on the second serial port.
//!
//! The report is what the steps print, line by line, with marks between (`dom0/init` writes them):
//! a record separator (0x1e), dom0's uptime in seconds, and `stage TEXT`, `ready`, `begin`,
//! `end STATUS`, `done` or `fail TEXT`.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::archive::Archive;

/// One shell command for dom0.
pub(crate) struct Step {
    /// Description for the user.
    pub(crate) name: String,
    /// A script for busybox sh, with `dom0/lib.sh` at hand.
    pub(crate) command: String,
    /// Longest time, by the host's clock, before the run is aborted.
    pub(crate) deadline: Duration,
}

impl Step {
    /// A step with a deadline in seconds.
    pub(crate) fn new(
        name: impl Into<String>,
        deadline_s: u64,
        command: impl Into<String>,
    ) -> Self {
        let deadline = Duration::from_secs(deadline_s);
        Self { name: name.into(), command: command.into(), deadline }
    }
}

/// Puts the steps' scripts where dom0's init looks for them.
pub(crate) fn install(steps: &[Step], archive: &mut Archive) {
    for (index, step) in steps.iter().enumerate() {
        archive.add(&format!("/rig/steps/{index:04}"), 0o644, format!("{}\n", step.command));
    }
}

/// Result of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Everything it printed, a line an entry.
    pub(crate) lines: Vec<String>,
    /// Its exit status; 124 where a helper's own deadline passed.
    pub(crate) status: i32,
}

#[cfg(test)]
impl Outcome {
    /// A step that printed this and went well, for the tests of judges.
    pub(crate) fn printed<T: Into<String>>(lines: impl IntoIterator<Item = T>) -> Self {
        Self { lines: lines.into_iter().map(T::into).collect(), status: 0 }
    }
}

/// Observer of a running step.
pub(crate) enum Seen<'a> {
    /// A line that it printed.
    Line(&'a str),
    /// Its end.
    End(Outcome),
}

/// One line of the report.
#[derive(Debug, PartialEq)]
pub(crate) enum Report {
    /// dom0 tells where it is in its start.
    Stage(String),
    /// dom0 is up.
    Ready,
    /// The next step begins.
    Begin,
    /// A line of the step's output.
    Line(String),
    /// The step has ended with this status.
    End(i32),
    /// All steps have ended.
    Done,
    /// dom0 could not start.
    Fail(String),
}

impl Report {
    /// Reads a line of the report.
    ///
    /// # Errors
    /// When it is a mark that `dom0/init` does not write.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let line = line.trim_end_matches(['\r', '\n']);
        // The kernel or a login may have left something on the line before the mark.
        let Some((_, mark)) = line.split_once('\u{1e}') else {
            return Ok(Self::Line(line.to_owned()));
        };
        let unknown = || format!("dom0 reported something unknown: {mark:?}");
        let (_uptime, mark) = mark.split_once(' ').with_context(unknown)?;
        let (word, rest) = mark.split_once(' ').unwrap_or((mark, ""));
        Ok(match word {
            "stage" => Self::Stage(rest.to_owned()),
            "ready" => Self::Ready,
            "begin" => Self::Begin,
            "end" => Self::End(rest.parse().with_context(unknown)?),
            "done" => Self::Done,
            "fail" => Self::Fail(rest.to_owned()),
            _ => bail!(unknown()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read() {
        let parse = |line| Report::parse(line).unwrap();
        assert_eq!(
            parse("\u{1e}1.20 stage loading the drivers\r\n"),
            Report::Stage("loading the drivers".into())
        );
        assert_eq!(parse("\u{1e}9.01 ready"), Report::Ready);
        assert_eq!(parse("\u{1e}9.02 begin\n"), Report::Begin);
        assert_eq!(parse("end 3\r\n"), Report::Line("end 3".into()));
        assert_eq!(parse("junk\u{1e}10.5 end 124\n"), Report::End(124));
        assert_eq!(parse("\u{1e}10.5 done"), Report::Done);
        assert_eq!(parse("\u{1e}1.0 fail insmod: no"), Report::Fail("insmod: no".into()));
    }

    #[test]
    fn broken_marks_are_errors() {
        for mark in ["\u{1e}", "\u{1e}1.0", "\u{1e}1.0 end", "\u{1e}1.0 end x", "\u{1e}1.0 what"] {
            assert!(Report::parse(mark).is_err(), "{mark:?}");
        }
    }

    #[test]
    fn steps_keep_their_order() {
        let steps: Vec<_> = (0..12).map(|n| Step::new("x", 1, format!("echo {n}"))).collect();
        let mut archive = Archive::new();
        install(&steps, &mut archive);
        assert!(archive.contains("/rig/steps/0002") && archive.contains("/rig/steps/0011"));
    }
}
