//! I/Os that take several requests, and I/Os that wait for room on the ring.

use drivers::Vcpu;
use drivers::ring;
use load::engine::{Outcome, Pass, REQUEST_TIMEOUT_NS, RunError};
use model::blkback::{Lie, Mischief};
use model::fixture::{self, assert_nothing_is_left, connect, run_line, start_engine};
use model::{Disk, Guest, ModelXen};

use crate::{GRANTS, Machine, XVDA, ok, run, run_and_see};

/// Disk whose backend takes this many segments in a request, on rings of this order.
#[derive(Clone, Copy, Debug)]
struct Backend {
    indirect_max: usize,
    ring_order_max: u32,
}

impl Backend {
    /// Returns the machine with a disk of `bytes` bytes and memory for the I/Os of tests on it.
    fn machine(self, seed: u64, bytes: u64) -> ModelXen {
        let Self { indirect_max, ring_order_max } = self;
        let disk = Disk { indirect_max, ring_order_max, ..Disk::new(XVDA, bytes / 512) };
        let pages = (700 + bytes as usize / 1024).min(17_000);
        Machine::seeded(seed).pages(pages).grant_frames(40).disk(disk).build()
    }

    fn request_bytes(self) -> u64 {
        self.indirect_max.max(11) as u64 * 4096
    }
}

/// Writes the whole of a disk of `blocks` blocks with checksums and reads it back; each I/O has to
/// take just the requests that its bytes take.
fn write_and_verify(seed: u64, backend: Backend, bs: &str, blocks: u64, options: &str) -> ModelXen {
    let bytes = fio_job::parse(&format!("bs={bs}")).unwrap()[0].bs_bytes;
    let xen = backend.machine(seed, blocks * u64::from(bytes));
    let rw = if seed.is_multiple_of(2) { "write" } else { "randwrite" };
    let line = format!("rw={rw} bs={bs} verify=crc32c filename=xvda {options}");
    let outcome = run(&xen, &line, 1);
    ok(&outcome);
    let job = &outcome.results[0];
    let context = format!("{line} on {backend:?}");
    assert_eq!((job.write.ios, job.read.ios), (blocks, blocks), "{context}");
    let requests = blocks * u64::from(bytes).div_ceil(backend.request_bytes());
    assert_eq!(job.counters.expect("a disk of its own").requests, 2 * requests, "{context}");
    let stats = xen.world().disks[0].stats;
    assert_eq!((stats.writes, stats.reads, stats.rejected), (requests, requests, 0), "{context}");
    assert!(stats.depth_max <= ring::entries(backend.ring_order_max) as usize);
    assert_nothing_is_left(&xen);
    xen
}

#[test]
fn any_block_size_goes_to_any_backend() {
    let sizes = [("512", 60), ("4k", 40), ("44k", 12), ("64k", 9), ("1m", 2), ("2m", 3), ("5m", 2)];
    for (number, (bs, blocks)) in sizes.into_iter().enumerate() {
        for (indirect, indirect_max) in [0, 32, 256].into_iter().enumerate() {
            for (ring, ring_order_max) in [0, 2, 4].into_iter().enumerate() {
                // Each size with each backend and each way to grant; the largest in each of three
                // cells.
                let cell = number + indirect + ring;
                if matches!(bs, "2m" | "5m") && (indirect + 2 * ring + number) % 3 != 0 {
                    continue;
                }
                let backend = Backend { indirect_max, ring_order_max };
                let options = format!("iodepth=4 grants={}", GRANTS[cell % 3]);
                write_and_verify(cell as u64, backend, bs, blocks, &options);
            }
        }
    }
}

#[test]
fn the_largest_blocks_go_to_the_smallest_rings() {
    for (seed, indirect_max, grants) in [(0, 0, 0), (1, 32, 2), (2, 4096, 0)] {
        let backend = Backend { indirect_max, ring_order_max: 0 };
        let options = format!("iodepth=2 grants={}", GRANTS[grants]);
        write_and_verify(seed, backend, "16m", 2, &options);
    }
}

