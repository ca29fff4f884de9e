//! The data path: a queue pair, owned by one loop.
//!
//! It holds nothing of a vCPU, so the loop that has it may run on any; the two steps that need one
//! ([`kick`](QueuePair::kick), [`arm`](QueuePair::arm)) are lent it.
//!
//! Slot = request id = pages = grants = entry of arrays that are made at connect. A [`Slot`] is a
//! token that can't be copied and is of use to its own queue alone: submitting consumes it and its
//! completion returns it, so nobody touches pages that the backend may be using. No more slots have
//! the right to a request than the ring has entries, so it can't be full; the others are [`Held`]
//! or spare. Nothing here allocates, and in the persistent modes nothing touches the grant table.
//!
//! The backend is not trusted: a response must carry the id of a request in flight, with the
//! queue and generation of that very request, and its operation. Anything else is [`Broken`], for
//! good: from then on the backend is shown nothing more, no request and no grant.

use alloc::vec::Vec;

use xen_abi::blkif::{OP_READ, RSP_EOPNOTSUPP, RSP_OKAY, Response, SECTOR_SIZE};
use xen_abi::{DomId, Errno, GrantRef, PAGE_SIZE, Port};

use super::fit::Fit;
use super::resources::Resources;
use super::slot::{Held, Operation, Slot, SlotState};
use super::storm::Storm;
use super::{Broken, DiskInfo, Flush, GrantMode, IoError};
use crate::grant::{Access, Grant};
use crate::hypervisor::Hypervisor;
use crate::ring::FrontRing;
use crate::vcpu::Vcpu;

/// Longest sleep while completions may come without an event, in nanoseconds.
const BEHIND_NS_MAX: u64 = 100_000_000;

/// A request that has ended.
#[derive(Debug)]
pub struct Completion {
    /// Slot of the request, free again; a read's data is read through it.
    pub slot: Slot,
    /// Outcome of the request.
    pub result: Result<(), IoError>,
}

/// Counts of what the queue pair did since connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Read requests put on the ring.
    pub reads: u64,
    /// Write requests put on the ring.
    pub writes: u64,
    /// Flush requests put on the ring, barriers among them.
    pub flushes: u64,
    /// Discard requests put on the ring.
    pub discards: u64,
    /// Events sent to the backend.
    pub notifications: u64,
    /// Events received from the backend.
    pub events: u64,
    /// Grants made, those of connect included.
    pub grants: u64,
    /// Pages copied between granted and private memory.
    pub copies: u64,
}

/// Pages that stay granted between requests, counted while nothing was in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PagesKept {
    /// Pages that requests used lately; a backend has no reason to map any other.
    pub used: u32,
    /// Pages among them that the backend had mapped although no request used them.
    pub kept: u32,
}

/// A ring of a VBD with its slots.
#[derive(Debug)]
pub struct QueuePair<'a> {
    ring: FrontRing<'a>,
    port: Port,
    /// Base of the numbers of its slots.
    base: u32,
    backend: DomId,
    grants: GrantMode,
    /// Flag: data is copied between the granted pages and private ones.
    copies: bool,
    /// Flag: the granted pages hold nothing but the data of requests in flight.
    bounces: bool,
    sectors: u64,
    /// Most bytes of a read or write: what the backend takes and the slots hold; 0 once broken.
    bytes_max: u32,
    flush: Flush,
    slots: Vec<SlotState<'a>>,
    /// Slots that are free for requests.
    free: Vec<Slot>,
    /// Slots that are free but beyond the ring's entries.
    spare: Vec<Slot>,
    /// Number of held slots whose right to a request no spare one took over.
    unused_rights: usize,
    counters: Counters,
    storm: Storm,
    /// Responses taken when events were last asked for.
    taken_when_armed: u32,
    /// Completions for which an event is asked.
    event_after: u32,
    broken: Option<Broken>,
    /// The rest of its last line of the grant table.
    unused_grants: Vec<Grant<'a>>,
}

// A queue pair may be handed to another vCPU.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<QueuePair<'static>>();
};

