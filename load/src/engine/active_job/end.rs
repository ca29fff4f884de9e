//! End of a job: its result, or why it has none.

use alloc::string::String;

use results::{Counters, JobResult, PagesKept};

use super::ActiveJob;
use crate::engine::ramp::Ramp;
use crate::engine::target::Target;

impl ActiveJob {
    /// Returns why a job that came to its end has no figures, if so.
    pub(in crate::engine) fn nothing_measured(&self) -> Option<String> {
        let (job, stolen) = (&self.result.job, self.timeline.stolen());
        let is_stopped = self.timeline.is_stopped();
        if is_stopped {
            None
        } else {
            self.timeline.ramp().nothing_measured(job, self.is_empty(), stolen)
        }
    }

    /// Returns whether none of the I/Os issued since the ramp has ended.
    fn is_empty(&self) -> bool {
        let JobResult { read, write, trim, .. } = &self.result;
        let timed = [read, write, trim].map(|side| side.latency.moments().count());
        timed.iter().sum::<u64>() == 0 && self.result.errors() == self.ramp_errors
    }

    /// Returns the result, with the counters of its disks unless other jobs of the loop used them
    /// too, and the pages that their backends keep mapped if all could be counted. `keys` has the
    /// key of each disk and the number of its queues. A ramp stays unmeasured when
    /// the job ends first, unlike in fio; but its errors are reported.
    pub(in crate::engine) fn into_result(
        mut self,
        used: &[Counters],
        shared: &[bool],
        kept: &[Option<PagesKept>],
        keys: &[(usize, u32)],
    ) -> JobResult {
        if let Some(batches) = &self.batches {
            batches.finish(&mut self.result.classes);
        }
        let is_unmeasured = matches!(self.timeline.ramp(), Ramp::Over(_)) && self.is_empty();
        if self.timeline.is_in_ramp() || is_unmeasured {
            self.result.forget_figures();
        } else if !self.targets.iter().any(|target| shared[target.disk]) {
            let disks = self
                .targets
                .iter()
                .map(|target| used[target.disk] - self.timeline.ramp().used(target.disk));
            let sum = disks.fold(Counters::default(), |sum, disk| sum + disk);
            self.result.counters = Some(Counters { sleeps: self.sleeps, ..sum });
        }
        let JobResult { read, write, trim, .. } = &mut self.result;
        [read, write, trim].into_iter().for_each(|side| side.samples.finish(side.runtime_ns));
        self.result.queues = self.targets.iter().map(|target| keys[target.disk]).collect();
        let pages = |target: &Target| Some((keys[target.disk].0, kept[target.disk]?));
        self.result.stolen = self.timeline.stolen();
        self.result.ring_wait_ns = self.ring_wait.total_ns().min(self.result.runtime_ns);
        let pages: Option<_> = self.targets.iter().map(pages).collect();
        self.result.pages = pages.unwrap_or_default();
        self.result
    }
}
