//! Target: a xenstored that sends anything, while a client does what clients do.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use arbitrary::{Result, Unstructured};
use drivers::Vcpu;
use drivers::xenstore::{Error, Transaction, WatchToken, Xenstore};
use model::fixture::Machine;
use model::xenstored::wire::watch_event;
use model::{Guest, ModelXen};
use xen_abi::xenstore::{Header, MessageType};
use zerocopy::transmute;

use crate::draw::{bytes, number, several};

/// A request takes 10 s at most, and what the simulator adds.
const REQUEST_MAX_NS: u64 = 10_100_000_000;
/// A transaction of three requests: 16 tries, with pauses that double from 1 ms.
const TRANSACTION_MAX_NS: u64 = 16 * 3 * REQUEST_MAX_NS + (1 << 16) * 1_000_000;
/// Time for which the client waits for a watch.
const PATIENCE_NS: u64 = 1_000_000_000;

/// Call that the client makes.
#[derive(Clone, Copy, Debug)]
enum Act {
    Read,
    ReadMissing,
    Write,
    Mkdir,
    Remove,
    List,
    Transaction,
    Watch,
    Unwatch,
    TakeFired,
    WaitFired,
}

const ACTS: [Act; 11] = [
    Act::Read,
    Act::ReadMissing,
    Act::Write,
    Act::Mkdir,
    Act::Remove,
    Act::List,
    Act::Transaction,
    Act::Watch,
    Act::Unwatch,
    Act::TakeFired,
    Act::WaitFired,
];

/// Forgery that the server makes of one reply.
enum Forgery {
    Honest,
    Silent,
    Twice,
    /// One field of the header is something else; a wrong length shifts all that follows.
    Field(u8, u32),
    Body(Vec<u8>),
    Refused(Vec<u8>),
    /// Watch events come first, so many.
    Events(u16, Vec<u8>, Vec<u8>),
    /// Bytes that are no message.
    Raw([u8; Header::SIZE], Vec<u8>),
    /// No bytes, but absurd indices: the server's of the replies, or of the requests.
    Indices(bool, u32),
}

fn forgery(u: &mut Unstructured<'_>) -> Result<Forgery> {
    Ok(match u.int_in_range(0..=12)? {
        0 => Forgery::Silent,
        1 => Forgery::Twice,
        2 | 3 => Forgery::Field(u.int_in_range(0..=3)?, number(u)? as u32),
        4 | 5 => Forgery::Body(bytes(u, 64)?),
        6 => Forgery::Refused(bytes(u, 16)?),
        7 => Forgery::Events(u.int_in_range(0..=300)?, bytes(u, 40)?, bytes(u, 3)?),
        8 => Forgery::Raw(u.arbitrary()?, bytes(u, 64)?),
        9 => Forgery::Indices(u.arbitrary()?, number(u)? as u32),
        _ => Forgery::Honest,
    })
}

impl Forgery {
    fn messages(self, header: Header, body: Vec<u8>) -> Vec<(Header, Vec<u8>)> {
        match self {
            Self::Honest => vec![(header, body)],
            Self::Silent | Self::Indices(..) => Vec::new(),
            Self::Twice => vec![(header, body.clone()), (header, body)],
            Self::Field(field, value) => {
                let mut header = header;
                match field {
                    0 => header.kind = value % 24,
                    1 => header.req_id = value,
                    2 => header.tx_id = value,
                    _ => header.len = value,
                }
                vec![(header, body)]
            }
            Self::Body(body) => vec![(Header { len: body.len() as u32, ..header }, body)],
            Self::Refused(errno) => {
                let (kind, len) = (MessageType::Error as u32, errno.len() as u32);
                vec![(Header { kind, len, ..header }, errno)]
            }
            Self::Events(count, path, token) => {
                let event = watch_event(&String::from_utf8_lossy(&path), &token);
                let events = std::iter::repeat_n(event, count.into());
                events.chain([(header, body)]).collect()
            }
            Self::Raw(header, rest) => vec![(transmute!(header), rest)],
        }
    }
}

