//! Client of xenstore (io/xs_wire.h, docs/misc/xenstore.txt, docs/misc/xenstore-ring.txt).
//!
//! One request is in flight at a time, so no quota of outstanding requests is ever met. Replies
//! are collected piece by piece, because they may be longer than the ring; watch events that come
//! between are folded into one flag for each watch, so no flood of them takes memory. A watch is a
//! hint: events may be dropped by the server, so a waiter re-reads now and then.
//!
//! A request may time out and the stream stays whole: what is left of a message is sent before the
//! next one, late replies are recognized by their number, and a transaction whose number came late
//! is ended.

use alloc::string::String;
use alloc::vec::Vec;

use protocols::byte_ring::{Reader, Writer};
use xen_abi::Port;
use xen_abi::xenstore::{Header, Interface, MessageType, PAYLOAD_MAX};

use crate::patience::Patience;
use crate::vcpu::Vcpu;

mod due;
mod error;
mod exchange;
mod listing;
mod messages;
mod text;
mod transactions;
mod watches;

use exchange::is_connecting;
use messages::Incoming;
use transactions::Leftovers;
use watches::Watches;

pub use due::Due;
pub use error::Error;
use error::REQUEST_TIMEOUT_NS;
pub use text::TextError;
pub use transactions::Transaction;
pub use watches::WatchToken;

/// Client of xenstore: at most one request in flight.
#[derive(Debug)]
pub struct Xenstore<'a, V> {
    vcpu: &'a V,
    port: Port,
    requests: Writer<'a>,
    replies: Reader<'a>,
    page: &'a Interface,
    /// Flag: the ring was being connected when last checked. Its indices may have changed since.
    connecting: bool,
    incoming: Incoming,
    last_req_id: u32,
    /// Rest of a message that was sent in part: nothing else can follow that part.
    unsent: Vec<u8>,
    leftovers: Leftovers,
    watches: Watches,
    broken: Option<&'static str>,
    /// Time that all requests together have left, inside [`in_time`](Self::in_time).
    budget: Option<Patience>,
}

impl<'a, V: Vcpu> Xenstore<'a, V> {
    /// Takes over the page and the port that the tool stack made. May be called once: there is one
    /// connection, and two clients would take each other's bytes.
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
            leftovers: Leftovers::new(),
            watches: Watches::default(),
            broken: None,
            budget: None,
        }
    }

    /// Returns the vCPU that it waits on.
    pub fn vcpu(&self) -> &'a V {
        self.vcpu
    }

    /// Runs `work`, whose requests, with the waits between the tries of a transaction, together
    /// have the time of one request: for work whose number of requests xenstore's content decides.
    /// Requests after that time fail with [`Error::Timeout`].
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

    /// Returns a node's value. Relative paths start at the domain's own directory.
    ///
    /// # Errors
    /// [`Error::Refused`] with `ENOENT` when there is no such node; [`Error::Malformed`] when it is
    /// not UTF-8 text.
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

    /// Removes a node and all below it; succeeds if there is no such node.
    ///
    /// # Errors
    /// [`Error`].
    pub fn rm(&mut self, transaction: Transaction, path: &str) -> Result<(), Error> {
        match self.request(MessageType::Rm, transaction, &[path.as_bytes(), b"\0"]) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
