//! Sums of each operation's accesses.

use std::collections::BTreeSet;
use std::fmt;

use grant_table::Version;

use crate::counted::{Access, Kind};
use crate::traces::{Case, designs, trace};

/// Sums of one operation.
#[derive(Debug)]
pub struct Total {
    pub design: &'static str,
    pub version: Version,
    pub case: Case,
    pub loads: usize,
    pub stores: usize,
    pub rmws: usize,
    pub fences: usize,
    /// Cache lines that it reads or writes.
    pub lines: usize,
    /// Cache lines that it writes.
    pub written: usize,
}

/// Heads the lines of totals.
pub const HEAD: &str = "design         version operation    loads stores rmws fences lines written";

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { design, loads, stores, rmws, fences, lines, written, .. } = self;
        let version = if self.version == Version::One { 1 } else { 2 };
        let case = self.case.name();
        write!(
            f,
            "{design:14} {version:7} {case:12} {loads:5} {stores:6} {rmws:4} {fences:6} {lines:5} \
             {written:7}"
        )
    }
}

/// Returns the sums of all designs, versions and operations.
pub fn totals() -> Vec<Total> {
    let mut totals = Vec::new();
    for (design, tables) in designs() {
        for version in [Version::One, Version::Two] {
            for case in Case::ALL {
                let steps = trace(&*tables, version, case);
                let accesses: Vec<Access> = steps.iter().map(|step| step.access).collect();
                let count = |kind| accesses.iter().filter(|access| access.kind == kind).count();
                let lines = |counts: fn(&Access) -> bool| {
                    let lines = accesses.iter().filter(|access| counts(access));
                    lines.map(|access| access.line()).collect::<BTreeSet<_>>().len()
                };
                totals.push(Total {
                    design,
                    version,
                    case,
                    loads: count(Kind::Load),
                    stores: count(Kind::Store),
                    rmws: count(Kind::Rmw),
                    fences: count(Kind::Fence),
                    lines: lines(|access| access.kind != Kind::Fence),
                    written: lines(|access| access.writes()),
                });
            }
        }
    }
    totals
}
