//! Small cases under loom, which lets two or three processors take turns in every way, up to three
//! preemptions, and each load return every value that the memory model allows.
//!
//! What a page holds is a relaxed word: only the tables' own orders show it to another processor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use grant_table::{Access, Config, Cpu, Entry, Handle, Mapping, Status, Version};
use loom::sync::atomic::AtomicU32;
use loom::thread::{self, JoinHandle};
use loom_words::{
    AsAsked, ChangesRelaxed, LoadsRelaxed, NoFences, Rules, StoresRelaxed, WideStoresRelaxed,
};
use xen_abi::{DomId, GrantRef};

use crate::all::{Tables, all};
use crate::panics::{Failure, tell_of_messages};
use crate::swapped::Loom;

/// Times that a processor is stopped although it could go on.
const PREEMPTIONS: usize = 3;

/// Tables and pages that the processors of a case share.
struct Shared<R: Rules + Send + Sync> {
    tables: Tables<Loom<R>>,
    /// Content of two pages.
    pages: [AtomicU32; 2],
    /// Handles of a domain.
    handles: usize,
}

/// Case: a name, sizes, and what the processors do.
pub struct Case<R: Rules + Send + Sync> {
    pub name: &'static str,
    config: Config,
    run: fn(&Arc<Shared<R>>),
}

/// Makes the tables of a design.
pub type New<R> = fn(Config) -> Tables<Loom<R>>;

const OWNER: DomId = DomId(0);
const PEER: DomId = DomId(1);
/// Frame that is granted.
const FRAME: u32 = 7;
const FIRST: GrantRef = GrantRef(0);
const SECOND: GrantRef = GrantRef(1);

/// Two entries, four handles.
const TWO: Config = Config {
    domains: 2,
    cpus: 2,
    entries_per_frame: 2,
    frames: 1,
    frames_max: 1,
    handles_per_frame: 2,
    handle_frames_max: 2,
};

/// Returns all cases.
pub fn cases<R: Rules + Send + Sync>() -> Vec<Case<R>> {
    let growing = Config { entries_per_frame: 1, frames_max: 2, ..TWO };
    let scarce = Config { handle_frames_max: 1, ..TWO };
    vec![
        case("revoke, version 1", TWO, |shared| revoke(shared, Version::One)),
        case("revoke, version 2", TWO, |shared| revoke(shared, Version::Two)),
        case("permit, version 1", TWO, |shared| permit(shared, Version::One)),
        case("permit, version 2", TWO, |shared| permit(shared, Version::Two)),
        case("copy", TWO, copy),
        case("each other", TWO, each_other),
        case("growth", growing, growth),
        case("first handles", scarce, first_handles),
        case("stealing", scarce, stealing),
        case("given back", TWO, given_back),
        case("version change", TWO, version_change),
        case("look, version 1", TWO, |shared| look(shared, Version::One)),
        case("look, version 2", TWO, |shared| look(shared, Version::Two)),
        case("unmap twice", TWO, unmap_twice),
        case("guessed handle", TWO, guessed_handle),
        case("scribble", TWO, scribble),
    ]
}

fn case<R: Rules + Send + Sync>(
    name: &'static str,
    config: Config,
    run: fn(&Arc<Shared<R>>),
) -> Case<R> {
    Case { name, config, run }
}

/// Tries a case in all ways; returns their number.
///
/// # Panics
/// When one of them goes wrong.
pub fn explore<R: Rules + Send + Sync>(new: New<R>, case: &Case<R>) -> usize {
    tell_of_messages();
    let count = Arc::new(AtomicUsize::new(0));
    let found = Arc::clone(&count);
    let (config, run) = (case.config, case.run);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.max_branches = 5_000;
    model.check(move || {
        found.fetch_add(1, Relaxed);
        let pages = [0, 0].map(AtomicU32::new);
        let handles = (config.handles_per_frame * config.handle_frames_max) as usize;
        run(&Arc::new(Shared { tables: new(config), pages, handles }));
    });
    count.load(Relaxed)
}

impl<R: Rules + Send + Sync> Shared<R> {
    fn entry(&self, of: DomId, gref: GrantRef) -> &Entry<Loom<R>> {
        self.tables.entry(of, gref).expect("it is there")
    }

    fn grant(&self, gref: GrantRef, frame: u32) {
        self.entry(OWNER, gref).permit(PEER, frame, Access::Write);
    }

    fn map(&self, cpu: &mut Cpu, gref: GrantRef, access: Access) -> Result<Mapping, Status> {
        self.tables.map(cpu, PEER, OWNER, gref, access)
    }

    fn unmap(&self, cpu: &mut Cpu, mapping: Mapping) {
        assert_eq!(self.tables.unmap(cpu, PEER, mapping.handle), Ok(()));
    }

