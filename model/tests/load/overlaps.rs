//! Checks of writes that overlap, of each pass, and of copies of a job: as in fio 3.33.

use model::blkback::{Lie, Mischief};

use crate::{Machine, SECTORS, ok, one_disk, run};

/// Jobs of blocks that differ, or begin anywhere.
const KINDS: [&str; 10] = [
    "rw=randwrite bssplit=4k/50:8k/50",
    "rw=randwrite bsrange=512-16k",
    "rw=randwrite bsrange=4k-10k norandommap io_size=2m",
    "rw=randwrite bs=4k ba=512 io_size=2m",
    "rw=randwrite bs=4k ba=8k",
    "rw=randwrite:3 bssplit=4k/50:8k/50 norandommap",
    "rw=randrw bs=8k,4k",
    "rw=write bssplit=4k/50:8k/50",
    "rw=write:2k bs=4k",
    "rw=write:-6k bs=4k",
];

#[test]
fn what_an_honest_backend_keeps_is_right_whatever_overlaps() {
    for (seed, kind) in (1..).zip(KINDS) {
        for verify in ["md5", "meta", "pattern verify_pattern=%o", "crc32c verify_interval=512"] {
            for options in ["", "verify_backlog=5", "loops=3", "ringmark_indirect=0"] {
                for iodepth in [1, 16] {
                    let line = format!("{kind} iodepth={iodepth} verify={verify} {options}");
                    let xen = one_disk(seed);
                    let outcome = run(&xen, &format!("{line} filename=xvda"), 1);
                    ok(&outcome);
                    let job = &outcome.results[0];
                    assert!(job.read.ios > 0 && job.write.ios > 0, "{line}");
                    let is_mixed =
                        job.job.rw.reads() || !options.is_empty() && options != "loops=3";
                    assert!(job.read.ios <= job.write.ios || is_mixed, "{line}");
                }
            }
        }
    }
}

#[test]
fn a_map_keeps_writes_of_several_sizes_apart_and_each_is_read_back() {
    for sizes in ["bssplit=4k/50:16k/50", "bsrange=512-16k", "bs=4k ba=4k", "bs=4k"] {
        for options in ["", "loops=2", "verify_backlog=3", "do_verify=1 end_fsync=1 loops=3"] {
            let line = format!("rw=randwrite {sizes} iodepth=8 verify=crc32c {options}");
            let outcome = run(&one_disk(5), &format!("{line} filename=xvda"), 1);
            ok(&outcome);
            let job = &outcome.results[0];
            assert_eq!(job.read.ios, job.write.ios, "{line}");
            assert_eq!(job.write.bytes, job.job.loops << 20, "{line}");
        }
    }
}

#[test]
fn a_lost_or_changed_block_of_several_sizes_is_found() {
    for kind in KINDS {
        for lie in [Lie::BitFlip, Lie::Lost] {
            let xen = one_disk(3);
            xen.world().disks[0].mischief = Mischief::of(lie, 12);
            let line = format!("{kind} iodepth=4 loops=2 verify=md5 filename=xvda");
            let outcome = run(&xen, &line, 1);
            let told = xen.world().disks[0].mischief.told;
            let job = &outcome.results[0];
            assert!(told > 0 && job.read.errors > 0, "{line} {lie:?}: {told}");
        }
    }
}

/// Numbers of writes and reads, as fio 3.33 does them.
#[test]
fn each_pass_is_checked_before_the_next() {
    for (options, expected) in [
        ("rw=write loops=3", [48, 48]),
        ("rw=randwrite loops=3", [48, 48]),
        ("rw=randwrite loops=3 number_ios=10", [16, 16]),
        ("rw=write io_size=40k", [10, 10]),
        ("rw=write io_size=100k", [16, 16]),
        ("rw=write io_size=100k loops=2", [32, 32]),
        ("rw=write io_size=200k", [32, 32]),
        ("rw=randwrite verify_backlog=4 loops=2", [32, 32]),
        ("rw=write verify_backlog=4 number_ios=10", [6, 6]),
    ] {
        // What is in flight when a backlog is read back is a matter of time.
        let iodepths = if options.contains("backlog") { 1..2 } else { 1..5 };
        for iodepth in iodepths {
            let line = format!("{options} size=64k bs=4k verify=md5 iodepth={iodepth}");
            let outcome = run(&one_disk(9), &format!("{line} filename=xvda"), 1);
            ok(&outcome);
            let job = &outcome.results[0];
            assert_eq!([job.write.ios, job.read.ios], expected, "{line}");
            let is_apart = job.write.runtime_ns + job.read.runtime_ns <= job.runtime_ns;
            assert!(is_apart || line.contains("backlog"), "{line}");
        }
    }
    let line = "rw=randwrite norandommap size=64k bs=4k verify=md5 io_size=100k loops=2";
    let outcome = run(&one_disk(9), &format!("{line} filename=xvda"), 1);
    ok(&outcome);
    let job = &outcome.results[0];
    assert!(job.write.ios == 50 && job.read.ios < 32, "{} {}", job.write.ios, job.read.ios);
}

#[test]
fn disks_are_flushed_after_each_pass() {
    for (options, flushes) in [("", 3), ("verify=crc32c", 3), ("verify=crc32c fsync=16", 5)] {
        for rw in ["write", "randwrite"] {
            let xen = one_disk(2);
            let line = format!("rw={rw} size=64k bs=4k loops=3 iodepth=4 end_fsync=1 {options}");
            ok(&run(&xen, &format!("{line} filename=xvda"), 1));
            let stats = xen.world().disks[0].stats;
            assert_eq!((stats.writes, stats.flushes), (48, flushes), "{line}");
        }
    }
}

#[test]
fn its_time_ends_a_job_between_passes_as_within_one() {
    let line = "rw=randwrite size=64k bs=4k verify=md5 iodepth=4 loops=10000 runtime=20ms";
    let outcome = run(&one_disk(9), &format!("{line} filename=xvda"), 1);
    ok(&outcome);
    let job = &outcome.results[0];
    assert!(job.write.ios > 32 && job.write.ios == job.read.ios);
    assert!(job.runtime_ns < 40_000_000, "{}", job.runtime_ns);
}

#[test]
fn copies_of_a_job_find_their_blocks_right() {
    for options in ["rw=write", "rw=write bssplit=4k/50:8k/50", "rw=randwrite bsrange=4k-8k"] {
        let line = format!("{options} size=1m numjobs=4 verify=crc32 filename=xvda");
        let xen = Machine::seeded(4).disks(1, SECTORS).build();
        ok(&run(&xen, &line, 1));
    }
    // As fio, which knows a block by its number.
    let line = "rw=randwrite bs=4k numjobs=3 iodepth=4 verify=crc32 filename=xvda";
    let outcome = run(&one_disk(4), line, 1);
    assert!(outcome.results.iter().any(|job| job.read.errors != 0));
}
