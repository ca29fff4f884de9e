//! G1 to G15: grants, events and the data pages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use drivers::blkfront::{Broken, ConnectError, GrantMode, Operation, QueuePair, Setup};
use drivers::grant::Access;
use drivers::grant::GrantTable;
use drivers::ring::FrontRing;
use drivers::shared::SharedPage;
use drivers::{Hypervisor, Vcpu};
use model::blkback::Lie;
use model::fixture::{Machine, XVDA, vdev};
use model::grants::MapError;
use model::guest::{Device, await_completion, free_run, perform, shared_run};
use model::{Disk, Failure, Guest, ModelXen};
use xen_abi::grant_table::{GTF_PERMIT_ACCESS, GTF_READING, GTF_READONLY};
use xen_abi::{DomId, Port};

use crate::rig::*;
use crate::{Class, Must, class};

pub const CLASSES: [Class; 15] = [
    class(1, "event storms on every channel", Must::Ignore, event_storms),
    class(2, "events lost although responses exist", Must::Wait, lost_events),
    class(3, "spurious events on ports that are closed", Must::Ignore, spurious_events),
    class(4, "events during the way down", Must::Ignore, events_on_the_way_down),
    class(5, "page still mapped when its response comes", Must::Error, page_still_mapped),
    class(6, "pages mapped for ever at close", Must::Wait, mapped_for_ever),
    class(7, "page mapped between a look and the revoke", Must::Error, mapped_before_the_revoke),
    class(8, "backend writes to the page of a write", Must::Ignore, writes_to_the_page_of_a_write),
    class(
        9,
        "backend changes the page of a completed read",
        Must::Ignore,
        changes_after_the_response,
    ),
    class(10, "bytes beyond the request's own in its page", Must::Ignore, bytes_beyond_the_request),
    class(11, "old memory in unused entries and tails", Must::Ignore, old_memory),
    class(12, "grant table exhausted", Must::Fail, exhausted_table),
    class(13, "every hypercall and page fails once", Must::Fail, every_call_fails_once),
    class(14, "reserved references handed out", Must::Ignore, reserved_references),
    class(15, "backend-id missing or absurd", Must::Fail, absurd_backend_id),
];

/// The first device's port: the lowest after the tool stack's two.
const DEVICE: Port = Port(3);

fn frontend() -> String {
    format!("/local/domain/1/device/vbd/{XVDA}")
}

fn event_storms() {
    let time_of = |xen: &ModelXen, work: &mut dyn FnMut()| {
        let start_ns = xen.now_ns();
        work();
        xen.now_ns() - start_ns
    };
    for ports in [&[DEVICE][..], &[Port(1)], &[Port(2)], &[Port(1), Port(2), DEVICE, Port(9)]] {
        with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
            let calm_ns = time_of(xen, &mut || work.run(xen, &mut device, 300, 8).unwrap());
            for &port in ports {
                xen.world().xen.storm(port, 400);
            }
            let storm_ns = time_of(xen, &mut || work.run(xen, &mut device, 300, 8).unwrap());
            assert!(storm_ns < 2 * calm_ns, "{ports:?}: {storm_ns} ns, calm {calm_ns} ns");
            // xenstore and the handshake get through it too.
            closes_and_opens(xen, guest, device);
        });
    }
    // While a slow disk is waited for, a storm wakes us less and less: 4 us, 8 us, ... 1 ms.
    let mut slow = disk();
    slow.service_ns = 9_000_000..10_000_000;
    with_device(slow, &GrantMode::ALL, |xen, guest, mut device, mut work| {
        let mut measure = |device: &mut Device<'_>| {
            let (start_ns, events) = (xen.now_ns(), device.queues[0].counters().events);
            work.run(xen, device, 50, 1).unwrap();
            (xen.now_ns() - start_ns, device.queues[0].counters().events - events)
        };
        let (calm_ns, _) = measure(&mut device);
        xen.world().xen.storm(DEVICE, 400);
        let (storm_ns, events) = measure(&mut device);
        assert!(storm_ns < calm_ns * 5 / 4, "{storm_ns} ns, calm {calm_ns} ns");
        assert!((50 * 10..50 * 25).contains(&events), "{events} events for 50 requests");
        closes_and_opens(xen, guest, device);
    });
}