    fn set_version(&self, version: Version) {
        if version == Version::Two {
            assert_eq!(self.tables.set_version(&mut Cpu::new(0), OWNER, version), Ok(()));
        }
    }

    /// Checks that the peer, which has mappings already, gets all other handles, each once.
    fn check_handles(&self, held: &[Mapping]) {
        let cpu = &mut Cpu::new(0);
        let mut handles: Vec<_> = held.iter().map(|mapping| mapping.handle.0).collect();
        let count = self.handles;
        while handles.len() < count {
            let mapping = self.map(cpu, FIRST, Access::Read).expect("a handle is free");
            handles.push(mapping.handle.0);
        }
        assert_eq!(self.map(cpu, FIRST, Access::Read), Err(Status::Full), "with {handles:?}");
        handles.sort_unstable();
        assert!(handles.iter().zip(0..).all(|(found, handle)| *found == handle), "{handles:?}");
    }
}

/// Runs `work` on a processor.
fn spawn<R: Rules + Send + Sync, T: 'static>(
    shared: &Arc<Shared<R>>,
    number: usize,
    work: impl FnOnce(&Shared<R>, &mut Cpu) -> T + Send + 'static,
) -> JoinHandle<T> {
    let shared = Arc::clone(shared);
    thread::spawn(move || work(&shared, &mut Cpu::new(number)))
}

/// Two processors write to a page that the owner takes back: what they wrote is there then, and
/// nobody writes any more.
fn revoke<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>, version: Version) {
    shared.set_version(version);
    shared.grant(FIRST, FRAME);
    let writers = [0, 1].map(|number| {
        spawn(shared, number, move |shared, cpu| {
            let Ok(mapping) = shared.map(cpu, FIRST, Access::Write) else { return false };
            assert_eq!(mapping.frame, FRAME);
            shared.pages[number].store(1, Relaxed);
            shared.unmap(cpu, mapping);
            true
        })
    });
    let entry = shared.entry(OWNER, FIRST);
    let seen = || [0, 1].map(|page| shared.pages[page].load(Relaxed) == 1);
    let revoked = entry.revoke(version).is_ok().then(seen);
    let wrote = writers.map(|writer| writer.join().unwrap());
    match revoked {
        Some(seen) => assert_eq!(seen, wrote, "a page is what was written before it was revoked"),
        None => assert_eq!(entry.revoke(version), Ok(()), "nothing is mapped any more"),
    }
    assert!(!entry.is_in_use(version));
}

/// Mappers find the frame that was permitted, and what was in it before.
fn permit<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>, version: Version) {
    shared.set_version(version);
    let readers = [0, 1].map(|number| {
        spawn(shared, number, move |shared, cpu| match shared.map(cpu, FIRST, Access::Read) {
            Ok(mapping) => {
                assert_eq!(mapping.frame, FRAME);
                assert_eq!(shared.pages[0].load(Relaxed), 5, "what was put there first");
            }
            Err(why) => assert_eq!(why, Status::NotGranted),
        })
    });
    shared.pages[0].store(5, Relaxed);
    shared.grant(FIRST, FRAME);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}

/// A copy's target is taken back by its owner while its source is mapped by another.
fn copy<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    shared.grant(SECOND, FRAME + 1);
    let copier = spawn(shared, 0, |shared, cpu| {
        let mut work = |from, to| {
            assert_eq!([from, to], [FRAME, FRAME + 1]);
            shared.pages[1].store(1, Relaxed);
        };
        shared.tables.copy(cpu, PEER, (OWNER, FIRST), (OWNER, SECOND), &mut work).is_ok()
    });
    let mapper = spawn(shared, 1, |shared, cpu| {
        let mapping = shared.map(cpu, FIRST, Access::Write).expect("it is granted");
        shared.unmap(cpu, mapping);
    });
    let target = shared.entry(OWNER, SECOND);
    let seen = target.revoke(Version::One).is_ok().then(|| shared.pages[1].load(Relaxed) == 1);
    let copied = copier.join().unwrap();
    mapper.join().unwrap();
    if let Some(seen) = seen {
        assert_eq!(seen, copied, "what was copied was so before the target was revoked");
    }
    for gref in [FIRST, SECOND] {
        assert!(!shared.entry(OWNER, gref).is_in_use(Version::One));
    }
}

/// Two domains map each other's pages.
fn each_other<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    let both = [(OWNER, PEER), (PEER, OWNER)];
    for (of, by) in both {
        shared.entry(of, FIRST).permit(by, FRAME, Access::Write);
    }
    let mappers = [0, 1].map(|number| {
        spawn(shared, number, move |shared, cpu| {
            let (of, by) = both[number];
            let mapping = shared.tables.map(cpu, by, of, FIRST, Access::Write).expect("granted");
            assert_eq!(shared.tables.unmap(cpu, by, mapping.handle), Ok(()));
        })
    });
    mappers.into_iter().for_each(|mapper| mapper.join().unwrap());
}

