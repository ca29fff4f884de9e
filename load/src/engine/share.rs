//! Share of a stage that one loop has.

use alloc::vec::Vec;

use fio_job::Job;
use fio_job::number::Amount;

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
    /// Whether no other job of the stage may write what it writes.
    pub is_alone: bool,
}

impl StageJob {
    /// Returns the jobs of a stage.
    pub fn all(jobs: Vec<Job>) -> Vec<Self> {
        let mut all = Vec::with_capacity(jobs.len());
        let mut begin = 0;
        let alone: Vec<bool> = (0..jobs.len()).map(|number| is_alone(&jobs, number)).collect();
        let sizes: Vec<usize> =
            jobs.chunk_by(|_, next| next.reporting.with_group).map(<[Job]>::len).collect();
        let mut jobs = jobs.into_iter();
        for (group, size) in sizes.into_iter().enumerate() {
            let group = (size > 1).then_some(group);
            let members = (begin..begin + size).zip(jobs.by_ref());
            all.extend(members.map(|(number, job)| {
                let is_alone = alone.get(number).copied().unwrap_or(false);
                Self { job, number, group, is_alone }
            }));
            begin += size;
        }
        all
    }
}

/// Returns whether no other of the jobs may change what this one writes.
fn is_alone(jobs: &[Job], number: usize) -> bool {
    let own = &jobs[number];
    let others = jobs.iter().enumerate().filter(|(other, _)| *other != number);
    let mut changing = others.map(|(_, job)| job).filter(|job| job.rw.changes());
    !changing.any(|other| {
        let meets = other.disks.iter().any(|disk| own.disks.contains(disk));
        meets && own.file == other.file && !is_apart(own, other)
    })
}

/// Returns whether the regions of two jobs on a disk are apart, as far as the jobs alone say.
fn is_apart(one: &Job, other: &Job) -> bool {
    let Some([one, other]) = region(one).zip(region(other)).map(|(one, other)| [one, other]) else {
        return false;
    };
    let is_before = |one: [u64; 2], other: [u64; 2]| one[0].saturating_add(one[1]) <= other[0];
    is_before(one, other) || is_before(other, one)
}

/// Returns offset and size of a job's region: in bytes, or in per cent of the disk.
fn region(job: &Job) -> Option<[u64; 2]> {
    // An offset that is a percentage is moved up to a block.
    match (job.offset, job.size?, job.offset_align) {
        (Amount::Bytes(offset), Amount::Bytes(size), None) => Some([offset, size]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_alone_where_no_other_writes() {
        for (line, expected) in [
            ("--name=a --rw=write", &[true][..]),
            ("--name=a --rw=write --numjobs=2", &[false, false]),
            ("--name=a --rw=write --size=1m --numjobs=2 --offset_increment=1m", &[true, true]),
            ("--name=a --rw=write --size=1m --numjobs=2 --offset_increment=512k", &[false, false]),
            ("--name=a --rw=write --size=50% --name=b --rw=write --offset=50%", &[false, false]),
            ("--name=a --rw=write --name=b --rw=read", &[true, false]),
            ("--name=a --rw=write --name=b --rw=randtrim", &[false, false]),
            ("--name=a --rw=write --name=b --rw=write --filename=xvdb", &[true, true]),
            ("--name=a --rw=write --filename=xvdb:xvda --name=b --rw=write", &[false, false]),
        ] {
            let line = alloc::format!("--filename=xvda {line}");
            let jobs = StageJob::all(fio_job::parse(&line).expect(&line));
            let found: Vec<_> = jobs.iter().map(|job| job.is_alone).collect();
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn jobs_that_are_reported_together_have_a_group() {
        let line = "--name=a --numjobs=2 --group_reporting --name=b --name=c";
        let jobs = StageJob::all(fio_job::parse(line).expect(line));
        let found: Vec<_> =
            jobs.iter().map(|job| (&*job.job.name, job.number, job.group)).collect();
        assert_eq!(found, [("a", 0, Some(0)), ("a", 1, Some(0)), ("b", 2, None), ("c", 3, None)]);
    }
}
