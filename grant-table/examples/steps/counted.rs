//! Words that write down each access to them.

use std::cell::RefCell;
use std::sync::atomic::{AtomicI8, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use grant_table::Words;
use protocols::{Atomic, Atomics, Native};

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Load,
    Store,
    /// A locked instruction: reads and writes in one step.
    Rmw,
    Fence,
}

/// Access to a word, or a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub kind: Kind,
    pub order: Ordering,
    /// Address of the word; 0 for a fence.
    pub word: usize,
}

impl Access {
    /// Returns the number of its cache line.
    pub fn line(self) -> usize {
        self.word / LINE_BYTES
    }

    /// Returns whether it writes.
    pub fn writes(self) -> bool {
        matches!(self.kind, Kind::Store | Kind::Rmw)
    }
}

thread_local! {
    static NOTES: RefCell<Option<Vec<Access>>> = const { RefCell::new(None) };
}

/// Returns what this thread's words are asked for in `work`.
pub fn accesses(work: impl FnOnce()) -> Vec<Access> {
    NOTES.set(Some(Vec::new()));
    work();
    NOTES.take().expect("nobody else takes them")
}

fn note(kind: Kind, order: Ordering, word: usize) {
    NOTES.with_borrow_mut(|notes| {
        if let Some(notes) = notes {
            notes.push(Access { kind, order, word });
        }
    });
}

/// The family of these words.
#[derive(Debug)]
pub struct Counted;

/// A processor's word, of its size and in its place.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Word<A>(A);

impl<A> Word<A> {
    fn note(&self, kind: Kind, order: Ordering) {
        note(kind, order, (&raw const self.0).addr());
    }
}

impl<T, A: Atomic<T>> Atomic<T> for Word<A> {
    fn load(&self, order: Ordering) -> T {
        self.note(Kind::Load, order);
        self.0.load(order)
    }

    fn store(&self, value: T, order: Ordering) {
        self.note(Kind::Store, order);
        self.0.store(value, order);
    }

    fn swap(&self, value: T, order: Ordering) -> T {
        self.note(Kind::Rmw, order);
        self.0.swap(value, order)
    }

    fn fetch_add(&self, more: T, order: Ordering) -> T {
        self.note(Kind::Rmw, order);
        self.0.fetch_add(more, order)
    }

    fn fetch_and(&self, mask: T, order: Ordering) -> T {
        self.note(Kind::Rmw, order);
        self.0.fetch_and(mask, order)
    }

    fn compare_exchange(&self, now: T, new: T, yes: Ordering, no: Ordering) -> Result<T, T> {
        self.note(Kind::Rmw, yes);
        self.0.compare_exchange(now, new, yes, no)
    }
}

impl Atomics for Counted {
    type U8 = Word<AtomicU8>;
    type I8 = Word<AtomicI8>;
    type U16 = Word<AtomicU16>;
    type U32 = Word<AtomicU32>;
    type U64 = Word<AtomicU64>;

    fn fence(order: Ordering) {
        note(Kind::Fence, order, 0);
        Native::fence(order);
    }
}

impl Words for Counted {
    fn pause() {
        unreachable!("nobody else is there to wait for");
    }
}
