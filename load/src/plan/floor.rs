//! Memory and grants of a guest, against what its jobs need.

use alloc::format;
use alloc::string::String;

use drivers::blkfront::Room;
use xen_abi::PAGE_SIZE;
use xen_abi::grant_table::{ENTRIES_PER_PAGE, RESERVED_ENTRIES};

use super::memory::Need;
use super::refusal::Refusal;

/// Most pages of a grant table that a guest can use.
pub const GRANT_FRAMES_MAX: u32 = 255;

/// Returns the smallest `memory=`, in MiB, with so much heap, in bytes, and so many pages beside
/// it; `None` if it is more than a guest can use.
pub type NeededMib = fn(heap_bytes: u64, pages: u64) -> Option<u64>;

/// Memory and grants that a guest has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Pages that are free, and the entries that the grant table may have.
    pub room: Room,
    /// Size of the heap, in bytes.
    pub heap_bytes: u64,
    /// Bytes by which the heap can grow, whole pages: those behind it that were never taken.
    pub growth_bytes: u64,
    /// Pages that other vCPUs have already.
    pub vcpu_pages: u64,
    /// Memory that Xen gave, in MiB.
    pub given_mib: u64,
    /// Most memory that a guest can use, in MiB.
    pub usable_mib_max: u64,
}

impl Stock {
    /// Checks that it suffices for what jobs need from now on; `logs` tells whether they write
    /// logs. It does if the heap grows to what they need, and if there are fewer grants than all
    /// I/Os at once need, but enough for some: Xen limits them, so no advice would help.
    ///
    /// # Errors
    /// [`Refusal::Memory`] and [`Refusal::Grants`], with the figures.
    pub fn check(&self, need: &Need, logs: bool, needed_mib: NeededMib) -> Result<(), Refusal> {
        let need = &need.within_entries(self.room.grants);
        let pages = need.pages.saturating_add(self.vcpu_pages);
        let has_mib = self.given_mib;
        // The same guest is to be refused whatever the size of its image.
        let needs_mib = needed_mib(need.heap_bytes, pages);
        let missing = self.missing_pages(need);
        if missing != 0 || needs_mib.is_none_or(|mib| mib > has_mib) {
            // Where that does not tell, backends keep pages, or they are not behind the heap. An
            // eighth of what is added may become heap.
            let more_mib = missing.saturating_mul(8).div_ceil(7 << 8);
            let needs_mib = needs_mib
                .map(|mib| if mib > has_mib { mib } else { has_mib.saturating_add(more_mib) })
                .filter(|&mib| mib <= self.usable_mib_max);
            return Err(Refusal::Memory { has_mib, needs_mib, logs });
        }
        let needs = need.grants_least;
        if needs > self.room.grants {
            let frames = frames_for(needs);
            return Err(Refusal::Grants { has: self.room.grants, needs, frames });
        }
        Ok(())
    }

    /// Returns a line that says that not all I/Os of a need can be in flight at once, if so.
    pub fn notice(&self, need: &Need) -> Option<String> {
        let (has, needs) = (self.room.grants, need.grants);
        let advice = need.grant_frames().map_or_else(String::new, |frames| {
            format!("set max_grant_frames={frames} (Xen's gnttab_max_frames= is its limit), or ")
        });
        (needs > has).then(|| {
            format!(
                "{needs} grants are needed for all I/Os at once, and this guest has {has}: some \
                 wait for others; {advice}lower iodepth= or bs="
            )
        })
    }

    /// Returns how many pages must be added for a need.
    fn missing_pages(&self, need: &Need) -> u64 {
        let lacks = self.lacks_pages(need);
        let pages = need.pages.saturating_add(lacks).saturating_sub(self.room.pages);
        pages.max(lacks.saturating_sub(self.growth_bytes / PAGE_SIZE as u64))
    }

    /// Returns how many pages the heap lacks.
    fn lacks_pages(&self, need: &Need) -> u64 {
        need.heap_bytes.saturating_sub(self.heap_bytes).div_ceil(PAGE_SIZE as u64)
    }

