//! A client of xenstore (io/xs_wire.h, docs/misc/xenstore.txt, docs/misc/xenstore-ring.txt).
//!
//! One request is in flight at a time, so no quota of outstanding requests is ever met. Replies
//! are collected piece by piece, because they may be longer than the ring; watch events that come
//! between are folded into one flag for each watch, so no flood of them takes memory. A watch is a
//! hint: events may be dropped by the server, so whoever waits re-reads now and then.
//!
//! A request may time out and the stream stays whole: what is left of a message is sent before the
//! next one, late replies are recognized by their number, and a transaction whose number came late
//! is ended.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use protocols::byte_ring::{Overrun, Reader, Writer};
use xen_abi::Port;
use xen_abi::xenstore::{Header, Interface, MessageType, PAYLOAD_MAX};

use crate::patience::Patience;
use crate::vcpu::Vcpu;

mod due;
mod exchange;
mod listing;
mod text;

use exchange::{Incoming, is_connecting, transaction_number};

pub use due::Due;
pub use text::TextError;

/// How long one request may take, or all of [`in_time`](Xenstore::in_time), in nanoseconds.
const REQUEST_TIMEOUT_NS: u64 = 10_000_000_000;
/// How often a transaction is tried again after a conflict.
const TRANSACTION_TRIES: u32 = 16;
/// Wait before the second try of a transaction, in nanoseconds; it doubles from there.
const BACK_OFF_NS: u64 = 1_000_000;
/// Transactions whose start timed out that are remembered; xenstored allows a domain 10.
const LOST_STARTS_MAX: usize = 16;

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

/// The client.
#[derive(Debug)]
pub struct Xenstore<'a, V> {
    vcpu: &'a V,
    port: Port,
    requests: Writer<'a>,
    replies: Reader<'a>,
    page: &'a Interface,
    /// The ring was being connected at the last look: its indices may be others since.
    connecting: bool,
    incoming: Incoming,
    last_req_id: u32,
    /// The rest of a message of which a part is out: nothing else can follow that part.
    unsent: Vec<u8>,
    /// Numbers of the requests to start a transaction that timed out.
    lost_starts: Vec<u32>,
    /// Transactions that nobody uses and xenstored still has open.
    orphans: Vec<u32>,
    watches_set: u32,
    watches_fired: u32,
    broken: Option<&'static str>,
    /// What all requests together may still take, inside of [`in_time`](Self::in_time).
    budget: Option<Patience>,
}

impl<'a, V: Vcpu> Xenstore<'a, V> {
    /// Takes over the page and the port that the tool stack made. To be done once: there is one of
    /// them, and two clients would take each other's bytes.
    pub fn new(vcpu: &'a V, port: Port, page: &'a Interface) -> Self {
        Self {
            vcpu,
            port,
            page,
            connecting: is_connecting(page),
            requests: Writer::new(&page.req, &page.req_prod, &page.req_cons),
            replies: Reader::new(&page.rsp, &page.rsp_prod, &page.rsp_cons),
            incoming: Incoming::new(),
            last_req_id: 0,
            unsent: Vec::with_capacity(Header::SIZE + PAYLOAD_MAX),
            lost_starts: Vec::with_capacity(LOST_STARTS_MAX),
            orphans: Vec::with_capacity(LOST_STARTS_MAX),
            watches_set: 0,
            watches_fired: 0,
            broken: None,
            budget: None,
        }
    }

