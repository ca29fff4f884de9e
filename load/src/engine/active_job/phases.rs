//! Phases of a job: the I/Os of its pattern, flushes, what it wrote read back, and the next pass.

use results::JobResult;

use super::{ActiveJob, Phase};
use crate::engine::target::Target;
use crate::engine::timeline::Took;

impl ActiveJob {
    /// Returns whether all writes are done and must now be read back.
    fn is_reading_back_due(&self) -> bool {
        self.is_done()
            && self.phase != Phase::ReadBack
            && !self.timeline.is_stopped()
            && self.result.job.reads_back()
    }

    /// Begins the next phase, if that is due: flushes, the writes as reads, the next pass.
    pub(in crate::engine) fn begin_next_phase(&mut self, now_ns: u64) -> bool {
        if self.is_end_flush_due() {
            self.begin_end_flush();
        } else if self.is_reading_back_due() {
            self.begin_reading_back(now_ns);
        } else if self.is_next_pass_due(now_ns) {
            self.begin_next_pass(now_ns);
        } else {
            return false;
        }
        true
    }

    /// Goes through the same I/Os again, to read back the written data.
    fn begin_reading_back(&mut self, now_ns: u64) {
        self.end_phase();
        self.phase = Phase::ReadBack;
        let behind_ns = self.timeline.go_on(now_ns, self.result.read.runtime_ns);
        self.result.read.samples.begin(behind_ns);
        // Only what its time has ended is not whole.
        if !self.is_out_of_ios() {
            self.passes.end();
        }
        self.targets.iter_mut().for_each(Target::go_back);
    }

    /// Ends a phase, all of whose I/Os have ended: notes how long each direction took. Mixed
    /// directions took the same time, as in fio.
    pub(in crate::engine) fn end_phase(&mut self) {
        self.end_arrivals(self.timeline.end_ns());
        let Took { begin_ns, job_ns, phase_ns, reads_ns, window_ns } =
            self.timeline.took_ns(self.is_out_of_ios());
        let has_backlog = self.backlog.is_some();
        self.result.runtime_ns = job_ns;
        (self.result.begin_ns, self.result.end_ns) = (begin_ns, begin_ns.saturating_add(job_ns));
        let JobResult { job, read, write, trim, flush, .. } = &mut self.result;
        let mut sides = [(read, reads_ns), (write, phase_ns), (trim, phase_ns), (flush, phase_ns)];
        // Data that is read back was written before, and in an earlier pass it may have been read
        // back.
        let going_on = match self.phase {
            Phase::ReadBack => 0..1,
            _ if !job.rw.reads() && !has_backlog => 1..sides.len(),
            _ => 0..sides.len(),
        };
        for (side, ns) in &mut sides[going_on] {
            if side.ios + side.errors != 0 {
                side.runtime_ns = *ns;
                side.window_ns += window_ns;
            }
        }
    }

    /// Returns whether all of a pass is done, with what follows it, and another comes at `now_ns`.
    pub(in crate::engine) fn is_next_pass_due(&self, now_ns: u64) -> bool {
        let is_whole = self.phase == Phase::ReadBack || !self.result.job.reads_back();
        self.breaks
            && is_whole
            && self.is_done()
            && self.is_out_of_ios()
            && self.passes.has_next()
            && !self.is_end_flush_due()
            && self.timeline.may_go_on(now_ns)
    }

    /// Begins the next pass after a break.
    pub(in crate::engine) fn begin_next_pass(&mut self, now_ns: u64) {
        self.end_phase();
        let JobResult { read, write, .. } = &self.result;
        self.timeline.begin_pass(now_ns, read.runtime_ns, write.runtime_ns);
        self.pacer.start_anew();
        self.open_loop.iter_mut().for_each(|one| one.has_ended = false);
        (self.phase, self.has_flushed) = (self.pattern_phase, false);
        // Flushes count disks by it.
        self.next_target = 0;
        self.begin_pass();
    }

    /// Counts a read of what was written.
    pub(super) fn count_read_back(&mut self, bytes: u32) {
        if self.passes.count_read_back(bytes) && self.phase != Phase::ReadBack {
            self.targets.iter_mut().for_each(Target::end_pass);
        }
    }
}
