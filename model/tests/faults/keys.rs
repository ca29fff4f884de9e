//! K1 to K22: absurd keys, absurd states.

use drivers::Vcpu;
use drivers::blkfront::{
    ConnectError, GrantMode, IoError, Operation, QUEUES_MAX, Setup, handshake,
};
use drivers::xenstore::Transaction;
use model::fixture::XVDA;
use model::guest::{Device, perform};
use model::{Disk, Failure, Guest, ModelXen};
use xen_abi::vdev::Vdev;
use xen_abi::xenbus::XenbusState::{self, Closed, Closing, Connected, Initialised, Initialising};

use crate::reconnects;
use crate::rig::*;
use crate::{Class, Must, class};

pub const CLASSES: [Class; 22] = [
    class(1, "a key is missing", Must::Fail, missing_key),
    class(2, "a key is no plain decimal number", Must::Fail, not_a_decimal_number),
    class(3, "absurd sectors", Must::Fail, absurd_sectors),
    class(4, "absurd sector-size", Must::Fail, absurd_sector_size),
    class(5, "absurd physical-sector-size", Must::Ignore, absurd_physical_sector_size),
    class(6, "absurd info, or info and mode disagree", Must::Ignore, absurd_info),
    class(7, "sectors in another unit", Must::Ignore, other_unit_of_sectors),
    class(8, "absurd max-ring-page-order", Must::Ignore, ring_order),
    class(9, "absurd multi-queue-max-queues", Must::Ignore, queue_limit),
    class(10, "absurd feature-max-indirect-segments", Must::Ignore, indirect_segments),
    class(
        11,
        "feature-persistent absurd, toggled, or taken back",
        Must::Ignore,
        persistent_feature,
    ),
    class(12, "absurd discard keys", Must::Ignore, discard_keys),
    class(13, "keys change, capacity grows or shrinks", Must::Fail, changing_keys),
    class(14, "any state at any time", Must::Wait, any_state_at_any_time),
    class(15, "states are skipped", Must::Ignore, skipped_states),
    class(16, "Closing at any time", Must::Wait, closing_at_any_time),
    class(17, "Closed without Closing, directories vanish", Must::Wait, closed_without_closing),
    class(18, "Connected again and again", Must::Ignore, connected_again),
    class(
        19,
        "connect and disconnect a thousand times",
        Must::Ignore,
        reconnects::a_thousand_connects,
    ),
    class(20, "absurd backend path", Must::Fail, absurd_backend_path),
    class(21, "absurd or duplicate device numbers", Must::Ignore, absurd_device_numbers),
    class(22, "fewer queues at the next connect", Must::Ignore, reconnects::fewer_queues),
];

const NOT_NUMBERS: [&str; 12] =
    ["", "abc", "12abc", " 12", "12 ", "+5", "-1", "0x10", "1e9", "1.5", "１２", "\u{7f}"];

/// A disk with one key of the backend set to something else, or withheld.
fn with_key(key: &'static str, value: Option<&str>) -> Disk {
    let mut disk = disk();
    disk.keys.push((key, value.map(str::to_string)));
    disk
}

/// The connect fails, leaves nothing behind, and takes its time limit at most.
fn refused(disk: Disk) -> ConnectError {
    let xen = machine(1, disk);
    refused_on(&xen)
}

fn refused_on(xen: &ModelXen) -> ConnectError {
    let mut guest = Guest::boot(xen);
    let start_ns = xen.now_ns();
    let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).map(drop).unwrap_err();
    assert!(xen.now_ns() - start_ns < 90_000_000_000);
    let world = xen.world();
    assert_eq!(world.xen.pages_out(), 0);
    assert_eq!(world.xen.events.open_ports(), 2);
    assert_eq!(world.store.guest_watches(), 0);
    error
}

/// The connect works, and so does I/O.
fn accepted(disk: Disk) {
    let xen = machine(2, disk);
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    works_on(&xen, &mut device, workload(&xen, 3));
    closes_and_opens(&xen, &mut guest, device);
}