    /// Returns whether the heap may grow for good to all that a stage would use, where the whole
    /// run needs `run` at least: only if it leaves the pages for the disks of any stage.
    pub fn may_grow(&self, full: &Need, run: &Need) -> bool {
        let pages = full.pages.max(run.pages);
        let lacks = self.lacks_pages(full);
        self.room.pages >= pages.saturating_add(lacks)
    }
}

impl Need {
    /// Returns the pages of a grant table that has the entries, as `max_grant_frames=` counts them;
    /// `None` if they are more than a guest can use.
    pub fn grant_frames(&self) -> Option<u64> {
        frames_for(self.grants)
    }

    /// Returns the pages of a grant table without which some disk could have no I/O in flight, as
    /// [`grant_frames`](Self::grant_frames) does.
    pub fn grant_frames_least(&self) -> Option<u64> {
        frames_for(self.grants_least)
    }

    /// Returns the part of it that a guest can use whose grant table may have so many pages.
    #[must_use]
    pub fn within_grants(self, frames: u64) -> Self {
        let entries = frames.saturating_mul(ENTRIES_PER_PAGE.into());
        self.within_entries(entries.saturating_sub(RESERVED_ENTRIES.into()))
    }

    /// Returns the part of it that a guest can use whose grant table has so many entries.
    fn within_entries(self, entries: u64) -> Self {
        let grants = entries.min(self.grants);
        let pages = u128::from(self.pages) * u128::from(grants);
        let pages = pages.div_ceil(u128::from(self.grants.max(1)));
        Self { pages: pages as u64, grants, ..self }
    }
}

