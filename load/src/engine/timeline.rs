//! The clocks of a job: when it, its ramp and the phases of its I/Os begin and end, on which its
//! rates depend, and what was stolen meanwhile.

use alloc::vec::Vec;

use drivers::Vcpu;
use fio_job::Job;
use results::{Counters, Stolen};

use super::ramp::Ramp;
use super::stolen::Theft;
use super::time::NEVER;

/// The time that a job is under way, in nanoseconds of system time. A job has one phase of its
/// pattern's I/Os, and perhaps a second in which what it wrote is read back.
#[derive(Debug)]
pub(super) struct Timeline {
    /// When the measured part of the job began.
    begin_ns: u64,
    /// When the I/Os of its phase began.
    start_ns: u64,
    /// When the directions of its phase began, had they known no pause: reads may have two phases.
    clock_ns: u64,
    /// When the last I/O completed.
    last_ns: u64,
    /// No I/O is put from then on.
    end_ns: u64,
    /// When the job failed, or somebody ended it, if so.
    stop_ns: Option<u64>,
    /// The latency of an I/O counts if it was put from then on.
    timed_from_ns: u64,
    /// An I/O counts as done if it was so by then.
    counted_until_ns: u64,
    /// How long the reads took that came before those of the read-back.
    read_before_ns: u64,
    ramp: Ramp,
    theft: Theft,
}

/// How long parts of a job took, in nanoseconds.
pub(super) struct Took {
    /// All of it that was measured.
    pub(super) job_ns: u64,
    /// Its last phase.
    pub(super) phase_ns: u64,
    /// Its reads, over both phases.
    pub(super) reads_ns: u64,
}

impl Timeline {
    /// Returns that of a job whose run begins at `now_ns`: its time runs from then on, or from the
    /// end of its delay.
    pub(super) fn new(job: &Job, now_ns: u64, theft: Theft) -> Self {
        let start_ns = now_ns.saturating_add(job.pace.start_delay_ns);
        let measured_ns = start_ns.saturating_add(job.pace.ramp_ns);
        let end_ns = job.runtime_ns.map_or(NEVER, |runtime| measured_ns.saturating_add(runtime));
        Self::between(start_ns, end_ns, Ramp::new(start_ns, job.pace.ramp_ns), theft)
    }

    /// Returns that of a job that has not begun. If it never does, it took no time.
    pub(super) fn unbegun() -> Self {
        Self::between(0, 0, Ramp::Absent, Theft::default())
    }

    fn between(start_ns: u64, end_ns: u64, ramp: Ramp, theft: Theft) -> Self {
        Self {
            begin_ns: start_ns,
            start_ns,
            clock_ns: start_ns,
            last_ns: 0,
            end_ns,
            stop_ns: None,
            timed_from_ns: 0,
            counted_until_ns: NEVER,
            read_before_ns: 0,
            ramp,
            theft,
        }
    }

    /// Returns when the ramp ends; [`NEVER`] if there is none, or it is over.
    pub(super) fn ramp_end_ns(&self) -> u64 {
        self.ramp.end_ns()
    }

    /// Whether all that was done so far belongs to the ramp.
    pub(super) fn is_in_ramp(&self) -> bool {
        self.ramp.is_all()
    }

    /// Returns the ramp, with what it used of the disks once it is over.
    pub(super) fn ramp(&self) -> &Ramp {
        &self.ramp
    }

    /// Ends the ramp, in which the disks counted `used`.
    pub(super) fn end_ramp(&mut self, used: Vec<Counters>) {
        self.begin_measured(self.ramp.end_ns());
        self.ramp = Ramp::Over(used);
    }

    /// Notes that the job is measured from now on or from a moment ago, once.
    pub(super) fn note_begin(&mut self, vcpu: &impl Vcpu, now_ns: u64) {
        if !self.ramp.is_all() && now_ns >= self.begin_ns {
            self.theft.begin(vcpu, self.begin_ns, now_ns);
        }
    }

