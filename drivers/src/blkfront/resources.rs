//! Resources of queue pairs, before the backend sees them, and after.

use alloc::vec::Vec;

use xen_abi::vdev::Vdev;
use xen_abi::{DomId, Port};

use super::ConnectError;
use super::fit::Fit;
use super::slot::{Slot, SlotState, slot_base};
use crate::grant::{Grant, GrantTable};
use crate::hypervisor::Hypervisor;
use crate::page::Page;
use crate::shared::{SharedPage, SharedRun};

/// A queue pair's pages, reserved grants and port.
pub(super) struct Resources<'a> {
    pub(super) ring: SharedRun<'a>,
    pub(super) slots: Vec<SlotState<'a>>,
    /// Rest of its last line of the grant table: nobody else may store there.
    pub(super) unused: Vec<Grant<'a>>,
    pub(super) port: Port,
    /// Base of the numbers of its slots; no other queue of any VBD has it.
    pub(super) base: u32,
}

impl<'a> Resources<'a> {
    /// Takes the resources of all queues, with nothing permitted yet, or, on failure, nothing.
    pub(super) fn take_all<H: Hypervisor>(
        hypervisor: &'a H,
        table: &mut GrantTable<'a, H>,
        fit: &Fit,
        vdev: Vdev,
        backend: DomId,
    ) -> Result<Vec<Self>, ConnectError> {
        let mut all = Vec::new();
        for _ in 0..fit.queues {
            match Self::take(hypervisor, table, fit, vdev, backend) {
                Ok(one) => all.push(one),
                Err(error) => {
                    for one in all {
                        one.give_back(hypervisor, table);
                    }
                    return Err(error);
                }
            }
        }
        Ok(all)
    }

    /// Takes the resources of a queue, or, on failure, nothing.
    fn take<H: Hypervisor>(
        hypervisor: &'a H,
        table: &mut GrantTable<'a, H>,
        fit: &Fit,
        vdev: Vdev,
        backend: DomId,
    ) -> Result<Self, ConnectError> {
        let slots = fit.slots as usize;
        let granted = slots * (fit.pages_per_slot + fit.indirect_pages_per_slot());
        let ring_pages = 1 << fit.ring_order;
        let plain = granted + slots * fit.private_pages_per_slot();
        let out_of_pages =
            || ConnectError::OutOfPages { needed: fit.queues as usize * (ring_pages + plain) };
        let ring = hypervisor.alloc_run(ring_pages).ok_or_else(out_of_pages)?;
        let (mut pages, mut grants) = (Vec::new(), Vec::new());
        let port = (|| {
            for _ in 0..plain {
                pages.push(hypervisor.alloc_page().ok_or_else(out_of_pages)?);
            }
            grants = table.reserve(granted + ring_pages).map_err(ConnectError::Grants)?;
            hypervisor.evtchn_alloc_unbound(backend).map_err(ConnectError::EventChannel)
        })();
        match port {
            Ok(port) => {
                let unused = grants.split_off(granted + ring_pages);
                let ring = SharedRun::new(ring, grants.split_off(granted));
                let base = slot_base(table.number_queue());
                let slots = share_out(fit, (vdev, base), pages, grants);
                Ok(Self { ring, slots, unused, port, base })
            }
            Err(error) => {
                ring.into_pages().chain(pages).for_each(|page| hypervisor.free_page(page));
                table.release(grants);
                Err(error)
            }
        }
    }

    /// Gives back all that the backend lets go; returns the number of pages that it did not, which
    /// are never used again.
    pub(super) fn give_back<H: Hypervisor>(
        self,
        hypervisor: &H,
        table: &mut GrantTable<'a, H>,
    ) -> u32 {
        // Before the grants, so that no event comes any more for a ring that is gone. A port that
        // is gone already is closed enough.
        let _ = hypervisor.evtchn_close(self.port);
        let (mut grants, mut quarantined_pages) = (self.unused, 0);
        let mut give_back = |shared: SharedPage<'a>| match shared.into_parts() {
            Ok((page, grant)) => {
                grants.push(grant);
                hypervisor.free_page(page);
            }
            Err(_) => quarantined_pages += 1,
        };
        self.ring.into_pages().for_each(&mut give_back);
        for slot in self.slots {
            slot.pages.into_iter().chain(slot.indirect).for_each(&mut give_back);
            slot.private.into_iter().for_each(|page| hypervisor.free_page(page));
        }
        table.release(grants);
        quarantined_pages
    }
}

/// Makes slots out of pages and grants, of which there are as many as `fit` says.
fn share_out<'a>(
    fit: &Fit,
    (vdev, base): (Vdev, u32),
    pages: Vec<Page>,
    grants: Vec<Grant<'a>>,
) -> Vec<SlotState<'a>> {
    let (mut pages, mut grants) = (pages.into_iter(), grants.into_iter());
    let slots = (0..fit.slots as u16).map(|number| {
        let shared = pages.by_ref().zip(grants.by_ref());
        let mut granted = shared.map(|(page, grant)| SharedPage::new(page, grant));
        let shared = granted.by_ref().take(fit.pages_per_slot).collect();
        let indirect = granted.by_ref().take(fit.indirect_pages_per_slot()).collect();
        let private = pages.by_ref().take(fit.private_pages_per_slot()).collect();
        SlotState::new(vdev, Slot::new(base, number), shared, indirect, private)
    });
    slots.collect()
}
