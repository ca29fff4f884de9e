//! Offers of the disks' backends, and whether the guest has what its jobs then need. Looked at
//! before the first disk is used, so that no job writes to one where a later stage is refused.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::String;

use boot_info::frames;
use drivers::blkfront::{Offer, Room, handshake};
use drivers::xenstore::Xenstore;
use fio_job::Job;
use load::plan::{Need, Refusal, Stage, Stock};
use xen_abi::PAGE_SIZE;

use crate::failure::Failure;
use crate::memory;
use crate::vcpu::Vcpu;
use crate::xen::{self, Xen};

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

/// Returns what the guest has, `vcpu_pages` of which other vCPUs have already.
fn stock(xen: &Xen, vcpu_pages: u64) -> Stock {
    let (room, heap_bytes) = (xen.room(), memory::heap_size() as u64);
    let bytes = heap_bytes + (room.pages + vcpu_pages) * PAGE_SIZE as u64;
    let given_mib = xen::reservation_pages(xen.entry()).map(|pages| pages >> 8);
    Stock {
        room,
        heap_bytes,
        growth_bytes: xen.heap_growth(),
        vcpu_pages,
        given_mib: given_mib.unwrap_or_else(|_| frames::given_mib(bytes)),
        usable_mib_max: frames::USED_MIB_MAX,
    }
}

/// Returns the room for the disks of a stage that needs `least`, and would use `full`: no more than
/// there is heap for. If there is enough for all, and for the whole `run`, the heap grows to that.
pub fn room(xen: &Xen, least: &Need, full: &Need, run: &Need) -> Room {
    if stock(xen, 0).may_grow(full, run) {
        xen.grow_heap(full.heap_bytes);
    }
    least.room(full, memory::heap_size() as u64, xen.room())
}

/// Returns a line that says that the jobs can't have all their I/Os in flight, if so.
pub fn notice(xen: &Xen, need: &Need) -> Option<String> {
    stock(xen, 0).notice(need)
}

/// Checks that the guest has what these jobs need, where other vCPUs have `vcpu_pages` already, and
/// lets the heap grow to that.
///
/// # Errors
/// [`Refusal::Memory`] and [`Refusal::Grants`], with the figures.
pub fn check(xen: &Xen, need: &Need, vcpu_pages: u64, jobs: &[Job]) -> Result<(), Refusal> {
    let logs = jobs.iter().any(|job| job.reporting.has_log());
    stock(xen, vcpu_pages).check(need, logs, frames::needed_mib)?;
    xen.grow_heap(need.heap_bytes);
    Ok(())
}
