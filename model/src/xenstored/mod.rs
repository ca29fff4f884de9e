//! xenstored: the server of the guest's ring and of the peers in domain 0.
//!
//! [`tree`] holds the nodes, [`transaction`] isolates changes, [`wire`] moves bytes, and this file
//! decides. Peers in domain 0 use the tree directly; [`Xenstored::set`] fires watches for them.

pub mod transaction;
pub mod tree;
pub mod wire;

use xen_abi::DomId;
use xen_abi::xenstore::{ABS_PATH_MAX, Header, Interface, MessageType, PAYLOAD_MAX};

use crate::agenda::Actor;
use crate::xen::{GUEST, Xen};

use transaction::Transactions;
use tree::{E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC, is_at_or_below};
pub use tree::{Perms, Refusal, Tree};
use wire::Wire;

/// Longest path relative to the guest's home (`XENSTORE_REL_PATH_MAX`).
const REL_PATH_MAX: usize = 2048;
/// xenstored's default quotas for a domain.
const NODES_MAX: usize = 1000;
const VALUE_MAX: usize = 2048;
const WATCHES_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Guest,
    Peer(Actor),
}

/// A watch; the guest's may be relative to its home.
#[derive(Debug)]
struct Watch {
    client: Client,
    path: String,
    token: Vec<u8>,
    relative: bool,
}

/// Makes of an honest reply what is sent instead: other messages, more, or none.
pub type Forger = Box<dyn FnMut(Header, Vec<u8>) -> Vec<(Header, Vec<u8>)>>;

/// The server.
pub struct Xenstored {
    /// All nodes, as committed.
    pub tree: Tree,
    /// The guest's connection.
    pub wire: Wire,
    transactions: Transactions,
    watches: Vec<Watch>,
    to_wake: Vec<Actor>,
    /// Commits in 16 that meet a conflict, which the tool stack really makes.
    pub contention: u32,
    /// The server takes no requests.
    pub is_stopped: bool,
    /// A server that lies.
    pub forger: Option<Forger>,
    /// Requests served.
    pub requests: u64,
}

/// A request that can be done: what to send back.
type Reply = Result<Vec<u8>, Refusal>;

impl Xenstored {
    pub(crate) fn new(ring: &Interface) -> Self {
        Self {
            tree: Tree::new(),
            wire: Wire::new(ring),
            transactions: Transactions::default(),
            watches: Vec::new(),
            to_wake: Vec::new(),
            contention: 2,
            is_stopped: false,
            forger: None,
            requests: 0,
        }
    }

    /// Sets a node for a peer in domain 0.
    pub fn set(&mut self, path: &str, value: &str) {
        self.tree.write(DomId(0), path, value.as_bytes()).expect("domain 0 may");
        self.fire(path, false);
    }

    /// Removes a node for a peer in domain 0; one that is not there is fine.
    pub fn unset(&mut self, path: &str) {
        if self.tree.remove(DomId(0), path).is_ok() {
            self.fire(path, true);
        }
    }

    /// Lets a peer run when something at `path` or below changes.
    pub fn watch_for(&mut self, actor: Actor, path: &str) {
        self.watches.push(Watch {
            client: Client::Peer(actor),
            path: path.to_string(),
            token: Vec::new(),
            relative: false,
        });
    }

    /// Wakes the peers whose watches fired.
    pub(crate) fn wake_watchers(&mut self, xen: &mut Xen) {
        for actor in self.to_wake.drain(..) {
            xen.wake(actor);
        }
        if !self.is_stopped && self.wire.has_work(&xen.memory.store) {
            xen.wake(Actor::Store);
        }
    }

    /// One turn of the server: at most one request, and what can be sent of the output.
    pub(crate) fn turn(&mut self, xen: &mut Xen) {
        self.wire.send(xen);
        if !self.is_stopped
            && let Some((header, payload)) = self.wire.receive(xen)
        {
            self.requests += 1;
            xen.note(b'x', header.kind.into(), header.req_id.into());
            let is_watch = header.kind == MessageType::Watch as u32;
            let answer = self.answer(xen, &header, &payload);
            let added = is_watch && answer.is_ok();
            let (kind, body) = match answer {
                Ok(body) => (header.kind, body),
                Err(refusal) => (MessageType::Error as u32, [refusal.0.as_bytes(), b"\0"].concat()),
            };
            self.reply(Header { kind, len: body.len() as u32, ..header }, body);
            if added && let Some(watch) = self.watches.last() {
                // The first event comes at once.
                self.wire.event(&watch.path, &watch.token);
            }
        }
        self.wire.send(xen);
    }