fn lost_events() {
    let mut mute = disk();
    mute.mute = true;
    with_device(mute, &GrantMode::ALL, |xen, _, mut device, _| {
        let start_ns = xen.now_ns();
        let options = "rw=randread filename=xvda iodepth=1 io_size=40k ringmark_poll_us=0";
        let outcome = run_job(xen, &mut device, options);
        assert_eq!((outcome.error, outcome.results[0].ios()), (None, 10));
        // The first lost event costs the time limit, each other one a tick.
        let bound_ns = load::engine::REQUEST_TIMEOUT_NS + 10 * load::engine::TICK_NS;
        assert!(xen.now_ns() - start_ns < bound_ns);
    });
}

fn spurious_events() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, work| {
        for port in 0..4096 {
            xen.world().xen.events.raise(Port(port));
        }
        xen.world().xen.storm(Port(4095), 10_000);
        works_on(xen, &mut device, work);
        closes_and_opens(xen, guest, device);
    });
}

fn events_on_the_way_down() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, _| {
        for sector in 0..16 {
            let slot = device.queues[0].acquire().unwrap();
            device.queues[0].submit(slot, Operation::Read, sector, 4096);
        }
        device.queues[0].kick(xen).unwrap();
        xen.world().xen.storm(DEVICE, 1_000);
        closes_and_opens(xen, guest, device);
    });
}

fn page_still_mapped() {
    with_device(disk(), &[GrantMode::PerRequest], |xen, guest, mut device, mut work| {
        lie(xen, Lie::KeepMapped, 2);
        let failed = work.run(xen, &mut device, 1000, 8).unwrap_err();
        assert_eq!(failed, Failure::Broken(Broken::StillMapped));
        be_honest(xen);
        let kept = xen.world().xen.grants.standing();
        assert!(kept > 0);
        closes_and_opens(xen, guest, device);
        assert!(xen.world().xen.pages_out() > 0);
    });
    // A backend that copies pins pages as well, but is done with them before it answers.
    with_device(disk().copying(), &GrantMode::ALL, |xen, guest, mut device, work| {
        let pinned = || xen.world().xen.grants.standing();
        let idle = pinned();
        let slot = device.queues[0].acquire().unwrap();
        device.queues[0].submit(slot, Operation::Read, 0, 8192);
        device.queues[0].kick(xen).unwrap();
        let mut most = 0;
        let done = loop {
            xen.pass_ns(100);
            most = most.max(pinned() - idle);
            if let Some(done) = device.queues[0].poll().unwrap() {
                break done;
            }
        };
        assert_eq!((done.result, most, pinned()), (Ok(()), 2, idle));
        device.queues[0].release(done.slot);
        works_on(xen, &mut device, work);
        // Also those that are under way when the device is closed.
        for sector in 0..16 {
            let slot = device.queues[0].acquire().unwrap();
            device.queues[0].submit(slot, Operation::Read, sector, 4096);
        }
        device.queues[0].kick(xen).unwrap();
        closes_and_opens(xen, guest, device);
        assert_eq!(xen.world().xen.pages_out(), 0);
    });
    // If it is not, a moment is too long.
    with_device(disk().copying(), &[GrantMode::PerRequest], |xen, guest, mut device, mut work| {
        lie(xen, Lie::Early, 2);
        let failed = work.run(xen, &mut device, 1000, 8).unwrap_err();
        assert_eq!(failed, Failure::Broken(Broken::StillMapped));
        be_honest(xen);
        closes_and_opens(xen, guest, device);
        assert_eq!(xen.world().xen.pages_out(), 0, "the moment is over at the close");
    });
    // Where grants persist, it is as it should be until the close.
    with_device(disk(), &GrantMode::ALL[..2], |xen, guest, mut device, work| {
        lie(xen, Lie::KeepMapped, 2);
        works_on(xen, &mut device, work);
        be_honest(xen);
        closes_and_opens(xen, guest, device);
    });
}

