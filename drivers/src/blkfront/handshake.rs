//! The control path: from a VBD in xenstore to a queue pair, and back.
//!
//! Nodes, relative to the frontend's directory `device/vbd/N` (io/blkif.h):
//!
//! | node | by | meaning |
//! |---|---|---|
//! | `backend`, `backend-id` | tool stack | the other directory and its domain |
//! | `ring-ref`, `event-channel`, `protocol` | frontend | where a ring of one page is |
//! | `ring-page-order`, `ring-ref0`, ... | frontend | where a larger one is, instead |
//! | `feature-persistent` | frontend | 1 in the persistent modes |
//! | `state` | frontend | Initialising, Initialised, Connected, Closing, Closed |
//!
//! What stands in the backend's directory is read in `paths`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use xen_abi::blkif::SECTOR_SIZE;
use xen_abi::xenbus::XenbusState;

use super::paths::{Paths, STEP_TIMEOUT_NS, decimal};
use super::queue::{QueuePair, Remains};
use super::resources::Resources;
use super::{ConnectError, DiskInfo, Setup, Vdev};
use crate::grant::{Grant, GrantTable};
use crate::hypervisor::{Access, Hypervisor};
use crate::page::Page;
use crate::ring::FrontRing;
use crate::xenstore::{self, Transaction, Xenstore};

/// How long a backend with which no connection came about may take to close, in nanoseconds.
const CLOSE_TIMEOUT_NS: u64 = 2_000_000_000;

/// What a VBD left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnected {
    /// Pages that the backend did not let go; they are never used again.
    pub quarantined_pages: u32,
    /// The backend did not answer the close within the time limit.
    pub timed_out: bool,
}

/// A connected VBD.
#[derive(Debug)]
pub struct Blkfront<'a, H> {
    /// The data path.
    pub queue: QueuePair<'a, H>,
    vdev: Vdev,
    info: DiskInfo,
    paths: Paths,
    ring_grants: Vec<Grant<'a>>,
}

/// The VBDs that the tool stack gave this domain, in the order of their numbers.
///
/// # Errors
/// xenstore's; no VBD at all is an empty list.
pub fn list<H: Hypervisor>(store: &mut Xenstore<'_, H>) -> Result<Vec<Vdev>, xenstore::Error> {
    let names = match store.directory(Transaction::NONE, "device/vbd") {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        names => names?,
    };
    let mut vdevs: Vec<Vdev> =
        names.iter().filter_map(|name| decimal(name)?.try_into().ok().map(Vdev)).collect();
    vdevs.sort_unstable();
    vdevs.dedup();
    Ok(vdevs)
}

/// Whether the tool stack attached a VBD for writing (`mode` in the backend's directory).
///
/// # Errors
/// xenstore's; a VBD that says nothing of it is not writable.
pub fn is_writable<H: Hypervisor>(
    store: &mut Xenstore<'_, H>,
    vdev: Vdev,
) -> Result<bool, xenstore::Error> {
    let read = |store: &mut Xenstore<'_, H>, path: &str| match store.read(Transaction::NONE, path) {
        Err(error) if error.is_out_of_sight() => Ok(String::new()),
        value => value,
    };
    let backend = read(store, &format!("device/vbd/{}/backend", vdev.0))?;
    Ok(read(store, &format!("{backend}/mode"))?.starts_with('w'))
}

impl<'a, H: Hypervisor> Blkfront<'a, H> {
    /// Brings a VBD up. A VBD that was closed before can be connected again.
    ///
    /// # Errors
    /// [`ConnectError`]; what was set up is undone first.
    pub fn connect(
        hypervisor: &'a H,
        grants: &mut GrantTable<'a, H>,
        store: &mut Xenstore<'_, H>,
        vdev: Vdev,
        setup: &Setup,
    ) -> Result<Self, ConnectError> {
        let paths = Paths::read(store, vdev)?;
        paths.set_state(store, XenbusState::Initialising)?;
        let ready = paths
            .await_backend(hypervisor, store, XenbusState::InitWait, STEP_TIMEOUT_NS)
            .and_then(|()| paths.read_ring_order_max(store))
            .and_then(|order_max| setup.check_ring(order_max))
            .and_then(|()| Resources::take(hypervisor, grants, setup, vdev, paths.backend_id));
        let mut device = match ready {
            Ok(resources) => Self::build(hypervisor, vdev, setup, paths, resources),
            Err(error) => {
                // Nothing of ours was shown yet; the first error is the one to tell.
                let _ = paths.set_state(store, XenbusState::Closed);
                return Err(error);
            }
        };
        match device.negotiate(hypervisor, store, setup) {
            Ok(info) => {
                device.info = info;
                device.queue.open(&info);
                Ok(device)
            }
            Err(error) => {
                device.close(hypervisor, grants, store, CLOSE_TIMEOUT_NS);
                Err(error)
            }
        }
    }

