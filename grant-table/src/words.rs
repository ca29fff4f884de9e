//! Words that several processors share, and how one waits for another.

use protocols::{Atomics, Native};

/// A family of words, and the pause between two looks at one of them.
pub trait Words: Atomics<U32: Send + Sync, U64: Send + Sync> + Send + Sync + 'static {
    /// Lets another processor go on, before a word is looked at again.
    fn pause();
}

impl Words for Native {
    #[inline]
    fn pause() {
        core::hint::spin_loop();
    }
}
