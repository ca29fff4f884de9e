//! B1 to B26: a backend that breaks the ring, answers wrongly, or not at all.

use drivers::Vcpu;
use drivers::blkfront::{Broken, GrantMode, IoError, Operation};
use drivers::ring::{ENTRIES, FrontRing};
use load::engine::{REQUEST_TIMEOUT_NS, RunError};
use model::blkback::Lie;
use model::fixture::XVDA;
use model::guest::{free_run, perform, shared_run};
use model::{Disk, Failure, Guest, Workload};

use crate::rig::*;
use crate::{Class, Must, class};

pub const CLASSES: [Class; 26] = [
    class(1, "id of a slot that does not exist", Must::Error, no_such_slot),
    class(2, "id of a slot that is free", Must::Error, free_slot),
    class(
        3,
        "a request answered twice, or with an older request's id",
        Must::Error,
        answered_twice,
    ),
    class(4, "id with a valid slot and other high bits", Must::Error, high_bits_of_an_id),
    class(5, "wrong operation", Must::Error, wrong_operation),
    class(6, "unknown status", Must::Fail, unknown_status),
    class(7, "EOPNOTSUPP for what was offered", Must::Fail, unsupported_after_an_offer),
    class(8, "a flush that failed", Must::Fail, failed_flush),
    class(9, "rsp_prod ahead by more than the ring", Must::Error, ahead_by_more_than_the_ring),
    class(10, "rsp_prod ahead of what is outstanding", Must::Error, ahead_of_what_is_outstanding),
    class(11, "rsp_prod goes backwards", Must::Error, backwards),
    class(12, "rsp_prod changes all the time", Must::Error, restless_index),
    class(13, "torn or random response", Must::Error, torn_response),
    class(14, "indices wrap at 2^32", Must::Ignore, wrapping_indices),
    class(15, "our own indices and entries overwritten", Must::Ignore, overwritten_indices),
    class(16, "events asked for too late, or never sent", Must::Wait, missing_events),
    class(17, "any order, partial batches, one response per event", Must::Ignore, any_order),
    class(18, "responses while nothing is outstanding", Must::Error, unsolicited_responses),
    class(19, "response before the data", Must::Verify, response_before_the_data),
    class(20, "no answer, to one request or to all", Must::Wait, no_response),
    class(21, "answer after the close and the next connect", Must::Ignore, late_response),
    class(22, "success with nothing done, or done elsewhere", Must::Verify, success_without_effect),
    class(23, "one bit or the last sector corrupted", Must::Verify, corrupted_data),
    class(24, "only the first segments transferred", Must::Verify, partial_transfer),
    class(25, "padding of the response filled", Must::Ignore, filled_padding),
    class(26, "extreme latency and reordering", Must::Ignore, extreme_latency),
];

fn foreign_id(broken: &Broken) -> bool {
    matches!(broken, Broken::ForeignId(_))
}

fn overrun(broken: &Broken) -> bool {
    matches!(broken, Broken::Overrun(_))
}

fn any(_: &Broken) -> bool {
    true
}

fn no_such_slot() {
    breaks_the_device(&[Lie::NoSuchSlot], foreign_id);
}

fn free_slot() {
    breaks_the_device(&[Lie::FreeSlot], foreign_id);
    // Nor is it for another queue to answer, though its slots have the same numbers.
    for (seed, mode) in SEEDS.flat_map(|seed| GrantMode::ALL.map(|mode| (seed, mode))) {
        let xen = machine(seed, disk());
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &queues(mode)).unwrap();
        let mut work = workload(&xen, seed);
        work.run(&xen, &mut device, 30, 15).unwrap();
        lie(&xen, Lie::OtherQueue, 4);
        match work.run(&xen, &mut device, 10_000, 15) {
            Err(Failure::Broken(broken)) => assert!(foreign_id(&broken) || overrun(&broken)),
            other => panic!("ended as {other:?}"),
        }
        be_honest(&xen);
        closes_and_opens(&xen, &mut guest, device);
    }
}

fn answered_twice() {
    breaks_the_device(&[Lie::StaleId], foreign_id);
    // A second answer is one too many, or one with an id that is not in flight any more.
    breaks_the_device(&[Lie::Twice], |broken| overrun(broken) || foreign_id(broken));
}

