//! Causes of the cycles that an I/O takes, and whose they are.

use serde::Serialize;

/// Owner of the code that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// Guest's.
    Guest,
    /// Xen's.
    Xen,
    /// Dom0's.
    Dom0,
}

/// Cause of cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Issuing and completing, with the frontend's part.
    GuestIo,
    /// Copying between private and granted pages.
    GuestCopy,
    /// Granting pages and revoking that.
    GuestGrants,
    /// Sleeping and waking.
    GuestSleep,
    /// Exits of the guest.
    Exits,
    /// Hypercall of blkback for each request.
    XenIo,
    /// Taking requests and completing them.
    BackendIo,
    /// Copying from or to the ramdisk.
    DiskCopy,
    /// Sleeping and waking of blkback's threads.
    BackendSleep,
    /// Mapping and unmapping pages.
    MapUnmap,
    /// Spinning for the lock of dom0's grant table.
    TableLock,
    /// Spinning for Xen's lock on flushing.
    FlushLock,
    /// Shooting down the TLBs of other processors.
    Shootdown,
    /// Being interrupted by that.
    Interrupted,
}

impl Cause {
    /// All causes, in the order in which they are shown.
    pub const ALL: [Self; 14] = [
        Self::GuestIo,
        Self::GuestCopy,
        Self::GuestGrants,
        Self::GuestSleep,
        Self::Exits,
        Self::XenIo,
        Self::BackendIo,
        Self::DiskCopy,
        Self::BackendSleep,
        Self::MapUnmap,
        Self::TableLock,
        Self::FlushLock,
        Self::Shootdown,
        Self::Interrupted,
    ];

    /// Returns whose cycles these are.
    pub const fn whose(self) -> Whose {
        match self {
            Self::GuestIo | Self::GuestCopy | Self::GuestGrants | Self::GuestSleep => Whose::Guest,
            Self::BackendIo | Self::DiskCopy | Self::BackendSleep => Whose::Dom0,
            _ => Whose::Xen,
        }
    }

    /// Returns whether a grant mode decides on it, and not the load alone.
    pub const fn is_of_grants(self) -> bool {
        // Xen takes its locks, and flushes, for grants only.
        matches!(
            self,
            Self::GuestCopy
                | Self::GuestGrants
                | Self::MapUnmap
                | Self::TableLock
                | Self::FlushLock
                | Self::Shootdown
                | Self::Interrupted
        )
    }

    /// Returns it in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::GuestIo => "issuing and completing I/O",
            Self::GuestCopy => "copying in the frontend",
            Self::GuestGrants => "granting and revoking",
            Self::GuestSleep => "sleeping and waking",
            Self::Exits => "exits of the guest",
            Self::XenIo => "hypercalls of blkback",
            Self::BackendIo => "blkback and the disk",
            Self::DiskCopy => "copying to or from the disk",
            Self::BackendSleep => "sleeping and waking of blkback",
            Self::MapUnmap => "mapping and unmapping",
            Self::TableLock => "spinning for the grant table",
            Self::FlushLock => "spinning for the flush lock",
            Self::Shootdown => "TLB shoot-down",
            Self::Interrupted => "being shot down",
        }
    }
}
