//! The block ring, seen from the backend (io/ring.h).

use std::rc::Rc;
use std::sync::atomic::Ordering;

use drivers::ring::ENTRIES;
use xen_abi::Gfn;
use xen_abi::ring::SringHeader;

use super::request::{ENTRY, Request};
use crate::memory::Memory;

/// Offsets of the shared indices.
const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 4;
const RSP_PROD: usize = 8;
const RSP_EVENT: usize = 12;

/// The backend's half of a one-page ring.
#[derive(Clone)]
pub struct BackRing {
    memory: Rc<Memory>,
    gfn: Gfn,
    req_cons: u32,
    /// Responses put so far.
    pub rsp_prod_pvt: u32,
    /// What we wrote over the frontend's `req_prod`.
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
    /// Begins where the frontend's ring stands (BACK_RING_ATTACH).
    pub fn attach(memory: &Rc<Memory>, gfn: Gfn) -> Self {
        let start = memory.word(gfn, RSP_PROD).load(Ordering::SeqCst);
        Self { memory: Rc::clone(memory), gfn, req_cons: start, rsp_prod_pvt: start, noise: None }
    }

    fn load(&self, offset: usize) -> u32 {
        self.memory.word(self.gfn, offset).load(Ordering::SeqCst)
    }

    fn store(&self, offset: usize, value: u32) {
        self.memory.word(self.gfn, offset).store(value, Ordering::SeqCst);
    }

    fn offset(index: u32) -> usize {
        size_of::<SringHeader>() + (index % ENTRIES) as usize * ENTRY
    }

    /// Requests that wait; `None` when the frontend claims more than the ring holds.
    pub fn waiting(&self) -> Option<u32> {
        let req_prod = self.load(REQ_PROD);
        if self.noise == Some(req_prod) {
            return Some(0);
        }
        let waiting = req_prod.wrapping_sub(self.req_cons);
        (waiting <= ENTRIES).then_some(waiting)
    }

    /// Copies the next request out; there has to be one.
    pub fn take(&mut self) -> Request {
        let mut bytes = [0; ENTRY];
        self.memory.read(self.gfn, Self::offset(self.req_cons), &mut bytes);
        self.req_cons = self.req_cons.wrapping_add(1);
        Request::parse(&bytes)
    }

    /// Puts a response, unpublished.
    pub fn put(&mut self, response: &RawResponse) {
        self.memory.write(self.gfn, Self::offset(self.rsp_prod_pvt), response);
        self.rsp_prod_pvt = self.rsp_prod_pvt.wrapping_add(1);
    }

    /// Shows all responses, and says whether the frontend wants an event for them
    /// (RING_PUSH_RESPONSES_AND_CHECK_NOTIFY).
    pub fn publish(&mut self) -> bool {
        let (old, new) = (self.load(RSP_PROD), self.rsp_prod_pvt);
        self.store(RSP_PROD, new);
        new.wrapping_sub(self.load(RSP_EVENT)) < new.wrapping_sub(old)
    }

    /// Asks for an event with the next request; answers whether one is there already
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
            self.memory.write(self.gfn, Self::offset(index), &[noise as u8; ENTRY]);
            index = index.wrapping_add(1);
        }
    }
}
