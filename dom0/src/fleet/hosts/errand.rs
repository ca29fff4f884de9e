//! Errand of several hosts.

use std::time::Duration;

use results::Origin;

use super::files::Files;
use super::host::Host;
use crate::plan::Plan;

/// Bytes of a line of a host, besides a result and its escapes.
const LINE_BYTES: usize = 1 << 20;

/// Errand of all hosts.
#[derive(Debug)]
pub struct Errand<'a> {
    /// Hosts, none of them twice.
    pub hosts: &'a [Host],
    /// Arguments for the tool there.
    pub arguments: &'a [String],
    /// Files for it.
    pub files: Files<'a>,
    /// Number of guests of each host.
    pub guests: u32,
    /// Plan of each guest.
    pub plan: &'a Plan,
    /// Origin of the results of each guest, of all hosts.
    pub origins: &'a [Origin],
    /// Whether domains stay there.
    pub keeps: bool,
    /// Longest time for a copy of a file.
    pub call_limit: Duration,
}

impl Errand<'_> {
    /// Returns the place of the first guest of a host among all guests, from 0.
    pub fn first_guest(&self, host: usize) -> u32 {
        u32::try_from(host).unwrap_or(u32::MAX).saturating_mul(self.guests)
    }

    /// Returns the longest line of a host: with a result in quotation marks, and its origin.
    pub fn line_bytes_max(&self) -> usize {
        self.plan.result_bytes_max().saturating_mul(2).saturating_add(LINE_BYTES)
    }
}
