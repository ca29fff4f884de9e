//! Which pages a backend keeps mapped, as the guest counts it: by the marks of its own grant table,
//! after a job, held against what the backend has.

use std::slice::from_mut;

use drivers::blkfront::{self, GrantMode, Operation, Setup};
use load::plan::{Dealing, persistent_warning};
use model::blkback::{Lie, Mischief};
use model::fixture::{Machine, XVDA, connect, run_line, vdev};
use model::guest::{perform, setup};
use model::{Disk, Guest};
use results::{JobResult, PagesKept};

const SECTORS: u64 = 16384;

/// Disk whose backend keeps at most `persistent_max` pages of a ring mapped.
fn keeps(persistent_max: usize) -> Disk {
    Disk { persistent_max, ..Disk::new(XVDA, SECTORS) }
}

/// Returns what the guest counts and how many pages the backend keeps, after `line` on this disk.
fn counted(seed: u64, disk: Disk, line: &str) -> (JobResult, usize) {
    let xen = Machine::seeded(seed).pages(5000).grant_frames(16).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let mut device = connect(&mut guest, XVDA, &fio_job::parse(line).unwrap());
    let outcome = run_line(&xen, from_mut(&mut device), line);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    let kept = xen.world().disks[0].kept_grants();
    guest.disconnect(device);
    let result = JobResult::sum(&outcome.results).expect("a job");
    (result, kept)
}

#[test]
fn what_is_counted_is_what_the_backend_keeps() {
    let small = "filename=xvda bs=4k iodepth=32";
    let large = "filename=xvda bs=128k iodepth=32 loops=2";
    for (most, line, used, kept) in [
        (1056, small, 32, 32),
        (32, small, 32, 32),
        (31, small, 32, 31),
        (8, small, 32, 8),
        (0, small, 32, 0),
        // A page with the segments belongs to each request, and is mapped and kept as they are.
        (1056, large, 1056, 1056),
        (99, large, 1056, 99),
        (8, large, 1056, 8),
        (0, large, 1056, 0),
    ] {
        for grants in ["persistent", "persistent-copy"] {
            for rw in ["read", "randwrite", "randread fsync=3"] {
                let line = format!("{line} rw={rw} grants={grants}");
                let (result, has) = counted(31, keeps(most), &line);
                assert_eq!(result.pages_kept(), Some(PagesKept { used, kept }), "{most} {line}");
                assert_eq!(has, kept as usize, "{most} {line}");
                assert_eq!(result.marks().is_empty(), used == kept, "{most} {line}");
            }
        }
    }
}

/// Linux's backend makes room now and then when it has none left: what is kept is a little less
/// than the limit.
#[test]
fn the_count_follows_a_backend_that_makes_room() {
    let mut made_room = 0;
    for seed in 0..4 {
        let disk = Disk { service_ns: 5_000_000..20_000_000, ..keeps(500) };
        let line = "filename=xvda rw=randread bs=128k iodepth=32 norandommap io_size=128m";
        let (result, has) = counted(seed, disk, line);
        let pages = result.pages_kept().expect("counted");
        assert_eq!((pages.used, pages.kept as usize), (1056, has));
        assert!((475..=500).contains(&has), "{has}");
        made_room += usize::from(has < 500);
    }
    assert_ne!(made_room, 0);
}

#[test]
fn a_backend_without_the_feature_keeps_nothing_and_a_job_per_request_asks_for_nothing() {
    let disk = Disk { persistent: false, ..Disk::new(XVDA, SECTORS) };
    let line = "filename=xvda bs=4k iodepth=8 rw=read";
    let (result, _) = counted(32, disk, line);
    assert_eq!(result.pages_kept(), Some(PagesKept { used: 8, kept: 0 }));
    let marks = result.marks();
    assert!(
        marks[0].starts_with("the backend keeps nothing mapped between requests;"),
        "{marks:?}"
    );
    let (result, _) = counted(32, keeps(1056), &format!("{line} grants=per-request"));
    assert_eq!((result.pages_kept(), result.marks().len()), (None, 0));
}

#[test]
fn only_pages_that_requests_used_are_counted() {
    // Deeper than what is ever put, larger than most blocks, written to but never in a request.
    for (line, used) in [
        ("rw=read bs=4k iodepth=64 number_ios=5", 5),
        ("rw=write bs=64k iodepth=16 number_ios=3", 3 * 17),
        ("rw=read bs=4k,64k iodepth=4 size=1m", 4),
        ("rw=randtrim bs=64k iodepth=4", 0),
    ] {
        let (result, has) = counted(33, keeps(1056), &format!("filename=xvda {line}"));
        assert_eq!(result.pages_kept(), Some(PagesKept { used, kept: used }), "{line}");
        assert_eq!((has, result.marks().len()), (used as usize, 0), "{line}");
    }
}

