//! The xenstore client against xenstored: all operations, transactions, watches, long replies.

use drivers::Vcpu;
use drivers::xenstore::{Error, TextError, Transaction, Xenstore};
use model::agenda::Actor;
use model::xenstored::Perms;
use model::{GUEST, Guest, ModelXen};
use xen_abi::xenstore::{Header, MessageType};

const NONE: Transaction = Transaction::NONE;

fn refused(errno: &str) -> Error {
    Error::Refused(errno.into())
}

#[test]
fn every_operation() {
    for seed in 0..50 {
        let xen = ModelXen::seeded(seed);
        // Now and then the reply is there before the guest goes to sleep.
        xen.world().xen.call_ns = [0, 5_000_000][seed as usize % 2];
        let mut guest = Guest::boot(&xen);
        let store = &mut guest.store;
        assert_eq!(store.read(NONE, "domid").unwrap(), "1");
        assert_eq!(store.read(NONE, "/local/domain/1/domid").unwrap(), "1");
        assert_eq!(store.read(NONE, "data/x"), Err(refused("ENOENT")));
        store.write(NONE, "data/x/y", "value").unwrap();
        store.write(NONE, "data/x/empty", "").unwrap();
        store.mkdir(NONE, "data/x/made").unwrap();
        store.mkdir(NONE, "data/x/y").unwrap();
        assert_eq!(store.read(NONE, "data/x/y").unwrap(), "value");
        assert_eq!(store.read(NONE, "data/x/empty").unwrap(), "");
        let names = store.directory(NONE, "data/x").unwrap();
        assert_eq!(names, ["empty", "made", "y"]);
        assert!(store.directory(NONE, "data/x/y").unwrap().is_empty());
        store.rm(NONE, "data/x").unwrap();
        store.rm(NONE, "data/x").unwrap();
        assert_eq!(store.directory(NONE, "data/x"), Err(refused("ENOENT")));
        assert_eq!(store.write(NONE, "/local/x", "1"), Err(refused("EACCES")));
        assert_eq!(store.write(NONE, "domid", "2"), Err(refused("EACCES")));
        assert_eq!(store.read(NONE, "a b"), Err(refused("EINVAL")));
        assert_eq!(store.read(NONE, &"p".repeat(2049)), Err(refused("EINVAL")));
        assert_eq!(store.read(NONE, &"p".repeat(4000)), Err(Error::TooLong));
        let big = "v".repeat(2049);
        assert_eq!(store.write(NONE, "data/big", &big), Err(refused("ENOSPC")));
        assert_eq!(store.write(NONE, "data/big", &"v".repeat(4096)), Err(Error::TooLong));
        assert_eq!(xen.world().xen.totals.timeouts, 0, "seed {seed}: no event was lost");
    }
}

#[test]
fn replies_longer_than_the_ring() {
    for seed in 0..50 {
        let xen = ModelXen::seeded(seed);
        let names: Vec<String> = (0..300).map(|n| format!("node-{n:06}")).collect();
        let value = "0123456789abcdef".repeat(256);
        for name in &names {
            let path = format!("/list/{name}");
            xen.world().store.tree.make(&path, "", Perms::owned_by(GUEST));
        }
        xen.world().store.tree.make("/list", &value, Perms::owned_by(GUEST));
        let mut guest = Guest::boot(&xen);
        for _ in 0..5 {
            assert_eq!(guest.store.directory(NONE, "/list").unwrap(), names);
            assert_eq!(guest.store.read(NONE, "/list").unwrap(), value);
        }
    }
}

/// A list of 400 names, which needs two parts.
fn long_list(xen: &ModelXen) -> Vec<String> {
    let names: Vec<String> = (0..400).map(|n| format!("node-{n:06}")).collect();
    for name in &names {
        let path = format!("/list/{name}");
        xen.world().store.tree.make(&path, "", Perms::owned_by(GUEST));
    }
    xen.world().store.tree.make("/list", "", Perms::owned_by(GUEST));
    names
}

#[test]
fn a9_a_list_longer_than_a_reply_comes_in_parts() {
    for seed in 0..20 {
        let xen = ModelXen::seeded(seed);
        let names = long_list(&xen);
        let mut guest = Guest::boot(&xen);
        assert_eq!(guest.store.directory(NONE, "/list").unwrap(), names);
        let inside = guest.store.transaction(|store, inside| store.directory(inside, "/list"));
        assert_eq!(inside.unwrap(), names);
        // Lists that end with a part.
        for more in 0..400 {
            let path = format!("/list/more-{more:05}");
            xen.world().store.tree.make(&path, "", Perms::owned_by(GUEST));
            if more > 370 {
                assert_eq!(guest.store.directory(NONE, "/list").unwrap().len(), 401 + more);
            }
        }
    }
}