fn mapped_for_ever() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, device, _| {
        xen.world().disks[0].disk.clings = true;
        let left = guest.disconnect(device);
        assert!(!left.timed_out && left.quarantined_pages >= 1);
        let out = xen.world().xen.pages_out();
        assert_eq!(out, left.quarantined_pages as usize);
        assert_eq!(xen.world().xen.grants.standing(), out, "what is mapped, and no more");
        xen.world().disks[0].disk.clings = false;
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        guest.disconnect(device);
        assert_eq!(xen.world().xen.pages_out(), out, "a leak with a bound");
    });
}

fn mapped_before_the_revoke() {
    let xen = ModelXen::seeded(1);
    let mut table = GrantTable::new(&xen);
    let grant = table.reserve(1).unwrap().remove(0);
    let mut shared = SharedPage::new(xen.alloc_page().unwrap(), grant);
    let gref = shared.gref().0;
    let backend = DomId(0);
    for access in [Access::ReadOnly, Access::ReadWrite] {
        shared.permit(backend, access);
        let map = || {
            let world = &mut *xen.world();
            world.xen.grants.map(&world.xen.memory, backend, gref, access)
        };
        let handle = map().unwrap();
        assert!(shared.revoke().is_err(), "the result of the revoke is what counts");
        let world = &mut *xen.world();
        world.xen.grants.unmap(&world.xen.memory, handle);
        assert!(shared.revoke().is_ok());
        let again = world.xen.grants.map(&world.xen.memory, backend, gref, access);
        assert_eq!(again, Err(MapError::BadGref));
    }
    // One step, not a look and then a step.
    let step = include_str!("../../../protocols/src/grant.rs");
    let caller = include_str!("../../../drivers/src/grant.rs");
    for (source, calls) in [(step, ".compare_exchange("), (caller, ".revoke()")] {
        let (_, rest) = source.split_once("fn revoke(").unwrap();
        let body = rest.split_once("\n    }\n").unwrap().0;
        assert!(body.contains(calls));
        assert!([".load(", ".store(", ".swap("].iter().all(|other| !body.contains(other)));
    }
    // Against a processor that maps at any moment, as Xen does: by compare-and-swap.
    let memory = std::rc::Rc::clone(&xen.world().xen.memory);
    let entry = memory.grant_entry(gref).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let granted = [GTF_PERMIT_ACCESS, GTF_PERMIT_ACCESS | GTF_READONLY];
            while !done.load(Ordering::Relaxed) {
                for flags in granted {
                    let mapped = flags | GTF_READING;
                    let order = Ordering::SeqCst;
                    if entry.flags.compare_exchange(flags, mapped, order, order).is_ok() {
                        // Mapped: the entry stands as it is until it is unmapped.
                        assert_eq!(entry.flags.load(order), mapped);
                        entry.flags.store(flags, order);
                    }
                }
            }
        });
        for round in 0..20_000 {
            let access = if round % 2 == 0 { Access::ReadOnly } else { Access::ReadWrite };
            shared.permit(backend, access);
            while shared.revoke().is_err() {}
            assert_eq!(entry.flags.load(Ordering::SeqCst), 0);
        }
        done.store(true, Ordering::Relaxed);
    });
    let (page, grant) = shared.into_parts().unwrap();
    table.release(vec![grant]);
    xen.free_page(page);
}