    /// The vCPU that it waits on.
    pub fn vcpu(&self) -> &'a V {
        self.vcpu
    }

    /// Does `work`, whose requests, and the waits between the tries of a transaction, may take as
    /// long together as one request: for what asks as often as xenstore's content wants it to.
    /// Those that come too late end with [`Error::Timeout`].
    pub fn in_time<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let is_outermost = self.budget.is_none();
        let now_ns = self.vcpu.now_ns();
        self.budget.get_or_insert(Patience::new(now_ns, REQUEST_TIMEOUT_NS));
        let done = work(self);
        if is_outermost {
            self.budget = None;
        }
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
            let reply = self.request(MessageType::TransactionStart, Transaction::NONE, &[b"\0"]);
            let number = transaction_number(&reply?);
            let transaction =
                Transaction(number.ok_or(Error::Malformed("transaction is not a number"))?);
            let result = work(self, transaction);
            let verdict: &[u8] = if result.is_ok() { b"T\0" } else { b"F\0" };
            let ended = self.request(MessageType::TransactionEnd, transaction, &[verdict]);
            if ended == Err(Error::Timeout) {
                self.abandon(transaction.0);
            }
            match (result, ended) {
                (Ok(value), Ok(_)) => return Ok(value),
                (Ok(_), Err(Error::Refused(errno)))
                    if errno == "EAGAIN" && attempt < TRANSACTION_TRIES =>
                {
                    let budget = self.budget.as_mut();
                    let pause_ns = budget.map_or(back_off_ns, |budget| budget.take(back_off_ns));
                    let until_ns = self.vcpu.now_ns().saturating_add(pause_ns);
                    while self.vcpu.now_ns() < until_ns {
                        self.vcpu.prepare_wait();
                        self.vcpu.wait(until_ns);
                    }
                    back_off_ns *= 2;
                    if self.budget.is_some_and(|budget| budget.is_over()) {
                        return Err(Error::Refused(errno));
                    }
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
        let token = self.new_watch()?;
        let added = self.watch_also(path, token);
        if added.is_err() {
            self.watches_set &= !(1 << token.0);
        }
        added.map(|()| token)
    }

    /// Makes a watch of no path yet.
    ///
    /// # Errors
    /// [`Error::TooLong`] when 32 watches are set already.
    pub fn new_watch(&mut self) -> Result<WatchToken, Error> {
        let number = self.watches_set.trailing_ones();
        let bit = 1u32.checked_shl(number).ok_or(Error::TooLong)?;
        self.watches_set |= bit;
        self.watches_fired &= !bit;
        Ok(WatchToken(number as u8))
    }

    /// Adds a path to a watch, which then fires for each of its paths. The first event comes at
    /// once.
    ///
    /// # Errors
    /// [`Error`]; the server's, when the domain has as many watches as it may.
    pub fn watch_also(&mut self, path: &str, token: WatchToken) -> Result<(), Error> {
        let name = token.name();
        let parts = [path.as_bytes(), b"\0", &name, b"\0"];
        match self.request(MessageType::Watch, Transaction::NONE, &parts) {
            // EEXIST: a request that timed out here was still served there.
            Err(error) if !error.is_refused("EEXIST") => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes a watch of one path back.
    ///
    /// # Errors
    /// [`Error`].
    pub fn unwatch(&mut self, path: &str, token: WatchToken) -> Result<(), Error> {
        let removed = self.unwatch_one(path, token);
        self.watches_set &= !(1 << token.0);
        removed
    }

    /// Takes one path of several from a watch.
    ///
    /// # Errors
    /// [`Error`].
    pub fn unwatch_one(&mut self, path: &str, token: WatchToken) -> Result<(), Error> {
        let name = token.name();
        let parts = [path.as_bytes(), b"\0", &name, b"\0"];
        self.request(MessageType::Unwatch, Transaction::NONE, &parts).map(drop)
    }

    /// Whether the watch fired since the last time this was asked; reads memory only.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn take_fired(&mut self, token: WatchToken) -> Result<bool, Error> {
        self.receive(None)?;
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
            // The clock first: what comes in while the processor is away is seen.
            let now_ns = self.vcpu.now_ns();
            if self.take_fired(token)? {
                return Ok(true);
            }
            if now_ns >= deadline_ns {
                return Ok(false);
            }
            self.sleep(deadline_ns);
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
