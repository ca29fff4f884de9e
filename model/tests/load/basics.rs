//! Every I/O of a job is done once, where it should be, and what is wrong is found.

use std::slice::from_mut;

use drivers::Vcpu;
use drivers::blkfront::DiskInfo;
use fio_job::{Job, JobError};
use load::engine::{self, Control, Outcome, Pass, RunError};
use model::blkback::{Lie, Mischief};
use model::fixture::{self, run_engine, run_line, start_engine};
use model::{Disk, Guest, ModelXen};
use results::JobResult;

use crate::{GRANTS, Machine, SECTORS, XVDA, connect, ok, one_disk, run, run_and_see, vdev};

#[test]
fn deep_queues_keep_all_their_ios_in_flight() {
    for grants in GRANTS {
        let xen = one_disk(7);
        let line = format!("rw=write bs=512 iodepth=300 filename=xvda grants={grants}");
        let outcome = run(&xen, &format!("{line} verify=crc32c"), 1);
        ok(&outcome);
        assert_eq!((outcome.results[0].write.ios, outcome.results[0].read.ios), (2048, 2048));
        let depth = xen.world().disks[0].stats.depth_max;
        assert!(depth > 200, "{depth}");
    }
}

#[test]
fn a_sequential_job_reads_its_region_once_and_the_backend_agrees() {
    for (seed, grants) in GRANTS.iter().enumerate() {
        let xen = one_disk(seed as u64);
        let line = format!("rw=read bs=4k iodepth=7 offset=64k size=512k grants={grants}");
        let line = format!("{line} filename=xvda");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let read = &outcome.results[0].read;
        assert_eq!((read.ios, read.bytes, read.errors), (128, 512 << 10, 0));
        assert_eq!(read.latency.moments().count(), 128);
        assert_eq!(outcome.results[0].counters.unwrap().requests, 128);
        assert_eq!(xen.world().disks[0].stats.reads, 128);
    }
}

#[test]
fn a_time_based_job_ends_with_its_time() {
    let xen = one_disk(1);
    let line = "rw=randread bs=512 iodepth=32 runtime=50ms time_based filename=xvda";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let read = &outcome.results[0].read;
    assert!((50_000_000..60_000_000).contains(&read.runtime_ns), "{}", read.runtime_ns);
    assert!(read.ios > 2 * SECTORS, "the region's end is no end: {}", read.ios);
    assert_eq!(xen.world().disks[0].stats.reads, read.ios);
}

#[test]
fn written_patterns_are_read_back_right() {
    for seed in 0..10 {
        let xen = one_disk(seed);
        let rw = ["write", "randwrite", "rw", "randrw"][seed as usize % 4];
        let bs = ["512", "4k", "6k", "44k"][seed as usize / 3];
        let line =
            format!("rw={rw} bs={bs} iodepth=9 verify=pattern verify_pattern=%o filename=xvda");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let (read, write) = (&outcome.results[0].read, &outcome.results[0].write);
        assert!(write.ios > 0 && read.ios >= write.ios, "{} {}", write.ios, read.ios);
        assert_eq!(xen.world().disks[0].stats.writes, write.ios);
    }
}

#[test]
fn a_read_back_does_not_speed_up_the_reads_before_it() {
    let line = "rw=randrw rwmixread=90 bs=4k iodepth=8 runtime=50ms time_based filename=xvda";
    let plain = run(&one_disk(3), line, 1).results[0].read.iops();
    let line = format!("{line} verify=pattern verify_pattern=%o");
    let checked = run(&one_disk(3), &line, 1).results[0].read.iops();
    assert!(checked < plain * 1.5, "{checked} {plain}");
}

#[test]
fn no_two_sectors_are_written_with_equal_data() {
    let xen = one_disk(11);
    ok(&run(&xen, "rw=write bs=8k iodepth=8 filename=xvda", 1));
    let data = xen.world().disks[0].data.clone();
    let mut sectors: Vec<&[u8]> = data.chunks_exact(512).collect();
    sectors.sort_unstable();
    sectors.dedup();
    assert_eq!(sectors.len() as u64, SECTORS);
    assert!(sectors.iter().all(|sector| sector[16..].iter().any(|&byte| byte != 0)), "noise");
}