/// Returns the pages of a grant table with so many entries that can be used; `None` if they are
/// more than a guest can use.
fn frames_for(grants: u64) -> Option<u64> {
    let entries = grants.saturating_add(RESERVED_ENTRIES.into());
    let frames = entries.div_ceil(ENTRIES_PER_PAGE.into());
    (frames <= GRANT_FRAMES_MAX.into()).then_some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = PAGE_SIZE as u64;
    const STOCK: Stock = Stock {
        room: Room { pages: 2000, grants: 504 },
        heap_bytes: 512 * PAGE,
        growth_bytes: 1500 * PAGE,
        vcpu_pages: 0,
        given_mib: 12,
        usable_mib_max: 20,
    };

    /// A guest whose image takes 2 MiB, and its heap as much at least.
    fn needed_mib(heap_bytes: u64, pages: u64) -> Option<u64> {
        let all = heap_bytes.div_ceil(PAGE).max(512).checked_add(pages)?;
        all.div_ceil(256).checked_add(2)
    }

    fn need(heap_pages: u64, pages: u64) -> Need {
        Need { pages, grants: 504, grants_least: 1, heap_bytes: heap_pages * PAGE }
    }

    fn refused(has_mib: u64, needs_mib: Option<u64>) -> Result<(), Refusal> {
        Err(Refusal::Memory { has_mib, needs_mib, logs: false })
    }

    #[test]
    fn memory_suffices_to_the_page() {
        let behind = |pages| Stock { growth_bytes: pages * PAGE, ..STOCK };
        let free = |pages| Stock { room: Room { pages, ..STOCK.room }, ..STOCK };
        for (stock, need, expected) in [
            (STOCK, need(0, 2000), Ok(())),
            (STOCK, need(0, 2001), refused(12, Some(13))),
            (STOCK, need(612, 1900), Ok(())),
            (STOCK, need(613, 1900), refused(12, Some(13))),
            // Half a page of heap takes a whole one.
            (STOCK, Need { heap_bytes: 612 * PAGE + 1, ..need(0, 1900) }, refused(12, Some(13))),
            // The heap grows into what lies behind it, whatever else is free.
            (behind(100), need(612, 0), Ok(())),
            (behind(100), need(613, 0), refused(12, Some(13))),
            (behind(100), need(1124, 0), refused(12, Some(15))),
            // All that backends keep is to be added, and what becomes heap of that.
            (free(500), need(0, 500), Ok(())),
            (free(500), need(0, 1000), refused(12, Some(15))),
            // A guest is refused with any image, although this one leaves enough.
            (Stock { given_mib: 8, ..STOCK }, need(0, 1025), refused(8, Some(9))),
            (Stock { given_mib: 8, ..STOCK }, need(0, 1024), Ok(())),
            // Other vCPUs have a part of it already.
            (Stock { given_mib: 8, vcpu_pages: 1, ..STOCK }, need(0, 1024), refused(8, Some(9))),
            // No more than a guest can use.
            (STOCK, need(0, 4096), refused(12, Some(20))),
            (STOCK, need(0, 4097), refused(12, None)),
            (free(0), need(0, 2000), refused(12, None)),
            (free(0), need(0, 3000), refused(12, Some(16))),
            (STOCK, need(0, u64::MAX), refused(12, None)),
        ] {
            assert_eq!(stock.check(&need, false, needed_mib), expected, "{need:?} of {stock:?}");
        }
    }

    #[test]
    fn grants_suffice_to_the_entry() {
        let check = |grants_least| {
            let need = Need { grants: u64::MAX, grants_least, ..need(0, 1) };
            STOCK.check(&need, true, needed_mib)
        };
        let refused = |needs, frames| Err(Refusal::Grants { has: 504, needs, frames });
        assert_eq!(check(504), Ok(()));
        assert_eq!(check(505), refused(505, Some(2)));
        assert_eq!(check(1016), refused(1016, Some(2)));
        let most = 255 * 512 - 8;
        assert_eq!(check(most), refused(most, Some(255)));
        assert_eq!(check(most + 1), refused(most + 1, None));
        assert_eq!(check(u64::MAX), refused(u64::MAX, None));
    }

    #[test]
    fn a_guest_uses_what_it_can_grant() {
        let need = Need { grants: 1008, ..need(1, 2017) };
        let pages = [3, 2, 1, 0].map(|frames| need.within_grants(frames).pages);
        assert_eq!(pages, [2017, 2017 * 1008 / 1008, 1009, 0]);
        let none = Need { pages: u64::MAX, grants: 0, ..need };
        assert_eq!(none.within_grants(u64::MAX).pages, 0);
    }

    #[test]
    fn fewer_grants_than_all_ios_need_are_enough_with_as_much_memory() {
        let need = |grants, pages| Need { grants, ..need(0, pages) };
        // Half of the grants, and of the pages.
        assert_eq!(STOCK.check(&need(1008, 4000), false, needed_mib), Ok(()));
        assert_eq!(STOCK.check(&need(1008, 4001), false, needed_mib), refused(12, Some(13)));
        assert_eq!(STOCK.notice(&need(504, 1)), None);
        let rest = "grants are needed for all I/Os at once, and this guest has 504: some wait for \
                    others;";
        let set = "set max_grant_frames=2 (Xen's gnttab_max_frames= is its limit), or";
        for (grants, advice) in [(505, format!("{set} ")), (u64::MAX, String::new())] {
            let expected = format!("{grants} {rest} {advice}lower iodepth= or bs=");
            assert_eq!(STOCK.notice(&need(grants, 1)), Some(expected));
        }
    }

    /// A heap that has grown stays; so none grows into pages that a later stage needs.
    #[test]
    fn a_heap_grows_only_into_what_no_stage_needs() {
        for (full, run, may) in [
            (need(612, 1900), need(0, 100), true),
            (need(613, 1900), need(0, 100), false),
            (need(612, 100), need(0, 1900), true),
            (need(612, 100), need(0, 1901), false),
            (need(0, 2000), need(0, 2000), true),
            (need(0, u64::MAX), need(0, 0), false),
        ] {
            assert_eq!(STOCK.may_grow(&full, &run), may, "{full:?} {run:?}");
        }
    }
}
