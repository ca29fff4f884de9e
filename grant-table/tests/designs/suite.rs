//! Each operation by hand: all designs do the same.

use grant_table::Access::{Read, Write};
use grant_table::Version::{One, Two};
use grant_table::{
    Access, Config, Cpu, Entry, Handle, Mapping, Size, Status, StillMapped, Version,
};
use protocols::Native;
use xen_abi::{DomId, GrantRef};

use crate::all::{Tables, all};

const OWNER: DomId = DomId(0);
const PEER: DomId = DomId(1);
const OTHER: DomId = DomId(2);
const NOBODY: DomId = DomId(3);
const GREF: GrantRef = GrantRef(1);
const FRAME: u32 = 0x1234;
/// Most uses of a kind that can be counted.
const PINS_MAX: u32 = 32_767;

const CONFIG: Config = Config {
    domains: 3,
    cpus: 2,
    entries_per_frame: 4,
    frames: 1,
    frames_max: 3,
    handles_per_frame: 3,
    handle_frames_max: 2,
};

/// Tables, and a processor.
struct Bench {
    tables: Tables<Native>,
    cpus: [Cpu; 2],
}

/// Runs `check` with new tables of each design, and its name.
fn each(config: Config, check: impl Fn(&mut Bench, &str)) {
    for design in all() {
        let mut bench = Bench { tables: (design.new)(config), cpus: [Cpu::new(0), Cpu::new(1)] };
        check(&mut bench, design.name);
    }
}

/// The same for tables of each version.
fn each_version(check: impl Fn(&mut Bench, Version, &str)) {
    for version in [One, Two] {
        each(CONFIG, |bench, name| {
            assert_eq!(bench.set_version(version), Ok(()), "{name}");
            check(bench, version, name);
        });
    }
}

impl Bench {
    fn entry(&self) -> &Entry<Native> {
        self.tables.entry(OWNER, GREF).expect("it is there")
    }

    fn map(&mut self, access: Access) -> Result<Mapping, Status> {
        self.map_on(0, access)
    }

    fn map_on(&mut self, cpu: usize, access: Access) -> Result<Mapping, Status> {
        self.tables.map(&mut self.cpus[cpu], PEER, OWNER, GREF, access)
    }

    fn unmap(&mut self, handle: Handle) -> Result<(), Status> {
        self.tables.unmap(&mut self.cpus[0], PEER, handle)
    }

    fn copy(&mut self, from: GrantRef, to: GrantRef) -> Result<(u32, u32), Status> {
        let mut found = None;
        let mut work = |from, to| found = Some((from, to));
        let [from, to] = [(OWNER, from), (OWNER, to)];
        let result = self.tables.copy(&mut self.cpus[0], PEER, from, to, &mut work);
        result.map(|()| found.expect("it has worked"))
    }

    fn set_version(&mut self, version: Version) -> Result<(), Status> {
        self.tables.set_version(&mut self.cpus[0], OWNER, version)
    }

    fn grow(&mut self, frames: u32) -> Result<(), Status> {
        self.tables.grow(&mut self.cpus[0], OWNER, frames)
    }
}

#[test]
fn a_mapping_has_the_frame_until_it_ends() {
    each_version(|bench, version, name| {
        assert_eq!(bench.map(Read), Err(Status::NotGranted), "{name}");
        bench.entry().permit(PEER, FRAME, Write);
        let mapping = bench.map(Write).unwrap();
        assert_eq!(mapping.frame, FRAME, "{name}");
        assert!(bench.entry().is_in_use(version), "{name}");
        assert_eq!(bench.unmap(mapping.handle), Ok(()), "{name}");
        assert!(!bench.entry().is_in_use(version), "{name}");
        assert_eq!(bench.unmap(mapping.handle), Err(Status::BadHandle), "{name}: once");
        assert_eq!(bench.entry().revoke(version), Ok(()), "{name}");
        assert_eq!(bench.map(Write), Err(Status::NotGranted), "{name}");
    });
}

