//! Places of a job's I/Os, and the data that they write, as the disk shows it afterwards.

use load::engine::RunError;
use model::{Disk, ModelXen};

use crate::{Machine, SECTORS, XVDA, ok, one_disk, run};

/// The number of the write that each block had last, from the stamp in its first sector.
fn numbers(xen: &ModelXen, bs: usize) -> Vec<u64> {
    let data = &xen.world().disks[0].data;
    let number = |block: &[u8]| u64::from_le_bytes(block[8..16].try_into().unwrap());
    data.chunks_exact(bs).map(number).collect()
}

#[test]
fn a_random_job_writes_each_block_once_a_pass() {
    for (seed, bs) in [512, 4096, 6144, 45056].into_iter().enumerate() {
        for passes in 1..=3 {
            let xen = one_disk(seed as u64);
            let line = format!("rw=randwrite bs={bs} iodepth=16 loops={passes} filename=xvda");
            ok(&run(&xen, &line, 1));
            // Each pass writes every block before the next pass begins.
            let mut last = numbers(&xen, bs);
            let blocks = last.len() as u64;
            assert_eq!(blocks, SECTORS * 512 / bs as u64);
            let in_order = last.is_sorted();
            last.sort_unstable();
            let pass = (passes - 1) * blocks..passes * blocks;
            // Two writes of one block that are in flight at once may end in either order.
            let strays = last.iter().filter(|number| !pass.contains(number)).count();
            assert!(!in_order && strays < 16, "{strays}");
            if passes == 1 {
                assert!(last.into_iter().eq(pass), "{bs}");
            }
        }
    }
}

#[test]
fn without_a_map_some_blocks_come_again_before_others() {
    let xen = one_disk(1);
    // No write is number 0 but the first, so an untouched block looks like it.
    ok(&run(&xen, "rw=randwrite norandommap bs=4k iodepth=4 filename=xvda", 1));
    let untouched = numbers(&xen, 4096).into_iter().filter(|&number| number == 0).count();
    assert!((70..120).contains(&untouched), "{untouched} of 256, where 256 / e is expected");
}

#[test]
fn clones_visit_blocks_in_orders_of_their_own() {
    let orders = [0, 1].map(|seed| {
        let xen = one_disk(7);
        let line = format!("rw=randwrite bs=4k iodepth=1 randseed={seed} filename=xvda");
        ok(&run(&xen, &line, 1));
        numbers(&xen, 4096)
    });
    assert_ne!(orders[0], orders[1]);
}

#[test]
fn mixed_sizes_end_with_the_bytes() {
    let xen = one_disk(2);
    let line = "rw=write bssplit=4k/50:12k/50 iodepth=3 io_size=512k filename=xvda";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let write = &outcome.results[0].write;
    assert!((512 << 10..524 << 10).contains(&write.bytes), "{}", write.bytes);
    assert!(write.ios > 43 && write.ios < 128, "{}", write.ios);
    let data = xen.world().disks[0].data.clone();
    let mut sectors = data.chunks_exact(512);
    let written = sectors.by_ref().take_while(|sector| sector.iter().any(|&byte| byte != 0));
    assert_eq!(written.count() as u64 * 512, write.bytes, "no gap, and nothing behind");
}

#[test]
fn what_is_transferred_may_be_less_than_the_largest_block() {
    for options in ["loops=2", "loops=2 offset=960k", "loops=2 number_ios=3", "loops=2 size=64k"] {
        let line = "rw=write bssplit=4k/50:64k/50 io_size=4k filename=xvda";
        let outcome = run(&one_disk(4), &format!("{line} {options}"), 1);
        ok(&outcome);
        let write = &outcome.results[0].write;
        assert!((1..=2).contains(&write.ios) && write.bytes >= 8 << 10, "{options}: {write:?}");
    }
}

#[test]
fn skewed_ios_go_where_they_should() {
    let xen = one_disk(3);
    let line = "rw=randwrite bs=4k iodepth=8 random_distribution=zoned:100/25:0/75 filename=xvda";
    ok(&run(&xen, line, 1));
    let numbers = numbers(&xen, 4096);
    assert!(numbers[64..].iter().all(|&number| number == 0));
    assert!(numbers[..64].iter().filter(|&&number| number != 0).count() > 50);
}

#[test]
fn blocks_that_never_come_are_not_waited_for() {
    // Far more blocks than may be in flight, but these laws draw hardly any.
    for (law, iodepth) in [("zoned:100/1:0/99", 4), ("zipf:20", 32), ("pareto:0.001", 16)] {
        let line = format!("rw=randwrite bs=4k iodepth={iodepth} random_distribution={law}");
        let outcome = run(&one_disk(1), &format!("{line} verify=crc32c filename=xvda"), 1);
        ok(&outcome);
        let job = &outcome.results[0];
        assert_eq!(job.write.ios, 256, "{law}");
        assert!((1..64).contains(&job.read.ios), "{law}: {} blocks written", job.read.ios);
    }
}

