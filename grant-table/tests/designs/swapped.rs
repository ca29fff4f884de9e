//! loom's words for grant tables: those of 64 bits are stored by a swap.
//!
//! loom lets a plain store come before another processor's swap that it followed, although that
//! swap left no room for it: a word that waiters swap into, and that is given back by a store,
//! would stay taken. A swap has its place. It also passes on what an earlier release showed, so a
//! release that is missing between two stores of one word of 64 bits is not found here.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use grant_table::Words;
use loom::sync::atomic::AtomicU64;
use loom_words::{self as words, Rules, Word};
use protocols::{Atomic, Atomics};

/// loom's words under some rules.
#[derive(Debug)]
pub struct Loom<R>(PhantomData<R>);

/// Word of 64 bits.
#[derive(Debug)]
pub struct Swapped<R>(Word<AtomicU64, R>);

impl<R: Rules> Default for Swapped<R> {
    fn default() -> Self {
        Self(Word::default())
    }
}

impl<R: Rules> Atomics for Loom<R> {
    type U8 = <words::Loom<R> as Atomics>::U8;
    type I8 = <words::Loom<R> as Atomics>::I8;
    type U16 = <words::Loom<R> as Atomics>::U16;
    type U32 = <words::Loom<R> as Atomics>::U32;
    type U64 = Swapped<R>;

    fn fence(order: Ordering) {
        words::Loom::<R>::fence(order);
    }
}

impl<R: Rules + Send + Sync> Words for Loom<R> {
    fn pause() {
        loom::thread::yield_now();
    }
}

impl<R: Rules> Atomic<u64> for Swapped<R> {
    fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.0.0.swap(value, if R::WIDE_STORES { order } else { Ordering::Relaxed });
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.0.swap(value, order)
    }

    fn fetch_add(&self, more: u64, order: Ordering) -> u64 {
        self.0.fetch_add(more, order)
    }

    fn fetch_and(&self, mask: u64, order: Ordering) -> u64 {
        self.0.fetch_and(mask, order)
    }

    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.0.compare_exchange(current, new, success, failure)
    }
}
