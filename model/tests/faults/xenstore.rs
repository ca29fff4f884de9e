//! X1 to X21: a xenstored that lies, floods, or is silent.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use drivers::Vcpu;
use drivers::blkfront::{ConnectError, GrantMode};
use drivers::xenstore::{Error, Transaction, Xenstore};
use model::agenda::Actor;
use model::fixture::XVDA;
use model::xenstored::Forger;
use model::xenstored::wire::watch_event;
use model::{Guest, ModelXen};
use xen_abi::xenstore::{Header, MessageType};

use crate::rig::*;
use crate::{Class, Must, class, waits};

pub const CLASSES: [Class; 21] = [
    class(1, "length beyond 4096 or near 2^32", Must::Error, absurd_length),
    class(2, "rsp_prod absurd", Must::Error, absurd_rsp_prod),
    class(3, "our own indices overwritten", Must::Ignore, overwritten_indices),
    class(4, "replies with unknown or finished req_id", Must::Ignore, unknown_req_id),
    class(5, "reply of wrong type or transaction", Must::Fail, wrong_type_or_transaction),
    class(6, "malformed errno", Must::Fail, malformed_errno),
    class(7, "one byte at a time, events between", Must::Ignore, one_byte_at_a_time),
    class(8, "reply longer than the ring", Must::Ignore, longer_than_the_ring),
    class(9, "malformed watch events", Must::Ignore, malformed_watch_events),
    class(10, "flood of watch events", Must::Ignore, flood_of_watch_events),
    class(11, "watch events lost", Must::Wait, lost_watch_events),
    class(12, "malformed lists of names", Must::Fail, malformed_lists),
    class(13, "EAGAIN without end", Must::Wait, conflicts_without_end),
    class(14, "malformed transaction number", Must::Fail, malformed_transaction_number),
    class(15, "each errno at each request", Must::Fail, errno_at_each_request),
    class(16, "no answer, or after the time limit", Must::Wait, no_reply),
    class(17, "reconnection that never ends", Must::Wait, reconnection_without_end),
    class(18, "error field set", Must::Error, error_field),
    class(19, "feature bits change", Must::Ignore, feature_bits),
    waits(20, "suspend in the middle of a message", Must::Wait, "suspend and resume"),
    class(21, "store page or port absent", Must::Fail, refuses_absent_pages),
];

const NONE: Transaction = Transaction::NONE;

type Message = (Header, Vec<u8>);

/// From now on xenstored sends what `forge` makes of each reply.
fn forge(xen: &ModelXen, forge: impl FnMut(Header, Vec<u8>) -> Vec<Message> + 'static) {
    let forger: Forger = Box::new(forge);
    xen.world().store.forger = Some(forger);
}

fn be_honest(xen: &ModelXen) {
    xen.world().store.forger = None;
}

fn replaced(body: impl Into<Vec<u8>>) -> impl FnMut(Header, Vec<u8>) -> Vec<Message> + 'static {
    let body = body.into();
    move |header, _| vec![(Header { len: body.len() as u32, ..header }, body.clone())]
}

/// Runs `test` with a fresh guest for each seed.
fn with_store(test: impl for<'a> Fn(&'a ModelXen, &mut Xenstore<'a, ModelXen>)) {
    for seed in SEEDS {
        let xen = ModelXen::seeded(seed);
        let mut guest = Guest::boot(&xen);
        assert_eq!(guest.store.read(NONE, "domid").unwrap(), "1");
        test(&xen, &mut guest.store);
    }
}

/// The client still understands the server.
fn works_on(store: &mut Xenstore<'_, ModelXen>) {
    store.write(NONE, "data/x", "still here").unwrap();
    assert_eq!(store.read(NONE, "data/x").unwrap(), "still here");
}

fn absurd_length() {
    for len in [4097, 5000, 1 << 16, 1 << 31, u32::MAX - 16, u32::MAX - 15, u32::MAX] {
        with_store(|xen, store| {
            forge(xen, move |header, body| vec![(Header { len, ..header }, body)]);
            let start_ns = xen.now_ns();
            let first = store.read(NONE, "domid").unwrap_err();
            assert!(matches!(first, Error::Broken(_)), "{len}: {first}");
            // For good, at once, and whatever the server says now.
            be_honest(xen);
            assert_eq!(store.read(NONE, "domid"), Err(first));
            assert!(xen.now_ns() - start_ns < 1_000_000_000);
        });
    }
}

