//! Requests that follow one another in a slot, of which the frontend keeps what the next one
//! repeats: each moves its own bytes, whatever was there before.

use drivers::blkfront::{GrantMode, Operation, Setup};
use model::blkback::{Lie, Mischief};
use model::fixture::{Machine, XVDA, assert_nothing_is_left, noise};
use model::guest::{self, perform};
use model::{Disk, Guest};

const SECTORS: u64 = 512;
/// Sector at which each request begins, and the most bytes of one: 20 pages, of which 11 go into a
/// direct request.
const FIRST: usize = 64;
const MOST: usize = 20 * 4096;

/// Requests of all kinds: without data, direct and indirect, that end with a page or within it.
const REQUESTS: [(Operation, u32); 12] = [
    (Operation::Write, 4096),
    (Operation::Write, 512),
    (Operation::Write, 2 * 4096),
    (Operation::Write, 2 * 4096 - 512),
    (Operation::Write, 11 * 4096),
    (Operation::Write, 13 * 4096 + 1024),
    (Operation::Read, 4096),
    (Operation::Read, 512),
    (Operation::Read, 2 * 4096 - 512),
    (Operation::Read, 13 * 4096 + 1024),
    (Operation::Flush, 0),
    (Operation::Discard, 4096),
];

#[test]
fn each_request_of_a_slot_moves_its_own_bytes() {
    for mode in GrantMode::ALL {
        let xen = Machine::seeded(31).disk(Disk::new(XVDA, SECTORS)).build();
        let mut shadow = noise(SECTORS as usize * 512, 31);
        xen.world().disks[0].data.clone_from(&shadow);
        let mut guest = Guest::boot(&xen);
        let setup = Setup { grants: mode, slots: 1, pages_per_slot: 20, ..Setup::ONE };
        let mut device = guest.connect(XVDA, &setup).unwrap();
        let pool = noise(2 * MOST, 32);
        let start = FIRST * 512;
        // Each after each other two.
        for number in 0..REQUESTS.len().pow(3) {
            for step in 0..3 {
                let (operation, bytes) =
                    REQUESTS[number / REQUESTS.len().pow(step) % REQUESTS.len()];
                let end = start + bytes as usize;
                let queue = &mut device.queues[0];
                let slot = queue.acquire().unwrap();
                let data = &pool[(number * 3 + step as usize) * 7919 % MOST..][..MOST];
                for (page, data) in data.chunks(4096).enumerate() {
                    queue.write_data(&slot, page * 4096, data);
                }
                match operation {
                    Operation::Write => shadow[start..end].copy_from_slice(&data[..end - start]),
                    Operation::Discard => shadow[start..end].fill(0),
                    _ => {}
                }
                let sector = if operation == Operation::Flush { 0 } else { FIRST as u64 };
                let done = perform(&xen, &mut device, slot, operation, sector, bytes);
                let done = done.unwrap().unwrap();
                assert_eq!(done.result, Ok(()), "{operation:?} of {bytes}");
                let right = xen.world().disks[0].data == shadow;
                assert!(right, "{mode}: {operation:?} of {bytes}, {number}/{step}");
                if operation == Operation::Read {
                    // What was read, and behind it what was there.
                    let mut found = vec![0; MOST];
                    for (page, found) in found.chunks_mut(4096).enumerate() {
                        device.queues[0].read_data(&done.slot, page * 4096, found);
                    }
                    let (read, behind) = found.split_at(bytes as usize);
                    assert!(read == &shadow[start..end], "{mode}: {bytes}, {number}/{step}");
                    assert!(behind == &data[bytes as usize..], "{mode}: {bytes}, {number}/{step}");
                }
                device.queues[0].release(done.slot);
            }
        }
        let stats = xen.world().disks[0].stats;
        assert_eq!((stats.rejected, stats.segments_max), (0, 14));
        guest.disconnect(device);
        assert_nothing_is_left(&xen);
    }
}

#[test]
fn a_request_on_a_broken_queue_is_not_put() {
    for mode in GrantMode::ALL {
        let xen = Machine::seeded(32).disk(Disk::new(XVDA, SECTORS)).build();
        let mut guest = Guest::boot(&xen);
        let setup = Setup { pages_per_slot: 2, ..guest::setup(mode) };
        let mut device = guest.connect(XVDA, &setup).unwrap();
        // A slot that has had a request of the same length, which the next one repeats.
        let slots: Vec<_> = (0..6).map(|_| device.queues[0].acquire().unwrap()).collect();
        let mut used = Vec::new();
        for slot in slots {
            let done = perform(&xen, &mut device, slot, Operation::Write, 0, 4096);
            used.push(done.unwrap().unwrap().slot);
        }
        xen.world().disks[0].mischief = Mischief::of(Lie::NoSuchSlot, 16);
        let last = used.pop().unwrap();
        perform(&xen, &mut device, last, Operation::Write, 0, 4096).unwrap_err();
        let before = (device.queues[0].counters(), device.queues[0].outstanding());
        let stats = xen.world().disks[0].stats;
        let permitted = || {
            let world = xen.world();
            world.xen.grants.permitted(&world.xen.memory)
        };
        let granted = permitted();
        for (operation, bytes) in [
            (Operation::Write, 4096),
            (Operation::Read, 4096),
            (Operation::Write, 8192),
            (Operation::Flush, 0),
            (Operation::Discard, 4096),
        ] {
            device.queues[0].submit(used.pop().unwrap(), operation, 0, bytes);
            device.queues[0].kick(&xen).unwrap_err();
            let now = (device.queues[0].counters(), device.queues[0].outstanding());
            assert_eq!((now, permitted()), (before, granted), "{mode}: {operation:?}");
        }
        xen.pass_ns(1_000_000_000);
        assert_eq!(xen.world().disks[0].stats, stats, "{mode}: the backend was shown nothing");
        guest.disconnect(device);
    }
}
