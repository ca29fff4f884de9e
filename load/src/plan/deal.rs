//! Choice of the vCPU that runs each job of a stage.
//!
//! A job is one loop's, and a queue pair is too. So as many vCPUs can use a disk as it has queues,
//! and the jobs beyond that run where others on the same disk do. Among the vCPUs that remain, a
//! job goes to one with the fewest jobs.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use fio_job::{CpuPolicy, Job};

use super::refusal::{Conflict, Refusal};

/// Numbers of the vCPUs that run the jobs of a stage, by job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealing(Vec<u32>);

impl Dealing {
    /// Returns the dealing of so many jobs to vCPU 0.
    pub fn on_one(jobs: usize) -> Self {
        Self(vec![0; jobs])
    }

    /// Deals jobs that run together to `vcpus`, the guest's, where `queues` is the number of queues
    /// that a disk has.
    ///
    /// # Errors
    /// Returns [`Refusal::Apart`] if jobs must share a queue and `cpus_allowed=` keeps them apart,
    /// and a [`Conflict`] if jobs of one vCPU ask for different polling times.
    pub fn new(jobs: &[Job], vcpus: &[u32], queues: impl Fn(&str) -> u32) -> Result<Self, Refusal> {
        // There may be thousands of disks and of jobs.
        let mut disks: BTreeMap<&str, Shared> = BTreeMap::new();
        // vCPUs, each with the number of its jobs.
        let mut loads: Vec<(u32, usize)> = vcpus.iter().map(|&vcpu| (vcpu, 0)).collect();
        let mut dealt = Vec::with_capacity(jobs.len());
        for (number, job) in jobs.iter().enumerate() {
            let mut fit = allowed(job, number, vcpus);
            for name in &job.disks {
                let shared = || Shared { queues: queues(name), users: Vec::new() };
                let Shared { queues, users } = disks.entry(name).or_insert_with(shared);
                if users.len() >= *queues as usize {
                    fit.retain(|vcpu| users.contains(vcpu));
                }
            }
            let loads = loads.iter_mut().filter(|(vcpu, _)| fit.contains(vcpu));
            let Some((vcpu, load)) = loads.min_by_key(|(_, load)| *load) else {
                return Self::together(jobs, vcpus, number);
            };
            *load += 1;
            dealt.push(*vcpu);
            for name in &job.disks {
                let shared = disks.get_mut(name.as_str());
                if let Some(shared) = shared.filter(|shared| !shared.users.contains(vcpu)) {
                    shared.users.push(*vcpu);
                }
            }
        }
        Self(dealt).checked(jobs)
    }

    /// Deals all jobs to one vCPU, because job `odd` has none otherwise.
    fn together(jobs: &[Job], vcpus: &[u32], odd: usize) -> Result<Self, Refusal> {
        let Some(vcpu) = common(jobs, vcpus) else {
            return Err(Refusal::Apart { job: jobs[odd].name.clone() });
        };
        Self(vec![vcpu; jobs.len()]).checked(jobs)
    }

    /// Returns the dealing if jobs of one loop agree on what a loop has only once.
    fn checked(self, jobs: &[Job]) -> Result<Self, Refusal> {
        for (vcpu, numbers) in self.by_vcpu() {
            let mut polls = numbers.iter().map(|&number| jobs[number].poll);
            let first = polls.next();
            if polls.any(|poll| Some(poll) != first) {
                let what = "ask for different ringmark_poll_us";
                return Err(Conflict { on: format!("vCPU {vcpu}"), what }.into());
            }
        }
        self.checked_for_steadiness(jobs)
    }

    /// Returns the dealing if jobs that are to end together once they are steady are on one vCPU:
    /// no loop knows what another has done.
    fn checked_for_steadiness(self, jobs: &[Job]) -> Result<Self, Refusal> {
        let dealt: Vec<(&Job, u32)> = jobs.iter().zip(self.0.iter().copied()).collect();
        for group in dealt.chunk_by(|_, (next, _)| next.reporting.with_group) {
            let watched = group.iter().find(|(job, _)| job.steady_state.is_some());
            if let Some((job, vcpu)) = watched
                && group.iter().any(|(_, other)| other != vcpu)
            {
                return Err(Refusal::SteadyApart { job: job.name.clone() });
            }
        }
        Ok(self)
    }

