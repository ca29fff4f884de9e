//! Grant table, version 1: who may map which of our pages (grant_table.h).
//!
//! A [`Grant`] is one reserved entry. It is permitted and revoked by plain stores, with no
//! hypercall, and only together with a page ([`crate::shared`]): a `Grant` by itself grants
//! nothing. An entry that the grantee still has mapped can't be revoked; it is dropped with its
//! page, which keeps both out of use for ever, the only safe thing to do.
//!
//! Entries are reserved in whole cache lines, at connect, so that what one queue's vCPU stores, and
//! what Xen marks for its backend, is in no line that another queue's vCPU stores to. After that
//! there is nothing to allocate, and so nothing to lock: each slot has its entries.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;

use protocols::grant::{Entry, StillMapped};
use xen_abi::grant_table::{ENTRIES_PER_PAGE, EntryV1, RESERVED_ENTRIES};
use xen_abi::{DomId, Gfn, GrantRef};

use crate::grant_frame::GrantFrame;
use crate::hypervisor::{Hypervisor, NoFrame};

/// Entries in a cache line of 64 bytes. A page of the table begins with a line, and the tool
/// stack's entries are one.
pub const ENTRIES_PER_LINE: u32 = 64 / size_of::<EntryV1>() as u32;

const _: () = assert!(RESERVED_ENTRIES.is_multiple_of(ENTRIES_PER_LINE));

/// No entry could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFull {
    /// Pages that the table has.
    pub frames: u32,
    /// Why it gets no more.
    pub why: NoFrame,
}

impl fmt::Display for TableFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grant table is full at {} entries", self.frames * ENTRIES_PER_PAGE)?;
        match self.why {
            NoFrame::Xen(errno) => {
                write!(
                    f,
                    " ({errno}); raise max_grant_frames= in the guest's configuration beyond {}",
                    self.frames
                )
            }
            NoFrame::Room => f.write_str(
                ", the most that this guest can have; use fewer disks, or lower iodepth or bs",
            ),
        }
    }
}

/// Right to a granted page: which domain may touch it, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The grantee may read and write.
    ReadWrite,
    /// The grantee may only read.
    ReadOnly,
}

/// Entries of the domain's grant table, to be had by the line.
#[derive(Debug)]
pub struct GrantTable<'a, H> {
    hypervisor: &'a H,
    frames: u32,
    /// Free entries; those of a line stand together.
    free: Vec<Grant<'a>>,
    /// Queues that were numbered, modulo 2^16.
    queues: u16,
}

/// One entry, reserved for its owner, that grants nothing.
#[derive(Debug)]
pub struct Grant<'a> {
    entry: &'a EntryV1,
    gref: GrantRef,
}

impl<'a, H: Hypervisor> GrantTable<'a, H> {
    /// A table with no page yet; pages are added when they are needed.
    pub fn new(hypervisor: &'a H) -> Self {
        Self { hypervisor, frames: 0, free: Vec::new(), queues: 0 }
    }

    /// Reserves at least `count` entries, in lines of which nobody else has one, in the order of
    /// their references: up to 7 more than that, for the last line is whole as well.
    ///
    /// # Errors
    /// When too few are free and the table gets no further page. Then nothing is reserved.
    pub fn reserve(&mut self, count: usize) -> Result<Vec<Grant<'a>>, TableFull> {
        let mut grants = Vec::with_capacity(count.next_multiple_of(ENTRIES_PER_LINE as usize));
        while grants.len() < count {
            if self.free.is_empty()
                && let Err(full) = self.grow()
            {
                self.release(grants);
                return Err(full);
            }
            let line = self.free.last().map(Grant::line);
            while let Some(grant) = self.free.pop_if(|grant| Some(grant.line()) == line) {
                grants.push(grant);
            }
        }
        Ok(grants)
    }

    fn grow(&mut self) -> Result<(), TableFull> {
        let full = |why| TableFull { frames: self.frames, why };
        let GrantFrame { index, entries } = self.hypervisor.grant_frame().map_err(full)?;
        let first = index * ENTRIES_PER_PAGE;
        // Backwards, so that low references are handed out first.
        self.free.extend((first..first + ENTRIES_PER_PAGE).zip(entries).rev().filter_map(
            |(gref, entry)| {
                (gref >= RESERVED_ENTRIES).then_some(Grant { entry, gref: GrantRef(gref) })
            },
        ));
        self.frames = index + 1;
        Ok(())
    }

    /// A number for a queue whose pages are shared by entries of this table. It is not given again
    /// before 65,535 others were, so that what belongs to a queue is not taken for another's of
    /// this table. A domain has one table; those of a second would get the same numbers.
    pub(crate) fn number_queue(&mut self) -> u16 {
        self.queues = self.queues.wrapping_add(1);
        self.queues
    }

    /// Takes back what was reserved at one time, in any order, as far as it is not lost: a line of
    /// which the grantee keeps some entries has the others. They are the next to be had, those with
    /// low references first.
    pub fn release(&mut self, mut grants: Vec<Grant<'a>>) {
        grants.sort_unstable_by_key(|grant| Reverse(grant.gref.0));
        self.free.append(&mut grants);
    }
}

impl Grant<'_> {
    /// Returns the number of its cache line in the table.
    fn line(&self) -> u32 {
        self.gref.0 / ENTRIES_PER_LINE
    }

    /// The number by which the grantee knows it.
    #[inline(always)]
    pub fn gref(&self) -> GrantRef {
        self.gref
    }

    /// Returns whether Xen marks the entry as mapped now.
    pub(crate) fn is_mapped(&self) -> bool {
        Entry::from(self.entry).is_mapped()
    }

    /// Lets `grantee` map `gfn`. The caller owns that page, and keeps it beside this entry until
    /// the entry is revoked.
    ///
    /// # Panics
    /// When it is permitted already: a store over the marks of a mapping would hide it from
    /// [`revoke`](Self::revoke). When the frame number needs more than the 32 bits of a version 1
    /// entry.
    #[inline]
    pub(crate) fn permit(&mut self, grantee: DomId, gfn: Gfn, access: Access) {
        let frame = u32::try_from(gfn.0).expect("frames of a small guest fit 32 bits");
        Entry::from(self.entry).permit(grantee, frame, access == Access::ReadOnly);
    }

    /// Ends the permission, in one step, so that no mapping can slip in between (XSA-396).
    ///
    /// # Errors
    /// When the grantee has the page mapped. The permission stands, and the page must not be
    /// used for anything else.
    #[inline]
    pub(crate) fn revoke(&mut self) -> Result<(), StillMapped> {
        Entry::from(self.entry).revoke()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::boxed::Box;
    use core::sync::atomic::{AtomicU16, AtomicU32};

    /// Entries of a table that is nobody's; never freed.
    pub(crate) fn leaked_grants(count: usize) -> Vec<Grant<'static>> {
        let entry = || EntryV1 {
            flags: AtomicU16::new(0),
            domid: AtomicU16::new(0),
            frame: AtomicU32::new(0),
        };
        let leaked =
            (8..).map(|gref| Grant { entry: Box::leak(Box::new(entry())), gref: GrantRef(gref) });
        leaked.take(count).collect()
    }
}
