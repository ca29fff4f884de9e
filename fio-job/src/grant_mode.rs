//! `grants=`: how data pages are granted to the backend.

use core::fmt;

/// How data pages are granted to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantMode {
    /// Granted once at connect; the caller works in the granted pages. No grant, no copy.
    Persistent,
    /// Granted once at connect; data is copied between the granted pages and private ones, as in
    /// the first persistent-grant frontends of 2012.
    PersistentCopy,
    /// Granted and revoked for each request, and `feature-persistent` is not offered.
    PerRequest,
}

impl GrantMode {
    /// All modes, in the order in which they are compared.
    pub const ALL: [Self; 3] = [Self::Persistent, Self::PersistentCopy, Self::PerRequest];

    /// Whether pages stay granted between requests.
    pub const fn is_persistent(self) -> bool {
        !matches!(self, Self::PerRequest)
    }

    /// As it is spelled in options and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::PersistentCopy => "persistent-copy",
            Self::PerRequest => "per-request",
        }
    }
}

impl fmt::Display for GrantMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
