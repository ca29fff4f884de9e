//! Permission and revocation of a version 1 grant entry (grant_table.h).
//!
//! Xen marks an entry as mapped by changing the same word that holds the permission, so a
//! permission ends by one compare-and-swap or not at all.

use core::sync::atomic::Ordering;

use xen_abi::DomId;
use xen_abi::grant_table::{EntryV1, GTF_PERMIT_ACCESS, GTF_READING, GTF_READONLY, GTF_WRITING};

use crate::{Atomic, Atomics, Native};

/// The grantee has the page mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillMapped;

/// The words of an entry.
#[derive(Debug)]
pub struct Entry<'a, A: Atomics = Native> {
    /// `GTF_*`.
    pub flags: &'a A::U16,
    /// The grantee.
    pub domid: &'a A::U16,
    /// The granted frame.
    pub frame: &'a A::U32,
}

impl<'a> From<&'a EntryV1> for Entry<'a> {
    #[inline(always)]
    fn from(EntryV1 { flags, domid, frame }: &'a EntryV1) -> Self {
        Self { flags, domid, frame }
    }
}

impl<A: Atomics> Entry<'_, A> {
    /// Returns whether Xen marks the entry as mapped now.
    pub fn is_mapped(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & (GTF_READING | GTF_WRITING) != 0
    }

    /// Lets `grantee` map `frame`, for reading only if `read_only`.
    ///
    /// # Panics
    /// When it is permitted already: a store over the marks of a mapping would hide it from
    /// [`revoke`](Self::revoke).
    #[inline]
    pub fn permit(&self, grantee: DomId, frame: u32, read_only: bool) {
        let read_only = if read_only { GTF_READONLY } else { 0 };
        assert!(self.flags.load(Ordering::Relaxed) == 0, "permitted already");
        self.domid.store(grantee.0, Ordering::Relaxed);
        self.frame.store(frame, Ordering::Relaxed);
        // Release: Xen sees the frame and the domain before the permission.
        self.flags.store(GTF_PERMIT_ACCESS | read_only, Ordering::Release);
    }

    /// Ends the permission, in one step, so that no mapping can slip in between (XSA-396).
    ///
    /// # Errors
    /// When the grantee has the page mapped. The permission stands, and the page must not be
    /// used for anything else.
    #[inline]
    pub fn revoke(&self) -> Result<(), StillMapped> {
        for flags in [GTF_PERMIT_ACCESS, GTF_PERMIT_ACCESS | GTF_READONLY, 0] {
            if self.flags.compare_exchange(flags, 0, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
        Err(StillMapped)
    }
}