    /// Sends a reply, or what the forger makes of it.
    fn reply(&mut self, header: Header, body: Vec<u8>) {
        match &mut self.forger {
            None => self.wire.put(&header, &body),
            Some(forge) => {
                for (header, body) in forge(header, body) {
                    self.wire.put(&header, &body);
                }
            }
        }
    }

    fn answer(&mut self, xen: &mut Xen, header: &Header, payload: &[u8]) -> Reply {
        let is = |kind: MessageType| header.kind == kind as u32;
        let (first, rest) = split_nul(payload)?;
        if is(MessageType::TransactionStart) {
            let number = self.transactions.start(&self.tree)?;
            return Ok(format!("{number}\0").into_bytes());
        }
        if is(MessageType::TransactionEnd) {
            return self.end_transaction(xen, header.tx_id, first);
        }
        let path = canonical(first)?;
        if is(MessageType::Watch) || is(MessageType::Unwatch) {
            let (token, _) = split_nul(rest)?;
            return self.watch(&path, first, token, is(MessageType::Watch));
        }
        if header.tx_id != 0 {
            let view = self.transactions.view(header.tx_id, &path)?;
            let reply = access(view, header, &path, rest)?;
            if changes(header) {
                self.transactions.record(header.tx_id, *header, &path, rest);
            }
            return Ok(reply);
        }
        let reply = access(&mut self.tree, header, &path, rest)?;
        if changes(header) {
            self.fire(&path, is(MessageType::Rm));
        }
        Ok(reply)
    }

    fn end_transaction(&mut self, xen: &mut Xen, number: u32, verdict: &[u8]) -> Reply {
        let transaction = self.transactions.end(number)?;
        match verdict {
            b"F" => return Ok(OK.to_vec()),
            b"T" => {}
            _ => return Err(EINVAL),
        }
        if xen.rng.u32(0..16) < self.contention
            && let Some(path) = transaction.touched().next()
        {
            // The tool stack gets in first.
            self.tree.touch(path);
        }
        transaction.check(&self.tree)?;
        for (header, path, rest) in transaction.changes() {
            // It was allowed in the view, and nothing that it rests on has changed.
            access(&mut self.tree, header, path, rest)?;
            self.fire(path, header.kind == MessageType::Rm as u32);
        }
        Ok(OK.to_vec())
    }

    fn watch(&mut self, path: &str, as_given: &[u8], token: &[u8], add: bool) -> Reply {
        let same = |watch: &Watch| {
            watch.client == Client::Guest && watch.path == path && watch.token == token
        };
        let standing = self.watches.iter().position(same);
        match (add, standing) {
            (true, Some(_)) => return Err(EEXIST),
            (false, None) => return Err(ENOENT),
            (false, Some(index)) => drop(self.watches.remove(index)),
            (true, None) => {
                let guests = |watch: &&Watch| watch.client == Client::Guest;
                if self.watches.iter().filter(guests).count() >= WATCHES_MAX {
                    return Err(E2BIG);
                }
                self.watches.push(Watch {
                    client: Client::Guest,
                    path: path.to_string(),
                    token: token.to_vec(),
                    relative: !as_given.starts_with(b"/"),
                });
            }
        }
        Ok(OK.to_vec())
    }

    /// A change at `path`: events for the watches above it, and below it if it was removed.
    fn fire(&mut self, path: &str, removed: bool) {
        for watch in &self.watches {
            let below = removed && is_at_or_below(&watch.path, path);
            if !is_at_or_below(path, &watch.path) && !below {
                continue;
            }
            match watch.client {
                Client::Peer(actor) => self.to_wake.push(actor),
                Client::Guest => {
                    let shown = if below { &watch.path } else { path };
                    let shown = match shown.strip_prefix(&home()) {
                        Some(rest) if watch.relative => rest.trim_start_matches('/'),
                        _ => shown,
                    };
                    self.wire.event(shown, &watch.token);
                }
            }
        }
    }

