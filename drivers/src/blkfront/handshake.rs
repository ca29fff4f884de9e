//! The control path: from a VBD in xenstore to its queue pairs, and back.
//!
//! Nodes, relative to the frontend's directory `device/vbd/N` (io/blkif.h):
//!
//! | node | by | meaning |
//! |---|---|---|
//! | `backend`, `backend-id` | tool stack | the other directory and its domain |
//! | `trusted` | tool stack | 1 or missing; otherwise the backend is not to be trusted |
//! | `protocol` | frontend | x86_64-abi |
//! | `feature-persistent` | frontend | 1 in the persistent modes |
//! | `ring-ref`, `event-channel` | frontend | the ring, if there is a single one, of one page |
//! | `ring-page-order`, `ring-ref0`, ... | frontend | instead of `ring-ref`, if it has more pages |
//! | `multi-queue-num-queues` | frontend | number of rings, if more than one |
//! | `queue-0/...` | frontend | then `event-channel` and `ring-ref`s of each are there |
//! | `state` | frontend | Initialising, Initialised, Connected, Closing, Closed |
//!
//! The backend's directory is read in `paths`.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;

use xen_abi::blkif::SECTOR_SIZE;
use xen_abi::vdev::Vdev;
use xen_abi::xenbus::XenbusState;

use super::error::STEP_TIMEOUT_NS;
use super::fit::Fit;
use super::paths::{Paths, decimal};
use super::queue::QueuePair;
use super::resources::Resources;
use super::{ConnectError, DiskInfo, Offer, Room, Setup};
use crate::grant::GrantTable;
use crate::hypervisor::Hypervisor;
use crate::vcpu::Vcpu;
use crate::xenstore::{self, Transaction, WatchToken, Xenstore};

/// Longest time for a backend to close after a connect that failed, in nanoseconds.
const CLOSE_TIMEOUT_NS: u64 = 2_000_000_000;

/// Outcome of closing a VBD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnected {
    /// Pages that the backend did not let go; they are never used again.
    pub quarantined_pages: u32,
    /// Numbers, from 0, of the queues that were not brought back. Their pages, grants and ports are
    /// never used again either, and are not counted.
    pub missing_queues: Vec<usize>,
    /// Flag: the backend did not close within the time limit, or could not be asked to.
    pub timed_out: bool,
    /// Flag: xenstore failed, so what the backend did is not known.
    pub xenstore_failed: bool,
}

/// The backend of a VBD, whose state can be read while the VBD is in use.
#[derive(Clone, Debug)]
pub struct Backend(Paths);

impl Backend {
    /// Returns its state: [`XenbusState::Closing`] when the tool stack wants the VBD back,
    /// [`XenbusState::Closed`] or [`XenbusState::Unknown`] when it will respond to nothing any
    /// more.
    ///
    /// # Errors
    /// xenstore's, or a value that is no state.
    pub fn state<V: Vcpu>(&self, store: &mut Xenstore<'_, V>) -> Result<XenbusState, ConnectError> {
        self.0.backend_state(store)
    }

    /// Lets `watch` fire when the state changes, and once now.
    ///
    /// # Errors
    /// xenstore's; a domain has a limited number of watches.
    pub fn watch<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        watch: WatchToken,
    ) -> Result<(), xenstore::Error> {
        store.watch_also(&self.0.backend_state_path(), watch)
    }

    /// Undoes [`watch`](Self::watch).
    ///
    /// # Errors
    /// xenstore's.
    pub fn unwatch<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        watch: WatchToken,
    ) -> Result<(), xenstore::Error> {
        store.unwatch_one(&self.0.backend_state_path(), watch)
    }

    /// Returns whether it is the kernel's block backend (`vbd`), to which the parameters of Linux's
    /// `xen-blkback` may apply; another is QEMU's (`qdisk`) or another program's.
    pub fn is_vbd(&self) -> bool {
        self.0.kind() == "vbd"
    }
}

/// A connected VBD: its control path, which lends the data path out.
#[derive(Debug)]
pub struct Blkfront<'a> {
    /// Queue pairs that are not lent: all until [`take_queues`](Self::take_queues), then none.
    queues: Vec<QueuePair<'a>>,
    /// Bases of all queue pairs, in order.
    bases: Vec<u32>,
    vdev: Vdev,
    info: DiskInfo,
    paths: Paths,
}

/// Returns the VBDs that the tool stack gave this domain, in the order of their numbers.
///
/// # Errors
/// xenstore's; no VBD at all is an empty list.
pub fn list<V: Vcpu>(store: &mut Xenstore<'_, V>) -> Result<Vec<Vdev>, xenstore::Error> {
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

/// Returns whether the tool stack attached a VBD for writing (`mode` in the backend's directory).
///
/// # Errors
/// xenstore's; a VBD without that node is not writable.
pub fn is_writable<V: Vcpu>(
    store: &mut Xenstore<'_, V>,
    vdev: Vdev,
) -> Result<bool, xenstore::Error> {
    let read = |store: &mut Xenstore<'_, V>, path: &str| match store.read(Transaction::NONE, path) {
        Err(error) if error.is_out_of_sight() => Ok(String::new()),
        value => value,
    };
    let backend = read(store, &format!("device/vbd/{}/backend", vdev.0))?;
    Ok(read(store, &format!("{backend}/mode"))?.starts_with('w'))
}

