//! The accesses of each design are those that its code makes, word by word.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI8, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use grant_table::{
    Access as Right, Config, Cpu, GrantTables, PackedWords, PerCpuRwLock, PerVcpuHandles,
    SingleLock, SplitLocks, Words,
};
use projection::grants::designs::{Design, Side, Step, Word};
use projection::lines::Access;
use protocols::{Atomic, Atomics};
use xen_abi::{DomId, GrantRef};

/// Access to a word, or a full fence.
type Note = Option<(Access, usize)>;

thread_local! {
    static ACCESSES: RefCell<Vec<Note>> = const { RefCell::new(Vec::new()) };
}

/// Word that writes down who accesses it how.
#[derive(Debug, Default)]
#[repr(transparent)]
struct Noted<A>(A);

impl<A> Noted<A> {
    fn note(&self, access: Access) {
        let place = std::ptr::from_ref(self).addr();
        ACCESSES.with_borrow_mut(|accesses| accesses.push(Some((access, place))));
    }
}

impl<T, A: Atomic<T>> Atomic<T> for Noted<A> {
    fn load(&self, order: Ordering) -> T {
        self.note(Access::Load);
        self.0.load(order)
    }

    fn store(&self, value: T, order: Ordering) {
        self.note(Access::Store);
        self.0.store(value, order);
    }

    fn swap(&self, value: T, order: Ordering) -> T {
        self.note(Access::Rmw);
        self.0.swap(value, order)
    }

    fn fetch_add(&self, more: T, order: Ordering) -> T {
        self.note(Access::Rmw);
        self.0.fetch_add(more, order)
    }

    fn fetch_and(&self, mask: T, order: Ordering) -> T {
        self.note(Access::Rmw);
        self.0.fetch_and(mask, order)
    }

    fn compare_exchange(&self, found: T, new: T, yes: Ordering, no: Ordering) -> Result<T, T> {
        self.note(Access::Rmw);
        self.0.compare_exchange(found, new, yes, no)
    }
}

#[derive(Debug)]
struct AllNoted;

impl Atomics for AllNoted {
    type U8 = Noted<AtomicU8>;
    type I8 = Noted<AtomicI8>;
    type U16 = Noted<AtomicU16>;
    type U32 = Noted<AtomicU32>;
    type U64 = Noted<AtomicU64>;

    fn fence(order: Ordering) {
        if order == Ordering::SeqCst {
            ACCESSES.with_borrow_mut(|accesses| accesses.push(None));
        }
    }
}

impl Words for AllNoted {
    fn pause() {
        panic!("one processor waits for nobody");
    }
}

fn noted(work: impl FnOnce()) -> Vec<Note> {
    ACCESSES.take();
    work();
    ACCESSES.take()
}

fn tables(design: Design) -> Box<dyn GrantTables<AllNoted>> {
    let config = Config { handle_frames_max: 2, frames_max: 2, ..Config::xen(3, 2) };
    match design {
        Design::SingleLock => Box::new(SingleLock::new(config)),
        Design::SplitLocks => Box::new(SplitLocks::new(config)),
        Design::PerVcpuHandles => Box::new(PerVcpuHandles::new(config)),
        Design::PerCpuRwLock => Box::new(PerCpuRwLock::new(config)),
        Design::PackedWords => Box::new(PackedWords::new(config)),
    }
}

/// Accesses that steps stand for; `of` tells whose words they are where several entries are used.
fn accesses(steps: &[Step], of: usize) -> Vec<Option<(Access, (Word, usize))>> {
    let access = |step: &Step| match *step {
        Step::To(word, access) => Some(Some((access, word))),
        Step::Lock(word) => Some(Some((Access::Rmw, word))),
        Step::Unlock(word) => Some(Some((Access::Store, word))),
        Step::Fence => Some(None),
        Step::Swap(_) => panic!("no design has it"),
        Step::Take | Step::Give | Step::Covered => None,
    };
    let of = |word: Word| match word {
        Word::Own | Word::Table(Side::Local) => (word, 0),
        _ => (word, of),
    };
    let named = |note: Option<_>| note.map(|(access, word)| (access, of(word)));
    steps.iter().filter_map(access).map(named).collect()
}

/// Holds what was noted to what is expected: the same accesses and fences, each word at a place of
/// its own.
fn hold(design: Design, found: &[Note], expected: &[Option<(Access, (Word, usize))>]) {
    let expected_kinds: Vec<Option<Access>> =
        expected.iter().map(|note| note.map(|(access, _)| access)).collect();
    let found_kinds: Vec<Option<Access>> =
        found.iter().map(|note| note.map(|(access, _)| access)).collect();
    assert_eq!(found_kinds, expected_kinds, "{design:?}: {expected:?}");
    let (mut places, mut words) = (HashMap::new(), HashMap::new());
    for ((_, place), (_, (word, of))) in found.iter().flatten().zip(expected.iter().flatten()) {
        let name = format!("{word:?} of {of}");
        assert_eq!(places.entry(name.clone()).or_insert(*place), place, "{design:?}: {name}");
        let other = words.entry(*place).or_insert(name.clone());
        assert_eq!(*other, name, "{design:?}: one word has two names");
    }
}

#[test]
fn a_map_and_an_unmap_access_what_is_said() {
    for design in Design::ALL {
        let tables = tables(design);
        let (cpu, by, of) = (&mut Cpu::new(0), DomId(0), DomId(1));
        tables.entry(of, GrantRef(9)).unwrap().permit(by, 5, Right::Read);
        // Once before, so that there are handles.
        let mapping = tables.map(cpu, by, of, GrantRef(9), Right::Read).unwrap();
        tables.unmap(cpu, by, mapping.handle).unwrap();
        let found = noted(|| {
            let mapping = tables.map(cpu, by, of, GrantRef(9), Right::Read).unwrap();
            tables.unmap(cpu, by, mapping.handle).unwrap();
        });
        let expected = [accesses(&design.map(), 1), accesses(&design.unmap(), 1)].concat();
        hold(design, &found, &expected);
    }
}

#[test]
fn a_copy_accesses_what_is_said() {
    for design in Design::ALL {
        let tables = tables(design);
        let (cpu, by) = (&mut Cpu::new(1), DomId(0));
        let (from, to) = ((DomId(1), GrantRef(9)), (DomId(2), GrantRef(8)));
        tables.entry(from.0, from.1).unwrap().permit(by, 5, Right::Read);
        tables.entry(to.0, to.1).unwrap().permit(by, 6, Right::Write);
        let found = noted(|| tables.copy(cpu, by, from, to, &mut |_, _| ()).unwrap());
        let (acquire, release) = (design.acquire(), design.release());
        let expected = [(&acquire, 1), (&acquire, 2), (&release, 2), (&release, 1)];
        let expected = expected.map(|(steps, of)| accesses(steps, of)).concat();
        hold(design, &found, &expected);
    }
}
