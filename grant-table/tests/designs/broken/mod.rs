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

use crate::all;
use crate::histories::{NODES_MAX, record};
use crate::loom_words::Loom;
use crate::search::{Verdict, search};
use crate::shuttle_words::Shuttle;
use crate::spec::{Facts, Rules};
use crate::weak::{New, first_wrong};
use crate::words::AsAsked;
use handles::{Crossed, Hasty, Loose};
use locks::{Brief, Quiet, Unread};
use tables::Unpinned;

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
    /// Which must catch it: loom, and histories, which are not recorded where they need not.
    caught_by: [bool; 2],
}

const LISTS: Facts = Facts { lists: true, late_record: false };

/// Makes a variant: its name, what catches it, and its tables over the words `W`.
macro_rules! variant {
    ($name:literal, $caught_by:expr, $new:ident => $tables:expr) => {{
        fn new<W: Words>($new: grant_table::Config) -> all::Tables<W> {
            Box::new($tables)
        }
        Variant {
            name: $name,
            loom: new::<Checked>,
            shuttle: all::Design { name: $name, facts: LISTS, new: new::<Shuttle> },
            caught_by: $caught_by,
        }
    }};
}

/// Tables of a table's lock, an entry's lock and free handles.
type Of<W, T, E, F> = LockedTables<W, Parts<T, E, F>>;

const BOTH: [bool; 2] = [true, true];
/// Variants that show with weak memory only, or with a page's content, or in too few histories.
const LOOM: [bool; 2] = [true, false];

/// Returns all variants, but those whose outcome is another table's.
fn variants() -> Vec<Variant> {
    vec![
        variant!("steals without the list's lock (XSA-228)", BOTH, config =>
            Of::<W, RwLock<W>, Spin<W>, Loose<W, false, true>>::new(config)),
        variant!("gives back without the list's lock", BOTH, config =>
            Of::<W, RwLock<W>, Spin<W>, Loose<W, true, false>>::new(config)),
        variant!("version and size read without the table's lock", BOTH, config =>
            Of::<W, Unread<W>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("entries without a lock: pins are lost", BOTH, config =>
            Of::<W, RwLock<W>, Covered, PerVcpu<W>>::new(config)),
        variant!("a copy lets go before it works", LOOM, config =>
            Unpinned(Box::new(PackedWords::<W>::new(config)))),
        variant!("unlocked without release", LOOM, config =>
            Of::<W, RwLock<W>, Quiet<W, false>, PerVcpu<W>>::new(config)),
        variant!("reader's word without a fence", LOOM, config =>
            Of::<W, Brief<W, false, true>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("writer looks before it says", BOTH, config =>
            Of::<W, Brief<W, true, false>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("list without locks or tags (ABA)", LOOM, config =>
            Of::<W, RwLock<W>, Spin<W>, Hasty<W, false, true>>::new(config)),
        variant!("handles of a frame in the making are left out", BOTH, config =>
            Of::<W, RwLock<W>, Spin<W>, Hasty<W, true, false>>::new(config)),
        variant!("list locks in the wrong order, unranked", BOTH, config =>
            Of::<W, RwLock<W>, Spin<W>, Crossed<W, Quiet<W, true>>>::new(config)),
    ]
}

/// Looks for a history of a design that nothing explains; returns its seed, and why.
fn wrong_history(design: &all::Design<Shuttle>) -> Option<String> {
    (0..SEEDS).find_map(|seed| {
        let recorded = catch_unwind(AssertUnwindSafe(|| record(design, seed)));
        let Ok((config, calls)) = recorded else { return Some(format!("seed {seed}, a panic")) };
        let verdict = search(&Rules { config, facts: design.facts }, &calls, NODES_MAX);
        (verdict == Verdict::Wrong).then(|| format!("seed {seed}, no order"))
    })
}

#[test]
fn every_fault_is_caught() {
    let mut faults = vec![];
    for Variant { name, loom, shuttle, caught_by } in variants() {
        let by_loom = || first_wrong::<AsAsked>(loom).map(str::to_owned);
        let found = [
            ("loom", caught_by[0].then(by_loom)),
            ("histories", caught_by[1].then(|| wrong_history(&shuttle))),
        ];
        for (by, found) in found {
            match found {
                Some(Some(found)) => println!("{name}: caught by {by}, {found}"),
                Some(None) => faults.push(format!("{name}: not caught by {by}")),
                None => {}
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The parts that the variants are made of are sound without the fault.
#[test]
fn the_parts_stand_without_the_fault() {
    let sound = [
        variant!("lists", [false; 2], config =>
            Of::<W, RwLock<W>, Spin<W>, Loose<W, true, true>>::new(config)),
        variant!("reader's words", [false; 2], config =>
            Of::<W, Brief<W, true, true>, Spin<W>, PerVcpu<W>>::new(config)),
        variant!("lists without locks", [false; 2], config =>
            Of::<W, RwLock<W>, Quiet<W, true>, Hasty<W, true, true>>::new(config)),
        variant!("ours with locks", [false; 2], config =>
            Of::<W, PerCpu<W>, Spin<W>, LockFree<W>>::new(config)),
    ];
    for Variant { name, loom, shuttle, .. } in sound {
        assert_eq!(first_wrong::<AsAsked>(loom), None, "{name}");
        assert_eq!(wrong_history(&shuttle), None, "{name}");
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

    type Ranked = Crossed<Native, Spin<Native>>;
    let tables = Of::<Native, RwLock<Native>, Spin<Native>, Ranked>::new(crate::random::SMALL);
    let _ = tables.map(&mut Cpu::new(0), DomId(0), DomId(0), GrantRef(0), Access::Read);
}
