//! What a guest is asked to do, read as it will read it. This, and not what it says, bounds what is
//! taken from it.

use std::path::Path;

use anyhow::Result;
use bench::{GrantMode, Job, JobError, job, result};

use crate::Usage;

/// The jobs of a run.
#[derive(Debug)]
pub struct Plan {
    jobs: Vec<Job>,
}

impl Plan {
    /// The jobs of this text of a job file.
    ///
    /// # Errors
    /// [`Usage`]: the first thing that is wrong with it.
    pub fn of_file(path: &Path, text: &str) -> Result<Self> {
        let wrong = |error: JobError| Usage(format!("{}: {error}", path.display()));
        Ok(Self { jobs: job::parse_file(text).map_err(wrong)? })
    }

    /// The jobs on the command line of a guest with so many disks. If there are none it reads from
    /// each disk, with pages granted in each way.
    ///
    /// # Errors
    /// [`Usage`]: the first thing that is wrong with it.
    pub fn of_line(line: &str, disk_count: usize) -> Result<Self> {
        let words: Vec<&str> =
            line.split_ascii_whitespace().filter(|word| !is_kernels(word)).collect();
        let mut jobs = job::parse(&words.join(" ")).map_err(|error| Usage(error.to_string()))?;
        if jobs.is_empty() {
            let modes = |_| GrantMode::ALL.map(|grants| Job::default_for("xvda", grants));
            jobs = (0..disk_count).flat_map(modes).collect();
        }
        Ok(Self { jobs })
    }

    /// The jobs in their order, clones (`numjobs=`) too.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The longest result, in bytes.
    pub fn result_bytes_max(&self) -> usize {
        result::report_bytes_max(&self.jobs)
    }
}

/// Whether a word of the command line is no option of a job but one for the guest's kernel.
fn is_kernels(word: &str) -> bool {
    let (key, _) = word.split_once('=').unwrap_or((word, ""));
    ["hold", "selftest", "help", "--help", "mode", "hypercall"].contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_those_of_the_guest() {
        let file = Plan::of_file(Path::new("x"), "[a]\nnumjobs=3\n[b]\n").unwrap();
        assert_eq!(file.jobs().len(), 4);
        assert!(file.result_bytes_max() > Plan::of_line("bs=8k", 1).unwrap().result_bytes_max());
        for (line, count) in [
            ("bs=4k hold mode=ls", 1),
            ("--name=a --rw=read --name=b", 2),
            ("", 6),
            ("hypercall=page", 6),
        ] {
            assert_eq!(Plan::of_line(line, 2).unwrap().jobs().len(), count, "{line}");
        }
    }

    #[test]
    fn what_the_guest_would_refuse_is_refused() {
        let error = Plan::of_file(Path::new("job.fio"), "[a]\niodpeth=4").unwrap_err();
        let expected = "job.fio: line 2: unknown option \"iodpeth\"; did you mean iodepth?";
        assert!(error.is::<Usage>() && error.to_string() == expected, "{error}");
        assert!(Plan::of_line("bs=x", 1).unwrap_err().is::<Usage>());
    }
}