fn absurd_rsp_prod() {
    for ahead in [1025, 2000, 1 << 31, u32::MAX, u32::MAX - 100] {
        with_store(|xen, store| {
            forge(xen, |_, _| Vec::new());
            let page = xen.store_channel().1;
            let there = page.rsp_prod.load(Ordering::SeqCst);
            page.rsp_prod.store(there.wrapping_add(ahead), Ordering::SeqCst);
            let first = store.read(NONE, "domid").unwrap_err();
            assert!(matches!(first, Error::Broken(_)), "{ahead}: {first}");
            // For good, even when the index is right again.
            page.rsp_prod.store(there, Ordering::SeqCst);
            be_honest(xen);
            assert_eq!(store.read(NONE, "domid"), Err(first));
        });
    }
    // The consumer's side of the same: no room can be computed.
    with_store(|xen, store| {
        let page = xen.store_channel().1;
        let there = page.req_prod.load(Ordering::SeqCst);
        page.req_cons.store(there.wrapping_add(1), Ordering::SeqCst);
        assert!(matches!(store.read(NONE, "domid"), Err(Error::Broken(_))));
        page.req_cons.store(there, Ordering::SeqCst);
        assert!(matches!(store.read(NONE, "domid"), Err(Error::Broken(_))));
    });
}

fn overwritten_indices() {
    with_store(|xen, store| {
        for round in 0..50u32 {
            {
                let world = &mut *xen.world();
                let noise = round.wrapping_mul(0x9e37_79b9);
                world.store.wire.scribble(&world.xen.memory.store, noise);
            }
            works_on(store);
        }
    });
}

fn unknown_req_id() {
    with_store(|xen, store| {
        forge(xen, |header, body| {
            let stray = |req_id| (Header { req_id, ..header }, body.clone());
            let strays = [0, u32::MAX, header.req_id.wrapping_sub(1), header.req_id + 1000];
            let mut messages: Vec<Message> = strays.map(stray).into();
            messages.push((header, body.clone()));
            messages.extend(strays.map(stray));
            messages
        });
        for _ in 0..20 {
            works_on(store);
        }
    });
}

fn wrong_type_or_transaction() {
    let kinds = [0, 1, 3, 11, 14, 17, 22, 255, 65535, u32::MAX];
    for kind in kinds {
        with_store(|xen, store| {
            forge(xen, move |header, body| vec![(Header { kind, ..header }, body)]);
            let error = store.read(NONE, "domid").unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{kind}: {error}");
            be_honest(xen);
            works_on(store);
        });
    }
    with_store(|xen, store| {
        forge(xen, |header, body| vec![(Header { tx_id: 7, ..header }, body)]);
        assert!(matches!(store.read(NONE, "domid"), Err(Error::Malformed(_))));
        be_honest(xen);
        works_on(store);
    });
}

fn malformed_errno() {
    let kind = MessageType::Error as u32;
    let long = [b'E'; 4096];
    for body in [&b""[..], b"\0", b"EWHATEVER\0", b"ENOENT", b"EAGAIN\0junk\0", &long, b"\xff\0"] {
        let body = body.to_vec();
        with_store(move |xen, store| {
            let body = body.clone();
            let len = body.len() as u32;
            forge(xen, move |header, _| vec![(Header { kind, len, ..header }, body.clone())]);
            let error = store.read(NONE, "domid").unwrap_err();
            assert!(matches!(error, Error::Refused(_) | Error::Malformed(_)), "{error}");
            be_honest(xen);
            works_on(store);
        });
    }
}

fn one_byte_at_a_time() {
    with_store(|xen, store| {
        xen.world().store.wire.piece_max = 1;
        let token = store.watch("data").unwrap();
        for round in 0..10 {
            works_on(store);
            xen.world().set("/local/domain/1/data/y", &round.to_string());
        }
        let deadline_ns = xen.now_ns() + 1_000_000_000;
        assert_eq!(store.wait_fired(token, deadline_ns), Ok(true));
    });
}

fn longer_than_the_ring() {
    with_store(|xen, store| {
        for len in [1000, 1008, 1009, 1024, 2048, 4095, 4096] {
            let value = "v".repeat(len);
            forge(xen, replaced(value.clone()));
            assert_eq!(store.read(NONE, "domid").unwrap(), value);
        }
        be_honest(xen);
        works_on(store);
    });
}