/// Makes of the parts of a list what `make` says; each comes with how many came before it.
fn forge_parts(xen: &ModelXen, make: impl Fn(usize, Vec<u8>) -> Vec<u8> + 'static) {
    let mut before = 0;
    xen.world().store.forger = Some(Box::new(move |header, mut body| {
        if header.kind == MessageType::DirectoryPart as u32 {
            body = make(before, body);
            before += 1;
        }
        vec![(Header { len: body.len() as u32, ..header }, body)]
    }));
}

#[test]
fn a9_a_list_that_changes_meanwhile_is_read_anew() {
    let xen = ModelXen::seeded(1);
    let names = long_list(&xen);
    let mut guest = Guest::boot(&xen);
    forge_parts(&xen, |before, body| {
        let end = body.iter().position(|&byte| byte == 0).unwrap();
        // Before the change: other names, and another generation.
        if before == 0 { b"0\0gone\0".to_vec() } else { [b"7", &body[end..]].concat() }
    });
    assert_eq!(guest.store.directory(NONE, "/list").unwrap(), names);
    forge_parts(&xen, |before, _| format!("{before}\0name\0").into_bytes());
    assert_eq!(guest.store.directory(NONE, "/list"), Err(refused("EAGAIN")));
}

#[test]
fn a9_a_list_without_end_is_refused() {
    let xen = ModelXen::seeded(1);
    long_list(&xen);
    let mut guest = Guest::boot(&xen);
    let long = [b"1\0".to_vec(), b"n\0".repeat(2000)].concat();
    for part in [b"".to_vec(), b"1".to_vec(), b"1\0".to_vec(), b"1\0half".to_vec()] {
        forge_parts(&xen, move |_, _| part.clone());
        let error = guest.store.directory(NONE, "/list").unwrap_err();
        assert_eq!(error, Error::Malformed("a list of names breaks off"));
    }
    // What does not end takes no more than 32 KiB.
    forge_parts(&xen, move |_, _| long.clone());
    let served = xen.world().store.requests;
    let error = guest.store.directory(NONE, "/list").unwrap_err();
    assert_eq!(error, Error::Malformed("a list of names is longer than 32 KiB"));
    assert_eq!(xen.world().store.requests - served, 1 + 9);
    // A server that does not know the request.
    xen.world().store.forger = Some(Box::new(|header, body| {
        if header.kind != MessageType::DirectoryPart as u32 {
            return vec![(header, body)];
        }
        let kind = MessageType::Error as u32;
        vec![(Header { kind, len: 7, ..header }, b"ENOSYS\0".to_vec())]
    }));
    assert_eq!(guest.store.directory(NONE, "/list"), Err(refused("E2BIG")));
}

#[test]
fn r8_late_transactions_are_ended() {
    let xen = ModelXen::seeded(1);
    let mut guest = Guest::boot(&xen);
    for _ in 0..40 {
        let mut late = None;
        xen.world().store.forger = Some(Box::new(move |header, body| {
            if header.kind == MessageType::TransactionStart as u32 {
                late = Some((header, body));
                return Vec::new();
            }
            late.take().into_iter().chain([(header, body)]).collect()
        }));
        let result = guest.store.transaction(|_, _| Ok(()));
        assert_eq!(result, Err(Error::Timeout));
        // The late reply comes with the next.
        guest.store.read(NONE, "domid").unwrap();
    }
    xen.world().store.forger = None;
    guest.store.read(NONE, "domid").unwrap();
    assert_eq!(xen.world().store.open_transactions(), 0);
}

#[test]
fn r8_a_transaction_whose_end_did_not_get_out_is_ended_later() {
    let xen = ModelXen::seeded(1);
    let mut guest = Guest::boot(&xen);
    let result = guest.store.transaction(|store, inside| {
        xen.world().store.is_stopped = true;
        // It fills the ring to the last byte.
        store.write(inside, "data/x", &"v".repeat(1024 - 16 - "data/x\0".len()))
    });
    assert_eq!(result, Err(Error::Timeout));
    xen.world().store.is_stopped = false;
    xen.world().xen.wake(Actor::Store);
    guest.store.read(NONE, "domid").unwrap();
    xen.pass_ns(1_000_000_000);
    assert_eq!(xen.world().store.open_transactions(), 0);
    assert_eq!(guest.store.read(NONE, "data/x"), Err(refused("ENOENT")));
}

