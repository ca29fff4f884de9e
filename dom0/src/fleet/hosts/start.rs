//! The start of a host's guests, as it went.

use super::clock::Clock;

/// Start of a host's guests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// The host's clock then.
    pub clock: Option<Clock>,
    /// Nanoseconds from the agreed time to the begin of the write that told the guests.
    pub late_ns: Option<u64>,
    /// Begin and end of that, in nanoseconds since 1970 by the host's own clock.
    pub write: Option<(u64, u64)>,
}
