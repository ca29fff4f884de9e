//! The block frontend against blkback: connect, I/O, the grant modes, many disks, the way down.

use std::rc::Rc;

use drivers::Vcpu;
use drivers::blkfront::{
    Broken, ConnectError, Discard, Disconnected, GrantMode, Held, IoError, Operation, QueuePair,
    Setup, Slot, handshake,
};
use drivers::ring::{ENTRIES, FrontRing};
use drivers::xenstore::Transaction;
use model::blkback::ring::BackRing;
use model::fixture::{Machine, XVDA, assert_nothing_is_left, noise, vdev};
use model::guest::{self, free_run, perform, setup, shared_run};
use model::{Config, Disk, Guest, ModelXen, Workload};
use xen_abi::DomId;
use xen_abi::blkif::{MAX_SEGMENTS, Request, Segment};

#[test]
fn data_is_right_in_every_grant_mode_and_nothing_is_left_behind() {
    for seed in 0..40 {
        for mode in GrantMode::ALL {
            let mut disk = Disk::new(XVDA, 1024);
            disk.persistent = seed % 2 == 0;
            disk.backend = DomId(if seed % 3 == 0 { 0 } else { 7 });
            disk.persistent_max = if seed % 4 == 0 { 20 } else { 1056 };
            let xen = Machine::seeded(seed).disk(disk).build();
            let content = noise(1024 * 512, seed);
            xen.world().disks[0].data.clone_from(&content);

            let mut guest = Guest::boot(&xen);
            let setup = Setup {
                grants: mode,
                slots: ENTRIES,
                pages_per_slot: 1 + seed as usize % MAX_SEGMENTS,
                ..Setup::ONE
            };
            let mut device = guest.connect(XVDA, &setup).unwrap();
            let most = 4096 * setup.pages_per_slot as u32;
            let mut work = Workload::new(seed, content, 512, most, 6);
            let timeouts = xen.world().xen.totals.timeouts;
            work.run(&xen, &mut device, 400, 1 + seed as usize % 32).unwrap();

            let counters = device.queues[0].counters();
            let persistent = mode.is_persistent() && seed % 2 == 0;
            {
                let world = xen.world();
                let back = &world.disks[0];
                assert!(back.data == work.shadow, "the disk holds what was written");
                assert_eq!(back.stats.reads, counters.reads);
                assert_eq!(back.stats.writes, counters.writes);
                assert_eq!(back.stats.flushes, counters.flushes);
                assert_eq!(back.stats.rejected, 0);
                assert_eq!(back.kept_grants() > 0, persistent);
                assert_eq!(world.xen.totals.timeouts, timeouts, "no event was lost");
            }
            let granted_once = u64::from(setup.slots) * setup.pages_per_slot as u64;
            assert_eq!(counters.grants == granted_once, mode.is_persistent());
            assert_eq!(counters.copies > 0, mode == GrantMode::PersistentCopy);
            let permitted = {
                let world = xen.world();
                world.xen.grants.permitted(&world.xen.memory) as u64
            };
            assert_eq!(permitted, 1 + if mode.is_persistent() { granted_once } else { 0 });
            let down = guest.disconnect(device);
            assert_eq!((down.quarantined_pages, down.timed_out), (0, false));
            assert_nothing_is_left(&xen);
        }
    }
}