#[test]
fn one_dead_disk_is_found_beside_a_live_one() {
    let mut live = Disk::new(XVDA, SECTORS);
    live.service_ns = 9_000_000..11_000_000;
    let mut dead = Disk::new(vdev(1), SECTORS);
    dead.service_ns = u64::MAX / 4..u64::MAX / 2;
    let xen = Machine::seeded(12).disk(live).disk(dead).build();
    let mut guest = Guest::boot(&xen);
    let line = "bs=4k iodepth=2 rw=randread runtime=40 time_based ringmark_poll_us=0 \
                --name=a --filename=xvda --name=b --filename=xvdb";
    let jobs = fio_job::parse(line).unwrap();
    let mut devices = [0, 1].map(|index| connect(&mut guest, vdev(index), &jobs));
    let start_ns = xen.now_ns();
    let outcome = run_line(&xen, &mut devices, line);
    let dead = RunError::Stuck { disk: "xvdb".into(), outstanding: 2 };
    assert_eq!(outcome.error, Some(dead));
    let waited_ns = xen.now_ns() - start_ns;
    let limits_ns = engine::REQUEST_TIMEOUT_NS..engine::REQUEST_TIMEOUT_NS + 3 * engine::TICK_NS;
    assert!(limits_ns.contains(&waited_ns), "{waited_ns}: not while the live one goes on");
}

#[test]
fn a_disk_that_owes_nothing_is_not_stuck() {
    let disk = |index, ns| Disk { service_ns: ns..ns + 1, ..Disk::new(vdev(index), SECTORS) };
    // While the slow ones have their turn, the other has nothing to do for 40 s.
    let slow = [disk(0, 20_000_000_000), disk(1, 20_000_000_000)].into_iter();
    let machine = slow.fold(Machine::seeded(14), Machine::disk);
    let xen = machine.disk(disk(2, 1_500_000_000)).build();
    let line = "rw=read bs=4k io_size=36k ringmark_poll_us=0 filename=xvda:xvdb:xvdc";
    ok(&run(&xen, line, 3));
}

#[test]
fn who_waits_for_an_io_sleeps_once() {
    let xen = slow_disk(15);
    let outcome = run(&xen, "rw=read bs=4k iodepth=1 ringmark_poll_us=0 filename=xvda", 1);
    ok(&outcome);
    let sleeps = outcome.results[0].counters.expect("the disk is its own").sleeps;
    // Some sleeps end early, or by an event that tells nothing.
    assert!((256..300).contains(&sleeps), "{sleeps} for 256 I/Os");
    let latency = &outcome.results[0].read.latency;
    let limits_ns = 9_000_000..16_000_000;
    let moments = latency.moments();
    assert!(limits_ns.contains(&moments.min()) && limits_ns.contains(&moments.max()));
}

#[test]
fn an_io_that_fails_ends_its_job_and_is_told() {
    let xen = one_disk(16);
    xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 16);
    let outcome = run(&xen, "rw=read bs=4k iodepth=1 filename=xvda", 1);
    let read = &outcome.results[0].read;
    assert_eq!((outcome.error, read.errors), (None, 1));
    let why = "backend failed the request (status -1)";
    let told = format!("xvda: Read at byte {}: {why}", read.ios * 4096);
    assert_eq!(outcome.first_failure, Some(told));
    // What was written is not read back then.
    let outcome = run(&xen, "rw=write bs=4k iodepth=1 verify=crc32c filename=xvda", 1);
    let JobResult { read, write, .. } = &outcome.results[0];
    assert_eq!((read.ios + read.errors, write.errors), (0, 1));
}

#[test]
fn no_two_writes_of_a_block_carry_the_same_data() {
    let xen = one_disk(17);
    let line = "rw=write bs=4k size=4k verify=crc32c do_verify=0 filename=xvda";
    let blocks = [0; 2].map(|_| {
        ok(&run(&xen, line, 1));
        xen.world().disks[0].data[..4096].to_vec()
    });
    let same = blocks[0].chunks(64).zip(blocks[1].chunks(64)).any(|(one, other)| one == other);
    assert!(!same, "what is torn could not be told");
}

