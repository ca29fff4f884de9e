//! An entry in use as the hypervisor knows it, under the entry's lock.

use core::sync::atomic::Ordering::Relaxed;

use protocols::Atomic;
use xen_abi::DomId;

use crate::entry::Entry;
use crate::lock::Lock;
use crate::pins::Pins;
use crate::values::{Access, Status, Version};
use crate::words::Words;

/// Entry in use. Its words are read and written under its lock, or the table's as a writer.
///
/// Two share a cache line, as Xen's do, whose 32 bytes also hold what transitive grants need.
#[derive(Debug)]
#[repr(align(32))]
pub struct Active<W: Words, L> {
    pub lock: L,
    pins: W::U32,
    /// Domain that uses it, while there are pins.
    grantee: W::U32,
    /// Frame that it has, while there are pins.
    frame: W::U32,
}

impl<W: Words, L: Lock<W>> Default for Active<W, L> {
    fn default() -> Self {
        Self {
            lock: L::default(),
            pins: W::U32::default(),
            grantee: W::U32::default(),
            frame: W::U32::default(),
        }
    }
}

impl<W: Words, L: Lock<W>> Active<W, L> {
    /// Pins the entry once more; returns its frame, which stays while there are pins, whatever the
    /// grantor writes.
    #[inline]
    pub fn pin(
        &self,
        entry: &Entry<W>,
        version: Version,
        by: DomId,
        access: Access,
    ) -> Result<u32, Status> {
        let pins = Pins(self.pins.load(Relaxed));
        if !pins.is_free() && self.grantee.load(Relaxed) != by.0.into() {
            return Err(Status::NotGranted);
        }
        let more = pins.more(access)?;
        if pins.lack_marks(access) {
            entry.mark(version, by, access)?;
        }
        if pins.is_free() {
            self.grantee.store(by.0.into(), Relaxed);
            self.frame.store(entry.frame(), Relaxed);
        }
        self.pins.store(more.0, Relaxed);
        Ok(self.frame.load(Relaxed))
    }

    /// Takes back a pin.
    #[inline]
    pub fn unpin(&self, entry: &Entry<W>, version: Version, access: Access) {
        let pins = Pins(self.pins.load(Relaxed)).less(access);
        self.pins.store(pins.0, Relaxed);
        if let Some(marks) = pins.clears(access) {
            entry.clear(version, marks);
        }
    }

    /// Returns whether there is a pin.
    pub fn is_in_use(&self) -> bool {
        !Pins(self.pins.load(Relaxed)).is_free()
    }
}