fn high_bits_of_an_id() {
    let bits: Vec<Lie> = (16..64).step_by(11).map(Lie::HighBit).collect();
    breaks_the_device(&bits, foreign_id);
}

fn wrong_operation() {
    let operations = [0, 1, 2, 3, 4, 5, 6, 255].map(Lie::Operation);
    breaks_the_device(&operations, |broken| matches!(broken, Broken::ForeignOperation { .. }));
}

fn unknown_status() {
    for status in [1, 2, 127, -1, -3, -4, i16::MAX, i16::MIN] {
        with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
            lie(xen, Lie::Status(status), 2);
            let failed = work.run(xen, &mut device, 10_000, 1).unwrap_err();
            assert!(matches!(failed, Failure::Io(_, IoError::Failed(code)) if code == status));
            be_honest(xen);
            works_on(xen, &mut device, workload(xen, 1));
            closes_and_opens(xen, guest, device);
        });
    }
}

fn unsupported_after_an_offer() {
    let barriers = Disk { flush: false, barrier: true, ..disk() };
    for (the_lie, only_flush, disk) in [
        (Lie::Status(-2), false, disk()),
        (Lie::FlushStatus(-2), true, disk()),
        (Lie::FlushStatus(-2), true, barriers),
    ] {
        with_device(disk, &GrantMode::ALL, |xen, guest, mut device, mut work| {
            lie(xen, the_lie, 8);
            let failed = work.run(xen, &mut device, 10_000, 1).unwrap_err();
            let Failure::Io(operation, IoError::NotSupported) = failed else {
                panic!("{failed:?}");
            };
            assert!(!only_flush || operation == Operation::Flush);
            be_honest(xen);
            works_on(xen, &mut device, workload(xen, 1));
            closes_and_opens(xen, guest, device);
        });
    }
}

fn failed_flush() {
    // Some backends fail every barrier without data.
    for disk in [disk(), Disk { flush: false, barrier: true, ..disk() }] {
        with_device(disk, &GrantMode::ALL, |xen, _, mut device, _| {
            lie(xen, Lie::FlushStatus(-1), 16);
            let slot = device.queues[0].acquire().unwrap();
            let done = perform(xen, &mut device, slot, Operation::Flush, 0, 0).unwrap().unwrap();
            assert_eq!(done.result, Err(IoError::Failed(-1)));
        });
    }
}

fn ahead_by_more_than_the_ring() {
    let by = [ENTRIES, ENTRIES + 1, 1000, 1 << 31];
    breaks_the_device(&by.map(Lie::ProdAhead), overrun);
}

fn ahead_of_what_is_outstanding() {
    // Where enough is outstanding, what lies in the ring as a response is none.
    let by = [9, 16, 20, 31];
    breaks_the_device(&by.map(Lie::ProdAhead), |broken| overrun(broken) || foreign_id(broken));
}

fn backwards() {
    let by = [u32::MAX, u32::MAX - 1, u32::MAX - 31, u32::MAX - 1000];
    // A small step back may hide the last response, which is then one that never comes.
    for &by in &by {
        with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
            // By one, what one response hides the next one shows, unless all of them lie.
            lie(xen, Lie::ProdAhead(by), if by == u32::MAX { 16 } else { 4 });
            let failed = work.run(xen, &mut device, 10_000, 8).unwrap_err();
            let hidden = by > u32::MAX - 8 && failed == Failure::Stalled;
            let broken = matches!(failed, Failure::Broken(Broken::Overrun(_)));
            assert!(broken || hidden, "{by}: {failed:?}");
            be_honest(xen);
            closes_and_opens(xen, guest, device);
        });
    }
}

fn restless_index() {
    breaks_the_device(&[Lie::RestlessProd], overrun);
}

fn torn_response() {
    breaks_the_device(&[Lie::Noise], any);
}

