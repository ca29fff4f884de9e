//! Designs of grant tables, as the words that they access to map an entry and to unmap it.
//!
//! Each is what `grant-table` does for an entry that nobody else uses, which a test compares word
//! by word (`tests/grant_accesses.rs`).

use serde::Serialize;

use crate::lines::Access;

/// Design, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// A spinlock for a table and its handles: Xen up to 4.5.
    SingleLock,
    /// A read-write lock for the table, a lock for each entry in use, one for all handles: the mail
    /// of 2013.
    SplitLocks,
    /// The same with a list of handles for each vCPU: Xen 4.6 with the fix of XSA-228.
    PerVcpuHandles,
    /// The same with a read-write lock whose readers share no line: Xen 4.7.
    PerCpuRwLock,
    /// A word for each entry in use, which is its own lock, and no other locks: ours.
    PackedWords,
}

/// Domain whose table a word is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that maps.
    Local,
    /// The one that grants.
    Remote,
}

/// Word that several processors may access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Lock of a table.
    Table(Side),
    /// Version of a table.
    Version(Side),
    /// Size of a table.
    Frames(Side),
    /// Whether there is a writer of a table.
    HasWriter(Side),
    /// Word of the processor itself, in which it says which table it reads.
    Own,
    /// Lock of a list of handles.
    ListLock,
    /// First handle of a list.
    Head,
    /// Mapping that a handle stands for.
    Record,
    /// Next handle of a list.
    Next,
    /// List that a handle belongs to.
    List,
    /// Lock of an entry in use.
    EntryLock,
    /// Uses of an entry; in [`Design::PackedWords`] their lock as well.
    Pins,
    /// Domain that uses an entry.
    Grantee,
    /// Frame of an entry in use.
    ActiveFrame,
    /// Flags and grantee of an entry: the granting domain's memory.
    Header,
    /// Frame of an entry: the granting domain's memory.
    Frame,
    /// Lock of the granting domain's p2m, which `grant-table` has not.
    P2m,
    /// Xen's `flush_lock`, of which there is one.
    FlushLock,
}

/// Step of a hypercall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Access to a word.
    To(Word, Access),
    /// Taking of a spinlock: a swap, and spinning on loads when that fails.
    Lock(Word),
    /// Release of a spinlock: a store.
    Unlock(Word),
    /// Change by a load and a compare-and-swap, again until that succeeds.
    Swap(Word),
    /// Full fence.
    Fence,
    /// Choice of the handle that the list's first word has.
    Take,
    /// Return of the handle to its list.
    Give,
    /// Work that the lock of the entry, or what takes its place, covers.
    Covered,
}

use Access::{Load, Rmw, Store};
use Side::{Local, Remote};
use Step::{Covered, Fence, Give, Lock, Swap, Take, To, Unlock};
use Word::{
    ActiveFrame, EntryLock, Frame, Frames, Grantee, HasWriter, Head, Header, List, ListLock, Next,
    Own, Pins, Record, Table, Version,
};

/// Taking of a handle from a list that is locked.
const POP: &[Step] = &[To(Head, Load), Take, To(Next, Load), To(Head, Store)];
/// Return of a handle to a list that is locked.
const PUSH: &[Step] = &[To(Head, Load), To(Next, Store), Give, To(Head, Store)];
/// First use of an entry, under its lock.
const PIN: &[Step] = &[
    To(Pins, Load),
    To(Header, Load),
    To(Header, Rmw),
    To(Grantee, Store),
    To(Frame, Load),
    To(ActiveFrame, Store),
    To(Pins, Store),
    To(ActiveFrame, Load),
    Covered,
    To(Record, Store),
];
/// End of the last use of an entry, under its lock.
const UNPIN: &[Step] = &[
    To(Record, Load),
    To(Record, Store),
    To(Pins, Load),
    To(Pins, Store),
    Covered,
    To(Header, Rmw),
];
/// Table's lock, taken by a reader of [`Design::PerCpuRwLock`].
const READ_OWN: &[Step] = &[To(Own, Load), To(Own, Store), Fence, To(HasWriter(Remote), Load)];
const SIZE: &[Step] = &[To(Frames(Remote), Load), To(Version(Remote), Load)];