#[test]
fn discards_give_up_each_block_once() {
    for rw in ["trim", "randtrim"] {
        let xen = one_disk(5);
        xen.world().disks[0].data.fill(0x77);
        let line = format!("rw={rw} bs=1k,2k,8k iodepth=4 offset=8k size=256k filename=xvda");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let trim = &outcome.results[0].trim;
        assert_eq!((trim.ios, trim.bytes, trim.latency.moments().count()), (32, 256 << 10, 32));
        let world = xen.world();
        assert_eq!(world.disks[0].stats.discards, 32);
        let kept =
            |(at, &byte): (usize, &u8)| (byte == 0) == (8 << 10..(8 + 256) << 10).contains(&at);
        assert!(world.disks[0].data.iter().enumerate().all(kept), "{rw}");
    }
}

/// X7: a discard names sectors. Neither the backend's limit for data is one for it, nor has a slot
/// pages for it.
#[test]
fn a_discard_may_be_larger_than_any_data() {
    for (bs, ios) in [("64k", 64), ("1m", 4)] {
        let xen =
            Machine::seeded(6).disk(Disk { indirect_max: 0, ..Disk::new(XVDA, 8192) }).build();
        xen.world().disks[0].data.fill(0x77);
        let outcome = run(&xen, &format!("rw=trim bs={bs} iodepth=2 filename=xvda"), 1);
        ok(&outcome);
        assert_eq!(outcome.results[0].trim.ios, ios);
        let world = xen.world();
        assert!(
            world.disks[0].stats.discards == ios && world.disks[0].data.iter().all(|&b| b == 0)
        );
        assert_eq!(world.xen.grants.maps, 1, "the ring, and no page of data");
    }
}

#[test]
fn a_disk_that_cannot_discard_is_left_alone() {
    let xen = Machine::seeded(6).disk(Disk { discard: false, ..Disk::new(XVDA, SECTORS) }).build();
    let outcome = run(&xen, "rw=trim filename=xvda", 1);
    assert!(matches!(outcome.error, Some(RunError::NoDiscard { .. })), "{:?}", outcome.error);
}

#[test]
fn trims_are_secure_where_a_job_asks_for_it_and_the_backend_offers_it() {
    for (options, offered, secure) in [
        ("ringmark_secure_discard=1", "1", Some(256)),
        ("ringmark_secure_discard=0", "1", Some(0)),
        ("ringmark_secure_discard=0", "0", Some(0)),
        ("ringmark_secure_discard=1", "0", None),
    ] {
        let keys = vec![("discard-secure", Some(offered.to_string()))];
        let xen = Machine::seeded(6).disk(Disk { keys, ..Disk::new(XVDA, SECTORS) }).build();
        let outcome = run(&xen, &format!("rw=trim bs=4k filename=xvda {options}"), 1);
        let stats = xen.world().disks[0].stats;
        match secure {
            Some(secure) => {
                ok(&outcome);
                assert_eq!(outcome.results[0].trim.ios, 256);
                assert_eq!((stats.discards, stats.secure_discards), (256, secure), "{options}");
            }
            None => {
                let refused = matches!(outcome.error, Some(RunError::NoSecureDiscard { .. }));
                assert!(refused && stats.discards == 0, "{:?}", outcome.error);
            }
        }
    }
    // Other I/Os need no such backend.
    let keys = vec![("discard-secure", None)];
    let xen = Machine::seeded(6).disk(Disk { keys, ..Disk::new(XVDA, SECTORS) }).build();
    ok(&run(&xen, "rw=read filename=xvda ringmark_secure_discard", 1));
}

#[test]
fn buffers_hold_what_they_were_asked_to() {
    for (options, right) in [
        (
            "buffer_pattern=0xab\"c\"",
            (|s| s.chunks_exact(2).all(|two| two == b"\xabc")) as fn(&[u8]) -> bool,
        ),
        ("zero_buffers", |sector| sector.iter().all(|&byte| byte == 0)),
        ("refill_buffers", |sector| sector[448..].iter().any(|&byte| byte != 0)),
        ("buffer_compress_percentage=75", |sector| {
            sector[..128].iter().any(|&byte| byte != 0) && sector[128..].iter().all(|&b| b == 0)
        }),
    ] {
        let xen = Machine::seeded(4).disk(Disk::new(XVDA, SECTORS)).build();
        xen.world().disks[0].data.fill(0x77);
        ok(&run(&xen, &format!("rw=write bs=8k iodepth=4 filename=xvda {options}"), 1));
        let data = xen.world().disks[0].data.clone();
        assert!(data.chunks_exact(512).all(right), "{options}");
    }
}
