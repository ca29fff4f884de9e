//! What the backends of the disks offer, and whether the guest has what its jobs then need. Looked
//! at before the first disk is used, so that no job writes to one where a later stage is refused.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::String;

use boot_info::frames;
use drivers::blkfront::{Offer, Room, handshake};
use drivers::xenstore::Xenstore;
use fio_job::Job;
use load::plan::{Need, Refusal, Stage};
use xen_abi::PAGE_SIZE;
use xen_abi::grant_table::{ENTRIES_PER_PAGE, RESERVED_ENTRIES};

use crate::failure::Failure;
use crate::memory;
use crate::vcpu::Vcpu;
use crate::xen::{self, SPECIAL_PAGES, Xen};

/// Offers of backends, by the names of their disks, as far as they are known.
#[derive(Debug, Default)]
pub struct Offers(BTreeMap<String, Offer>);

impl Offers {
    /// Returns what the backend of a disk offers, if that is known.
    pub fn of(&self, disk: &str) -> Option<Offer> {
        self.0.get(disk).copied()
    }

    /// Looks at the backends of a stage that are ready, without waiting for any.
    pub fn look(&mut self, store: &mut Xenstore<'_, Vcpu>, stage: &Stage<'_>) {
        for (vdev, name) in stage.vbds() {
            if !self.0.contains_key(&name)
                && let Some(offer) = handshake::offer_now(store, vdev)
            {
                self.0.insert(name, offer);
            }
        }
    }

    /// Waits for the backends of a stage whose offers are not known yet.
    ///
    /// # Errors
    /// Those of a connect.
    pub fn complete(
        &mut self,
        store: &mut Xenstore<'_, Vcpu>,
        stage: &Stage<'_>,
    ) -> Result<(), Failure> {
        for (vdev, name) in stage.vbds() {
            if let Entry::Vacant(place) = self.0.entry(name) {
                let offer = handshake::offer(store, vdev)
                    .map_err(|error| Failure::Connect(place.key().clone(), error))?;
                place.insert(offer);
            }
        }
        Ok(())
    }
}

/// Returns the room for the disks of a stage that needs `least`, and would use `full`: no more than
/// there is heap for. If there is enough for all, the heap grows to that.
pub fn room(xen: &Xen, least: &Need, full: &Need) -> Room {
    let lacks = full.heap_bytes.saturating_sub(memory::heap_size() as u64);
    if xen.room().pages >= full.pages.saturating_add(lacks.div_ceil(PAGE_SIZE as u64)) {
        xen.grow_heap(full.heap_bytes);
    }
    least.room(full, memory::heap_size() as u64, xen.room())
}

/// Checks that the guest has what these jobs need, and lets the heap grow to that.
///
/// # Errors
/// [`Refusal::Memory`] and [`Refusal::Grants`], with the figures.
pub fn check(xen: &Xen, need: &Need, jobs: &[Job]) -> Result<(), Refusal> {
    let has_heap = xen.grow_heap(need.heap_bytes);
    let Room { pages, grants } = xen.room();
    // The same guest is to be refused whatever the size of its image.
    let given_mib = xen::reservation_pages(xen.entry()).unwrap_or(u64::MAX) >> 8;
    let needs_mib = frames::needed_mib(need.heap_bytes, need.pages);
    let is_there = has_heap && need.pages <= pages;
    if !is_there || needs_mib.is_none_or(|mib| mib > given_mib) {
        // Pages that backends keep are missing now.
        let needs_mib =
            if is_there { needs_mib } else { needs_mib.map(|mib| mib.max(given_mib + 1)) };
        let logs = jobs.iter().any(|job| job.reporting.has_log());
        return Err(Refusal::Memory { has_mib: given_mib, needs_mib, logs });
    }
    if need.grants > grants {
        let entries = need.grants + u64::from(RESERVED_ENTRIES);
        let frames = Some(entries.div_ceil(ENTRIES_PER_PAGE.into()));
        let frames = frames.filter(|&frames| frames < SPECIAL_PAGES);
        return Err(Refusal::Grants { has: grants, needs: need.grants, frames });
    }
    Ok(())
}
