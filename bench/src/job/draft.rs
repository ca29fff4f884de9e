//! A job on its way: options that mean something only next to others, and whether they go together.

use super::choice::VerifyWord;
use super::{Job, JobError, NUMJOBS_MAX, RANDSEED, Verify};
use crate::size::Amount;
use crate::verify::{Method, VerifyPattern};
use alloc::vec::Vec;

/// A job of which more options may come, in any order.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) job: Job,
    pub(super) numjobs: u32,
    pub(super) offset_increment: Amount,
    pub(super) randseed: Option<u64>,
    pub(super) new_seed: bool,
    pub(super) verify: Option<VerifyWord>,
    pub(super) verify_pattern: Option<VerifyPattern>,
    pub(super) verify_interval: Option<u32>,
    pub(super) verify_fatal: bool,
    pub(super) no_verify_after_write: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            job: Job::default(),
            numjobs: 1,
            offset_increment: Amount::Bytes(0),
            randseed: None,
            new_seed: false,
            verify: None,
            verify_pattern: None,
            verify_interval: None,
            verify_fatal: false,
            no_verify_after_write: false,
        }
    }
}

impl Draft {
    /// Adds the job, `numjobs` times, to `jobs`, if its options go together.
    pub(super) fn finish(self, jobs: &mut Vec<Job>) -> Result<(), JobError> {
        if let Some(fix) = self.conflict() {
            return Err(JobError::Conflict { job: self.job.name, fix });
        }
        let mixed = self.job.rw.reads() && self.job.rw.writes();
        let job = Job {
            // What a job does not use it does not carry.
            rwmixread: if mixed { self.job.rwmixread } else { Job::default().rwmixread },
            randseed: self.randseed.or((!self.new_seed).then_some(RANDSEED)),
            verify: self.method().map(|method| Verify {
                method,
                after_write: !self.no_verify_after_write,
                fatal: self.verify_fatal,
            }),
            reporting: self.job.reporting.named_by(&self.job.name),
            ..self.job
        };
        if self.numjobs as usize > NUMJOBS_MAX.saturating_sub(jobs.len()) {
            return Err(JobError::TooManyJobs { job: job.name });
        }
        for number in 0..self.numjobs {
            let offset = job.offset.and_steps(self.offset_increment, number).ok_or_else(|| {
                let fix = "offset_increment= leads too far, or is per cent where offset= is bytes";
                JobError::Conflict { job: job.name.clone(), fix }
            })?;
            // They start together.
            let stonewall = job.stonewall && number == 0;
            jobs.push(Job { offset, stonewall, ..job.clone() });
        }
        Ok(())
    }

    fn method(&self) -> Option<Method> {
        match self.verify? {
            VerifyWord::Pattern => self.verify_pattern.clone().map(Method::Pattern),
            VerifyWord::Crc32c => {
                let interval_bytes = self.verify_interval.unwrap_or(self.job.bs_bytes);
                Some(Method::Crc32c { interval_bytes })
            }
        }
    }

    /// What does not go together, and the way out.
    fn conflict(&self) -> Option<&'static str> {
        let Self { job, verify, verify_pattern, verify_interval, .. } = self;
        let rules = [
            (
                job.ioengine.is_some_and(|engine| engine.is_synchronous()) && job.iodepth != 1,
                "ioengine=sync and psync have one I/O in flight; use iodepth=1 or ioengine=libaio",
            ),
            (
                job.time_based && job.runtime_ns.is_none(),
                "time_based needs runtime=, for example runtime=10",
            ),
            (
                job.rw.writes() && job.disks.is_empty(),
                "a job that writes names its disks; add for example filename=/dev/xvda",
            ),
            (
                job.rw.writes() && job.file.is_some() && !job.allow_file_overwrite,
                "writing into a file destroys what it has; say so by allow_file_overwrite=1",
            ),
            (
                *verify == Some(VerifyWord::Pattern) && verify_pattern.is_none(),
                "verify=pattern needs verify_pattern=, for example verify_pattern=%o",
            ),
            (
                *verify != Some(VerifyWord::Pattern) && verify_pattern.is_some(),
                "verify_pattern= needs verify=pattern",
            ),
            (
                *verify != Some(VerifyWord::Crc32c) && verify_interval.is_some(),
                "verify_interval= needs verify=crc32c",
            ),
            (
                verify_interval.is_some_and(|interval| !job.bs_bytes.is_multiple_of(interval)),
                "verify_interval= must divide bs=; leave it out for one header a block",
            ),
        ];
        let rule = rules.into_iter().find_map(|(broken, fix)| broken.then_some(fix));
        rule.or_else(|| job.reporting.conflict(job.runtime_ns))
    }
}