#[test]
fn parts_of_blocks_without_room_for_all_their_data_follow_one_another() {
    for (seed, indirect_max, depth) in [(0, 0, 1), (1, 256, 2)] {
        let backend = Backend { indirect_max, ring_order_max: 0 };
        let xen = backend.machine(seed, 34 << 20);
        let requests = 2 * (17_u64 << 20).div_ceil(backend.request_bytes());
        let grants = GRANTS[seed as usize];
        let options = format!("bs=17m iodepth={depth} grants={grants} filename=xvda");
        let line = format!("rw=write buffer_pattern=0x5a {options}");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let write = &outcome.results[0].write;
        assert_eq!((write.ios, xen.world().disks[0].stats.writes), (2, requests), "{line}");
        assert!(xen.world().disks[0].data.iter().all(|byte| *byte == 0x5a), "{line}");
        let outcome = run(&xen, &format!("rw=randread {options}"), 1);
        ok(&outcome);
        assert_eq!((outcome.results[0].read.ios, xen.world().disks[0].stats.reads), (2, requests));
        assert_nothing_is_left(&xen);
    }
}

#[test]
fn requests_have_no_more_segments_than_the_job_wants() {
    let sizes = [("44k", 9), ("64k", 9), ("128k", 8), ("132k", 8), ("2m", 2), ("5m", 2)];
    for (number, (bs, blocks)) in sizes.into_iter().enumerate() {
        for (place, (wanted, offered)) in
            [(0, 256), (12, 256), (32, 256), (256, 32), (32, 0)].into_iter().enumerate()
        {
            // The largest blocks each in some of the cells.
            if matches!(bs, "2m" | "5m") && (number + place) % 2 == 0 {
                continue;
            }
            let backend = Backend { indirect_max: offered, ring_order_max: 4 };
            let most = Backend { indirect_max: wanted.min(offered), ..backend };
            let bytes = fio_job::parse(&format!("bs={bs}")).unwrap()[0].bs_bytes;
            let xen = backend.machine(number as u64, blocks * u64::from(bytes));
            let line = format!(
                "rw=randwrite bs={bs} iodepth=3 verify=crc32c filename=xvda grants={} \
                 ringmark_indirect={wanted}",
                GRANTS[(number + place) % 3]
            );
            let outcome = run(&xen, &line, 1);
            ok(&outcome);
            let job = &outcome.results[0];
            let context = format!("{line} of {offered}");
            assert_eq!((job.write.ios, job.read.ios), (blocks, blocks), "{context}");
            assert_eq!(u64::from(job.request_bytes_max), most.request_bytes(), "{context}");
            let requests = blocks * u64::from(bytes).div_ceil(most.request_bytes());
            let stats = xen.world().disks[0].stats;
            let done = (stats.writes, stats.reads, stats.rejected);
            assert_eq!(done, (requests, requests, 0), "{context}");
            let segments = most.request_bytes().min(bytes.into()).div_ceil(4096);
            assert_eq!(stats.segments_max as u64, segments, "{context}");
            assert_nothing_is_left(&xen);
        }
    }
}

#[test]
fn headers_stand_where_they_stand_in_an_io_of_one_request() {
    for interval in ["64k", "192k", "768k"] {
        let backend = Backend { indirect_max: 0, ring_order_max: 0 };
        let options = format!("iodepth=2 verify_interval={interval}");
        let xen = write_and_verify(1, backend, "768k", 3, &options);
        xen.world().disks[0].disk.indirect_max = 256;
        let path = format!("{}/feature-max-indirect-segments", xen.world().disks[0].path());
        xen.world().set(&path, "256");
        let line = format!("rw=read bs=768k verify=crc32c filename=xvda {options}");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        assert_eq!(outcome.results[0].counters.unwrap().requests, 3, "one each");
    }
}

