//! Designs with a known fault, built from the parts of sound ones: each is caught.

mod handles;
mod locks;
mod tables;

use std::fmt::Debug;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use grant_table::lock::{Covered, Lock, PerCpu, RwLock, Spin, TableLock};
use grant_table::maptrack::{FreeHandles, LockFree, PerVcpu};
use grant_table::{Design, LockedTables, PackedWords, Words};
use loom_words::AsAsked;

use crate::all;
use crate::histories::{NODES_MAX, record};
use crate::panics::Failure;
use crate::search::{Verdict, search};
use crate::shuttle_words::Shuttle;
use crate::spec::{Facts, Rules};
use crate::swapped::Loom;
use crate::weak::{self, New};
use handles::{CrossedLocks, UnlockedLists, UntaggedLists};
use locks::{UnfencedReaders, UnlockedReads, UnrankedSpin};
use tables::EarlyRelease;

/// Seeds of histories in which a fault must show, if loom does not find it.
const SEEDS: u64 = 3000;

/// Design of any parts.
#[derive(Debug)]
struct Parts<T, E, F>(PhantomData<(T, E, F)>);

impl<W, T, E, F> Design<W> for Parts<T, E, F>
where
    W: Words,
    T: TableLock<W> + 'static,
    E: Lock<W> + 'static,
    F: FreeHandles<W> + Debug + 'static,
{
    type TableLock = T;
    type EntryLock = E;
    type FreeHandles = F;
}

type Checked = Loom<AsAsked>;

/// Design with a fault.
struct Variant {
    name: &'static str,
    loom: New<AsAsked>,
    shuttle: all::Design<Shuttle>,
    /// Way in which it must fail.
    end: End,
    /// Case that must catch it under loom.
    case: &'static str,
    /// Whether a history must catch it, too.
    by_history: bool,
}

/// Way in which a variant must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Something is not as it should be.
    Fault,
    /// Two wait for each other.
    Stuck,
}

use End::{Fault, Stuck};

const LISTS: Facts = Facts { lists: true, late_record: false };

/// Makes a variant: its name, how it fails, in which case, whether in a history, too, and its
/// tables over the words `W`.
macro_rules! variant {
    ($name:literal, $end:expr, $case:literal, $by_history:expr, $new:ident => $tables:expr) => {{
        fn new<W: Words>($new: grant_table::Config) -> all::Tables<W> {
            Box::new($tables)
        }
        Variant {
            name: $name,
            loom: new::<Checked>,
            shuttle: all::Design { name: $name, facts: LISTS, new: new::<Shuttle> },
            end: $end,
            case: $case,
            by_history: $by_history,
        }
    }};
}

/// Tables of a table's lock, an entry's lock and free handles.
type Of<W, T, E, F> = LockedTables<W, Parts<T, E, F>>;