#[test]
fn r8_a_transaction_whose_start_got_out_in_part_is_ended_later() {
    // As many bytes of the 17 find room in the ring.
    for room in 1..=17 {
        let xen = ModelXen::seeded(1);
        let mut guest = Guest::boot(&xen);
        xen.world().store.is_stopped = true;
        let value = "v".repeat(1024 - 16 - "data/x\0".len() - room);
        assert_eq!(guest.store.write(NONE, "data/x", &value), Err(Error::Timeout));
        assert_eq!(guest.store.transaction(|_, _| Ok(())), Err(Error::Timeout));
        xen.world().store.is_stopped = false;
        xen.world().xen.wake(Actor::Store);
        for _ in 0..2 {
            guest.store.read(NONE, "domid").unwrap();
        }
        xen.pass_ns(1_000_000_000);
        assert_eq!(xen.world().store.open_transactions(), 0, "{room}");
    }
}

#[test]
fn r9_a_full_ring_is_no_broken_stream() {
    let xen = ModelXen::seeded(1);
    let mut guest = Guest::boot(&xen);
    xen.world().store.is_stopped = true;
    // Header and payload fill the ring to the last byte.
    let value = "v".repeat(1024 - 16 - "data/x\0".len());
    assert_eq!(guest.store.write(NONE, "data/x", &value), Err(Error::Timeout));
    assert_eq!(guest.store.read(NONE, "domid"), Err(Error::Timeout));
    xen.world().store.is_stopped = false;
    xen.world().xen.wake(Actor::Store);
    let served = xen.world().store.requests;
    assert_eq!(guest.store.read(NONE, "domid").as_deref(), Ok("1"));
    assert_eq!(xen.world().store.requests - served, 2, "what timed out unsent is not sent");
}

#[test]
fn r9_a_stalled_server_can_come_back() {
    for len in [1, 800, 1009, 2000] {
        let xen = ModelXen::seeded(1);
        let mut guest = Guest::boot(&xen);
        xen.world().store.is_stopped = true;
        let value = "v".repeat(len);
        for _ in 0..3 {
            assert_eq!(guest.store.write(NONE, "data/x", &value), Err(Error::Timeout));
        }
        xen.world().store.is_stopped = false;
        xen.world().xen.wake(Actor::Store);
        assert_eq!(guest.store.read(NONE, "domid").as_deref(), Ok("1"));
        assert_eq!(guest.store.read(NONE, "data/x"), Ok(value));
    }
}

#[test]
fn transactions_are_all_or_nothing() {
    for seed in 0..100 {
        let xen = ModelXen::seeded(seed);
        xen.world().store.contention = (seed % 9) as u32;
        let mut guest = Guest::boot(&xen);
        guest.store.write(NONE, "data/count", "0").unwrap();
        let mut tries = 0;
        for round in 0..20 {
            let seen = guest.store.transaction(|store, transaction| {
                tries += 1;
                let count: u32 = store.read(transaction, "data/count")?.parse().unwrap();
                store.write(transaction, "data/count", &(count + 1).to_string())?;
                store.write(transaction, &format!("data/round-{count}"), "")?;
                Ok(count)
            });
            assert_eq!(seen, Ok(round));
        }
        assert_eq!(guest.store.read(NONE, "data/count").unwrap(), "20");
        assert_eq!(guest.store.directory(NONE, "data").unwrap().len(), 21);
        assert!(tries > 20 || seed % 9 < 3, "seed {seed}: no conflict was met");

        // What fails inside leaves no trace.
        let failed = guest.store.transaction(|store, transaction| {
            store.write(transaction, "data/count", "99")?;
            store.read(transaction, "data/nothing")
        });
        assert_eq!(failed, Err(refused("ENOENT")));
        assert_eq!(guest.store.read(NONE, "data/count").unwrap(), "20");
        assert_eq!(xen.world().store.open_transactions(), 0);
    }
}

