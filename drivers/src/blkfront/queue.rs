//! The data path: a queue pair, owned by one loop.
//!
//! Slot = request id = pages = grants = entry of arrays that are made at connect. A [`Slot`] is a
//! token that can't be copied: submitting consumes it and its completion returns it, so nobody
//! touches pages that the backend may be using, and the ring can't be full. Nothing here
//! allocates, and in the persistent modes nothing touches the grant table.
//!
//! The backend is not trusted: a response must carry the id of a request in flight, with the
//! generation of that very request, and its operation. Anything else is [`Broken`], for good.

use alloc::vec::Vec;
use core::fmt;

use xen_abi::blkif::{
    self, MAX_SEGMENTS, RSP_EOPNOTSUPP, RSP_OKAY, Request, Response, SECTOR_SIZE, SECTORS_PER_PAGE,
    Segment,
};
use xen_abi::{DomId, PAGE_SIZE, Port};

use super::{DiskInfo, GrantMode, Vdev};
use crate::grant::Grant;
use crate::hypervisor::{Access, Hypervisor};
use crate::page::Page;
use crate::ring::{FrontRing, Overrun};

/// For the part of a page that a request does not use.
static ZEROES: [u8; PAGE_SIZE] = [0; PAGE_SIZE];

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// From the disk into the slot's pages.
    Read,
    /// From the slot's pages to the disk.
    Write,
    /// Commit the backend's volatile cache.
    Flush,
}

impl Operation {
    const fn code(self) -> u8 {
        match self {
            Self::Read => blkif::OP_READ,
            Self::Write => blkif::OP_WRITE,
            Self::Flush => blkif::OP_FLUSH_DISKCACHE,
        }
    }
}

/// The right to have one request in flight.
#[derive(Debug, PartialEq, Eq)]
pub struct Slot(u8);

impl Slot {
    /// Its number, from 0 on, to keep things of one's own beside it.
    pub fn index(&self) -> usize {
        usize::from(self.0)
    }
}

/// Why one request failed; the device goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoError {
    /// The backend does not do this operation.
    NotSupported,
    /// The backend failed; the status of its response.
    Failed(i16),
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str("operation not supported by the backend"),
            Self::Failed(status) => write!(f, "backend failed the request (status {status})"),
        }
    }
}

/// Why the device can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// More responses than requests.
    Overrun(Overrun),
    /// A response with an id that is not in flight.
    ForeignId(u64),
    /// A response to another operation than was asked for.
    ForeignOperation {
        /// What was asked for.
        asked: u8,
        /// What was answered.
        answered: u8,
    },
    /// A grant that the backend kept mapped although it must not.
    StillMapped,
    /// The event channel is gone.
    EventChannel(xen_abi::Errno),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overrun(overrun) => write!(f, "backend broke the ring: {overrun}"),
            Self::ForeignId(id) => write!(f, "backend answered id {id:#x}, which is not in flight"),
            Self::ForeignOperation { asked, answered } => {
                write!(f, "backend answered operation {answered} to operation {asked}")
            }
            Self::StillMapped => f.write_str("backend kept a page mapped after its request"),
            Self::EventChannel(errno) => write!(f, "event channel can't be used: {errno}"),
        }
    }
}

impl core::error::Error for Broken {}

/// The end of a request.
#[derive(Debug)]
pub struct Completion {
    /// Free again; a read's data can be had with it.
    pub slot: Slot,
    /// How it went.
    pub result: Result<(), IoError>,
}

/// What the queue pair did, since connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Read requests put on the ring.
    pub reads: u64,
    /// Write requests put on the ring.
    pub writes: u64,
    /// Flush requests put on the ring.
    pub flushes: u64,
    /// Events sent to the backend.
    pub notifications: u64,
    /// Events received from the backend.
    pub events: u64,
    /// Grants made, those of connect included.
    pub grants: u64,
    /// Pages copied between granted and private memory.
    pub copies: u64,
}

/// An id that no request has: it names no slot.
const NOT_IN_FLIGHT: u64 = u64::MAX;

/// All that belongs to one slot.
#[derive(Debug)]
pub(super) struct SlotState<'a> {
    /// The shadow of the request; its grefs never change. Its id is [`NOT_IN_FLIGHT`] between two
    /// requests.
    request: Request,
    generation: u32,
    /// Bytes from the start of the pages that may hold something of earlier requests.
    used_bytes: u32,
    pub(super) pages: Vec<(Page, Grant<'a>)>,
    /// In [`GrantMode::PersistentCopy`], the caller's side of the data.
    pub(super) private: Vec<Page>,
}

/// A VBD's ring with its slots.
#[derive(Debug)]
pub struct QueuePair<'a, H> {
    hypervisor: &'a H,
    ring: FrontRing,
    port: Port,
    backend: DomId,
    grants: GrantMode,
    sectors: u64,
    slots: Vec<SlotState<'a>>,
    free: Vec<Slot>,
    counters: Counters,
    broken: Option<Broken>,
}