#[test]
fn patterns_go_on_from_part_to_part() {
    for options in
        ["verify=pattern verify_pattern=%o\"abc\" do_verify=0", "buffer_pattern=%o\"abc\""]
    {
        let xen = Backend { indirect_max: 0, ring_order_max: 0 }.machine(3, 4 << 20);
        let line = format!("rw=write bs=512k iodepth=3 filename=xvda {options}");
        ok(&run(&xen, &line, 1));
        let data = xen.world().disks[0].data.clone();
        for (block, bytes) in data.chunks(512 << 10).enumerate() {
            let mut expected = ((block as u64) << 19).to_le_bytes().to_vec();
            expected.extend(b"abc");
            assert!(bytes.iter().zip(expected.iter().cycle()).all(|(found, is)| found == is));
        }
    }
}

#[test]
fn no_two_sectors_of_a_split_write_are_alike() {
    for options in ["", "refill_buffers"] {
        let xen = Backend { indirect_max: 32, ring_order_max: 0 }.machine(4, 4 << 20);
        ok(&run(&xen, &format!("rw=write bs=1m iodepth=4 filename=xvda {options}"), 1));
        let data = xen.world().disks[0].data.clone();
        let mut sectors: Vec<&[u8]> = data.chunks_exact(512).collect();
        sectors.sort_unstable();
        sectors.dedup();
        assert_eq!(sectors.len(), 8192, "{options}");
    }
}

#[test]
fn no_two_split_writes_of_a_block_carry_the_same_data() {
    let [once, twice] = [1, 2].map(|loops| {
        let xen = Backend { indirect_max: 32, ring_order_max: 0 }.machine(18, 1 << 20);
        let line = format!("rw=write bs=1m iodepth=1 loops={loops} filename=xvda");
        ok(&run(&xen, &line, 1));
        xen.world().disks[0].data.clone()
    });
    // Behind their stamps, sectors differ by chance: they went through different slots.
    let mut sectors = once.chunks(512).zip(twice.chunks(512));
    assert!(sectors.all(|(first, second)| first[..16] != second[..16]));
}

#[test]
fn a_part_that_does_not_come_is_found_though_its_slot_held_the_same_data() {
    let xen = Backend { indirect_max: 0, ring_order_max: 0 }.machine(19, 4 << 20);
    let mut guest = Guest::boot(&xen);
    let line = "bs=1m iodepth=2 filename=xvda verify=pattern verify_pattern=0xff";
    let jobs = fio_job::parse(line).unwrap();
    let mut devices = [connect(&mut guest, XVDA, &jobs)];
    ok(&run_line(&xen, &mut devices, &format!("rw=write do_verify=0 {line}")));
    xen.world().disks[0].mischief = Mischief::of(Lie::Lost, 1);
    let line = format!("rw=read continue_on_error=all {line}");
    let outcome = run_line(&xen, &mut devices, &line);
    let told = xen.world().disks[0].mischief.told;
    assert!(told > 0 && outcome.error.is_none());
    assert!((1..=told).contains(&outcome.results[0].read.errors), "{told}");
    let [device] = devices;
    guest.disconnect(device);
}

#[test]
fn a_trim_of_any_size_is_one_request() {
    for (bs, iodepth, ring_order_max) in [("2m", 2, 0), ("16m", 1, 4), ("4k", 1024, 0)] {
        let backend = Backend { indirect_max: 0, ring_order_max };
        let xen = backend.machine(5, 32 << 20);
        let line = format!("rw=trim bs={bs} iodepth={iodepth} filename=xvda");
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let ios = (32 << 20) / u64::from(outcome.results[0].job.bs_bytes);
        assert_eq!((outcome.results[0].trim.ios, xen.world().disks[0].stats.discards), (ios, ios));
    }
}

