//! Xen's side of the guest's grant table: who has what mapped (grant_table.c).
//!
//! Marks entries as Xen does: `GTF_reading` and `GTF_writing` stand exactly while a mapping does,
//! which is what makes a revoke by compare-and-swap fail.

use std::sync::atomic::Ordering;

use drivers::grant::Access;
use xen_abi::grant_table::{
    ENTRIES_PER_PAGE, EntryV1, GTF_PERMIT_ACCESS, GTF_READING, GTF_READONLY, GTF_WRITING,
};
use xen_abi::{DomId, Gfn};

use crate::memory::Memory;

/// Why a map was refused (`GNTST_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// Beyond the table, or an entry that grants nothing.
    BadGref,
    /// Granted to somebody else, or for reading only.
    Denied,
    /// The entry names a frame that the guest has not.
    BadFrame,
}

/// A mapping, to be given back to [`Grants::unmap`].
#[derive(Debug, PartialEq, Eq)]
pub struct Handle(usize);

#[derive(Clone, Copy, Debug)]
struct Mapping {
    gref: u32,
    gfn: Gfn,
    writable: bool,
}

/// Counts of an entry's mappings.
#[derive(Clone, Copy, Debug, Default)]
struct Pins {
    all: u32,
    writable: u32,
}

/// All mappings of the guest's pages.
#[derive(Debug)]
pub struct Grants {
    mappings: Vec<Option<Mapping>>,
    free: Vec<usize>,
    pins: Vec<Pins>,
    /// Maps made so far.
    pub maps: u64,
    /// Unmaps made so far.
    pub unmaps: u64,
}

impl Grants {
    /// Nothing is mapped.
    pub fn new(memory: &Memory) -> Self {
        let entries = memory.grant_table.len() * ENTRIES_PER_PAGE as usize;
        Self {
            mappings: Vec::with_capacity(entries),
            free: Vec::with_capacity(entries),
            pins: vec![Pins::default(); entries],
            maps: 0,
            unmaps: 0,
        }
    }

    /// Maps a granted page (GNTTABOP_map_grant_ref).
    ///
    /// # Errors
    /// [`MapError`].
    pub fn map(
        &mut self,
        memory: &Memory,
        grantee: DomId,
        gref: u32,
        access: Access,
    ) -> Result<Handle, MapError> {
        let entry = memory.grant_entry(gref).ok_or(MapError::BadGref)?;
        let flags = entry.flags.load(Ordering::SeqCst);
        if flags & GTF_PERMIT_ACCESS == 0 {
            return Err(MapError::BadGref);
        }
        let writable = access == Access::ReadWrite;
        let denied = entry.domid.load(Ordering::SeqCst) != grantee.0;
        if denied || (writable && flags & GTF_READONLY != 0) {
            return Err(MapError::Denied);
        }
        let gfn = Gfn(entry.frame.load(Ordering::SeqCst).into());
        memory.index(gfn).ok_or(MapError::BadFrame)?;

        let marks = if writable { GTF_READING | GTF_WRITING } else { GTF_READING };
        entry.flags.fetch_or(marks, Ordering::SeqCst);
        let pins = &mut self.pins[gref as usize];
        pins.all += 1;
        pins.writable += u32::from(writable);
        self.maps += 1;
        let mapping = Some(Mapping { gref, gfn, writable });
        Ok(Handle(match self.free.pop() {
            Some(number) => {
                self.mappings[number] = mapping;
                number
            }
            None => {
                self.mappings.push(mapping);
                self.mappings.len() - 1
            }
        }))
    }

    /// Ends a mapping (GNTTABOP_unmap_grant_ref).
    pub fn unmap(&mut self, memory: &Memory, handle: Handle) {
        let mapping = self.mappings[handle.0].take().expect("a handle is used once");
        self.free.push(handle.0);
        self.unmaps += 1;
        let pins = &mut self.pins[mapping.gref as usize];
        pins.all -= 1;
        pins.writable -= u32::from(mapping.writable);
        let mut gone = 0;
        if pins.all == 0 {
            gone |= GTF_READING;
        }
        if pins.writable == 0 {
            gone |= GTF_WRITING;
        }
        let entry = memory.grant_entry(mapping.gref).expect("it was mapped");
        entry.flags.fetch_and(!gone, Ordering::SeqCst);
    }

    /// The frame behind a mapping.
    pub fn gfn(&self, handle: &Handle) -> Gfn {
        self.mappings[handle.0].expect("a handle is used once").gfn
    }

    /// Mappings that stand now.
    pub fn standing(&self) -> usize {
        self.mappings.len() - self.free.len()
    }

    /// Number of the entries of the table that grant something.
    pub fn permitted(&self, memory: &Memory) -> usize {
        self.permitted_grefs(memory).count()
    }

    /// References of the entries of the table that grant something.
    pub fn permitted_grefs<'m>(&self, memory: &'m Memory) -> impl Iterator<Item = u32> + use<'m> {
        let entries = (0..).zip(memory.grant_table.iter().flatten());
        let permits = |entry: &EntryV1| entry.flags.load(Ordering::SeqCst) & GTF_PERMIT_ACCESS != 0;
        entries.filter(move |(_, entry)| permits(entry)).map(|(gref, _)| gref)
    }

    /// Returns what can still reach a page: a mapping, or an entry of the table that permits one.
    pub fn reach(&self, memory: &Memory, gfn: Gfn) -> Option<String> {
        if let Some(mapping) = self.mappings.iter().flatten().find(|mapping| mapping.gfn == gfn) {
            return Some(format!("mapped by grant {}", mapping.gref));
        }
        let entries = memory.grant_table.iter().flatten();
        let granting = entries.enumerate().find(|(_, entry)| {
            entry.flags.load(Ordering::SeqCst) & GTF_PERMIT_ACCESS != 0
                && u64::from(entry.frame.load(Ordering::SeqCst)) == gfn.0
        });
        granting.map(|(gref, _)| format!("granted by entry {gref}"))
    }
}
