//! Operations of each design, as the accesses that they make.

use grant_table::{
    Access as Right, Config, Cpu, GrantTables, Handle, PackedWords, PerCpuRwLock, PerVcpuHandles,
    SingleLock, SplitLocks, Version,
};
use xen_abi::{DomId, GrantRef};

use crate::counted::{Access, Counted, accesses};

/// Entries that fill some cache lines, whatever the size of one.
const FAR: u32 = 64;

/// Designs, by their names.
pub fn designs() -> [(&'static str, Box<dyn GrantTables<Counted>>); 5] {
    let config = Config { frames_max: 1, handle_frames_max: 2, ..Config::xen(4, 2) };
    [
        ("SingleLock", Box::new(SingleLock::new(config))),
        ("SplitLocks", Box::new(SplitLocks::new(config))),
        ("PerVcpuHandles", Box::new(PerVcpuHandles::new(config))),
        ("PerCpuRwLock", Box::new(PerCpuRwLock::new(config))),
        ("PackedWords", Box::new(PackedWords::new(config))),
    ]
}

/// Operation, and the state in which it is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub operation: Operation,
    /// Whether the entry has another mapping all the time.
    pub is_shared: bool,
}

/// Operation that is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Map,
    Unmap,
    Copy,
}

impl Case {
    /// All that are traced.
    pub const ALL: [Self; 5] = [
        Self { operation: Operation::Map, is_shared: false },
        Self { operation: Operation::Unmap, is_shared: false },
        Self { operation: Operation::Map, is_shared: true },
        Self { operation: Operation::Unmap, is_shared: true },
        Self { operation: Operation::Copy, is_shared: false },
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match (self.operation, self.is_shared) {
            (Operation::Map, false) => "map",
            (Operation::Unmap, false) => "unmap",
            (Operation::Map, true) => "map-shared",
            (Operation::Unmap, true) => "unmap-shared",
            (Operation::Copy, _) => "copy",
        }
    }
}

/// Actors of an operation, and what they do it to.
#[derive(Clone, Copy, Debug)]
struct Actors {
    cpu: usize,
    by: DomId,
    of: DomId,
    gref: u32,
    /// Handles that the processor has already, of other entries.
    held: u32,
}

const ACTORS: Actors = Actors { cpu: 0, by: DomId(0), of: DomId(1), gref: 0, held: 0 };

/// Other actors, and which of them are others.
const VARIANTS: [(&str, Actors); 5] = [
    ("cpu", Actors { cpu: 1, ..ACTORS }),
    ("by", Actors { by: DomId(3), ..ACTORS }),
    ("of", Actors { of: DomId(2), ..ACTORS }),
    ("gref", Actors { gref: 2 * FAR, ..ACTORS }),
    ("handle", Actors { held: FAR, ..ACTORS }),
];

/// Access of an operation, and what its cache line belongs to.
#[derive(Debug)]
pub struct Step {
    pub access: Access,
    /// Which actors have to be the same for the line to be the same.
    pub belongs_to: Vec<&'static str>,
}

/// Returns the accesses of one operation that has nothing to wait for.
pub fn trace(tables: &dyn GrantTables<Counted>, version: Version, case: Case) -> Vec<Step> {
    let traced = run(tables, version, case, ACTORS);
    let variants = VARIANTS.map(|(name, actors)| {
        let other = run(tables, version, case, actors);
        assert_eq!(other.len(), traced.len(), "another {name}: another path");
        (name, other)
    });
    let step = |(place, access): (usize, &Access)| {
        let differs = variants.iter().filter(|(_, other)| other[place].line() != access.line());
        Step { access: *access, belongs_to: differs.map(|(name, _)| *name).collect() }
    };
    traced.iter().enumerate().map(step).collect()
}

/// Runs an operation, alone.
fn run(
    tables: &dyn GrantTables<Counted>,
    version: Version,
    case: Case,
    actors: Actors,
) -> Vec<Access> {
    let Actors { cpu, by, of, gref, held } = actors;
    let cpu = &mut Cpu::new(cpu);
    tables.set_version(cpu, of, version).expect("nobody uses the table");
    let map = |cpu: &mut Cpu, gref: u32| -> Handle {
        tables.map(cpu, by, of, GrantRef(gref), Right::Write).expect("a grant").handle
    };
    let unmap = |cpu: &mut Cpu, handle| tables.unmap(cpu, by, handle).expect("a mapping");
    let others = gref + 4 * FAR;
    for gref in (gref..=gref + FAR).chain(others..others + held) {
        let entry = tables.entry(of, GrantRef(gref)).expect("an entry");
        entry.permit(by, gref, Right::Write);
    }
    // The first mapping of a processor makes a frame of handles.
    let first = map(cpu, gref);
    unmap(cpu, first);
    let mut kept: Vec<_> = (others..others + held).map(|gref| map(cpu, gref)).collect();
    if case.is_shared {
        kept.push(map(cpu, gref));
    }
    let traced = match case.operation {
        Operation::Map => accesses(|| kept.push(map(cpu, gref))),
        Operation::Unmap => {
            let handle = map(cpu, gref);
            accesses(|| unmap(cpu, handle))
        }
        Operation::Copy => {
            let [from, to] = [gref, gref + FAR].map(|gref| (of, GrantRef(gref)));
            accesses(|| tables.copy(cpu, by, from, to, &mut |_, _| ()).expect("two grants"))
        }
    };
    // The last first, so that the next run is given the same handles.
    kept.into_iter().rev().for_each(|handle| unmap(cpu, handle));
    traced
}