impl Design {
    /// All designs.
    pub const ALL: [Self; 5] = [
        Self::SingleLock,
        Self::SplitLocks,
        Self::PerVcpuHandles,
        Self::PerCpuRwLock,
        Self::PackedWords,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleLock => "single-lock",
            Self::SplitLocks => "split-locks",
            Self::PerVcpuHandles => "per-vcpu-handles",
            Self::PerCpuRwLock => "per-cpu-rwlock",
            Self::PackedWords => "packed-words",
        }
    }

    /// Returns whether each vCPU has a list of handles of its own.
    pub const fn has_lists(self) -> bool {
        !matches!(self, Self::SingleLock | Self::SplitLocks)
    }

    /// Returns the steps to map an entry that is not in use.
    pub fn map(self) -> Vec<Step> {
        let entry = [&[Lock(EntryLock)], PIN, &[Unlock(EntryLock)]].concat();
        let pop = [&[Lock(ListLock)], POP, &[Unlock(ListLock)]].concat();
        match self {
            Self::SingleLock => [
                &[Lock(Table(Local))],
                POP,
                &[Unlock(Table(Local)), Lock(Table(Remote))],
                SIZE,
                PIN,
                &[Unlock(Table(Remote))],
            ]
            .concat(),
            Self::SplitLocks | Self::PerVcpuHandles => {
                let table = To(Table(Remote), Rmw);
                [pop.as_slice(), &[table], SIZE, &entry, &[table]].concat()
            }
            Self::PerCpuRwLock => {
                [pop.as_slice(), READ_OWN, SIZE, &entry, &[To(Own, Store)]].concat()
            }
            Self::PackedWords => [
                [To(Head, Load), Take, To(Next, Load), To(Head, Rmw)].as_slice(),
                &[To(Frames(Remote), Load), Lock(Pins), To(Version(Remote), Load)],
                &[To(Header, Load), To(Header, Rmw), To(Frame, Load), To(ActiveFrame, Store)],
                &[Covered, Unlock(Pins), To(Record, Store)],
            ]
            .concat(),
        }
    }

    /// Returns the steps to unmap an entry that is mapped once.
    pub fn unmap(self) -> Vec<Step> {
        let find = [To(Record, Load)];
        let version = [To(Version(Remote), Load)];
        let entry = [version.as_slice(), &[Lock(EntryLock)], UNPIN, &[Unlock(EntryLock)]].concat();
        let push = [&[Lock(ListLock)], PUSH, &[Unlock(ListLock)]].concat();
        let table = To(Table(Remote), Rmw);
        match self {
            Self::SingleLock => [
                find.as_slice(),
                &[Lock(Table(Local)), Lock(Table(Remote))],
                &version,
                UNPIN,
                PUSH,
                &[Unlock(Table(Remote)), Unlock(Table(Local))],
            ]
            .concat(),
            Self::SplitLocks => [find.as_slice(), &[table], &entry, &[table], &push].concat(),
            Self::PerVcpuHandles => {
                [find.as_slice(), &[table], &entry, &[table, To(List, Load)], &push].concat()
            }
            Self::PerCpuRwLock => {
                let done = [To(Own, Store), To(List, Load)];
                [find.as_slice(), READ_OWN, &entry, &done, &push].concat()
            }
            Self::PackedWords => [
                find.as_slice(),
                &[Lock(Pins), To(Record, Load), To(Record, Store), Covered],
                &[To(Version(Remote), Load), To(Header, Rmw), Unlock(Pins), To(List, Load)],
                &[To(Head, Load), To(Next, Store), Give, To(Head, Rmw)],
            ]
            .concat(),
        }
    }
}

/// Returns steps with a table's lock whose readers change it by compare-and-swap, as Xen 4.6 did.
pub fn by_swap(steps: Vec<Step>) -> Vec<Step> {
    let by_swap = |step| match step {
        To(word @ Table(_), Rmw) => Swap(word),
        other => other,
    };
    steps.into_iter().map(by_swap).collect()
}
