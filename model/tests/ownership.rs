//! Entries of the grant table, pages and slots have one owner each, and a queue that is broken has
//! done with its backend. What can't be written at all is in the documentation of
//! `drivers::shared::SharedPage`, as examples that must not compile.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use drivers::Hypervisor;
use drivers::blkfront::{Broken, Counters, GrantMode, Operation, QueuePair, Setup, Slot};
use drivers::grant::Access;
use drivers::grant::{GrantTable, TableFull};
use drivers::hypervisor::NoFrame;
use drivers::shared::SharedPage;
use model::blkback::{Lie, Mischief};
use model::fixture::{Machine, XVDA, vdev};
use model::grants::MapError;
use model::guest::{Device, setup};
use model::{GRANT_FRAMES_ROOM, Guest, ModelXen};
use xen_abi::grant_table::GTF_PERMIT_ACCESS;
use xen_abi::{DomId, Errno};

fn machine() -> ModelXen {
    Machine::seeded(1).disks(2, 512).build()
}

#[test]
fn r3_a_grant_has_one_owner() {
    let xen = ModelXen::seeded(1);
    let (mut one, mut two) = (GrantTable::new(&xen), GrantTable::new(&xen));
    let mut seen = BTreeSet::new();
    for _ in 0..75 {
        for table in [&mut one, &mut two] {
            let line = table.reserve(8).unwrap();
            assert!(line.len() == 8 && line.into_iter().all(|grant| seen.insert(grant.gref().0)));
        }
    }
    assert!(xen.grant_frame().is_ok(), "the fifth page");
    assert!(seen.iter().all(|&gref| (8..4 * 512).contains(&gref)));
}

#[test]
fn a6_a_full_table_names_whose_limit_it_is() {
    let room = GRANT_FRAMES_ROOM;
    for (xens, why, advice) in [
        (4, NoFrame::Xen(Errno::EINVAL), "raise max_grant_frames"),
        (room + 1, NoFrame::Room, "use fewer disks, or lower iodepth or bs"),
    ] {
        let frames = xens.min(room);
        let xen = Machine::seeded(1).grant_frames(xens as usize).build();
        let mut table = GrantTable::new(&xen);
        let full = loop {
            if let Err(full) = table.reserve(1) {
                break full;
            }
        };
        assert_eq!(full, TableFull { frames, why });
        let text = full.to_string();
        assert!(text.contains(advice) && text.contains(&(frames * 512).to_string()), "{text}");
        assert_eq!(text.contains("max_grant_frames"), xens < room, "{text}");
    }
}

#[test]
fn r3_a_page_is_free_only_after_its_revoke() {
    let xen = ModelXen::seeded(1);
    let mut table = GrantTable::new(&xen);
    let mut line = table.reserve(2).unwrap();
    let mut share = || SharedPage::new(xen.alloc_page().unwrap(), line.remove(0));
    let map = |gref: u32| {
        let world = &mut *xen.world();
        world.xen.grants.map(&world.xen.memory, DomId(0), gref, Access::ReadWrite)
    };
    let mut shared = share();
    let gref = shared.gref();
    shared.permit(DomId(0), Access::ReadWrite);
    let (page, grant) = shared.into_parts().unwrap();
    assert_eq!((grant.gref(), map(gref.0)), (gref, Err(MapError::BadGref)));
    xen.free_page(page);
    // What is mapped is never had again, neither page nor entry.
    let mut shared = share();
    shared.permit(DomId(0), Access::ReadWrite);
    map(shared.gref().0).unwrap();
    assert!(shared.into_parts().is_err());
    assert_eq!(xen.world().xen.pages_out(), 1);
}

/// A second permission would wipe the marks of a mapping, and the page would come back mapped.
#[test]
fn r3_a_page_is_permitted_once() {
    let xen = ModelXen::seeded(1);
    let mut table = GrantTable::new(&xen);
    let grant = table.reserve(1).unwrap().remove(0);
    let mut shared = SharedPage::new(xen.alloc_page().unwrap(), grant);
    shared.permit(DomId(0), Access::ReadWrite);
    let again = AssertUnwindSafe(|| shared.permit(DomId(0), Access::ReadWrite));
    assert!(catch_unwind(again).is_err());
}

/// Breaks the device's first queue by an answer that was not asked for.
fn break_queue(xen: &ModelXen, device: &mut Device<'_>) -> Broken {
    let queue = &mut device.queues[0];
    let slot = queue.acquire().unwrap();
    queue.submit(slot, Operation::Read, 0, 512);
    xen.world().disks[0].mischief = Mischief::of(Lie::NoSuchSlot, 16);
    queue.kick(xen).unwrap();
    let broken = loop {
        xen.pass_ns(1_000_000);
        if let Err(broken) = queue.poll() {
            break broken;
        }
    };
    xen.world().disks[0].mischief = Mischief::none();
    broken
}

