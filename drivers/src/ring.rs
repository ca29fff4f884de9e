//! The block ring, seen from the frontend (io/ring.h, io/blkif.h).
//!
//! Its pages are shared with the backend, which may write any of it at any time. So a request is
//! copied in from private memory, and a response is copied out once. The indices, and who has to be
//! woken, are [`Front`]'s.

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU64, Ordering};

use protocols::ring::{Front, Overrun};
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::{DiscardRequest, IndirectRequest, Request, Response};
use xen_abi::ring::SringHeader;
use zerocopy::{transmute, transmute_ref};

use crate::shared::SharedRun;

/// The largest ring, as an order: 16 pages (`XENBUS_MAX_RING_GRANT_ORDER`).
pub const ORDER_MAX: u32 = 4;
/// Entries of a one-page ring.
pub const ENTRIES: u32 = entries(0);
/// Entries of the largest ring.
pub const ENTRIES_MAX: u32 = entries(ORDER_MAX);

/// Entries of a ring of 2^`order` pages: the largest power of two that fits behind the header.
pub const fn entries(order: u32) -> u32 {
    let bytes = (PAGE_SIZE << order) - size_of::<SringHeader>();
    1 << (bytes / size_of::<Request>()).ilog2()
}

const _: () = assert!(ENTRIES == 32 && ENTRIES_MAX == 512);

/// A request ring.
#[derive(Debug)]
pub struct FrontRing<'a> {
    pages: SharedRun<'a>,
    /// Entries, a power of two, less 1.
    mask: u32,
    front: Front,
}

/// An entry as 64-bit words, which both sides reach at any time.
type Entry = [AtomicU64; size_of::<Request>() / size_of::<u64>()];
/// The words of an indirect request.
type IndirectWords = [u64; size_of::<IndirectRequest>() / size_of::<u64>()];
/// The words of a discard.
type DiscardWords = [u64; size_of::<DiscardRequest>() / size_of::<u64>()];

/// Words of a request before its segments.
const FIXED_WORDS: usize = offset_of!(Request, seg) / size_of::<u64>();
/// Words of the longest request.
const ENTRY_WORDS: usize = size_of::<Entry>() / size_of::<u64>();

const _: () = assert!(size_of::<IndirectWords>() <= size_of::<Entry>());
const _: () = assert!(size_of::<DiscardWords>() <= size_of::<Entry>());

impl<'a> FrontRing<'a> {
    /// Makes an empty ring in these pages (SHARED_RING_INIT).
    ///
    /// # Panics
    /// When they are not 1, 2, 4, 8 or 16.
    pub fn new(pages: SharedRun<'a>) -> Self {
        Self::starting_at(pages, 0)
    }

    /// Makes a ring as [`new`](Self::new) does, with all indices at `index` (FRONT_RING_ATTACH).
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn starting_at(mut pages: SharedRun<'a>, index: u32) -> Self {
        pages.zero();
        let order = pages.count().ilog2();
        assert!(order <= ORDER_MAX && pages.count().is_power_of_two());
        let front = Front::init(&header(&pages).into(), index);
        Self { pages, mask: entries(order) - 1, front }
    }

