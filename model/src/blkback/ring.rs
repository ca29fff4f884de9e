//! The block ring, seen from the backend (io/ring.h).

use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use drivers::ring::entries;
use xen_abi::ring::SringHeader;
use xen_abi::{Gfn, PAGE_SIZE};

use super::request::{ENTRY, Request};
use crate::memory::Memory;

/// Offsets of the shared indices.
const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 4;
const RSP_PROD: usize = 8;
const RSP_EVENT: usize = 12;

/// The backend's half of a ring.
#[derive(Clone)]
pub struct BackRing {
    memory: Rc<Memory>,
    /// Its pages, in order.
    gfns: Vec<Gfn>,
    entries: u32,
    req_cons: u32,
    /// Responses put so far.
    pub rsp_prod_pvt: u32,
    /// Value that we wrote over the frontend's `req_prod`.
    noise: Option<u32>,
}

/// A response as it lies in the ring, padding included.
pub type RawResponse = [u8; 16];

/// An honest response.
pub fn response(request: &Request, status: i16) -> RawResponse {
    let mut raw = RawResponse::default();
    raw[..8].copy_from_slice(&request.id.to_le_bytes());
    raw[8] = request.operation;
    raw[10..12].copy_from_slice(&status.to_le_bytes());
    raw
}

impl BackRing {
    /// Begins where the frontend's ring stands (BACK_RING_ATTACH), which has these pages.
    pub fn attach(memory: &Rc<Memory>, gfns: Vec<Gfn>) -> Self {
        let start = memory.word(gfns[0], RSP_PROD).load(Ordering::SeqCst);
        Self {
            memory: Rc::clone(memory),
            entries: entries(gfns.len().ilog2()),
            gfns,
            req_cons: start,
            rsp_prod_pvt: start,
            noise: None,
        }
    }

    /// Returns the number of requests that the ring holds.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    fn load(&self, offset: usize) -> u32 {
        self.memory.word(self.gfns[0], offset).load(Ordering::SeqCst)
    }

    fn store(&self, offset: usize, value: u32) {
        self.memory.word(self.gfns[0], offset).store(value, Ordering::SeqCst);
    }

    /// Returns the places of an entry of `len` bytes: parts of pages, and which of the bytes go
    /// there.
    fn places(&self, index: u32, len: usize) -> impl Iterator<Item = (Gfn, usize, Range<usize>)> {
        let start = size_of::<SringHeader>() + (index % self.entries) as usize * ENTRY;
        let first = len.min(PAGE_SIZE - start % PAGE_SIZE);
        [0..first, first..len].into_iter().filter(|part| !part.is_empty()).map(move |part| {
            let at = start + part.start;
            (self.gfns[at / PAGE_SIZE], at % PAGE_SIZE, part)
        })
    }

    fn write(&self, index: u32, bytes: &[u8]) {
        for (gfn, offset, part) in self.places(index, bytes.len()) {
            self.memory.write(gfn, offset, &bytes[part]);
        }
    }

    /// Requests that wait; `None` when the frontend claims more than the ring holds.
    pub fn waiting(&self) -> Option<u32> {
        let req_prod = self.load(REQ_PROD);
        if self.noise == Some(req_prod) {
            return Some(0);
        }
        let waiting = req_prod.wrapping_sub(self.req_cons);
        (waiting <= self.entries).then_some(waiting)
    }

    /// Copies the next request out; there has to be one.
    pub fn take(&mut self) -> Request {
        let mut bytes = [0; ENTRY];
        for (gfn, offset, part) in self.places(self.req_cons, ENTRY) {
            self.memory.read(gfn, offset, &mut bytes[part]);
        }
        self.req_cons = self.req_cons.wrapping_add(1);
        Request::parse(&bytes)
    }

    /// Puts a response, unpublished.
    pub fn put(&mut self, response: &RawResponse) {
        self.write(self.rsp_prod_pvt, response);
        self.rsp_prod_pvt = self.rsp_prod_pvt.wrapping_add(1);
    }

    /// More was answered than taken, so that answers may stand where requests were.
    pub fn is_overtaken(&self) -> bool {
        (self.rsp_prod_pvt.wrapping_sub(self.req_cons) as i32) > 0
    }

    /// Shows all responses, and says whether the frontend wants an event for them
    /// (RING_PUSH_RESPONSES_AND_CHECK_NOTIFY).
    pub fn publish(&mut self) -> bool {
        let (old, new) = (self.load(RSP_PROD), self.rsp_prod_pvt);
        self.store(RSP_PROD, new);
        new.wrapping_sub(self.load(RSP_EVENT)) < new.wrapping_sub(old)
    }

    /// Returns whether the response is published at which the frontend asked for an event last.
    pub fn has_reached_event(&self) -> bool {
        (self.load(RSP_PROD).wrapping_sub(self.load(RSP_EVENT)) as i32) >= 0
    }

    /// Asks for an event with the next request; returns whether one is there already
    /// (RING_FINAL_CHECK_FOR_REQUESTS).
    pub fn final_check(&mut self) -> bool {
        self.store(REQ_EVENT, self.req_cons.wrapping_add(1));
        self.waiting() != Some(0)
    }

    /// Shows any value as `rsp_prod`.
    pub fn forge_rsp_prod(&self, value: u32) {
        self.store(RSP_PROD, value);
    }

    /// Asks for an event `late` requests after the next one.
    pub fn ask_later(&self, late: u32) {
        self.store(REQ_EVENT, self.req_cons.wrapping_add(1).wrapping_add(late));
    }

    /// Overwrites what is the frontend's or nobody's: its indices, once they have been read, and
    /// the entries whose requests were taken and not yet answered.
    pub fn scribble(&mut self, noise: u32) {
        if self.waiting() == Some(0) {
            self.store(REQ_PROD, noise);
            self.noise = Some(noise);
        }
        self.store(RSP_EVENT, noise);
        let mut index = self.rsp_prod_pvt;
        while index != self.req_cons {
            self.write(index, &[noise as u8; ENTRY]);
            index = index.wrapping_add(1);
        }
    }
}
