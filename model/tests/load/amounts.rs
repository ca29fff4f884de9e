//! Amount of work in a job: clones, loops and counted I/Os.

use model::Disk;

use crate::{Machine, SECTORS, XVDA, ok, one_disk, run, run_jobs, vdev};

#[test]
fn number_ios_counts_over_all_disks() {
    for (number_ios, reads) in [(1, [1, 0]), (7, [4, 3]), (100, [16, 84]), (999, [16, 256])] {
        let xen = Machine::seeded(15)
            .disk(Disk::new(XVDA, 16 * 8))
            .disk(Disk::new(vdev(1), SECTORS))
            .build();
        let line = format!("rw=read bs=4k iodepth=4 number_ios={number_ios} filename=xvda:xvdb");
        ok(&run(&xen, &line, 2));
        let world = xen.world();
        let counts = [world.disks[0].stats.reads, world.disks[1].stats.reads];
        assert_eq!(counts, reads, "{number_ios}");
    }
}

#[test]
fn loops_and_clones_do_it_all_again() {
    let xen = one_disk(16);
    let file = "[global]\nfilename=/dev/xvda\nrw=write\nsize=256k\noffset_increment=256k\n\
                [a] ; four of them\nnumjobs=4\nloops=3\nbs=4k\niodepth=2\n";
    let outcome = run_jobs(&xen, fio_job::parse_file(file).unwrap(), 1, &mut |_| {});
    ok(&outcome);
    assert_eq!(outcome.results.len(), 4);
    assert!(outcome.results.iter().all(|job| job.write.ios == 3 * 64));
    // Together they have written the whole disk.
    assert!(xen.world().disks[0].data.chunks_exact(512).all(|sector| sector != [0; 512]));
}

#[test]
fn a_size_beyond_the_disk_ends_with_it_unless_blocks_come_again() {
    for (options, ios) in [
        ("rw=read", 16),
        ("rw=read loops=2", 32),
        ("rw=write offset=16k", 12),
        ("rw=randread", 16),
        ("rw=randread norandommap", 20),
        ("rw=randwrite norandommap loops=2", 40),
        ("rw=randwrite random_distribution=zipf:1.2", 20),
        ("rw=write verify=crc32c", 32),
        ("rw=read io_size=84k", 21),
    ] {
        let xen = Machine::seeded(15).disk(Disk::new(XVDA, 16 * 8)).build();
        let outcome = run(&xen, &format!("bs=4k size=80k filename=xvda {options}"), 1);
        ok(&outcome);
        let [job] = &outcome.results[..] else { panic!("a job") };
        assert_eq!(job.read.ios + job.write.ios, ios, "{options}");
    }
}

#[test]
fn only_its_time_ends_a_job_that_is_time_based() {
    for options in ["number_ios=3", "io_size=12k", "loops=2 size=8k"] {
        let line = format!("rw=read bs=4k runtime=10ms time_based filename=xvda {options}");
        let outcome = run(&one_disk(17), &line, 1);
        ok(&outcome);
        assert!(outcome.results[0].read.ios > 9, "{options}");
        assert!(outcome.results[0].runtime_ns >= 10_000_000, "{options}");
    }
}

#[test]
fn a_disk_that_was_gone_through_waits_for_the_others() {
    let machine = Machine::seeded(15).disk(Disk::new(XVDA, 4 * 8)).disk(Disk::new(vdev(1), 12 * 8));
    let xen = machine.build();
    let line = "rw=read bs=4k iodepth=4 runtime=50ms time_based filename=xvda:xvdb";
    ok(&run(&xen, line, 2));
    let world = xen.world();
    let [small, large] = [0, 1].map(|disk| world.disks[disk].stats.reads);
    assert!(small > 100 && large.abs_diff(3 * small) <= 12, "{small} {large}");
}

/// An I/O ends where a block was visited, so all of them together are the region, once.
#[test]
fn a_map_of_several_sizes_covers_the_region_once() {
    for sizes in ["bssplit=4k/50:16k/50", "bsrange=512-32k", "bs=4k percentage_random=100"] {
        let xen = one_disk(17);
        let line = format!("rw=randwrite {sizes} iodepth=8 filename=xvda");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        assert_eq!(outcome.results[0].write.bytes, SECTORS * 512, "{sizes}");
        assert!(xen.world().disks[0].data.chunks_exact(512).all(|sector| sector != [0; 512]));
    }
}

/// Trims of several sizes and beyond the largest request with data.
#[test]
fn trims_have_any_size() {
    let xen = Machine::seeded(18).disk(Disk::new(XVDA, 131_072)).build();
    for (line, trims) in [("rw=trim bs=32m", 2), ("rw=randtrim bs=64m", 1)] {
        let outcome = run(&xen, &format!("{line} filename=xvda"), 1);
        ok(&outcome);
        assert_eq!((outcome.results[0].trim.ios, outcome.results[0].trim.bytes), (trims, 64 << 20));
    }
}

#[test]
fn the_end_of_one_ends_all_that_run_with_it() {
    for exitall in [0, 1] {
        let xen = Machine::seeded(18).disks(2, SECTORS).build();
        let line = format!(
            "bs=4k exitall={exitall} --name=a --filename=xvda --number_ios=20 \
             --name=b --filename=xvdb --runtime=20ms --time_based"
        );
        let outcome = run(&xen, &line, 2);
        ok(&outcome);
        let [first, second] = [0, 1].map(|number| &outcome.results[number]);
        assert_eq!((first.read.ios, outcome.ends_all), (20, exitall == 1));
        let is_short = second.runtime_ns < 2 * first.runtime_ns;
        assert!(second.read.ios > 0 && is_short == (exitall == 1), "{}", second.runtime_ns);
    }
}