#[test]
fn a_pattern_lands_where_its_offset_says() {
    let xen = one_disk(4);
    let line =
        "rw=write bs=4k iodepth=8 verify=pattern verify_pattern=%o do_verify=0 filename=xvda";
    ok(&run(&xen, line, 1));
    let data = xen.world().disks[0].data.clone();
    for (block, bytes) in data.chunks_exact(4096).enumerate() {
        let expected = (block as u64 * 4096).to_le_bytes();
        assert!(bytes.chunks_exact(8).all(|word| word == expected), "block {block}");
    }
}

#[test]
fn one_wrong_byte_is_one_error() {
    let xen = one_disk(5);
    let line =
        "rw=write bs=4k iodepth=8 verify=pattern verify_pattern=0x5a do_verify=0 filename=xvda";
    ok(&run(&xen, line, 1));
    xen.world().disks[0].data[123_456] ^= 1;
    let line = "rw=read bs=4k iodepth=8 verify=pattern verify_pattern=0x5a filename=xvda";
    let outcome = run(&xen, line, 1);
    assert_eq!(outcome.results[0].read.errors, 1);
    assert!(outcome.first_failure.unwrap().contains("123456"));
}

#[test]
fn a_job_on_many_disks_takes_them_in_turn() {
    let xen = Machine::seeded(6).disks(4, SECTORS).build();
    let line = "rw=read bs=4k iodepth=6 size=1m filename=xvda:xvdb:xvdc:xvdd";
    let outcome = run(&xen, line, 4);
    ok(&outcome);
    assert_eq!(outcome.results[0].read.ios, 256);
    for disk in &xen.world().disks {
        assert_eq!(disk.stats.reads, 64);
    }
}

#[test]
fn jobs_run_together_and_each_has_its_own_figures() {
    let xen = Machine::seeded(7).disks(2, SECTORS).build();
    let line = "bs=4k --name=a --rw=read --iodepth=3 --filename=xvda \
                --name=b --rw=randwrite --iodepth=5 --io_size=64k --filename=xvdb \
                --name=c --rw=randread --iodepth=8 --io_size=128k --filename=xvda";
    let outcome = run(&xen, line, 2);
    ok(&outcome);
    let ios: Vec<_> = outcome.results.iter().map(|job| (job.read.ios, job.write.ios)).collect();
    assert_eq!(ios, [(256, 0), (0, 16), (32, 0)]);
    // What a disk that two jobs share has cost is nobody's alone.
    let alone: Vec<_> =
        outcome.results.iter().map(|job| job.counters.map(|c| c.requests)).collect();
    assert_eq!(alone, [None, Some(16), None]);
    let world = xen.world();
    assert_eq!((world.disks[0].stats.reads, world.disks[1].stats.writes), (288, 16));
}

#[test]
fn a_read_only_disk_is_not_written() {
    let disk = Disk { read_only: true, ..Disk::new(XVDA, SECTORS) };
    let xen = Machine::seeded(8).disk(disk).build();
    let outcome = run(&xen, "rw=randrw bs=4k filename=xvda", 1);
    assert!(matches!(outcome.error, Some(RunError::ReadOnly { .. })), "{:?}", outcome.error);
    assert_eq!(xen.world().disks[0].stats.writes, 0);
}

#[test]
fn a_job_beyond_the_disk_puts_nothing() {
    let xen = one_disk(9);
    let outcome = run(&xen, "rw=read bs=4k offset=2g filename=xvda", 1);
    assert!(matches!(outcome.error, Some(RunError::Job(_))), "{:?}", outcome.error);
    assert_eq!(xen.world().disks[0].stats.reads, 0);
}

