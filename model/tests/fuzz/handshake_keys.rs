//! Target: the nodes that a backend and the tool stack write, with any text in them.

use arbitrary::{Result, Unstructured};
use drivers::Vcpu;
use drivers::blkfront::{ConnectError, DiskInfo, GrantMode, Operation, Setup};
use model::fixture::{Machine, XVDA};
use model::guest::perform;
use model::{Disk, Guest};
use xen_abi::xenbus::XenbusState;

use crate::draw::{bytes, number, seldom, several};

const SECTORS: u64 = 64;
/// No handshake takes longer: three steps of 20 s, and the way back.
const CONNECT_MAX_NS: u64 = 90_000_000_000;

/// Nodes of the backend's directory.
const KEYS: [&str; 16] = [
    "sectors",
    "sector-size",
    "info",
    "mode",
    "state",
    "feature-flush-cache",
    "feature-persistent",
    "feature-barrier",
    "physical-sector-size",
    "max-ring-page-order",
    "multi-queue-max-queues",
    "feature-max-indirect-segments",
    "feature-discard",
    "discard-granularity",
    "discard-alignment",
    "discard-secure",
];

/// Values that are nearly right.
pub const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "2",
    "4",
    "6",
    "9",
    "512",
    "4096",
    "w",
    "r",
    "-1",
    "+1",
    " 1",
    "1 ",
    "0x200",
    "36028797018963967",
    "36028797018963968",
    "18446744073709551616",
    "/local/domain/0/backend/",
];

/// A decoded input.
struct Case {
    grants: GrantMode,
    queues: u32,
    keys: Vec<(&'static str, Option<String>)>,
    states: Vec<(XenbusState, &'static str)>,
    /// Nodes of the frontend's directory, as the tool stack writes it.
    frontend: Vec<(&'static str, Option<String>)>,
}

fn value(u: &mut Unstructured<'_>) -> Result<Option<String>> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Some(number(u)?.to_string()),
        1 => Some((*u.choose(VALUES)?).to_string()),
        2 => Some(String::from_utf8_lossy(&bytes(u, 24)?).into_owned()),
        _ => None,
    })
}

fn case(u: &mut Unstructured<'_>) -> Result<Case> {
    let state = |u: &mut Unstructured<'_>| {
        let when = XenbusState::from_number(u.int_in_range(1..=6)?);
        Ok((when.unwrap_or(XenbusState::Initialising), *u.choose(VALUES)?))
    };
    Ok(Case {
        grants: *u.choose(&GrantMode::ALL)?,
        keys: several(u, 3, |u| Ok((*u.choose(&KEYS)?, value(u)?)))?,
        states: if seldom(u, 4)? { several(u, 2, state)? } else { Vec::new() },
        frontend: if seldom(u, 6)? {
            several(u, 1, |u| Ok((*u.choose(&["backend", "backend-id"])?, value(u)?)))?
        } else {
            Vec::new()
        },
        // At the end, where it spoils no corpus.
        queues: if seldom(u, 4)? { u.int_in_range(1..=4)? } else { 1 },
    })
}

/// Connects, and does one read if that works; whatever happens, nothing is left behind.
pub fn target(data: &[u8]) -> &'static str {
    let Ok(case) = case(&mut Unstructured::new(data)) else {
        return "too short";
    };
    let disk = Disk { keys: case.keys, states: case.states, ..Disk::new(XVDA, SECTORS) };
    let xen = Machine::seeded(1).pages(32).grant_frames(1).disk(disk).build();
    for (key, value) in case.frontend {
        let path = format!("/local/domain/1/device/vbd/{XVDA}/{key}");
        match value {
            Some(value) => xen.world().set(&path, &value),
            None => xen.world().unset(&path),
        }
    }
    let mut guest = Guest::boot(&xen);
    let start_ns = xen.now_ns();
    let setup = Setup { grants: case.grants, queues: case.queues, slots: 2, ..Setup::ONE };
    let connected = guest.connect(XVDA, &setup);
    assert!(xen.now_ns() - start_ns < CONNECT_MAX_NS);
    // Without I/O, a backend can have mapped the rings' pages alone.
    let mut lost_max = case.queues as usize;
    let outcome = match connected {
        Ok(mut device) => {
            is_sane(device.info());
            if let Some(slot) = device.queues[0].acquire() {
                let bytes = device.info().logical_sector_bytes;
                let end = perform(&xen, &mut device, slot, Operation::Read, 0, bytes);
                end.expect("the ring is honest");
            }
            let left = guest.disconnect(device);
            lost_max = left.quarantined_pages as usize;
            "connected"
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains(char::is_control), "{line:?}");
            name(&error)
        }
    };
    let world = xen.world();
    // What an unwilling backend kept mapped stays out of use; all else is back.
    let lost = world.xen.pages_out();
    assert!(lost <= lost_max, "{lost} pages are lost, {lost_max} were in quarantine");
    assert_eq!(world.xen.grants.permitted(&world.xen.memory), lost);
    assert_eq!(world.xen.events.open_ports(), 2);
    assert_eq!(world.store.guest_watches(), 0);
    outcome
}

/// Checks what the rest of the guest may build upon.
fn is_sane(info: &DiskInfo) {
    let unit = info.logical_sector_bytes;
    assert!(unit.is_power_of_two() && (512..=4096).contains(&unit), "{info:?}");
    assert!(info.sectors != 0 && info.sectors.checked_mul(512).is_some(), "{info:?}");
    assert!(info.bytes().is_multiple_of(unit.into()), "{info:?}");
    assert!(info.read_only || !info.cdrom, "{info:?}");
    assert!((45_056..=1 << 24).contains(&info.request_bytes_max), "{info:?}");
    assert!(info.request_bytes_max.is_multiple_of(4096), "{info:?}");
    if let Some(discard) = info.discard {
        assert!(discard.alignment_bytes < discard.granularity_bytes, "{info:?}");
        assert!(discard.granularity_bytes.is_multiple_of(unit), "{info:?}");
        assert!(u64::from(discard.granularity_bytes) <= info.bytes(), "{info:?}");
    }
}

fn name(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Xenstore(..) => "xenstore",
        ConnectError::BadNode { .. } => "bad node",
        ConnectError::Stuck { .. } => "stuck",
        ConnectError::Gone(_) => "gone",
        ConnectError::OfferChanged => "offer changed",
        ConnectError::OutOfPages { .. } => "out of pages",
        ConnectError::Grants(_) => "grants",
        ConnectError::EventChannel(_) => "event channel",
        ConnectError::Hotplug(_) => "hotplug",
        ConnectError::NoMedium => "no medium",
        ConnectError::Kept { error, .. } => name(error),
    }
}
