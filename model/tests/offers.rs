//! Offers of a backend beyond reads and writes, and the guest's use of them.

use drivers::blkfront::{Flush, GrantMode, Operation};
use load::plan::sector_warning;
use model::fixture::{Machine, XVDA, assert_nothing_is_left};
use model::guest::{await_completion, perform, setup};
use model::{Disk, Guest};

const SECTORS: u64 = 2048;

#[test]
fn flushes_are_barriers_where_there_is_nothing_else() {
    for (flush, barrier, found) in [
        (true, true, Some(Flush::Cache)),
        (true, false, Some(Flush::Cache)),
        (false, true, Some(Flush::Barrier)),
        (false, false, None),
    ] {
        for mode in GrantMode::ALL {
            let disk = Disk { flush, barrier, ..Disk::new(XVDA, SECTORS) };
            let xen = Machine::seeded(1).disk(disk).build();
            let mut guest = Guest::boot(&xen);
            let mut device = guest.connect(XVDA, &setup(mode)).unwrap();
            assert_eq!(device.info().flush, found);
            let mut slot = device.queues[0].acquire().unwrap();
            // A write before it leaves segments and an operation in the slot's request.
            for (operation, bytes) in [(Operation::Write, 4096), (Operation::Flush, 0)] {
                let done = perform(&xen, &mut device, slot, operation, 0, bytes);
                let done = done.unwrap().unwrap();
                assert_eq!(done.result.is_ok(), found.is_some() || bytes != 0);
                slot = done.slot;
            }
            let stats = xen.world().disks[0].stats;
            let asked = |flush| u64::from(found == Some(flush));
            let expected = (asked(Flush::Cache), asked(Flush::Barrier));
            assert_eq!((stats.flushes, stats.barriers), expected);
            assert_eq!(device.queues[0].counters().flushes, 1);
            device.queues[0].release(slot);
            guest.disconnect(device);
            assert_nothing_is_left(&xen);
        }
    }
}

/// The backend that the frontend is tested against keeps to what a barrier is.
#[test]
fn a_barrier_ends_after_all_before_it_and_before_all_after_it() {
    for seed in 0..50 {
        let disk = Disk { flush: false, barrier: true, ..Disk::new(XVDA, SECTORS) };
        let disk = if seed % 2 == 0 { disk } else { disk.copying() };
        let xen = Machine::seeded(seed).disk(disk).build();
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        let mut numbers = [0; 32];
        for number in 0..32 {
            let slot = device.queues[0].acquire().unwrap();
            numbers[slot.index()] = number;
            let is_flush = number % 10 == 9;
            let (operation, bytes) =
                if is_flush { (Operation::Flush, 0) } else { (Operation::Write, 4096) };
            device.queues[0].submit(slot, operation, 8 * number, bytes);
        }
        device.queues[0].kick(&xen).unwrap();
        for place in 0..32 {
            let done = await_completion(&xen, &mut device).unwrap().expect("a completion");
            assert_eq!(done.result, Ok(()));
            let number = numbers[done.slot.index()];
            assert_eq!(number / 10, place / 10, "seed {seed}");
            assert_eq!(number % 10 == 9, place % 10 == 9, "seed {seed}");
            device.queues[0].release(done.slot);
        }
        assert_eq!(xen.world().disks[0].stats.barriers, 3);
        guest.disconnect(device);
        assert_nothing_is_left(&xen);
    }
}

#[test]
fn blocks_that_cut_physical_sectors_get_a_warning() {
    let disk = Disk { physical_sector_bytes: Some(4096), ..Disk::new(XVDA, SECTORS) };
    let xen = Machine::seeded(1).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    for (line, warned) in [
        ("bs=4k", false),
        ("bs=64k rw=randwrite", false),
        ("bs=512", true),
        ("bs=6k", true),
        ("bs=8k,6k rw=randrw norandommap", true),
        ("bssplit=4k/50:8k/50 norandommap", false),
        ("bs=512 rw=trim", false),
    ] {
        let jobs = fio_job::parse(&format!("name=a {line} filename=xvda")).unwrap();
        let warning = sector_warning(&jobs, "xvda", device.info());
        let text =
            "xvda: physical sectors have 4096 bytes, of which the blocks of a are no multiple";
        assert_eq!(warning.as_deref(), warned.then_some(text), "{line}");
        assert_eq!(sector_warning(&jobs, "xvdb", device.info()), None);
    }
    guest.disconnect(device);
}