fn malformed_watch_events() {
    let kind = MessageType::WatchEvent as u32;
    with_store(|xen, store| {
        let token = store.watch("data").unwrap();
        let deadline_ns = xen.now_ns() + 100_000_000;
        assert_eq!(store.wait_fired(token, deadline_ns), Ok(true));
        let gone = store.watch("data/gone").unwrap();
        assert_eq!(store.wait_fired(gone, deadline_ns), Ok(true));
        store.unwatch("data/gone", gone).unwrap();
        let long = [b'A'; 4096];
        let bodies = [
            &b""[..],
            b"\0",
            b"\0\0\0",
            b"data",
            b"data\0",
            b"data\0A",
            b"data\0B\0",
            b"data\0@\0",
            b"data\0a\0",
        ];
        let more = [&b"data\0AA\0"[..], b"data\0\0", &long, b"\xff\xfe\0\x80\0"];
        let junk: Vec<Vec<u8>> = bodies.iter().chain(&more).map(|body| body.to_vec()).collect();
        forge(xen, move |header, body| {
            let event = |body: &Vec<u8>| {
                (Header { kind, req_id: 0, tx_id: 0, len: body.len() as u32 }, body.clone())
            };
            let mut messages: Vec<Message> = junk.iter().map(event).collect();
            messages.push((header, body));
            messages
        });
        assert_eq!(store.read(NONE, "domid").unwrap(), "1");
        for token in [token, gone] {
            assert_eq!(store.take_fired(token), Ok(false), "none of it was an event for us");
        }
        be_honest(xen);
        works_on(store);
        let deadline_ns = xen.now_ns() + 100_000_000;
        assert_eq!(store.wait_fired(token, deadline_ns), Ok(true));
    });
}

fn flood_of_watch_events() {
    with_store(|xen, store| {
        let token = store.watch("data").unwrap();
        forge(xen, |header, body| {
            let mut messages = vec![watch_event("data/flood", b"A"); 5000];
            messages.push((header, body));
            messages
        });
        assert_eq!(store.read(NONE, "domid").unwrap(), "1");
        assert_eq!(store.take_fired(token), Ok(true), "one, whatever their number");
        assert_eq!(store.take_fired(token), Ok(false));
    });
    a_flood_costs_the_time_limit(|_| watch_event("data/flood", b"A"));
}

/// A call that takes so long gives the server time to fill the ring again.
const SLOW_NS: u64 = 20_000_000;

/// The reply comes behind more messages than can be taken in time.
fn a_flood_costs_the_time_limit(message: impl Fn(Header) -> Message + Copy + 'static) {
    with_store(|xen, store| {
        forge(xen, move |header, body| {
            let mut messages = vec![message(header); 20_000];
            messages.push((header, body));
            messages
        });
        xen.world().xen.call_ns = SLOW_NS;
        let start_ns = xen.now_ns();
        assert_eq!(store.read(NONE, "domid"), Err(Error::Timeout));
        // A look takes long here, and counts no more than one that does not.
        assert!(xen.now_ns() - start_ns < 60_000_000_000);
    });
}

fn lost_watch_events() {
    for seed in SEEDS {
        let xen = machine(seed, disk());
        xen.world().store.wire.loses_events = true;
        let mut guest = Guest::boot(&xen);
        let start_ns = xen.now_ns();
        let device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
        closes_and_opens(&xen, &mut guest, device);
        assert!(xen.now_ns() - start_ns < 10_000_000_000, "the state is read again by itself");
    }
}

fn malformed_lists() {
    let many: Vec<u8> = b"n\0".repeat(2048);
    let huge = vec![b'n'; 4096];
    for (body, expected) in [
        (&b""[..], Some(0)),
        (b"\0", Some(1)),
        (b"a", Some(1)),
        (b"a\0b", Some(2)),
        (b"a/b\0../c\0", Some(2)),
        (&many, Some(2048)),
        (&huge, Some(1)),
        (b"\xff\0", None),
    ] {
        let body = body.to_vec();
        with_store(move |xen, store| {
            forge(xen, replaced(body.clone()));
            let names = store.directory(NONE, "data");
            assert_eq!(names.ok().map(|names| names.len()), expected);
            be_honest(xen);
            works_on(store);
        });
    }
    // Nor is a value that is not text taken for one.
    with_store(|xen, store| {
        forge(xen, replaced(*b"a\xff"));
        assert!(matches!(store.read(NONE, "domid"), Err(Error::Malformed(_))));
    });
    // What is no device's number is no device.
    let xen = machine(1, disk());
    let mut guest = Guest::boot(&xen);
    forge(&xen, replaced(*b"51712\0../../x\0-1\0\x0051712\0"));
    assert_eq!(drivers::blkfront::handshake::list(&mut guest.store).unwrap().len(), 1);
    be_honest(&xen);
}

