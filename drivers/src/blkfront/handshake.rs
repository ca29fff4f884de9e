//! The control path: from a VBD in xenstore to a queue pair, and back.
//!
//! Nodes, relative to the frontend's directory `device/vbd/N` (io/blkif.h):
//!
//! | node | by | meaning |
//! |---|---|---|
//! | `backend`, `backend-id` | tool stack | the other directory and its domain |
//! | `ring-ref`, `event-channel`, `protocol` | frontend | where the ring is |
//! | `feature-persistent` | frontend | 1 in the persistent modes |
//! | `state` | frontend | Initialising, Initialised, Connected, Closing, Closed |
//!
//! and in the backend's directory: `state`; `sectors` (units of 512 bytes), `sector-size`, `info`,
//! `mode`, `feature-flush-cache`, `feature-persistent`, all valid once it is Connected.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use xen_abi::blkif::{SECTOR_SIZE, VDISK_CDROM, VDISK_READONLY};
use xen_abi::xenbus::XenbusState;
use xen_abi::{DomId, Errno, PAGE_SIZE, Port};

use super::queue::{QueuePair, Remains, SlotState};
use super::{DiskInfo, Setup, Vdev};
use crate::grant::{Grant, GrantTable, TableFull};
use crate::hypervisor::{Access, Hypervisor};
use crate::page::Page;
use crate::ring::FrontRing;
use crate::xenstore::{self, Transaction, Xenstore};

/// How long the backend may take for each step, in nanoseconds.
const STEP_TIMEOUT_NS: u64 = 20_000_000_000;
/// How long a backend with which no connection came about may take to close, in nanoseconds.
const CLOSE_TIMEOUT_NS: u64 = 2_000_000_000;
/// Watches are hints: the backend's state is read again after so long, in nanoseconds.
const RE_READ_NS: u64 = 500_000_000;

/// Why a VBD could not be brought up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// xenstore failed at this path.
    Xenstore(String, xenstore::Error),
    /// A node holds what it can't.
    BadNode {
        /// Its path.
        path: String,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The backend stayed in this state.
    Stuck {
        /// What it was in.
        state: XenbusState,
        /// What was waited for.
        wanted: XenbusState,
    },
    /// The backend went away.
    Gone(XenbusState),
    /// No page left.
    OutOfPages,
    /// No grant left.
    Grants(TableFull),
    /// No event channel to be had.
    EventChannel(Errno),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xenstore(path, error) if error.is_not_found() => {
                write!(f, "{path} is missing; check the backend")
            }
            Self::Xenstore(path, error) => write!(f, "{path}: {error}"),
            Self::BadNode { path, value, expected } => {
                write!(f, "{path} is {value:?}, expected {expected}; check the backend")
            }
            Self::Stuck { state, wanted } => write!(
                f,
                "backend stayed {state} for {} s, expected {wanted}; is its driver loaded in the \
                 backend domain?",
                STEP_TIMEOUT_NS / 1_000_000_000
            ),
            Self::Gone(state) => write!(f, "backend went away (state {state})"),
            Self::OutOfPages => f.write_str("out of memory; raise memory= or lower iodepth or bs"),
            Self::Grants(full) => full.fmt(f),
            Self::EventChannel(errno) => write!(f, "no event channel: {errno}"),
        }
    }
}

impl core::error::Error for ConnectError {}

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
    ring_grant: Grant<'a>,
}

/// What a device is made of, before anybody else sees it.
struct Resources<'a> {
    ring_page: Page,
    ring_grant: Grant<'a>,
    /// For all slots, shared and private ones.
    pages: Vec<Page>,
    /// For all slots.
    grants: Vec<Grant<'a>>,
    port: Port,
}

impl<'a> Resources<'a> {
    /// Takes all of it, or, on failure, nothing.
    fn take<H: Hypervisor>(
        hypervisor: &'a H,
        table: &mut GrantTable<'a, H>,
        setup: &Setup,
        backend: DomId,
    ) -> Result<Self, ConnectError> {
        let granted = setup.slots as usize * setup.pages_per_slot;
        let private = setup.slots as usize * setup.private_pages_per_slot();
        let (mut pages, mut grants) = (Vec::new(), Vec::new());
        let port = (|| {
            for _ in 0..1 + granted + private {
                pages.push(hypervisor.alloc_page().ok_or(ConnectError::OutOfPages)?);
            }
            for _ in 0..1 + granted {
                grants.push(table.reserve().map_err(ConnectError::Grants)?);
            }
            hypervisor.evtchn_alloc_unbound(backend).map_err(ConnectError::EventChannel)
        })();
        match (port, pages.pop(), grants.pop()) {
            (Ok(port), Some(ring_page), Some(ring_grant)) => {
                Ok(Self { ring_page, ring_grant, pages, grants, port })
            }
            (port, ring_page, ring_grant) => {
                pages.into_iter().chain(ring_page).for_each(|page| hypervisor.free_page(page));
                for grant in grants.into_iter().chain(ring_grant) {
                    table.release(grant).expect("a grant that was never permitted");
                }
                Err(port.err().unwrap_or(ConnectError::OutOfPages))
            }
        }
    }
}