/// An entry of a frame that is being added has nothing in it, whatever was there before.
fn growth<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(SECOND, 99);
    let owner = spawn(shared, 0, |shared, cpu| {
        assert_eq!(shared.tables.grow(cpu, OWNER, 2), Ok(()));
        shared.grant(SECOND, FRAME);
    });
    let mapper = spawn(shared, 1, |shared, cpu| match shared.map(cpu, SECOND, Access::Read) {
        Ok(mapping) => assert_eq!(mapping.frame, FRAME),
        Err(why) => assert!(matches!(why, Status::BadRef | Status::NotGranted), "{why}"),
    });
    owner.join().unwrap();
    mapper.join().unwrap();
}

/// Two processors need the first handles at once: there are enough.
fn first_handles<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    let mappers = [0, 1].map(|number| {
        spawn(shared, number, |shared, cpu| {
            shared.map(cpu, FIRST, Access::Read).expect("a handle is free")
        })
    });
    let mappings = mappers.map(|mapper| mapper.join().unwrap());
    shared.check_handles(&mappings);
}

/// A processor steals from a list while its owner takes both and puts the first back.
fn stealing<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    let cpu = &mut Cpu::new(0);
    let mapping = shared.map(cpu, FIRST, Access::Read).expect("a handle is free");
    shared.unmap(cpu, mapping);
    let owner = spawn(shared, 0, |shared, cpu| {
        let first = shared.map(cpu, FIRST, Access::Read).expect("a handle is free");
        let second = shared.map(cpu, FIRST, Access::Read);
        shared.unmap(cpu, first);
        second.ok()
    });
    let thief = spawn(shared, 1, |shared, cpu| shared.map(cpu, FIRST, Access::Read).ok());
    let held: Vec<_> =
        [owner, thief].map(|cpu| cpu.join().unwrap()).into_iter().flatten().collect();
    shared.check_handles(&held);
}

/// A handle goes back to the list of a processor that adds others to it.
fn given_back<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    let cpu = &mut Cpu::new(0);
    let [first, second] = [(); 2].map(|()| shared.map(cpu, FIRST, Access::Read).unwrap());
    let owner = spawn(shared, 0, |shared, cpu| {
        shared.map(cpu, FIRST, Access::Read).expect("a handle is free")
    });
    let other = spawn(shared, 1, move |shared, cpu| shared.unmap(cpu, first));
    let third = owner.join().unwrap();
    other.join().unwrap();
    shared.check_handles(&[second, third]);
}

/// The version changes while nothing is mapped, and then marks are where the new one has them.
fn version_change<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    let owner = spawn(shared, 0, |shared, cpu| {
        let changed = shared.tables.set_version(cpu, OWNER, Version::Two);
        if changed.is_ok() {
            shared.grant(FIRST, FRAME + 1);
        }
        changed
    });
    let mapper = spawn(shared, 1, |shared, cpu| shared.map(cpu, FIRST, Access::Write));
    let changed = owner.join().unwrap();
    let mapped = mapper.join().unwrap();
    let (version, frame) = match changed {
        Ok(()) => (Version::Two, FRAME + 1),
        Err(why) => {
            assert_eq!(why, Status::Busy);
            (Version::One, FRAME)
        }
    };
    let entry = shared.entry(OWNER, FIRST);
    match mapped {
        Ok(mapping) => {
            assert_eq!(mapping.frame, frame);
            assert!(entry.is_in_use(version));
            shared.unmap(&mut Cpu::new(1), mapping);
        }
        Err(why) => assert_eq!((why, changed), (Status::NotGranted, Ok(()))),
    }
    assert!(!entry.is_in_use(version));
}

/// The owner finds its page as it was left once the entry says that nobody uses it.
fn look<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>, version: Version) {
    shared.set_version(version);
    shared.grant(FIRST, FRAME);
    let mapping = shared.map(&mut Cpu::new(0), FIRST, Access::Write).unwrap();
    let user = spawn(shared, 0, move |shared, cpu| {
        shared.pages[0].store(1, Relaxed);
        shared.unmap(cpu, mapping);
    });
    if !shared.entry(OWNER, FIRST).is_in_use(version) {
        assert_eq!(shared.pages[0].load(Relaxed), 1, "the page as it was left");
    }
    user.join().unwrap();
}