    /// Makes a ring and its slots out of what was taken; nothing here can fail.
    fn build(
        hypervisor: &'a H,
        vdev: Vdev,
        setup: &Setup,
        paths: Paths,
        resources: Resources<'a>,
    ) -> Self {
        let Resources { ring, mut ring_grants, slots, port } = resources;
        let backend = paths.backend_id;
        for (grant, gfn) in ring_grants.iter_mut().zip(ring.gfns()) {
            grant.permit(backend, gfn, Access::ReadWrite);
        }
        let ring = FrontRing::new(ring);
        let queue = QueuePair::new(hypervisor, ring, port, backend, setup.grants, slots);
        let info = DiskInfo {
            sectors: 0,
            logical_sector_bytes: SECTOR_SIZE,
            read_only: true,
            cdrom: false,
            flush: false,
            persistent: false,
            request_bytes_max: 0,
            discard: None,
        };
        Self { queue, vdev, info, paths, ring_grants }
    }

    /// Publishes the ring and learns about the disk.
    fn negotiate(
        &mut self,
        hypervisor: &H,
        store: &mut Xenstore<'_, H>,
        setup: &Setup,
    ) -> Result<DiskInfo, ConnectError> {
        let paths = &self.paths;
        let persistent = u8::from(setup.grants.is_persistent());
        let mut keys = vec![
            ("event-channel".to_string(), self.queue.port().0.to_string()),
            ("protocol".to_string(), "x86_64-abi".to_string()),
            ("feature-persistent".to_string(), persistent.to_string()),
        ];
        let gref = |grant: &Grant<'_>| grant.gref().0.to_string();
        // The two forms exclude each other, so what an earlier connect may have written goes.
        let stale = match &self.ring_grants[..] {
            [only] => {
                keys.push(("ring-ref".to_string(), gref(only)));
                "ring-page-order"
            }
            many => {
                keys.push(("ring-page-order".to_string(), setup.ring_order().to_string()));
                let numbered = many.iter().enumerate();
                keys.extend(numbered.map(|(n, grant)| (format!("ring-ref{n}"), gref(grant))));
                "ring-ref"
            }
        };
        store
            .transaction(|store, transaction| {
                store.rm(transaction, &format!("{}/{stale}", paths.frontend))?;
                for (key, value) in &keys {
                    store.write(transaction, &format!("{}/{key}", paths.frontend), value)?;
                }
                Ok(())
            })
            .map_err(|error| ConnectError::Xenstore(paths.frontend.clone(), error))?;
        paths.set_state(store, XenbusState::Initialised)?;
        paths.await_backend(hypervisor, store, XenbusState::Connected, STEP_TIMEOUT_NS)?;
        let info = paths.read_info(store)?;
        paths.set_state(store, XenbusState::Connected)?;
        Ok(info)
    }

    /// What the backend said of the disk.
    pub fn info(&self) -> &DiskInfo {
        &self.info
    }

    /// The VBD's number and name.
    pub fn vdev(&self) -> Vdev {
        self.vdev
    }

    /// Closes the VBD and takes everything back that the backend lets go.
    ///
    /// Requests in flight get no completion; what they touch stays out of use if the backend
    /// still has it mapped.
    pub fn disconnect(
        self,
        hypervisor: &'a H,
        grants: &mut GrantTable<'a, H>,
        store: &mut Xenstore<'_, H>,
    ) -> Disconnected {
        self.close(hypervisor, grants, store, STEP_TIMEOUT_NS)
    }

    fn close(
        self,
        hypervisor: &'a H,
        grants: &mut GrantTable<'a, H>,
        store: &mut Xenstore<'_, H>,
        timeout_ns: u64,
    ) -> Disconnected {
        let paths = &self.paths;
        let closed = paths.set_state(store, XenbusState::Closing).and_then(|()| {
            paths.await_backend(hypervisor, store, XenbusState::Closing, timeout_ns)
        });
        let closed = paths
            .set_state(store, XenbusState::Closed)
            .and(closed)
            .and_then(|()| paths.await_backend(hypervisor, store, XenbusState::Closed, timeout_ns));
        let timed_out = !matches!(closed, Ok(()) | Err(ConnectError::Gone(_)));
        // A port that is gone already is closed enough.
        let _ = hypervisor.evtchn_close(self.queue.port());

        let Remains { ring, slots } = self.queue.into_remains();
        let mut quarantined_pages = 0;
        let mut give_back = |page: Page, grant| match grants.release(grant) {
            Ok(()) => hypervisor.free_page(page),
            Err(_) => quarantined_pages += 1,
        };
        ring.into_iter().zip(self.ring_grants).for_each(|(page, grant)| give_back(page, grant));
        for slot in slots {
            let granted = slot.pages.into_iter().chain(slot.indirect);
            granted.for_each(|(page, grant)| give_back(page, grant));
            slot.private.into_iter().for_each(|page| hypervisor.free_page(page));
        }
        Disconnected { quarantined_pages, timed_out }
    }
}