/// What a queue pair leaves when it ends: everything that the backend may still reach.
#[derive(Debug)]
pub(super) struct Remains<'a> {
    pub(super) ring: Page,
    pub(super) slots: Vec<SlotState<'a>>,
}

impl<'a> SlotState<'a> {
    /// A slot over pages whose grants are reserved.
    pub(super) fn new(vdev: Vdev, pages: Vec<(Page, Grant<'a>)>, private: Vec<Page>) -> Self {
        let mut seg = [Segment::default(); MAX_SEGMENTS];
        for (segment, (_, grant)) in seg.iter_mut().zip(&pages) {
            segment.gref = grant.gref().0;
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
        Self { request, generation: 0, used_bytes: 0, pages, private }
    }

    fn is_in_flight(&self) -> bool {
        self.request.id != NOT_IN_FLIGHT
    }

    /// Copies the request's data between its two homes; answers how many pages that touched.
    fn copy(&mut self, operation: Operation) -> u64 {
        let segments = &self.request.seg[..usize::from(self.request.nr_segments)];
        for ((segment, (shared, _)), private) in
            segments.iter().zip(&mut self.pages).zip(&mut self.private)
        {
            let bytes = (usize::from(segment.last_sect) + 1) * SECTOR_SIZE as usize;
            match operation {
                Operation::Read => private.copy_from(shared, bytes),
                _ => shared.copy_from(private, bytes),
            }
        }
        segments.len() as u64
    }

    /// Takes out of the last page what is not part of a write of `bytes`: the backend sees whole
    /// pages (XSA-403).
    fn wipe_behind(&mut self, bytes: u32) {
        let page = bytes as usize / PAGE_SIZE;
        let start = bytes as usize % PAGE_SIZE;
        if start != 0 && self.used_bytes > bytes {
            for page in self
                .pages
                .get_mut(page)
                .map(|(page, _)| page)
                .into_iter()
                .chain(self.private.get_mut(page))
            {
                page.write(start, &ZEROES[start..]);
            }
        }
    }

    fn data_page(&self, index: usize) -> &Page {
        if self.private.is_empty() { &self.pages[index].0 } else { &self.private[index] }
    }

    fn data_page_mut(&mut self, index: usize) -> &mut Page {
        if self.private.is_empty() { &mut self.pages[index].0 } else { &mut self.private[index] }
    }
}

impl<'a, H: Hypervisor> QueuePair<'a, H> {
    /// A queue pair over a ring that the backend knows; in the persistent modes all grants are
    /// permitted now.
    pub(super) fn new(
        hypervisor: &'a H,
        ring: FrontRing,
        port: Port,
        backend: DomId,
        grants: GrantMode,
        mut slots: Vec<SlotState<'a>>,
    ) -> Self {
        let mut counters = Counters::default();
        if grants.is_persistent() {
            for (page, grant) in slots.iter_mut().flat_map(|slot| &mut slot.pages) {
                grant.permit(backend, page.gfn(), Access::ReadWrite);
                counters.grants += 1;
            }
        }
        let free = (0..slots.len() as u8).rev().map(Slot).collect();
        Self {
            hypervisor,
            ring,
            port,
            backend,
            grants,
            sectors: 0,
            slots,
            free,
            counters,
            broken: None,
        }
    }

    /// Opens the queue for I/O on a disk of this size.
    pub(super) fn open(&mut self, info: &DiskInfo) {
        self.sectors = info.sectors;
    }

    pub(super) fn port(&self) -> Port {
        self.port
    }

    pub(super) fn into_remains(self) -> Remains<'a> {
        Remains { ring: self.ring.into_page(), slots: self.slots }
    }

    /// What was done since connect.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Requests in flight, or put and not yet published.
    pub fn outstanding(&self) -> u32 {
        self.ring.outstanding()
    }

    /// Why the device can't be used any more, if so.
    pub fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// A free slot; `None` while all are in flight or handed out.
    pub fn acquire(&mut self) -> Option<Slot> {
        self.free.pop()
    }

    /// Takes a slot back.
    pub fn release(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    /// Puts a request on the ring; the backend sees it after [`kick`](Self::kick).
    ///
    /// `sector` is in units of 512 bytes; `bytes` is a multiple of 512 and at most what the slot's
    /// pages hold (0 for a flush). What a write does not use of its last page is zeroed.
    ///
    /// # Panics
    /// When the range is beyond the disk or the slot, which is a bug of the caller.
    #[inline]
    pub fn submit(&mut self, slot: Slot, operation: Operation, sector: u64, bytes: u32) {
        let state = &mut self.slots[slot.index()];
        let sectors = bytes / SECTOR_SIZE;
        let segments = sectors.div_ceil(SECTORS_PER_PAGE) as usize;
        let end = sector.checked_add(sectors.into());
        assert!(!state.is_in_flight() && bytes.is_multiple_of(SECTOR_SIZE));
        assert!(end.is_some_and(|end| end <= self.sectors));
        assert!(segments <= state.pages.len() && (bytes == 0) == (operation == Operation::Flush));

        state.generation = state.generation.wrapping_add(1);
        let request = &mut state.request;
        request.operation = operation.code();
        request.nr_segments = segments as u8;
        request.id = u64::from(state.generation) << 32 | u64::from(slot.0);
        request.sector_number = sector;
        if let Some((last, whole)) = request.seg[..segments].split_last_mut() {
            last.last_sect = ((sectors - 1) % SECTORS_PER_PAGE) as u8;
            for segment in whole {
                segment.last_sect = SECTORS_PER_PAGE as u8 - 1;
            }
        }
        if operation == Operation::Write {
            state.wipe_behind(bytes);
        }
        state.used_bytes = state.used_bytes.max(bytes);

        match self.grants {
            GrantMode::Persistent => {}
            GrantMode::PersistentCopy => {
                if operation == Operation::Write {
                    self.counters.copies += state.copy(operation);
                }
            }
            GrantMode::PerRequest => {
                let access = match operation {
                    Operation::Write => Access::ReadOnly,
                    _ => Access::ReadWrite,
                };
                for (page, grant) in &mut state.pages[..segments] {
                    grant.permit(self.backend, page.gfn(), access);
                }
                self.counters.grants += segments as u64;
            }
        }
        match operation {
            Operation::Read => self.counters.reads += 1,
            Operation::Write => self.counters.writes += 1,
            Operation::Flush => self.counters.flushes += 1,
        }
        self.ring.put(&state.request);
    }

    /// Shows all submitted requests to the backend, with at most one event.
    ///
    /// # Errors
    /// [`Broken`], when the event can't be sent.
    #[inline]
    pub fn kick(&mut self) -> Result<(), Broken> {
        if self.ring.publish() {
            self.counters.notifications += 1;
            self.hypervisor
                .evtchn_send(self.port)
                .map_err(|errno| self.fail(Broken::EventChannel(errno)))?;
        }
        Ok(())
    }

    /// The next completed request, if there is one; reads shared memory only.
    ///
    /// # Errors
    /// [`Broken`]: the backend lied. No request will complete any more.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Completion>, Broken> {
        match self.ring.take() {
            Ok(Some(response)) => {
                self.complete(response).map(Some).map_err(|broken| self.fail(broken))
            }
            Ok(None) => self.broken.map_or(Ok(None), Err),
            Err(overrun) => Err(self.fail(Broken::Overrun(overrun))),
        }
    }

    #[inline(always)]
    fn complete(&mut self, response: Response) -> Result<Completion, Broken> {
        let foreign = Broken::ForeignId(response.id);
        let number = response.id as u8;
        let state = self.slots.get_mut(usize::from(number)).ok_or(foreign)?;
        if state.request.id != response.id {
            return Err(foreign);
        }
        let asked = state.request.operation;
        if response.operation != asked {
            return Err(Broken::ForeignOperation { asked, answered: response.operation });
        }
        state.request.id = NOT_IN_FLIGHT;
        match self.grants {
            GrantMode::Persistent => {}
            GrantMode::PersistentCopy => {
                if asked == blkif::OP_READ {
                    self.counters.copies += state.copy(Operation::Read);
                }
            }
            GrantMode::PerRequest => {
                for (_, grant) in &mut state.pages[..usize::from(state.request.nr_segments)] {
                    grant.revoke().map_err(|_| Broken::StillMapped)?;
                }
            }
        }
        let result = match response.status {
            RSP_OKAY => Ok(()),
            RSP_EOPNOTSUPP => Err(IoError::NotSupported),
            status => Err(IoError::Failed(status)),
        };
        Ok(Completion { slot: Slot(number), result })
    }

    /// Asks for an event at the next completion, and says whether there is work already, in which
    /// case the caller must not sleep. Second step of [`Hypervisor`]'s way of waiting.
    pub fn arm(&mut self) -> bool {
        if self.hypervisor.take_event(self.port) {
            self.counters.events += 1;
        }
        self.ring.arm()
    }

    /// Copies `bytes` into the slot's data at `offset`, for a write.
    ///
    /// # Panics
    /// When they do not fit, or cross a page.
    pub fn write_data(&mut self, slot: &Slot, offset: usize, bytes: &[u8]) {
        let state = &mut self.slots[slot.index()];
        assert!(!state.is_in_flight());
        state.data_page_mut(offset / PAGE_SIZE).write(offset % PAGE_SIZE, bytes);
    }

    /// Copies the slot's data from `offset` on, after a read.
    ///
    /// # Panics
    /// When the range is beyond the slot's pages, or crosses a page.
    pub fn read_data(&self, slot: &Slot, offset: usize, bytes: &mut [u8]) {
        let state = &self.slots[slot.index()];
        assert!(!state.is_in_flight());
        state.data_page(offset / PAGE_SIZE).read(offset % PAGE_SIZE, bytes);
    }

    /// Nothing completes any more.
    #[cold]
    fn fail(&mut self, broken: Broken) -> Broken {
        self.ring.close();
        *self.broken.get_or_insert(broken)
    }
}
