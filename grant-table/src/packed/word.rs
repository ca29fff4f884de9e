//! The word of an entry's use: pins and the domain that has them, or that somebody has taken it.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use protocols::Atomic;
use xen_abi::DomId;

use crate::pins::Pins;
use crate::values::{Access, Status};
use crate::words::Words;

/// Word that somebody has taken. It stands for no use.
const TAKEN: u64 = u64::MAX;

/// Bits of a use that count its pins; above them is the domain that has them, 0 without pins.
const PINS: u64 = u32::MAX as u64;

/// Use of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use(u64);

/// Word with a use, which is also its lock.
#[derive(Debug)]
pub struct UseWord<W: Words>(W::U64);

impl<W: Words> Default for UseWord<W> {
    fn default() -> Self {
        Self(W::U64::default())
    }
}

impl Use {
    #[inline]
    fn new(grantee: u64, pins: Pins) -> Self {
        Self(grantee | u64::from(pins.0))
    }

    #[inline]
    fn pins(self) -> Pins {
        Pins((self.0 & PINS) as u32)
    }

    /// Returns the domain that has the pins, in its place.
    #[inline]
    fn grantee(self) -> u64 {
        self.0 & !PINS
    }

    /// Returns whether the entry is not in use.
    #[inline]
    pub fn is_free(self) -> bool {
        self.pins().is_free()
    }

    /// Returns whether a further use of this kind needs marks that are not there yet.
    #[inline]
    pub fn lacks_marks(self, access: Access) -> bool {
        self.pins().lack_marks(access)
    }

    /// Returns the use with one more pin.
    ///
    /// # Errors
    /// [`Status::NotGranted`] when another domain has pins; [`Status::Full`].
    #[inline]
    pub fn more(self, by: DomId, access: Access) -> Result<Self, Status> {
        let grantee = u64::from(by.0) << 32;
        if !self.is_free() && self.grantee() != grantee {
            return Err(Status::NotGranted);
        }
        Ok(Self::new(grantee, self.pins().more(access)?))
    }

    /// Returns the use with one pin less, of which there is one.
    #[inline]
    pub fn less(self, access: Access) -> Self {
        let pins = self.pins().less(access);
        if pins.is_free() { Self::default() } else { Self::new(self.grantee(), pins) }
    }

    /// Returns the marks to clear after a use of this kind has ended.
    #[inline]
    pub fn clears(self, ended: Access) -> Option<Access> {
        self.pins().clears(ended)
    }
}

impl<W: Words> UseWord<W> {
    /// Takes the word; returns its use. Who has taken it is waited for.
    #[inline]
    pub fn take(&self) -> Use {
        loop {
            // Without a look first: that would bring the cache line here to be read only.
            let found = self.0.swap(TAKEN, Acquire);
            if found != TAKEN {
                return Use(found);
            }
            while self.0.load(Relaxed) == TAKEN {
                W::pause();
            }
        }
    }

    /// Gives back the word that was taken.
    #[inline]
    pub fn give_back(&self, outcome: Use) {
        // Release: who ends the last use sees what the others did with the page.
        self.0.store(outcome.0, Release);
    }

    /// Takes the word of an entry that is not in use; returns whether it is not.
    pub fn freeze(&self) -> bool {
        let found = self.take();
        if !found.is_free() {
            self.give_back(found);
        }
        found.is_free()
    }
}
