//! Nodes of a VBD in xenstore: the states of the two halves, and the backend's description of its
//! disk.
//!
//! In the backend's directory: `state`; the [`Offer`], valid once it is in InitWait; and the rest,
//! valid once it is Connected.
//!
//! | node | if it is missing |
//! |---|---|
//! | `max-ring-page-order` | 0, a ring of one page |
//! | `multi-queue-max-queues` | 1 |
//! | `feature-max-indirect-segments` | 11 segments in a request |
//! | `sectors` (units of 512 bytes), `info` | an error |
//! | `sector-size` | 512 |
//! | `physical-sector-size` | the same; also if it is absurd |
//! | `mode` | `info` alone says what may be written |
//! | `feature-flush-cache` | `feature-barrier` says whether there are barriers instead |
//! | `feature-barrier`, `feature-persistent`, `feature-discard` | not offered |
//! | `discard-granularity`, `discard-alignment`, `discard-secure` | a sector, 0, not offered |

use alloc::format;
use alloc::string::{String, ToString};

use xen_abi::blkif::{MAX_SEGMENTS, SECTOR_SIZE, VDISK_CDROM, VDISK_READONLY};
use xen_abi::vdev::Vdev;
use xen_abi::xenbus::XenbusState;
use xen_abi::{DomId, PAGE_SIZE};

use super::error::STEP_TIMEOUT_NS;
use super::{ConnectError, Discard, DiskInfo, Flush, Offer, PAGES_PER_SLOT_MAX, QUEUES_MAX};
use crate::patience::Patience;
use crate::ring;
use crate::vcpu::Vcpu;
use crate::xenstore::{Transaction, Xenstore};

/// Time after which the backend's state is read again without an event, in nanoseconds: watches are
/// hints.
const RE_READ_NS: u64 = 500_000_000;

/// Most bytes of a physical sector that are believed.
const PHYSICAL_SECTOR_BYTES_MAX: u32 = 1 << 20;

/// Directories of a VBD's two halves in xenstore.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) frontend: String,
    backend: String,
    pub(super) backend_id: DomId,
    /// Flag: the tool stack trusts the backend.
    pub(super) trusted: bool,
}

impl Paths {
    pub(super) fn read<V: Vcpu>(
        store: &mut Xenstore<'_, V>,
        vdev: Vdev,
    ) -> Result<Self, ConnectError> {
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
        let trusted = optional(store, format!("{frontend}/trusted"))?;
        // Anything but a plain yes is a no.
        let trusted = trusted.is_none_or(|value| value == "1");
        Ok(Self { frontend, backend, backend_id, trusted })
    }