#[test]
fn requests_of_many_pages() {
    for (seed, (indirect_max, pages_per_slot)) in
        [(256, 256), (256, 12), (32, 32), (32, 40), (11, 12), (0, 256)].into_iter().enumerate()
    {
        for mode in GrantMode::ALL {
            let xen = Machine::seeded(seed as u64)
                .pages(2200)
                .disk(Disk {
                    indirect_max,
                    persistent: seed % 2 == 0,
                    persistent_max: if seed % 3 == 0 { 1056 } else { 40 },
                    ..Disk::new(XVDA, 4096)
                })
                .build();
            let content = noise(4096 * 512, seed as u64);
            xen.world().disks[0].data.clone_from(&content);
            let mut guest = Guest::boot(&xen);
            let setup = Setup { grants: mode, slots: 4, pages_per_slot, ..Setup::ONE };
            let mut device = guest.connect(XVDA, &setup).unwrap();
            let most = device.info().request_bytes_max;
            assert_eq!(most as usize, 4096 * indirect_max.max(MAX_SEGMENTS));
            let most = most.min(4096 * pages_per_slot as u32);
            assert_eq!(device.queues[0].request_bytes_max(), most);
            // The largest one there is, then any.
            for operation in [Operation::Write, Operation::Read] {
                let slot = device.queues[0].acquire().unwrap();
                let done = perform(&xen, &mut device, slot, operation, 8, most).unwrap().unwrap();
                assert_eq!(done.result, Ok(()));
                device.queues[0].release(done.slot);
            }
            let now = xen.world().disks[0].data.clone();
            assert!(now[4096..4096 + most as usize].iter().all(|&byte| byte == 0));
            let mut work = Workload::new(seed as u64, now, 512, most, 8);
            work.run(&xen, &mut device, 200, 4).unwrap();
            assert!(xen.world().disks[0].data == work.shadow);
            assert_eq!(xen.world().disks[0].stats.rejected, 0);
            let pages = pages_per_slot.min(indirect_max.max(MAX_SEGMENTS));
            let slots = 4 * pages_per_slot.div_ceil(pages);
            assert_eq!(device.queues[0].slots(), slots);
            let granted_once = slots as u64 * (pages + usize::from(pages > MAX_SEGMENTS)) as u64;
            assert_eq!(device.queues[0].counters().grants == granted_once, mode.is_persistent());
            guest.disconnect(device);
            assert_nothing_is_left(&xen);
        }
    }
}

#[test]
fn looking_without_an_event_is_no_storm() {
    let xen = Machine::seeded(15).disk(Disk::new(XVDA, 64)).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    for _ in 0..20 {
        xen.prepare_wait();
        assert_eq!(device.queues[0].arm(&xen), Some(u64::MAX), "it may sleep as long as it likes");
    }
}

#[test]
fn rings_of_several_pages() {
    let xen = Machine::seeded(13).disk(Disk::new(XVDA, 1024)).build();
    let mut guest = Guest::boot(&xen);
    let mut shadow = vec![0; 1024 * 512];
    // Up and down, so that what one connect wrote is in the way of the next.
    for (round, (slots, pages)) in
        [(32, 1), (33, 2), (128, 4), (1, 1), (129, 8), (300, 16), (512, 16)].into_iter().enumerate()
    {
        for grants in GrantMode::ALL {
            let pages_per_slot = 1;
            let setup = Setup { grants, slots, pages_per_slot, ..Setup::ONE };
            if grants == GrantMode::PersistentCopy && slots == 512 {
                continue; // more than the machine has
            }
            let mut device = guest.connect(XVDA, &setup).unwrap();
            let permitted = {
                let world = xen.world();
                world.xen.grants.permitted(&world.xen.memory)
            };
            let kept = if grants.is_persistent() { slots as usize } else { 0 };
            assert_eq!(permitted, pages + kept, "{slots} slots");
            let mut work = Workload::new(round as u64, shadow, 512, 512, 8);
            work.run(&xen, &mut device, 1500, slots as usize).unwrap();
            shadow = work.shadow;
            assert!(xen.world().disks[0].data == shadow);
            guest.disconnect(device);
            assert_nothing_is_left(&xen);
        }
    }
}