/// Returns what the backend of a VBD offers, if it waits for the frontend already and says so
/// without fault: what is wrong with it, [`Blkfront::connect`] tells.
pub fn offer_now<V: Vcpu>(store: &mut Xenstore<'_, V>, vdev: Vdev) -> Option<Offer> {
    store.in_time(|store| {
        let paths = Paths::read(store, vdev).ok()?;
        let waits = paths.backend_state(store) == Ok(XenbusState::InitWait);
        waits.then(|| paths.read_offer(store).ok()).flatten()
    })
}

/// Waits for what the backend of a VBD offers.
///
/// # Errors
/// [`ConnectError`], as connect would have it.
pub fn offer<V: Vcpu>(store: &mut Xenstore<'_, V>, vdev: Vdev) -> Result<Offer, ConnectError> {
    let paths = Paths::read(store, vdev)?;
    let offer = paths.await_offer(store);
    if offer.is_err() {
        let _ = paths.set_state(store, XenbusState::Closed);
    }
    offer
}

impl<'a> Blkfront<'a> {
    /// Brings a VBD up, in no more than `room`. A VBD that was closed before can be connected
    /// again. A backend whose offer is not the `planned` one is refused: there may be memory for
    /// that only.
    ///
    /// # Errors
    /// [`ConnectError`]; what was set up is undone first.
    pub fn connect<H: Hypervisor, V: Vcpu>(
        hypervisor: &'a H,
        grants: &mut GrantTable<'a, H>,
        store: &mut Xenstore<'_, V>,
        vdev: Vdev,
        setup: &Setup,
        room: Room,
        planned: Option<Offer>,
    ) -> Result<Self, ConnectError> {
        let paths = Paths::read(store, vdev)?;
        let fit = paths.await_offer(store).and_then(|offer| match planned {
            Some(planned) if planned != offer => Err(ConnectError::OfferChanged),
            _ => Ok(setup.fit(&offer, room)),
        });
        let ready = fit.and_then(|fit| {
            let backend = paths.backend_id;
            Ok((fit, Resources::take_all(hypervisor, grants, &fit, vdev, backend)?))
        });
        let (fit, mut device) = match ready {
            Ok((fit, resources)) => (fit, Self::build(vdev, &fit, paths, resources)),
            Err(error) => {
                // Nothing of ours was shown yet; the first error is the one to report.
                let _ = paths.set_state(store, XenbusState::Closed);
                return Err(error);
            }
        };
        match device.negotiate(store, &fit) {
            Ok(info) => {
                device.info = info;
                device.queues.iter_mut().for_each(|queue| queue.open(&info));
                Ok(device)
            }
            Err(error) => {
                let left = device.close(hypervisor, grants, store, CLOSE_TIMEOUT_NS);
                Err(match left.quarantined_pages {
                    0 => error,
                    quarantined_pages => {
                        ConnectError::Kept { error: Box::new(error), quarantined_pages }
                    }
                })
            }
        }
    }

    /// Makes queue pairs out of what was taken; nothing here can fail.
    fn build(vdev: Vdev, fit: &Fit, paths: Paths, resources: Vec<Resources<'a>>) -> Self {
        let backend = paths.backend_id;
        let queue = |resources| QueuePair::new(resources, backend, fit);
        let queues: Vec<QueuePair<'a>> = resources.into_iter().map(queue).collect();
        let bases = queues.iter().map(QueuePair::base).collect();
        let info = DiskInfo {
            sectors: 0,
            logical_sector_bytes: SECTOR_SIZE,
            physical_sector_bytes: SECTOR_SIZE,
            read_only: true,
            cdrom: false,
            flush: None,
            trusted: false,
            persistent: false,
            request_bytes_max: 0,
            discard: None,
        };
        Self { queues, bases, vdev, info, paths }
    }

