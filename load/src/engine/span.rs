//! When a job and the phases of its I/Os begin and end, on which its rates depend.

use super::rules::NEVER;

/// The time that a job is under way, in nanoseconds of system time. A job has one phase of its
/// pattern's I/Os, and perhaps a second in which what it wrote is read back.
#[derive(Debug)]
pub(super) struct Span {
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
}

impl Span {
    /// From `start_ns` to the end of the job's time, or [`NEVER`].
    pub(super) fn new(start_ns: u64, end_ns: u64) -> Self {
        Self {
            begin_ns: start_ns,
            start_ns,
            clock_ns: start_ns,
            last_ns: 0,
            end_ns,
            stop_ns: None,
            timed_from_ns: 0,
            counted_until_ns: NEVER,
        }
    }

    /// What is measured begins here, with I/Os in flight. As many are in flight when the time is
    /// over: those at the start count as done and those at the end do not, so that neither makes
    /// the job faster or slower than it is. The latencies are of those that are put in between.
    pub(super) fn begin_measured(&mut self, start_ns: u64) {
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

    /// When the measured part of the job began, or is to begin if it has no ramp.
    pub(super) fn begin_ns(&self) -> u64 {
        self.begin_ns
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

    /// How long the job took, and its phase alone, once nothing is in flight.
    pub(super) fn took_ns(&self, is_out_of_ios: bool) -> (u64, u64) {
        let end_ns = self.phase_end_ns(is_out_of_ios);
        (end_ns.saturating_sub(self.begin_ns), end_ns.saturating_sub(self.start_ns))
    }

    /// The second phase begins, without an end of its time. One direction goes on in it, which took
    /// `before_ns` so far; answers how long that is behind the job.
    pub(super) fn go_on(&mut self, now_ns: u64, before_ns: u64) -> u64 {
        (self.start_ns, self.end_ns, self.counted_until_ns) = (now_ns, NEVER, NEVER);
        self.clock_ns = now_ns.saturating_sub(before_ns);
        self.clock_ns.saturating_sub(self.begin_ns)
    }
}