fn conflicts_without_end() {
    let xen = machine(1, disk());
    xen.world().store.contention = 16;
    let mut guest = Guest::boot(&xen);
    let start_ns = xen.now_ns();
    let error = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap_err();
    let ConnectError::Xenstore(_, Error::Refused(errno)) = error else { panic!("{error}") };
    assert_eq!(errno, "EAGAIN");
    assert!(xen.now_ns() - start_ns < 100_000_000_000);
    assert_eq!(xen.world().xen.pages_out(), 0);
}

fn malformed_transaction_number() {
    for number in ["", "x", "-1", "0", "4294967296", "1.5", "99999999999999999999", " 1"] {
        with_store(|xen, store| {
            forge(xen, replaced(format!("{number}\0")));
            let mut ran = false;
            let result = store.transaction(|_, _| {
                ran = true;
                Ok(())
            });
            assert!(matches!(result, Err(Error::Malformed(_))), "{number:?}: {result:?}");
            assert!(!ran);
            be_honest(xen);
            works_on(store);
        });
    }
}

/// The first request is refused, then the second, and so on, until a life passes untouched.
fn errno_at_each_request() {
    let errnos = ["EACCES", "EAGAIN", "E2BIG", "EBUSY", "EEXIST", "EINVAL", "EIO", "EISCONN"];
    for errno in errnos.into_iter().chain(["ENOENT", "ENOMEM", "ENOSPC", "EQUOTA"]) {
        for victim in 0.. {
            let setup = if errno == "EINVAL" { queues } else { setup };
            let xen = machine(victim % 3, disk());
            let count = Rc::new(RefCell::new(0));
            let counter = Rc::clone(&count);
            forge(&xen, move |header, body| {
                *counter.borrow_mut() += 1;
                if *counter.borrow() != victim + 1 {
                    return vec![(header, body)];
                }
                let body = format!("{errno}\0").into_bytes();
                let kind = MessageType::Error as u32;
                vec![(Header { kind, len: body.len() as u32, ..header }, body)]
            });
            let mut guest = Guest::boot(&xen);
            let mut quarantined = 0;
            let mut up = false;
            if let Ok(mut device) = guest.connect(XVDA, &setup(GrantMode::Persistent)) {
                up = true;
                let mut work = workload(&xen, victim);
                work.run(&xen, &mut device, 10, 4).unwrap();
                quarantined = guest.disconnect(device).quarantined_pages as usize;
            }
            // An error on the way down may leave pages with the backend, and no others.
            let world = xen.world();
            let out = world.xen.pages_out();
            let mapped = world.xen.grants.standing();
            assert!(out == quarantined || !up && out <= mapped, "{errno} {victim}: {out}");
            if *count.borrow() <= victim {
                assert!(up && out == 0);
                break;
            }
        }
    }
}

