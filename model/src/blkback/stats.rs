//! The counts of a backend.

/// Counts of all that the backend did, as in its `statistics` directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Reads done.
    pub reads: u64,
    /// Writes done.
    pub writes: u64,
    /// Flushes done.
    pub flushes: u64,
    /// Barriers done, all without data.
    pub barriers: u64,
    /// Discards done.
    pub discards: u64,
    /// Discards among them of which nothing may be found again.
    pub secure_discards: u64,
    /// Requests that were refused.
    pub rejected: u64,
    /// Events sent to the frontend.
    pub notifications: u64,
    /// Connections made.
    pub connects: u64,
    /// Most requests that were served at once.
    pub depth_max: usize,
    /// Most segments of a request.
    pub segments_max: usize,
}