fn wrapping_indices() {
    for start in [u32::MAX, u32::MAX - 1, u32::MAX - 31, u32::MAX - 32, 0xffff_fff0, 0x7fff_fff0] {
        let xen = model::ModelXen::seeded(1);
        let mut ring = FrontRing::starting_at(shared_run(&xen, 1), start);
        let memory = std::rc::Rc::clone(&xen.world().xen.memory);
        let mut back =
            model::blkback::ring::BackRing::attach(&memory, ring.pages().gfns().collect());
        let mut request = xen_abi::blkif::Request {
            operation: 0,
            nr_segments: 0,
            handle: 0,
            pad: 0,
            id: 0,
            sector_number: 0,
            seg: Default::default(),
        };
        for round in 0..100u64 {
            for id in 0..round % 33 {
                request.id = id << 32 | round;
                ring.put(&request);
            }
            ring.publish();
            for id in 0..round % 33 {
                let taken = back.take();
                back.put(&model::blkback::ring::response(&taken, 0));
                back.publish();
                assert_eq!(ring.take().unwrap().unwrap().id, id << 32 | round);
            }
            assert!(ring.take().unwrap().is_none());
        }
        free_run(&xen, ring.into_run());
    }
}

fn overwritten_indices() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
        lie(xen, Lie::Scribble, 8);
        work.run(xen, &mut device, 300, 8).unwrap();
        assert!(told(xen) > 50);
        works_on(xen, &mut device, work);
        be_honest(xen);
        closes_and_opens(xen, guest, device);
    });
}

fn missing_events() {
    // A backend that is never told looks by itself.
    for late in [1, 100, 1 << 31, u32::MAX] {
        let mut deaf = disk();
        deaf.deaf = Some(late);
        with_device(deaf, &GrantMode::ALL, |xen, guest, mut device, work| {
            works_on(xen, &mut device, work);
            closes_and_opens(xen, guest, device);
        });
    }
    // A backend that tells nobody: the frontend's bounded wait finds the responses.
    let mut mute = disk();
    mute.mute = true;
    with_device(mute, &GrantMode::ALL, |xen, guest, mut device, work| {
        let options = "rw=randread filename=xvda iodepth=4 io_size=64k ringmark_poll_us=0";
        let outcome = run_job(xen, &mut device, options);
        assert_eq!(outcome.error, None);
        assert_eq!(outcome.results[0].ios(), 16);
        drop(work);
        closes_and_opens(xen, guest, device);
    });
}

fn any_order() {
    // What the honest backend does anyway, here on a slow disk with all slots in flight.
    let mut slow = disk();
    slow.service_ns = 1_000..5_000_000;
    with_device(slow, &GrantMode::ALL, |xen, guest, mut device, mut work| {
        work.run(xen, &mut device, 300, 32).unwrap();
        works_on(xen, &mut device, work);
        closes_and_opens(xen, guest, device);
    });
}

fn unsolicited_responses() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
        lie(xen, Lie::Unasked, 16);
        let failed = work.run(xen, &mut device, 100, 1).unwrap_err();
        assert!(matches!(failed, Failure::Broken(Broken::Overrun(_))), "{failed:?}");
        be_honest(xen);
        closes_and_opens(xen, guest, device);
    });
}

/// Data that shows its place, and data that is the same everywhere.
const PLACED: [&str; 2] = ["verify=pattern verify_pattern=%o", "verify=crc32c"];
const EQUAL: &str = "verify=pattern verify_pattern=0xff";

/// Outcome `Verify`: the load generator's check of the data finds it, in each of these jobs.
fn verify_finds(the_lie: Lie, modes: &[GrantMode], jobs: &[&str]) {
    with_device(disk(), modes, |xen, _, mut device, _| {
        let mut find = |method: &str, size: &str| {
            let verify = format!("filename=xvda iodepth=8 bs=8k {method}");
            for job in jobs {
                let fill = run_job(xen, &mut device, &format!("rw=write {verify}"));
                assert_eq!((fill.error, fill.first_failure), (None, None));
                // What an earlier job left there must not help: spoil a part that is rewritten.
                xen.world().disks[0].data[..65536].fill(0);
                if !job.contains("write") {
                    let again = run_job(xen, &mut device, &format!("rw=write size=64k {verify}"));
                    assert_eq!(again.first_failure, None);
                }
                lie(xen, the_lie, 16);
                let outcome = run_job(xen, &mut device, &format!("{job} size={size} {verify}"));
                be_honest(xen);
                assert_eq!(outcome.error, None);
                let found = outcome.first_failure.expect("the check finds it");
                assert!(found.starts_with("xvda: "), "{found}");
            }
        };
        for method in PLACED {
            find(method, "64k");
        }
        // A slot that wrote a block may read it next, and nobody knows of what is always put and
        // sought in the same wrong place.
        if the_lie != Lie::Misdirected {
            find(PLACED[1], "8k");
            find(EQUAL, "64k");
        }
    });
}