#[test]
fn requests_whose_segments_take_several_pages() {
    const BYTES: u32 = 4096 * 1100;
    for mode in GrantMode::ALL {
        let disk = Disk { indirect_max: 4096, ..Disk::new(XVDA, 9000) };
        let xen = Machine::seeded(16).pages(2300).disk(disk).build();
        let content = noise(9000 * 512, 16);
        xen.world().disks[0].data.clone_from(&content);
        let mut guest = Guest::boot(&xen);
        let setup = Setup { grants: mode, slots: 1, pages_per_slot: 1100, ..Setup::ONE };
        let mut device = guest.connect(XVDA, &setup).unwrap();
        // Shorter ones in between leave the end of theirs in the segments.
        for bytes in [BYTES, BYTES - 512, 4096 * 600 + 512, 4096 * 12, 512, BYTES] {
            let slot = device.queues[0].acquire().unwrap();
            let done = perform(&xen, &mut device, slot, Operation::Read, 100, bytes);
            let done = done.unwrap().unwrap();
            assert_eq!(done.result, Ok(()));
            let mut page = [0; 4096];
            for offset in (0..bytes as usize).step_by(4096) {
                let page = &mut page[..4096.min(bytes as usize - offset)];
                device.queues[0].read_data(&done.slot, offset, page);
                let start = 100 * 512 + offset;
                assert!(page == &content[start..start + page.len()], "{offset} of {bytes}");
            }
            device.queues[0].release(done.slot);
        }
        guest.disconnect(device);
        assert_nothing_is_left(&xen);
    }
}

#[test]
fn a_backend_with_smaller_rings_has_fewer_requests_in_flight() {
    for (order_max, most) in [(0, 32), (1, 64), (3, 256)] {
        let xen = Machine::seeded(14)
            .disk(Disk { ring_order_max: order_max, ..Disk::new(XVDA, 64) })
            .build();
        let mut guest = Guest::boot(&xen);
        for slots in [most, most + 1, 1024] {
            let setup = Setup { grants: GrantMode::PerRequest, slots, ..Setup::ONE };
            let device = guest.connect(XVDA, &setup).unwrap();
            let queue = &device.queues[0];
            assert_eq!((queue.slots(), queue.depth()), (most as usize, most as usize));
            assert_eq!(guest.disconnect(device), Disconnected::default());
            assert_nothing_is_left(&xen);
        }
    }
}

/// Takes all slots that may have a request.
fn acquire_all(queue: &mut QueuePair<'_>) -> Vec<Slot> {
    std::iter::from_fn(|| queue.acquire()).collect()
}

#[test]
fn slots_with_the_right_to_a_request_are_no_more_than_the_ring_has_entries() {
    // A request of 484 KiB is 11 of 44 KiB; 4 of them are 44 slots on a ring of 32 entries, and one
    // of 2 MiB is 47.
    for (pages_per_slot, slots, held_max) in [(121, 32, 32), (512, 47, 47)] {
        let disk = Disk { indirect_max: 0, ring_order_max: 0, ..Disk::new(XVDA, 64) };
        let xen = Machine::seeded(17).pages(1200).disk(disk).build();
        let mut guest = Guest::boot(&xen);
        let setup = Setup { grants: GrantMode::Persistent, slots: 4, pages_per_slot, ..Setup::ONE };
        let mut device = guest.connect(XVDA, &setup).unwrap();
        let queue = &mut device.queues[0];
        assert_eq!((queue.slots(), queue.depth()), (slots, 32));
        let all = acquire_all(queue);
        assert_eq!(all.len(), 32);
        // What is held makes room for the spare ones, and then for none.
        let mut held: Vec<Held> = all.into_iter().map(|slot| queue.hold(slot)).collect();
        while let Some(slot) = queue.acquire() {
            held.push(queue.hold(slot));
        }
        assert_eq!(held.len(), held_max);
        let mut numbers: Vec<usize> = held.iter().map(|slot| slot.as_ref().index()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..held_max), "each slot once");
        // All of them resume, one after the other, but no more than the ring has entries at once.
        let mut resumed = Vec::new();
        let mut waiting = Vec::new();
        for slot in held {
            match queue.resume(slot) {
                Ok(slot) => resumed.push(slot),
                Err(slot) => waiting.push(slot),
            }
        }
        assert_eq!((resumed.len(), waiting.len()), (32, held_max - 32));
        for slot in waiting {
            queue.release(resumed.pop().unwrap());
            resumed.push(queue.resume(slot).unwrap());
        }
        assert!(queue.acquire().is_none());
        resumed.into_iter().for_each(|slot| queue.release(slot));
        let again: Vec<Held> =
            std::iter::from_fn(|| queue.acquire().map(|slot| queue.hold(slot))).collect();
        assert_eq!(again.len(), held_max);
        again.into_iter().for_each(|slot| queue.release_held(slot));
        assert_eq!(acquire_all(queue).len(), 32);
        guest.disconnect(device);
    }
}