#[test]
fn disks_and_queues_add_up_and_jobs_of_one_disk_do_not() {
    let xen = Machine::seeded(34)
        .disk(keeps(3))
        .disk(Disk { persistent_max: 100, ..Disk::new(vdev(1), SECTORS) })
        .build();
    let mut guest = Guest::boot(&xen);
    let line = "rw=randread bs=4k iodepth=8 io_size=4m ringmark_queues=2 group_reporting \
                --name=a --filename=xvda --name=b --filename=xvda --name=c --filename=xvda:xvdb";
    let jobs = fio_job::parse(line).unwrap();
    let mut devices = [0, 1].map(|index| connect(&mut guest, vdev(index), &jobs));
    let outcome = run_line(&xen, &mut devices, line);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    let kept = |disk: usize| xen.world().disks[disk].kept_grants() as u32;
    // Three of a ring, of which there are two; what is in flight on each disk is up to the jobs.
    assert_eq!(kept(0), 6);
    let [a, b, c] = [0, 1, 2].map(|job| outcome.results[job].pages_kept().expect("counted"));
    assert_eq!((a, a.kept), (b, 6));
    assert_eq!(c.kept, 6 + kept(1));
    assert_eq!(c.used, a.used + kept(1));
    let sum = JobResult::sum(&outcome.results).expect("three");
    assert_eq!(sum.pages_kept(), Some(c));
}

#[test]
fn what_was_read_before_the_job_is_not_the_jobs() {
    let xen = Machine::seeded(38).disk(keeps(1056)).build();
    let mut guest = Guest::boot(&xen);
    let line = |iodepth| format!("filename=xvda rw=read bs=4k iodepth={iodepth} size=1m");
    let mut device = connect(&mut guest, XVDA, &fio_job::parse(&line(20)).unwrap());
    for iodepth in [20, 3] {
        let outcome = run_line(&xen, from_mut(&mut device), &line(iodepth));
        let all = Some(PagesKept { used: iodepth, kept: iodepth });
        assert_eq!(outcome.results[0].pages_kept(), all);
    }
    guest.disconnect(device);
}

/// A backend may let go of what nobody used for a minute, and no request is slower for it.
#[test]
fn pages_that_are_idle_for_long_are_not_missed() {
    // All 32 at first, then one at a time.
    let line = "filename=xvda rw=randread bs=4k norandommap time_based --name=wide --iodepth=31 \
                --runtime=2 --name=narrow --iodepth=1 --rate_iops=20 --runtime=150";
    let (result, has) = counted(35, keeps(1056), line);
    let pages = result.pages_kept().expect("counted");
    assert_eq!((pages.used, has), (pages.kept, pages.kept as usize));
    assert!((1..31).contains(&pages.kept), "{pages:?}");
    assert_eq!(result.marks(), [""; 0]);
}

#[test]
fn nothing_is_counted_before_a_request_or_while_one_is_in_flight() {
    let xen = Machine::seeded(36).disk(keeps(1056)).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    assert_eq!(device.queues[0].pages_kept(), Some(blkfront::PagesKept::default()));
    let mut slot = device.queues[0].acquire().unwrap();
    for round in 0..3 {
        device.queues[0].submit(slot, Operation::Read, 0, 4096);
        assert_eq!(device.queues[0].pages_kept(), None);
        // What is in flight when a window begins belongs to it.
        device.queues[0].begin_window();
        device.queues[0].begin_window();
        device.queues[0].kick(&xen).unwrap();
        let done = model::guest::await_completion(&xen, &mut device).unwrap().unwrap();
        let one = Some(blkfront::PagesKept { used: 1, kept: 1 });
        assert_eq!(device.queues[0].pages_kept(), one, "round {round}");
        device.queues[0].begin_window();
        assert_eq!(device.queues[0].pages_kept(), one, "round {round}");
        device.queues[0].begin_window();
        assert_eq!(
            device.queues[0].pages_kept(),
            Some(blkfront::PagesKept::default()),
            "round {round}"
        );
        slot = done.slot;
    }
    device.queues[0].release(slot);
    guest.disconnect(device);
}

/// Old data behind the end of a write is wiped, whichever window it is of (XSA-403).
#[test]
fn a_new_window_forgets_no_old_data() {
    let xen = Machine::seeded(37).disk(keeps(1056)).build();
    xen.world().disks[0].data.fill(0xaa);
    let mut guest = Guest::boot(&xen);
    let setup = Setup { slots: 1, ..setup(GrantMode::Persistent) };
    let mut device = guest.connect(XVDA, &setup).unwrap();
    let slot = device.queues[0].acquire().unwrap();
    let done = perform(&xen, &mut device, slot, Operation::Read, 0, 4096).unwrap().unwrap();
    device.queues[0].begin_window();
    device.queues[0].begin_window();
    device.queues[0].write_data(&done.slot, 0, &[1; 512]);
    let done = perform(&xen, &mut device, done.slot, Operation::Write, 0, 512).unwrap().unwrap();
    let mut rest = [0xff; 4096 - 512];
    device.queues[0].read_data(&done.slot, 512, &mut rest);
    assert!(rest.iter().all(|&byte| byte == 0));
    device.queues[0].release(done.slot);
    guest.disconnect(device);
}