/// Where a VBD's two halves live in xenstore.
#[derive(Debug)]
struct Paths {
    frontend: String,
    backend: String,
    backend_id: DomId,
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
        Err(error) if error.is_not_found() => Ok(String::new()),
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
            .and_then(|()| Resources::take(hypervisor, grants, setup, paths.backend_id));
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
        let Resources { ring_page, mut ring_grant, pages, grants, port } = resources;
        let private_pages = setup.private_pages_per_slot();
        let (mut pages, mut reserved) = (pages.into_iter(), grants.into_iter());
        ring_grant.permit(paths.backend_id, ring_page.gfn(), Access::ReadWrite);
        let slots = (0..setup.slots)
            .map(|_| {
                let shared: Vec<(Page, Grant<'a>)> =
                    pages.by_ref().zip(reserved.by_ref()).take(setup.pages_per_slot).collect();
                SlotState::new(vdev, shared, pages.by_ref().take(private_pages).collect())
            })
            .collect();
        let ring = FrontRing::new(ring_page);
        let backend = paths.backend_id;
        let queue = QueuePair::new(hypervisor, ring, port, backend, setup.grants, slots);
        let info = DiskInfo {
            sectors: 0,
            logical_sector_bytes: SECTOR_SIZE,
            read_only: true,
            cdrom: false,
            flush: false,
            persistent: false,
        };
        Self { queue, vdev, info, paths, ring_grant }
    }