#[test]
fn an_io_takes_as_long_as_its_last_part() {
    let mut disk = Disk { indirect_max: 32, ..Disk::new(XVDA, 4096) };
    // A part takes between 1 and 9 ms, and the last of 16 nearly always 7 at least.
    disk.service_ns = 1_000_000..9_000_000;
    let xen = Machine::seeded(6).pages(1200).disk(disk).build();
    let outcome = run(&xen, "rw=read bs=2m iodepth=1 loops=20 filename=xvda", 1);
    ok(&outcome);
    let job = &outcome.results[0];
    let moments = job.read.latency.moments();
    assert_eq!((moments.count(), job.read.bytes), (20, 20 << 21));
    assert!(moments.mean() > 8_000_000.0 && moments.min() > 6_000_000, "{moments:?}");
    assert!(moments.sum() <= u128::from(job.runtime_ns) && job.ring_wait_ns == 0);
    // Of its 47 parts 15 are put when others have ended, and it waits for that.
    let mut disk = Disk { indirect_max: 0, ring_order_max: 0, ..Disk::new(XVDA, 4096) };
    disk.service_ns = 1_000_000..1_000_001;
    let xen = Machine::seeded(6).pages(1200).disk(disk).build();
    let outcome = run(&xen, "rw=read bs=2m iodepth=1 loops=5 filename=xvda", 1);
    ok(&outcome);
    let job = &outcome.results[0];
    let (moments, waited_ns) = (job.read.latency.moments(), job.ring_wait_ns);
    assert!(moments.min() > 2_000_000 && waited_ns > 5_000_000, "{moments:?} {waited_ns}");
    assert!(u128::from(waited_ns) < moments.sum(), "{waited_ns}");
}

#[test]
fn ios_of_one_request_wait_for_room_on_a_small_ring() {
    let xen = Backend { indirect_max: 0, ring_order_max: 0 }.machine(7, 8 << 20);
    let line = "rw=randread bs=4k iodepth=1024 runtime=50ms time_based filename=xvda";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let job = &outcome.results[0];
    assert_eq!(xen.world().disks[0].stats.depth_max, 32);
    let (waited_ns, runtime_ns) = (job.ring_wait_ns, job.runtime_ns);
    assert!(waited_ns > runtime_ns / 10 * 9 && waited_ns <= runtime_ns, "{waited_ns}");
    // The wait is in no latency: 32 at once take all of the time.
    let sum = job.read.latency.moments().sum();
    assert!(sum <= 32 * u128::from(runtime_ns), "{sum}");
    // With room for all nobody waits.
    let xen = Backend { indirect_max: 0, ring_order_max: 4 }.machine(7, 8 << 20);
    let outcome = run(&xen, &line.replace("1024", "512"), 1);
    assert_eq!(outcome.results[0].ring_wait_ns, 0);
}

#[test]
fn deep_jobs_do_all_their_ios_once_on_a_ring_of_one_page() {
    for (seed, options) in [
        "rw=randread bs=4k iodepth=1024",
        "rw=randwrite bs=4k iodepth=1024 verify=crc32c",
        "rw=randrw bs=4k iodepth=64 verify=pattern verify_pattern=%o",
        "rw=write bs=4k iodepth=100 fsync=3",
        "rw=write bs=512k iodepth=9 fsync=1",
        "rw=read bs=4k iodepth=500 iodepth_batch=100 iodepth_batch_complete_max=200",
        "rw=read bs=4k iodepth=200 rate_iops=100000",
        "rw=read bs=1m iodepth=8 ringmark_queues=3",
    ]
    .into_iter()
    .enumerate()
    {
        for grants in GRANTS {
            let backend = Backend { indirect_max: 0, ring_order_max: 0 };
            let xen = backend.machine(seed as u64, 4 << 20);
            let line = format!("{options} filename=xvda grants={grants}");
            let outcome = run(&xen, &line, 1);
            ok(&outcome);
            let job = &outcome.results[0];
            let blocks = (4 << 20) / u64::from(job.job.bs_bytes);
            let back = if job.job.reads_back() { job.write.ios } else { 0 };
            assert_eq!(job.ios(), blocks + back, "{line}");
            assert!(job.ring_wait_ns <= job.runtime_ns);
            assert_nothing_is_left(&xen);
        }
    }
}

