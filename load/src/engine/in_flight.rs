//! Requests in flight, by queue and slot, and the test for a backend that does not complete them.

use alloc::vec;
use alloc::vec::Vec;

use drivers::blkfront::{Counters, Operation, QueuePair, Slot};

use super::time::{NEVER, REQUEST_TIMEOUT_NS, TICK_NS};

/// Number of times that all slots of its queue may overtake a request before it counts as starved.
const OVERTAKEN_MAX: u64 = 4;

/// Bytes of a table for each slot.
pub(super) const SLOT_BYTES: usize = size_of::<Option<InFlight>>() + size_of::<Age>();

/// Facts about an I/O, or about a request that is part of one, that its completion needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) job_index: u32,
    pub(super) operation: Operation,
    pub(super) bytes: u32,
    /// Offset of the I/O, as of its place.
    pub(super) offset: u64,
    pub(super) start_ns: u64,
}

impl InFlight {
    /// Returns the flush that is a part of this write; only such a flush has bytes.
    pub(super) fn as_flush(self) -> Self {
        Self { operation: Operation::Flush, ..self }
    }

    /// Returns the I/O that it is, or is a part of.
    pub(super) fn whole(self) -> Self {
        match self.operation {
            Operation::Flush if self.bytes != 0 => Self { operation: Operation::Write, ..self },
            _ => self,
        }
    }

    /// Returns whether the two count alike, but for their latencies, if they end at the same time.
    #[inline(always)]
    pub(super) fn counts_like(&self, other: &Self) -> bool {
        let Self { job_index, operation, bytes, .. } = *self;
        job_index == other.job_index && bytes == other.bytes && operation == other.operation
    }
}

/// Requests in flight on one queue.
#[derive(Debug)]
pub(super) struct InFlightTable {
    /// Requests, by slot.
    ios: Vec<Option<InFlight>>,
    /// Time at which the backend last completed one, or the first was issued.
    pub(super) progress_ns: u64,
    /// Duration of its silence, as far as looks show.
    silent: Age,
    /// Time that each slot's request was in flight, as far as looks show.
    ages: Vec<Age>,
    /// Time of the last look.
    looked_ns: u64,
    /// Time at which the read or write that was oldest at the last look was issued.
    oldest_ns: u64,
    /// Number of requests completed when that one first became the oldest.
    completed_before: u64,
}

/// Duration of something, measured by looks. A guest may lose its processor between any two of
/// them, and a backend's work meanwhile shows only at the next pass: so at most one tick counts
/// between two looks, and what a look finds too old is given up at the next look, with a pass
/// between.
#[derive(Clone, Copy, Debug, Default)]
struct Age {
    since_ns: u64,
    ns: u64,
}

impl Age {
    /// Looks at something that lasts since `since_ns`; returns how old it was at the last look, in
    /// nanoseconds.
    fn look(&mut self, since_ns: u64, looked_ns: u64, now_ns: u64) -> u64 {
        if self.since_ns != since_ns {
            *self = Self { since_ns, ns: 0 };
        }
        let before_ns = self.ns;
        self.ns += now_ns.saturating_sub(looked_ns.max(since_ns)).min(TICK_NS);
        before_ns
    }
}

/// Ways in which a backend fails to complete requests.
pub(super) enum Stall {
    /// Completed nothing at all for [`REQUEST_TIMEOUT_NS`].
    Silent,
    /// Left this number of requests incomplete, for as long, while it completed others.
    Starved(u32),
}

impl InFlightTable {
    pub(super) fn new(queue: &QueuePair<'_>) -> Self {
        Self::with_slots(queue.slots())
    }

    pub(super) fn with_slots(slots: usize) -> Self {
        Self {
            ios: vec![None; slots],
            progress_ns: 0,
            silent: Age::default(),
            ages: vec![Age::default(); slots],
            looked_ns: 0,
            oldest_ns: NEVER,
            completed_before: 0,
        }
    }

    /// Returns the request in flight in a slot.
    ///
    /// # Panics
    /// If there is none, which is a bug: the queue has checked the id.
    #[inline(always)]
    pub(super) fn get(&self, slot: &Slot) -> &InFlight {
        self.ios[slot.index()].as_ref().expect("the queue checked the id")
    }

