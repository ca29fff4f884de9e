//! Checked data on a disk that is far larger than any memory.

use load::engine::Outcome;
use model::Disk;
use model::blkback::{Lie, Mischief};

use crate::{Machine, XVDA, run};

/// Runs a job on a disk of 3 TiB; returns the most heap that was in use at once, in bytes.
fn checked(options: &str, lie: Option<Lie>) -> (Outcome, u64) {
    let xen =
        Machine::seeded(1).disk(Disk { sparse: true, ..Disk::new(XVDA, (3 << 40) / 512) }).build();
    if let Some(lie) = lie {
        xen.world().disks[0].mischief = Mischief::of(lie, 4);
    }
    let line = format!("bs=4k iodepth=4 filename=xvda verify=crc32c {options}");
    let mut outcome = None;
    let heap = allocation_counter::measure(|| outcome = Some(run(&xen, &line, None)));
    (outcome.expect("it ran"), heap.bytes_max)
}

#[test]
fn memory_for_checks_is_for_the_ios() {
    for (options, writes) in [
        ("rw=randwrite number_ios=64", 64),
        ("rw=write number_ios=64 offset=50%", 64),
        ("rw=randwrite io_size=1m", 256),
        ("rw=randwrite io_size=64k loops=3", 48),
        ("rw=write size=1m offset=2t", 256),
        ("rw=randrw number_ios=100 norandommap", 0),
        ("rw=randwrite number_ios=100 random_distribution=zipf:1.2", 0),
    ] {
        let (outcome, heap) = checked(options, None);
        assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None), "{options}");
        let job = &outcome.results[0];
        assert!(job.read.ios > 0 && job.read.errors == 0, "{options}");
        assert!(writes == 0 || (job.write.ios, job.read.ios) == (writes, writes), "{options}");
        // A guest of 16 MiB has 4 and more.
        assert!(heap < 4 << 20, "{options}: {heap} bytes");
    }
}

#[test]
fn what_is_lost_there_is_found() {
    let (outcome, _) = checked("rw=randwrite number_ios=64", Some(Lie::Lost));
    let found = outcome.first_failure.expect("lies");
    assert!(found.starts_with("xvda: verify: block at byte "), "{found}");
}
