//! Grant table, version 1: who may map which of our pages (grant_table.h).
//!
//! A [`Grant`] is one reserved entry. It is permitted and revoked by plain stores, with no
//! hypercall. A grant that the backend still has mapped can't be revoked; whoever drops such a
//! `Grant` (and its page) keeps both out of use for ever, which is the only safe thing to do.

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::Ordering;

use xen_abi::grant_table::{
    ENTRIES_PER_PAGE, EntryV1, GTF_PERMIT_ACCESS, GTF_READING, GTF_READONLY, GTF_WRITING,
    RESERVED_ENTRIES,
};
use xen_abi::{DomId, Errno, Gfn, GrantRef};

use crate::hypervisor::{Access, Hypervisor};

/// No entry could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFull {
    /// Pages that the table has.
    pub frames: u32,
    /// What Xen said to one more.
    pub errno: Errno,
}

impl fmt::Display for TableFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "grant table is full at {} entries ({}); raise max_grant_frames in the guest's configuration",
            self.frames * ENTRIES_PER_PAGE,
            self.errno
        )
    }
}

/// The grantee has the page mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillMapped;

/// The domain's grant table.
#[derive(Debug)]
pub struct GrantTable<'a, H> {
    hypervisor: &'a H,
    frames: u32,
    free: Vec<Grant<'a>>,
}

/// One entry, reserved for its owner; grants nothing until [`Grant::permit`].
#[derive(Debug)]
pub struct Grant<'a> {
    entry: &'a EntryV1,
    gref: GrantRef,
}

impl<'a, H: Hypervisor> GrantTable<'a, H> {
    /// A table with no page yet; pages are added when they are needed.
    pub fn new(hypervisor: &'a H) -> Self {
        Self { hypervisor, frames: 0, free: Vec::new() }
    }

    /// Reserves an entry.
    ///
    /// # Errors
    /// When all are in use and Xen grants no further page.
    pub fn reserve(&mut self) -> Result<Grant<'a>, TableFull> {
        if self.free.is_empty() {
            self.grow()?;
        }
        Ok(self.free.pop().expect("a new page has free entries"))
    }

    fn grow(&mut self) -> Result<(), TableFull> {
        let full = |errno| TableFull { frames: self.frames, errno };
        let frame = self.hypervisor.grant_frame(self.frames).map_err(full)?;
        let first = self.frames * ENTRIES_PER_PAGE;
        // Backwards, so that low references are handed out first.
        self.free.extend((first..first + ENTRIES_PER_PAGE).zip(frame).rev().filter_map(
            |(gref, entry)| {
                (gref >= RESERVED_ENTRIES).then_some(Grant { entry, gref: GrantRef(gref) })
            },
        ));
        self.frames += 1;
        Ok(())
    }

    /// Takes back an entry that grants nothing any more.
    ///
    /// # Errors
    /// When it could not be revoked; the entry is then kept out of use.
    pub fn release(&mut self, mut grant: Grant<'a>) -> Result<(), StillMapped> {
        grant.revoke()?;
        self.free.push(grant);
        Ok(())
    }
}

impl Grant<'_> {
    /// The number to tell the grantee.
    pub fn gref(&self) -> GrantRef {
        self.gref
    }

    /// Whether Xen marks the page as mapped by the grantee now. The grantee decides when it maps
    /// and unmaps, so this is good for counting and for nothing else.
    pub fn is_mapped(&self) -> bool {
        self.entry.flags.load(Ordering::Relaxed) & (GTF_READING | GTF_WRITING) != 0
    }

    /// Lets `grantee` map `gfn`.
    ///
    /// # Panics
    /// When the frame number needs more than the 32 bits of a version 1 entry.
    #[inline]
    pub fn permit(&mut self, grantee: DomId, gfn: Gfn, access: Access) {
        let frame = u32::try_from(gfn.0).expect("frames of a small guest fit 32 bits");
        let read_only = if access == Access::ReadOnly { GTF_READONLY } else { 0 };
        self.entry.domid.store(grantee.0, Ordering::Relaxed);
        self.entry.frame.store(frame, Ordering::Relaxed);
        // Release: Xen sees the frame and the domain before the permission.
        self.entry.flags.store(GTF_PERMIT_ACCESS | read_only, Ordering::Release);
    }

    /// Ends the permission, in one step, so that no mapping can slip in between (XSA-396).
    ///
    /// # Errors
    /// When the grantee has the page mapped. The permission stands, and the page must not be
    /// used for anything else.
    #[inline]
    pub fn revoke(&mut self) -> Result<(), StillMapped> {
        for flags in [GTF_PERMIT_ACCESS, GTF_PERMIT_ACCESS | GTF_READONLY, 0] {
            if self
                .entry
                .flags
                .compare_exchange(flags, 0, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(StillMapped)
    }
}
