//! News in a backend's nodes before, during and after a disk is in use: that the tool stack wants
//! it back, that it is gone, that it will never come.

use std::cell::Cell;
use std::rc::Rc;

use drivers::Vcpu;
use drivers::blkfront::{ConnectError, GrantMode};
use drivers::xenstore::Error;
use load::engine::{Control, RunError};
use model::fixture::{Machine, XVDA, run_engine, vdev};
use model::guest::setup;
use model::{Disk, Guest, ModelXen};
use xen_abi::xenbus::XenbusState;
use xen_abi::xenstore::MessageType;

/// X8: `xl block-detach` writes this, and waits until the frontend has closed.
#[test]
fn x8_a_backend_that_is_to_close_is_seen_by_a_watch() {
    for seed in 0..20 {
        let xen = Machine::seeded(seed).disks(2, 512).build();
        let mut guest = Guest::boot(&xen);
        let watch = guest.store.new_watch().unwrap();
        let soon = |xen: &ModelXen| xen.now_ns() + 1_000_000_000;
        let devices = [0, 1].map(vdev).map(|vdev| {
            let device = guest.connect(vdev, &setup(GrantMode::Persistent)).unwrap();
            device.backend().watch(&mut guest.store, watch).unwrap();
            assert_eq!(guest.store.wait_fired(watch, soon(&xen)), Ok(true), "the first event");
            device
        });
        // Nothing is sent while nothing happens.
        let served = xen.world().store.requests;
        assert_eq!(guest.store.wait_fired(watch, soon(&xen)), Ok(false));
        assert_eq!(xen.world().store.requests, served);

        let path = xen.world().disks[1].path().to_string();
        xen.world().set(&format!("{path}/state"), "5");
        assert_eq!(guest.store.wait_fired(watch, soon(&xen)), Ok(true));
        let states = devices.each_ref().map(|device| device.backend().state(&mut guest.store));
        assert_eq!(states, [Ok(XenbusState::Connected), Ok(XenbusState::Closing)]);
        let start_ns = xen.now_ns();
        for device in devices {
            device.backend().unwatch(&mut guest.store, watch).unwrap();
            let left = guest.disconnect(device);
            assert_eq!((left.quarantined_pages, left.timed_out), (0, false));
        }
        assert!(xen.now_ns() - start_ns < 1_000_000_000);
        assert_eq!(xen.world().store.guest_watches(), 0);
    }
}

#[test]
fn x10_a_backend_that_is_gone_is_told_from_a_silent_one() {
    let xen = Machine::seeded(1).disk(Disk::new(XVDA, 512)).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    let backend = device.backend();
    assert!(backend.is_vbd());
    let jobs = "rw=randread bs=4k iodepth=8 runtime=100 time_based filename=xvda";
    let jobs = fio_job::parse(jobs).unwrap();
    let start_ns = xen.now_ns();
    let outcome = {
        let (outcome, disks) =
            run_engine(&xen, jobs, vec![device.lend()], &mut |progress| match progress.elapsed_ns
                < 2_000_000_000
            {
                true => Control::Continue,
                false => Control::Abandon,
            });
        device.queues = disks.into_iter().flat_map(|disk| disk.queues).collect();
        outcome
    };
    assert_eq!(outcome.error, Some(RunError::Abandoned));
    assert_eq!(outcome.results[0].errors(), 8, "what was in flight is lost");
    assert!(outcome.results[0].ios() > 0 && xen.now_ns() - start_ns < 4_000_000_000);
    let path = xen.world().disks[0].path().to_string();
    xen.world().set(&format!("{path}/state"), "6");
    assert_eq!(backend.state(&mut guest.store), Ok(XenbusState::Closed));
    xen.world().unset(&path);
    assert_eq!(backend.state(&mut guest.store), Ok(XenbusState::Unknown));
    guest.disconnect(device);
}

/// The error of a connect to a disk with these nodes whose backend stays Initialising, and how
/// long it took.
fn never_begins(keys: &[(&str, &str)]) -> (ConnectError, u64) {
    let mut disk = Disk::new(XVDA, 512);
    disk.keys.push(("state", Some("1".into())));
    disk.states.push((XenbusState::Initialising, "1"));
    let xen = Machine::seeded(1).disk(disk).build();
    let path = xen.world().disks[0].path().to_string();
    keys.iter().for_each(|(key, value)| xen.world().set(&format!("{path}/{key}"), value));
    let mut guest = Guest::boot(&xen);
    let start_ns = xen.now_ns();
    let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).map(drop).unwrap_err();
    (error, xen.now_ns() - start_ns)
}