fn writes_to_the_page_of_a_write() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, work| {
        lie(xen, Lie::SpoilWrite, 16);
        works_on(xen, &mut device, work);
        // With a private buffer the caller's own data stands.
        let slot = device.queues[0].acquire().unwrap();
        device.queues[0].write_data(&slot, 0, &[0x77; 4096]);
        let done = perform(xen, &mut device, slot, Operation::Write, 8, 4096).unwrap().unwrap();
        assert_eq!(done.result, Ok(()));
        assert_eq!(xen.world().disks[0].data[8 * 512..16 * 512], [0x77; 4096]);
        let mut back = [0; 4096];
        device.queues[0].read_data(&done.slot, 0, &mut back);
        let counters = device.queues[0].counters();
        if counters.copies != 0 {
            assert_eq!(back, [0x77; 4096]);
        }
        // Where each request has its own grant, that of a write is for reading only.
        device.queues[0].submit(done.slot, Operation::Write, 8, 4096);
        assert_eq!(grants_for_reading(xen) == 1, counters.grants != 64);
        device.queues[0].kick(xen).unwrap();
        be_honest(xen);
        closes_and_opens(xen, guest, device);
    });
    // So is that of the page of segments, whatever the request does with its data.
    let xen = machine(1, disk());
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: GrantMode::PerRequest, slots: 1, pages_per_slot: 12, ..Setup::ONE };
    let mut device = guest.connect(XVDA, &setup).unwrap();
    for (operation, for_reading) in [(Operation::Read, 1), (Operation::Write, 13)] {
        let slot = device.queues[0].acquire().unwrap();
        device.queues[0].submit(slot, operation, 0, 12 * 4096);
        assert_eq!(grants_for_reading(&xen), for_reading, "{operation:?}");
        device.queues[0].kick(&xen).unwrap();
        let done = await_completion(&xen, &mut device).unwrap().unwrap();
        assert_eq!((done.result, grants_for_reading(&xen)), (Ok(()), 0));
        device.queues[0].release(done.slot);
    }
    guest.disconnect(device);
}

/// Grants with which the backend may not write.
fn grants_for_reading(xen: &ModelXen) -> usize {
    let memory = std::rc::Rc::clone(&xen.world().xen.memory);
    let entries = memory.grant_table.iter().flatten();
    let flags = entries.map(|entry| entry.flags.load(Ordering::SeqCst));
    flags.filter(|flags| flags & GTF_READONLY != 0).count()
}

fn changes_after_the_response() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, _| {
        let slot = device.queues[0].acquire().unwrap();
        let done = perform(xen, &mut device, slot, Operation::Read, 8, 4096).unwrap().unwrap();
        {
            let world = &mut *xen.world();
            for gfn in world.disks[0].kept_frames(&world.xen) {
                world.xen.memory.write(gfn, 0, &[0xee; 4096]);
            }
        }
        let mut got = vec![0; 4096];
        device.queues[0].read_data(&done.slot, 0, &mut got);
        let honest = xen.world().disks[0].data[8 * 512..16 * 512].to_vec();
        let shares_pages = xen.world().disks[0].kept_grants() != 0;
        if shares_pages && device.queues[0].counters().copies == 0 {
            // Zero copy: what `read_data` copies out is all that there is; it is to be checked.
            assert_eq!(got, vec![0xee; 4096]);
        } else {
            assert_eq!(got, honest);
        }
        device.queues[0].release(done.slot);
        closes_and_opens(xen, guest, device);
    });
}