/// Returns all variants, but those whose outcome is another table's.
fn variants() -> Vec<Variant> {
    vec![
        variant!("steals without the list's lock (XSA-228)", Fault, "stealing", true, config =>
            Of::<W, RwLock<W>, Spin<W>, UnlockedLists<W, false, true>>::new(config)),
        variant!("gives back without the list's lock", Fault, "stealing", true, config =>
            Of::<W, RwLock<W>, Spin<W>, UnlockedLists<W, true, false>>::new(config)),
        variant!("a table is read without its lock", Fault, "version change", true, config =>
            Of::<W, UnlockedReads<W>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("pins are counted without a lock", Fault, "revoke, version 2", true, config =>
            Of::<W, RwLock<W>, Covered, PerVcpu<W>>::new(config)),
        variant!("a copy lets go before it works", Fault, "copy", false, config =>
            EarlyRelease(Box::new(PackedWords::<W>::new(config)))),
        variant!("unlocked without release", Fault, "permit, version 1", false, config =>
            Of::<W, RwLock<W>, UnrankedSpin<W, false>, PerVcpu<W>>::new(config)),
        variant!("reader's word without a fence", Fault, "version change", false, config =>
            Of::<W, UnfencedReaders<W, false, true>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("writer looks before it says", Fault, "version change", true, config =>
            Of::<W, UnfencedReaders<W, true, false>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("list without locks or tags (ABA)", Fault, "stealing", false, config =>
            Of::<W, RwLock<W>, Spin<W>, UntaggedLists<W, false, true>>::new(config)),
        variant!("handles of a new frame are left out", Fault, "first handles", true, config =>
            Of::<W, RwLock<W>, Spin<W>, UntaggedLists<W, true, false>>::new(config)),
        variant!("list locks in the wrong order, unranked", Stuck, "given back", true, config =>
            Of::<W, RwLock<W>, Spin<W>, CrossedLocks<W, UnrankedSpin<W, true>>>::new(config)),
    ]
}

/// Returns how histories of a design go wrong, with their seeds: nothing explains one, or it does
/// not end.
fn failures(design: &all::Design<Shuttle>) -> impl Iterator<Item = (u64, Failure)> {
    (0..SEEDS).filter_map(|seed| {
        let recorded = catch_unwind(AssertUnwindSafe(|| record(design, seed)));
        let (config, calls) = match recorded {
            Ok(recorded) => recorded,
            Err(panic) => return Some((seed, Failure::of(&*panic))),
        };
        let verdict = search(&Rules { config, facts: design.facts }, &calls, NODES_MAX);
        (verdict == Verdict::Wrong).then(|| (seed, Failure::Fault("no order".into())))
    })
}

/// Returns whether a failure is of the kind that a variant is to be caught by.
fn is_meant(failure: &Failure, end: End) -> bool {
    match failure {
        Failure::Fault(_) => end == Fault,
        Failure::Stuck(_) => end == Stuck,
    }
}

#[test]
fn every_fault_is_caught() {
    let cases = weak::cases::<AsAsked>();
    let mut faults = vec![];
    for Variant { name, loom, shuttle, end, case, by_history } in variants() {
        let case = cases.iter().find(|known| known.name == case).expect("there is that case");
        let by_loom = weak::wrong(loom, case);
        println!("{name}: {}: {by_loom:?}", case.name);
        if !by_loom.is_some_and(|failure| is_meant(&failure, end)) {
            faults.push(format!("{name}: not caught by loom, {}", case.name));
        }
        if by_history {
            let history = failures(&shuttle).find(|(_, failure)| is_meant(failure, end));
            println!("{name}: history {history:?}");
            if history.is_none() {
                faults.push(format!("{name}: not caught by histories"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The parts that the variants are made of are sound without the fault.
#[test]
fn the_parts_stand_without_the_fault() {
    let sound = [
        variant!("lists", Fault, "", false, config =>
            Of::<W, RwLock<W>, Spin<W>, UnlockedLists<W, true, true>>::new(config)),
        variant!("reader's words", Fault, "", false, config =>
            Of::<W, UnfencedReaders<W, true, true>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("lists without locks", Fault, "", false, config =>
            Of::<W, RwLock<W>, UnrankedSpin<W, true>, UntaggedLists<W, true, true>>::new(config)),
        variant!("ours with locks", Fault, "", false, config =>
            Of::<W, PerCpu<W>, Spin<W>, LockFree<W>>::new(config)),
    ];
    let cases = &weak::cases::<AsAsked>();
    for Variant { name, loom, shuttle, .. } in sound {
        for case in cases {
            assert_eq!(weak::wrong(loom, case), None, "{name}, {}", case.name);
        }
        assert_eq!(failures(&shuttle).next(), None, "{name}");
    }
}

/// In builds with debug assertions a processor finds out by itself.
#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "lock order: Maptrack is taken under FreeList")]
fn the_wrong_order_is_caught_by_rank() {
    use grant_table::{Access, Cpu, GrantTables};
    use protocols::Native;
    use xen_abi::{DomId, GrantRef};

    type Ranked = CrossedLocks<Native, Spin<Native>>;
    let tables = Of::<Native, RwLock<Native>, Spin<Native>, Ranked>::new(crate::random::SMALL);
    let _ = tables.map(&mut Cpu::new(0), DomId(0), DomId(0), GrantRef(0), Access::Read);
}
