//! Disks with several queues: the handshake's forms, data on all of them, and the load generator.

use drivers::Vcpu;
use drivers::blkfront::{
    Blkfront, ConnectError, Disconnected, GrantMode, Operation, QueuePair, Room, Setup,
};
use drivers::ring::ENTRIES;
use load::engine::{self, RunError};
use load::plan::{Dealing, Plan, Vbd};
use model::blkback::{Lie, Mischief};
use model::fixture::{
    Machine, XVDA, assert_nothing_is_left, connect, run_line, start_engine, vdev,
};
use model::guest::Device;
use model::{Disk, Guest, ModelXen, Workload};
use xen_abi::vdev::Vdev;

const SECTORS: u64 = 1024;
const ENOUGH: Room = Room { pages: u64::MAX, grants: u64::MAX };

/// Setup of `queues` queues for `iodepth` requests in all, one page each.
fn setup(grants: GrantMode, queues: u32, iodepth: u32) -> Setup {
    Setup { grants, queues, slots: iodepth.div_ceil(queues), ..Setup::ONE }
}

/// A machine with one disk.
fn machine(seed: u64) -> ModelXen {
    Machine::seeded(seed).disks(1, SECTORS).build()
}

#[test]
fn data_is_right_on_all_queues_and_nothing_is_left_behind() {
    let xen = machine(21);
    let mut guest = Guest::boot(&xen);
    let mut shadow = vec![0; (SECTORS * 512) as usize];
    // Up and down, in every form, so that what one connect wrote is in the way of the next.
    let rounds = [(1, 8), (4, 64), (1, 33), (3, 200), (2, 2), (4, 4), (1, 1), (2, 100)];
    for (round, (queues, iodepth)) in rounds.into_iter().enumerate() {
        for grants in GrantMode::ALL {
            let setup = setup(grants, queues, iodepth);
            let mut device = guest.connect(XVDA, &setup).unwrap();
            assert_eq!(device.queues.len(), queues as usize);
            let ring_pages = setup.slots.div_ceil(ENTRIES).next_power_of_two();
            let kept = if grants.is_persistent() { setup.slots } else { 0 };
            let permitted = {
                let world = xen.world();
                world.xen.grants.permitted(&world.xen.memory)
            };
            assert_eq!(permitted, (queues * (ring_pages + kept)) as usize, "{setup:?}");

            let before = xen.world().disks[0].stats;
            let mut work = Workload::new(round as u64, shadow, 512, 4096, 8);
            work.run(&xen, &mut device, 2000, iodepth as usize).unwrap();
            shadow = work.shadow;
            assert!(xen.world().disks[0].data == shadow, "{setup:?}");
            let after = xen.world().disks[0].stats;
            let counted = device.queues.iter().map(|queue| queue.counters());
            let (reads, writes) = counted
                .fold((0, 0), |(reads, writes), one| (reads + one.reads, writes + one.writes));
            assert_eq!((after.reads - before.reads, after.writes - before.writes), (reads, writes));
            // 250 on average where there are most queues: chance alone does not make it so few.
            assert!(device.queues.iter().all(|queue| queue.counters().reads > 100), "{setup:?}");

            assert_eq!(guest.disconnect(device), Disconnected::default());
            assert_nothing_is_left(&xen);
        }
    }
}

#[test]
fn a_queue_that_is_not_brought_back_is_named_and_nothing_of_it_is_used_again() {
    for (round, keep) in [(0, true), (1, false)] {
        let xen = machine(25 + round);
        let mut guest = Guest::boot(&xen);
        let setup = setup(GrantMode::Persistent, 3, 6);
        let device = guest.connect(XVDA, &setup).unwrap();
        let of_one = xen.world().xen.pages_out() / 3;
        let mut kept = None;
        let Device { front, mut queues } = device;
        let missing = queues.remove(1);
        if keep {
            kept = Some(missing);
        } else {
            drop(missing);
        }
        // In any order.
        queues.reverse();
        let left = guest.disconnect(Device { front, queues });
        assert_eq!(left, Disconnected { missing_queues: vec![1], ..Disconnected::default() });
        for _ in 0..2 {
            assert_eq!(xen.world().xen.pages_out(), of_one);
            assert_eq!(xen.world().xen.events.open_ports(), 3);
            let device = guest.connect(XVDA, &setup).unwrap();
            assert_eq!(guest.disconnect(device), Disconnected::default());
        }
        assert_eq!(kept.is_some(), keep);
    }
}

