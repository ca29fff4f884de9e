//! Clocks of a job: when the job, its ramp and the phases of its I/Os begin and end, on which its
//! rates depend, and the time stolen meanwhile.

use alloc::vec::Vec;

use drivers::Vcpu;
use fio_job::{Direction, Job};
use results::{Counters, Stolen};

use super::ramp::Ramp;
use super::stolen::{Clocks, Theft};
use super::time::NEVER;

/// Times of a job that is under way, in nanoseconds of system time. A job has one phase of its
/// pattern's I/Os, and perhaps a second in which what it wrote is read back; or both for each pass.
#[derive(Debug)]
pub(super) struct Timeline {
    /// Time at which the measured part of the job began.
    begin_ns: u64,
    /// Time at which the I/Os of its phase began.
    start_ns: u64,
    /// Time at which writes and trims would have begun without pauses.
    clock_ns: u64,
    /// Time at which reads would have: they have phases of their own, too.
    reads_clock_ns: u64,
    /// Time at which the last I/O completed.
    last_ns: u64,
    /// Time from which on no I/O is issued.
    end_ns: u64,
    /// Time at which the job failed or was ended, if so.
    stop_ns: Option<u64>,
    /// Time from which on the latency of an issued I/O counts.
    timed_from_ns: u64,
    /// Time until which an I/O counts as done.
    counted_until_ns: u64,
    /// Whether a flush of its disks has ended the phase, and so is in its time.
    is_flushed: bool,
    /// Time that the reads before this phase took.
    read_before_ns: u64,
    /// Time that the phases of the pattern's I/Os before this one took.
    pattern_before_ns: u64,
    /// Values of `end_ns` and `counted_until_ns` in phases of the pattern's I/Os, once there was
    /// another.
    limits: Option<(u64, u64)>,
    ramp: Ramp,
    theft: Theft,
}

/// Durations of the parts of a job, in nanoseconds.
pub(super) struct Took {
    /// Begin of the measured part, a time.
    pub(super) begin_ns: u64,
    /// Whole measured part.
    pub(super) job_ns: u64,
    /// Phases of the pattern's I/Os.
    pub(super) phase_ns: u64,
    /// Reads, over all phases.
    pub(super) reads_ns: u64,
    /// Last phase, until its time was over.
    pub(super) window_ns: u64,
}

impl Timeline {
    /// Returns the timeline of a job whose run begins at `now_ns`: its time runs from then on, or
    /// from the end of its delay.
    pub(super) fn new(job: &Job, now_ns: u64, theft: Theft) -> Self {
        let start_ns = now_ns.saturating_add(job.pace.start_delay_ns);
        let measured_ns = start_ns.saturating_add(job.pace.ramp_ns);
        let end_ns = job.runtime_ns.map_or(NEVER, |runtime| measured_ns.saturating_add(runtime));
        Self::between(start_ns, end_ns, Ramp::new(start_ns, job.pace.ramp_ns), theft)
    }

    /// Returns the timeline of a job that has not begun. If it never does, it took no time.
    pub(super) fn unbegun() -> Self {
        Self::between(0, 0, Ramp::Absent, Theft::default())
    }

    fn between(start_ns: u64, end_ns: u64, ramp: Ramp, theft: Theft) -> Self {
        Self {
            begin_ns: start_ns,
            start_ns,
            clock_ns: start_ns,
            reads_clock_ns: start_ns,
            last_ns: 0,
            end_ns,
            stop_ns: None,
            timed_from_ns: 0,
            counted_until_ns: NEVER,
            is_flushed: false,
            read_before_ns: 0,
            pattern_before_ns: 0,
            limits: None,
            ramp,
            theft,
        }
    }

    /// Returns when the ramp ends; [`NEVER`] if there is none, or it is over.
    pub(super) fn ramp_end_ns(&self) -> u64 {
        self.ramp.end_ns()
    }

    /// Returns whether everything done so far belongs to the ramp.
    pub(super) fn is_in_ramp(&self) -> bool {
        self.ramp.is_all()
    }

    /// Returns the ramp, with its counters of the disks once it is over.
    pub(super) fn ramp(&self) -> &Ramp {
        &self.ramp
    }

    /// Ends the ramp, in which the disks counted `used`.
    pub(super) fn end_ramp(&mut self, used: Vec<Counters>) {
        self.begin_measured(self.ramp.end_ns());
        self.ramp = Ramp::Over(used);
    }

    /// Notes, once, that the job is measured from now on or since a moment ago.
    pub(super) fn note_begin(&mut self, clocks: &Clocks<'_, impl Vcpu>, now_ns: u64) {
        if !self.ramp.is_all() && now_ns >= self.begin_ns {
            self.theft.begin(clocks, self.begin_ns, now_ns);
        }
    }

    /// Notes that the job has ended, now or before.
    pub(super) fn end(&mut self, clocks: &Clocks<'_, impl Vcpu>) {
        self.theft.end(clocks);
    }

    /// Returns the time stolen from a job that was measured and has ended.
    pub(super) fn stolen(&self) -> Option<Stolen> {
        self.theft.stolen()
    }

    /// Begins the measurement, with I/Os in flight. As many are in flight when the time is over:
    /// those at the start count as done and those at the end do not, so that neither makes the job
    /// faster or slower than it is. Latencies are those of I/Os issued in between.
    fn begin_measured(&mut self, start_ns: u64) {
        (self.begin_ns, self.start_ns) = (start_ns, start_ns);
        (self.clock_ns, self.reads_clock_ns) = (start_ns, start_ns);
        self.timed_from_ns = start_ns;
        if !self.is_stopped() {
            self.counted_until_ns = self.end_ns;
        }
    }

