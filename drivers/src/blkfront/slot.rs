//! A slot: the right to have one request in flight, and all that belongs to it.

use alloc::vec::Vec;

use protocols::grant::StillMapped;
use xen_abi::blkif::{
    self, DISCARD_SECURE, DiscardRequest, IndirectRequest, MAX_INDIRECT_PAGES, MAX_SEGMENTS,
    Request, SECTOR_SIZE, SECTORS_PER_PAGE, SEGMENTS_PER_INDIRECT_PAGE, Segment,
};
use xen_abi::vdev::Vdev;
use xen_abi::{DomId, PAGE_SIZE};
use zerocopy::IntoBytes;

use super::Flush;
use crate::grant::Access;
use crate::page::Page;
use crate::ring::FrontRing;
use crate::shared::SharedPage;

/// Source for the part of a page that a request does not use.
static ZEROES: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
/// An id that no request has: it names no slot.
const NOT_IN_FLIGHT: u64 = u64::MAX;
/// Step of the generation, which is the upper half of an id.
const GENERATION: u64 = 1 << 32;
/// The last sector of a page, as segments count them.
const LAST_SECT: u8 = SECTORS_PER_PAGE as u8 - 1;

/// Operation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read from the disk into the slot's pages.
    Read,
    /// Write from the slot's pages to the disk.
    Write,
    /// Commit the backend's volatile cache ([`Flush`]).
    Flush,
    /// Discard sectors; their content afterwards is undefined ([`super::Discard`]).
    Discard,
    /// Discard sectors so that none of the old data can be found again.
    SecureDiscard,
}

impl Operation {
    /// Returns the code that the response will have, unless a flush is sent as a barrier.
    const fn code(self) -> u8 {
        match self {
            Self::Read => blkif::OP_READ,
            Self::Write => blkif::OP_WRITE,
            Self::Flush => Flush::Cache.code(),
            Self::Discard | Self::SecureDiscard => blkif::OP_DISCARD,
        }
    }
}

/// Right to have one request in flight on the queue that it came from. The lower half of the
/// request's id has both numbers.
#[derive(Debug, PartialEq, Eq)]
#[repr(C, align(4))]
pub struct Slot {
    /// Number among the queue's slots.
    number: u16,
    /// Number of the queue, unique among all VBDs' queues.
    queue: u16,
}

/// Returns the base of the numbers of a queue's slots.
pub(super) const fn slot_base(queue: u16) -> u32 {
    (queue as u32) << 16
}

impl Slot {
    /// Makes slot `number` of the queue with this base.
    pub(super) fn new(base: u32, number: u16) -> Self {
        Self::of_id((base | u32::from(number)).into())
    }

    /// Returns the slot of a request by its id.
    #[inline(always)]
    pub(super) fn of_id(id: u64) -> Self {
        Self { number: id as u16, queue: (id >> 16) as u16 }
    }

    /// Returns its number among the queue's slots, from 0, as an index for data of the caller's.
    pub fn index(&self) -> usize {
        usize::from(self.number)
    }

    /// Returns its number among the slots of the queue with this base; beyond them, if the slot is
    /// another queue's.
    #[inline(always)]
    pub(super) fn index_from(&self, base: u32) -> usize {
        (self.id_low() ^ base) as usize
    }

    /// Returns the lower half of its requests' ids.
    #[inline(always)]
    fn id_low(&self) -> u32 {
        u32::from(self.queue) << 16 | u32::from(self.number)
    }
}

/// Slot whose data its caller keeps, without the right to a request.
#[derive(Debug)]
pub struct Held(pub(super) Slot);

impl AsRef<Slot> for Held {
    /// Returns the slot, to reach its data.
    fn as_ref(&self) -> &Slot {
        &self.0
    }
}

impl AsRef<Self> for Slot {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// State of one slot.
#[derive(Debug)]
pub(super) struct SlotState<'a> {
    /// Private copy of the request, a direct one; its grefs never change. Its id is
    /// [`NOT_IN_FLIGHT`] between two requests.
    request: Request,
    /// Id of its last request: in the lower half its [`Slot`], so that a response on another
    /// queue does not match; in the upper half a generation, so that a late one does not.
    last_id: u64,
    /// Bytes of the request's data; 0 for a request without data.
    bytes: u32,
    /// Bytes that `nr_segments` and the ends of the segments in `request` are set for; 0 if no
    /// request with data fits.
    fitted_bytes: u32,
    /// Bytes from the start of the pages that requests of this window used.
    used_bytes: u32,
    /// Bytes from the start of the pages that requests of the window before used.
    used_before_bytes: u32,
    /// Bytes from the start of the pages that may hold data, without that of this window's
    /// requests.
    filled_bytes: u32,
    pub(super) pages: Vec<SharedPage<'a>>,
    /// Caller's side of the data, where it is copied.
    pub(super) private: Vec<Page>,
    /// Segments of `pages`, where those may be more than a direct request has.
    pub(super) indirect: Vec<SharedPage<'a>>,
    /// Index of the segment in the indirect pages that was last in its request, and may end early.
    indirect_last: usize,
}

