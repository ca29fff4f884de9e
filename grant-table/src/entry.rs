//! An entry of a grant table: memory that a domain shares with the hypervisor.
//!
//! The domain changes it at any time, to anything. The hypervisor reads it, and marks it as in use
//! by compare-and-swap: a permission that ends meanwhile is no permission.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use protocols::Atomic;
use xen_abi::DomId;
use xen_abi::grant_table::{GTF_PERMIT_ACCESS, GTF_READING, GTF_READONLY, GTF_WRITING};

use crate::values::{Access, Status, Version};
use crate::words::Words;

/// Number of times that the hypervisor tries to mark an entry that changes under its hands.
const TRIES_MAX: u32 = 5;
const USE: u32 = (GTF_READING | GTF_WRITING) as u32;
const TYPE: u32 = 3;

/// The grantee has the frame mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillMapped;

/// Entry of either version. None crosses a cache line, as none of Xen's does.
#[derive(Debug)]
#[repr(align(16))]
pub struct Entry<W: Words> {
    /// Flags (`GTF_*`), and the grantee in the upper half, as one word of the processor.
    header: W::U32,
    frame: W::U32,
    /// Marks of use of a version 2 entry.
    status: W::U32,
}

impl<W: Words> Default for Entry<W> {
    fn default() -> Self {
        Self { header: W::U32::default(), frame: W::U32::default(), status: W::U32::default() }
    }
}

fn header(flags: u16, domid: u16) -> u32 {
    u32::from(flags) | u32::from(domid) << 16
}

fn marks(access: Access) -> u32 {
    match access {
        Access::Read => GTF_READING.into(),
        Access::Write => USE,
    }
}

/// The grantor's half.
impl<W: Words> Entry<W> {
    /// Lets `grantee` use `frame`.
    pub fn permit(&self, grantee: DomId, frame: u32, access: Access) {
        let read_only = if access == Access::Read { GTF_READONLY } else { 0 };
        self.frame.store(frame, Relaxed);
        // Release: who sees the permission sees the frame.
        self.header.store(header(GTF_PERMIT_ACCESS | read_only, grantee.0), Release);
    }

    /// Ends the permission.
    ///
    /// # Errors
    /// When the entry is in use. In version 1 the permission stands; in version 2 it is gone, but
    /// not the use.
    pub fn revoke(&self, version: Version) -> Result<(), StillMapped> {
        match version {
            Version::One => loop {
                let found = self.header.load(Relaxed);
                if found & USE != 0 {
                    return Err(StillMapped);
                }
                // Acquire: the page is as the last user left it.
                if self.header.compare_exchange(found, 0, Acquire, Relaxed).is_ok() {
                    return Ok(());
                }
            },
            Version::Two => {
                self.header.store(0, Relaxed);
                // Against the fence of `mark`: one of the two sees the other's store.
                W::fence(SeqCst);
                // Acquire: as above.
                if self.status.load(Acquire) & USE == 0 { Ok(()) } else { Err(StillMapped) }
            }
        }
    }

    /// Stores any header, as a hostile domain may: flags (`GTF_*`), and the grantee above them.
    pub fn scribble(&self, header: u32) {
        self.header.store(header, Relaxed);
    }

    /// Returns whether the entry says that it is in use.
    pub fn is_in_use(&self, version: Version) -> bool {
        // Acquire: the page of an entry that is not is as the last user left it.
        self.in_use(version).load(Acquire) & USE != 0
    }

    fn in_use(&self, version: Version) -> &W::U32 {
        match version {
            Version::One => &self.header,
            Version::Two => &self.status,
        }
    }
}

/// The hypervisor's half. Only who holds the entry in use, for itself alone, calls these.
impl<W: Words> Entry<W> {
    /// Marks the entry as in use by `grantee`.
    ///
    /// # Errors
    /// What does not permit it; then it is not marked.
    #[inline]
    pub(crate) fn mark(
        &self,
        version: Version,
        grantee: DomId,
        access: Access,
    ) -> Result<(), Status> {
        match version {
            Version::One => self.mark_one(grantee, access),
            Version::Two => self.mark_two(grantee, access),
        }
    }

    #[inline]
    fn mark_one(&self, grantee: DomId, access: Access) -> Result<(), Status> {
        let mut found = self.header.load(Relaxed);
        for _ in 0..TRIES_MAX {
            check(found, grantee, access)?;
            // Acquire: the frame is the one of this permission.
            match self.header.compare_exchange(found, found | marks(access), Acquire, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => found = now,
            }
        }
        Err(Status::Unstable)
    }

    fn mark_two(&self, grantee: DomId, access: Access) -> Result<(), Status> {
        check(self.header.load(Relaxed), grantee, access)?;
        let before = self.status.load(Relaxed);
        self.status.store(before | marks(access), Relaxed);
        // Against the fence of `revoke`.
        W::fence(SeqCst);
        // Acquire: the frame is the one of this permission.
        let checked = check(self.header.load(Acquire), grantee, access);
        if checked.is_err() {
            // Release: who sees the entry free sees what earlier users wrote to the page.
            self.status.store(before, Release);
        }
        checked
    }

    /// Takes marks back: that of writing, or both.
    #[inline]
    pub(crate) fn clear(&self, version: Version, access: Access) {
        let cleared = match access {
            Access::Write => GTF_WRITING.into(),
            Access::Read => USE,
        };
        // Release: who sees the entry free sees all that was written to the page.
        self.in_use(version).fetch_and(!cleared, Release);
    }

    /// Returns the frame of the permission that was marked.
    #[inline]
    pub(crate) fn frame(&self) -> u32 {
        self.frame.load(Relaxed)
    }

    /// Clears the entry.
    pub(crate) fn wipe(&self) {
        for word in [&self.header, &self.frame, &self.status] {
            word.store(0, Relaxed);
        }
    }
}

fn check(found: u32, grantee: DomId, access: Access) -> Result<(), Status> {
    let flags = found as u16;
    if u32::from(flags) & TYPE != GTF_PERMIT_ACCESS.into() || found >> 16 != grantee.0.into() {
        return Err(Status::NotGranted);
    }
    match access {
        Access::Write if flags & GTF_READONLY != 0 => Err(Status::ReadOnly),
        _ => Ok(()),
    }
}
