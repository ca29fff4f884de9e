//! How a ring's shared words are reached.
//!
//! Between two sides that sleep, order is all: each stores its own word, and then looks at the
//! other's. [`Cpu`] is the processor that this runs on. A test puts another in its place, which
//! delays stores as long as a processor may, and so runs the very code of the rings through all
//! that can come between.

use core::sync::atomic::{AtomicU32, Ordering, fence};

/// Loads, stores and full barriers on words that another domain reaches at the same time.
pub trait Processor {
    /// Loads a word.
    #[inline(always)]
    fn load(word: &AtomicU32, order: Ordering) -> u32 {
        word.load(order)
    }

    /// Stores to a word.
    #[inline(always)]
    fn store(word: &AtomicU32, value: u32, order: Ordering) {
        word.store(value, order);
    }

    /// Lets no later load come before an earlier store.
    #[inline(always)]
    fn fence() {
        fence(Ordering::SeqCst);
    }
}

/// The processor that this runs on.
#[derive(Debug)]
pub struct Cpu;

impl Processor for Cpu {}