#[test]
fn discards_reach_the_disk_when_it_offers_them() {
    let xen = Machine::seeded(12).disk(Disk::new(XVDA, 256)).build();
    xen.world().disks[0].data.fill(7);
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::PerRequest)).unwrap();
    let offered = Discard { granularity_bytes: 512, alignment_bytes: 0, secure: true };
    assert_eq!(device.info().discard, Some(offered));
    for (operation, sector) in [(Operation::Discard, 0), (Operation::SecureDiscard, 128)] {
        let slot = device.queues[0].acquire().unwrap();
        // Far more than the slot's page holds: a discard has no data.
        let done = perform(&xen, &mut device, slot, operation, sector, 127 * 512);
        let done = done.unwrap().unwrap();
        assert_eq!(done.result, Ok(()));
        device.queues[0].release(done.slot);
        let secure = u64::from(operation == Operation::SecureDiscard);
        assert_eq!(xen.world().disks[0].stats.secure_discards, secure);
    }
    let expected = |at: usize| if at / 512 % 128 == 127 { 7 } else { 0 };
    assert!((0..256 * 512).all(|at| xen.world().disks[0].data[at] == expected(at)));
    let counters = device.queues[0].counters();
    assert_eq!((counters.discards, counters.grants), (2, 0));
    guest.disconnect(device);

    // A backend that does not offer it says so when it is asked all the same.
    xen.world().disks[0].disk.discard = false;
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    assert_eq!(device.info().discard, None);
    let slot = device.queues[0].acquire().unwrap();
    let done = perform(&xen, &mut device, slot, Operation::Discard, 0, 4096).unwrap().unwrap();
    assert_eq!(done.result, Err(IoError::NotSupported));
    device.queues[0].release(done.slot);
    guest.disconnect(device);
    assert_nothing_is_left(&xen);
}

#[test]
fn a_read_changes_its_own_bytes_and_no_others() {
    for mode in GrantMode::ALL {
        let xen = Machine::seeded(15).disk(Disk::new(XVDA, 64)).build();
        xen.world().disks[0].data.fill(1);
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &setup(mode)).unwrap();
        let slot = device.queues[0].acquire().unwrap();
        device.queues[0].write_data(&slot, 0, &[2; 4096]);
        let done = perform(&xen, &mut device, slot, Operation::Read, 0, 512).unwrap().unwrap();
        let mut now = [0; 4096];
        device.queues[0].read_data(&done.slot, 0, &mut now);
        assert_eq!((&now[..512], &now[512..]), (&[1; 512][..], &[2; 4096 - 512][..]), "{mode}");
        device.queues[0].release(done.slot);
        guest.disconnect(device);
        assert_nothing_is_left(&xen);
    }
}