#[test]
fn endless_conflicts_end() {
    let xen = ModelXen::seeded(1);
    xen.world().store.contention = 16;
    let mut guest = Guest::boot(&xen);
    let (mut tries, start_ns) = (0, xen.now_ns());
    let result = guest.store.transaction(|store, transaction| {
        tries += 1;
        store.write(transaction, "data/x", "1")
    });
    assert_eq!((result, tries), (Err(refused("EAGAIN")), 16));
    let waited_ns = xen.now_ns() - start_ns;
    assert!((30..40).contains(&(waited_ns / 1_000_000_000)), "{waited_ns}: 1, 2, 4, ... ms");
    assert_eq!(guest.store.read(NONE, "data/x"), Err(refused("ENOENT")));
}

#[test]
fn endless_conflicts_end_in_the_time_of_one_request() {
    let xen = ModelXen::seeded(1);
    xen.world().store.contention = 16;
    let mut guest = Guest::boot(&xen);
    let start_ns = xen.now_ns();
    let write = |store: &mut Xenstore<'_, ModelXen>, inside| store.write(inside, "data/x", "1");
    let result = guest.store.in_time(|store| store.transaction(write));
    assert_eq!(result, Err(refused("EAGAIN")));
    let waited_ns = xen.now_ns() - start_ns;
    assert!((9..11).contains(&(waited_ns / 1_000_000_000)), "{waited_ns}");
    assert_eq!(guest.store.read(NONE, "data/x"), Err(refused("ENOENT")));
    assert_eq!(xen.world().store.open_transactions(), 0);
}

#[test]
fn only_a_conflict_is_a_reason_to_try_again() {
    let xen = ModelXen::seeded(4);
    xen.world().store.forger = Some(Box::new(|header, body| {
        if header.kind != MessageType::TransactionEnd as u32 {
            return vec![(header, body)];
        }
        let kind = MessageType::Error as u32;
        vec![(Header { kind, len: 7, ..header }, b"ENOSPC\0".to_vec())]
    }));
    let mut guest = Guest::boot(&xen);
    let mut tries = 0;
    let result = guest.store.transaction(|store, transaction| {
        tries += 1;
        store.write(transaction, "data/x", "1")
    });
    assert_eq!((result, tries), (Err(refused("ENOSPC")), 1));
}

#[test]
fn watches_tell_of_changes() {
    for seed in 0..50 {
        let xen = ModelXen::seeded(seed);
        let mut guest = Guest::boot(&xen);
        let store = &mut guest.store;
        let soon = |xen: &ModelXen| xen.now_ns() + 1_000_000_000;
        let own = store.watch("data").unwrap();
        let other = store.watch("/foreign/key").unwrap();
        assert_eq!(store.wait_fired(own, soon(&xen)), Ok(true), "the first event");
        assert_eq!(store.wait_fired(other, soon(&xen)), Ok(true), "the first event");
        assert_eq!(store.wait_fired(own, soon(&xen)), Ok(false), "nothing happened");

        xen.world().set("/local/domain/1/data/deep/down", "1");
        assert_eq!(store.wait_fired(own, soon(&xen)), Ok(true));
        assert_eq!(store.take_fired(other), Ok(false));
        // A burst is one event or more, never none.
        for n in 0..100 {
            xen.world().set("/foreign/key", &n.to_string());
        }
        assert_eq!(store.wait_fired(other, soon(&xen)), Ok(true));
        while store.wait_fired(other, soon(&xen)).unwrap() {}
        // The removal of a node above counts.
        xen.world().unset("/foreign");
        assert_eq!(store.wait_fired(other, soon(&xen)), Ok(true));

        store.unwatch("/foreign/key", other).unwrap();
        xen.world().set("/foreign/key", "x");
        assert_eq!(store.wait_fired(other, soon(&xen)), Ok(false), "no watch, no event");
        store.unwatch("data", own).unwrap();
        assert_eq!(xen.world().store.guest_watches(), 0);
    }
}

#[test]
fn at_most_32_watches() {
    let xen = ModelXen::seeded(2);
    let mut guest = Guest::boot(&xen);
    let tokens: Vec<_> = (0..32).map(|_| guest.store.watch("data").unwrap()).collect();
    assert_eq!(guest.store.watch("data"), Err(Error::TooLong));
    for token in tokens {
        guest.store.unwatch("data", token).unwrap();
    }
    guest.store.watch("data").unwrap();
}