fn bytes_beyond_the_request() {
    const CANARY: u8 = 0xc5;
    bytes_of_other_requests();
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, _| {
        let queue: &mut QueuePair<'_> = &mut device.queues[0];
        let slot = queue.acquire().unwrap();
        queue.write_data(&slot, 0, &[CANARY; 4096]);
        queue.write_data(&slot, 4096, &[CANARY; 4096]);
        let done = perform(xen, &mut device, slot, Operation::Read, 0, 512).unwrap().unwrap();
        let mut slot = done.slot;
        lie(xen, Lie::Snoop, 16);
        for bytes in [512, 1024, 4096 - 512, 4096 + 512] {
            device.queues[0].write_data(&slot, 0, &[CANARY; 4096]);
            device.queues[0].write_data(&slot, 4096, &[CANARY; 4096]);
            let done = perform(xen, &mut device, slot, Operation::Write, 0, bytes);
            slot = done.unwrap().unwrap().slot;
        }
        let loot = std::mem::take(&mut xen.world().disks[0].loot);
        let sizes = [4096 - 512, 4096 - 1024, 512, 4096 - 512];
        assert_eq!(loot.len(), sizes.iter().sum::<usize>());
        let seen = loot.iter().filter(|&&byte| byte == CANARY).count();
        assert_eq!(seen, 0, "the backend saw {seen} bytes that are not the request's");
        device.queues[0].release(slot);
        be_honest(xen);
        closes_and_opens(xen, guest, device);
    });
    // In a slot that had no request before, and where segments stand in a page of their own.
    for mode in GrantMode::ALL {
        let xen = machine(1, disk());
        let mut guest = Guest::boot(&xen);
        let setup = Setup { grants: mode, slots: 1, pages_per_slot: 20, ..Setup::ONE };
        let mut device = guest.connect(XVDA, &setup).unwrap();
        let slot = device.queues[0].acquire().unwrap();
        // What a read left is no business of a write either.
        xen.world().disks[0].data[..4096].fill(CANARY);
        let done = perform(&xen, &mut device, slot, Operation::Read, 0, 4096);
        lie(&xen, Lie::Snoop, 16);
        let done =
            perform(&xen, &mut device, done.unwrap().unwrap().slot, Operation::Write, 0, 512);
        let mut slot = done.unwrap().unwrap().slot;
        // And a short write forgets nothing of what lies behind its page.
        (0..20).for_each(|n| device.queues[0].write_data(&slot, n * 4096, &[CANARY; 4096]));
        for bytes in [512, 15 * 4096 + 512] {
            let done = perform(&xen, &mut device, slot, Operation::Write, 0, bytes);
            slot = done.unwrap().unwrap().slot;
            // Nor does a longer write find on the caller's side what a shorter one left out.
            let mut behind = [CANARY; 4096 - 512];
            device.queues[0].read_data(&slot, bytes as usize / 4096 * 4096 + 512, &mut behind);
            assert_eq!(behind, [0; 4096 - 512], "{mode}");
        }
        device.queues[0].release(slot);
        let loot = std::mem::take(&mut xen.world().disks[0].loot);
        assert_eq!(loot, [0; 3 * (4096 - 512)], "{mode}");
        be_honest(&xen);
        closes_and_opens(&xen, &mut guest, device);
    }
}

/// A backend that is not trusted finds no byte of a request in a page before it gets the request,
/// nor after it ended; one that is trusted does, which shows that this one looked.
fn bytes_of_other_requests() {
    for (trusted, mode) in [None, Some("1"), Some("0"), Some("no")]
        .into_iter()
        .flat_map(|trusted| GrantMode::ALL.map(|mode| (trusted, mode)))
    {
        for copying in [false, true] {
            let disk = Disk { trusted, ..disk() };
            let xen = machine(3, if copying { disk.copying() } else { disk });
            let mut guest = Guest::boot(&xen);
            let setup = Setup { grants: mode, slots: 8, pages_per_slot: 14, ..Setup::ONE };
            let mut device = guest.connect(XVDA, &setup).unwrap();
            let is_trusted = matches!(trusted, None | Some("1"));
            assert_eq!(device.info().trusted, is_trusted);
            let mut work = workload(&xen, 3);
            lie(&xen, Lie::Spy, 16);
            // One at a time: of several, some have ended that the guest does not know of.
            work.run(&xen, &mut device, 500, 1).unwrap();
            let copies = device.queues[0].counters().copies;
            assert_eq!(copies != 0, !is_trusted || mode == GrantMode::PersistentCopy);
            let loot = std::mem::take(&mut xen.world().disks[0].loot);
            assert_eq!(loot.is_empty(), !is_trusted, "{trusted:?} {mode}: {} bytes", loot.len());
            be_honest(&xen);
            works_on(&xen, &mut device, work);
            closes_and_opens(&xen, &mut guest, device);
        }
    }
}

