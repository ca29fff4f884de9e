//! Operations as values, to be drawn, run and written down.

use grant_table::{Access, Cpu, GrantTables, Handle, Mapping, Size, Status, Version, Words};
use xen_abi::{DomId, GrantRef};

/// Entry of a domain.
pub type Place = (u16, u32);

/// Operation: hypercalls of a processor, then what a domain does to its own entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Map { by: u16, place: Place, access: Access },
    Unmap { by: u16, handle: u32 },
    Copy { by: u16, from: Place, to: Place },
    Size { of: u16 },
    Grow { of: u16, frames: u32 },
    SetVersion { of: u16, version: Version },
    Permit { place: Place, grantee: u16, frame: u32, access: Access },
    Revoke { place: Place, version: Version },
    Scribble { place: Place, header: u32 },
    IsInUse { place: Place, version: Version },
}

/// Outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Done,
    Mapped(u32, u32),
    Copied(u32, u32),
    Size(u32, u32),
    InUse(bool),
    StillMapped,
    Failed(Status),
}

fn done(result: Result<(), Status>) -> Answer {
    result.map_or_else(Answer::Failed, |()| Answer::Done)
}

/// Runs an operation. Its entry exists, if it is of a domain's own.
pub fn perform<W: Words>(tables: &dyn GrantTables<W>, cpu: &mut Cpu, op: Op) -> Answer {
    let entry = |(of, gref)| tables.entry(DomId(of), GrantRef(gref)).expect("the entry exists");
    let full = |(of, gref)| (DomId(of), GrantRef(gref));
    match op {
        Op::Map { by, place: (of, gref), access } => {
            match tables.map(cpu, DomId(by), DomId(of), GrantRef(gref), access) {
                Ok(Mapping { handle: Handle(handle), frame }) => Answer::Mapped(handle, frame),
                Err(why) => Answer::Failed(why),
            }
        }
        Op::Unmap { by, handle } => done(tables.unmap(cpu, DomId(by), Handle(handle))),
        Op::Copy { by, from, to } => {
            let mut frames = None;
            let mut work = |from, to| frames = Some((from, to));
            let result = tables.copy(cpu, DomId(by), full(from), full(to), &mut work);
            match (result, frames) {
                (Ok(()), Some((from, to))) => Answer::Copied(from, to),
                (Err(why), None) => Answer::Failed(why),
                (result, frames) => panic!("{result:?} with work on {frames:?}"),
            }
        }
        Op::Size { of } => match tables.size(cpu, DomId(of)) {
            Ok(Size { frames, frames_max }) => Answer::Size(frames, frames_max),
            Err(why) => Answer::Failed(why),
        },
        Op::Grow { of, frames } => done(tables.grow(cpu, DomId(of), frames)),
        Op::SetVersion { of, version } => done(tables.set_version(cpu, DomId(of), version)),
        Op::Permit { place, grantee, frame, access } => {
            entry(place).permit(DomId(grantee), frame, access);
            Answer::Done
        }
        Op::Revoke { place, version } => {
            entry(place).revoke(version).map_or(Answer::StillMapped, |()| Answer::Done)
        }
        Op::Scribble { place, header } => {
            entry(place).scribble(header);
            Answer::Done
        }
        Op::IsInUse { place, version } => Answer::InUse(entry(place).is_in_use(version)),
    }
}