#[test]
fn an_entry_in_use_cannot_be_revoked() {
    each_version(|bench, version, name| {
        bench.entry().permit(PEER, FRAME, Write);
        let [first, second] = [Read, Write].map(|access| bench.map(access).unwrap().handle);
        for handle in [first, second] {
            assert_eq!(bench.entry().revoke(version), Err(StillMapped), "{name}");
            assert_eq!(bench.unmap(handle), Ok(()), "{name}");
        }
        assert_eq!(bench.entry().revoke(version), Ok(()), "{name}");
    });
}

#[test]
fn a_version_2_permission_ends_while_its_use_goes_on() {
    each(CONFIG, |bench, name| {
        bench.set_version(Two).unwrap();
        bench.entry().permit(PEER, FRAME, Read);
        let first = bench.map(Read).unwrap();
        assert_eq!(bench.entry().revoke(Two), Err(StillMapped), "{name}");
        // What is in use may be used more by the same domain, in the same way.
        assert_eq!(bench.map(Read).unwrap().frame, FRAME, "{name}");
        assert_eq!(bench.map(Write), Err(Status::NotGranted), "{name}");
        assert!(bench.entry().is_in_use(Two), "{name}");
        assert_eq!(bench.unmap(first.handle), Ok(()), "{name}");
    });
}

#[test]
fn marks_say_how_an_entry_is_used() {
    const READING: u32 = 1 << 3;
    const WRITING: u32 = 1 << 4;
    each(CONFIG, |bench, name| {
        bench.entry().permit(PEER, FRAME, Write);
        let reader = bench.map(Read).unwrap();
        let writer = bench.map(Write).unwrap();
        bench.unmap(writer.handle).unwrap();
        // Still read: its owner may end nothing.
        assert!(bench.entry().is_in_use(One), "{name}");
        bench.entry().scribble(WRITING);
        bench.unmap(reader.handle).unwrap();
        assert!(!bench.entry().is_in_use(One), "{name}: both marks go with the last use");
        bench.entry().permit(PEER, FRAME, Write);
        let [reader, writer] = [Read, Write].map(|access| bench.map(access).unwrap());
        bench.unmap(reader.handle).unwrap();
        bench.entry().scribble(READING);
        bench.unmap(writer.handle).unwrap();
        assert!(!bench.entry().is_in_use(One), "{name}");
    });
}

#[test]
fn a_read_only_entry_is_not_written() {
    each_version(|bench, version, name| {
        bench.entry().permit(PEER, FRAME, Read);
        assert_eq!(bench.map(Write), Err(Status::ReadOnly), "{name}");
        assert!(!bench.entry().is_in_use(version), "{name}");
        let mapping = bench.map(Read).unwrap();
        assert_eq!(bench.map(Write), Err(Status::ReadOnly), "{name}: nor while it is read");
        assert!(bench.entry().is_in_use(version), "{name}");
        assert_eq!(bench.unmap(mapping.handle), Ok(()), "{name}");
        assert!(!bench.entry().is_in_use(version), "{name}");
    });
}

#[test]
fn an_entry_is_used_by_one_domain() {
    each_version(|bench, version, name| {
        bench.entry().permit(PEER, FRAME, Write);
        let mapping = bench.map(Read).unwrap();
        bench.entry().permit(OTHER, FRAME + 1, Write);
        let of_other =
            |bench: &mut Bench| bench.tables.map(&mut bench.cpus[0], OTHER, OWNER, GREF, Read);
        assert_eq!(of_other(bench), Err(Status::NotGranted), "{name}");
        let foreign = bench.tables.unmap(&mut bench.cpus[0], OTHER, mapping.handle);
        assert_eq!(foreign, Err(Status::BadHandle), "{name}: a handle is its domain's");
        assert_eq!(bench.unmap(mapping.handle), Ok(()), "{name}");
        assert_eq!(of_other(bench).unwrap().frame, FRAME + 1, "{name}");
        assert!(bench.entry().is_in_use(version), "{name}");
    });
}