#[test]
fn x10_a_backend_that_will_never_come_is_not_waited_for() {
    let why = "losetup failed";
    for (keys, error) in [
        (&[("device-type", "cdrom"), ("params", "")][..], Some(ConnectError::NoMedium)),
        (&[("device-type", "cdrom"), ("params", "empty:")], Some(ConnectError::NoMedium)),
        (&[("device-type", "cdrom"), ("params", "aio:/a.iso")], None),
        (&[("device-type", "cdrom")], None),
        (&[("device-type", "disk"), ("params", "")], None),
        (
            &[("hotplug-status", "error"), ("hotplug-error", why)],
            Some(ConnectError::Hotplug(why.into())),
        ),
        (&[("hotplug-status", "error")], Some(ConnectError::Hotplug(String::new()))),
        (&[("hotplug-status", "connected"), ("hotplug-error", why)], None),
    ] {
        let (found, took_ns) = never_begins(keys);
        match error {
            Some(error) => {
                assert_eq!(found, error);
                assert!(took_ns < 1_000_000_000, "{keys:?}: {took_ns}");
            }
            None => assert!(matches!(found, ConnectError::Stuck { .. }), "{keys:?}: {found}"),
        }
    }
}

/// Each look at such a backend asks for more than its state: of a server that answers that alone,
/// no look waits longer than for one reply.
#[test]
fn x10_a_look_at_a_backend_is_over_in_the_time_of_one_request() {
    let mut disk = Disk::new(XVDA, 512);
    disk.keys.push(("state", Some("1".into())));
    disk.states.push((XenbusState::Initialising, "1"));
    let xen = Machine::seeded(1).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let looks = Rc::new(Cell::new(0));
    let counted = looks.clone();
    xen.world().store.forger = Some(Box::new(move |header, body| {
        counted.set(counted.get() + u64::from(body == b"1"));
        // Nothing else of the backend is there; what comes before are the frontend's own nodes.
        if header.kind == MessageType::Error as u32 && counted.get() != 0 {
            Vec::new()
        } else {
            vec![(header, body)]
        }
    }));
    let start_ns = xen.now_ns();
    let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Stuck { .. }), "{error}");
    let took_s = (xen.now_ns() - start_ns) / 1_000_000_000;
    assert!(took_s <= looks.get() * 11, "{took_s} s, {} looks", looks.get());
}

#[test]
fn x10_conflicts_without_end_hold_a_connect_up_for_the_time_of_one_request() {
    let xen = Machine::seeded(1).disk(Disk::new(XVDA, 512)).build();
    xen.world().store.contention = 16;
    let mut guest = Guest::boot(&xen);
    let start_ns = xen.now_ns();
    let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).map(drop).unwrap_err();
    // Not xenstored's silence, which answered each time.
    let ConnectError::Xenstore(_, Error::Refused(errno)) = error else { panic!("{error}") };
    assert_eq!(errno, "EAGAIN");
    let took_s = (xen.now_ns() - start_ns) / 1_000_000_000;
    // The close may take a little.
    assert!((9..17).contains(&took_s), "{took_s}");
}

#[test]
fn a7_pages_that_a_failed_connect_leaves_with_the_backend_are_told() {
    let mut disk = Disk { clings: true, ..Disk::new(XVDA, 512) };
    disk.keys.push(("sectors", Some("0".into())));
    let xen = Machine::seeded(1).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).map(drop).unwrap_err();
    let ConnectError::Kept { error, quarantined_pages } = error else { panic!("{error}") };
    assert!(matches!(*error, ConnectError::BadNode { .. }), "{error}");
    assert_eq!(xen.world().xen.pages_out(), quarantined_pages as usize);
}

#[test]
fn x10_a_xenstore_that_died_is_blamed_and_not_the_backend() {
    let xen = Machine::seeded(1).disk(Disk::new(XVDA, 512)).build();
    let mut guest = Guest::boot(&xen);
    let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    xen.world().store.is_stopped = true;
    let left = guest.disconnect(device);
    assert!(left.timed_out && left.xenstore_failed);
    // A backend that does not answer is no xenstore that failed.
    let mut disk = Disk::new(XVDA, 512);
    disk.states.extend([(XenbusState::Closing, "4"), (XenbusState::Closed, "4")]);
    let xen = Machine::seeded(1).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    let left = guest.disconnect(device);
    assert!(left.timed_out && !left.xenstore_failed);
}
