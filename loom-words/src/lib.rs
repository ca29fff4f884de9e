//! loom's words, with the orders that the steps ask for or weaker ones, for tests.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use loom::sync::atomic::{self as words, fence};
use protocols::{Atomic, Atomics};

/// Orders of the steps, as they ask for them or weaker.
pub trait Rules: Debug + 'static {
    /// Whether loads have the order asked for.
    const LOADS: bool = true;
    /// Whether stores have it.
    const STORES: bool = true;
    /// Whether stores of 64 bits have it.
    const WIDE_STORES: bool = Self::STORES;
    /// Whether what reads and writes in one step has it.
    const CHANGES: bool = true;
    /// Whether there are fences.
    const FENCES: bool = true;
}

/// Orders as they are asked for.
#[derive(Debug)]
pub struct AsAsked;
/// Loads are relaxed.
#[derive(Debug)]
pub struct LoadsRelaxed;
/// Stores are relaxed.
#[derive(Debug)]
pub struct StoresRelaxed;
/// Stores of 64 bits are relaxed.
#[derive(Debug)]
pub struct WideStoresRelaxed;
/// Steps that read and write are relaxed.
#[derive(Debug)]
pub struct ChangesRelaxed;
/// Fences do nothing.
#[derive(Debug)]
pub struct NoFences;

impl Rules for AsAsked {}

impl Rules for LoadsRelaxed {
    const LOADS: bool = false;
}

impl Rules for StoresRelaxed {
    const STORES: bool = false;
}

impl Rules for WideStoresRelaxed {
    const WIDE_STORES: bool = false;
}

impl Rules for ChangesRelaxed {
    const CHANGES: bool = false;
}

impl Rules for NoFences {
    const FENCES: bool = false;
}

fn kept(order: Ordering, keep: bool) -> Ordering {
    if keep { order } else { Ordering::Relaxed }
}

/// A word of loom's.
#[derive(Debug)]
pub struct Word<W, R>(pub W, PhantomData<R>);

/// loom's words under some rules.
#[derive(Debug)]
pub struct Loom<R>(PhantomData<R>);

impl<R: Rules> Atomics for Loom<R> {
    type U8 = Word<words::AtomicU8, R>;
    type I8 = Word<words::AtomicI8, R>;
    type U16 = Word<words::AtomicU16, R>;
    type U32 = Word<words::AtomicU32, R>;
    type U64 = Word<words::AtomicU64, R>;

    fn fence(order: Ordering) {
        if R::FENCES {
            fence(order);
        }
    }
}

macro_rules! word {
    ($($word:ty: $value:ty, $stores:ident);*) => {$(
        impl<R: Rules> Word<$word, R> {
            /// Creates a word.
            pub fn new(value: $value) -> Self {
                Self(<$word>::new(value), PhantomData)
            }
        }

        impl<R: Rules> Default for Word<$word, R> {
            fn default() -> Self {
                Self::new(0)
            }
        }

        impl<R: Rules> Atomic<$value> for Word<$word, R> {
            fn load(&self, order: Ordering) -> $value {
                self.0.load(kept(order, R::LOADS))
            }

            fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, kept(order, R::$stores));
            }

            fn swap(&self, value: $value, order: Ordering) -> $value {
                self.0.swap(value, kept(order, R::CHANGES))
            }

            fn fetch_add(&self, more: $value, order: Ordering) -> $value {
                self.0.fetch_add(more, kept(order, R::CHANGES))
            }

            fn fetch_and(&self, mask: $value, order: Ordering) -> $value {
                self.0.fetch_and(mask, kept(order, R::CHANGES))
            }

            fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let [success, failure] = [success, failure].map(|order| kept(order, R::CHANGES));
                self.0.compare_exchange(current, new, success, failure)
            }
        }
    )*};
}

word!(
    words::AtomicU8: u8, STORES;
    words::AtomicI8: i8, STORES;
    words::AtomicU16: u16, STORES;
    words::AtomicU32: u32, STORES;
    words::AtomicU64: u64, WIDE_STORES
);
