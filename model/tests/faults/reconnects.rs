//! Classes of faults in which a VBD is connected again and again.

use drivers::blkfront::{GrantMode, Operation, Setup};
use model::fixture::{XVDA, assert_nothing_is_left};
use model::guest::{Device, perform};
use model::{Guest, ModelXen};

use crate::rig::*;

pub fn fewer_queues() {
    for mode in GrantMode::ALL {
        let xen = machine(1, disk());
        let mut guest = Guest::boot(&xen);
        let offer = format!("{}/multi-queue-max-queues", xen.world().disks[0].path());
        for most in [3, 1, 2] {
            xen.world().set(&offer, &most.to_string());
            let mut device = guest.connect(XVDA, &queues(mode)).unwrap();
            assert_eq!(device.queues.len(), most);
            works_on(&xen, &mut device, workload(&xen, 1));
            assert!(!guest.disconnect(device).timed_out);
        }
        assert_nothing_is_left(&xen);
    }
}

pub fn a_thousand_connects() {
    let xen = machine(1, disk());
    let mut guest = Guest::boot(&xen);
    let few = Setup { grants: GrantMode::Persistent, slots: 2, ..Setup::ONE };
    for round in 0..1000 {
        let mut device = guest.connect(XVDA, &few).unwrap();
        workload_of_pages(&xen, &mut device, round);
        let left = guest.disconnect(device);
        assert_eq!((left.quarantined_pages, left.timed_out), (0, false));
    }
    assert_eq!(xen.world().disks[0].stats.connects, 1000);
    assert_nothing_is_left(&xen);
}

/// One read, which maps a page.
fn workload_of_pages(xen: &ModelXen, device: &mut Device<'_>, round: u64) {
    let slot = device.queues[0].acquire().unwrap();
    let sector = round % (SECTORS / 8) * 8;
    let done = perform(xen, device, slot, Operation::Read, sector, 4096).unwrap().unwrap();
    assert_eq!(done.result, Ok(()));
    device.queues[0].release(done.slot);
}