#[test]
fn queues_that_are_not_taken_go_back_with_their_disk() {
    let xen = machine(27);
    let Guest { grants, store, .. } = &mut Guest::boot(&xen);
    let setup = setup(GrantMode::PerRequest, 2, 4);
    let front = Blkfront::connect(&xen, grants, store, Vdev(XVDA), &setup, ENOUGH, None).unwrap();
    let left = front.disconnect(Vec::new(), &xen, grants, store);
    assert_eq!(left, Disconnected::default());
    assert_eq!(xen.world().xen.pages_out(), 0);
}

/// There may be memory for no other offer.
#[test]
fn a_backend_that_changes_its_offer_is_refused() {
    for (key, value) in [
        ("multi-queue-max-queues", "1"),
        ("max-ring-page-order", "0"),
        ("feature-max-indirect-segments", "4096"),
    ] {
        let xen = machine(30);
        let mut guest = Guest::boot(&xen);
        let planned = drivers::blkfront::handshake::offer(&mut guest.store, Vdev(XVDA)).unwrap();
        let setup = setup(GrantMode::Persistent, 4, 32);
        let device = guest.connect_in(XVDA, &setup, ENOUGH, Some(planned)).unwrap();
        assert_eq!(guest.disconnect(device), Disconnected::default());
        let path = format!("{}/{key}", xen.world().disks[0].path());
        xen.world().set(&path, value);
        let error = guest.connect_in(XVDA, &setup, ENOUGH, Some(planned)).unwrap_err();
        assert_eq!(error, ConnectError::OfferChanged, "{key}");
        assert_eq!(xen.world().xen.pages_out(), 0);
        assert!(guest.connect_in(XVDA, &setup, ENOUGH, None).is_ok());
    }
}

#[test]
#[should_panic = "a queue of another VBD"]
fn a_queue_goes_back_to_its_own_disk_only() {
    let xen = machine(28);
    xen.attach(Disk::new(XVDA + 16, SECTORS));
    let mut guest = Guest::boot(&xen);
    let setup = setup(GrantMode::Persistent, 1, 1);
    let mut one = guest.connect(XVDA, &setup).unwrap();
    let mut other = guest.connect(XVDA + 16, &setup).unwrap();
    std::mem::swap(&mut one.queues, &mut other.queues);
    guest.disconnect(one);
}

#[test]
fn a_backend_with_fewer_queues_serves_all_requests_on_those() {
    let xen = machine(22);
    let mut guest = Guest::boot(&xen);
    let offer = format!("{}/multi-queue-max-queues", xen.world().disks[0].path());
    // More and fewer than at the connect before.
    for (connects, most) in [(1, 3), (2, 1), (3, 2)] {
        xen.world().set(&offer, &most.to_string());
        let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent, 4, 24)).unwrap();
        let depths: Vec<usize> = device.queues.iter().map(QueuePair::depth).collect();
        assert_eq!(depths, vec![24_usize.div_ceil(most as usize); most as usize]);
        let line = "filename=xvda rw=randread bs=4k iodepth=24 io_size=4m ringmark_queues=4";
        let outcome = run_line(&xen, std::slice::from_mut(&mut device), line);
        assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
        let reads = device.queues.iter().map(|queue| queue.counters().reads).sum::<u64>();
        assert_eq!((reads, xen.world().disks[0].stats.reads), (1024, connects * 1024));
        assert_eq!(guest.disconnect(device), Disconnected::default());
        assert_eq!(xen.world().xen.pages_out(), 0);
    }
}