    /// Returns whether an I/O that completed by `now_ns` counts.
    #[inline]
    pub(super) fn counts(&self, now_ns: u64) -> bool {
        now_ns <= self.counted_until_ns
    }

    /// Returns whether the latency of an I/O that was issued at `start_ns` counts.
    #[inline]
    pub(super) fn times(&self, start_ns: u64) -> bool {
        start_ns >= self.timed_from_ns
    }

    /// Returns whether an I/O that counts completed when the time was over.
    pub(super) fn is_late(&self, now_ns: u64) -> bool {
        self.counts(now_ns) && now_ns > self.limit_ns()
    }

    /// Returns when its time is over, or was because of a stop.
    fn limit_ns(&self) -> u64 {
        self.stop_ns.unwrap_or(self.end_ns)
    }

    /// Returns when the I/Os of its phase begin.
    pub(super) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Returns when a direction would have begun without pauses.
    #[inline]
    pub(super) fn clock_ns(&self, direction: Direction) -> u64 {
        if direction == Direction::Read { self.reads_clock_ns } else { self.clock_ns }
    }

    /// Returns when I/Os stop being issued; [`NEVER`] if only the last of them is the end.
    pub(super) fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Returns whether no more I/Os are issued.
    #[inline]
    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.end_ns
    }

    /// Returns how long the phases of the pattern's I/Os have been under way, without others.
    pub(super) fn pattern_ns(&self, now_ns: u64) -> Option<u64> {
        now_ns.checked_sub(self.clock_ns)
    }

    /// Notes that an I/O ended.
    #[inline]
    pub(super) fn note_end(&mut self, now_ns: u64) {
        self.last_ns = now_ns;
    }

    /// Notes that the I/O that ended last was a flush at the end of the phase.
    pub(super) fn note_end_flush(&mut self) {
        self.is_flushed = true;
    }

    /// Ends the job early.
    pub(super) fn stop(&mut self, now_ns: u64, is_out_of_ios: bool) {
        // A job that has ended keeps its end, and the wait for its last I/Os is not in its time.
        let end_ns = if is_out_of_ios { self.last_ns } else { self.end_ns };
        self.stop_ns.get_or_insert(now_ns.min(end_ns));
        self.end_ns = 0;
    }

    /// Returns whether it was ended early.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop_ns.is_some()
    }

    /// Returns when the phase ended, once nothing is in flight: with its last completion if it has
    /// no more I/Os. If its time or a stop ended it, it took all the time until then, though
    /// nothing may have been in flight at the end, as when a rate held it back. It ends when
    /// nothing counts any more.
    fn phase_end_ns(&self, is_out_of_ios: bool) -> u64 {
        let end_ns = match is_out_of_ios {
            true => self.last_ns,
            false => self.last_ns.max(self.limit_ns()),
        };
        if self.is_flushed { end_ns } else { end_ns.min(self.counted_until_ns) }
    }

    /// Returns how long the job, its phase and its reads took, once nothing is in flight.
    pub(super) fn took_ns(&self, is_out_of_ios: bool) -> Took {
        let end_ns = self.phase_end_ns(is_out_of_ios);
        let phase_ns = end_ns.saturating_sub(self.start_ns);
        Took {
            begin_ns: self.begin_ns,
            job_ns: end_ns.saturating_sub(self.begin_ns),
            phase_ns: self.pattern_before_ns + phase_ns,
            reads_ns: self.read_before_ns + phase_ns,
            window_ns: end_ns.min(self.limit_ns()).saturating_sub(self.start_ns),
        }
    }

    /// Begins the second phase, which has no time limit. One direction goes on in it, which took
    /// `before_ns` so far; returns the time from the begin of the job to that of this direction's
    /// clock, in nanoseconds.
    pub(super) fn go_on(&mut self, now_ns: u64, before_ns: u64) -> u64 {
        self.limits = Some((self.end_ns, self.counted_until_ns));
        (self.start_ns, self.end_ns, self.counted_until_ns) = (now_ns, NEVER, NEVER);
        self.is_flushed = false;
        self.read_before_ns = before_ns;
        self.ramp.outlast();
        self.reads_clock_ns = now_ns.saturating_sub(before_ns);
        self.reads_clock_ns.saturating_sub(self.begin_ns)
    }

    /// Returns whether the job's time leaves room for another phase of its pattern's I/Os.
    pub(super) fn may_go_on(&self, now_ns: u64) -> bool {
        let (end_ns, _) = self.limits.unwrap_or((self.end_ns, 0));
        now_ns < end_ns && !self.is_stopped()
    }

    /// Begins another phase of the pattern's I/Os; the phases before took this long for reads and
    /// for writes or trims.
    pub(super) fn begin_pass(&mut self, now_ns: u64, reads_ns: u64, others_ns: u64) {
        let limits = self.limits.take();
        (self.end_ns, self.counted_until_ns) =
            limits.unwrap_or((self.end_ns, self.counted_until_ns));
        self.start_ns = now_ns;
        self.is_flushed = false;
        (self.read_before_ns, self.pattern_before_ns) = (reads_ns, others_ns);
        self.clock_ns = now_ns.saturating_sub(others_ns);
        // There may have been no read yet.
        self.reads_clock_ns = now_ns.saturating_sub(reads_ns.max(others_ns));
    }
}
