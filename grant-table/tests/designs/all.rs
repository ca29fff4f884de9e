//! The five designs, to be run by the same code.

use grant_table::{
    Config, GrantTables, PackedWords, PerCpuRwLock, PerVcpuHandles, SingleLock, SplitLocks, Words,
};

use crate::spec::Facts;

/// Tables of any design.
pub type Tables<W> = Box<dyn GrantTables<W>>;

/// Design: its name, what sets its outcomes apart, and how its tables are made.
pub struct Design<W: Words> {
    pub name: &'static str,
    pub facts: Facts,
    pub new: fn(Config) -> Tables<W>,
}

const ONE_LIST: Facts = Facts { lists: false, late_record: false };
const LISTS: Facts = Facts { lists: true, late_record: false };
const NO_LOCKS: Facts = Facts { lists: true, late_record: true };

/// Returns the five designs.
pub fn all<W: Words>() -> [Design<W>; 5] {
    [
        Design {
            name: "SingleLock",
            facts: ONE_LIST,
            new: |config| Box::new(SingleLock::new(config)),
        },
        Design {
            name: "SplitLocks",
            facts: ONE_LIST,
            new: |config| Box::new(SplitLocks::new(config)),
        },
        Design {
            name: "PerVcpuHandles",
            facts: LISTS,
            new: |config| Box::new(PerVcpuHandles::new(config)),
        },
        Design {
            name: "PerCpuRwLock",
            facts: LISTS,
            new: |config| Box::new(PerCpuRwLock::new(config)),
        },
        Design {
            name: "PackedWords",
            facts: NO_LOCKS,
            new: |config| Box::new(PackedWords::new(config)),
        },
    ]
}