#[test]
fn sizes_below_and_above_one_request_mix() {
    for grants in GRANTS {
        let backend = Backend { indirect_max: 32, ring_order_max: 0 };
        let xen = backend.machine(8, 16 << 20);
        let line = format!(
            "rw=randrw norandommap bssplit=4k/50:1m/25:600k/25 iodepth=16 io_size=40m \
             filename=xvda grants={grants}"
        );
        let outcome = run(&xen, &line, 1);
        ok(&outcome);
        let job = &outcome.results[0];
        let stats = xen.world().disks[0].stats;
        assert_eq!(job.counters.unwrap().requests, stats.reads + stats.writes);
        assert!(job.ios() > 60 && stats.reads + stats.writes > 3 * job.ios(), "{stats:?}");
        assert!(job.read.bytes + job.write.bytes >= 40 << 20);
    }
}

#[test]
fn jobs_that_wait_share_what_gets_free() {
    let backend = Backend { indirect_max: 0, ring_order_max: 0 };
    let xen = backend.machine(9, 8 << 20);
    let line = "rw=randread bs=4k iodepth=64 runtime=100ms time_based filename=xvda \
                --name=a --name=b --name=c";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let ios: Vec<u64> = outcome.results.iter().map(|job| job.ios()).collect();
    let (least, most) = (ios.iter().min().unwrap(), ios.iter().max().unwrap());
    assert!(least * 4 > most * 3, "{ios:?}");
    // A large I/O gets its slots although small ones take each that gets free.
    let xen = backend.machine(10, 8 << 20);
    let line = "runtime=200ms time_based filename=xvda --name=small --rw=randread --bs=4k \
                --iodepth=64 --name=large --rw=write --bs=1m --iodepth=2 --verify=crc32c \
                --do_verify=0";
    let outcome = run(&xen, line, 1);
    ok(&outcome);
    let ios: Vec<u64> = outcome.results.iter().map(|job| job.ios()).collect();
    assert!(ios[0] > 1000 && ios[1] > 20, "{ios:?}");
}

#[test]
fn a_job_over_many_disks_waits_for_the_one_that_is_full() {
    let mut slow = Disk { ring_order_max: 0, ..Disk::new(XVDA, 2048) };
    slow.service_ns = 1_000_000..2_000_000;
    let fast = Disk { ring_order_max: 0, ..Disk::new(fixture::vdev(1), 2048) };
    let xen = Machine::seeded(11).pages(2000).disk(slow).disk(fast).build();
    let outcome = run(&xen, "rw=read bs=4k iodepth=128 filename=xvda:xvdb", 2);
    ok(&outcome);
    let job = &outcome.results[0];
    assert_eq!(job.read.ios, 512);
    // In turn, as they were named.
    assert!(job.ring_wait_ns > job.runtime_ns / 2 && job.ring_wait_ns <= job.runtime_ns);
}

#[test]
fn a_job_ends_with_its_time_while_it_waits() {
    let mut disk = Disk { ring_order_max: 0, ..Disk::new(XVDA, 2048) };
    disk.service_ns = 30_000_000..40_000_000;
    let xen = Machine::seeded(12).disk(disk).build();
    let outcome = run(&xen, "rw=read bs=4k iodepth=100 runtime=10ms filename=xvda", 1);
    ok(&outcome);
    let job = &outcome.results[0];
    assert_eq!((job.read.ios, xen.world().disks[0].stats.reads), (32, 32));
    assert!(job.runtime_ns >= 30_000_000 && job.ring_wait_ns <= job.runtime_ns);
}

#[test]
fn a_ramp_has_no_part_in_the_wait() {
    let backend = Backend { indirect_max: 0, ring_order_max: 0 };
    let line = "rw=randread bs=4k iodepth=64 ramp_time=40ms runtime=20ms time_based filename=xvda";
    let outcome = run(&backend.machine(13, 8 << 20), line, 1);
    ok(&outcome);
    let job = &outcome.results[0];
    let (waited_ns, runtime_ns) = (job.ring_wait_ns, job.runtime_ns);
    assert!(waited_ns > runtime_ns / 10 * 8 && waited_ns <= runtime_ns, "{waited_ns}");
}