impl<'a> SlotState<'a> {
    /// Makes a slot over pages that are not shared yet.
    pub(super) fn new(
        vdev: Vdev,
        slot: Slot,
        pages: Vec<SharedPage<'a>>,
        mut indirect: Vec<SharedPage<'a>>,
        private: Vec<Page>,
    ) -> Self {
        let mut seg = [Segment::default(); MAX_SEGMENTS];
        for (segment, page) in seg.iter_mut().zip(&pages) {
            *segment = whole(page);
        }
        for (indirect, pages) in indirect.iter_mut().zip(pages.chunks(SEGMENTS_PER_INDIRECT_PAGE)) {
            for (index, page) in pages.iter().enumerate() {
                indirect.write(index * size_of::<Segment>(), whole(page).as_bytes());
            }
        }
        let request = Request {
            operation: 0,
            nr_segments: 0,
            handle: vdev.handle(),
            pad: 0,
            id: NOT_IN_FLIGHT,
            sector_number: 0,
            seg,
        };
        Self {
            request,
            last_id: slot.id_low().into(),
            bytes: 0,
            fitted_bytes: 0,
            used_bytes: 0,
            used_before_bytes: 0,
            filled_bytes: 0,
            pages,
            private,
            indirect,
            indirect_last: 0,
        }
    }

    fn is_in_flight(&self) -> bool {
        self.request.id != NOT_IN_FLIGHT
    }

    /// Returns whether this is the id of the request in flight.
    #[inline(always)]
    pub(super) fn has_id(&self, id: u64) -> bool {
        self.request.id == id
    }

    /// Returns the operation that the response must have.
    #[inline(always)]
    pub(super) fn expected_op(&self) -> u8 {
        self.request.operation
    }

    /// Takes the first step of a request that has `bytes` of data.
    #[inline(always)]
    pub(super) fn begin(&mut self, operation: Operation, sector: u64, bytes: u32) {
        assert!(!self.is_in_flight());
        self.last_id = self.last_id.wrapping_add(GENERATION);
        self.bytes = bytes;
        self.request.operation = operation.code();
        self.request.id = self.last_id;
        self.request.sector_number = sector;
    }

    /// Takes the last step of a request.
    #[inline(always)]
    pub(super) fn end(&mut self) {
        self.request.id = NOT_IN_FLIGHT;
    }

    /// Puts a read or write of `bytes` that has begun on the ring.
    #[inline(always)]
    pub(super) fn put_data(&mut self, ring: &mut FrontRing, bytes: u32) {
        if bytes == self.fitted_bytes {
            ring.put(&self.request);
        } else {
            self.fit_and_put(ring, bytes);
        }
    }

    fn fit_and_put(&mut self, ring: &mut FrontRing, bytes: u32) {
        let segments = segments(bytes);
        let last_sect = (bytes / SECTOR_SIZE - 1) % SECTORS_PER_PAGE;
        if let Some((last, whole)) =
            self.request.seg.get_mut(..segments).and_then(|seg| seg.split_last_mut())
        {
            last.last_sect = last_sect as u8;
            for segment in whole {
                segment.last_sect = LAST_SECT;
            }
            self.request.nr_segments = segments as u8;
            self.fitted_bytes = bytes;
            ring.put(&self.request);
        } else {
            self.put_indirect(ring, segments, last_sect as u8);
        }
    }

    fn put_indirect(&mut self, ring: &mut FrontRing, segments: usize, last_sect: u8) {
        for (index, last_sect) in [(self.indirect_last, LAST_SECT), (segments - 1, last_sect)] {
            let segment = Segment { last_sect, ..whole(&self.pages[index]) };
            let page = &mut self.indirect[index / SEGMENTS_PER_INDIRECT_PAGE];
            let offset = index % SEGMENTS_PER_INDIRECT_PAGE * size_of::<Segment>();
            page.write(offset, segment.as_bytes());
        }
        self.indirect_last = segments - 1;
        let mut indirect_grefs = [0; MAX_INDIRECT_PAGES];
        let used = &self.indirect[..indirect_pages(segments)];
        for (gref, page) in indirect_grefs.iter_mut().zip(used) {
            *gref = page.gref().0;
        }
        ring.put_indirect(&IndirectRequest {
            operation: blkif::OP_INDIRECT,
            indirect_op: self.request.operation,
            nr_segments: segments as u16,
            pad0: 0,
            id: self.request.id,
            sector_number: self.request.sector_number,
            handle: self.request.handle,
            pad1: 0,
            indirect_grefs,
            pad2: 0,
        });
    }