fn is_bad_node(error: &ConnectError) -> bool {
    matches!(error, ConnectError::BadNode { .. })
}

fn frontend(key: &str) -> String {
    format!("/local/domain/1/device/vbd/{XVDA}/{key}")
}

fn missing_key() {
    for key in ["sectors", "info"] {
        let error = refused(with_key(key, None));
        assert!(
            matches!(&error, ConnectError::Xenstore(path, _) if path.ends_with(key)),
            "{error}"
        );
    }
    assert!(matches!(refused(with_key("state", None)), ConnectError::Stuck { .. }));
    for key in ["backend", "backend-id"] {
        let xen = machine(1, disk());
        xen.world().unset(&frontend(key));
        let error = refused_on(&xen);
        assert!(
            matches!(&error, ConnectError::Xenstore(path, _) if path.ends_with(key)),
            "{error}"
        );
    }
    for key in [
        "mode",
        "sector-size",
        "feature-flush-cache",
        "feature-persistent",
        "feature-barrier",
        "physical-sector-size",
        "feature-max-indirect-segments",
        "multi-queue-max-queues",
        "max-ring-page-order",
        "online",
    ] {
        accepted(with_key(key, None));
    }
    let xen = machine(1, disk());
    xen.world().unset(&frontend("virtual-device"));
    let mut guest = Guest::boot(&xen);
    guest
        .connect(XVDA, &setup(GrantMode::Persistent))
        .map(|device| guest.disconnect(device))
        .unwrap();
}

fn not_a_decimal_number() {
    let long = "9".repeat(400);
    for key in ["sectors", "sector-size", "info", "state"] {
        for value in NOT_NUMBERS.into_iter().chain([&*long, "5\0", "\0"]) {
            let error = refused(with_key(key, Some(value)));
            assert!(is_bad_node(&error), "{key} = {value:?}: {error}");
        }
    }
    // A feature is offered by "1" alone.
    for value in NOT_NUMBERS.into_iter().chain([&*long, "2", "01", "true"]) {
        let mut disk = with_key("feature-flush-cache", Some(value));
        disk.keys.push(("feature-barrier", Some(value.to_string())));
        disk.keys.push(("feature-persistent", Some(value.to_string())));
        let xen = machine(1, disk);
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        assert!(device.info().flush.is_none() && !device.info().persistent, "{value:?}");
        guest.disconnect(device);
    }
    // Not even text.
    let xen = machine(1, disk());
    let path = xen.world().disks[0].path().to_string();
    let bytes = [0xff, 0xfe];
    let node = format!("{path}/state");
    xen.world().store.tree.write(xen_abi::DomId(0), &node, &bytes).unwrap();
    assert!(matches!(refused_on(&xen), ConnectError::Xenstore(..)));
}

fn absurd_sectors() {
    for sectors in ["0", "36028797018963968", "18446744073709551615", "18446744073709551616"] {
        let error = refused(with_key("sectors", Some(sectors)));
        assert!(is_bad_node(&error), "{sectors}: {error}");
    }
    let mut odd = with_key("sectors", Some("513"));
    odd.keys.push(("sector-size", Some("4096".into())));
    assert!(is_bad_node(&refused(odd)));
    // The largest that fits 64 bits, and the smallest.
    for sectors in ["36028797018963967", "1"] {
        let xen = machine(1, with_key("sectors", Some(sectors)));
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        assert_eq!(device.info().bytes(), sectors.parse::<u64>().unwrap() * 512);
        guest.disconnect(device);
    }
}

fn absurd_sector_size() {
    let bad = ["0", "1", "3", "256", "511", "513", "1000", "8192", "1048576", "4294967296"];
    for size in bad.into_iter().chain(["4294967808", "18446744073709551615"]) {
        let error = refused(with_key("sector-size", Some(size)));
        assert!(is_bad_node(&error), "{size}: {error}");
    }
    for size in [512, 1024, 2048, 4096] {
        let mut disk = disk();
        disk.sector_bytes = size;
        let xen = machine(1, disk);
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        assert_eq!(device.info().logical_sector_bytes, size);
        guest.disconnect(device);
    }
}

