//! Stages of a run: the jobs that run together.

use crate::job::Job;

impl AsRef<Self> for Job {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Returns the stages of a run in order: each is a job and the jobs after it that do not wait for
/// it (`stonewall`). Items that belong to jobs, such as their results, are divided likewise.
pub fn stages<T: AsRef<Job>>(jobs: &[T]) -> impl Iterator<Item = &[T]> {
    jobs.chunk_by(|_, next| !next.as_ref().stonewall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use alloc::vec::Vec;

    #[test]
    fn a_stonewall_begins_a_stage() {
        let lens = |line: &str| -> Vec<usize> {
            let jobs = parse(line).expect(line);
            stages(&jobs).map(<[_]>::len).collect()
        };
        assert_eq!(lens("--name=a --stonewall --name=b --name=c --stonewall"), [2, 1]);
        assert_eq!(lens("bs=4k; bs=8k"), [1, 1]);
        assert_eq!(lens("numjobs=3"), [3]);
        assert!(stages::<Job>(&[]).next().is_none());
    }

    #[test]
    fn one_job_decides_what_the_end_of_any_ends() {
        let line = "--name=a --name=b --exitall --name=c --numjobs=2";
        assert!(parse(line).expect(line).iter().all(|job| job.exitall));
        for (line, taken) in [
            ("--exitall --exit_what=all --name=a --name=b", true),
            ("--exitall --exit_what=all --name=a --name=b --stonewall", false),
            ("--exitall --exit_what=group --name=a --name=b --stonewall", true),
            ("--exitall --name=a --name=b --new_group", false),
            ("--exitall --exit_what=stonewall --name=a --name=b --new_group", true),
            ("--exitall --name=a --name=b --new_group --stonewall", true),
            ("--exit_what=all --name=a --name=b --stonewall", true),
            ("--name=a --exitall_on_error --exit_what=all --name=b --stonewall", false),
        ] {
            assert_eq!(parse(line).is_ok(), taken, "{line}");
        }
    }

    #[test]
    fn a_new_group_is_reported_by_itself() {
        let line =
            "--group_reporting --name=a --numjobs=2 --name=b --new_group --numjobs=2 --name=c";
        let with: Vec<bool> =
            parse(line).expect(line).iter().map(|job| job.reporting.with_group).collect();
        assert_eq!(with, [true, true, false, true, true]);
    }
}