    /// Returns the ring's pages.
    pub fn pages(&self) -> &SharedRun<'a> {
        &self.pages
    }

    /// Ends the use of the ring; returns its pages.
    pub fn into_run(self) -> SharedRun<'a> {
        self.pages
    }

    /// Returns the number of entries.
    pub fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// Returns how many requests were put and not yet answered.
    pub fn outstanding(&self) -> u32 {
        self.front.outstanding()
    }

    /// Returns how many responses were taken so far, modulo 2^32.
    pub fn taken(&self) -> u32 {
        self.front.taken()
    }

    /// Returns the entry for a free-running index.
    #[inline(always)]
    fn entry(&self, index: u32) -> &Entry {
        let offset = size_of::<SringHeader>() + (index & self.mask) as usize * size_of::<Entry>();
        // SAFETY: the mask is below the number of entries that fit into the pages behind the header
        // (`entries`), 8 divides the offset, and all words are atomics, as in [`header`].
        unsafe { self.pages.start().add(offset).cast::<Entry>().as_ref() }
    }

    /// Puts a request, unpublished (RING_GET_REQUEST and the filling of it).
    ///
    /// Only the segments in use are written. There has to be room, which there is for a caller with
    /// a slot for each entry; otherwise a request that waits would be overwritten.
    ///
    /// # Panics
    /// When the request claims more segments than it has.
    #[inline(always)]
    pub fn put(&mut self, request: &Request) {
        let words: &[u64; ENTRY_WORDS] = transmute_ref!(request);
        match request.nr_segments {
            // Most requests, without the steps of a loop.
            1 => self.put_words(&words[..FIXED_WORDS + 1]),
            count => self.put_words(&words[..FIXED_WORDS + usize::from(count)]),
        }
    }

    /// Puts a request whose segments are elsewhere, as [`put`](Self::put) does.
    pub fn put_indirect(&mut self, request: &IndirectRequest) {
        let words: &IndirectWords = transmute_ref!(request);
        self.put_words(words);
    }

    /// Puts a discard, as [`put`](Self::put) does.
    pub fn put_discard(&mut self, request: &DiscardRequest) {
        let words: &DiscardWords = transmute_ref!(request);
        self.put_words(words);
    }

    /// Copies the first words of a request, no more than an entry has, into the next entry.
    #[inline(always)]
    fn put_words(&mut self, words: &[u64]) {
        debug_assert!(self.outstanding() <= self.mask);
        for (to, &word) in self.entry(self.front.next_request()).iter().zip(words) {
            to.store(word, Ordering::Relaxed);
        }
        self.front.put();
    }

    /// Returns the same as [`Front::has_unpublished`].
    #[inline(always)]
    pub fn has_unpublished(&self) -> bool {
        self.front.has_unpublished()
    }

    /// Publishes the requests, as [`Front::publish`] does.
    #[inline]
    pub fn publish(&mut self) -> bool {
        self.front.publish(&header(&self.pages).into())
    }

    /// Returns the next response, copied out (RING_COPY_RESPONSE); `None` when there is none.
    ///
    /// # Errors
    /// [`Overrun`], when `rsp_prod` claims more than was asked for. The ring is then unusable.
    #[inline(always)]
    pub fn take(&mut self) -> Result<Option<Response>, Overrun> {
        if !self.front.has_seen() && !self.look()? {
            return Ok(None);
        }
        Ok(self.take_seen())
    }

    /// Returns the next of the responses that the last [`look`](Self::look) found, as
    /// [`take`](Self::take) does.
    #[inline(always)]
    pub fn take_seen(&mut self) -> Option<Response> {
        let index = self.front.take_seen()?;
        // One load of each word, and all checks are made on the copy.
        let [id, rest, ..] = self.entry(index);
        let words = [id, rest].map(|word| word.load(Ordering::Relaxed));
        Some(transmute!(words))
    }

    /// Looks for responses, as [`Front::look`] does.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn look(&mut self) -> Result<bool, Overrun> {
        self.front.look(&header(&self.pages).into())
    }

    /// Closes the ring, as [`Front::close`] does.
    pub fn close(&mut self) {
        self.front.close();
    }

    /// Asks for an event once there are `after` responses, as [`Front::arm`] does.
    pub fn arm(&mut self, after: u32) -> bool {
        self.front.arm(&header(&self.pages).into(), after)
    }
}

