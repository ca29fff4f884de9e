//! Requests in flight, by queue and slot, and when a backend that does not complete them is given
//! up.

use alloc::vec;
use alloc::vec::Vec;

use drivers::blkfront::{Counters, Operation, QueuePair};

use super::time::{NEVER, REQUEST_TIMEOUT_NS, TICK_NS};

/// How many times all of its queue's slots go past a request before it counts as left out.
const OVERTAKEN_MAX: u64 = 4;

/// What the completion of an I/O needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) job_index: u32,
    pub(super) operation: Operation,
    pub(super) bytes: u32,
    pub(super) offset: u64,
    pub(super) start_ns: u64,
}

/// Requests in flight on one queue.
#[derive(Debug)]
pub(super) struct InFlightTable {
    /// By slot.
    pub(super) ios: Vec<Option<InFlight>>,
    /// When the backend last completed one, or the first was put.
    pub(super) progress_ns: u64,
    /// How long it was silent, as far as looks show.
    silent: Age,
    /// By slot, how long its request was in flight, as far as looks show.
    ages: Vec<Age>,
    /// The clock at the last look.
    looked_ns: u64,
    /// When the read or write that was oldest at the last look was put.
    oldest_ns: u64,
    /// Requests that were completed when it was first the oldest.
    completed_before: u64,
}

/// How long something lasts, by looks. A guest may lose its processor between any two of them, and
/// what a backend did meanwhile shows only at the next pass: so no more than a tick counts between
/// two looks, and what a look finds too old is given up at the one after it, with a pass between.
#[derive(Clone, Copy, Debug, Default)]
struct Age {
    since_ns: u64,
    ns: u64,
}

impl Age {
    /// Looks at what lasts since `since_ns`; returns how old it was at the last look.
    fn look(&mut self, since_ns: u64, looked_ns: u64, now_ns: u64) -> u64 {
        if self.since_ns != since_ns {
            *self = Self { since_ns, ns: 0 };
        }
        let before_ns = self.ns;
        self.ns += now_ns.saturating_sub(looked_ns.max(since_ns)).min(TICK_NS);
        before_ns
    }
}

/// How a backend fails to complete requests.
pub(super) enum Stall {
    /// Anything at all, for [`REQUEST_TIMEOUT_NS`].
    Silent,
    /// So many requests, for as long, while it completed others.
    Starved(u32),
}

impl InFlightTable {
    pub(super) fn new(queue: &QueuePair<'_>) -> Self {
        Self {
            ios: vec![None; queue.slots()],
            progress_ns: 0,
            silent: Age::default(),
            ages: vec![Age::default(); queue.slots()],
            looked_ns: 0,
            oldest_ns: NEVER,
            completed_before: 0,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &InFlight> {
        self.ios.iter().flatten()
    }

    /// Whether `queue`, whose requests these are, is to be given up now. To be asked now and then.
    ///
    /// Age alone does not show that a request was left out: on a slow disk with a deep queue each
    /// may wait for longer than any limit. But then not many go past it: all others of the queue
    /// at most where they are served in order, and about twice as many where a disk's arm or an
    /// elevator sorts them. So it takes both, the age and [`OVERTAKEN_MAX`], and that others still
    /// are completed. A flush is as slow as what it commits, and a discard as what it frees; those
    /// count only when nothing moves.
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

/// Requests of all kinds.
pub(super) fn requests(put: &Counters) -> u64 {
    put.reads + put.writes + put.flushes + put.discards
}

/// What a job has in flight.
pub(super) struct JobInFlight<'e> {
    /// That of all jobs, by disk and queue.
    pub(super) all: &'e [Vec<InFlightTable>],
    /// The job's number.
    pub(super) job_index: u32,
}

impl JobInFlight<'_> {
    pub(super) fn on(&self, disk: usize) -> impl Iterator<Item = &InFlight> {
        let ios = self.all[disk].iter().flat_map(InFlightTable::iter);
        ios.filter(|io| io.job_index == self.job_index)
    }
}