    /// Puts a flush that has begun on the ring.
    pub(super) fn put_flush(&mut self, ring: &mut FrontRing, flush: Flush) {
        self.request.operation = flush.code();
        (self.request.nr_segments, self.fitted_bytes) = (0, 0);
        ring.put(&self.request);
    }

    /// Puts a discard that has begun on the ring.
    pub(super) fn put_discard(&mut self, ring: &mut FrontRing, sectors: u64, secure: bool) {
        ring.put_discard(&DiscardRequest {
            operation: blkif::OP_DISCARD,
            flag: if secure { DISCARD_SECURE } else { 0 },
            handle: self.request.handle,
            pad: 0,
            id: self.request.id,
            sector_number: self.request.sector_number,
            nr_sectors: sectors,
        });
    }

    /// Permits what this request of `bytes` needs, and no more: the backend has no business to
    /// write to the data of a write, nor to segments. Returns the number of grants that took.
    #[inline(always)]
    pub(super) fn permit(&mut self, backend: DomId, bytes: u32) -> u64 {
        let access = match self.request.operation {
            blkif::OP_READ => Access::ReadWrite,
            _ => Access::ReadOnly,
        };
        let segments = segments(bytes);
        for page in &mut self.pages[..segments] {
            page.permit(backend, access);
        }
        let mut count = segments as u64;
        for page in &mut self.indirect[..indirect_pages(segments)] {
            page.permit(backend, Access::ReadOnly);
            count += 1;
        }
        count
    }

    /// Revokes what [`permit`](Self::permit) permitted.
    #[inline(always)]
    pub(super) fn revoke(&mut self) -> Result<(), StillMapped> {
        let segments = segments(self.bytes);
        self.pages[..segments].iter_mut().try_for_each(SharedPage::revoke)?;
        let mut indirect = self.indirect[..indirect_pages(segments)].iter_mut();
        indirect.try_for_each(SharedPage::revoke)
    }

    /// Permits all pages for good; returns the number of grants that took.
    pub(super) fn permit_for_good(&mut self, backend: DomId) -> u64 {
        let mut count = 0;
        for page in self.pages.iter_mut().chain(&mut self.indirect) {
            page.permit(backend, Access::ReadWrite);
            count += 1;
        }
        count
    }

    /// Copies the data of a write from the caller's pages to the backend's; returns their number.
    pub(super) fn copy_out(&mut self) -> u64 {
        self.copy(|shared, private, bytes| shared.copy_from(private, bytes))
    }

    /// Copies the data of a read from the backend's pages to the caller's; returns their number.
    pub(super) fn copy_in(&mut self) -> u64 {
        self.copy(|shared, private, bytes| private.copy_from(shared.page(), bytes))
    }

    fn copy(&mut self, copy: impl Fn(&mut SharedPage<'a>, &mut Page, usize)) -> u64 {
        let mut left = self.bytes as usize;
        for (shared, private) in self.pages.iter_mut().zip(&mut self.private) {
            copy(shared, private, left.min(PAGE_SIZE));
            left = left.saturating_sub(PAGE_SIZE);
            if left == 0 {
                break;
            }
        }
        segments(self.bytes) as u64
    }

    /// Zeroes the part of the last page that is not part of a write: the backend sees whole pages
    /// (XSA-403).
    #[inline]
    pub(super) fn wipe_behind(&mut self) {
        let page = self.bytes as usize / PAGE_SIZE;
        let start = self.bytes as usize % PAGE_SIZE;
        if start != 0 && self.used_bytes.max(self.filled_bytes) > self.bytes {
            if let Some(shared) = self.pages.get_mut(page) {
                shared.write(start, &ZEROES[start..]);
            }
            if let Some(private) = self.private.get_mut(page) {
                private.write(start, &ZEROES[start..]);
            }
        }
    }

    /// Zeroes the backend's side of the data of a request that has ended.
    pub(super) fn wipe(&mut self) {
        for page in &mut self.pages[..segments(self.bytes)] {
            page.write(0, &ZEROES);
        }
    }

    /// Notes that a request uses the pages up to `bytes`.
    #[inline(always)]
    pub(super) fn note_use(&mut self, bytes: u32) {
        if bytes > self.used_bytes {
            self.used_bytes = bytes;
        }
    }

    /// Notes that the pages may hold data up to `bytes` without a request.
    fn note_fill(&mut self, bytes: u32) {
        self.filled_bytes = self.filled_bytes.max(bytes);
    }

    /// Begins a window: what requests used until now is what they used before.
    pub(super) fn begin_window(&mut self) {
        self.note_fill(self.used_bytes);
        self.used_before_bytes = self.used_bytes;
        self.used_bytes = if self.is_in_flight() { self.bytes } else { 0 };
    }

    /// Returns the pages that requests of this window or the one before used, that of the segments
    /// included.
    pub(super) fn used_pages(&self) -> impl Iterator<Item = &SharedPage<'a>> {
        let count = segments(self.used_bytes.max(self.used_before_bytes));
        let indirect = self.indirect.iter().take(indirect_pages(count));
        self.pages.iter().take(count).chain(indirect)
    }