#[test]
fn a_frame_stays_whatever_its_owner_writes() {
    each_version(|bench, _, name| {
        bench.entry().permit(PEER, FRAME, Write);
        let first = bench.map(Read).unwrap();
        for header in (0..32).chain([u32::MAX, 0x0001_ffff]) {
            bench.entry().permit(OTHER, FRAME + 1, Write);
            bench.entry().scribble(header);
            let again = bench.map(Read).unwrap();
            assert_eq!(again.frame, FRAME, "{name}, {header:#x}");
            assert_eq!(bench.unmap(again.handle), Ok(()), "{name}, {header:#x}");
        }
        assert_eq!(bench.unmap(first.handle), Ok(()), "{name}");
        bench.entry().permit(PEER, FRAME + 1, Write);
        assert_eq!(bench.map(Read).unwrap().frame, FRAME + 1, "{name}");
    });
}

#[test]
fn only_permissions_to_access_are_used() {
    each_version(|bench, version, name| {
        for flags in 0..32_u32 {
            bench.entry().permit(PEER, FRAME, Write);
            bench.entry().scribble(u32::from(PEER.0) << 16 | flags);
            let expected = if flags & 3 != 1 {
                Err(Status::NotGranted)
            } else if flags & 4 != 0 {
                Err(Status::ReadOnly)
            } else {
                Ok(FRAME)
            };
            let mapping = bench.map(Write);
            assert_eq!(mapping.map(|mapping| mapping.frame), expected, "{name}, {flags:#x}");
            if let Ok(mapping) = mapping {
                bench.unmap(mapping.handle).unwrap();
                assert!(!bench.entry().is_in_use(version), "{name}, {flags:#x}");
            }
        }
    });
}

#[test]
fn what_does_not_exist_is_refused() {
    each(CONFIG, |bench, name| {
        let Bench { tables, cpus: [cpu, _] } = bench;
        let (source, nowhere) = ((OWNER, GREF), (NOBODY, GREF));
        assert_eq!(tables.map(cpu, PEER, NOBODY, GREF, Read), Err(Status::BadDomain), "{name}");
        assert_eq!(tables.map(cpu, NOBODY, OWNER, GREF, Read), Err(Status::BadDomain), "{name}");
        assert_eq!(tables.unmap(cpu, NOBODY, Handle(0)), Err(Status::BadDomain), "{name}");
        for (by, from, to) in
            [(NOBODY, source, source), (PEER, nowhere, source), (PEER, source, nowhere)]
        {
            let mut work = |_, _| panic!("{name}: it copies");
            let copied = tables.copy(cpu, by, from, to, &mut work);
            assert_eq!(copied, Err(Status::BadDomain), "{name}");
        }
        assert_eq!(tables.size(cpu, NOBODY), Err(Status::BadDomain), "{name}");
        assert_eq!(tables.grow(cpu, NOBODY, 1), Err(Status::BadDomain), "{name}");
        assert_eq!(tables.set_version(cpu, NOBODY, Two), Err(Status::BadDomain), "{name}");
        assert!(tables.entry(NOBODY, GREF).is_none(), "{name}");
        for gref in [4, 11, 12, u32::MAX] {
            let mapped = tables.map(cpu, PEER, OWNER, GrantRef(gref), Read);
            assert_eq!(mapped, Err(Status::BadRef), "{name}");
            assert_eq!(tables.entry(OWNER, GrantRef(gref)).is_some(), gref < 12, "{name}");
        }
        for handle in [0, 5, 6, u32::MAX] {
            let ended = tables.unmap(cpu, PEER, Handle(handle));
            assert_eq!(ended, Err(Status::BadHandle), "{name}, {handle}");
        }
    });
}

