//! B1 to B26: a backend that breaks the ring, answers wrongly, or not at all.

use drivers::Hypervisor;
use drivers::blkfront::{Broken, GrantMode, IoError, Operation};
use drivers::ring::{ENTRIES, FrontRing};
use load::engine::{REQUEST_TIMEOUT_NS, RunError};
use model::blkback::Lie;
use model::guest::{free_run, perform, shared_run};
use model::{Failure, Guest, Workload};

use crate::rig::*;
use crate::{Class, Must, class};

pub const CLASSES: [Class; 26] = [
    class(1, "id of a slot that does not exist", Must::Error, b1),
    class(2, "id of a slot that is free", Must::Error, b2),
    class(3, "a request answered twice, or with an older request's id", Must::Error, b3),
    class(4, "id with a valid slot and other high bits", Must::Error, b4),
    class(5, "wrong operation", Must::Error, b5),
    class(6, "unknown status", Must::Fail, b6),
    class(7, "EOPNOTSUPP for what was offered", Must::Fail, b7),
    class(8, "a flush that failed", Must::Fail, b8),
    class(9, "rsp_prod ahead by more than the ring", Must::Error, b9),
    class(10, "rsp_prod ahead of what is outstanding", Must::Error, b10),
    class(11, "rsp_prod goes backwards", Must::Error, b11),
    class(12, "rsp_prod changes all the time", Must::Error, b12),
    class(13, "torn or random response", Must::Error, b13),
    class(14, "indices wrap at 2^32", Must::Ignore, b14),
    class(15, "our own indices and entries overwritten", Must::Ignore, b15),
    class(16, "events asked for too late, or never sent", Must::Wait, b16),
    class(17, "any order, partial batches, one response per event", Must::Ignore, b17),
    class(18, "responses while nothing is outstanding", Must::Error, b18),
    class(19, "response before the data", Must::Verify, b19),
    class(20, "no answer, to one request or to all", Must::Wait, b20),
    class(21, "answer after the close and the next connect", Must::Ignore, b21),
    class(22, "success with nothing done, or done elsewhere", Must::Verify, b22),
    class(23, "one bit or the last sector corrupted", Must::Verify, b23),
    class(24, "only the first segments transferred", Must::Verify, b24),
    class(25, "padding of the response filled", Must::Ignore, b25),
    class(26, "extreme latency and reordering", Must::Ignore, b26),
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

fn b1() {
    breaks_the_device(&[Lie::NoSuchSlot], foreign_id);
}

fn b2() {
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

fn b3() {
    breaks_the_device(&[Lie::StaleId], foreign_id);
    // A second answer is one too many, or one with an id that is not in flight any more.
    breaks_the_device(&[Lie::Twice], |broken| overrun(broken) || foreign_id(broken));
}

fn b4() {
    let bits: Vec<Lie> = (16..64).step_by(11).map(Lie::HighBit).collect();
    breaks_the_device(&bits, foreign_id);
}

fn b5() {
    let operations = [0, 1, 2, 3, 4, 5, 6, 255].map(Lie::Operation);
    breaks_the_device(&operations, |broken| matches!(broken, Broken::ForeignOperation { .. }));
}

fn b6() {
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

fn b7() {
    for (the_lie, only_flush) in [(Lie::Status(-2), false), (Lie::FlushStatus(-2), true)] {
        with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
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

fn b8() {
    with_device(disk(), &GrantMode::ALL, |xen, _, mut device, _| {
        lie(xen, Lie::FlushStatus(-1), 16);
        let slot = device.queues[0].acquire().unwrap();
        let done = perform(xen, &mut device, slot, Operation::Flush, 0, 0).unwrap().unwrap();
        assert_eq!(done.result, Err(IoError::Failed(-1)));
    });
}

fn b9() {
    let by = [ENTRIES, ENTRIES + 1, 1000, 1 << 31];
    breaks_the_device(&by.map(Lie::ProdAhead), overrun);
}

fn b10() {
    // Where enough is outstanding, what lies in the ring as a response is none.
    let by = [9, 16, 20, 31];
    breaks_the_device(&by.map(Lie::ProdAhead), |broken| overrun(broken) || foreign_id(broken));
}

fn b11() {
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

fn b12() {
    breaks_the_device(&[Lie::RestlessProd], overrun);
}

fn b13() {
    breaks_the_device(&[Lie::Noise], any);
}

fn b14() {
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

fn b15() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
        lie(xen, Lie::Scribble, 8);
        work.run(xen, &mut device, 300, 8).unwrap();
        assert!(told(xen) > 50);
        works_on(xen, &mut device, work);
        be_honest(xen);
        closes_and_opens(xen, guest, device);
    });
}

fn b16() {
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

fn b17() {
    // What the honest backend does anyway, here on a slow disk with all slots in flight.
    let mut slow = disk();
    slow.service_ns = 1_000..5_000_000;
    with_device(slow, &GrantMode::ALL, |xen, guest, mut device, mut work| {
        work.run(xen, &mut device, 300, 32).unwrap();
        works_on(xen, &mut device, work);
        closes_and_opens(xen, guest, device);
    });
}

fn b18() {
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

fn b19() {
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

fn b20() {
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

fn b21() {
    // The old ring's late answers meet the next connection of the same device.
    let mut slow = disk();
    slow.service_ns = 1_000_000..50_000_000;
    with_device(slow, &GrantMode::ALL, |xen, guest, mut device, _| {
        for sector in 0..8 {
            let slot = device.queues[0].acquire().unwrap();
            device.queues[0].submit(slot, Operation::Read, sector * 8, 4096);
        }
        device.queues[0].kick().unwrap();
        closes_and_opens(xen, guest, device);
    });
}

fn b22() {
    verify_finds(Lie::Lost, &GrantMode::ALL, &["rw=read", "rw=write"]);
    verify_finds(Lie::Misdirected, &GrantMode::ALL, &["rw=read", "rw=write"]);
}

fn b23() {
    verify_finds(Lie::BitFlip, &GrantMode::ALL, &["rw=read", "rw=write"]);
    verify_finds(Lie::LastSector, &GrantMode::ALL, &["rw=read", "rw=write"]);
}

fn b24() {
    verify_finds(Lie::Partial, &GrantMode::ALL, &["rw=read", "rw=write"]);
}

fn b25() {
    with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, work| {
        lie(xen, Lie::Padding, 16);
        works_on(xen, &mut device, work);
        closes_and_opens(xen, guest, device);
    });
}

fn b26() {
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