    /// Notes that a request is in flight in a slot.
    #[inline(always)]
    pub(super) fn begin(&mut self, slot: &Slot, io: InFlight) {
        self.ios[slot.index()] = Some(io);
    }

    /// Returns the request in flight in a slot, which has ended.
    ///
    /// # Panics
    /// As [`get`](Self::get).
    pub(super) fn end(&mut self, slot: &Slot) -> InFlight {
        self.ios[slot.index()].take().expect("the queue checked the id")
    }

    /// Returns the table of a queue whose slots all have one of these requests in flight.
    #[cfg(test)]
    pub(super) fn of(ios: impl Iterator<Item = InFlight>) -> Self {
        let ios: Vec<_> = ios.map(Some).collect();
        Self { ios: ios.clone(), ..Self::with_slots(ios.len()) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &InFlight> {
        self.ios.iter().flatten()
    }

    /// Returns how `queue`, whose requests these are, stalls, if it is to be given up now. Called
    /// now and then.
    ///
    /// Age alone does not show that a request is starved: on a slow disk with a deep queue each may
    /// wait for longer than any limit. But then few overtake it: at most all others of the queue
    /// where they are served in order, and about twice as many where a disk's arm or an elevator
    /// sorts them. So it takes both, the age and [`OVERTAKEN_MAX`], and others must still complete.
    /// A flush is as slow as what it commits, and a discard as what it frees; those count only when
    /// nothing completes.
    #[cold]
    pub(super) fn stall(&mut self, queue: &QueuePair<'_>, now_ns: u64) -> Option<Stall> {
        let looked_ns = core::mem::replace(&mut self.looked_ns, now_ns);
        let outstanding = queue.outstanding();
        let silent_ns = self.silent.look(self.progress_ns, looked_ns, now_ns);
        let moves_data = |io: &InFlight| matches!(io.operation, Operation::Read | Operation::Write);
        let (mut oldest_ns, mut old) = (None, 0);
        for (io, age) in self.ios.iter().zip(&mut self.ages) {
            if let Some(io) = io.as_ref().filter(|io| moves_data(io)) {
                oldest_ns = Some(oldest_ns.unwrap_or(NEVER).min(io.start_ns));
                let age_ns = age.look(io.start_ns, looked_ns, now_ns);
                old += u32::from(age_ns >= REQUEST_TIMEOUT_NS);
            }
        }
        if outstanding != 0 && silent_ns >= REQUEST_TIMEOUT_NS {
            return Some(Stall::Silent);
        }
        let oldest_ns = oldest_ns?;
        let completed = requests(&queue.counters()) - u64::from(outstanding);
        if self.oldest_ns != oldest_ns {
            (self.oldest_ns, self.completed_before) = (oldest_ns, completed);
        }
        let past = completed - self.completed_before;
        let goes_on = now_ns.saturating_sub(self.progress_ns) < TICK_NS;
        let leaves_out = goes_on && past >= OVERTAKEN_MAX * self.ios.len() as u64;
        (old != 0 && leaves_out).then_some(Stall::Starved(old))
    }
}

/// Returns the number of requests of all kinds.
pub(super) fn requests(put: &Counters) -> u64 {
    put.reads + put.writes + put.flushes + put.discards
}

/// Requests that a job has in flight.
pub(super) struct JobInFlight<'e> {
    /// Requests in flight of all jobs, by disk and queue.
    pub(super) all: &'e [Vec<InFlightTable>],
    /// Number of the job.
    pub(super) job_index: u32,
    /// Whether each disk has room for another I/O; `None` if all have.
    pub(super) room: Option<&'e dyn Fn(usize) -> bool>,
}

impl JobInFlight<'_> {
    /// Returns whether a disk has room for another I/O of the job.
    pub(super) fn has_room(&self, disk: usize) -> bool {
        self.room.is_none_or(|room| room(disk))
    }

    pub(super) fn on(&self, disk: usize) -> impl Iterator<Item = &InFlight> {
        let ios = self.all[disk].iter().flat_map(InFlightTable::iter);
        ios.filter(|io| io.job_index == self.job_index)
    }
}