#[test]
fn a_watch_that_was_refused_is_not_one_of_32() {
    let xen = ModelXen::seeded(2);
    let mut guest = Guest::boot(&xen);
    for _ in 0..40 {
        assert_eq!(guest.store.watch("a b"), Err(refused("EINVAL")));
    }
    guest.store.watch("data").unwrap();
}

#[test]
fn a_watch_whose_reply_was_lost_can_be_set_again() {
    let xen = ModelXen::seeded(2);
    let mut guest = Guest::boot(&xen);
    xen.world().store.forger = Some(Box::new(|_, _| Vec::new()));
    assert_eq!(guest.store.watch("data"), Err(Error::Timeout));
    xen.world().store.forger = None;
    let token = guest.store.watch("data").unwrap();
    assert_eq!(xen.world().store.guest_watches(), 1);
    xen.world().set("/local/domain/1/data/x", "1");
    assert_eq!(guest.store.wait_fired(token, xen.now_ns() + 1_000_000_000), Ok(true));
}

#[test]
fn a_new_watch_knows_nothing_of_the_one_before_it() {
    let xen = ModelXen::seeded(2);
    let mut guest = Guest::boot(&xen);
    let store = &mut guest.store;
    let before = store.watch("data").unwrap();
    // Its first event has come, and nobody asked.
    xen.pass_ns(10_000_000);
    store.unwatch("data", before).unwrap();
    xen.world().store.wire.loses_events = true;
    let token = store.watch("data/x").unwrap();
    assert_eq!((token, store.take_fired(token)), (before, Ok(false)));
}

const TEXT: &str = "/local/domain/1/text";

/// Reads the text of a node of this value with these pieces.
fn read_text(length: &str, pieces: &[&str]) -> Result<Option<String>, TextError> {
    let xen = ModelXen::seeded(3);
    let mut guest = Guest::boot(&xen);
    xen.world().set(TEXT, length);
    for (number, piece) in pieces.iter().enumerate() {
        xen.world().set(&format!("{TEXT}/{number}"), piece);
    }
    guest.store.read_text("text", 8192)
}

#[test]
fn a_text_is_put_together() {
    let xen = ModelXen::seeded(3);
    assert_eq!(Guest::boot(&xen).store.read_text("text", 8192), Ok(None));
    assert_eq!(read_text("0", &[]), Ok(Some(String::new())));
    assert_eq!(read_text("3", &["a\nb", "more"]), Ok(Some("a\nb".into())));
    let long = "0123456789abcdef".repeat(128);
    assert_eq!(read_text("8192", &[long.as_str(); 4]), Ok(Some(long.repeat(4))));
    assert_eq!(read_text("4", &["a", "b", "cd"]), Ok(Some("abcd".into())));
}

#[test]
fn a_text_in_slow_pieces_is_given_up_after_the_time_of_one_request() {
    let xen = ModelXen::seeded(3);
    let mut guest = Guest::boot(&xen);
    xen.world().set(TEXT, "100");
    for number in 0..100 {
        xen.world().set(&format!("{TEXT}/{number}"), "x");
    }
    xen.world().xen.call_ns = 100_000_000;
    let start_ns = xen.now_ns();
    assert_eq!(guest.store.read_text("text", 8192), Err(TextError::Store(Error::Timeout)));
    let waited_ns = xen.now_ns() - start_ns;
    // The time of the sends is not the server's.
    assert!((10_000_000_000..40_000_000_000).contains(&waited_ns), "{waited_ns}");
    // Each request for itself has its time again.
    assert_eq!(guest.store.read(NONE, "text").unwrap(), "100");
    xen.world().xen.call_ns = 0;
    assert_eq!(guest.store.read_text("text", 8192).unwrap().unwrap(), "x".repeat(100));
}

#[test]
fn a_text_that_does_not_add_up_is_refused() {
    for length in ["8193", "99999999999999999999", "-1", "many", ""] {
        let error = read_text(length, &["a"]).unwrap_err();
        let path = "text".into();
        assert_eq!(error, TextError::Length { path, value: length.into(), bytes_max: 8192 });
    }
    for (pieces, number, found_bytes, left_bytes) in [
        (&[][..], 0, None, 4),
        (&["ab"], 1, None, 2),
        (&["ab", ""], 1, Some(0), 2),
        (&["ab", "cde"], 1, Some(3), 2),
    ] {
        let error = read_text("4", pieces).unwrap_err();
        let path = format!("text/{number}");
        assert_eq!(error, TextError::Piece { path, found_bytes, left_bytes });
    }
}