#[test]
fn each_sector_of_a_write_is_stamped() {
    for mode in GrantMode::ALL {
        let xen = Machine::seeded(16).disk(Disk::new(XVDA, 64)).build();
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &Setup { pages_per_slot: 2, ..setup(mode) }).unwrap();
        let slot = device.queues[0].acquire().unwrap();
        device.queues[0].stamp(&slot, 9 * 512, 1 << 40, 7);
        perform(&xen, &mut device, slot, Operation::Write, 0, 10 * 512).unwrap().unwrap();
        let words = |sector: usize| [(1 << 40) + sector as u64 * 512, 7].map(u64::to_le_bytes);
        let stamped = (0..9).map(|sector| words(sector).concat()).chain([vec![0; 16]]);
        let data = &xen.world().disks[0].data;
        assert!(data.chunks(512).map(|sector| &sector[..16]).take(10).eq(stamped), "{mode}");
    }
}

#[test]
fn a_disk_can_be_connected_again_in_another_mode() {
    let xen = Machine::seeded(3).disk(Disk::new(XVDA, 256)).build();
    let mut guest = Guest::boot(&xen);
    let mut shadow = vec![0; 256 * 512];
    for (round, mode) in GrantMode::ALL.into_iter().cycle().take(9).enumerate() {
        let mut device = guest.connect(XVDA, &setup(mode)).unwrap();
        assert_eq!(xen.world().disks[0].stats.connects, round as u64 + 1);
        let mut work = Workload::new(round as u64, shadow, 512, 4096, 8);
        work.run(&xen, &mut device, 100, 16).unwrap();
        shadow = work.shadow;
        guest.disconnect(device);
        assert_nothing_is_left(&xen);
    }
    assert!(xen.world().disks[0].data == shadow);
}

#[test]
fn eight_disks_at_once() {
    let xen = ModelXen::seeded(5);
    let vdevs: Vec<u32> = (0..8).map(vdev).collect();
    for &vdev in vdevs.iter().rev() {
        xen.attach(Disk::new(vdev, 256));
    }
    let mut guest = Guest::boot(&xen);
    let listed = handshake::list(&mut guest.store).unwrap();
    assert_eq!(listed.iter().map(|vdev| vdev.0).collect::<Vec<_>>(), vdevs);
    let mut devices: Vec<_> = vdevs
        .iter()
        .zip(GrantMode::ALL.into_iter().cycle())
        .map(|(&vdev, mode)| guest.connect(vdev, &setup(mode)).unwrap())
        .collect();
    let mut work: Vec<_> =
        (0..8).map(|n| Workload::new(n, vec![0; 256 * 512], 512, 4096, 8)).collect();
    for _ in 0..10 {
        for (device, work) in devices.iter_mut().zip(&mut work) {
            work.run(&xen, device, 20, 8).unwrap();
        }
    }
    for device in devices {
        guest.disconnect(device);
    }
    let world = xen.world();
    for (work, back) in work.iter().zip(world.disks.iter().rev()) {
        assert!(work.shadow == back.data);
    }
    drop(world);
    assert_nothing_is_left(&xen);
}

#[test]
fn a_read_only_disk_says_so_and_stays_as_it_is() {
    let mut disk = Disk::new(XVDA, 64);
    (disk.read_only, disk.cdrom, disk.flush) = (true, true, false);
    let xen = Machine::seeded(6).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    let info = *device.info();
    assert!(info.read_only && info.cdrom && info.flush.is_none());
    assert_eq!(info.bytes(), 64 * 512);

    // Whoever writes all the same gets the backend's refusal.
    let mut slot = device.queues[0].acquire().unwrap();
    for (operation, bytes, error) in [
        (Operation::Write, 4096, IoError::Failed(-1)),
        (Operation::Flush, 0, IoError::NotSupported),
    ] {
        device.queues[0].write_data(&slot, 0, &[7; 4096]);
        let done = perform(&xen, &mut device, slot, operation, 0, bytes);
        let done = done.unwrap().unwrap();
        assert_eq!(done.result, Err(error));
        slot = done.slot;
    }
    assert_eq!(xen.world().disks[0].data, vec![0; 64 * 512]);
    guest.disconnect(device);
    assert_nothing_is_left(&xen);
}

