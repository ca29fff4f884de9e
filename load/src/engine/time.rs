//! Times of the loop, in nanoseconds.

/// Time that never comes.
pub(super) const NEVER: u64 = u64::MAX;
/// Time after which a backend that completes nothing, or starves requests, is given up.
pub const REQUEST_TIMEOUT_NS: u64 = 30_000_000_000;
/// Time from one call of the observer to the next.
pub const TICK_NS: u64 = 1_000_000_000;