/// A backend says what it takes only when the disks have been given their rooms.
#[test]
fn disks_of_a_stage_find_room_whatever_their_backends_take() {
    let (frames, pages) = (8, 6000);
    let room = Room { pages, grants: frames * 512 - 8 };
    for (count, options, indirect_max, depth) in [
        // All have room, but for the pages of segments; two requests of 11 pages for one of 12.
        (5, "bs=48k iodepth=64", 256, 62),
        (5, "bs=48k iodepth=64", 0, 73),
        (5, "bs=48k iodepth=64 grants=persistent-copy", 256, 44),
        (5, "bs=1m iodepth=64", 256, 3),
        (5, "bs=1m iodepth=64", 16, 47),
        (1, "bs=8m iodepth=65536", 256, 15),
        (1, "bs=8m iodepth=65536", 0, 370),
    ] {
        let disk = |index| {
            let mut disk = Disk::new(vdev(index), SECTORS);
            disk.indirect_max = indirect_max;
            disk
        };
        let machine = Machine::seeded(31).pages(pages as usize).grant_frames(frames as usize);
        let xen = (0..count).map(disk).fold(machine, Machine::disk).build();
        let vbds = (0..count).map(|index| Vbd { vdev: Vdev(vdev(index)), is_writable: true });
        let vbds: Vec<Vbd> = vbds.collect();
        let names: Vec<String> = vbds.iter().map(|vbd| vbd.vdev.to_string()).collect();
        let jobs = fio_job::parse(&format!("{options} filename={}", names.join(":"))).unwrap();
        let plan = Plan::new(jobs, &vbds).unwrap();
        let mut guest = Guest::boot(&xen);
        let (stage, dealing) = (plan.at_once(), Dealing::on_one(1));
        for disk in stage.disks(&dealing, room, &|_| None) {
            let disk = disk.unwrap();
            let device = guest.connect_in(disk.vdev.0, &disk.setup, disk.room, disk.offer).unwrap();
            assert_eq!(device.queues[0].depth(), depth, "{options}, {indirect_max}");
        }
    }
}

#[test]
fn out_of_memory_tells_what_all_queues_need() {
    let xen = machine(23);
    let mut guest = Guest::boot(&xen);
    let greedy = Setup { pages_per_slot: 11, ..setup(GrantMode::Persistent, 4, 512) };
    let error = guest.connect(XVDA, &greedy).unwrap_err();
    assert_eq!(error, ConnectError::OutOfPages { needed: 4 * (4 + 128 * 11) });
    assert_eq!(xen.world().xen.pages_out(), 0);
    assert_eq!(xen.world().xen.events.open_ports(), 2);
}

#[test]
fn a_job_goes_to_the_queue_with_the_fewest_in_flight() {
    let xen = Machine::seeded(24).disks(2, SECTORS).build();
    let mut guest = Guest::boot(&xen);
    let setup = setup(GrantMode::Persistent, 3, 12);
    let mut devices = [0, 1].map(vdev).map(|vdev| guest.connect(vdev, &setup).unwrap());
    let line = "filename=xvda:xvdb rw=randrw bs=4k iodepth=12 io_size=12000k norandommap \
                ringmark_queues=3";
    let outcome = run_line(&xen, &mut devices, line);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    assert_eq!(outcome.results[0].counters.unwrap().requests, 3000);
    let shares: Vec<u64> = devices
        .iter()
        .flat_map(|device| device.queues.iter().map(|queue| queue.counters()))
        .map(|counters| counters.reads + counters.writes)
        .collect();
    assert_eq!(shares.iter().sum::<u64>(), 3000);
    assert!(shares.iter().all(|&share| share > 350), "{shares:?}");
}

#[test]
fn the_ios_of_a_pass_go_to_one_queue_and_those_of_the_next_to_another() {
    let xen = Machine::seeded(31).disks(2, SECTORS).build();
    let mut guest = Guest::boot(&xen);
    let line = "filename=xvda rw=randread bs=4k iodepth=8 io_size=4m ringmark_queues=3";
    let jobs = fio_job::parse(line).unwrap();
    let mut device = connect(&mut guest, XVDA, &jobs);
    let (_, mut disks) = start_engine(&xen, jobs, vec![device.lend()]).finish();
    device.queues = disks.remove(0).queues;
    let in_flight = device.queues.iter().map(QueuePair::outstanding);
    assert!(in_flight.eq([8, 0, 0]));
    // A backend that completes one after the other finds work on all of them.
    let line = line.replace("xvda", "xvdb");
    let mut device = connect(&mut guest, vdev(1), &fio_job::parse(&line).unwrap());
    let outcome = run_line(&xen, std::slice::from_mut(&mut device), &line);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    let reads: Vec<u64> = device.queues.iter().map(|queue| queue.counters().reads).collect();
    assert!(reads.iter().all(|&reads| reads > 100), "{reads:?}");
}