fn absurd_physical_sector_size() {
    let absurd = ["0", "1", "256", "513", "4294967808", "18446744073709551615", "x", "", "2097152"];
    for (size, found) in [("512", 512), ("4096", 4096), ("1048576", 1 << 20)]
        .into_iter()
        .chain(absurd.map(|size| (size, 512)))
    {
        let xen = machine(1, with_key("physical-sector-size", Some(size)));
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        assert_eq!(device.info().physical_sector_bytes, found, "{size}");
        closes_and_opens(&xen, &mut guest, device);
        accepted(with_key("physical-sector-size", Some(size)));
    }
    // Not less than the logical one.
    for (physical_sector_bytes, found) in [(Some(512), 4096), (None, 4096), (Some(8192), 8192)] {
        let xen = machine(1, Disk { sector_bytes: 4096, physical_sector_bytes, ..disk() });
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        assert_eq!(device.info().physical_sector_bytes, found);
        guest.disconnect(device);
    }
}

fn absurd_info() {
    for info in ["4294967296", "18446744073709551615"] {
        assert!(is_bad_node(&refused(with_key("info", Some(info)))));
    }
    // The stricter of the two wins; unknown bits mean nothing.
    for (info, mode, read_only, cdrom) in [
        ("0", "w", false, false),
        ("0", "r", true, false),
        ("0", "", true, false),
        ("0", "x", true, false),
        ("4", "w", true, false),
        ("5", "w", true, true),
        ("4294967288", "w", false, false),
        ("4294967295", "w", true, true),
    ] {
        let mut disk = with_key("info", Some(info));
        disk.keys.push(("mode", Some(mode.into())));
        let xen = machine(1, disk);
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        let got = device.info();
        assert_eq!((got.read_only, got.cdrom), (read_only, cdrom), "{info} {mode}");
        guest.disconnect(device);
    }
    // Before it is connected there is only the mode to ask, and it has to say so.
    for mode in [Some("w"), Some("r"), Some(""), Some("x"), None] {
        let xen = machine(1, with_key("mode", mode));
        let mut guest = Guest::boot(&xen);
        let mut told = || handshake::is_writable(&mut guest.store, Vdev(XVDA));
        assert_eq!(told(), Ok(mode == Some("w")), "{mode:?}");
        xen.world().unset(&frontend("backend"));
        assert_eq!(told(), Ok(false));
    }
}

fn other_unit_of_sectors() {
    // A backend that counts in its own sectors shows an eighth of its disk: less, never more.
    let mut dialect = with_key("sectors", Some("64"));
    dialect.sector_bytes = 4096;
    let xen = machine(1, dialect);
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    assert_eq!(device.info().bytes(), SECTORS * 512 / 8);
    let outcome = run_job(&xen, &mut device, "rw=randread filename=xvda iodepth=8");
    assert_eq!((outcome.error, outcome.results[0].errors()), (None, 0));
    guest.disconnect(device);
}

fn ring_order() {
    for (order, most) in [
        ("0", 32),
        ("1", 64),
        ("5", 512),
        ("31", 512),
        ("4294967295", 512),
        ("18446744073709551615", 512),
        ("18446744073709551616", 32),
        ("-1", 32),
        ("x", 32),
    ] {
        accepted(with_key("max-ring-page-order", Some(order)));
        let xen = machine(1, with_key("max-ring-page-order", Some(order)));
        let mut guest = Guest::boot(&xen);
        for slots in [33, 65, 512] {
            let setup = Setup { grants: GrantMode::PerRequest, slots, ..Setup::ONE };
            let device = guest.connect(XVDA, &setup).unwrap();
            assert_eq!(device.queues[0].depth(), slots.min(most) as usize, "{order}");
            guest.disconnect(device);
        }
    }
}

