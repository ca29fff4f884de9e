//! The frontend's half of a request ring (io/ring.h): its indices, and the decisions on events.
//!
//! The backend may write any shared index at any time. So our own are private and never read back,
//! and `rsp_prod` is read once for each look and may not run ahead of the requests that are
//! outstanding. Entries are the caller's: which one to write or read is an index from here.

use core::fmt;
use core::sync::atomic::Ordering;

use xen_abi::ring::SringHeader;

use crate::{Atomic, Atomics, Native};

/// The backend claims more responses than there are requests to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// `rsp_prod`, as it was read.
    pub rsp_prod: u32,
    /// Responses taken so far, modulo 2^32.
    pub rsp_cons: u32,
    /// Requests that await a response.
    pub outstanding: u32,
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "rsp_prod {} is beyond the {} outstanding requests after {}",
            self.rsp_prod, self.outstanding, self.rsp_cons
        )
    }
}

/// The shared indices of a ring, all of which run freely, modulo 2^32.
#[derive(Debug)]
pub struct Shared<'a, A: Atomics = Native> {
    /// Requests that the frontend has published.
    pub req_prod: &'a A::U32,
    /// The backend wants an event when `req_prod` passes this.
    pub req_event: &'a A::U32,
    /// Responses that the backend has published.
    pub rsp_prod: &'a A::U32,
    /// The frontend wants an event when `rsp_prod` passes this.
    pub rsp_event: &'a A::U32,
}

impl<'a> From<&'a SringHeader> for Shared<'a> {
    #[inline(always)]
    fn from(header: &'a SringHeader) -> Self {
        let SringHeader { req_prod, req_event, rsp_prod, rsp_event, .. } = header;
        Self { req_prod, req_event, rsp_prod, rsp_event }
    }
}

/// The frontend's private indices.
#[derive(Debug)]
pub struct Front {
    /// Requests put so far.
    req_prod_pvt: u32,
    /// Requests published so far.
    published: u32,
    /// Responses taken so far.
    rsp_cons: u32,
    /// `rsp_prod` at the last look, already checked.
    rsp_prod_seen: u32,
    /// Nothing is taken or shown any more.
    closed: bool,
}

impl Front {
    /// Makes an empty ring, all of whose indices are `index` (SHARED_RING_INIT, FRONT_RING_ATTACH).
    pub fn init<A: Atomics>(shared: &Shared<'_, A>, index: u32) -> Self {
        shared.req_prod.store(index, Ordering::Relaxed);
        shared.rsp_prod.store(index, Ordering::Relaxed);
        shared.req_event.store(index.wrapping_add(1), Ordering::Relaxed);
        shared.rsp_event.store(index.wrapping_add(1), Ordering::Release);
        Self {
            req_prod_pvt: index,
            published: index,
            rsp_cons: index,
            rsp_prod_seen: index,
            closed: false,
        }
    }

    /// Returns how many requests were put and not yet answered.
    #[inline(always)]
    pub fn outstanding(&self) -> u32 {
        self.req_prod_pvt.wrapping_sub(self.rsp_cons)
    }

    /// Returns how many responses were taken so far, modulo 2^32.
    #[inline(always)]
    pub fn taken(&self) -> u32 {
        self.rsp_cons
    }

    /// Returns the index of the entry that the next request goes to.
    #[inline(always)]
    pub fn next_request(&self) -> u32 {
        self.req_prod_pvt
    }

    /// Counts the request that was written there, unpublished.
    #[inline(always)]
    pub fn put(&mut self) {
        self.req_prod_pvt = self.req_prod_pvt.wrapping_add(1);
    }

    /// Returns whether requests were put that are not published yet; never so in a ring that is
    /// closed.
    #[inline(always)]
    pub fn has_unpublished(&self) -> bool {
        self.published != self.req_prod_pvt
    }

    /// Shows all requests that were put; returns whether the backend wants an event for them
    /// (RING_PUSH_REQUESTS_AND_CHECK_NOTIFY).
    #[inline]
    pub fn publish<A: Atomics>(&mut self, shared: &Shared<'_, A>) -> bool {
        let (old, new) = (self.published, self.req_prod_pvt);
        if !self.has_unpublished() {
            return false;
        }
        shared.req_prod.store(new, Ordering::Release);
        // The backend stores req_event and then re-reads req_prod; we store req_prod and then read
        // req_event. Without this fence both could miss the other's store, and both would sleep.
        A::fence(Ordering::SeqCst);
        self.published = new;
        let req_event = shared.req_event.load(Ordering::Relaxed);
        new.wrapping_sub(req_event) < new.wrapping_sub(old)
    }

    /// Reads `rsp_prod` anew; returns whether there is a response.
    ///
    /// # Errors
    /// [`Overrun`], when `rsp_prod` claims more than was asked for. The ring is then unusable.
    #[inline]
    pub fn look<A: Atomics>(&mut self, shared: &Shared<'_, A>) -> Result<bool, Overrun> {
        if self.closed {
            return Ok(false);
        }
        let rsp_prod = shared.rsp_prod.load(Ordering::Acquire);
        let outstanding = self.published.wrapping_sub(self.rsp_cons);
        if rsp_prod.wrapping_sub(self.rsp_cons) > outstanding {
            return Err(Overrun { rsp_prod, rsp_cons: self.rsp_cons, outstanding });
        }
        self.rsp_prod_seen = rsp_prod;
        Ok(rsp_prod != self.rsp_cons)
    }

    /// Returns whether the last [`look`](Self::look) found responses that were not taken yet.
    #[inline(always)]
    pub fn has_seen(&self) -> bool {
        self.rsp_cons != self.rsp_prod_seen
    }

    /// Takes a response that the last [`look`](Self::look) found: returns the index of its entry.
    #[inline(always)]
    pub fn take_seen(&mut self) -> Option<u32> {
        let index = self.rsp_cons;
        if !self.has_seen() {
            return None;
        }
        self.rsp_cons = index.wrapping_add(1);
        Some(index)
    }

    /// Takes nothing any more, not even what was seen already, and shows nothing any more, not even
    /// what was put already.
    pub fn close(&mut self) {
        self.closed = true;
        self.rsp_prod_seen = self.rsp_cons;
        self.req_prod_pvt = self.published;
    }

    /// Asks for an event once there are `after` responses, or as many as there are published
    /// requests to answer, if these are fewer: nobody would send one for more. At least one is
    /// waited for. Returns whether one is there already, in which case the caller must not sleep
    /// (RING_FINAL_CHECK_FOR_RESPONSES). There is nothing to sleep for in a ring that is closed.
    pub fn arm<A: Atomics>(&mut self, shared: &Shared<'_, A>, after: u32) -> bool {
        if self.closed {
            return true;
        }
        let in_flight = self.published.wrapping_sub(self.rsp_cons);
        let rsp_event = self.rsp_cons.wrapping_add(after.min(in_flight).max(1));
        shared.rsp_event.store(rsp_event, Ordering::Relaxed);
        // The mirror of the fence in `publish`: our rsp_event before our look at rsp_prod.
        A::fence(Ordering::SeqCst);
        shared.rsp_prod.load(Ordering::Relaxed) != self.rsp_cons
    }
}