    /// Watches that the guest has set.
    pub fn guest_watches(&self) -> usize {
        let guests = |watch: &&Watch| watch.client == Client::Guest;
        self.watches.iter().filter(guests).count()
    }

    /// Transactions that the guest has open.
    pub fn open_transactions(&self) -> usize {
        self.transactions.open()
    }
}

/// The payload of every reply that has nothing to say.
const OK: &[u8] = b"OK\0";

fn home() -> String {
    format!("/local/domain/{}", GUEST.0)
}

fn changes(header: &Header) -> bool {
    let kinds = [MessageType::Write, MessageType::Mkdir, MessageType::Rm];
    kinds.iter().any(|&kind| header.kind == kind as u32)
}

/// One request on a tree: the committed one or a transaction's view.
fn access(tree: &mut Tree, header: &Header, path: &str, rest: &[u8]) -> Reply {
    let is = |kind: MessageType| header.kind == kind as u32;
    if is(MessageType::Read) {
        tree.read(GUEST, path).map(<[u8]>::to_vec)
    } else if is(MessageType::Directory) {
        let names = tree.children(GUEST, path)?;
        let list: Vec<u8> =
            names.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect();
        if list.len() > PAYLOAD_MAX { Err(E2BIG) } else { Ok(list) }
    } else if is(MessageType::DirectoryPart) {
        directory_part(tree, path, rest)
    } else if is(MessageType::Write) {
        if rest.len() > VALUE_MAX {
            return Err(ENOSPC);
        }
        check_node_quota(tree, path)?;
        tree.write(GUEST, path, rest).map(|()| OK.to_vec())
    } else if is(MessageType::Mkdir) {
        if !tree.generation(path).0 {
            check_node_quota(tree, path)?;
            tree.write(GUEST, path, b"")?;
        }
        Ok(OK.to_vec())
    } else if is(MessageType::Rm) {
        tree.remove(GUEST, path).map(|()| OK.to_vec())
    } else {
        Err(Refusal("ENOSYS"))
    }
}

/// A part of a list: a number that changes with the list, and as many whole names from the offset
/// on as fit. An empty name ends the list.
fn directory_part(tree: &Tree, path: &str, rest: &[u8]) -> Reply {
    let names = tree.children(GUEST, path)?;
    let list: Vec<u8> = names.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect();
    let (offset, _) = split_nul(rest)?;
    let offset: usize =
        str::from_utf8(offset).ok().and_then(|text| text.parse().ok()).ok_or(EINVAL)?;
    let generation = (tree.generation(path).1 << 20) + names.len() as u64;
    let mut reply = format!("{generation}\0").into_bytes();
    let rest = list.get(offset..).unwrap_or_default();
    let room = PAYLOAD_MAX - reply.len() - 1;
    let fitting = &rest[..rest.len().min(room)];
    let end = fitting.iter().rposition(|&byte| byte == 0).map_or(0, |last| last + 1);
    reply.extend(&fitting[..end]);
    if end == rest.len() {
        reply.push(0);
    }
    Ok(reply)
}

fn check_node_quota(tree: &Tree, path: &str) -> Result<(), Refusal> {
    let exists = tree.generation(path).0;
    if !exists && tree.owned(GUEST) >= NODES_MAX { Err(ENOSPC) } else { Ok(()) }
}

/// The bytes before the first NUL, and those after it.
fn split_nul(bytes: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let end = bytes.iter().position(|&byte| byte == 0).ok_or(EINVAL)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

/// The absolute form of a path from the wire.
fn canonical(path: &[u8]) -> Result<String, Refusal> {
    let text = str::from_utf8(path).map_err(|_| EINVAL)?;
    let fine = |c: char| c.is_ascii_alphanumeric() || "-/_@".contains(c);
    let absolute = text.starts_with('/');
    let long = text.len() > if absolute { ABS_PATH_MAX } else { REL_PATH_MAX };
    let ends = text != "/" && text.ends_with('/');
    if text.is_empty() || long || ends || text.contains("//") || !text.chars().all(fine) {
        return Err(EINVAL);
    }
    Ok(if absolute { text.to_string() } else { format!("{}/{text}", home()) })
}