fn queue_limit() {
    for (offer, most) in [
        ("0", 1),
        ("1", 1),
        ("3", 3),
        ("4294967295", QUEUES_MAX),
        ("18446744073709551615", QUEUES_MAX),
        ("18446744073709551616", 1),
        ("-2", 1),
        ("many", 1),
        ("", 1),
    ] {
        let disk = Disk { queues_max: u32::MAX, ..with_key("multi-queue-max-queues", Some(offer)) };
        accepted(disk.clone());
        let xen = machine(1, disk);
        let mut guest = Guest::boot(&xen);
        for queues in [2, 3, QUEUES_MAX, QUEUES_MAX + 1] {
            let setup = Setup { queues, slots: 1, ..setup(GrantMode::PerRequest) };
            let device = guest.connect(XVDA, &setup).unwrap();
            assert_eq!(device.queues.len(), queues.min(most) as usize, "{offer:?}");
            closes_and_opens(&xen, &mut guest, device);
        }
    }
}

fn indirect_segments() {
    for (segments, pages) in [
        ("0", 11),
        ("1", 11),
        ("11", 11),
        ("12", 12),
        ("255", 255),
        ("513", 513),
        ("4096", 4096),
        ("65536", 4096),
        ("4294967296", 4096),
        ("18446744073709551615", 4096),
        ("18446744073709551616", 11),
        ("-1", 11),
    ] {
        let xen = machine(1, with_key("feature-max-indirect-segments", Some(segments)));
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        assert_eq!(device.info().request_bytes_max, 4096 * pages, "{segments}");
        closes_and_opens(&xen, &mut guest, device);
    }
}

fn persistent_feature() {
    accepted(with_key("feature-persistent", Some("2")));
    let xen = machine(1, disk());
    let mut guest = Guest::boot(&xen);
    for round in 0..8 {
        let offers = round % 2 == 0;
        xen.world().disks[0].disk.persistent = offers;
        let mode = GrantMode::ALL[round % 3];
        let mut device = guest.connect(XVDA, &setup(mode)).unwrap();
        assert_eq!(device.info().persistent, offers);
        works_on(&xen, &mut device, workload(&xen, 4));
        // The backend lets idle ones go, without a word.
        xen.pass_ns(61_000_000_000);
        works_on(&xen, &mut device, workload(&xen, 5));
        let left = guest.disconnect(device);
        assert_eq!((left.quarantined_pages, left.timed_out), (0, false));
    }
}

fn discard_keys() {
    // The disk has 262,144 bytes.
    for (key, value, offered) in [
        ("discard-granularity", Some("512"), true),
        ("discard-granularity", Some("1536"), true),
        ("discard-granularity", Some("262144"), true),
        ("discard-granularity", None, true),
        ("discard-granularity", Some("0"), false),
        ("discard-granularity", Some("3"), false),
        ("discard-granularity", Some("262656"), false),
        ("discard-granularity", Some("4294967296"), false),
        ("discard-granularity", Some("x"), false),
        ("discard-alignment", None, true),
        ("discard-alignment", Some("100"), false),
        ("discard-alignment", Some("512"), false),
        ("discard-alignment", Some("18446744073709551615"), false),
        ("discard-enable", Some("7"), true),
        ("discard-secure", Some("x"), true),
        ("discard-secure", None, true),
        ("feature-discard", Some("2"), false),
        ("feature-discard", None, false),
    ] {
        let xen = machine(1, with_key(key, value));
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        let discard = device.info().discard;
        assert_eq!(discard.is_some(), offered, "{key} = {value:?}");
        assert_eq!(discard.is_some_and(|found| found.secure), offered && key != "discard-secure");
        works_on(&xen, &mut device, workload(&xen, 6));
        closes_and_opens(&xen, &mut guest, device);
    }
}

