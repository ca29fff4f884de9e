//! Grant modes (`grants=`): the ways to grant data pages to the backend.

use core::fmt;

/// Way to grant data pages to the backend.
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
    /// Every mode, in the order in which they are compared.
    pub const ALL: [Self; 3] = [Self::Persistent, Self::PersistentCopy, Self::PerRequest];

    /// Returns whether pages stay granted between requests.
    pub const fn is_persistent(self) -> bool {
        !matches!(self, Self::PerRequest)
    }

    /// Returns the mode's keyword in options and results.
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