#[test]
fn a_copy_has_both_frames_and_keeps_neither() {
    each_version(|bench, version, name| {
        let target = GrantRef(2);
        bench.entry().permit(PEER, FRAME, Read);
        assert_eq!(bench.copy(GREF, target), Err(Status::NotGranted), "{name}");
        assert!(!bench.entry().is_in_use(version), "{name}: the source is given back");
        bench.tables.entry(OWNER, target).unwrap().permit(PEER, 9, Write);
        assert_eq!(bench.copy(GREF, target), Ok((FRAME, 9)), "{name}");
        assert_eq!(bench.copy(target, GREF), Err(Status::ReadOnly), "{name}");
        assert_eq!(bench.copy(target, target), Ok((9, 9)), "{name}");
        assert_eq!(bench.copy(GREF, GrantRef(4)), Err(Status::BadRef), "{name}");
        for gref in [GREF, target] {
            assert_eq!(bench.tables.entry(OWNER, gref).unwrap().revoke(version), Ok(()), "{name}");
        }
    });
}

#[test]
fn a_copy_holds_both_while_it_works() {
    each_version(|bench, version, name| {
        let target = GrantRef(2);
        let entries = [GREF, target].map(|gref| bench.tables.entry(OWNER, gref).unwrap());
        entries.iter().for_each(|entry| entry.permit(PEER, FRAME, Write));
        let mut works = 0;
        let mut work = |_, _| {
            works += 1;
            for entry in entries {
                assert_eq!(entry.revoke(version), Err(StillMapped), "{name}");
            }
        };
        let cpu = &mut bench.cpus[0];
        let [from, to] = [(OWNER, GREF), (OWNER, target)];
        assert_eq!(bench.tables.copy(cpu, PEER, from, to, &mut work), Ok(()), "{name}");
        assert_eq!(works, 1, "{name}");
    });
}

#[test]
fn a_table_grows_with_clear_entries() {
    each(CONFIG, |bench, name| {
        let new = |bench: &Bench| bench.tables.entry(OWNER, GrantRef(7)).unwrap() as *const _;
        let place = new(bench);
        bench.tables.entry(OWNER, GrantRef(7)).unwrap().permit(PEER, FRAME, Write);
        let map = |bench: &mut Bench| {
            bench.tables.map(&mut bench.cpus[0], PEER, OWNER, GrantRef(7), Read)
        };
        assert_eq!(map(bench), Err(Status::BadRef), "{name}");
        for (asked, result, frames) in [
            (4, Err(Status::Full), 1),
            (0, Ok(()), 1),
            (2, Ok(()), 2),
            (1, Ok(()), 2),
            (u32::MAX, Err(Status::Full), 2),
        ] {
            assert_eq!(bench.grow(asked), result, "{name}");
            let size = bench.tables.size(&mut bench.cpus[0], OWNER);
            assert_eq!(size, Ok(Size { frames, frames_max: 3 }), "{name}");
        }
        assert_eq!(map(bench), Err(Status::NotGranted), "{name}: it is clear");
        assert_eq!(new(bench), place, "{name}: it stays where it is");
        let peers = bench.tables.size(&mut bench.cpus[0], PEER);
        assert_eq!(peers, Ok(Size { frames: 1, frames_max: 3 }), "{name}: only that one");
        // What has grown keeps what was granted.
        bench.tables.entry(OWNER, GrantRef(7)).unwrap().permit(PEER, FRAME, Read);
        assert_eq!(bench.grow(3), Ok(()), "{name}");
        assert_eq!(map(bench).unwrap().frame, FRAME, "{name}");
    });
}

#[test]
fn the_version_changes_while_nothing_is_in_use() {
    each(CONFIG, |bench, name| {
        let mut before = One;
        for version in [Two, One, Two] {
            bench.entry().permit(PEER, FRAME, Write);
            let mapping = bench.map(Read).unwrap();
            assert!(bench.entry().is_in_use(before), "{name}");
            assert_eq!(bench.set_version(version), Err(Status::Busy), "{name}");
            assert!(bench.entry().is_in_use(before), "{name}: nothing has changed");
            let again = bench.map(Read).unwrap();
            for handle in [again.handle, mapping.handle] {
                assert_eq!(bench.unmap(handle), Ok(()), "{name}");
            }
            assert_eq!(bench.set_version(version), Ok(()), "{name}");
            assert_eq!(bench.map(Read), Err(Status::NotGranted), "{name}: all are cleared");
            before = version;
        }
    });
}