fn changing_keys() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, _| {
        let path = xen.world().disks[0].path().to_string();
        for (sectors, limit) in [(2 * SECTORS, SECTORS), (SECTORS / 2, SECTORS / 2)] {
            // A backend tells of a resize by a new size and a second Connected.
            let limit_bytes = limit * 512;
            xen.world().disks[0].disk.sectors = sectors.min(SECTORS);
            xen.world().set(&format!("{path}/sectors"), &sectors.to_string());
            xen.world().set(&format!("{path}/state"), "4");
            for sector in [0, limit / 2, limit - 8, SECTORS - 8] {
                let slot = device.queues[0].acquire().unwrap();
                let done = perform(xen, &mut device, slot, Operation::Read, sector, 4096);
                let done = done.unwrap().unwrap();
                let inside = (sector + 8) * 512 <= limit_bytes;
                let expected = if inside { Ok(()) } else { Err(IoError::Failed(-1)) };
                assert_eq!(done.result, expected, "sector {sector} of {limit}");
                device.queues[0].release(done.slot);
            }
        }
        xen.world().disks[0].disk.sectors = SECTORS;
        closes_and_opens(xen, guest, device);
    });
}

/// One life of a device, whatever comes; bounded in time, and nothing is left.
fn one_life(xen: &ModelXen) -> Result<(), String> {
    let mut guest = Guest::boot(xen);
    let start_ns = xen.now_ns();
    let outcome = match guest.connect(XVDA, &setup(GrantMode::Persistent)) {
        Err(error) => Err(error.to_string()),
        Ok(mut device) => {
            let worked = workload(xen, 1).run(xen, &mut device, 20, 4);
            let left = guest.disconnect(device);
            assert_eq!(xen.world().xen.pages_out(), left.quarantined_pages as usize);
            worked.map_err(|failure: Failure| format!("{failure:?}"))
        }
    };
    let took_ns = xen.now_ns() - start_ns;
    assert!(took_ns < 100_000_000_000, "{took_ns} ns");
    assert_eq!(xen.world().xen.events.open_ports(), 2);
    outcome
}

const FRONTEND_STATES: [XenbusState; 5] = [Initialising, Initialised, Connected, Closing, Closed];

fn any_state_at_any_time() {
    for when in FRONTEND_STATES {
        for says in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "99", "x", ""] {
            let mut disk = disk();
            disk.states.push((when, says));
            let xen = machine(1, disk);
            let outcome = one_life(&xen);
            let up = matches!(when, Connected | Closing | Closed);
            assert!(outcome.is_ok() || !up, "{when}, {says:?}: {outcome:?}");
        }
    }
}

fn skipped_states() {
    // InitWait omitted, Initialised instead.
    let mut disk = disk();
    disk.states.push((Initialising, "3"));
    let xen = machine(1, disk);
    one_life(&xen).unwrap();
}

/// Something happens to the backend's directory while requests are in flight.
fn in_flight(happens: impl Fn(&ModelXen, &str)) {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device: Device<'_>, _| {
        for sector in 0..16 {
            let slot = device.queues[0].acquire().unwrap();
            device.queues[0].submit(slot, Operation::Write, sector * 8, 4096);
        }
        device.queues[0].kick(xen).unwrap();
        let path = xen.world().disks[0].path().to_string();
        happens(xen, &path);
        let start_ns = xen.now_ns();
        for _ in 0..16 {
            let done = model::guest::await_completion(xen, &mut device).unwrap().unwrap();
            assert_eq!(done.result, Ok(()));
            device.queues[0].release(done.slot);
        }
        let left = guest.disconnect(device);
        assert!(!left.timed_out && xen.now_ns() - start_ns < 5_000_000_000, "{left:?}");
        assert_eq!(xen.world().xen.pages_out(), left.quarantined_pages as usize);
    });
}

fn closing_at_any_time() {
    for when in FRONTEND_STATES {
        let mut disk = disk();
        disk.states.push((when, "5"));
        let xen = machine(1, disk);
        let outcome = one_life(&xen);
        assert_eq!(outcome.is_ok(), !matches!(when, Initialising | Initialised), "{when}");
        if when == Initialised {
            assert!(xen.now_ns() < 5_000_000_000, "an answer, and no reason to wait on");
        }
    }
    in_flight(|xen, path| xen.world().set(&format!("{path}/state"), "5"));
}