    pub(super) fn set_state<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        state: XenbusState,
    ) -> Result<(), ConnectError> {
        let path = format!("{}/state", self.frontend);
        store
            .write(Transaction::NONE, &path, &(state as u8).to_string())
            .map_err(|error| ConnectError::Xenstore(path, error))
    }

    /// Returns the kind of the backend as the tool stack names it, such as `vbd` or `qdisk`.
    pub(super) fn kind(&self) -> &str {
        let below = self.backend.split_once("/backend/").map_or("", |(_, below)| below);
        below.split('/').next().unwrap_or_default()
    }

    /// Returns the path of the backend's state.
    pub(super) fn backend_state_path(&self) -> String {
        format!("{}/state", self.backend)
    }

    /// Returns the backend's state; [`XenbusState::Unknown`] when its directory is gone.
    pub(super) fn backend_state<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
    ) -> Result<XenbusState, ConnectError> {
        let path = self.backend_state_path();
        match store.read(Transaction::NONE, &path) {
            // The backend's directory is all of its domain that we may read, as long as it stands.
            Err(error) if error.is_out_of_sight() => Ok(XenbusState::Unknown),
            Err(error) => Err(ConnectError::Xenstore(path, error)),
            Ok(value) => decimal(&value)
                .and_then(XenbusState::from_number)
                .ok_or_else(|| bad(path, value, "a state from 0 to 8")),
        }
    }

    /// Waits until the backend is in `wanted`, or beyond it on the same way up or down.
    pub(super) fn await_backend<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        wanted: XenbusState,
        timeout_ns: u64,
    ) -> Result<(), ConnectError> {
        let path = self.backend_state_path();
        let failed = |error| ConnectError::Xenstore(path.clone(), error);
        let vcpu = store.vcpu();
        let token = store.watch(&path).map_err(failed)?;
        let mut patience = Patience::new(vcpu.now_ns(), timeout_ns);
        let arrived = loop {
            patience.count(vcpu.now_ns());
            let state = match store.in_time(|store| self.check_backend(store, wanted)) {
                Ok(None) => break Ok(()),
                Ok(Some(state)) => state,
                Err(error) => break Err(error),
            };
            if patience.is_over() {
                break Err(ConnectError::Stuck { state, wanted });
            }
            let re_read_ns = vcpu.now_ns().saturating_add(RE_READ_NS);
            let re_read_ns = patience.look_again_ns().min(re_read_ns);
            if let Err(error) = store.wait_fired(token, re_read_ns) {
                break Err(failed(error));
            }
        };
        // A watch that stays costs a flag; its error must not hide how the wait ended.
        let _ = store.unwatch(&path, token);
        arrived
    }

    /// Returns the backend's state if the wait goes on, `None` once it has arrived.
    fn check_backend<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        wanted: XenbusState,
    ) -> Result<Option<XenbusState>, ConnectError> {
        let state = self.backend_state(store)?;
        match check(state, wanted) {
            StateCheck::Arrived => Ok(None),
            StateCheck::Gone => Err(ConnectError::Gone(state)),
            StateCheck::Wait => self.never_comes(store, state, wanted).map_or(Ok(Some(state)), Err),
        }
    }

    /// Returns why a backend that has not begun never will, if its directory says so.
    fn never_comes<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        state: XenbusState,
        wanted: XenbusState,
    ) -> Option<ConnectError> {
        let has_begun = !matches!(state, XenbusState::Unknown | XenbusState::Initialising);
        if has_begun || wanted != XenbusState::InitWait {
            return None;
        }
        let mut node = |key| self.optional(store, key).ok().flatten();
        if node("hotplug-status").is_some_and(|status| status == "error") {
            let why = node("hotplug-error").unwrap_or_default();
            return Some(ConnectError::Hotplug(why));
        }
        // Format, colon and path; or the path alone.
        let holds_none = |params: String| params.rsplit(':').next() == Some("");
        let is_cdrom = node("device-type").is_some_and(|kind| kind == "cdrom");
        (is_cdrom && node("params").is_some_and(holds_none)).then_some(ConnectError::NoMedium)
    }

    pub(super) fn read_info<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        request_bytes_max: u32,
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
        let physical = self.optional(store, "physical-sector-size")?;
        let physical_sector_bytes = physical
            .and_then(|value| u32::try_from(decimal(&value)?).ok())
            .filter(|size| size.is_power_of_two())
            .filter(|size| (logical_sector_bytes..=PHYSICAL_SECTOR_BYTES_MAX).contains(size))
            .unwrap_or(logical_sector_bytes);
        let (value, number) = self.required(store, "info")?;
        let info = number
            .and_then(|info| u32::try_from(info).ok())
            .ok_or_else(|| bad(path("info"), value, "a number of 32 bits"))?;
        let mode = self.optional(store, "mode")?;
        // The stricter of the two wins.
        let writable = info & VDISK_READONLY == 0 && mode.is_none_or(|mode| mode.starts_with('w'));
        let feature = |store: &mut Xenstore<'_, V>, key| {
            Ok(self.optional(store, key)?.is_some_and(|value| value == "1"))
        };
        Ok(DiskInfo {
            sectors,
            logical_sector_bytes,
            physical_sector_bytes,
            read_only: !writable || info & VDISK_CDROM != 0,
            cdrom: info & VDISK_CDROM != 0,
            flush: match feature(store, "feature-flush-cache")? {
                true => Some(Flush::Cache),
                false => feature(store, "feature-barrier")?.then_some(Flush::Barrier),
            },
            trusted: self.trusted,
            persistent: feature(store, "feature-persistent")?,
            request_bytes_max,
            discard: match feature(store, "feature-discard")? {
                true => self.read_discard(store, sectors, logical_sector_bytes)?,
                false => None,
            },
        })
    }

    /// Waits for the backend, also for one that has closed, and returns its
    /// [offer](Self::read_offer).
    pub(super) fn await_offer<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
    ) -> Result<Offer, ConnectError> {
        self.set_state(store, XenbusState::Initialising)?;
        self.await_backend(store, XenbusState::InitWait, STEP_TIMEOUT_NS)?;
        self.read_offer(store)
    }

    /// Returns the rings and requests that the backend can serve; valid once it is in InitWait.
    pub(super) fn read_offer<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
    ) -> Result<Offer, ConnectError> {
        Ok(Offer {
            ring_order_max: self.offered(store, "max-ring-page-order", (0, ring::ORDER_MAX))?,
            queues_max: self.offered(store, "multi-queue-max-queues", (1, QUEUES_MAX))?,
            segments_max: self.offered(
                store,
                "feature-max-indirect-segments",
                (MAX_SEGMENTS as u32, PAGES_PER_SLOT_MAX as u32),
            )?,
            trusted: self.trusted,
        })
    }

    /// Returns how much of something the backend offers: at least what every backend has, at most
    /// what we can use. A value that is not a number is no offer.
    fn offered<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        key: &str,
        (least, most): (u32, u32),
    ) -> Result<u32, ConnectError> {
        let value = self.optional(store, key)?;
        let offered = value.and_then(|value| decimal(&value)).unwrap_or(0);
        Ok(offered.clamp(least.into(), most.into()) as u32)
    }

    /// Returns the parameters of discards; `None` when they are absurd.
    fn read_discard<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        sectors: u64,
        logical_sector_bytes: u32,
    ) -> Result<Option<Discard>, ConnectError> {
        let mut number = |key, default: u32| {
            let value = self.optional(store, key)?;
            Ok(value.map_or(Some(default), |value| decimal(&value)?.try_into().ok()))
        };
        let granularity = number("discard-granularity", logical_sector_bytes)?;
        let alignment = number("discard-alignment", 0)?;
        let secure = number("discard-secure", 0)? == Some(1);
        let (Some(granularity_bytes), Some(alignment_bytes)) = (granularity, alignment) else {
            return Ok(None);
        };
        let whole = |bytes: u32| bytes.is_multiple_of(logical_sector_bytes);
        let sane = granularity_bytes != 0
            && whole(granularity_bytes)
            && whole(alignment_bytes)
            && alignment_bytes < granularity_bytes
            && u64::from(granularity_bytes / SECTOR_SIZE) <= sectors;
        Ok(sane.then_some(Discard { granularity_bytes, alignment_bytes, secure }))
    }

    /// Returns the value of a node that the backend must have, as text and as a number.
    fn required<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        key: &str,
    ) -> Result<(String, Option<u64>), ConnectError> {
        let value = read(store, &format!("{}/{key}", self.backend))?;
        let number = decimal(&value);
        Ok((value, number))
    }

    fn optional<V: Vcpu>(
        &self,
        store: &mut Xenstore<'_, V>,
        key: &str,
    ) -> Result<Option<String>, ConnectError> {
        optional(store, format!("{}/{key}", self.backend))
    }
}

