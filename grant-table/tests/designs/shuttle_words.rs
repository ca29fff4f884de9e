//! shuttle's words, in one order that all processors see.

use std::sync::atomic::Ordering::{self, SeqCst};

use grant_table::Words;
use protocols::{Atomic, Atomics};
use shuttle::sync::atomic as words;

/// A word of shuttle's.
#[derive(Debug, Default)]
pub struct Word<W>(W);

/// shuttle's words.
#[derive(Debug)]
pub enum Shuttle {}

impl Atomics for Shuttle {
    type U8 = Word<words::AtomicU8>;
    type I8 = Word<words::AtomicI8>;
    type U16 = Word<words::AtomicU16>;
    type U32 = Word<words::AtomicU32>;
    type U64 = Word<words::AtomicU64>;

    fn fence(_order: Ordering) {}
}

impl Words for Shuttle {
    fn pause() {
        shuttle::thread::yield_now();
    }
}

macro_rules! word {
    ($($word:ty: $value:ty),*) => {$(
        impl Atomic<$value> for Word<$word> {
            fn load(&self, _: Ordering) -> $value {
                self.0.load(SeqCst)
            }

            fn store(&self, value: $value, _: Ordering) {
                self.0.store(value, SeqCst);
            }

            fn swap(&self, value: $value, _: Ordering) -> $value {
                self.0.swap(value, SeqCst)
            }

            fn fetch_add(&self, more: $value, _: Ordering) -> $value {
                self.0.fetch_add(more, SeqCst)
            }

            fn fetch_and(&self, mask: $value, _: Ordering) -> $value {
                self.0.fetch_and(mask, SeqCst)
            }

            fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                _: Ordering,
                _: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange(current, new, SeqCst, SeqCst)
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
