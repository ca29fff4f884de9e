//! Totals of the checks.

use crate::say;

/// Counts and prints checks.
#[derive(Debug, Default)]
pub struct Selftest {
    passed: u32,
    failed: u32,
}

impl Selftest {
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
