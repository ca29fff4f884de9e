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
}
