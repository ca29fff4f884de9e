//! An entry: the domain's words of it, and how it is in use.

use grant_table::{Access, Status, Version};

/// Flags of Xen's `grant_table.h`.
const PERMIT_ACCESS: u32 = 1;
const READ_ONLY: u32 = 1 << 2;
const READING: u32 = 1 << 3;
const WRITING: u32 = 1 << 4;
/// Uses of a kind that can be counted.
const MOST: u32 = 32_767;

/// Use by a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    by: u16,
    frame: u32,
    reads: u32,
    writes: u32,
}

/// Entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    pub header: u32,
    pub frame: u32,
    pub status: u32,
    pub used: Option<Use>,
    /// An operation is alone with it.
    pub is_held: bool,
}

/// Returns the header of a permission.
pub fn permission(grantee: u16, access: Access) -> u32 {
    let read_only = if access == Access::Read { READ_ONLY } else { 0 };
    u32::from(grantee) << 16 | PERMIT_ACCESS | read_only
}

impl Entry {
    /// Returns whether a further use needs marks.
    ///
    /// # Errors
    /// What forbids it.
    pub fn needs_marks(&self, by: u16, access: Access) -> Result<bool, Status> {
        let Some(used) = self.used else { return Ok(true) };
        if used.by != by {
            return Err(Status::NotGranted);
        }
        let (same, needs) = match access {
            Access::Read => (used.reads, false),
            Access::Write => (used.writes, used.writes == 0),
        };
        if same == MOST { Err(Status::Full) } else { Ok(needs) }
    }

    /// Returns whether the domain permits a use.
    pub fn permits(&self, by: u16, access: Access) -> Result<(), Status> {
        if self.header & 3 != PERMIT_ACCESS || self.header >> 16 != u32::from(by) {
            Err(Status::NotGranted)
        } else if access == Access::Write && self.header & READ_ONLY != 0 {
            Err(Status::ReadOnly)
        } else {
            Ok(())
        }
    }

    pub fn mark(&mut self, version: Version, access: Access) {
        let marks = if access == Access::Write { READING | WRITING } else { READING };
        *self.marks(version) |= marks;
    }

    /// Counts one more use, with the frame that the entry has now if it is the first.
    pub fn pin(&mut self, by: u16, access: Access) -> u32 {
        let frame = self.frame;
        let used = self.used.get_or_insert(Use { by, frame, reads: 0, writes: 0 });
        match access {
            Access::Read => used.reads += 1,
            Access::Write => used.writes += 1,
        }
        used.frame
    }

    pub fn unpin(&mut self, version: Version, access: Access) {
        let used = self.used.as_mut().expect("it is in use");
        match access {
            Access::Read => used.reads -= 1,
            Access::Write => used.writes -= 1,
        }
        let (reads, writes) = (used.reads, used.writes);
        if reads == 0 && writes == 0 {
            self.used = None;
            *self.marks(version) &= !(READING | WRITING);
        } else if writes == 0 && access == Access::Write {
            *self.marks(version) &= !WRITING;
        }
    }

    pub fn is_marked(&mut self, version: Version) -> bool {
        *self.marks(version) & (READING | WRITING) != 0
    }

    fn marks(&mut self, version: Version) -> &mut u32 {
        match version {
            Version::One => &mut self.header,
            Version::Two => &mut self.status,
        }
    }
}
