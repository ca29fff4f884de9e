//! Pins: how often an entry is in use, for reading and for writing.

use crate::values::{Access, Status};

/// Most uses of a kind.
const MOST: u32 = 0x7fff;
const READ: u32 = 1;
const WRITE: u32 = 1 << 15;

/// Number of uses of an entry: 15 bits for those that read only, 15 for those that write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pins(pub u32);

impl Pins {
    /// Returns whether there are none.
    #[inline]
    pub fn is_free(self) -> bool {
        self.0 == 0
    }

    /// Returns whether a use of this kind needs marks that are not there yet.
    #[inline]
    pub fn lack_marks(self, access: Access) -> bool {
        self.is_free() || (access == Access::Write && self.count(Access::Write) == 0)
    }

    /// Returns the pins with one more.
    ///
    /// # Errors
    /// [`Status::Full`] when they can't count it.
    #[inline]
    pub fn more(self, access: Access) -> Result<Self, Status> {
        if self.count(access) == MOST {
            return Err(Status::Full);
        }
        Ok(Self(self.0 + one(access)))
    }

    /// Returns the pins with one less, of which there is one.
    #[inline]
    pub fn less(self, access: Access) -> Self {
        Self(self.0 - one(access))
    }

    /// Returns the marks that are to be cleared after a use of this kind has ended, if there are
    /// any: [`Access::Read`] stands for both.
    #[inline]
    pub fn clears(self, ended: Access) -> Option<Access> {
        if self.is_free() {
            Some(Access::Read)
        } else if ended == Access::Write && self.count(Access::Write) == 0 {
            Some(Access::Write)
        } else {
            None
        }
    }

    #[inline]
    fn count(self, access: Access) -> u32 {
        match access {
            Access::Read => self.0 & MOST,
            Access::Write => (self.0 / WRITE) & MOST,
        }
    }
}

#[inline]
fn one(access: Access) -> u32 {
    match access {
        Access::Read => READ,
        Access::Write => WRITE,
    }
}