fn no_reply() {
    with_store(|xen, store| {
        // Never.
        forge(xen, |_, _| Vec::new());
        let start_ns = xen.now_ns();
        assert_eq!(store.read(NONE, "domid"), Err(Error::Timeout));
        let took_ns = xen.now_ns() - start_ns;
        assert!((10_000_000_000..10_100_000_000).contains(&took_ns), "{took_ns}");
        // Too late: with the reply to the next request.
        let mut late: Option<Message> = None;
        forge(xen, move |header, body| match late.take() {
            None => {
                late = Some((header, b"late".to_vec()));
                Vec::new()
            }
            Some((old, old_body)) => {
                vec![(Header { len: 4, ..old }, old_body), (header, body)]
            }
        });
        assert_eq!(store.read(NONE, "domid"), Err(Error::Timeout));
        assert_eq!(store.read(NONE, "domid").unwrap(), "1");
        be_honest(xen);
        works_on(store);
    });
    // Nothing but late replies.
    let late = |header: Header| (Header { req_id: header.req_id - 1, len: 0, ..header }, vec![]);
    a_flood_costs_the_time_limit(late);
    // Whoever asks for events does not wait for those to end either.
    with_store(|xen, store| {
        let token = store.watch("data").unwrap();
        forge(xen, move |header, body| {
            let mut messages = vec![(header, body)];
            messages.extend(vec![late(header); 1000]);
            messages
        });
        xen.world().xen.call_ns = SLOW_NS;
        assert_eq!(store.read(NONE, "domid").unwrap(), "1");
        let start_ns = xen.now_ns();
        store.take_fired(token).unwrap();
        assert!(xen.now_ns() - start_ns < 5_000_000_000);
    });
    // A server that takes nothing from the ring: it fills, and each request has its time.
    let xen = ModelXen::seeded(1);
    let mut guest = Guest::boot(&xen);
    xen.world().store.is_stopped = true;
    for _ in 0..4 {
        let start_ns = xen.now_ns();
        let result = guest.store.write(NONE, "data/x", &"v".repeat(800));
        assert_eq!(result, Err(Error::Timeout));
        assert!(xen.now_ns() - start_ns < 10_100_000_000);
    }
    // It comes back, and nothing is lost but time.
    xen.world().store.is_stopped = false;
    xen.world().xen.wake(Actor::Store);
    works_on(&mut guest.store);
}

fn reconnection_without_end() {
    // Nothing is put on a ring that is not connected.
    let xen = ModelXen::seeded(1);
    let page = xen.store_channel().1;
    page.connection.store(1, Ordering::SeqCst);
    xen.world().store.is_stopped = true;
    let mut guest = Guest::boot(&xen);
    let before = page.req_prod.load(Ordering::SeqCst);
    assert_eq!(guest.store.read(NONE, "domid"), Err(Error::Timeout));
    assert_eq!(page.req_prod.load(Ordering::SeqCst), before);
    // Once it is, all begins, also where the server has moved the indices.
    for moved in [0, 5000] {
        let xen = ModelXen::seeded(1);
        let page = xen.store_channel().1;
        page.connection.store(1, Ordering::SeqCst);
        xen.world().store.is_stopped = true;
        let mut guest = Guest::boot(&xen);
        assert_eq!(guest.store.read(NONE, "domid"), Err(Error::Timeout));
        {
            let world = &mut *xen.world();
            world.store.wire.move_indices(&world.xen.memory.store, moved);
            world.store.is_stopped = false;
        }
        page.connection.store(0, Ordering::SeqCst);
        works_on(&mut guest.store);
    }
}

fn error_field() {
    for error in [1, 2, 3, 77, u32::MAX] {
        let xen = ModelXen::seeded(1);
        let page = xen.store_channel().1;
        page.error.store(error, Ordering::SeqCst);
        let mut guest = Guest::boot(&xen);
        // A server that does not know the field means nothing by it.
        works_on(&mut guest.store);
        page.server_features.store(2, Ordering::SeqCst);
        let start_ns = xen.now_ns();
        let first = guest.store.read(NONE, "domid").unwrap_err();
        assert!(matches!(first, Error::Broken(_)), "{error}: {first}");
        // For good, and at once.
        page.error.store(0, Ordering::SeqCst);
        assert_eq!(guest.store.read(NONE, "domid"), Err(first));
        assert!(xen.now_ns() - start_ns < 1_000_000);
    }
    // It is set while a reply is waited for.
    with_store(|xen, store| {
        let memory = Rc::clone(&xen.world().xen.memory);
        memory.store.server_features.store(u32::MAX, Ordering::SeqCst);
        forge(xen, move |_, _| {
            memory.store.error.store(1, Ordering::SeqCst);
            Vec::new()
        });
        let start_ns = xen.now_ns();
        assert!(matches!(store.read(NONE, "domid"), Err(Error::Broken(_))));
        assert!(xen.now_ns() - start_ns < 1_000_000_000);
    });
}

fn feature_bits() {
    with_store(|xen, store| {
        for round in 0..20 {
            let features = if round % 2 == 0 { u32::MAX } else { 0 };
            xen.store_channel().1.server_features.store(features, Ordering::SeqCst);
            works_on(store);
        }
    });
}