/// Returns how many maps each I/O of `line` took on this disk once all slots had been used, in
/// hundredths. The line is run twice on one connection: the first run is not counted.
fn maps_per_100_ios(disk: Disk, line: &str) -> u64 {
    let xen = Machine::seeded(38).pages(9000).grant_frames(16).disk(disk).build();
    let mut guest = Guest::boot(&xen);
    let mut device = connect(&mut guest, XVDA, &fio_job::parse(line).unwrap());
    let mut counted = [0, 1].map(|_| {
        let before = xen.world().xen.grants.maps;
        let outcome = run_line(&xen, from_mut(&mut device), line);
        assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
        (xen.world().xen.grants.maps - before) * 100 / outcome.results[0].ios()
    });
    guest.disconnect(device);
    std::mem::take(&mut counted[1])
}

/// Pages beyond the limit are mapped for each request. Each queue has a limit of its own, so more
/// of them keep more; revoking the pages beyond would only add to that.
#[test]
fn pages_beyond_the_limit_cost_maps_and_more_queues_keep_more() {
    let line = "filename=xvda rw=randread bs=128k norandommap io_size=64m";
    for (options, expected) in [
        // 33 pages for each request, with that of its segments.
        ("iodepth=32", 0..=0),
        ("iodepth=64", 1600..=1700),
        ("iodepth=64 ringmark_queues=2", 0..=0),
        ("iodepth=128 ringmark_queues=2", 1600..=1700),
        ("iodepth=128 ringmark_queues=4", 0..=0),
        ("iodepth=64 grants=per-request", 3300..=3300),
    ] {
        let maps = maps_per_100_ios(keeps(1056), &format!("{line} {options}"));
        println!("{options}: {maps} maps for 100 I/Os");
        assert!(expected.contains(&maps), "{options}: {maps}");
    }
}

/// The slot that became free last is used first: few I/Os in flight use few pages, however many
/// there are, and these stay mapped.
#[test]
fn a_deep_queue_with_few_in_flight_stays_within_the_limit() {
    let line = "filename=xvda rw=randread bs=128k norandommap iodepth=64 rate_iops=1000 \
                number_ios=500";
    let maps = maps_per_100_ios(keeps(1056), line);
    // More pages than before when more happen to be in flight, but none of them twice.
    assert!(maps * 500 <= 1056 * 100, "{maps}");
}

/// Forecast and use agree: the guest's warning counts what its jobs then use of a queue.
#[test]
fn as_many_pages_are_used_as_a_warning_says() {
    let common = "filename=xvda rw=randread norandommap io_size=64m";
    for options in [
        "bs=28k iodepth=151",
        "bs=128k iodepth=33",
        "bs=128k iodepth=34 ringmark_indirect=16",
        "bs=12k iodepth=600",
        "bs=2100k iodepth=2",
        "iodepth=32 --name=a --bs=4k --name=b --bs=128k",
    ] {
        let line = format!("{common} {options}");
        let jobs = fio_job::parse(&line).unwrap();
        let warning = persistent_warning("xvda", &jobs, &Dealing::on_one(jobs.len()), 1);
        let (result, _) = counted(40, keeps(4000), &line);
        let used = result.pages_kept().expect("counted").used;
        let text = warning.expect(&line);
        assert!(text.contains(&format!(" use {used} pages,")), "{options}: {used}, {text}");
    }
    for options in ["bs=12k iodepth=352", "bs=4k iodepth=512 numjobs=3", "bs=2100k iodepth=1"] {
        let line = format!("{common} {options}");
        let jobs = fio_job::parse(&line).unwrap();
        assert_eq!(persistent_warning("xvda", &jobs, &Dealing::on_one(jobs.len()), 1), None);
        let (result, _) = counted(41, keeps(1056), &line);
        let pages = result.pages_kept().expect("counted");
        assert_eq!((pages.used, result.marks().len()), (pages.kept, 0), "{options}: {pages:?}");
    }
}

/// A backend may map for each request although it offered more, for reading only, and never let go.
#[test]
fn a_page_that_is_kept_for_reading_only_counts_and_is_never_used_again() {
    for operation in [Operation::Read, Operation::Write] {
        let xen = Machine::seeded(39).disk(keeps(0)).build();
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        xen.world().disks[0].mischief = Mischief::of(Lie::KeepMapped, 16);
        let mut slot = device.queues[0].acquire().unwrap();
        for _ in 0..3 {
            let done = perform(&xen, &mut device, slot, operation, 0, 4096).unwrap().unwrap();
            assert_eq!(done.result, Ok(()));
            let one = Some(blkfront::PagesKept { used: 1, kept: 1 });
            assert_eq!(device.queues[0].pages_kept(), one);
            slot = done.slot;
        }
        device.queues[0].release(slot);
        assert_eq!(guest.disconnect(device).quarantined_pages, 1);
        assert_eq!(xen.world().xen.pages_out(), 1);
    }
}