/// Lets xenstored forge its replies, one after the other; then it is honest.
fn corrupt(xen: &ModelXen, forgeries: Vec<Forgery>) {
    let memory = Rc::clone(&xen.world().xen.memory);
    let mut forgeries = VecDeque::from(forgeries);
    xen.world().store.forger = Some(Box::new(move |header, body| {
        let forgery = forgeries.pop_front().unwrap_or(Forgery::Honest);
        if let Forgery::Indices(replies, value) = forgery {
            let ring = &memory.store;
            let index = if replies { &ring.rsp_prod } else { &ring.req_cons };
            index.fetch_add(value, Ordering::SeqCst);
        }
        forgery.messages(header, body)
    }));
}

/// Does one thing, if it can be done now; `watch` is the one that stands.
fn perform(
    store: &mut Xenstore<'_, ModelXen>,
    watch: &mut Option<WatchToken>,
    act: Act,
    deadline_ns: u64,
) -> Option<std::result::Result<(), Error>> {
    let none = Transaction::NONE;
    Some(match (act, *watch) {
        (Act::Read, _) => store.read(none, "domid").map(drop),
        (Act::ReadMissing, _) => store.read(none, "data/missing").map(drop),
        (Act::Write, _) => store.write(none, "data/a", "1"),
        (Act::Mkdir, _) => store.mkdir(none, "data/b"),
        (Act::Remove, _) => store.rm(none, "data/a"),
        (Act::List, _) => store.directory(none, "data").map(drop),
        (Act::Transaction, _) => store.transaction(|store, t| store.write(t, "data/c", "2")),
        (Act::Watch, None) => store.watch("data").map(|token| *watch = Some(token)),
        (Act::Unwatch, Some(token)) => {
            *watch = None;
            store.unwatch("data", token)
        }
        (Act::TakeFired, Some(token)) => store.take_fired(token).map(drop),
        (Act::WaitFired, Some(token)) => store.wait_fired(token, deadline_ns).map(drop),
        (Act::Watch, Some(_)) | (Act::Unwatch | Act::TakeFired | Act::WaitFired, None) => {
            return None;
        }
    })
}

/// Every act ends in time, with a result or an error; a broken stream stays broken.
pub fn target(data: &[u8]) -> &'static str {
    let mut u = Unstructured::new(data);
    let case = several(&mut u, 24, |u| u.choose(&ACTS).copied())
        .and_then(|acts| Ok((acts, several(&mut u, 40, forgery)?)));
    let Ok((acts, forgeries)) = case else {
        return "too short";
    };
    let xen = Machine::seeded(1).pages(4).grant_frames(1).build();
    let mut guest = Guest::boot(&xen);
    let lies_about_indices = forgeries.iter().any(|f| matches!(f, Forgery::Indices(..)));
    corrupt(&xen, forgeries);
    let mut watch = None;
    let mut broken = None;
    let mut outcome = "all well";
    for act in acts {
        let start_ns = xen.now_ns();
        let deadline_ns = start_ns + PATIENCE_NS;
        let Some(result) = perform(&mut guest.store, &mut watch, act, deadline_ns) else {
            continue;
        };
        let took_ns = xen.now_ns() - start_ns;
        let limit_ns = match act {
            Act::Transaction => TRANSACTION_MAX_NS,
            _ => REQUEST_MAX_NS,
        };
        assert!(took_ns <= limit_ns, "{act:?} took {took_ns} ns");
        match result {
            Ok(()) => assert_eq!(broken, None, "{act:?} on a broken stream"),
            Err(Error::Broken(what)) => {
                assert_eq!(*broken.get_or_insert(what), what, "{act:?} on a broken stream");
                outcome = "broken";
            }
            Err(error) => {
                assert_eq!(broken, None, "{act:?} on a broken stream: {error}");
                let line = error.to_string();
                assert!(!line.contains(char::is_control), "{line:?}");
                outcome = match error {
                    Error::Timeout => "timeout",
                    Error::Malformed(_) => "malformed",
                    Error::TooLong => "too long",
                    _ => "refused",
                };
            }
        }
    }
    if lies_about_indices {
        // The client believed what it can't know: bytes that were never sent, room that was none.
        let own = |violation: &String| violation.starts_with("xenstore: ");
        assert!(xen.world().xen.take_violations().iter().all(own));
    }
    outcome
}
