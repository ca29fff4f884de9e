//! Cost of 1,000 reads of 4 KiB, counted, for one seed: the figures are exact, and change only when
//! somebody changes what the drivers do.

use drivers::Vcpu;
use drivers::blkfront::{Counters, GrantMode, Operation, Setup};
use model::fixture::{Machine, XVDA};
use model::guest::Device;
use model::{Disk, Guest, ModelXen};

const READS: u64 = 1000;

/// Keeps `depth` reads in flight until all are done.
fn read_all(xen: &ModelXen, device: &mut Device<'_>, depth: u64) {
    let (mut started, mut done) = (0, 0);
    while done < READS {
        while started < READS && started - done < depth {
            let slot = device.queues[0].acquire().expect("a slot for each read in flight");
            device.queues[0].submit(slot, Operation::Read, started % 64 * 8, 4096);
            started += 1;
        }
        device.queues[0].kick(xen).expect("an honest backend");
        let mut progress = false;
        while let Some(completion) = device.queues[0].poll().expect("an honest backend") {
            assert_eq!(completion.result, Ok(()));
            device.queues[0].release(completion.slot);
            done += 1;
            progress = true;
        }
        if !progress {
            xen.prepare_wait();
            if let Some(until_ns) = device.queues[0].arm(xen) {
                xen.wait(until_ns.min(xen.now_ns() + 1_000_000_000));
            }
        }
    }
}

/// Counters of the reads alone, and how often anything was allocated meanwhile.
fn measure(mode: GrantMode, depth: u32) -> (Counters, u64) {
    let xen = Machine::seeded(1).disk(Disk::new(XVDA, 512)).build();
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: mode, slots: depth, ..Setup::ONE };
    let mut device = guest.connect(XVDA, &setup).unwrap();
    // The backend maps its persistent grants with the first use of each.
    read_all(&xen, &mut device, depth.into());
    // Whatever was drawn until now, so that the handshake does not count.
    xen.world().xen.rng.seed(2);
    let before = device.queues[0].counters();
    let allocated = allocation_counter::measure(|| read_all(&xen, &mut device, depth.into()));
    let after = device.queues[0].counters();
    let counters = Counters {
        reads: after.reads - before.reads,
        writes: after.writes - before.writes,
        flushes: after.flushes - before.flushes,
        discards: after.discards - before.discards,
        notifications: after.notifications - before.notifications,
        events: after.events - before.events,
        grants: after.grants - before.grants,
        copies: after.copies - before.copies,
    };
    guest.disconnect(device);
    (counters, allocated.count_total)
}

#[test]
fn counts_per_1000_reads() {
    println!("mode             depth  notifications  events  grants  copies  allocations");
    let mut costs = Vec::new();
    for depth in [1, 32] {
        for mode in GrantMode::ALL {
            let (counters, allocated) = measure(mode, depth);
            println!(
                "{mode:16} {depth:5}  {:13}  {:6}  {:6}  {:6}  {allocated:11}",
                counters.notifications, counters.events, counters.grants, counters.copies
            );
            assert_eq!((counters.reads, counters.writes, counters.flushes), (READS, 0, 0));
            assert_eq!(allocated, 0, "the hot path allocates nothing, nor does the model");
            costs.push([counters.notifications, counters.events, counters.grants, counters.copies]);
        }
    }
    let expected = [
        [1000, 1019, 0, 0],
        [1000, 1019, 0, 1000],
        [1000, 1019, 1000, 0],
        [301, 367, 0, 0],
        [301, 367, 0, 1000],
        [301, 367, 1000, 0],
    ];
    assert_eq!(costs, expected);
}
