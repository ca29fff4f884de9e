//! Passes of a job through its regions, one after the other.

use alloc::vec::Vec;

use fio_job::{Distribution, Job, RANDSEED};

use super::ActiveJob;
use crate::engine::passes::Passes;
use crate::engine::target::{Next, Target};

/// Returns the passes of a job through the regions of `targets`, of which the first has begun;
/// `is_served` says that they are not taken in turn.
pub(super) fn first(job: &Job, targets: &mut [Target], is_served: bool) -> Passes {
    let regions: Vec<_> = targets.iter().map(|target| target.region).collect();
    let mut passes = Passes::new(job, &regions, is_served);
    for target in &mut *targets {
        target.most_ios = passes.ios_on_disk(target.most_in_pass(), regions.len());
    }
    passes.begin(targets, 0);
    passes
}

impl ActiveJob {
    /// Begins the next pass; returns whether there is one.
    pub(super) fn begin_pass(&mut self) -> bool {
        let begins = self.passes.begin(&mut self.targets, self.next_target);
        self.service.iter_mut().for_each(|service| service.begin_pass());
        let job = &self.result.job;
        if begins {
            // As in fio: who gives a seed wants no repetition, and a skewed law has none.
            let is_skewed = job.distribution != Distribution::Random;
            let anew = is_skewed || job.randseed != Some(RANDSEED);
            self.targets.iter_mut().for_each(|target| target.rewind(anew));
        }
        begins
    }

    /// Begins the next pass once all of the one before is put.
    pub(super) fn begin_pass_if_due(&mut self) {
        if self.targets.iter().all(Target::is_done) {
            self.begin_pass();
        }
    }

    /// Returns the first I/O of the next pass of a job on the fast path, which has none left in
    /// this one. The loop over what has completed does not call it, so that it keeps in registers
    /// what this changes.
    #[cold]
    pub(in crate::engine) fn next_of_next_pass(&mut self, now_ns: u64) -> Option<Next> {
        let is_over = self.timeline.is_over(now_ns) || !self.targets.iter().all(Target::is_done);
        if !is_over && !self.breaks && self.begin_pass() { self.next_in_turn() } else { None }
    }

    /// Returns the number of the target of the next I/O; `None` if none has any left, as far as
    /// that is looked at here.
    pub(super) fn choose_target(&mut self) -> Option<usize> {
        let targets = &self.targets;
        match &mut self.service {
            Some(service) => service.choose(|number| targets[number].is_done()),
            None => Some(self.next_target),
        }
    }

    /// Notes that the next I/O is chosen, and so another's turn has come.
    pub(super) fn leave_target(&mut self) {
        match &mut self.service {
            Some(service) => service.take(),
            None => self.advance_target(),
        }
    }

    /// Counts an I/O that was chosen.
    pub(super) fn count_chosen(&mut self, bytes: u32) {
        if self.passes.count(bytes) {
            self.targets.iter_mut().for_each(Target::end_pass);
        }
    }

    /// Returns whether it has ended and so ends all that run with it.
    pub(in crate::engine) fn ends_others(&self) -> bool {
        self.result.job.exitall && self.is_done()
    }

    /// Returns whether no I/O is left to issue, at least before what follows the pass.
    pub(super) fn is_out_of_ios(&self) -> bool {
        self.targets.iter().all(Target::is_done) && (self.breaks || !self.passes.has_next())
    }

    /// Returns the bytes that it still has to put; `None` if only its time ends it.
    pub(super) fn bytes_to_go(&self) -> Option<u64> {
        let bs_bytes = self.result.job.bs_bytes;
        let targets = self.targets.iter().map(|target| target.bytes_to_go(bs_bytes));
        let in_pass = targets.reduce(|sum, one| Some(sum?.saturating_add(one?))).flatten();
        self.passes.bytes_to_go(in_pass)
    }

    /// Returns the I/Os that it still has to put, those of several sizes by the largest; `None` if
    /// only its time ends it.
    pub(super) fn ios_to_go(&self) -> Option<u64> {
        let job = &self.result.job;
        let bytes = if job.time_based { None } else { self.bytes_to_go() };
        bytes.map(|bytes| bytes.div_ceil(job.bs_bytes.max(1).into()))
    }
}