    /// Publishes the rings and learns about the disk.
    fn negotiate<V: Vcpu>(
        &mut self,
        store: &mut Xenstore<'_, V>,
        fit: &Fit,
    ) -> Result<DiskInfo, ConnectError> {
        let paths = &self.paths;
        let keys = self.keys(fit);
        let publish = |store: &mut Xenstore<'_, V>, transaction| {
            for name in store.directory(transaction, &paths.frontend)? {
                if places_rings(&name) {
                    store.rm(transaction, &format!("{}/{name}", paths.frontend))?;
                }
            }
            for (key, value) in &keys {
                store.write(transaction, &format!("{}/{key}", paths.frontend), value)?;
            }
            Ok(())
        };
        store
            .in_time(|store| store.transaction(publish))
            .map_err(|error| ConnectError::Xenstore(paths.frontend.clone(), error))?;
        paths.set_state(store, XenbusState::Initialised)?;
        paths.await_backend(store, XenbusState::Connected, STEP_TIMEOUT_NS)?;
        let info = paths.read_info(store, fit.request_bytes_max)?;
        paths.set_state(store, XenbusState::Connected)?;
        Ok(info)
    }

    /// Returns all that the backend needs to know, as nodes of the frontend's directory.
    fn keys(&self, fit: &Fit) -> Vec<(String, String)> {
        let persistent = u8::from(fit.grants.is_persistent());
        let mut keys = Vec::from([
            ("protocol".to_string(), "x86_64-abi".to_string()),
            ("feature-persistent".to_string(), persistent.to_string()),
        ]);
        let order = fit.ring_order;
        if order != 0 {
            keys.push(("ring-page-order".to_string(), order.to_string()));
        }
        if fit.queues > 1 {
            keys.push(("multi-queue-num-queues".to_string(), fit.queues.to_string()));
        }
        for (number, queue) in self.queues.iter().enumerate() {
            let prefix = if fit.queues > 1 { format!("queue-{number}/") } else { String::new() };
            keys.push((format!("{prefix}event-channel"), queue.port().0.to_string()));
            for (page, gref) in queue.ring_grefs().enumerate() {
                let page = if order != 0 { page.to_string() } else { String::new() };
                keys.push((format!("{prefix}ring-ref{page}"), gref.0.to_string()));
            }
        }
        keys
    }

    /// Returns what the backend reported about the disk.
    pub fn info(&self) -> &DiskInfo {
        &self.info
    }

    /// Returns the VBD's number and name.
    pub fn vdev(&self) -> Vdev {
        self.vdev
    }

    /// Returns the VBD's backend.
    pub fn backend(&self) -> Backend {
        Backend(self.paths.clone())
    }

    /// Lends the queue pairs, as many as [`Setup::queues`] or as the backend has, each for one loop
    /// on any vCPU. [`disconnect`](Self::disconnect) takes them back.
    pub fn take_queues(&mut self) -> Vec<QueuePair<'a>> {
        mem::take(&mut self.queues)
    }

    /// Closes the VBD and takes back everything of `queues` that the backend lets go. Queue pairs
    /// that are not among them are reported, and their resources are never used again.
    ///
    /// Requests in flight get no completion; what they touch stays out of use if the backend
    /// still has it mapped.
    ///
    /// # Panics
    /// When a queue pair is another VBD's, which is a bug of the caller.
    pub fn disconnect<H: Hypervisor, V: Vcpu>(
        mut self,
        queues: Vec<QueuePair<'a>>,
        hypervisor: &'a H,
        grants: &mut GrantTable<'a, H>,
        store: &mut Xenstore<'_, V>,
    ) -> Disconnected {
        for queue in &queues {
            assert!(self.bases.contains(&queue.base()), "a queue of another VBD");
        }
        self.queues.extend(queues);
        self.close(hypervisor, grants, store, STEP_TIMEOUT_NS)
    }

    fn close<H: Hypervisor, V: Vcpu>(
        self,
        hypervisor: &'a H,
        grants: &mut GrantTable<'a, H>,
        store: &mut Xenstore<'_, V>,
        timeout_ns: u64,
    ) -> Disconnected {
        let paths = &self.paths;
        let closed = paths
            .set_state(store, XenbusState::Closing)
            .and_then(|()| paths.await_backend(store, XenbusState::Closing, timeout_ns));
        let closed = paths
            .set_state(store, XenbusState::Closed)
            .and(closed)
            .and_then(|()| paths.await_backend(store, XenbusState::Closed, timeout_ns));
        let timed_out = !matches!(closed, Ok(()) | Err(ConnectError::Gone(_)));
        let xenstore_failed = matches!(closed, Err(ConnectError::Xenstore(..)));
        let is_here = |base| self.queues.iter().any(|queue| queue.base() == base);
        let queues = self.bases.iter().enumerate().filter(|(_, base)| !is_here(**base));
        let missing_queues = queues.map(|(number, _)| number).collect();
        let resources = self.queues.into_iter().map(QueuePair::into_resources);
        let quarantined_pages = resources.map(|one| one.give_back(hypervisor, grants)).sum();
        Disconnected { quarantined_pages, missing_queues, timed_out, xenstore_failed }
    }
}

/// Returns whether a node of the frontend's says where rings are. There are several forms, which
/// exclude each other, so what an earlier connect wrote goes first.
fn places_rings(name: &str) -> bool {
    name == "event-channel"
        || ["ring-", "queue-", "multi-queue-"].iter().any(|prefix| name.starts_with(prefix))
}
