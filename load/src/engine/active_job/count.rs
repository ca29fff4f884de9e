//! Counts of I/Os that succeeded.

use drivers::blkfront::Operation;
use results::Done;

use super::{ActiveJob, Phase};
use crate::engine::group::Group;
use crate::engine::in_flight::InFlight;
use crate::engine::target::direction_of;

/// I/Os that ended at the same time, alike but for their blocks and the times of their start.
#[derive(Debug)]
pub(in crate::engine) struct Ended {
    operation: Operation,
    bytes: u32,
    now_ns: u64,
    ios: u32,
    /// Number of those whose latency counts.
    timed: u32,
    /// Sum of these latencies, in nanoseconds.
    latencies_ns: u64,
}

impl Ended {
    /// Returns none of those that end like `io` at `now_ns`.
    pub(in crate::engine) fn new(io: &InFlight, now_ns: u64) -> Self {
        let InFlight { operation, bytes, .. } = *io;
        Self { operation, bytes, now_ns, ios: 0, timed: 0, latencies_ns: 0 }
    }
}

impl ActiveJob {
    /// Counts an I/O that succeeded.
    pub(in crate::engine) fn count(
        &mut self,
        io: &InFlight,
        now_ns: u64,
        group: Option<&mut Group>,
    ) {
        if self.phase == Phase::EndFlush {
            // As in fio, it takes its time and is no I/O.
            return self.timeline.note_end_flush();
        }
        let mut ended = Ended::new(io, now_ns);
        self.time(&mut ended, io.start_ns, 1);
        self.count_ended(&ended, group);
        if self.timeline.is_late(now_ns) {
            self.count_late(io.operation);
        }
    }

    /// Counts an I/O that succeeded when the job's time was over. None is on the fast path, where
    /// each is replaced.
    #[cold]
    fn count_late(&mut self, operation: Operation) {
        if let Some(direction) = direction_of(operation) {
            self.result.direction_mut(direction).late_ios += 1;
        }
    }

    /// Counts I/Os that succeeded, and as many that are in flight in their place.
    #[inline]
    pub(in crate::engine) fn count_replaced(&mut self, ended: &Ended, group: Option<&mut Group>) {
        self.put += ended.ios;
        self.completed += ended.ios;
        self.result.classes.put(self.outstanding, ended.ios);
        self.timeline.note_end(ended.now_ns);
        self.count_ended(ended, group);
    }

    /// Adds `ios` I/Os that started at `start_ns`, and counts their latencies.
    #[inline]
    pub(in crate::engine) fn time(&mut self, ended: &mut Ended, start_ns: u64, ios: u32) {
        ended.ios += ios;
        if !self.timeline.times(start_ns) {
            return;
        }
        let latency_ns = ended.now_ns.saturating_sub(start_ns);
        ended.timed += ios;
        ended.latencies_ns =
            ended.latencies_ns.saturating_add(latency_ns.saturating_mul(ios.into()));
        match direction_of(ended.operation) {
            Some(direction) => self.result.count_latency(direction, latency_ns, ios),
            None => self.result.flush.latency.record(latency_ns, ios),
        }
    }

    #[inline]
    fn count_ended(&mut self, ended: &Ended, group: Option<&mut Group>) {
        let Ended { operation, bytes, now_ns, ios, timed, latencies_ns } = *ended;
        if !self.timeline.counts(now_ns) {
            return;
        }
        let Some(direction) = direction_of(operation) else {
            self.result.flush.ios += u64::from(ios);
            return;
        };
        let clock_ns = self.timeline.clock_ns(direction);
        let elapsed_ns = now_ns.saturating_sub(clock_ns);
        let done = Done { ios, direction, bytes, elapsed_ns, timed, latencies_ns };
        self.result.count_done(&done);
        if let Some(group) = group.filter(|_| !self.timeline.is_in_ramp()) {
            group.record(direction, clock_ns, now_ns, bytes, ios);
        }
    }
}