#[test]
fn a_table_that_has_the_version_stays_as_it_is() {
    each_version(|bench, version, name| {
        bench.entry().permit(PEER, FRAME, Write);
        assert_eq!(bench.set_version(version), Ok(()), "{name}");
        let mapping = bench.map(Read).unwrap();
        assert_eq!(mapping.frame, FRAME, "{name}: nothing is cleared");
        assert_eq!(bench.set_version(version), Ok(()), "{name}: even in use");
        assert!(bench.entry().is_in_use(version), "{name}");
        assert_eq!(bench.unmap(mapping.handle), Ok(()), "{name}");
        assert_eq!(bench.map(Write).unwrap().frame, FRAME, "{name}");
    });
}

#[test]
fn handles_run_out_and_come_back() {
    each(CONFIG, |bench, name| {
        bench.entry().permit(PEER, FRAME, Write);
        let mut held: Vec<_> = (0..6).map(|_| bench.map(Read).unwrap().handle.0).collect();
        for cpu in [0, 1] {
            assert_eq!(bench.map_on(cpu, Read), Err(Status::Full), "{name}");
        }
        held.sort_unstable();
        assert_eq!(held, [0, 1, 2, 3, 4, 5], "{name}");
        for handle in held {
            assert_eq!(bench.unmap(Handle(handle)), Ok(()), "{name}");
        }
        assert!(!bench.entry().is_in_use(One), "{name}");
        // The other processor takes what the first one had, and gives it back as its own.
        let stolen: Vec<_> = (0..6).map(|_| bench.map_on(1, Read).unwrap().handle).collect();
        assert_eq!(bench.map_on(0, Read), Err(Status::Full), "{name}");
        stolen.iter().for_each(|handle| bench.unmap(*handle).unwrap());
        let mut mixed: Vec<_> = (0..6).map(|at| bench.map_on(at % 2, Read).unwrap()).collect();
        mixed.sort_by_key(|mapping| mapping.handle.0);
        mixed.dedup_by_key(|mapping| mapping.handle.0);
        assert_eq!(mixed.len(), 6, "{name}: each once");
    });
}

#[test]
fn a_refused_mapping_gives_its_handle_back() {
    each(CONFIG, |bench, name| {
        for _ in 0..20 {
            assert_eq!(bench.map(Read), Err(Status::NotGranted), "{name}");
            assert_eq!(bench.map_on(1, Write), Err(Status::NotGranted), "{name}");
        }
        bench.entry().permit(PEER, FRAME, Write);
        for _ in 0..6 {
            bench.map(Read).unwrap();
        }
    });
}

#[test]
fn uses_are_counted_up_to_a_limit() {
    let config = Config { handles_per_frame: 256, handle_frames_max: 300, ..CONFIG };
    each(config, |bench, name| {
        bench.entry().permit(PEER, FRAME, Write);
        for access in [Read, Write] {
            for _ in 0..PINS_MAX {
                bench.map(access).unwrap();
            }
            assert_eq!(bench.map(access), Err(Status::Full), "{name}");
        }
        assert_eq!(bench.copy(GREF, GrantRef(2)), Err(Status::Full), "{name}");
        for handle in 0..2 * PINS_MAX {
            assert!(bench.entry().is_in_use(One), "{name}");
            assert_eq!(bench.unmap(Handle(handle)), Ok(()), "{name}");
        }
        assert!(!bench.entry().is_in_use(One), "{name}");
        bench.map(Write).unwrap();
    });
}

#[test]
fn domains_may_grant_to_themselves() {
    each(CONFIG, |bench, name| {
        bench.entry().permit(OWNER, FRAME, Write);
        let Bench { tables, cpus: [cpu, _] } = bench;
        let mapping = tables.map(cpu, OWNER, OWNER, GREF, Write).unwrap();
        assert_eq!(mapping.frame, FRAME, "{name}");
        assert_eq!(tables.unmap(cpu, OWNER, mapping.handle), Ok(()), "{name}");
        assert!(!bench.entry().is_in_use(One), "{name}");
    });
}
