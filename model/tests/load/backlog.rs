//! Writes that are read back while others go on: `verify_backlog=`.

use model::blkback::{Lie, Mischief};

use crate::{Machine, SECTORS, ok, one_disk, run};

#[test]
fn each_block_is_read_back_once_whatever_the_depth() {
    for verify in ["crc32c", "sha256 verify_interval=1k", "pattern verify_pattern=%o", "null"] {
        for rw in ["write", "randwrite"] {
            for options in [
                "verify_backlog=1",
                "verify_backlog=7",
                "verify_backlog=8 verify_backlog_batch=100",
                "verify_backlog=1000",
                "verify_backlog=16 iodepth_batch=4",
                "verify_backlog=16 fsync=5 sync=1",
            ] {
                for iodepth in [1, 8, 300] {
                    let xen = one_disk(iodepth);
                    let line = format!("rw={rw} bs=4k iodepth={iodepth} verify={verify} {options}");
                    let outcome = run(&xen, &format!("{line} filename=xvda"), 1);
                    ok(&outcome);
                    let job = &outcome.results[0];
                    assert_eq!((job.write.ios, job.read.ios), (256, 256), "{line}");
                }
            }
        }
    }
}

#[test]
fn a_backlog_goes_together_with_reads_loops_disks_and_splits() {
    for line in [
        "rw=randrw bs=4k iodepth=6 verify=md5",
        "rw=rw bs=4k iodepth=6 verify=pattern verify_pattern=%o",
        "rw=write bs=4k iodepth=4 size=128k loops=3 verify=crc32c",
        "rw=randwrite bs=4k iodepth=4 size=128k loops=3 verify=xxhash",
        "rw=randwrite norandommap bs=4k iodepth=4 io_size=2m verify=crc32c",
        "rw=write bs=64k iodepth=4 ringmark_indirect=0 verify=sha1 verify_offset=64",
        "rw=write bs=4k iodepth=4 offset=256k size=128k verify=crc7 numjobs=2 offset_increment=128k",
        "rw=write bs=4k rate_iops=5000 verify=crc16",
        "rw=write bs=4k thinktime=50 thinktime_blocks=3 verify=crc64 end_fsync=1",
    ] {
        for backlog in [1, 5, 16] {
            let xen = Machine::seeded(backlog).disks(2, SECTORS).build();
            let line = format!("{line} verify_backlog={backlog} filename=xvda:xvdb");
            let outcome = run(&xen, &line, 2);
            ok(&outcome);
            for job in &outcome.results {
                assert!(job.read.ios > 0 && job.write.ios > 0 && job.read.errors == 0, "{line}");
            }
        }
    }
}

#[test]
fn a_wrong_block_is_found_before_all_is_written() {
    for verify in ["md5", "pattern verify_pattern=%o"] {
        let xen = one_disk(3);
        xen.world().disks[0].mischief = Mischief::of(Lie::BitFlip, 16);
        let line = "rw=write bs=4k verify_backlog=8 verify_fatal=1 filename=xvda";
        let outcome = run(&xen, &format!("{line} verify={verify}"), 1);
        let job = &outcome.results[0];
        assert_eq!((job.write.ios, job.read.errors), (8, 1), "{verify}");
        assert!(outcome.first_failure.unwrap().starts_with("xvda: verify: "));
    }
}