#[test]
fn the_tables_of_checksums_take_what_memory_the_jobs_leave() {
    let xen = one_disk(19);
    let mut guest = Guest::boot(&xen);
    let line = "bs=4k filename=xvda --name=a --rw=write --verify=crc32c --name=b --rw=read";
    let jobs = fio_job::parse(line).unwrap();
    let mut device = connect(&mut guest, XVDA, &jobs);
    // No machine has memory for all the blocks of this disk.
    let info = DiskInfo { sectors: 1 << 53, ..*device.info() };
    let disks = vec![engine::Disk { info, ..device.lend() }];
    let (outcome, _) = run_engine(&xen, jobs, disks, &mut |_| Control::Continue);
    let no_memory = JobError::NoMemory { job: "a".into() };
    assert_eq!(outcome.error, Some(RunError::Job(no_memory)));
    assert_eq!(outcome.results.len(), 2, "all had their memory before");
    assert!(outcome.results.iter().all(|job| job.runtime_ns == 0), "none has begun");
}

#[test]
fn jobs_that_are_cut_off_took_until_then() {
    let xen = one_disk(46);
    let mut guest = Guest::boot(&xen);
    let jobs = fio_job::parse("rw=randread loops=1000 filename=xvda").unwrap();
    let mut device = connect(&mut guest, XVDA, &jobs);
    let mut engine = start_engine(&xen, jobs, vec![device.lend()]);
    for _ in 0..100 {
        match engine.pass(&mut |_| Control::Continue) {
            Pass::SleepUntil(deadline_ns) => xen.wait(deadline_ns),
            pass => assert_eq!(pass, Pass::Again),
        }
    }
    let (outcome, _) = engine.finish();
    let job = &outcome.results[0];
    assert!((1..xen.now_ns()).contains(&job.runtime_ns), "{} ns", job.runtime_ns);
    assert_eq!((outcome.error, outcome.first_failure, job.errors()), (None, None, 0));
}

#[test]
fn a_stop_ends_a_run_without_losing_what_is_in_flight() {
    let xen = one_disk(10);
    let mut guest = Guest::boot(&xen);
    let jobs: Vec<Job> =
        fio_job::parse("rw=randread bs=4k iodepth=32 runtime=1h time_based filename=xvda").unwrap();
    let mut device = connect(&mut guest, XVDA, &jobs);
    let mut ticks = 0;
    let outcome = fixture::run_jobs(&xen, from_mut(&mut device), jobs, &mut |_| {
        ticks += 1;
        if ticks < 3 { Control::Continue } else { Control::Stop }
    });
    ok(&outcome);
    assert_eq!(device.queues[0].outstanding(), 0);
    assert_eq!(xen.world().disks[0].stats.reads, outcome.results[0].read.ios);
}

#[test]
fn checksums_find_nothing_wrong_with_an_honest_backend() {
    for seed in 0..72 {
        let count = 1 + seed as u32 % 3;
        let xen = Machine::seeded(seed).disks(count, SECTORS).build();
        let rw = ["write", "randwrite", "rw", "randrw"][seed as usize % 4];
        let bs = ["512", "4k", "4k verify_interval=512", "44k", "6k", "12k verify_interval=6k"]
            [seed as usize / 4 % 6];
        // From fewer blocks than I/Os in flight to more than are written.
        let size = ["132k", "264k", "33%"][seed as usize / 24 % 3];
        let end = ["", "io_size=900k", "runtime=20ms time_based"][seed as usize / 5 % 3];
        let iodepth = 1 + seed * 7 % 32 / u64::from(count);
        let grants = GRANTS[seed as usize / 2 % 3];
        let disks = ["xvda", "xvda:xvdb", "xvda:xvdb:xvdc"][count as usize - 1];
        let line = format!(
            "rw={rw} bs={bs} size={size} {end} iodepth={iodepth} grants={grants} filename={disks} \
             verify=crc32c"
        );
        let outcome = run(&xen, &line, count);
        assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None), "{seed}: {line}");
        let job = &outcome.results[0];
        assert!(job.write.ios > 0 && job.read.ios > 0 && job.read.errors == 0, "{line}");
        let writes: u64 = xen.world().disks.iter().map(|disk| disk.stats.writes).sum();
        assert_eq!(writes, job.write.ios, "{line}");
        // A later run takes the headers of any earlier one, where all was written.
        if rw == "write" && end.is_empty() {
            let line = line.replace("rw=write", "rw=read");
            let outcome = run(&xen, &line, count);
            assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None), "{seed}: {line}");
            assert!(outcome.results[0].read.ios > 0);
        }
    }
}

