//! loom's words, with the orders that the steps ask for or weaker ones.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use loom::sync::atomic::{self as words, fence};
use protocols::{Atomic, Atomics};

/// Orders of the steps, as they ask for them or weaker.
pub trait Rules: Debug + 'static {
    const LOADS: bool = true;
    const STORES: bool = true;
    const CHANGES: bool = true;
    const FENCES: bool = true;
}

#[derive(Debug)]
pub struct AsAsked;
#[derive(Debug)]
pub struct LoadsRelaxed;
#[derive(Debug)]
pub struct StoresRelaxed;
#[derive(Debug)]
pub struct ChangesRelaxed;
#[derive(Debug)]
pub struct NoFences;

impl Rules for AsAsked {}

impl Rules for LoadsRelaxed {
    const LOADS: bool = false;
}

impl Rules for StoresRelaxed {
    const STORES: bool = false;
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
    ($($word:ty: $value:ty),*) => {$(
        impl<R: Rules> Word<$word, R> {
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
                self.0.store(value, kept(order, R::STORES));
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
    words::AtomicU8: u8,
    words::AtomicI8: i8,
    words::AtomicU16: u16,
    words::AtomicU32: u32,
    words::AtomicU64: u64
);