fn response_before_the_data() {
    verify_finds(Lie::Early, &GrantMode::ALL[..2], &["rw=read"]);
    // Where nothing may stay mapped, the page gives it away.
    with_device(disk(), &[GrantMode::PerRequest], |xen, guest, mut device, mut work| {
        lie(xen, Lie::Early, 4);
        let failed = work.run(xen, &mut device, 1000, 8).unwrap_err();
        assert_eq!(failed, Failure::Broken(Broken::StillMapped));
        be_honest(xen);
        closes_and_opens(xen, guest, device);
    });
}

fn no_response() {
    for chance in [1, 16] {
        with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, _| {
            lie(xen, Lie::Silent, chance);
            let start_ns = xen.now_ns();
            let options = "rw=randread filename=xvda iodepth=16 io_size=16m";
            let outcome = run_job(xen, &mut device, options);
            let Some(RunError::Stuck { disk, outstanding }) = outcome.error else {
                panic!("{:?}", outcome.error);
            };
            assert_eq!((disk.as_str(), outstanding), ("xvda", 16));
            // All 16 have failed, and it took all that time to do the others.
            let read = &outcome.results[0].read;
            assert!(read.errors == 16 && read.iops() < 100.0, "{} IOPS", read.iops());
            let waited_ns = xen.now_ns() - start_ns;
            assert!(waited_ns < 2 * REQUEST_TIMEOUT_NS, "{waited_ns}");
            // It does not close either: bounded, and what it holds is never used again.
            let left = guest.disconnect(device);
            assert!(left.timed_out && left.quarantined_pages > 16);
            assert_eq!(xen.world().xen.pages_out(), left.quarantined_pages as usize);
        });
    }
}

fn late_response() {
    // The old ring's late answers meet the next connection of the same device.
    let mut slow = disk();
    slow.service_ns = 1_000_000..50_000_000;
    with_device(slow, &GrantMode::ALL, |xen, guest, mut device, _| {
        for sector in 0..8 {
            let slot = device.queues[0].acquire().unwrap();
            device.queues[0].submit(slot, Operation::Read, sector * 8, 4096);
        }
        device.queues[0].kick(xen).unwrap();
        closes_and_opens(xen, guest, device);
    });
}

fn success_without_effect() {
    verify_finds(Lie::Lost, &GrantMode::ALL, &["rw=read", "rw=write"]);
    verify_finds(Lie::Misdirected, &GrantMode::ALL, &["rw=read", "rw=write"]);
}

fn corrupted_data() {
    verify_finds(Lie::BitFlip, &GrantMode::ALL, &["rw=read", "rw=write"]);
    verify_finds(Lie::LastSector, &GrantMode::ALL, &["rw=read", "rw=write"]);
}

fn partial_transfer() {
    verify_finds(Lie::Partial, &GrantMode::ALL, &["rw=read", "rw=write"]);
}

fn filled_padding() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, work| {
        lie(xen, Lie::Padding, 16);
        works_on(xen, &mut device, work);
        closes_and_opens(xen, guest, device);
    });
}

fn extreme_latency() {
    let mut slow = disk();
    slow.service_ns = 1_000_000..2_000_000_000;
    for seed in SEEDS {
        let xen = machine(seed, slow.clone());
        let mut guest = Guest::boot(&xen);
        let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        let options = "rw=randread filename=xvda iodepth=32 io_size=4m";
        let outcome = run_job(&xen, &mut device, options);
        assert_eq!(outcome.error, None);
        let latency = &outcome.results[0].read.latency;
        assert_eq!(outcome.results[0].ios(), 1024);
        assert!(latency.moments().max() > 1_900_000_000 && latency.moments().max() < 2_100_000_000);
        let mut work: Workload = workload(&xen, seed);
        work.run(&xen, &mut device, 200, 32).unwrap();
        guest.disconnect(device);
    }
}