    /// Notes that the job has ended, now or before.
    pub(super) fn end(&mut self, vcpu: &impl Vcpu) {
        self.theft.end(vcpu);
    }

    /// Returns what was stolen from a job that was measured and has ended.
    pub(super) fn stolen(&self) -> Option<Stolen> {
        self.theft.stolen()
    }

    /// What is measured begins here, with I/Os in flight. As many are in flight when the time is
    /// over: those at the start count as done and those at the end do not, so that neither makes
    /// the job faster or slower than it is. The latencies are of those that are put in between.
    fn begin_measured(&mut self, start_ns: u64) {
        (self.begin_ns, self.start_ns, self.clock_ns) = (start_ns, start_ns, start_ns);
        self.timed_from_ns = start_ns;
        if !self.is_stopped() {
            self.counted_until_ns = self.end_ns;
        }
    }

    /// Whether an I/O that was done by `now_ns` counts.
    #[inline]
    pub(super) fn counts(&self, now_ns: u64) -> bool {
        now_ns <= self.counted_until_ns
    }

    /// Whether the latency of an I/O that was put at `start_ns` counts.
    #[inline]
    pub(super) fn times(&self, start_ns: u64) -> bool {
        start_ns >= self.timed_from_ns
    }

    /// When the I/Os of its phase begin.
    pub(super) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// When the directions of its phase began, had they known no pause.
    pub(super) fn clock_ns(&self) -> u64 {
        self.clock_ns
    }

    /// When no I/O is put any more; [`NEVER`] if only the last of them is the end.
    pub(super) fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Whether no I/O is put any more.
    #[inline]
    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.end_ns
    }

    /// How long the directions have been under way.
    #[inline]
    pub(super) fn elapsed_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.clock_ns)
    }

    /// An I/O ended.
    #[inline]
    pub(super) fn note_end(&mut self, now_ns: u64) {
        self.last_ns = now_ns;
    }

    /// Ends the job early.
    pub(super) fn stop(&mut self, now_ns: u64, is_out_of_ios: bool) {
        // One that has ended keeps its end.
        let end_ns = self.phase_end_ns(is_out_of_ios);
        self.stop_ns.get_or_insert(now_ns.min(end_ns));
        self.end_ns = 0;
    }

    /// Whether it was ended early.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop_ns.is_some()
    }

    /// When the phase ended, once nothing is in flight: with its last completion if it has no more
    /// I/Os. Where its time or a stop ended it, it took all the time until then, though nothing may
    /// have been in flight at the end, as when a rate held it back. It ends where nothing counts
    /// any more.
    fn phase_end_ns(&self, is_out_of_ios: bool) -> u64 {
        let end_ns = match is_out_of_ios {
            true => self.last_ns,
            false => self.last_ns.max(self.stop_ns.unwrap_or(self.end_ns)),
        };
        end_ns.min(self.counted_until_ns)
    }

    /// Returns how long the job took, its phase, and its reads, once nothing is in flight.
    pub(super) fn took_ns(&self, is_out_of_ios: bool) -> Took {
        let end_ns = self.phase_end_ns(is_out_of_ios);
        let phase_ns = end_ns.saturating_sub(self.start_ns);
        Took {
            job_ns: end_ns.saturating_sub(self.begin_ns),
            phase_ns,
            reads_ns: self.read_before_ns + phase_ns,
        }
    }

    /// The second phase begins, without an end of its time. One direction goes on in it, which took
    /// `before_ns` so far; answers how long that is behind the job.
    pub(super) fn go_on(&mut self, now_ns: u64, before_ns: u64) -> u64 {
        (self.start_ns, self.end_ns, self.counted_until_ns) = (now_ns, NEVER, NEVER);
        self.read_before_ns = before_ns;
        self.ramp.outlast();
        self.clock_ns = now_ns.saturating_sub(before_ns);
        self.clock_ns.saturating_sub(self.begin_ns)
    }
}