/// Outcome of comparing the backend's state with the one that is waited for.
enum StateCheck {
    /// The backend is there, or beyond it.
    Arrived,
    /// The backend may still come there.
    Wait,
    /// The backend went away.
    Gone,
}

/// Compares the backend's state with the one that is waited for.
fn check(state: XenbusState, wanted: XenbusState) -> StateCheck {
    use XenbusState::{Closed, Closing, Connected, InitWait, Initialised, Unknown};
    match (wanted, state) {
        _ if state == wanted => StateCheck::Arrived,
        // A backend may skip InitWait (blkif.h).
        (InitWait, Initialised) => StateCheck::Arrived,
        // On the way down, closed is further than closing, and gone is further than closed.
        (Closing, Closed) => StateCheck::Arrived,
        (Closing | Closed, Unknown) => StateCheck::Gone,
        // On the way up, going away ends the wait, too. When a VBD is connected again, the backend
        // still stands Closed until it has seen our Initialising.
        (Connected, Closing | Closed | Unknown) => StateCheck::Gone,
        _ => StateCheck::Wait,
    }
}

fn read<V: Vcpu>(store: &mut Xenstore<'_, V>, path: &str) -> Result<String, ConnectError> {
    store
        .read(Transaction::NONE, path)
        .map_err(|error| ConnectError::Xenstore(path.to_string(), error))
}

fn optional<V: Vcpu>(
    store: &mut Xenstore<'_, V>,
    path: String,
) -> Result<Option<String>, ConnectError> {
    match store.read(Transaction::NONE, &path) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(ConnectError::Xenstore(path, error)),
    }
}

fn bad(path: String, value: String, expected: &'static str) -> ConnectError {
    ConnectError::BadNode { path, value, expected }
}

/// Returns the number in `text` as blkif.h wants it: decimal digits and nothing else.
pub(super) fn decimal(text: &str) -> Option<u64> {
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
