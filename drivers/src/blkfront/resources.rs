//! What a device is made of, before anybody else sees it.

use alloc::vec::Vec;

use xen_abi::{DomId, Port};

use super::slot::SlotState;
use super::{ConnectError, Setup, Vdev};
use crate::grant::{Grant, GrantTable};
use crate::hypervisor::Hypervisor;
use crate::page::{Page, PageRun};

/// Pages, reserved grants and a port; nothing is permitted yet.
pub(super) struct Resources<'a> {
    pub(super) ring: PageRun,
    pub(super) ring_grants: Vec<Grant<'a>>,
    pub(super) slots: Vec<SlotState<'a>>,
    pub(super) port: Port,
}

impl<'a> Resources<'a> {
    /// Takes all of it, or, on failure, nothing.
    pub(super) fn take<H: Hypervisor>(
        hypervisor: &'a H,
        table: &mut GrantTable<'a, H>,
        setup: &Setup,
        vdev: Vdev,
        backend: DomId,
    ) -> Result<Self, ConnectError> {
        let slots = setup.slots as usize;
        let granted = slots * (setup.pages_per_slot + setup.indirect_pages_per_slot());
        let ring_pages = 1 << setup.ring_order();
        let plain = granted + slots * setup.private_pages_per_slot();
        let out_of_pages = || ConnectError::OutOfPages { needed: ring_pages + plain };
        let ring = hypervisor.alloc_run(ring_pages).ok_or_else(out_of_pages)?;
        let (mut pages, mut grants) = (Vec::new(), Vec::new());
        let port = (|| {
            for _ in 0..plain {
                pages.push(hypervisor.alloc_page().ok_or_else(out_of_pages)?);
            }
            for _ in 0..ring_pages + granted {
                grants.push(table.reserve().map_err(ConnectError::Grants)?);
            }
            hypervisor.evtchn_alloc_unbound(backend).map_err(ConnectError::EventChannel)
        })();
        match port {
            Ok(port) => {
                let ring_grants = grants.split_off(granted);
                let slots = share_out(setup, vdev, pages, grants);
                Ok(Self { ring, ring_grants, slots, port })
            }
            Err(error) => {
                ring.into_pages().chain(pages).for_each(|page| hypervisor.free_page(page));
                for grant in grants {
                    table.release(grant).expect("a grant that was never permitted");
                }
                Err(error)
            }
        }
    }
}

/// Makes slots out of pages and grants, of which there are as many as `setup` asks for.
fn share_out<'a>(
    setup: &Setup,
    vdev: Vdev,
    pages: Vec<Page>,
    grants: Vec<Grant<'a>>,
) -> Vec<SlotState<'a>> {
    let (mut pages, mut grants) = (pages.into_iter(), grants.into_iter());
    let slots = (0..setup.slots).map(|_| {
        let mut granted = pages.by_ref().zip(grants.by_ref());
        let shared = granted.by_ref().take(setup.pages_per_slot).collect();
        let indirect = granted.by_ref().take(setup.indirect_pages_per_slot()).next();
        let private = pages.by_ref().take(setup.private_pages_per_slot()).collect();
        SlotState::new(vdev, shared, indirect, private)
    });
    slots.collect()
}