#[test]
fn a_result_tells_whether_all_backends_keep_pages_mapped() {
    let forgetful = Disk { persistent: false, ..Disk::new(vdev(1), SECTORS) };
    let xen = Machine::seeded(27).disks(1, SECTORS).disk(forgetful).build();
    let mut guest = Guest::boot(&xen);
    let setup = setup(GrantMode::Persistent, 2, 8);
    let mut devices = [0, 1].map(vdev).map(|vdev| guest.connect(vdev, &setup).unwrap());
    let line = "rw=read bs=4k iodepth=2 ringmark_queues=2 --name=a --filename=xvda \
                --name=b --filename=xvdb --name=c --filename=xvda:xvdb";
    let outcome = run_line(&xen, &mut devices, line);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    let kept: Vec<bool> = outcome.results.iter().map(|one| one.marks().is_empty()).collect();
    assert_eq!(kept, [true, false, false]);
}

#[test]
fn what_is_written_is_noise_on_every_queue() {
    let xen = machine(28);
    let mut guest = Guest::boot(&xen);
    let mut devices = [guest.connect(XVDA, &setup(GrantMode::Persistent, 3, 6)).unwrap()];
    let line = "filename=xvda rw=write bs=4k iodepth=6 ringmark_queues=3";
    let outcome = run_line(&xen, &mut devices, line);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    let data = xen.world().disks[0].data.clone();
    // Behind what is put anew into each sector there is noise, which has few zeros.
    for (sector, bytes) in data.chunks(512).enumerate() {
        let zeros = bytes[16..].iter().filter(|&&byte| byte == 0).count();
        assert!(zeros < 50, "sector {sector} has {zeros}");
    }
}

#[test]
fn checked_data_is_right_whichever_queue_brings_it() {
    let xen = machine(25);
    let mut guest = Guest::boot(&xen);
    let mut devices = [guest.connect(XVDA, &setup(GrantMode::PersistentCopy, 4, 16)).unwrap()];
    let line = "filename=xvda rw=randrw bs=4k iodepth=16 io_size=2m verify=crc32c \
                verify_fatal=1 ringmark_queues=4";
    let outcome = run_line(&xen, &mut devices, line);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None));
    assert_eq!(outcome.results[0].errors(), 0);
    let writes: u64 = devices[0].queues.iter().map(|queue| queue.counters().writes).sum();
    let written = xen.world().disks[0].stats.writes;
    assert!(writes == written && written > 100, "{writes} {written}");
}

#[test]
fn a_dead_queue_is_found_beside_live_ones() {
    let xen = machine(26);
    xen.world().disks[0].disk.service_ns = 9_000_000..11_000_000;
    let mut guest = Guest::boot(&xen);
    let mut devices = [guest.connect(XVDA, &setup(GrantMode::Persistent, 3, 6)).unwrap()];
    xen.world().disks[0].neglect(1);
    let line = "filename=xvda rw=randread bs=4k iodepth=6 runtime=40 time_based \
                ringmark_poll_us=0 ringmark_queues=3";
    let start_ns = xen.now_ns();
    let outcome = run_line(&xen, &mut devices, line);
    assert_eq!(outcome.error, Some(RunError::Stuck { disk: "xvda".into(), outstanding: 2 }));
    let waited_ns = xen.now_ns() - start_ns;
    let limits_ns = engine::REQUEST_TIMEOUT_NS..engine::REQUEST_TIMEOUT_NS + 3 * engine::TICK_NS;
    assert!(limits_ns.contains(&waited_ns), "{waited_ns}");
}

#[test]
fn a_request_without_an_answer_delays_others_by_a_tenth_of_a_second_at_most() {
    let xen = Machine::seeded(19).disk(Disk::new(XVDA, 64)).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent, 1, 4)).unwrap();
    let queue = &mut device.queues[0];
    queue.set_event_after(4);
    for silent in [true, false, false] {
        xen.world().disks[0].mischief = Mischief::of(Lie::Silent, if silent { 16 } else { 0 });
        let slot = queue.acquire().unwrap();
        queue.submit(slot, Operation::Read, 0, 4096);
        queue.kick(&xen).unwrap();
        if silent {
            xen.prepare_wait();
            assert_eq!(queue.arm(&xen), Some(u64::MAX), "the last one has an event");
            xen.pass_ns(50_000_000);
            assert_eq!(xen.world().disks[0].mischief.told, 1);
        }
    }
    xen.prepare_wait();
    let start_ns = xen.now_ns();
    let until_ns = queue.arm(&xen).unwrap();
    xen.wait(until_ns);
    let slept_ns = xen.now_ns() - start_ns;
    assert!((99_000_000..101_000_000).contains(&slept_ns), "{slept_ns}");
    assert!(queue.poll().unwrap().is_some() && queue.poll().unwrap().is_some());
}