#[test]
fn checksums_find_lies_that_the_ring_does_not_show() {
    let lies =
        [Lie::Lost, Lie::Misdirected, Lie::BitFlip, Lie::LastSector, Lie::Partial, Lie::Early];
    for (seed, the_lie) in (0..2).flat_map(|seed| lies.map(|the_lie| (seed, the_lie))) {
        for grants in GRANTS {
            // Where nothing stays mapped, data that comes late breaks the device (B19).
            if the_lie == Lie::Early && grants == "per-request" {
                continue;
            }
            for rw in ["read", "randread", "write", "randwrite", "randrw"] {
                let xen = one_disk(seed);
                let line = format!("bs=8k iodepth=8 verify=crc32c grants={grants} filename=xvda");
                ok(&run(&xen, &format!("rw=write {line}"), 1));
                // One in four.
                xen.world().disks[0].mischief = Mischief::of(the_lie, 4);
                let outcome = run(&xen, &format!("rw={rw} io_size=1m {line}"), 1);
                let told = xen.world().disks[0].mischief.told;
                assert_eq!(outcome.error, None, "{the_lie:?} {rw} {grants}");
                let errors = outcome.results[0].read.errors;
                assert!(errors > 0, "{the_lie:?} {rw} {grants}: {told} lies, none found");
                assert!(outcome.first_failure.unwrap().starts_with("xvda: verify: block at byte "));
            }
        }
    }
}

#[test]
fn blocks_that_come_late_and_seldom_are_read_back_too() {
    let xen = one_disk(20);
    let line = "rw=randwrite bs=512 io_size=3m random_distribution=zipf:5 verify=crc32c \
                filename=xvda";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let data = xen.world().disks[0].data.clone();
    let written = data.chunks_exact(512).filter(|block| block[0] != 0).count() as u64;
    let job = &outcome.results[0];
    assert_eq!((job.write.ios, job.read.ios), (6144, written));
    assert!((4..12).contains(&written), "{written}");
}

#[test]
fn each_read_that_the_backend_left_out_is_found() {
    let line = "bs=8k iodepth=4 verify=pattern verify_pattern=0xff filename=xvda";
    for (seed, grants) in GRANTS.iter().enumerate() {
        let xen = one_disk(seed as u64);
        xen.world().disks[0].data.fill(0xff);
        // The slots hold what is expected, of the reads before.
        xen.world().disks[0].mischief = Mischief::of(Lie::Lost, 4);
        let read = run(&xen, &format!("rw=read grants={grants} {line}"), 1).results.remove(0).read;
        let told = xen.world().disks[0].mischief.told;
        assert!(read.ios == 128 && read.errors == told && told > 16, "{told}, {}", read.errors);
    }
}

#[test]
fn reads_between_the_writes_are_checked_too() {
    let xen = one_disk(18);
    xen.world().disks[0].mischief = Mischief::of(Lie::BitFlip, 4);
    // Without a seed each pass reads the same blocks again, none of which it has written.
    let line = "rw=randrw bs=4k size=64k io_size=1m verify=crc32c do_verify=0 randseed=1 \
                filename=xvda";
    assert!(run(&xen, line, 1).results[0].read.errors > 0);
}

/// Runs a job that writes at a steady pace, and after 4 s puts the disk back to what it was 2 s
/// before: the writes since then are lost. Answers the outcome, and how many blocks that spoiled.
fn lose_two_seconds(xen: &ModelXen, line: &str) -> (Outcome, usize) {
    let (mut ticks, mut old, mut lost) = (0, Vec::new(), 0);
    let outcome = run_and_see(xen, line, 1, &mut |_| {
        ticks += 1;
        let data = &mut xen.world().disks[0].data;
        match ticks {
            3 => old.clone_from(data),
            5 => {
                let blocks = data.chunks_exact(4096).zip(old.chunks_exact(4096));
                lost = blocks.filter(|(new, old)| new != old).count();
                data.clone_from(&old);
            }
            _ => {}
        }
    });
    (outcome, lost)
}