#[test]
fn a_part_that_fails_fails_its_io_once() {
    for grants in GRANTS {
        let backend = Backend { indirect_max: 32, ring_order_max: 0 };
        let xen = backend.machine(14, 8 << 20);
        xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 2);
        let line = format!("bs=1m iodepth=5 continue_on_error=all filename=xvda grants={grants}");
        let outcome = run(&xen, &format!("rw=read {line} loops=10"), 1);
        assert_eq!((outcome.error, outcome.first_failure), (None, None));
        let read = &outcome.results[0].read;
        assert_eq!(read.ios + read.errors, 80, "{read:?}");
        assert!(read.errors > 10 && read.ios > 10, "{} {}", read.errors, read.ios);
        assert_eq!(read.latency.moments().count(), read.ios);
        // Nothing is left behind: all parts of all I/Os were asked for.
        assert_eq!(outcome.results[0].counters.unwrap().requests, 640);
        // The first that fails ends a job that does not go on, and is told.
        let line = line.replace("continue_on_error=all", "");
        xen.world().disks[0].mischief = Mischief::of(Lie::Status(-1), 16);
        let outcome = run(&xen, &format!("rw=write {line}"), 1);
        let told = outcome.first_failure.expect("a failure");
        assert!(told.starts_with("xvda: Write at byte "), "{told}");
        let write = &outcome.results[0].write;
        assert_eq!((write.ios, write.errors), (0, 5), "those that were in flight");
        assert_nothing_is_left(&xen);
    }
}

#[test]
fn wrong_data_in_any_part_is_found_once() {
    for options in ["verify=crc32c", "verify=pattern verify_pattern=%o"] {
        let xen = Backend { indirect_max: 0, ring_order_max: 0 }.machine(15, 4 << 20);
        let line = format!("bs=1m iodepth=2 filename=xvda continue_on_error=all {options}");
        ok(&run(&xen, &format!("rw=write do_verify=0 {line}"), 1));
        // Two parts of one block, and the last byte of another.
        for at in [50_000, 900_000, (3 << 20) - 1] {
            xen.world().disks[0].data[at] ^= 1;
        }
        let outcome = run(&xen, &format!("rw=read {line}"), 1);
        assert_eq!((outcome.results[0].read.errors, outcome.results[0].read.ios), (2, 4));
    }
}

/// Runs a job of split I/Os on a backend that lies, whose device is lost then.
fn with_lie(seed: u64, lie: Lie, chance: u32, line: &str) -> (ModelXen, Outcome) {
    let xen = Backend { indirect_max: 0, ring_order_max: 0 }.machine(seed, 4 << 20);
    let outcome = {
        let mut guest = Guest::boot(&xen);
        let jobs = fio_job::parse(line).unwrap();
        let mut devices = [connect(&mut guest, XVDA, &jobs)];
        xen.world().disks[0].mischief = Mischief::of(lie, chance);
        let outcome = run_line(&xen, &mut devices, line);
        xen.world().disks[0].mischief = Mischief::none();
        let [device] = devices;
        guest.disconnect(device);
        outcome
    };
    (xen, outcome)
}

#[test]
fn a_part_that_is_answered_twice_breaks_the_device() {
    for (seed, options) in ["rw=read", "rw=write verify=crc32c", "rw=read verify=crc32c"]
        .into_iter()
        .cycle()
        .take(9)
        .enumerate()
    {
        for lie in [Lie::Twice, Lie::StaleId, Lie::NoSuchSlot] {
            let line = format!("bs=1m iodepth=3 continue_on_error=all {options} filename=xvda");
            let (_, outcome) = with_lie(seed as u64, lie, 2, &line);
            assert!(matches!(outcome.error, Some(RunError::Broken(..))), "{:?}", outcome.error);
            let errors = outcome.results[0].errors();
            let mismatches = outcome.results[0].read.ios;
            assert!((1..=3 + mismatches).contains(&errors), "{errors}: each that was lost, once");
        }
    }
}