#[inline(always)]
fn header<'a>(pages: &'a SharedRun<'_>) -> &'a SringHeader {
    // SAFETY: the pages are aligned, live as long as the borrow, and begin with the header, all of
    // whose fields are atomics: a reference to it stays sound whatever the backend writes.
    unsafe { pages.start().cast::<SringHeader>().as_ref() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::tests::leaked_run;
    use core::ptr;
    use xen_abi::blkif::{MAX_SEGMENTS, OP_READ, RSP_OKAY, Segment};

    fn request(id: u64) -> Request {
        let seg = [Segment { gref: 9, first_sect: 0, last_sect: 7, pad: 0 }; MAX_SEGMENTS];
        Request { operation: OP_READ, nr_segments: 1, handle: 1, pad: 0, id, sector_number: 8, seg }
    }

    /// The backend's half, as far as these tests need it.
    struct Back(u32);

    impl Back {
        fn answer(&mut self, ring: &FrontRing<'_>) {
            let [first, second, ..] = ring.entry(self.0);
            // The id is a request's second word, and a response's first.
            let id = second.load(Ordering::Relaxed);
            let [id, rest]: [u64; 2] = transmute!(Response::new(id, OP_READ, RSP_OKAY));
            first.store(id, Ordering::Relaxed);
            second.store(rest, Ordering::Relaxed);
            self.0 = self.0.wrapping_add(1);
            header(&ring.pages).rsp_prod.store(self.0, Ordering::Release);
        }
    }

    #[test]
    fn requests_and_responses_cross_the_wrap_of_the_indices() {
        for pages in [1, 2, 16] {
            cross_the_wrap(FrontRing::starting_at(leaked_run(pages), u32::MAX - 40));
        }
    }

    fn cross_the_wrap(mut ring: FrontRing<'_>) {
        let mut back = Back(ring.taken());
        for batch in 0..20u64 {
            for n in 0..7 {
                ring.put(&request(batch * 7 + n));
            }
            ring.publish();
            for n in 0..7 {
                back.answer(&ring);
                assert_eq!(ring.take().unwrap().unwrap().id, batch * 7 + n);
            }
            assert!(ring.take().unwrap().is_none());
            assert_eq!(ring.outstanding(), 0);
        }
        assert!(ring.taken() < 200, "the indices have wrapped");
    }

    #[test]
    fn the_backend_is_told_only_when_it_asked() {
        for start in [0, u32::MAX] {
            let mut ring = FrontRing::starting_at(leaked_run(1), start);
            assert!(!ring.publish(), "nothing was put");
            ring.put(&request(0));
            assert!(ring.publish(), "req_event is one ahead of an empty ring");
            ring.put(&request(1));
            assert!(!ring.publish(), "the backend has not asked again");
            header(&ring.pages).req_event.store(start.wrapping_add(4), Ordering::Relaxed);
            ring.put(&request(2));
            assert!(!ring.publish());
            ring.put(&request(3));
            assert!(ring.publish());
        }
    }

    #[test]
    fn arming_sees_a_response_that_came_first() {
        let (mut ring, mut back) = (FrontRing::new(leaked_run(1)), Back(0));
        ring.put(&request(1));
        ring.publish();
        assert!(!ring.arm(1));
        back.answer(&ring);
        assert!(ring.arm(1));
        assert!(ring.take().unwrap().is_some());
        assert!(!ring.arm(1));
        assert_eq!(header(&ring.pages).rsp_event.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn an_event_is_asked_for_after_as_many_as_can_come() {
        for start in [0, u32::MAX - 1] {
            let mut ring = FrontRing::starting_at(leaked_run(1), start);
            let asked = |ring: &FrontRing<'_>| {
                header(&ring.pages).rsp_event.load(Ordering::Relaxed).wrapping_sub(start)
            };
            (0..4).for_each(|id| ring.put(&request(id)));
            ring.publish();
            // Not yet published, so no response can be waited for.
            ring.put(&request(4));
            for (after, expected) in [(0, 1), (1, 1), (3, 3), (4, 4), (5, 4), (u32::MAX, 4)] {
                assert!(!ring.arm(after));
                assert_eq!(asked(&ring), expected, "{after}");
            }
            let mut back = Back(start);
            back.answer(&ring);
            assert!(ring.arm(4), "there is one");
            assert!(ring.take().unwrap().is_some());
            assert!(!ring.arm(8));
            assert_eq!(asked(&ring), 4);
        }
    }

    #[test]
    fn what_comes_after_a_look_waits_for_the_next() {
        let (mut ring, mut back) = (FrontRing::new(leaked_run(1)), Back(0));
        (0..3).for_each(|id| ring.put(&request(id)));
        ring.publish();
        assert_eq!((ring.look(), ring.take_seen().is_none()), (Ok(false), true));
        back.answer(&ring);
        assert_eq!(ring.look(), Ok(true));
        back.answer(&ring);
        assert_eq!(ring.take_seen().map(|response| response.id), Some(0));
        assert!(ring.take_seen().is_none());
        assert_eq!(ring.take().unwrap().unwrap().id, 1);
    }

    #[test]
    fn responses_are_bounded_by_what_is_outstanding() {
        for lie in [3, ENTRIES, ENTRIES + 1, u32::MAX, 1 << 31] {
            let mut ring = FrontRing::new(leaked_run(1));
            ring.put(&request(1));
            ring.put(&request(2));
            ring.publish();
            header(&ring.pages).rsp_prod.store(lie, Ordering::Release);
            let overrun = Overrun { rsp_prod: lie, rsp_cons: 0, outstanding: 2 };
            assert_eq!(ring.take().unwrap_err(), overrun);
        }
    }

    #[test]
    fn a_closed_ring_takes_and_shows_nothing() {
        let (mut ring, mut back) = (FrontRing::new(leaked_run(1)), Back(0));
        for id in 0..3 {
            ring.put(&request(id));
        }
        ring.publish();
        back.answer(&ring);
        back.answer(&ring);
        assert_eq!(ring.take().unwrap().unwrap().id, 0);
        ring.put(&request(3));
        ring.close();
        back.answer(&ring);
        assert!(ring.take().unwrap().is_none());
        let rsp_event = header(&ring.pages).rsp_event.load(Ordering::Relaxed);
        assert!(!ring.has_unpublished() && !ring.publish() && ring.arm(1));
        assert_eq!(header(&ring.pages).req_prod.load(Ordering::Relaxed), 3);
        assert_eq!(header(&ring.pages).rsp_event.load(Ordering::Relaxed), rsp_event);
    }

    #[test]
    fn every_entry_is_in_the_pages_and_no_two_are_one() {
        for order in 0..=ORDER_MAX {
            let ring = FrontRing::new(leaked_run(1 << order));
            let start = ring.pages.start().as_ptr().addr();
            let offsets = (0..entries(order)).map(|n| ptr::from_ref(ring.entry(n)).addr() - start);
            let expected = (0..entries(order) as usize).map(|n| 64 + 112 * n);
            assert!(offsets.eq(expected));
            assert!(ptr::eq(ring.entry(entries(order)), ring.entry(0)));
            assert!(64 + 112 * entries(order) as usize <= PAGE_SIZE << order);
            assert!(64 + 112 * 2 * entries(order) as usize > PAGE_SIZE << order);
        }
    }

    #[test]
    fn unpublished_requests_cannot_be_answered() {
        let mut ring = FrontRing::new(leaked_run(1));
        ring.put(&request(1));
        header(&ring.pages).rsp_prod.store(1, Ordering::Release);
        assert!(ring.take().is_err());
    }

    #[test]
    #[should_panic]
    #[cfg(debug_assertions)]
    fn a_full_ring_is_a_bug_of_the_caller() {
        let mut ring = FrontRing::new(leaked_run(1));
        (0..=u64::from(ENTRIES)).for_each(|id| ring.put(&request(id)));
    }
}