fn old_memory() {
    for mode in GrantMode::ALL {
        let xen = machine(1, disk());
        // Pages that held something before.
        let used: Vec<_> = (0..900).map(|_| xen.alloc_page().unwrap()).collect();
        for mut page in used {
            page.write(0, &[0xc5; 4096]);
            xen.free_page(page);
        }
        let mut guest = Guest::boot(&xen);
        let device = guest.connect(XVDA, &setup(mode)).unwrap();
        let memory = std::rc::Rc::clone(&xen.world().xen.memory);
        let mut granted = 0;
        let ring_ref = xen.world().store.tree.text(&format!("{}/ring-ref", frontend()));
        for (gref, entry) in memory.grant_table.iter().flatten().enumerate() {
            if entry.flags.load(Ordering::SeqCst) & GTF_PERMIT_ACCESS != 0 {
                let gfn = xen_abi::Gfn(entry.frame.load(Ordering::SeqCst).into());
                let mut bytes = [0; 4096];
                memory.read(gfn, 0, &mut bytes);
                // The ring begins with its indices.
                let indices = if gref.to_string() == ring_ref { 16 } else { 0 };
                assert!(bytes[indices..].iter().all(|&byte| byte == 0), "{mode}: {gfn:?}");
                granted += 1;
            }
        }
        assert_eq!(granted, if mode.is_persistent() { 65 } else { 1 });
        guest.disconnect(device);
    }
    // The page of an indirect request holds segments of its slot's own pages, and nothing else.
    let xen = machine(1, disk());
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: GrantMode::Persistent, slots: 1, pages_per_slot: 12, ..Setup::ONE };
    let device = guest.connect(XVDA, &setup).unwrap();
    let memory = std::rc::Rc::clone(&xen.world().xen.memory);
    let segment_pages = memory.grant_table.iter().flatten().filter(|entry| {
        let mut bytes = [0; 4096];
        let granted = entry.flags.load(Ordering::SeqCst) & GTF_PERMIT_ACCESS != 0;
        let gfn = xen_abi::Gfn(entry.frame.load(Ordering::SeqCst).into());
        if granted {
            memory.read(gfn, 0, &mut bytes);
        }
        bytes[5] == 7 && bytes[11 * 8 + 5] == 7 && bytes[12 * 8..].iter().all(|&byte| byte == 0)
    });
    assert_eq!(segment_pages.count(), 1);
    guest.disconnect(device);
    // A ring makes itself empty whatever lay in its page.
    let xen = ModelXen::seeded(2);
    let run = shared_run(&xen, 1);
    let memory = std::rc::Rc::clone(&xen.world().xen.memory);
    let gfn = run.gfns().next().unwrap();
    memory.write(gfn, 0, &[0xc5; 4096]);
    let ring = FrontRing::new(run);
    let mut bytes = [0xc5; 4096];
    memory.read(gfn, 0, &mut bytes);
    assert!(bytes[16..].iter().all(|&byte| byte == 0));
    free_run(&xen, ring.into_run());
}