#[test]
fn a_part_that_is_never_answered_is_given_up_in_time() {
    for (seed, chance, options, lost) in [
        // Both I/Os of 24 parts, of which 32 are on the ring.
        (0, 16, "rw=read bs=1m iodepth=2", 2),
        (1, 16, "rw=write bs=1m iodepth=2 verify=crc32c", 2),
        (2, 16, "rw=read bs=4k iodepth=100", 32),
        (3, 1, "rw=read bs=1m iodepth=1 loops=10", 1),
    ] {
        let line = format!("{options} filename=xvda");
        let (xen, outcome) = with_lie(seed, Lie::Silent, chance, &line);
        let Some(RunError::Stuck { disk, outstanding }) = outcome.error else {
            panic!("{line}: {:?}", outcome.error);
        };
        assert!(disk == "xvda" && (1..=32).contains(&outstanding), "{outstanding}");
        let job = &outcome.results[0];
        assert_eq!(job.errors(), lost, "{line}");
        assert!(job.ring_wait_ns <= job.runtime_ns && xen.now_ns() < 3 * REQUEST_TIMEOUT_NS);
    }
}

#[test]
fn parts_that_are_left_out_are_noticed_though_others_go_on() {
    // One in 16 parts is never answered, and others pass it by.
    let line = "rw=randread bs=96k norandommap iodepth=16 runtime=200 time_based filename=xvda";
    let (_, outcome) = with_lie(4, Lie::Silent, 1, line);
    let stalled = matches!(outcome.error, Some(RunError::Stuck { .. } | RunError::Overdue { .. }));
    assert!(stalled, "{:?}", outcome.error);
    assert!(outcome.results[0].read.errors <= 16);
}

#[test]
fn a_stopped_job_ends_whole() {
    let backend = Backend { indirect_max: 0, ring_order_max: 0 };
    for options in ["rw=write bs=4m iodepth=3", "rw=write bs=4m iodepth=3 verify=crc32c"] {
        let xen = backend.machine(16, 16 << 20);
        let mut guest = Guest::boot(&xen);
        let line = format!("{options} runtime=2ms time_based filename=xvda");
        let jobs = fio_job::parse(&line).unwrap();
        let mut device = connect(&mut guest, XVDA, &jobs);
        let mut engine = start_engine(&xen, jobs, vec![device.lend()]);
        let mut observe = |_: &_| load::engine::Control::Continue;
        loop {
            match engine.pass(&mut observe) {
                Pass::Again => {}
                Pass::SleepUntil(deadline_ns) => xen.wait(deadline_ns),
                Pass::Done => break,
            }
        }
        let (outcome, mut disks) = engine.finish();
        ok(&outcome);
        let job = &outcome.results[0];
        // Each I/O that began has all of its 94 parts.
        let requests = job.counters.unwrap().requests;
        let ios = job.write.ios + job.read.ios;
        assert!(ios > 0 && requests == ios * 94, "{requests} for {ios}");
        // The last of them goes on beyond the end, when nothing waits for room any more.
        let (waited_ns, took_ns) = (job.ring_wait_ns, job.write.runtime_ns);
        let is_write_alone = job.read.ios == 0;
        assert!(took_ns > 2_000_000 && (waited_ns <= 2_000_000) == is_write_alone, "{waited_ns}");
        device.queues = disks.remove(0).queues;
        guest.disconnect(device);
        assert_nothing_is_left(&xen);
    }
}

#[test]
fn progress_goes_on_while_ios_wait() {
    let mut disk = Disk { indirect_max: 0, ring_order_max: 0, ..Disk::new(XVDA, 65_536) };
    disk.service_ns = 400_000_000..500_000_000;
    let xen = Machine::seeded(17).pages(2000).disk(disk).build();
    let mut moved = Vec::new();
    let line = "rw=read bs=2m iodepth=4 io_size=16m filename=xvda";
    ok(&run_and_see(&xen, line, 1, &mut |progress| moved.push(progress.read.bytes)));
    assert!(moved.windows(2).all(|pair| pair[0] <= pair[1]) && moved.len() > 3, "{moved:?}");
}
