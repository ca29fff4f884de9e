//! A client of xenstore (io/xs_wire.h, docs/misc/xenstore.txt, docs/misc/xenstore-ring.txt).
//!
//! One request is in flight at a time, so no quota of outstanding requests is ever met. Replies
//! are collected piece by piece, because they may be longer than the ring; watch events that come
//! between are folded into one flag for each watch, so no flood of them takes memory. A watch is a
//! hint: events may be dropped by the server, so whoever waits re-reads now and then.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use xen_abi::Port;
use xen_abi::xenstore::{ABS_PATH_MAX, Header, Interface, MessageType, PAYLOAD_MAX};

use crate::byte_ring::{Overrun, Reader, Writer};
use crate::hypervisor::Hypervisor;

mod text;

pub use text::TextError;

/// How long one request may take, or all of [`in_time`](Xenstore::in_time), in nanoseconds.
const REQUEST_TIMEOUT_NS: u64 = 10_000_000_000;
/// How often a transaction is tried again after a conflict.
const TRANSACTION_TRIES: u32 = 16;
/// Messages taken in a row before the time is looked at again.
const MESSAGES_MAX: u32 = 64;
/// Wait before the second try of a transaction, in nanoseconds; it doubles from there.
const BACK_OFF_NS: u64 = 1_000_000;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// xenstored said no; the name of an errno, such as `ENOENT` or `EACCES`.
    Refused(String),
    /// A path or value that the protocol can't carry.
    TooLong,
    /// The reply does not fit the request.
    Malformed(&'static str),
    /// No reply in time.
    Timeout,
    /// The stream itself is broken; nothing will work any more.
    Broken(&'static str),
}

impl Error {
    /// Whether xenstored said that there is no such node.
    pub fn is_not_found(&self) -> bool {
        self.is_refused("ENOENT")
    }

    /// Whether there may be no such node: what is not there below a directory that this domain may
    /// not read is refused with `EACCES`.
    pub fn is_out_of_sight(&self) -> bool {
        self.is_not_found() || self.is_refused("EACCES")
    }

    fn is_refused(&self, with: &str) -> bool {
        matches!(self, Self::Refused(errno) if errno == with)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => write!(f, "xenstore refused: {}", errno.escape_debug()),
            Self::TooLong => f.write_str("path or value is too long for xenstore"),
            Self::Malformed(what) => write!(f, "xenstore reply is malformed: {what}"),
            Self::Timeout => {
                write!(f, "xenstore did not reply within {} s", REQUEST_TIMEOUT_NS / 1_000_000_000)
            }
            Self::Broken(what) => write!(f, "xenstore connection is broken: {what}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Overrun> for Error {
    fn from(_: Overrun) -> Self {
        Self::Broken("ring indices are absurd")
    }
}

/// A transaction, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction(u32);

impl Transaction {
    /// Outside of any transaction.
    pub const NONE: Self = Self(0);
}

/// A watch that was set; at most 32 at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchToken(u8);

/// A message on its way in.
#[derive(Debug, Default)]
struct Incoming {
    header: [u8; Header::SIZE],
    header_len: usize,
    body: Vec<u8>,
}

/// The client.
#[derive(Debug)]
pub struct Xenstore<'a, H> {
    hypervisor: &'a H,
    port: Port,
    requests: Writer<'a>,
    replies: Reader<'a>,
    incoming: Incoming,
    last_req_id: u32,
    watches_set: u32,
    watches_fired: u32,
    broken: Option<&'static str>,
    /// When no request is waited for any more, whenever it began.
    end_ns: u64,
}

impl<'a, H: Hypervisor> Xenstore<'a, H> {
    /// Takes over the page and the port that the tool stack made.
    pub fn new(hypervisor: &'a H, port: Port, page: &'a Interface) -> Self {
        Self {
            hypervisor,
            port,
            requests: Writer::new(&page.req, &page.req_prod, &page.req_cons),
            replies: Reader::new(&page.rsp, &page.rsp_prod, &page.rsp_cons),
            incoming: Incoming { body: Vec::with_capacity(PAYLOAD_MAX), ..Default::default() },
            last_req_id: 0,
            watches_set: 0,
            watches_fired: 0,
            broken: None,
            end_ns: u64::MAX,
        }
    }

    /// Does `work`, whose requests together may take as long as one: for what asks as often as
    /// xenstore's content wants it to. Those that come too late end with [`Error::Timeout`].
    pub fn in_time<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before_ns = self.end_ns;
        self.end_ns = before_ns.min(self.hypervisor.now_ns().saturating_add(REQUEST_TIMEOUT_NS));
        let done = work(self);
        self.end_ns = before_ns;
        done
    }

    /// A node's value. Relative paths start at the domain's own directory.
    ///
    /// # Errors
    /// [`Error::Refused`] with `ENOENT` when there is none; [`Error::Malformed`] when it is not
    /// UTF-8 text.
    pub fn read(&mut self, transaction: Transaction, path: &str) -> Result<String, Error> {
        let value = self.request(MessageType::Read, transaction, &[path.as_bytes(), b"\0"])?;
        String::from_utf8(value).map_err(|_| Error::Malformed("value is not text"))
    }

    /// Sets a node's value, making the node if need be.
    ///
    /// # Errors
    /// [`Error`].
    pub fn write(
        &mut self,
        transaction: Transaction,
        path: &str,
        value: &str,
    ) -> Result<(), Error> {
        let parts = [path.as_bytes(), b"\0", value.as_bytes()];
        self.request(MessageType::Write, transaction, &parts).map(drop)
    }

    /// Makes a node with an empty value.
    ///
    /// # Errors
    /// [`Error`].
    pub fn mkdir(&mut self, transaction: Transaction, path: &str) -> Result<(), Error> {
        self.request(MessageType::Mkdir, transaction, &[path.as_bytes(), b"\0"]).map(drop)
    }

    /// Removes a node and all below it; one that is not there is fine.
    ///
    /// # Errors
    /// [`Error`].
    pub fn rm(&mut self, transaction: Transaction, path: &str) -> Result<(), Error> {
        match self.request(MessageType::Rm, transaction, &[path.as_bytes(), b"\0"]) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// The names of a node's children.
    ///
    /// # Errors
    /// [`Error::Refused`] with `ENOENT` when there is no such node, with `E2BIG` when the names
    /// need more than 4,096 bytes.
    pub fn directory(
        &mut self,
        transaction: Transaction,
        path: &str,
    ) -> Result<Vec<String>, Error> {
        let names = self.request(MessageType::Directory, transaction, &[path.as_bytes(), b"\0"])?;
        let names = str::from_utf8(&names).map_err(|_| Error::Malformed("name is not text"))?;
        Ok(names.split_terminator('\0').map(String::from).collect())
    }

    /// Runs `work` in a transaction, again from its start when somebody else interfered.
    ///
    /// # Errors
    /// That of `work`, whose changes are then dropped; `EAGAIN` when there was interference
    /// 16 times in a row.
    pub fn transaction<T>(
        &mut self,
        mut work: impl FnMut(&mut Self, Transaction) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut back_off_ns = BACK_OFF_NS;
        for attempt in 1.. {
            let reply = self.request(MessageType::TransactionStart, Transaction::NONE, &[b"\0"])?;
            let number = str::from_utf8(&reply).ok().and_then(|text| {
                text.trim_end_matches('\0').parse().ok().filter(|&number| number != 0)
            });
            let transaction =
                Transaction(number.ok_or(Error::Malformed("transaction is not a number"))?);
            let result = work(self, transaction);
            let verdict: &[u8] = if result.is_ok() { b"T\0" } else { b"F\0" };
            let ended = self.request(MessageType::TransactionEnd, transaction, &[verdict]);
            match (result, ended) {
                (Ok(value), Ok(_)) => return Ok(value),
                (Ok(_), Err(Error::Refused(errno)))
                    if errno == "EAGAIN" && attempt < TRANSACTION_TRIES =>
                {
                    let until_ns = self.hypervisor.now_ns().saturating_add(back_off_ns);
                    while self.hypervisor.now_ns() < until_ns {
                        self.hypervisor.prepare_wait();
                        self.hypervisor.wait(until_ns);
                    }
                    back_off_ns *= 2;
                }
                (Ok(_), Err(error)) | (Err(error), _) => return Err(error),
            }
        }
        unreachable!("the loop ends at the last try");
    }

    /// Asks to be told of changes at `path` and below. The first event comes at once.
    ///
    /// # Errors
    /// [`Error`]; [`Error::TooLong`] when 32 watches are set already.
    pub fn watch(&mut self, path: &str) -> Result<WatchToken, Error> {
        let number = self.watches_set.trailing_ones();
        let token = WatchToken(u8::try_from(number).map_err(|_| Error::TooLong)?);
        let bit = 1u32.checked_shl(number).ok_or(Error::TooLong)?;
        self.watches_set |= bit;
        self.watches_fired &= !bit;
        let name = token.name();
        let parts = [path.as_bytes(), b"\0", &name, b"\0"];
        match self.request(MessageType::Watch, Transaction::NONE, &parts) {
            // EEXIST: a request that timed out here was still served there.
            Err(error) if !error.is_refused("EEXIST") => {
                self.watches_set &= !bit;
                Err(error)
            }
            _ => Ok(token),
        }
    }

    /// Takes a watch back.
    ///
    /// # Errors
    /// [`Error`].
    pub fn unwatch(&mut self, path: &str, token: WatchToken) -> Result<(), Error> {
        let name = token.name();
        let parts = [path.as_bytes(), b"\0", &name, b"\0"];
        let removed = self.request(MessageType::Unwatch, Transaction::NONE, &parts);
        self.watches_set &= !(1 << token.0);
        removed.map(drop)
    }

    /// Whether the watch fired since the last time this was asked; reads memory only.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn take_fired(&mut self, token: WatchToken) -> Result<bool, Error> {
        // Late replies only; so many at most, for a server that never stops sending them.
        for _ in 0..MESSAGES_MAX {
            if self.receive()?.is_none() {
                break;
            }
        }
        let bit = 1 << token.0;
        let fired = self.watches_fired & bit != 0;
        self.watches_fired &= !bit;
        Ok(fired)
    }

    /// Sleeps until the watch fires or `deadline_ns` passes; answers whether it fired.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn wait_fired(&mut self, token: WatchToken, deadline_ns: u64) -> Result<bool, Error> {
        loop {
            if self.take_fired(token)? {
                return Ok(true);
            }
            if self.hypervisor.now_ns() >= deadline_ns {
                return Ok(false);
            }
            self.sleep(deadline_ns);
        }
    }

    /// Sends one message and waits for its reply's payload.
    fn request(
        &mut self,
        kind: MessageType,
        transaction: Transaction,
        parts: &[&[u8]],
    ) -> Result<Vec<u8>, Error> {
        if let Some(what) = self.broken {
            return Err(Error::Broken(what));
        }
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let path_len = parts.first().map_or(0, |path| path.len());
        if len > PAYLOAD_MAX || path_len > ABS_PATH_MAX {
            return Err(Error::TooLong);
        }
        self.last_req_id = self.last_req_id.wrapping_add(1);
        let header = Header {
            kind: kind as u32,
            req_id: self.last_req_id,
            tx_id: transaction.0,
            len: len as u32,
        };
        let now_ns = self.hypervisor.now_ns();
        if now_ns >= self.end_ns {
            return Err(Error::Timeout);
        }
        let deadline_ns = self.end_ns.min(now_ns.saturating_add(REQUEST_TIMEOUT_NS));
        self.send(&header.to_bytes(), deadline_ns)?;
        for part in parts {
            self.send(part, deadline_ns)?;
        }
        let _ = self.hypervisor.evtchn_send(self.port);
        loop {
            while let Some(reply) = self.receive()? {
                if reply.req_id != header.req_id {
                    if self.hypervisor.now_ns() >= deadline_ns {
                        return Err(Error::Timeout);
                    }
                    continue; // the late reply to a request that timed out
                }
                let body = self.incoming.body.clone();
                if reply.kind == MessageType::Error as u32 {
                    let errno = str::from_utf8(&body).map_err(|_| Error::Malformed("errno"))?;
                    return Err(Error::Refused(errno.trim_end_matches('\0').into()));
                }
                if reply.kind != header.kind || reply.tx_id != header.tx_id {
                    return Err(Error::Malformed("reply to something else"));
                }
                return Ok(body);
            }
            if self.hypervisor.now_ns() >= deadline_ns {
                return Err(Error::Timeout);
            }
            self.sleep(deadline_ns);
        }
    }

    fn send(&mut self, mut bytes: &[u8], deadline_ns: u64) -> Result<(), Error> {
        loop {
            let count = self.requests.write(bytes).inspect_err(|_| self.give_up())?;
            bytes = &bytes[count..];
            if bytes.is_empty() {
                return Ok(());
            }
            let _ = self.hypervisor.evtchn_send(self.port);
            if self.hypervisor.now_ns() >= deadline_ns {
                // Half a message is out; no other can follow it.
                self.broken = Some("the server does not take requests");
                return Err(Error::Timeout);
            }
            self.hypervisor.prepare_wait();
            self.hypervisor.take_event(self.port);
            if self.requests.is_full() {
                self.hypervisor.wait(deadline_ns);
            }
        }
    }

    fn sleep(&mut self, deadline_ns: u64) {
        self.hypervisor.prepare_wait();
        self.hypervisor.take_event(self.port);
        if self.replies.is_empty() {
            self.hypervisor.wait(deadline_ns);
        }
    }

    fn give_up(&mut self) {
        self.broken = Some("ring indices are absurd");
    }

    /// The next whole message that is no watch event, its payload in `incoming.body`.
    fn receive(&mut self) -> Result<Option<Header>, Error> {
        // Whoever floods the ring with events gets to make us look at the time.
        for _ in 0..MESSAGES_MAX {
            if let Some(what) = self.broken {
                return Err(Error::Broken(what));
            }
            let Some(header) = self.receive_any()? else {
                return Ok(None);
            };
            if header.kind == MessageType::WatchEvent as u32 {
                self.note_watch_event();
            } else {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn receive_any(&mut self) -> Result<Option<Header>, Error> {
        let message = self.incoming.collect(&mut self.replies);
        match &message {
            Err(Error::Broken(what)) => self.broken = Some(what),
            // The server may be waiting for the room that was made.
            _ if self.replies.take_made_room() => drop(self.hypervisor.evtchn_send(self.port)),
            _ => {}
        }
        message
    }

    /// A watch event carries path NUL token NUL; only the token matters to us.
    fn note_watch_event(&mut self) {
        let mut strings = self.incoming.body.split(|&byte| byte == 0);
        if let (Some(_path), Some(token), Some(_)) =
            (strings.next(), strings.next(), strings.next())
            && let Some(bit) = WatchToken::bit_of(token)
        {
            self.watches_fired |= bit & self.watches_set;
        }
    }
}

impl WatchToken {
    /// Its name on the wire: one letter.
    fn name(self) -> [u8; 1] {
        [b'A' + self.0]
    }

    fn bit_of(name: &[u8]) -> Option<u32> {
        match name {
            [letter] => 1u32.checked_shl(u32::from(letter.checked_sub(b'A')?)),
            _ => None,
        }
    }
}

impl Incoming {
    /// Goes on collecting; answers the header once the whole message is there. The payload then
    /// stays in `body` until the next call.
    fn collect(&mut self, ring: &mut Reader<'_>) -> Result<Option<Header>, Error> {
        if self.header_len < Header::SIZE {
            self.body.clear();
            self.header_len += ring.read(&mut self.header[self.header_len..])?;
            if self.header_len < Header::SIZE {
                return Ok(None);
            }
        }
        let header = Header::from_bytes(&self.header);
        let len = header.len as usize;
        if len > PAYLOAD_MAX {
            return Err(Error::Broken("a message is longer than 4096 bytes"));
        }
        while self.body.len() < len {
            let mut piece = [0; 256];
            let wanted = piece.len().min(len - self.body.len());
            let count = ring.read(&mut piece[..wanted])?;
            if count == 0 {
                return Ok(None);
            }
            self.body.extend_from_slice(&piece[..count]);
        }
        self.header_len = 0;
        Ok(Some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU8, AtomicU32};

    struct Ring {
        bytes: [AtomicU8; 1024],
        prod: AtomicU32,
        cons: AtomicU32,
    }

    fn ring() -> Ring {
        let bytes = [const { AtomicU8::new(0) }; 1024];
        Ring { bytes, prod: AtomicU32::new(u32::MAX - 500), cons: AtomicU32::new(u32::MAX - 500) }
    }

    fn message(len: usize) -> Vec<u8> {
        let header = Header { kind: 2, req_id: 5, tx_id: 0, len: len as u32 };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend((0..len).map(|n| n as u8));
        bytes
    }

    #[test]
    fn a_reply_longer_than_the_ring_is_collected_in_pieces() {
        let shared = ring();
        let mut server = Writer::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut client = Reader::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut incoming = Incoming::default();
        for len in [0, 1, 1008, 1009, 4096] {
            let sent = message(len);
            let mut rest = &sent[..];
            let header = loop {
                rest = &rest[server.write(rest).unwrap()..];
                if let Some(header) = incoming.collect(&mut client).unwrap() {
                    break header;
                }
            };
            assert_eq!(header.len as usize, len);
            assert_eq!(incoming.body, sent[16..]);
            assert_eq!(incoming.collect(&mut client), Ok(None));
        }
    }

    #[test]
    fn one_byte_at_a_time_is_enough() {
        let shared = ring();
        let mut server = Writer::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut client = Reader::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut incoming = Incoming::default();
        let sent = message(3);
        for (place, byte) in sent.iter().enumerate() {
            server.write(&[*byte]).unwrap();
            let done = incoming.collect(&mut client).unwrap().is_some();
            assert_eq!(done, place == sent.len() - 1);
        }
    }

    #[test]
    fn a_length_beyond_the_limit_breaks_the_stream() {
        for len in [4097, u32::MAX - 15, u32::MAX] {
            let shared = ring();
            let mut server = Writer::new(&shared.bytes, &shared.prod, &shared.cons);
            let mut client = Reader::new(&shared.bytes, &shared.prod, &shared.cons);
            let header = Header { kind: 2, req_id: 1, tx_id: 0, len };
            server.write(&header.to_bytes()).unwrap();
            let result = Incoming::default().collect(&mut client);
            assert!(matches!(result, Err(Error::Broken(_))), "{len}: {result:?}");
        }
    }
}