impl<'a> QueuePair<'a> {
    /// Makes a queue pair that is still to be announced to the backend, which may reach the ring
    /// from now on, and in the persistent modes all pages of the slots.
    pub(super) fn new(resources: Resources<'a>, backend: DomId, fit: &Fit) -> Self {
        let Fit { grants, bounces, .. } = *fit;
        let Resources { mut ring, mut slots, unused, port, base } = resources;
        ring.permit(backend, Access::ReadWrite);
        let ring = FrontRing::new(ring);
        let mut counters = Counters::default();
        if grants.is_persistent() {
            counters.grants = slots.iter_mut().map(|slot| slot.permit_for_good(backend)).sum();
        }
        let slot = |number: usize| Slot::new(base, number as u16);
        let with_entry = slots.len().min(ring.entries() as usize);
        let free = (0..with_entry).rev().map(slot).collect();
        let mut spare = Vec::with_capacity(slots.len());
        spare.extend((with_entry..slots.len()).map(slot));
        Self {
            ring,
            port,
            base,
            backend,
            grants,
            copies: fit.private_pages_per_slot() != 0,
            bounces,
            sectors: 0,
            bytes_max: 0,
            flush: Flush::Cache,
            slots,
            free,
            spare,
            unused_rights: 0,
            counters,
            storm: Storm::default(),
            taken_when_armed: 0,
            event_after: 1,
            broken: None,
            unused_grants: unused,
        }
    }

    /// Opens the queue for I/O on this disk.
    pub(super) fn open(&mut self, info: &DiskInfo) {
        let pages = self.slots.first().map_or(0, |slot| slot.pages.len());
        self.sectors = info.sectors;
        self.flush = info.flush.unwrap_or(Flush::Cache);
        self.bytes_max = info.request_bytes_max.min((pages * PAGE_SIZE) as u32);
    }

    /// Returns the base of the numbers of its slots, which no other queue has.
    pub(super) fn base(&self) -> u32 {
        self.base
    }

    /// Returns the port of its event channel.
    pub fn port(&self) -> Port {
        self.port
    }

    /// Delivers the backend's events to `vcpu`, which is to run the loop that owns the queue;
    /// before that they come to vCPU 0. To be called before that loop first sleeps.
    ///
    /// # Errors
    /// As [`Hypervisor::evtchn_bind_vcpu`]; then they come where they came before.
    pub fn bind<H: Hypervisor>(&self, hypervisor: &H, vcpu: u32) -> Result<(), Errno> {
        hypervisor.evtchn_bind_vcpu(self.port, vcpu)
    }

    /// Returns the grefs of the ring's pages, in order.
    pub(super) fn ring_grefs(&self) -> impl Iterator<Item = GrantRef> {
        self.ring.pages().grefs()
    }