fn exhausted_table() {
    let xen = Machine::seeded(1).grant_frames(2).disks(16, 64).build();
    let mut guest = Guest::boot(&xen);
    let mut devices = Vec::new();
    let error = loop {
        let vdev = vdev(devices.len() as u32);
        match guest.connect(vdev, &setup(GrantMode::Persistent)) {
            Ok(device) => devices.push(device),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ConnectError::Grants(full) if full.frames == 2), "{error}");
    // 65 entries are 9 lines.
    assert_eq!(devices.len(), (1024 - 8) / 72);
    // The one that failed closed its half, and gave back what it had reserved.
    let vdev = vdev(devices.len() as u32);
    let state = format!("/local/domain/1/device/vbd/{vdev}/state");
    assert_eq!(xen.world().store.tree.text(&state), "6");
    let rest: Vec<_> = std::iter::from_fn(|| guest.grants.reserve(1).ok()).collect();
    assert_eq!(rest.iter().map(Vec::len).sum::<usize>(), (1024 - 8) % 72);
    rest.into_iter().for_each(|line| guest.grants.release(line));
    // Those that are connected work, and what they give back can be had again.
    for device in &mut devices {
        let slot = device.queues[0].acquire().unwrap();
        let done = perform(&xen, device, slot, Operation::Read, 0, 4096).unwrap().unwrap();
        assert_eq!(done.result, Ok(()));
        device.queues[0].release(done.slot);
    }
    guest.disconnect(devices.pop().unwrap());
    let device = guest.connect(vdev, &setup(GrantMode::Persistent)).unwrap();
    guest.disconnect(device);
    for device in devices {
        guest.disconnect(device);
    }
    assert_eq!(xen.world().xen.pages_out(), 0);
}

/// The first call fails, then the second, and so on, until a run passes untouched.
fn every_call_fails_once() {
    for setup in GrantMode::ALL.into_iter().flat_map(|mode| [setup(mode), queues(mode)]) {
        let mut failures = 0;
        for call in 0.. {
            let xen = machine(call % 5, disk());
            xen.world().xen.fail_call = Some(call);
            let mut guest = Guest::boot(&xen);
            let mut quarantined = 0;
            let mut ended_well = false;
            if let Ok(mut device) = guest.connect(XVDA, &setup) {
                let mut work = workload(&xen, call);
                ended_well = work.run(&xen, &mut device, 20, 4).is_ok();
                quarantined = guest.disconnect(device).quarantined_pages as usize;
            }
            let world = xen.world();
            assert_eq!(world.xen.pages_out(), quarantined, "{setup:?}, call {call}");
            if world.xen.totals.fallible_calls <= call {
                assert!(ended_well && quarantined == 0);
                break;
            }
            failures += u32::from(!ended_well);
        }
        // Pages and ports at least.
        let least = setup.queues * (1 + 1 + setup.slots * 2);
        assert!(failures >= least, "{failures} of {least}");
    }
}

fn reserved_references() {
    let xen = ModelXen::seeded(1);
    let mut table = GrantTable::new(&xen);
    let mut seen = std::collections::BTreeSet::new();
    let mut kept = Vec::new();
    while let Ok(grants) = table.reserve(1) {
        assert!(grants.iter().all(|grant| seen.insert(grant.gref().0)));
        kept.extend(grants);
    }
    assert_eq!(seen.first(), Some(&8));
    assert_eq!(seen.len(), 8 * 512 - 8);
}

fn absurd_backend_id() {
    let bad = ["", "x", "-1", "1", "2", "32752", "32753", "65535", "65536", "4294967296", " 0"];
    for value in bad.map(Some).into_iter().chain([None]) {
        let xen = machine(1, disk());
        let path = format!("{}/backend-id", frontend());
        match value {
            Some(value) => xen.world().set(&path, value),
            None => xen.world().unset(&path),
        }
        let mut guest = Guest::boot(&xen);
        let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap_err();
        let expected = match value {
            None => matches!(error, ConnectError::Xenstore(..)),
            Some(_) => matches!(error, ConnectError::BadNode { .. }),
        };
        assert!(expected, "{value:?}: {error}");
        assert_eq!(xen.world().xen.pages_out(), 0);
    }
    // A number that is no domain's, in both places.
    for id in [32752, 32753, 65535] {
        let xen = machine(1, disk());
        let path = format!("/local/domain/{id}/backend/vbd/1/{XVDA}");
        xen.world().set(&format!("{}/backend-id", frontend()), &id.to_string());
        xen.world().set(&format!("{}/backend", frontend()), &path);
        xen.world().set(&format!("{path}/state"), "2");
        let mut guest = Guest::boot(&xen);
        let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::BadNode { .. }), "{id}: {error}");
    }
}