fn slow_disk(seed: u64) -> ModelXen {
    let service_ns = 9_000_000..11_000_000;
    Machine::seeded(seed).disk(Disk { service_ns, ..Disk::new(XVDA, SECTORS) }).build()
}

#[test]
fn a_lost_write_is_known_by_its_number() {
    for seed in 0..5 {
        let line = "rw=randwrite norandommap bs=4k size=256k io_size=2m iodepth=1 verify=crc32c \
                    filename=xvda";
        let xen = slow_disk(seed);
        let (outcome, lost) = lose_two_seconds(&xen, line);
        let errors = outcome.results[0].read.errors as usize;
        assert!(lost > 10 && (1..=lost).contains(&errors), "{errors} of {lost}");
        let found = outcome.first_failure.unwrap();
        assert!(found.contains("number of the write is "), "{found}");
    }
}

#[test]
fn a_lost_write_of_the_same_job_run_again_is_known_by_its_run() {
    let line = "rw=write bs=4k iodepth=1 verify=crc32c filename=xvda";
    for seed in 0..5 {
        let xen = slow_disk(seed);
        ok(&run(&xen, line, 1));
        // The second run writes each block once: what is lost shows the first run's block, which
        // differs in nothing but the time.
        let (outcome, lost) = lose_two_seconds(&xen, line);
        assert_eq!(outcome.results[0].read.errors as usize, lost);
        let found = outcome.first_failure.unwrap();
        assert!(found.contains("start of the run in ns is "), "{found}");
    }
}

#[test]
fn a_wrong_block_is_counted_or_with_verify_fatal_the_end() {
    let xen = one_disk(13);
    let job = "bs=4k iodepth=1 verify=crc32c filename=xvda";
    ok(&run(&xen, &format!("rw=write do_verify=0 {job}"), 1));
    assert_eq!(xen.world().disks[0].stats.reads, 0);
    for block in [3, 70, 200] {
        xen.world().disks[0].data[block * 4096 + 1000] ^= 4;
    }
    let all = run(&xen, &format!("rw=read {job}"), 1);
    assert_eq!((all.results[0].read.ios, all.results[0].read.errors), (256, 3));
    let found = all.first_failure.unwrap();
    assert!(found.starts_with("xvda: verify: block at byte 12288: data checksum is "), "{found}");
    let fatal = run(&xen, &format!("rw=read verify_fatal=1 {job}"), 1);
    assert_eq!((fatal.results[0].read.ios, fatal.results[0].read.errors), (4, 1));
}

#[test]
fn blocks_of_another_size_or_of_nobody_are_named() {
    let xen = one_disk(14);
    ok(&run(&xen, "rw=write bs=4k size=512k verify=crc32c filename=xvda", 1));
    for (job, what) in [
        ("bs=8k", "block at byte 0: length is 4096, should be 8192"),
        ("bs=4k offset=512k", "block at byte 524288: magic is 0x0, should be 0xacca"),
        ("bs=4k offset=512", "block at byte 512: magic is "),
    ] {
        let outcome = run(&xen, &format!("rw=read {job} verify=crc32c filename=xvda"), 1);
        let found = outcome.first_failure.expect(job);
        assert!(found.contains(what), "{found}");
    }
}

#[test]
fn no_block_has_two_ios_in_flight_and_all_are_done() {
    // Two blocks on each disk, 32 I/Os wanted.
    for (seed, rw) in ["write", "randwrite", "rw", "randrw"].iter().enumerate() {
        let xen = Machine::seeded(seed as u64).disks(2, SECTORS).build();
        let line = format!(
            "rw={rw} bs=4k iodepth=32 size=16k io_size=1m verify=crc32c filename=xvda:xvdb"
        );
        let outcome = run(&xen, &line, 2);
        ok(&outcome);
        let job = &outcome.results[0];
        // After each pass the blocks that it wrote are read back, which counts for io_size=; of a
        // mixed job chance says how many those are, and the last pass is read back whole.
        let most = if rw.ends_with("write") { 256 } else { 256 + 4 };
        assert!((256..=most).contains(&job.ios()), "{line}: {}", job.ios());
    }
}
