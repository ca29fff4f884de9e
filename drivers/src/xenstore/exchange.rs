//! Exchange of one request and its reply on the ring (docs/misc/xenstore-ring.txt).

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use protocols::byte_ring::{Reader, Writer};
use xen_abi::xenstore::{
    ABS_PATH_MAX, FEATURE_ERROR, Header, Interface, MessageType, PAYLOAD_MAX, RECONNECT,
};
use zerocopy::IntoBytes;

use super::error::REQUEST_TIMEOUT_NS;
use super::{Error, Transaction, Xenstore};
use crate::patience::Patience;
use crate::vcpu::Vcpu;

/// Messages taken in a row before the clock is read again: a whole ring of the shortest.
const MESSAGES_MAX: u32 = 64;

impl<V: Vcpu> Xenstore<'_, V> {
    /// Sends one message and waits for its reply's payload.
    pub(super) fn request(
        &mut self,
        kind: MessageType,
        transaction: Transaction,
        parts: &[&[u8]],
    ) -> Result<Vec<u8>, Error> {
        let now_ns = self.vcpu.now_ns();
        let mut patience = self.budget.unwrap_or(Patience::new(now_ns, REQUEST_TIMEOUT_NS));
        if patience.is_over() {
            return Err(Error::Timeout);
        }
        patience.resume(now_ns);
        let reply = self.exchange(kind, transaction, parts, &mut patience);
        self.budget = self.budget.map(|_| patience);
        reply
    }

    fn exchange(
        &mut self,
        kind: MessageType,
        transaction: Transaction,
        parts: &[&[u8]],
        patience: &mut Patience,
    ) -> Result<Vec<u8>, Error> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let path_len = parts.first().map_or(0, |path| path.len());
        if len > PAYLOAD_MAX || path_len > ABS_PATH_MAX {
            return Err(Error::TooLong);
        }
        self.check_connection(patience)?;
        self.end_orphans(patience)?;
        let req_id = self.send(kind, transaction, parts, patience)?;
        loop {
            // The clock first: a reply that comes while the processor is away is seen.
            patience.count(self.vcpu.now_ns());
            if let Some(reply) = self.receive(Some(req_id))? {
                let body = self.incoming.body.clone();
                if reply.kind == MessageType::Error as u32 {
                    let errno = str::from_utf8(&body).map_err(|_| Error::Malformed("errno"))?;
                    return Err(Error::Refused(errno.trim_end_matches('\0').into()));
                }
                if reply.kind != kind as u32 || reply.tx_id != transaction.0 {
                    return Err(Error::Malformed("reply to something else"));
                }
                return Ok(body);
            }
            if patience.is_over() {
                self.leftovers.note_lost(kind, req_id);
                return Err(Error::Timeout);
            }
            self.check_error()?;
            self.sleep(patience.look_again_ns());
        }
    }

    /// Waits until the server has connected the ring; fails if the server closed it.
    fn check_connection(&mut self, patience: &mut Patience) -> Result<(), Error> {
        self.connecting |= self.is_connecting();
        while self.is_connecting() {
            if patience.is_over() {
                return Err(Error::Timeout);
            }
            let is_connected = || !self.is_connecting();
            self.vcpu.wait_unless(self.port, patience.look_again_ns(), is_connected);
            patience.count(self.vcpu.now_ns());
        }
        if self.connecting {
            self.connecting = false;
            self.take_over();
        }
        self.check_error()
    }

    /// Begins with the ring as the server left it: empty, with indices of its choice.
    fn take_over(&mut self) {
        let page = self.page;
        self.requests = Writer::new(&page.req, &page.req_prod, &page.req_cons);
        self.replies = Reader::new(&page.rsp, &page.rsp_prod, &page.rsp_cons);
        self.incoming.forget();
        self.unsent.clear();
    }

    fn is_connecting(&self) -> bool {
        is_connecting(self.page)
    }

    /// Fails for good when the server reports that it closed this ring, or the stream broke.
    fn check_error(&mut self) -> Result<(), Error> {
        let features = self.page.server_features.load(Ordering::Acquire);
        if self.broken.is_none() && features & FEATURE_ERROR != 0 {
            self.broken = match self.page.error.load(Ordering::Acquire) {
                0 => None,
                1 => Some("the server closed it: the event channel does not work"),
                2 => Some("the server closed it: ring indices are inconsistent"),
                3 => Some("the server closed it: a message was too long"),
                _ => Some("the server closed it for a reason of its own"),
            };
        }
        self.broken.map_or(Ok(()), |what| Err(Error::Broken(what)))
    }

    /// Puts a message on the ring; returns its number. Of a message that times out either nothing
    /// was sent, or its rest is kept and goes before the next.
    pub(super) fn send(
        &mut self,
        kind: MessageType,
        transaction: Transaction,
        parts: &[&[u8]],
        patience: &mut Patience,
    ) -> Result<u32, Error> {
        self.flush(patience)?;
        self.last_req_id = self.last_req_id.wrapping_add(1);
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let req_id = self.last_req_id;
        let header = Header { kind: kind as u32, req_id, tx_id: transaction.0, len: len as u32 };
        self.unsent.extend_from_slice(header.as_bytes());
        parts.iter().for_each(|part| self.unsent.extend_from_slice(part));
        let whole = self.unsent.len();
        let sent = self.flush(patience);
        if sent.is_err() && self.unsent.len() == whole {
            self.unsent.clear();
        } else if sent.is_err() {
            self.leftovers.note_lost(kind, req_id);
        }
        sent.map(|()| req_id)
    }

    /// Puts all unsent bytes on the ring.
    fn flush(&mut self, patience: &mut Patience) -> Result<(), Error> {
        while !self.unsent.is_empty() {
            patience.count(self.vcpu.now_ns());
            let count = self.requests.write(&self.unsent).inspect_err(|_| self.give_up())?;
            self.unsent.drain(..count);
            let _ = self.vcpu.send(self.port);
            if self.unsent.is_empty() {
                // Until now the server did not know.
                patience.resume(self.vcpu.now_ns());
                break;
            }
            if patience.is_over() {
                return Err(Error::Timeout);
            }
            self.check_error()?;
            let has_room = || !self.requests.is_full();
            self.vcpu.wait_unless(self.port, patience.look_again_ns(), has_room);
        }
        Ok(())
    }

    pub(super) fn sleep(&mut self, deadline_ns: u64) {
        self.vcpu.wait_unless(self.port, deadline_ns, || !self.replies.is_empty());
    }

    fn give_up(&mut self) {
        self.broken = Some("ring indices are absurd");
    }

    /// Takes what is there, up to the reply to `req_id`, whose payload is then in `incoming.body`.
    pub(super) fn receive(&mut self, req_id: Option<u32>) -> Result<Option<Header>, Error> {
        // A server that floods the ring must not keep us from reading the clock.
        for _ in 0..MESSAGES_MAX {
            if let Some(what) = self.broken {
                return Err(Error::Broken(what));
            }
            let Some(header) = self.receive_any()? else { break };
            if header.kind == MessageType::WatchEvent as u32 {
                self.watches.note_event(&self.incoming.body);
            } else if Some(header.req_id) == req_id {
                return Ok(Some(header));
            } else {
                self.leftovers.note_late(&header, &self.incoming.body);
            }
        }
        Ok(None)
    }

    fn receive_any(&mut self) -> Result<Option<Header>, Error> {
        let message = self.incoming.collect(&mut self.replies);
        match &message {
            Err(Error::Broken(what)) => self.broken = Some(what),
            // The server may be waiting for the room that was made.
            _ if self.replies.take_made_room() => drop(self.vcpu.send(self.port)),
            _ => {}
        }
        message
    }
}

/// Returns whether no other field of the page may be read yet, the features included: so it is in a
/// guest that Xen made without a tool stack, until the server comes.
pub(super) fn is_connecting(page: &Interface) -> bool {
    page.connection.load(Ordering::Acquire) == RECONNECT
}
