//! Totals of the checks.

use crate::say;

/// Counts and prints checks.
#[derive(Debug, Default)]
pub struct Selftest {
    /// Address that the page of text was linked at that was to be moved; `None` if it was to stay.
    pub(super) moved: Option<usize>,
    passed: u32,
    failed: u32,
}

impl Selftest {
    /// Begins a self-test with this page moved.
    pub(super) fn of(moved: Option<usize>) -> Self {
        Self { moved, ..Self::default() }
    }

    /// Counts a check, and prints what was checked and whether it passed.
    pub(super) fn check(&mut self, what: &str, passed: bool) {
        say!("{} {what}", if passed { "ok    " } else { "FAILED" });
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
    }

    /// Prints the totals; returns whether all passed.
    pub(super) fn finish(self) -> bool {
        say!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}
