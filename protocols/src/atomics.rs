//! Access to shared words: by the processor's atomics, or by those of a checker.
//!
//! The order of accesses decides everything between two sides, so a test puts words of its own in
//! place of [`Native`]'s: words that delay stores as long as a processor may, or whose loads return
//! any value that Rust's memory model allows.

use core::fmt::Debug;
use core::sync::atomic::{AtomicI8, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

/// A word that both sides reach at any time, with the operations of core's atomics; by default 0.
pub trait Atomic<T>: Debug + Default {
    /// Loads the word.
    fn load(&self, order: Ordering) -> T;

    /// Stores to the word.
    fn store(&self, value: T, order: Ordering);

    /// Stores to the word and returns what it held, in one step.
    fn swap(&self, value: T, order: Ordering) -> T;

    /// Adds `more`, modulo 2^bits, and returns what the word held, in one step.
    fn fetch_add(&self, more: T, order: Ordering) -> T;

    /// Clears the bits that are not in `mask` and returns what the word held, in one step.
    fn fetch_and(&self, mask: T, order: Ordering) -> T;

    /// Stores `new` if the word holds `current`, in one step.
    ///
    /// # Errors
    /// The value that the word holds instead.
    fn compare_exchange(
        &self,
        current: T,
        new: T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<T, T>;
}

/// A family of words, and the fence between accesses to them.
pub trait Atomics: Debug {
    /// A word of 8 bits.
    type U8: Atomic<u8>;
    /// A word of 8 bits, signed.
    type I8: Atomic<i8>;
    /// A word of 16 bits.
    type U16: Atomic<u16>;
    /// A word of 32 bits.
    type U32: Atomic<u32>;
    /// A word of 64 bits.
    type U64: Atomic<u64>;

    /// Orders the accesses before it and after it; `SeqCst` also keeps a later load from coming
    /// before an earlier store.
    fn fence(order: Ordering);
}

/// The words of the processor that this runs on.
#[derive(Debug)]
pub struct Native;

impl Atomics for Native {
    type U8 = AtomicU8;
    type I8 = AtomicI8;
    type U16 = AtomicU16;
    type U32 = AtomicU32;
    type U64 = AtomicU64;

    #[inline(always)]
    fn fence(order: Ordering) {
        fence(order);
    }
}

macro_rules! atomic {
    ($($word:ty: $value:ty),*) => {$(
        impl Atomic<$value> for $word {
            #[inline(always)]
            fn load(&self, order: Ordering) -> $value {
                self.load(order)
            }

            #[inline(always)]
            fn store(&self, value: $value, order: Ordering) {
                self.store(value, order);
            }

            #[inline(always)]
            fn swap(&self, value: $value, order: Ordering) -> $value {
                self.swap(value, order)
            }

            #[inline(always)]
            fn fetch_add(&self, more: $value, order: Ordering) -> $value {
                self.fetch_add(more, order)
            }

            #[inline(always)]
            fn fetch_and(&self, mask: $value, order: Ordering) -> $value {
                self.fetch_and(mask, order)
            }

            #[inline(always)]
            fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }
        }
    )*};
}

atomic!(AtomicU8: u8, AtomicI8: i8, AtomicU16: u16, AtomicU32: u32, AtomicU64: u64);
