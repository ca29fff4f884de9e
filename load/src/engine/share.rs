//! Share of a stage that one loop has.

use alloc::vec::Vec;

use fio_job::Job;

use super::disk::Disk;

/// Bits of the number of a loop's write; those above are its vCPU's, so that no two loops write the
/// same data.
pub(super) const WRITES_BITS: u32 = 48;
/// Bits of the number of a disk in its loop, in the keys of disks in results.
pub(super) const DISKS_BITS: u32 = 16;

/// Jobs of a stage that one loop runs, and the disks that they use.
#[derive(Debug)]
pub struct Share<'a> {
    /// vCPU that runs the loop.
    pub vcpu: u32,
    /// Jobs, in their order.
    pub jobs: Vec<StageJob>,
    /// Disks, each with the queue pairs that no other loop uses.
    pub disks: Vec<Disk<'a>>,
}

/// Job of a stage, as the loop that runs it gets it.
#[derive(Clone, Debug)]
pub struct StageJob {
    /// The job.
    pub job: Job,
    /// Number in the stage, from 0, from which its seed follows.
    pub number: usize,
    /// Number of the jobs that it is reported together with, if there are others.
    pub group: Option<usize>,
}

impl StageJob {
    /// Returns the jobs of a stage.
    pub fn all(jobs: Vec<Job>) -> Vec<Self> {
        let mut all = Vec::with_capacity(jobs.len());
        let mut begin = 0;
        let sizes: Vec<usize> =
            jobs.chunk_by(|_, next| next.reporting.with_group).map(<[Job]>::len).collect();
        let mut jobs = jobs.into_iter();
        for (group, size) in sizes.into_iter().enumerate() {
            let group = (size > 1).then_some(group);
            let members = (begin..begin + size).zip(jobs.by_ref());
            all.extend(members.map(|(number, job)| Self { job, number, group }));
            begin += size;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_are_reported_together_have_a_group() {
        let line = "--name=a --numjobs=2 --group_reporting --name=b --name=c";
        let jobs = StageJob::all(fio_job::parse(line).expect(line));
        let found: Vec<_> =
            jobs.iter().map(|job| (&*job.job.name, job.number, job.group)).collect();
        assert_eq!(found, [("a", 0, Some(0)), ("a", 1, Some(0)), ("b", 2, None), ("c", 3, None)]);
    }
}