    /// Returns what it was made of; the backend may still have all of it mapped.
    pub(super) fn into_resources(self) -> Resources<'a> {
        let Self { ring, slots, unused_grants: unused, port, base, .. } = self;
        Resources { ring: ring.into_run(), slots, unused, port, base }
    }

    /// Returns the counts since connect.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Returns the number of slots, held and spare ones included.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Returns how many requests can be in flight at once.
    pub fn depth(&self) -> usize {
        self.slots.len().min(self.ring.entries() as usize)
    }

    /// Returns the most bytes of a read or write; 0 on a [`Broken`] device.
    pub fn request_bytes_max(&self) -> u32 {
        self.bytes_max
    }

    /// Returns whether [`acquire`](Self::acquire) returns a slot now.
    pub fn has_free_slot(&self) -> bool {
        !self.free.is_empty()
    }

    /// Returns the number of requests in flight, or put and not yet published.
    #[inline]
    pub fn outstanding(&self) -> u32 {
        self.ring.outstanding()
    }

    /// Returns why the device can't be used any more, if so.
    pub fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// Takes a free slot; `None` while all slots, or all entries of the ring, are in flight or
    /// handed out.
    #[inline]
    pub fn acquire(&mut self) -> Option<Slot> {
        self.free.pop()
    }

    /// Takes a slot back.
    ///
    /// # Panics
    /// When it is another queue's, which is a bug of the caller.
    #[inline]
    pub fn release(&mut self, slot: Slot) {
        self.index(&slot);
        self.free.push(slot);
    }

    /// Keeps a slot for its data: its right to a request passes on to a spare one, if there is any.
    ///
    /// # Panics
    /// When it is another queue's, which is a bug of the caller.
    pub fn hold(&mut self, slot: Slot) -> Held {
        self.index(&slot);
        match self.spare.pop() {
            Some(other) => self.free.push(other),
            None => self.unused_rights += 1,
        }
        Held(slot)
    }

    /// Takes a held slot back.
    ///
    /// # Panics
    /// As [`hold`](Self::hold).
    pub fn release_held(&mut self, Held(slot): Held) {
        self.index(&slot);
        match self.unused_rights.checked_sub(1) {
            Some(left) => {
                self.unused_rights = left;
                self.free.push(slot);
            }
            None => self.spare.push(slot),
        }
    }

    /// Gives a held slot the right to a request.
    ///
    /// # Errors
    /// Returns the slot as it was while no entry of the ring is free.
    ///
    /// # Panics
    /// As [`hold`](Self::hold).
    pub fn resume(&mut self, held: Held) -> Result<Slot, Held> {
        self.index(&held.0);
        if let Some(left) = self.unused_rights.checked_sub(1) {
            self.unused_rights = left;
        } else {
            let Some(other) = self.free.pop() else { return Err(held) };
            self.spare.push(other);
        }
        Ok(held.0)
    }

    /// Returns the place of a slot of this queue among its slots.
    #[inline(always)]
    fn index(&self, slot: &Slot) -> usize {
        let index = slot.index_from(self.base);
        assert!(index < self.slots.len(), "a slot of another queue");
        index
    }

    /// Puts a request on the ring; the backend sees it after [`kick`](Self::kick).
    ///
    /// `sector` is in units of 512 bytes; `bytes` is a multiple of 512: for a flush 0, for a read
    /// or write at most what the slot's pages hold and what the backend takes
    /// ([`DiskInfo::request_bytes_max`]). What a write does not use of its last page is zeroed.
    ///
    /// Once the device is [`Broken`], nothing is put, and the slot is lost like those in flight.
    ///
    /// # Panics
    /// When the range is beyond the disk, the slot or the backend's limit, or the slot is another
    /// queue's, which is a bug of the caller.
    #[inline(always)]
    pub fn submit(&mut self, slot: Slot, operation: Operation, sector: u64, bytes: u32) {
        let sectors = u64::from(bytes / SECTOR_SIZE);
        let end = sector.checked_add(sectors);
        assert!(bytes.is_multiple_of(SECTOR_SIZE) && end.is_some_and(|end| end <= self.sectors));
        assert!((bytes == 0) == (operation == Operation::Flush));
        if !matches!(operation, Operation::Read | Operation::Write) {
            return self.submit_other(&slot, operation, sector, sectors);
        }
        let index = self.index(&slot);
        if bytes > self.bytes_max {
            return self.refuse(bytes);
        }
        let state = &mut self.slots[index];
        state.begin(operation, sector, bytes);
        if operation == Operation::Write {
            self.counters.writes += 1;
            state.wipe_behind();
            if self.copies {
                self.counters.copies += state.copy_out();
            }
        } else {
            self.counters.reads += 1;
        }
        state.note_use(bytes);
        if self.grants == GrantMode::PerRequest {
            self.counters.grants += state.permit(self.backend, bytes);
        }
        state.put_data(&mut self.ring, bytes);
    }

    /// Puts a request without data on the ring, as [`submit`](Self::submit) does.
    fn submit_other(&mut self, slot: &Slot, operation: Operation, sector: u64, sectors: u64) {
        let index = self.index(slot);
        if self.broken.is_some() {
            return;
        }
        let state = &mut self.slots[index];
        state.begin(operation, sector, 0);
        if operation == Operation::Flush {
            self.counters.flushes += 1;
            state.put_flush(&mut self.ring, self.flush);
        } else {
            self.counters.discards += 1;
            let secure = operation == Operation::SecureDiscard;
            state.put_discard(&mut self.ring, sectors, secure);
        }
    }

    /// Shows all submitted requests to the backend, with at most one event.
    ///
    /// # Errors
    /// [`Broken`], when the event can't be sent, or the device was broken before.
    #[inline]
    pub fn kick(&mut self, vcpu: &impl Vcpu) -> Result<(), Broken> {
        if !self.ring.has_unpublished() {
            return if self.broken.is_none() { Ok(()) } else { self.check_broken() };
        }
        if self.ring.publish() {
            self.counters.notifications += 1;
            vcpu.send(self.port).map_err(|errno| self.fail(Broken::EventChannel(errno)))?;
        }
        Ok(())
    }

    /// Returns the next completed request, if there is one; reads shared memory only.
    ///
    /// # Errors
    /// [`Broken`]: the backend lied. No request will complete any more.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Completion>, Broken> {
        match self.ring.take() {
            Ok(Some(response)) => {
                self.complete(response).map(Some).map_err(|broken| self.fail(broken))
            }
            Ok(None) if self.broken.is_none() => Ok(None),
            Ok(None) => self.check_broken().map(|()| None),
            Err(overrun) => Err(self.fail(Broken::Overrun(overrun))),
        }
    }

    /// Looks whether requests have completed; reads shared memory only. What it finds is what
    /// [`poll_seen`](Self::poll_seen) takes, however long that takes: so none of them completed
    /// after a clock that is read in between.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    #[inline]
    pub fn look(&mut self) -> Result<bool, Broken> {
        let found = self.ring.look().map_err(|overrun| self.fail(Broken::Overrun(overrun)))?;
        if !found && self.broken.is_some() {
            return self.check_broken().map(|()| false);
        }
        Ok(found)
    }

    /// Returns the next of the completed requests that the last [`look`](Self::look) found.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    #[inline(always)]
    pub fn poll_seen(&mut self) -> Result<Option<Completion>, Broken> {
        match self.ring.take_seen() {
            Some(response) => self.complete(response).map(Some).map_err(|broken| self.fail(broken)),
            None => Ok(None),
        }
    }

    #[inline(always)]
    fn complete(&mut self, response: Response) -> Result<Completion, Broken> {
        let foreign = Broken::ForeignId(response.id);
        let number = response.id as u16;
        let state = self.slots.get_mut(usize::from(number)).ok_or(foreign)?;
        if !state.has_id(response.id) {
            return Err(foreign);
        }
        let expected = state.expected_op();
        if response.operation != expected {
            return Err(Broken::ForeignOperation { expected, found: response.operation });
        }
        state.end();
        match self.grants {
            GrantMode::Persistent => {}
            GrantMode::PersistentCopy => {
                if expected == OP_READ {
                    self.counters.copies += state.copy_in();
                }
                if self.bounces {
                    state.wipe();
                }
            }
            // Once: a backend that copies instead of mapping (QEMU, tapdisk) pins pages for
            // moments, but none that keeps to the protocol does so after its response.
            GrantMode::PerRequest => {
                state.revoke().map_err(|_| Broken::StillMapped)?;
                if self.bounces {
                    self.counters.copies += if expected == OP_READ { state.copy_in() } else { 0 };
                    state.wipe();
                }
            }
        }
        let result = if response.status == RSP_OKAY { Ok(()) } else { failed(response.status) };
        Ok(Completion { slot: Slot::of_id(response.id), result })
    }

    /// Counts the pages that requests used in this window and the one before
    /// ([`begin_window`](Self::begin_window)), and those among them that the backend keeps mapped.
    /// `None` while it may have a request in flight, whose pages are mapped anyway, and where
    /// nothing stays granted.
    pub fn pages_kept(&self) -> Option<PagesKept> {
        if !self.grants.is_persistent() || self.broken.is_some() || self.outstanding() != 0 {
            return None;
        }
        let mut pages = PagesKept::default();
        for page in self.slots.iter().flat_map(SlotState::used_pages) {
            pages.used += 1;
            pages.kept += u32::from(page.is_mapped());
        }
        Some(pages)
    }

    /// Begins a window of use for [`pages_kept`](Self::pages_kept). A page that was not used for
    /// two windows is not counted: a backend may let go of what is idle, and no request is slower
    /// for it.
    pub fn begin_window(&mut self) {
        self.slots.iter_mut().for_each(SlotState::begin_window);
    }

    /// Sets after how many completions the backend sends an event, at least 1, which is how a queue
    /// begins. With fewer in flight it sends one after the last.
    pub fn set_event_after(&mut self, completions: u32) {
        self.event_after = completions.max(1);
    }

    /// Asks for an event at the next completion, or after [as many as are
    /// set](Self::set_event_after), and returns until when one may sleep, in nanoseconds of system
    /// time: [`u64::MAX`] unless the backend storms, or for some completions there is no event.
    /// `None`: there is work already, and the caller must not sleep. Second step of [`Vcpu`]'s way
    /// of waiting.
    pub fn arm(&mut self, vcpu: &impl Vcpu) -> Option<u64> {
        let progress = self.ring.taken() != self.taken_when_armed;
        if progress {
            self.taken_when_armed = self.ring.taken();
            self.storm.calm();
        }
        let now_ns = || vcpu.now_ns();
        let mut until_ns = self.storm.quiet_until_ns(now_ns);
        // In the quiet the event is left pending, which keeps the backend from raising another.
        let event = until_ns.is_none() && vcpu.take_event(self.port);
        self.counters.events += u64::from(event);
        if self.ring.arm(self.event_after) {
            return None;
        }
        if event && !progress {
            until_ns = self.storm.in_vain(now_ns);
        }
        let until_ns = until_ns.unwrap_or(u64::MAX);
        let is_ahead = self.event_after > 1 && self.outstanding() > 1;
        Some(if is_ahead { until_ns.min(now_ns().saturating_add(BEHIND_NS_MAX)) } else { until_ns })
    }

    /// Copies `bytes` into the slot's data at `offset`, for a write.
    ///
    /// # Panics
    /// When they do not fit, or cross a page, or the slot is another queue's.
    #[inline(always)]
    pub fn write_data(&mut self, slot: &Slot, offset: usize, bytes: &[u8]) {
        let index = self.index(slot);
        self.slots[index].write(offset, bytes);
    }

    /// Makes each sector of a write of `bytes` unlike all others: puts its offset, which begins
    /// with `offset`, and then `number` at its start, as 64 bits each, the low byte first.
    ///
    /// # Panics
    /// When that is beyond the slot's pages, or the slot is another queue's.
    #[inline(always)]
    pub fn stamp(&mut self, slot: &Slot, bytes: u32, offset: u64, number: u64) {
        let index = self.index(slot);
        self.slots[index].stamp(bytes, offset, number);
    }

    /// Puts `word` at the start of each sector that a read of `bytes` will fill, where the backend
    /// will put it: a sector that it leaves out then shows.
    ///
    /// # Panics
    /// When that is beyond the slot's pages, or the slot is another queue's.
    pub fn poison(&mut self, slot: &Slot, bytes: u32, word: [u8; 8]) {
        let index = self.index(slot);
        self.slots[index].poison(bytes, word);
    }

    /// Copies the slot's data from `offset` on, after a read.
    ///
    /// # Panics
    /// When the range is beyond the slot's pages, or crosses a page, or the slot is another
    /// queue's.
    pub fn read_data(&self, slot: &Slot, offset: usize, bytes: &mut [u8]) {
        self.slots[self.index(slot)].read(offset, bytes);
    }

    /// Fails if the device is broken.
    #[cold]
    #[inline]
    fn check_broken(&self) -> Result<(), Broken> {
        self.broken.map_or(Ok(()), Err)
    }

    /// Refuses a read or write of `bytes`: on a broken device silently.
    ///
    /// # Panics
    /// When the device is not broken, which is a bug of the caller.
    #[cold]
    #[inline]
    fn refuse(&self, bytes: u32) {
        assert!(self.broken.is_some(), "{bytes} bytes are more than {}", self.bytes_max);
    }

    /// Ends the queue: nothing completes any more, and nothing is shown to the backend. Returns the
    /// first reason.
    #[cold]
    #[inline]
    fn fail(&mut self, broken: Broken) -> Broken {
        self.ring.close();
        self.bytes_max = 0;
        *self.broken.get_or_insert(broken)
    }
}

#[cold]
fn failed(status: i16) -> Result<(), IoError> {
    Err(match status {
        RSP_EOPNOTSUPP => IoError::NotSupported,
        status => IoError::Failed(status),
    })
}