    /// Publishes the ring and learns about the disk.
    fn negotiate(
        &mut self,
        hypervisor: &H,
        store: &mut Xenstore<'_, H>,
        setup: &Setup,
    ) -> Result<DiskInfo, ConnectError> {
        let paths = &self.paths;
        let keys = [
            ("ring-ref", self.ring_grant.gref().0.to_string()),
            ("event-channel", self.queue.port().0.to_string()),
            ("protocol", "x86_64-abi".to_string()),
            ("feature-persistent", u8::from(setup.grants.is_persistent()).to_string()),
        ];
        store
            .transaction(|store, transaction| {
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
        give_back(ring, self.ring_grant);
        for slot in slots {
            slot.pages.into_iter().for_each(|(page, grant)| give_back(page, grant));
            slot.private.into_iter().for_each(|page| hypervisor.free_page(page));
        }
        Disconnected { quarantined_pages, timed_out }
    }
}

impl Paths {
    fn read<H: Hypervisor>(store: &mut Xenstore<'_, H>, vdev: Vdev) -> Result<Self, ConnectError> {
        let frontend = format!("device/vbd/{}", vdev.0);
        let path = format!("{frontend}/backend-id");
        let value = read(store, &path)?;
        let backend_id = decimal(&value)
            .and_then(|id| u16::try_from(id).ok())
            .filter(|&id| id < DomId::FIRST_RESERVED.0)
            .map(DomId)
            .ok_or_else(|| bad(path, value, "a domain's number"))?;
        let path = format!("{frontend}/backend");
        let backend = read(store, &path)?;
        if !backend.starts_with(&format!("/local/domain/{backend_id}/backend/")) {
            return Err(bad(path, backend, "a path in the backend domain's directory"));
        }
        Ok(Self { frontend, backend, backend_id })
    }

    fn set_state<H: Hypervisor>(
        &self,
        store: &mut Xenstore<'_, H>,
        state: XenbusState,
    ) -> Result<(), ConnectError> {
        let path = format!("{}/state", self.frontend);
        store
            .write(Transaction::NONE, &path, &(state as u8).to_string())
            .map_err(|error| ConnectError::Xenstore(path, error))
    }

    fn backend_state<H: Hypervisor>(
        &self,
        store: &mut Xenstore<'_, H>,
    ) -> Result<XenbusState, ConnectError> {
        let path = format!("{}/state", self.backend);
        match store.read(Transaction::NONE, &path) {
            Err(error) if error.is_not_found() => Ok(XenbusState::Unknown),
            Err(error) => Err(ConnectError::Xenstore(path, error)),
            Ok(value) => decimal(&value)
                .and_then(XenbusState::from_number)
                .ok_or_else(|| bad(path, value, "a state from 0 to 8")),
        }
    }

    /// Waits until the backend is in `wanted`, or beyond it on the same way up or down.
    fn await_backend<H: Hypervisor>(
        &self,
        hypervisor: &H,
        store: &mut Xenstore<'_, H>,
        wanted: XenbusState,
        timeout_ns: u64,
    ) -> Result<(), ConnectError> {
        let path = format!("{}/state", self.backend);
        let failed = |error| ConnectError::Xenstore(path.clone(), error);
        let token = store.watch(&path).map_err(failed)?;
        let deadline_ns = hypervisor.now_ns().saturating_add(timeout_ns);
        let arrived = loop {
            let state = match self.backend_state(store) {
                Ok(state) => state,
                Err(error) => break Err(error),
            };
            match judge(state, wanted) {
                Verdict::Arrived => break Ok(()),
                Verdict::Gone => break Err(ConnectError::Gone(state)),
                Verdict::Wait => {}
            }
            let now_ns = hypervisor.now_ns();
            if now_ns >= deadline_ns {
                break Err(ConnectError::Stuck { state, wanted });
            }
            let look_again_ns = deadline_ns.min(now_ns.saturating_add(RE_READ_NS));
            if let Err(error) = store.wait_fired(token, look_again_ns) {
                break Err(failed(error));
            }
        };
        // A watch that stays costs a flag, and must not hide how the wait ended.
        let _ = store.unwatch(&path, token);
        arrived
    }

    fn read_info<H: Hypervisor>(
        &self,
        store: &mut Xenstore<'_, H>,
    ) -> Result<DiskInfo, ConnectError> {
        let path = |key: &str| format!("{}/{key}", self.backend);
        let (value, number) = self.required(store, "sectors")?;
        let sectors = number
            .filter(|&sectors| sectors != 0 && sectors.checked_mul(SECTOR_SIZE.into()).is_some())
            .ok_or_else(|| bad(path("sectors"), value, "a count of 512-byte sectors above 0"))?;
        let value = self.optional(store, "sector-size")?.unwrap_or_else(|| SECTOR_SIZE.to_string());
        let logical_sector_bytes = decimal(&value)
            .and_then(|size| u32::try_from(size).ok())
            .filter(|size| size.is_power_of_two())
            .filter(|size| (SECTOR_SIZE..=PAGE_SIZE as u32).contains(size))
            .ok_or_else(|| bad(path("sector-size"), value, "512, 1024, 2048 or 4096"))?;
        if !sectors.is_multiple_of(u64::from(logical_sector_bytes / SECTOR_SIZE)) {
            let expected = "a whole number of logical sectors";
            return Err(bad(path("sectors"), sectors.to_string(), expected));
        }
        let (value, number) = self.required(store, "info")?;
        let info = number
            .and_then(|info| u32::try_from(info).ok())
            .ok_or_else(|| bad(path("info"), value, "a number of 32 bits"))?;
        let mode = self.optional(store, "mode")?;
        // The stricter of the two wins.
        let writable = info & VDISK_READONLY == 0 && mode.is_none_or(|mode| mode.starts_with('w'));
        let feature = |store: &mut Xenstore<'_, H>, key| {
            Ok(self.optional(store, key)?.is_some_and(|value| value == "1"))
        };
        Ok(DiskInfo {
            sectors,
            logical_sector_bytes,
            read_only: !writable || info & VDISK_CDROM != 0,
            cdrom: info & VDISK_CDROM != 0,
            flush: feature(store, "feature-flush-cache")?,
            persistent: feature(store, "feature-persistent")?,
        })
    }

    /// A node of the backend that has to be there, and its value as a number.
    fn required<H: Hypervisor>(
        &self,
        store: &mut Xenstore<'_, H>,
        key: &str,
    ) -> Result<(String, Option<u64>), ConnectError> {
        let value = read(store, &format!("{}/{key}", self.backend))?;
        let number = decimal(&value);
        Ok((value, number))
    }

    fn optional<H: Hypervisor>(
        &self,
        store: &mut Xenstore<'_, H>,
        key: &str,
    ) -> Result<Option<String>, ConnectError> {
        let path = format!("{}/{key}", self.backend);
        match store.read(Transaction::NONE, &path) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(ConnectError::Xenstore(path, error)),
        }
    }
}

enum Verdict {
    Arrived,
    Wait,
    Gone,
}

/// What to make of the backend's state while waiting for another one.
fn judge(state: XenbusState, wanted: XenbusState) -> Verdict {
    use XenbusState::{Closed, Closing, Connected, InitWait, Initialised, Unknown};
    match (wanted, state) {
        _ if state == wanted => Verdict::Arrived,
        // A backend may skip InitWait (blkif.h).
        (InitWait, Initialised) => Verdict::Arrived,
        // On the way down, closed is further than closing, and gone is further than closed.
        (Closing, Closed) => Verdict::Arrived,
        (Closing | Closed, Unknown) => Verdict::Gone,
        // On the way up, going away is an answer too. When a VBD is connected again, the backend
        // still stands Closed until it has seen our Initialising.
        (Connected, Closing | Closed | Unknown) => Verdict::Gone,
        _ => Verdict::Wait,
    }
}

fn read<H: Hypervisor>(store: &mut Xenstore<'_, H>, path: &str) -> Result<String, ConnectError> {
    store
        .read(Transaction::NONE, path)
        .map_err(|error| ConnectError::Xenstore(path.to_string(), error))
}

fn bad(path: String, value: String, expected: &'static str) -> ConnectError {
    ConnectError::BadNode { path, value, expected }
}

/// A number as blkif.h wants it: decimal digits and nothing else.
fn decimal(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimal_numbers_count() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "+5", "-1", " 12", "12 ", "12abc", "0x10", "1e9", "18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }
}