/// Two processors end the same mapping: one of them does.
fn unmap_twice<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    let Mapping { handle, .. } = shared.map(&mut Cpu::new(0), FIRST, Access::Write).unwrap();
    let ends = [0, 1].map(|number| {
        spawn(shared, number, move |shared, cpu| shared.tables.unmap(cpu, PEER, handle))
    });
    let mut ends = ends.map(|end| end.join().unwrap());
    ends.sort_by_key(|end| end.is_err());
    assert_eq!(ends, [Ok(()), Err(Status::BadHandle)]);
    assert_eq!(shared.entry(OWNER, FIRST).revoke(Version::One), Ok(()));
}

/// A processor ends a mapping whose handle nobody told it.
fn guessed_handle<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    let mapper = spawn(shared, 0, |shared, cpu| shared.map(cpu, FIRST, Access::Write).unwrap());
    let guesser = spawn(shared, 1, |shared, cpu| shared.tables.unmap(cpu, PEER, Handle(0)).is_ok());
    let mapping = mapper.join().unwrap();
    let ended = guesser.join().unwrap();
    assert_eq!(shared.entry(OWNER, FIRST).is_in_use(Version::One), !ended);
    let again = shared.tables.unmap(&mut Cpu::new(0), PEER, mapping.handle);
    assert_eq!(again.is_ok(), !ended);
    assert_eq!(shared.entry(OWNER, FIRST).revoke(Version::One), Ok(()));
}

/// The owner writes what it wants while its page is mapped and unmapped: the tables stay sound.
fn scribble<R: Rules + Send + Sync>(shared: &Arc<Shared<R>>) {
    shared.grant(FIRST, FRAME);
    let mapper = spawn(shared, 0, |shared, cpu| {
        if let Ok(mapping) = shared.map(cpu, FIRST, Access::Write) {
            shared.unmap(cpu, mapping);
        }
    });
    shared.entry(OWNER, FIRST).scribble(u32::MAX);
    shared.grant(FIRST, FRAME + 1);
    mapper.join().unwrap();
    shared.grant(FIRST, FRAME + 2);
    let cpu = &mut Cpu::new(0);
    let mapping = shared.map(cpu, FIRST, Access::Write).expect("it is granted");
    assert_eq!(mapping.frame, FRAME + 2);
    shared.unmap(cpu, mapping);
    assert!(!shared.entry(OWNER, FIRST).is_in_use(Version::One));
}

fn check(name: &str) {
    let design = all().into_iter().find(|design| design.name == name).expect("there is one");
    for case in cases::<AsAsked>() {
        let count = explore(design.new, &case);
        println!("{name}: {}: {count} ways", case.name);
        assert!(count > 1, "{name}: {}: {count} ways", case.name);
    }
}

#[test]
fn single_lock_stands_all_ways() {
    check("SingleLock");
}

#[test]
fn split_locks_stand_all_ways() {
    check("SplitLocks");
}

#[test]
fn per_vcpu_handles_stand_all_ways() {
    check("PerVcpuHandles");
}

#[test]
fn per_cpu_rw_lock_stands_all_ways() {
    check("PerCpuRwLock");
}

#[test]
fn packed_words_stand_all_ways() {
    check("PackedWords");
}

/// Returns what is said when a case goes wrong.
pub fn wrong<R: Rules + Send + Sync>(new: New<R>, case: &Case<R>) -> Option<Failure> {
    let explored = catch_unwind(AssertUnwindSafe(|| explore(new, case)));
    explored.err().map(|panic| Failure::of(&*panic))
}

/// Returns the case that goes wrong first, other than by running on and on.
pub fn first_wrong<R: Rules + Send + Sync>(new: New<R>) -> Option<&'static str> {
    let mut cases = cases::<R>().into_iter();
    let wrong = cases.find(|case| matches!(wrong(new, case), Some(Failure::Fault(_))));
    wrong.map(|case| case.name)
}

fn weakened<R: Rules + Send + Sync>(what: &str, designs: &[&str]) -> Vec<String> {
    let mut missed = vec![];
    for design in all::<Loom<R>>().into_iter().filter(|design| designs.contains(&design.name)) {
        match first_wrong(design.new) {
            Some(case) => println!("{}, {what}: caught by loom, {case}", design.name),
            None => missed.push(format!("{}, {what}", design.name)),
        }
    }
    missed
}

/// Without the orders of one kind of access each design goes wrong, so that the cases can tell.
#[test]
fn weaker_orders_are_caught() {
    let all = all::<Loom<AsAsked>>().map(|design| design.name);
    let missed = [
        weakened::<LoadsRelaxed>("relaxed loads", &all),
        weakened::<StoresRelaxed>("relaxed stores", &all),
        // The only words of 64 bits whose stores show something are those of uses.
        weakened::<WideStoresRelaxed>("relaxed stores of 64 bits", &["PackedWords"]),
        weakened::<ChangesRelaxed>("relaxed changes", &all),
        weakened::<NoFences>("no fences", &all),
    ];
    assert_eq!(missed.concat(), Vec::<String>::new());
}