    /// Returns the vCPUs that have jobs, from the lowest on, each with the numbers of its jobs.
    pub fn by_vcpu(&self) -> Vec<(u32, Vec<usize>)> {
        let mut vcpus = self.0.clone();
        vcpus.sort_unstable();
        vcpus.dedup();
        let numbers = |vcpu| (0..self.0.len()).filter(|&n| self.0[n] == vcpu).collect();
        vcpus.into_iter().map(|vcpu| (vcpu, numbers(vcpu))).collect()
    }

    /// Returns the vCPUs that use a disk, from the lowest on. Its queues are theirs in turn.
    pub fn users(&self, disk: &str, jobs: &[Job]) -> Vec<u32> {
        let uses = |job: &Job| job.disks.iter().any(|name| name == disk);
        let dealt = jobs.iter().zip(&self.0).filter(|(job, _)| uses(job));
        let mut users: Vec<u32> = dealt.map(|(_, &vcpu)| vcpu).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Returns how many of a disk's `queues` are those of its user at this place of
    /// [`users`](Self::users), of whom there are so many; at least one.
    pub(super) fn own_queues(place: usize, queues: u32, users: usize) -> u32 {
        let own = (place..queues as usize).step_by(users.max(1)).count();
        u32::try_from(own.max(1)).unwrap_or(queues)
    }
}

/// Disk, while jobs are dealt.
struct Shared {
    /// Number of its queues.
    queues: u32,
    /// vCPUs that use it so far.
    users: Vec<u32>,
}

/// Returns the first of `vcpus` on which all jobs of a stage may run, if there is one.
pub(super) fn common(jobs: &[Job], vcpus: &[u32]) -> Option<u32> {
    let mut common = vcpus.to_vec();
    for (number, job) in jobs.iter().enumerate() {
        let allowed = allowed(job, number, vcpus);
        common.retain(|vcpu| allowed.contains(vcpu));
    }
    common.first().copied()
}

/// Returns whether `cpus_allowed=` names none of the guest's vCPUs.
pub(super) fn is_without_vcpu(job: &Job, vcpus: &[u32]) -> bool {
    job.cpus.as_ref().is_some_and(|set| !vcpus.iter().any(|&vcpu| set.contains(vcpu)))
}

/// Returns the vCPUs that job `number` of a stage may run on, at least one.
pub(super) fn allowed(job: &Job, number: usize, vcpus: &[u32]) -> Vec<u32> {
    let named = |vcpu: &u32| job.cpus.as_ref().is_none_or(|set| set.contains(*vcpu));
    let mut allowed: Vec<u32> = vcpus.iter().copied().filter(named).collect();
    if allowed.is_empty() {
        allowed = vcpus.to_vec();
    }
    // As in fio, which splits only what cpus_allowed= names.
    if job.cpus.is_some() && job.cpu_policy == CpuPolicy::Split {
        allowed = vec![allowed[number % allowed.len()]];
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use fio_job::parse;

    const FOUR: [u32; 4] = [0, 1, 2, 3];

    fn deal(line: &str, vcpus: &[u32], queues: u32) -> Result<Vec<u32>, Refusal> {
        Dealing::new(&parse(line).expect(line), vcpus, |_| queues).map(|dealing| dealing.0)
    }

    #[test]
    fn jobs_are_spread_over_the_vcpus() {
        for (line, queues, expected) in [
            ("filename=xvda", 1, &[0][..]),
            ("filename=xvda numjobs=6", 32, &[0, 1, 2, 3, 0, 1]),
            // As many vCPUs as the disk has queues.
            ("filename=xvda numjobs=6", 2, &[0, 1, 0, 1, 0, 1]),
            ("filename=xvda numjobs=6", 1, &[0; 6]),
            (
                "--name=a --filename=xvda --name=b --filename=xvdb --name=c --filename=xvda \
              --name=d --filename=xvdb",
                1,
                &[0, 1, 0, 1],
            ),
            ("filename=xvda:xvdb numjobs=3", 1, &[0, 0, 0]),
            // The third has a queue of each disk on no vCPU of its own.
            (
                "--name=a --filename=xvda --name=b --filename=xvdb --name=c --filename=xvda:xvdb",
                1,
                &[0, 0, 0],
            ),
            ("filename=xvda numjobs=3 cpus_allowed=2-3", 32, &[2, 3, 2]),
            ("filename=xvda numjobs=3 cpus_allowed=2-3", 1, &[2, 2, 2]),
            ("filename=xvda numjobs=3 cpus_allowed=3,1 cpus_allowed_policy=split", 32, &[1, 3, 1]),
            ("filename=xvda numjobs=3 cpus_allowed_policy=split", 32, &[0, 1, 2]),
            ("filename=xvda numjobs=2 cpumask=12", 32, &[2, 3]),
            ("filename=xvda numjobs=2 cpus_allowed=9", 32, &[0, 1]),
            (
                "--name=a --filename=xvda --cpus_allowed=1 --name=b --filename=xvdb --cpus_allowed=0-1 \
              --name=c --filename=xvda:xvdb --cpus_allowed=1",
                1,
                &[1, 1, 1],
            ),
        ] {
            assert_eq!(deal(line, &FOUR, queues).as_deref(), Ok(expected), "{line}, {queues}");
        }
    }

    #[test]
    fn jobs_of_one_queue_that_are_kept_apart_are_refused() {
        let line = "--name=a --filename=xvda --cpus_allowed=0 --name=b --filename=xvda \
                    --cpus_allowed=1";
        assert_eq!(deal(line, &FOUR, 2), Ok(vec![0, 1]));
        let refused = deal(line, &FOUR, 1).expect_err("one queue");
        let text = "job b: cpus_allowed= keeps it from the vCPU that has the queues of its disks; \
                    let the jobs of a disk share a vCPU, or raise ringmark_queues= or the \
                    backend's max_queues";
        assert_eq!(refused.to_string(), text);
    }

    #[test]
    fn jobs_of_one_loop_must_agree_on_polling() {
        let two = "--filename=xvda --name=a --name=b --ringmark_poll_us=5";
        for (line, vcpus, agree) in [
            ("filename=xvda numjobs=3", 1, true),
            ("filename=xvda ringmark_poll_us=5 --name=a --name=b", 1, true),
            (two, 1, false),
            (two, 2, true),
            ("--filename=xvda --name=a --name=b --name=c --ringmark_poll_us=5", 2, false),
        ] {
            let text = "jobs that run together on vCPU 0 ask for different ringmark_poll_us; \
                        separate them with stonewall";
            let refused = deal(line, &FOUR[..vcpus], 32).err().map(|why| why.to_string());
            assert_eq!(refused.as_deref(), (!agree).then_some(text), "{line}");
        }
    }

    #[test]
    fn only_vcpus_that_are_there_get_jobs() {
        assert_eq!(deal("filename=xvda numjobs=3", &[0, 5], 32), Ok(vec![0, 5, 0]));
        let jobs = parse("filename=xvda cpus_allowed=1-4").expect("a job");
        assert!(is_without_vcpu(&jobs[0], &[0, 5]) && !is_without_vcpu(&jobs[0], &[0, 4]));
    }

    #[test]
    fn a_disk_is_used_by_the_vcpus_of_its_jobs() {
        let line = "--name=a --filename=xvda --numjobs=3 --name=b --filename=xvdb";
        let jobs = parse(line).expect(line);
        let dealing = Dealing(vec![2, 0, 2, 1]);
        assert_eq!(
            [dealing.users("xvda", &jobs), dealing.users("xvdb", &jobs)],
            [vec![0, 2], vec![1]]
        );
        assert_eq!(dealing.by_vcpu(), [(0, vec![1]), (1, vec![3]), (2, vec![0, 2])]);
    }
}
