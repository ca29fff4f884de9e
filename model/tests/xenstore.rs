//! The xenstore client against xenstored: all operations, transactions, watches, long replies.

use drivers::Hypervisor;
use drivers::xenstore::{Error, TextError, Transaction};
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
        // One name too many for a reply.
        for n in 300..400 {
            let path = format!("/list/node-{n:06}");
            xen.world().store.tree.make(&path, "", Perms::owned_by(GUEST));
        }
        assert_eq!(guest.store.directory(NONE, "/list"), Err(refused("E2BIG")));
    }
}

#[test]
fn transactions_are_all_or_nothing() {
    for seed in 0..100 {
        let xen = ModelXen::seeded(seed);
        xen.world().store.contention = (seed % 12) as u32;
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
        assert!(tries > 20 || seed % 12 < 3, "seed {seed}: no conflict was met");

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
    xen.world().xen.call_ns = 200_000_000;
    let start_ns = xen.now_ns();
    assert_eq!(guest.store.read_text("text", 8192), Err(TextError::Store(Error::Timeout)));
    let waited_ns = xen.now_ns() - start_ns;
    assert!((10_000_000_000..12_000_000_000).contains(&waited_ns), "{waited_ns}");
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