#[test]
fn large_logical_sectors() {
    let mut disk = Disk::new(XVDA, 800);
    disk.sector_bytes = 4096;
    let xen = Machine::seeded(8).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::PerRequest)).unwrap();
    assert_eq!(device.info().logical_sector_bytes, 4096);
    assert_eq!(device.info().sectors, 800);
    let mut work = Workload::new(1, vec![0; 800 * 512], 4096, 4096, 8);
    work.run(&xen, &mut device, 200, 32).unwrap();
    assert!(xen.world().disks[0].data == work.shadow);

    // The backend checks the alignment of each request.
    let slot = device.queues[0].acquire().unwrap();
    let done = perform(&xen, &mut device, slot, Operation::Read, 1, 512);
    assert_eq!(done.unwrap().unwrap().result, Err(IoError::Failed(-1)));
    assert_eq!(xen.world().disks[0].stats.rejected, 1);
    guest.disconnect(device);
}

#[test]
fn idle_grants_are_unmapped_and_mapped_again_unannounced() {
    let xen = Machine::seeded(9).disk(Disk::new(XVDA, 64)).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    let mut work = Workload::new(2, vec![0; 64 * 512], 512, 4096, 8);
    work.run(&xen, &mut device, 100, 4).unwrap();
    assert!(xen.world().disks[0].kept_grants() >= 4);
    xen.pass_ns(61_000_000_000);
    let slot = device.queues[0].acquire().unwrap();
    let done = perform(&xen, &mut device, slot, Operation::Read, 0, 512).unwrap().unwrap();
    device.queues[0].release(done.slot);
    assert_eq!(xen.world().disks[0].kept_grants(), 1);
    work.run(&xen, &mut device, 100, 32).unwrap();
    assert!(xen.world().disks[0].kept_grants() > 1);
    guest.disconnect(device);
    assert_nothing_is_left(&xen);
}

#[test]
fn an_event_that_cannot_be_sent_breaks_the_device() {
    let xen = Machine::seeded(12).disk(Disk::new(XVDA, 64)).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    let slot = device.queues[0].acquire().unwrap();
    device.queues[0].submit(slot, Operation::Read, 0, 512);
    let calls = xen.world().xen.totals.fallible_calls;
    xen.world().xen.fail_call = Some(calls);
    assert!(matches!(device.queues[0].kick(&xen), Err(Broken::EventChannel(_))));
    assert!(matches!(device.queues[0].poll(), Err(Broken::EventChannel(_))));
    guest.disconnect(device);
}

/// Connects a disk of 128 sectors whose backend takes so many pages, and submits one request.
fn submit(pages_max: usize, pages_per_slot: usize, operation: Operation, sector: u64, bytes: u32) {
    let mut disk = Disk::new(XVDA, 128);
    disk.indirect_max = pages_max;
    let xen = Machine::seeded(11).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: GrantMode::Persistent, slots: 1, pages_per_slot, ..Setup::ONE };
    let mut device = guest.connect(XVDA, &setup).unwrap();
    let slot = device.queues[0].acquire().unwrap();
    device.queues[0].submit(slot, operation, sector, bytes);
}

#[test]
fn a_request_that_must_not_be_is_never_put() {
    use Operation::{Discard, Flush, Read, Write};
    for (pages_max, pages_per_slot, operation, sector, bytes) in [
        (256, 1, Read, 127, 1024),
        (256, 1, Write, 128, 512),
        (256, 1, Discard, 0, 129 * 512),
        (256, 1, Read, u64::MAX, 512),
        (256, 1, Read, 0, 8192),
        (0, 20, Write, 0, 12 * 4096),
        (256, 1, Write, 0, 612),
        (256, 1, Read, 0, 0),
        (256, 1, Flush, 0, 512),
    ] {
        let put = || submit(pages_max, pages_per_slot, operation, sector, bytes);
        let put = std::panic::catch_unwind(put);
        assert!(put.is_err(), "{operation:?} of {bytes} bytes at {sector}");
    }
    submit(256, 1, Read, 127, 512);
    submit(0, 20, Read, 0, 11 * 4096);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let xen = Machine::seeded(seed).disk(Disk::new(XVDA, 256)).build();
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &setup(GrantMode::PersistentCopy)).unwrap();
        let mut work = Workload::new(seed, vec![0; 256 * 512], 512, 4096, 8);
        work.run(&xen, &mut device, 300, 16).unwrap();
        guest.disconnect(device);
        let world = xen.world();
        (world.xen.trace(), world.xen.totals, world.xen.agenda.now_ns())
    };
    let first: Vec<_> = (0..20).map(run).collect();
    let second: Vec<_> = (0..20).map(run).collect();
    assert_eq!(first, second);
    for (seed, one) in first.iter().enumerate() {
        assert!(first[..seed].iter().all(|other| other.0 != one.0), "seeds differ");
    }
}

