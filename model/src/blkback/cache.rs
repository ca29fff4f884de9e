//! The persistent grants of one ring: mapped once, kept, looked up by reference.

use drivers::grant::Access;
use xen_abi::{DomId, Gfn};

use crate::grants::{Handle, MapError};
use crate::xen::Xen;

/// A grant that nobody used for so long is unmapped, in nanoseconds.
const IDLE_NS: u64 = 60_000_000_000;
/// Time between two looks for some to unmap, in nanoseconds (`LRU_INTERVAL`).
const LOOK_NS: u64 = 100_000_000;
/// Per cent of `max` that go when there was no room for one more (`LRU_PERCENT_CLEAN`).
const MAKE_ROOM_PERCENT: usize = 5;

#[derive(Debug)]
struct Kept {
    gref: u32,
    handle: Handle,
    in_use: bool,
    used_ns: u64,
}

/// A page of a request, mapped.
#[derive(Debug)]
pub enum Mapped {
    /// A page that stays mapped after the request.
    Kept {
        /// Its grant.
        gref: u32,
        /// Its frame.
        gfn: Gfn,
    },
    /// A page mapped for this request only.
    Once(Handle),
}

/// The mappings that are kept, at most `max`.
#[derive(Debug)]
pub struct Cache {
    kept: Vec<Kept>,
    max: usize,
    /// There was no room for one more since the last that went.
    overflown: bool,
    next_look_ns: u64,
}

impl Cache {
    /// Empty; a `max` of 0 keeps none, as without `feature-persistent`.
    pub fn new(max: usize) -> Self {
        Self { kept: Vec::with_capacity(max), max, overflown: false, next_look_ns: 0 }
    }

    /// Grants that are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Returns whether no grant is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Frames that are kept.
    pub fn frames(&self, xen: &Xen) -> Vec<Gfn> {
        self.kept.iter().map(|kept| xen.grants.gfn(&kept.handle)).collect()
    }

    /// The page of a grant: kept, or mapped now.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn map(
        &mut self,
        xen: &mut Xen,
        grantee: DomId,
        gref: u32,
        access: Access,
    ) -> Result<Mapped, MapError> {
        let memory = std::rc::Rc::clone(&xen.memory);
        let known = self.kept.iter_mut().find(|kept| kept.gref == gref);
        let busy = known.as_ref().is_some_and(|kept| kept.in_use);
        if let Some(kept) = known.filter(|kept| !kept.in_use) {
            kept.in_use = true;
            kept.used_ns = xen.agenda.now_ns();
            let gfn = xen.grants.gfn(&kept.handle);
            return Ok(Mapped::Kept { gref, gfn });
        }
        let keep = !busy && self.kept.len() < self.max;
        // What is kept serves reads and writes later, so it has to be mapped for both.
        let access = if keep { Access::ReadWrite } else { access };
        let handle = xen.grants.map(&memory, grantee, gref, access)?;
        if !keep {
            self.overflown |= !busy;
            return Ok(Mapped::Once(handle));
        }
        let gfn = xen.grants.gfn(&handle);
        self.kept.push(Kept { gref, handle, in_use: true, used_ns: xen.agenda.now_ns() });
        Ok(Mapped::Kept { gref, gfn })
    }

    /// The frame behind a page.
    pub fn gfn(xen: &Xen, page: &Mapped) -> Gfn {
        match page {
            Mapped::Kept { gfn, .. } => *gfn,
            Mapped::Once(handle) => xen.grants.gfn(handle),
        }
    }

    /// Ends the use of a page by a request.
    pub fn release(&mut self, xen: &mut Xen, page: Mapped) {
        match page {
            Mapped::Once(handle) => xen.grants.unmap(&xen.memory, handle),
            Mapped::Kept { gref, .. } => {
                if let Some(kept) = self.kept.iter_mut().find(|kept| kept.gref == gref) {
                    kept.in_use = false;
                }
            }
        }
    }

    /// Unmaps what nobody used for long, and makes room where there was none, without telling
    /// anybody (`purge_persistent_gnt`).
    pub fn purge(&mut self, xen: &mut Xen) {
        let now_ns = xen.agenda.now_ns();
        if now_ns < self.next_look_ns {
            return;
        }
        self.next_look_ns = now_ns + LOOK_NS;
        let before = self.kept.len();
        let room = if self.overflown && before == self.max {
            self.max / 100 * MAKE_ROOM_PERCENT
        } else {
            0
        };
        self.drop_where(xen, |kept| !kept.in_use && now_ns - kept.used_ns >= IDLE_NS);
        let mut left = room.saturating_sub(before - self.kept.len());
        if left != 0 {
            self.kept.sort_unstable_by_key(|kept| kept.gref);
        }
        self.drop_where(xen, |kept| {
            let goes = !kept.in_use && left != 0;
            left -= usize::from(goes);
            goes
        });
        self.overflown &= self.kept.len() == before;
    }

    /// Unmaps everything.
    pub fn clear(&mut self, xen: &mut Xen) {
        self.drop_where(xen, |_| true);
    }

    fn drop_where(&mut self, xen: &mut Xen, mut goes: impl FnMut(&Kept) -> bool) {
        let mut index = 0;
        while index < self.kept.len() {
            if goes(&self.kept[index]) {
                let kept = self.kept.swap_remove(index);
                xen.grants.unmap(&xen.memory, kept.handle);
            } else {
                index += 1;
            }
        }
    }
}