/// The words of the first ring's header that are the frontend's, and all that is granted.
fn shown(xen: &ModelXen) -> (u32, u32, usize) {
    let world = xen.world();
    let memory = Rc::clone(&world.xen.memory);
    let ring_ref = format!("/local/domain/1/device/vbd/{XVDA}/ring-ref");
    let gref = world.store.tree.text(&ring_ref).parse().unwrap();
    let entry = memory.grant_entry(gref).unwrap();
    assert_eq!(entry.flags.load(Ordering::SeqCst) & GTF_PERMIT_ACCESS, GTF_PERMIT_ACCESS);
    let ring = xen_abi::Gfn(entry.frame.load(Ordering::SeqCst).into());
    let word = |offset| memory.word(ring, offset).load(Ordering::SeqCst);
    (word(0), word(12), world.xen.grants.permitted(&memory))
}

#[test]
fn r4_a_broken_queue_publishes_nothing() {
    for mode in GrantMode::ALL {
        let xen = machine();
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &setup(mode)).unwrap();
        let broken = break_queue(&xen, &mut device);
        let queue = &mut device.queues[0];
        let before = (shown(&xen), xen.world().disks[0].stats, queue.counters());
        for operation in [Operation::Write, Operation::Read, Operation::Flush, Operation::Discard] {
            let slot = queue.acquire().unwrap();
            queue.write_data(&slot, 0, &[0xee; 512]);
            queue.submit(slot, operation, 7, if operation == Operation::Flush { 0 } else { 512 });
            assert_eq!(queue.arm(&xen), None, "poll has something to say");
            assert_eq!(queue.kick(&xen), Err(broken));
            assert_eq!(queue.poll().unwrap_err(), broken);
        }
        xen.pass_ns(100_000_000);
        let counters = Counters { events: before.2.events, ..queue.counters() };
        let after = (shown(&xen), xen.world().disks[0].stats, counters);
        assert_eq!(before, after, "{mode}");
        guest.disconnect(device);
    }
}

#[test]
fn r4_what_was_put_before_the_break_is_not_published_after_it() {
    let xen = machine();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    let queue = &mut device.queues[0];
    let [first, second] = [(), ()].map(|()| queue.acquire().unwrap());
    queue.submit(first, Operation::Read, 0, 512);
    xen.world().disks[0].mischief = Mischief::of(Lie::NoSuchSlot, 16);
    queue.kick(&xen).unwrap();
    queue.submit(second, Operation::Write, 7, 512);
    let (req_prod, ..) = shown(&xen);
    let broken = loop {
        xen.pass_ns(1_000_000);
        if let Err(broken) = queue.poll() {
            break broken;
        }
    };
    assert_eq!(queue.kick(&xen), Err(broken));
    assert_eq!(shown(&xen).0, req_prod);
    xen.pass_ns(100_000_000);
    assert_eq!(xen.world().disks[0].stats.writes, 0);
    guest.disconnect(device);
}

/// Everything that a caller may do with a slot on a queue.
const USES: [fn(&mut QueuePair<'_>, Slot); 6] = [
    |queue, slot| queue.release(slot),
    |queue, slot| queue.submit(slot, Operation::Read, 0, 512),
    |queue, slot| queue.write_data(&slot, 0, &[1]),
    |queue, slot| queue.stamp(&slot, 512, 0, 1),
    |queue, slot| queue.poison(&slot, 512, [1; 8]),
    |queue, slot| queue.read_data(&slot, 0, &mut [1]),
];

/// Each slot that is free, by its number; none may be there twice.
fn free_slots(queue: &mut QueuePair<'_>) -> usize {
    let mut seen = BTreeSet::new();
    while let Some(slot) = queue.acquire() {
        assert!(seen.insert(slot.index()), "a token exists twice");
    }
    seen.len()
}

#[test]
#[should_panic = "a slot of another queue"]
fn r7_a_slot_of_another_queue_is_refused_by_a_broken_one() {
    let xen = machine();
    let mut guest = Guest::boot(&xen);
    let queues = Setup { queues: 2, ..setup(GrantMode::Persistent) };
    let mut device = guest.connect(XVDA, &queues).unwrap();
    break_queue(&xen, &mut device);
    let slot = device.queues[1].acquire().unwrap();
    device.queues[0].submit(slot, Operation::Read, 0, 512);
}

#[test]
fn r7_a_slot_of_another_queue_is_refused() {
    let queues = Setup { queues: 2, slots: 8, ..setup(GrantMode::Persistent) };
    for used in USES {
        let xen = machine();
        let mut guest = Guest::boot(&xen);
        let refused = |slot, queue: &mut _| {
            assert!(catch_unwind(AssertUnwindSafe(|| used(queue, slot))).is_err());
        };
        let old = guest.connect(XVDA, &queues).map(|mut device| {
            let slot = device.queues[0].acquire().unwrap();
            guest.disconnect(device);
            slot
        });
        let mut device = guest.connect(XVDA, &queues).unwrap();
        let mut other = guest.connect(vdev(1), &queues).unwrap();
        let [one, two] = &mut device.queues[..] else { unreachable!() };
        // Of the device's other queue, of another device's, of a device that is gone.
        refused(one.acquire().unwrap(), two);
        refused(other.queues[1].acquire().unwrap(), two);
        refused(old.unwrap(), one);
        assert_eq!((free_slots(one), free_slots(two)), (7, 8));
        guest.disconnect(device);
        guest.disconnect(other);
    }
}