fn closed_without_closing() {
    for when in FRONTEND_STATES {
        let mut disk = disk();
        disk.states.push((when, "6"));
        let _ = one_life(&machine(1, disk));
    }
    // Closed is an answer to Closing.
    let mut hasty = disk();
    hasty.states.push((Closing, "6"));
    let xen = machine(1, hasty);
    let mut guest = Guest::boot(&xen);
    let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    let start_ns = xen.now_ns();
    let left = guest.disconnect(device);
    assert!(!left.timed_out && xen.now_ns() - start_ns < 1_000_000_000, "{left:?}");
    in_flight(|xen, path| xen.world().set(&format!("{path}/state"), "6"));
    in_flight(|xen, path| xen.world().unset(path));
    in_flight(|xen, _| xen.world().unset(&frontend("state")));
    // Gone before the connect.
    let xen = machine(1, disk());
    let path = xen.world().disks[0].path().to_string();
    xen.world().unset(&path);
    assert!(matches!(refused_on(&xen), ConnectError::Stuck { .. }));
    let xen = machine(1, disk());
    xen.world().unset(&frontend("state"));
    xen.world().unset(&frontend("backend"));
    assert!(matches!(refused_on(&xen), ConnectError::Xenstore(..)));
}

fn connected_again() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
        let path = format!("{}/state", xen.world().disks[0].path());
        for _ in 0..20 {
            xen.world().set(&path, "4");
            work.run(xen, &mut device, 10, 4).unwrap();
        }
        closes_and_opens(xen, guest, device);
    });
}

fn absurd_backend_path() {
    let long = format!("/local/domain/0/backend/{}", "v".repeat(3100));
    for path in [
        "",
        "/",
        "x",
        "/local/domain/1/backend/vbd/1/51712",
        "/local/domain/00/backend/vbd/1/51712",
        "/local/domain/0",
        "/local/domain/0/backend",
        "local/domain/0/backend/vbd/1/51712",
        "/local/domain/0/backend/../../1/x",
        &long,
    ] {
        let xen = machine(1, disk());
        xen.world().set(&frontend("backend"), path);
        let error = refused_on(&xen);
        let fine = is_bad_node(&error) || matches!(error, ConnectError::Xenstore(..));
        assert!(fine, "{path:?}: {error}");
    }
    // Below the right directory, but nothing is there that we may see.
    for path in ["/local/domain/0/backend/vbd/1/9", "/local/domain/0/backend/vbd\0/1"] {
        let xen = machine(1, disk());
        xen.world().set(&frontend("backend"), path);
        assert!(matches!(refused_on(&xen), ConnectError::Stuck { .. }), "{path:?}");
    }
}

fn absurd_device_numbers() {
    let xen = machine(1, disk());
    for name in ["051712", "0", "4294967295", "4294967296", "99999999999999999999", "-1", "x"] {
        xen.world().set(&format!("/local/domain/1/device/vbd/{name}/state"), "1");
    }
    let mut guest = Guest::boot(&xen);
    let listed = handshake::list(&mut guest.store).unwrap();
    assert_eq!(listed, [Vdev(0), Vdev(XVDA), Vdev(u32::MAX)]);
    for vdev in listed {
        let connected = guest.connect(vdev.0, &setup(GrantMode::Persistent));
        assert_eq!(connected.is_ok(), vdev.0 == XVDA, "{vdev}");
        connected.map(|device| guest.disconnect(device)).ok();
    }
    assert!(guest.store.directory(Transaction::NONE, "device/vbd").is_ok());
    // No VBD, or no directory at all.
    xen.world().unset("/local/domain/1/device/vbd");
    assert_eq!(handshake::list(&mut guest.store).unwrap(), []);
}