#[test]
fn without_resources_nothing_is_kept() {
    // Too few pages, too few grants.
    for (pages, grant_frames) in [(10, 8), (1024, 0)] {
        let xen = ModelXen::new(Config { pages, grant_frames, ..Config::seeded(1) });
        xen.attach(Disk::new(XVDA, 64));
        let mut guest = Guest::boot(&xen);
        let error = guest.connect(XVDA, &guest::setup(GrantMode::Persistent)).unwrap_err();
        println!("{error}");
        assert_nothing_is_left(&xen);
        let state = guest.store.read(Transaction::NONE, "device/vbd/51712/state").unwrap();
        assert_eq!(state, "6", "the backend is told that nobody comes");
    }
}

#[test]
fn a_backend_sees_all_keys_or_none() {
    let xen = Machine::seeded(16).disk(Disk::new(XVDA, 64)).build();
    xen.world().store.contention = 16;
    let mut guest = Guest::boot(&xen);
    let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap_err();
    assert!(matches!(error, ConnectError::Xenstore(..)), "{error}: somebody always interferes");
    for key in ["ring-ref", "event-channel", "protocol", "feature-persistent"] {
        let node = format!("/local/domain/1/device/vbd/{XVDA}/{key}");
        assert_eq!(xen.world().store.tree.text(&node), "", "{key}");
    }
    assert_nothing_is_left(&xen);
}

#[test]
fn both_halves_of_the_ring_cross_the_wrap_of_the_indices() {
    let xen = ModelXen::seeded(10);
    let memory = Rc::clone(&xen.world().xen.memory);
    let mut front = FrontRing::starting_at(shared_run(&xen, 1), u32::MAX - 100);
    let mut back = BackRing::attach(&memory, front.pages().gfns().collect());
    let mut request = Request {
        operation: 0,
        nr_segments: 1,
        handle: 0,
        pad: 0,
        id: 0,
        sector_number: 0,
        seg: [Segment::default(); MAX_SEGMENTS],
    };
    let (mut sent, mut answered) = (0u64, 0u64);
    for batch in (1..=32).cycle().take(40) {
        for _ in 0..batch {
            (request.id, request.sector_number) = (sent, !sent);
            front.put(&request);
            sent += 1;
        }
        assert!(front.publish(), "the backend asked for an event");
        assert_eq!(back.waiting(), Some(batch));
        for _ in 0..batch {
            let got = back.take();
            assert_eq!((got.id, got.sector_number), (answered, !answered));
            let mut response = [0; 16];
            response[..8].copy_from_slice(&got.id.to_le_bytes());
            back.put(&response);
            // The frontend armed for the first response of the batch, and looks without arming.
            assert_eq!(back.publish(), sent - answered == u64::from(batch));
            assert_eq!(front.take().unwrap().unwrap().id, answered);
            answered += 1;
        }
        assert!(front.take().unwrap().is_none());
        assert!(!back.final_check() && !front.arm(1));
    }
    assert!(sent > 200, "the indices have wrapped");
    free_run(&xen, front.into_run());
}
