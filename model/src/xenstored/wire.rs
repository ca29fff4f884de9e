//! The server's end of the guest's ring: bytes in, bytes out, messages between.
//!
//! The next request is read only when all output of the last is in the ring, as xenstored does for
//! a domain that has no quota left. Output goes out in pieces of any size.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use xen_abi::xenstore::{Header, Interface, MessageType, PAYLOAD_MAX, RING_SIZE};
use zerocopy::{FromBytes, IntoBytes};

use crate::events::STORE_PORT;
use crate::xen::Xen;

/// Watch events beyond so many bytes of output are dropped, as by xenstored's memory quota.
const OUTPUT_MAX: usize = 64 * 1024;

/// The connection.
#[derive(Debug)]
pub struct Wire {
    input: Vec<u8>,
    output: VecDeque<u8>,
    req_cons: u32,
    rsp_prod: u32,
    /// Values written over the guest's indices.
    noise: Option<Noise>,
    /// Bytes that go out at once, at most.
    pub piece_max: usize,
    /// Watch events are lost.
    pub loses_events: bool,
    /// Watch events that were dropped.
    pub dropped: u64,
}

/// A value that stands in the place of both of the guest's indices, and those.
#[derive(Clone, Copy, Debug)]
struct Noise {
    value: u32,
    req_prod: u32,
    rsp_cons: u32,
}

impl Wire {
    /// Goes on where the ring stands.
    pub(super) fn new(ring: &Interface) -> Self {
        Self {
            input: Vec::new(),
            output: VecDeque::new(),
            req_cons: ring.req_cons.load(Ordering::SeqCst),
            rsp_prod: ring.rsp_prod.load(Ordering::SeqCst),
            noise: None,
            piece_max: usize::MAX,
            loses_events: false,
            dropped: 0,
        }
    }

    /// Overwrites the guest's indices, and goes on with what stood there.
    pub fn scribble(&mut self, ring: &Interface, value: u32) {
        self.noise =
            Some(Noise { value, req_prod: self.req_prod(ring), rsp_cons: self.rsp_cons(ring) });
        ring.req_prod.store(value, Ordering::SeqCst);
        ring.rsp_cons.store(value, Ordering::SeqCst);
    }

    /// Begins anew with empty rings whose indices stand at `index`, as after a reconnection.
    pub fn move_indices(&mut self, ring: &Interface, index: u32) {
        for shared in [&ring.req_prod, &ring.req_cons, &ring.rsp_prod, &ring.rsp_cons] {
            shared.store(index, Ordering::SeqCst);
        }
        (self.req_cons, self.rsp_prod) = (index, index);
        self.input.clear();
        self.output.clear();
    }

    fn req_prod(&self, ring: &Interface) -> u32 {
        let there = ring.req_prod.load(Ordering::SeqCst);
        self.noise.filter(|noise| noise.value == there).map_or(there, |noise| noise.req_prod)
    }

    fn rsp_cons(&self, ring: &Interface) -> u32 {
        let there = ring.rsp_cons.load(Ordering::SeqCst);
        self.noise.filter(|noise| noise.value == there).map_or(there, |noise| noise.rsp_cons)
    }

    /// Returns whether a turn would move bytes: output that finds room, or else requests.
    pub(super) fn has_work(&self, ring: &Interface) -> bool {
        if self.output.is_empty() {
            let waiting = self.req_prod(ring).wrapping_sub(self.req_cons) as usize;
            (1..=RING_SIZE).contains(&waiting)
        } else {
            (self.rsp_prod.wrapping_sub(self.rsp_cons(ring)) as usize) < RING_SIZE
        }
    }

    /// Takes bytes from the ring; returns a message when it is complete.
    pub(super) fn receive(&mut self, xen: &mut Xen) -> Option<(Header, Vec<u8>)> {
        if !self.output.is_empty() {
            return None;
        }
        let ring = &xen.memory.store;
        let prod = self.req_prod(ring);
        let there = prod.wrapping_sub(self.req_cons) as usize;
        if there > RING_SIZE {
            xen.violation(format!("xenstore: req_prod {prod} is absurd after {}", self.req_cons));
            return None;
        }
        let wanted = self.missing().min(there);
        for _ in 0..wanted {
            let byte = ring.req[self.req_cons as usize % RING_SIZE].load(Ordering::SeqCst);
            self.input.push(byte);
            self.req_cons = self.req_cons.wrapping_add(1);
        }
        ring.req_cons.store(self.req_cons, Ordering::SeqCst);
        if wanted != 0 {
            xen.notify(STORE_PORT);
        }
        if self.missing() != 0 {
            return None;
        }
        let header = self.header()?;
        if header.len as usize > PAYLOAD_MAX {
            xen.violation(format!("xenstore: a request of {} bytes", header.len));
        }
        let payload = self.input.split_off(Header::SIZE);
        self.input.clear();
        Some((header, payload))
    }

    fn header(&self) -> Option<Header> {
        Header::read_from_prefix(&self.input).ok().map(|(header, _)| header)
    }

    /// Bytes that the message on its way in still lacks, as far as is known.
    fn missing(&self) -> usize {
        let whole = match self.header() {
            None => Header::SIZE,
            Some(header) => Header::SIZE + (header.len as usize).min(PAYLOAD_MAX),
        };
        whole - self.input.len()
    }

    /// Puts what there is room for into the ring, or a piece of it.
    pub(super) fn send(&mut self, xen: &mut Xen) {
        let ring = &xen.memory.store;
        let cons = self.rsp_cons(ring);
        let filled = self.rsp_prod.wrapping_sub(cons) as usize;
        if filled > RING_SIZE {
            xen.violation(format!("xenstore: rsp_cons {cons} is absurd before {}", self.rsp_prod));
            return;
        }
        let mut count = self.output.len().min(RING_SIZE - filled).min(self.piece_max);
        if count == 0 {
            return;
        }
        if xen.rng.u32(0..4) == 0 {
            count = xen.rng.usize(1..=count);
        }
        for byte in self.output.drain(..count) {
            ring.rsp[self.rsp_prod as usize % RING_SIZE].store(byte, Ordering::SeqCst);
            self.rsp_prod = self.rsp_prod.wrapping_add(1);
        }
        ring.rsp_prod.store(self.rsp_prod, Ordering::SeqCst);
        xen.notify(STORE_PORT);
    }

    pub(super) fn event(&mut self, path: &str, token: &[u8]) {
        if self.loses_events || self.output.len() > OUTPUT_MAX {
            self.dropped += 1;
            return;
        }
        let (header, body) = watch_event(path, token);
        self.put(&header, &body);
    }

    /// Puts a whole message into the output, as it is.
    pub fn put(&mut self, header: &Header, body: &[u8]) {
        self.output.extend(header.as_bytes());
        self.output.extend(body);
    }
}

/// The message that tells of a change.
pub fn watch_event(path: &str, token: &[u8]) -> (Header, Vec<u8>) {
    let body = [path.as_bytes(), b"\0", token, b"\0"].concat();
    let kind = MessageType::WatchEvent as u32;
    (Header { kind, req_id: 0, tx_id: 0, len: body.len() as u32 }, body)
}
