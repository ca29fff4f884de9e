//! Barrier at which guests that run together wait before each stage of their jobs (`barrier`), so
//! that dom0 lets all begin at once.
//!
//! A guest says by a line of its console that all is prepared for a stage, and waits until a node
//! of xenstore holds the stage's number, or a higher one. dom0 writes the nodes of all guests in
//! one transaction, so that all watches fire at its commit.

use core::fmt;

/// Node that dom0 writes, below the domain's own path; `0` until the first stage may begin.
pub const START_NODE: &str = "ringmark/start";

/// First words of the line by which a guest says that a stage is prepared.
const READY_PREFIX: &str = "ringmark: ready to start stage ";

/// Line by which a guest says that it is ready to start the stage of this number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready(pub u32);

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{READY_PREFIX}{}", self.0)
    }
}

impl Ready {
    /// Reads a line of a console; `None` if it says something else.
    pub fn parse(line: &str) -> Option<Self> {
        stage(line.strip_prefix(READY_PREFIX)?.trim_end()).map(Self)
    }
}

/// Returns whether a value of the [node](START_NODE) lets a stage begin.
pub fn may_start(value: &str, stage_number: u32) -> bool {
    stage(value).is_some_and(|number| number >= stage_number)
}

/// Reads a number of a stage, without a sign.
fn stage(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_line_says_which_stage_is_ready() {
        let line = Ready(12).to_string();
        assert_eq!(Ready::parse(&line), Some(Ready(12)));
        assert_eq!(Ready::parse(&(line.clone() + "\r")), Some(Ready(12)));
        for other in ["", "ringmark: ready", "ringmark: ready to start stage ", "Jobs: 1"] {
            assert_eq!(Ready::parse(other), None, "{other}");
        }
        assert_eq!(Ready::parse(&(line + "x")), None);
    }

    #[test]
    fn a_stage_begins_at_its_number_or_a_higher_one() {
        for (value, stage_number, begins) in [
            ("0", 1, false),
            ("1", 1, true),
            ("7", 2, true),
            ("1", 2, false),
            ("", 1, false),
            ("+1", 1, false),
            ("one", 1, false),
            ("4294967296", 1, false),
        ] {
            assert_eq!(may_start(value, stage_number), begins, "{value:?} {stage_number}");
        }
    }
}