    /// Copies into the caller's side of the data, within one page.
    #[inline(always)]
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(!self.is_in_flight());
        let index = offset / PAGE_SIZE;
        match self.private.get_mut(index) {
            Some(private) => private.write(offset % PAGE_SIZE, bytes),
            None => self.pages[index].write(offset % PAGE_SIZE, bytes),
        }
        self.note_fill((offset + bytes.len()) as u32);
    }

    /// Puts `offset`, counted on, and `number` at the start of each sector of a write of `bytes`.
    #[inline(always)]
    pub(super) fn stamp(&mut self, bytes: u32, offset: u64, number: u64) {
        assert!(!self.is_in_flight());
        let stamps = Stamps { sectors: (bytes / SECTOR_SIZE) as usize, offset, number };
        if self.private.is_empty() {
            stamps.put(&mut self.pages[..segments(bytes)], SharedPage::write);
        } else {
            stamps.put(&mut self.private[..segments(bytes)], Page::write);
        }
        self.note_fill(bytes);
    }

    /// Puts `word` at the start of each sector on the backend's side of the data.
    pub(super) fn poison(&mut self, bytes: u32, word: [u8; 8]) {
        assert!(!self.is_in_flight());
        for offset in (0..bytes as usize).step_by(SECTOR_SIZE as usize) {
            self.pages[offset / PAGE_SIZE].write(offset % PAGE_SIZE, &word);
        }
        self.note_fill(bytes);
    }

    /// Copies out of the caller's side of the data, within one page.
    pub(super) fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(!self.is_in_flight());
        let index = offset / PAGE_SIZE;
        let page = self.private.get(index).unwrap_or_else(|| self.pages[index].page());
        page.read(offset % PAGE_SIZE, bytes);
    }
}

/// Marks that make the sectors of a write unlike all others.
struct Stamps {
    sectors: usize,
    /// Offset of the first, in bytes.
    offset: u64,
    /// Number of the write.
    number: u64,
}

impl Stamps {
    #[inline(always)]
    fn put<P>(self, pages: &mut [P], write: impl Fn(&mut P, usize, &[u8])) {
        let Self { mut sectors, mut offset, number } = self;
        for page in pages {
            for sector in 0..sectors.min(SECTORS_PER_PAGE as usize) {
                let mut stamp = [0; 16];
                stamp[..8].copy_from_slice(&offset.to_le_bytes());
                stamp[8..].copy_from_slice(&number.to_le_bytes());
                write(page, sector * SECTOR_SIZE as usize, &stamp);
                offset = offset.wrapping_add(SECTOR_SIZE.into());
            }
            sectors = sectors.saturating_sub(SECTORS_PER_PAGE as usize);
        }
    }
}

/// Returns the number of pages of `bytes` of data.
#[inline(always)]
fn segments(bytes: u32) -> usize {
    bytes.div_ceil(PAGE_SIZE as u32) as usize
}

/// Returns the segment of a page that is transferred whole.
fn whole(page: &SharedPage<'_>) -> Segment {
    Segment { gref: page.gref().0, first_sect: 0, last_sect: LAST_SECT, pad: 0 }
}

/// Returns the number of pages for the segments of a request that do not fit into it.
#[inline(always)]
pub(super) const fn indirect_pages(segments: usize) -> usize {
    if segments > MAX_SEGMENTS { segments.div_ceil(SEGMENTS_PER_INDIRECT_PAGE) } else { 0 }
}
