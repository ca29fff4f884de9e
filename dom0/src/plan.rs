//! Plan of what a guest is asked to do, read as the guest will read it. This, and not what the
//! guest says, bounds what is taken from it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use fio_job::{Checked, Job, JobError, LOG_SAMPLES_MAX, SteadyState};
use guest_protocol::CommandLine;
use results::{Report, WINDOWS_MAX};

use crate::display;
use crate::exit::Exit;
use crate::printable::Limits;

/// Time that a guest may need beyond twice that of its jobs: to boot, to connect, to get out of a
/// backend that is stuck, to print its result.
const GRACE: Duration = Duration::from_secs(600);

/// Most disks of a guest, which a job uses that names none: `xvda` to `xvdz`.
const DISKS_MAX: usize = 26;
/// Most classes of iodepth, batch size or latency.
const CLASSES_MAX: usize = 12;
/// Most members of an object: a job has 35, and an option each.
const MEMBERS_MAX: usize = 256;
/// Longest name of a member, in bytes: of fio's figures, or of an option.
const NAME_BYTES_MAX: usize = 64;
/// Longest text of a guest, in bytes, beyond what its jobs' options have: why it failed.
const TEXT_BYTES_MAX: usize = 1024;

/// The jobs of a run.
#[derive(Debug)]
pub struct Plan {
    jobs: Vec<Job>,
    /// Flag: these are the default jobs, which are named after the disks that the guest finds.
    by_disk: bool,
    /// Warnings about the jobs, a line each.
    warnings: Vec<String>,
}

impl Plan {
    /// The jobs of this text of a job file.
    ///
    /// # Errors
    /// [`Exit::Usage`]: the first thing that is wrong with it.
    pub fn of_file(path: &Path, text: &str) -> Result<Self> {
        let wrong = |error: JobError| {
            let error = display::text(&error.to_string());
            Exit::Usage(format!("{}: {error}", display::path(path)))
        };
        Ok(Self::of_text(text).map_err(wrong)?)
    }

    /// The same.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn of_text(text: &str) -> Result<Self, JobError> {
        let Checked { jobs, warnings } = fio_job::check_file(text)?;
        Ok(Self { jobs, by_disk: false, warnings: fio_job::summary(&warnings) })
    }

    /// The jobs on the command line of a guest with these disks. If there are none it reads from
    /// each disk, with pages granted in each way.
    ///
    /// # Errors
    /// [`Exit::Usage`]: the first thing that is wrong with it.
    pub fn of_line(line: &str, disks: &[String]) -> Result<Self> {
        let line = CommandLine::parse(line).map_err(|why| Exit::Usage(why.to_owned()))?;
        let wrong = |error: JobError| Exit::Usage(display::text(&error.to_string()));
        let Checked { mut jobs, warnings } = fio_job::check_line(&line.jobs).map_err(wrong)?;
        let by_disk = jobs.is_empty();
        if by_disk {
            jobs = disks.iter().flat_map(|disk| Job::defaults_for(disk)).collect();
        }
        Ok(Self { jobs, by_disk, warnings: fio_job::summary(&warnings) })
    }

    /// Returns the warnings about the jobs, a line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The jobs in their order, clones (`numjobs=`) too.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The longest result, in bytes.
    pub fn result_bytes_max(&self) -> usize {
        results::report_bytes_max(&self.jobs)
    }

    /// Returns the most of everything that a result of these jobs has.
    pub fn limits(&self) -> Limits {
        let most = |of: &dyn Fn(&Job) -> usize| self.jobs.iter().map(of).max().unwrap_or(0);
        let disks = |job: &Job| if job.disks.is_empty() { DISKS_MAX } else { job.disks.len() };
        let options = |job: &Job| job.options().iter().map(|(_, v)| v.len()).max().unwrap_or(0);
        // Where none has a log, the logs themselves are refused.
        let samples = self.jobs.iter().filter_map(results::log_samples).max();
        let samples = samples.unwrap_or(LOG_SAMPLES_MAX as usize);
        let classes = ["iodepth_level", "iodepth_submit", "iodepth_complete"];
        let classes = classes.into_iter().chain(["latency_ns", "latency_us", "latency_ms"]);
        let others = [
            ("jobs", results::reported(&self.jobs).count()),
            ("disks", most(&disks)),
            ("bins", results::BUCKETS),
            ("percentile", most(&|job| job.reporting.percentiles.len())),
            ("logs", self.jobs.len()),
            ("samples", samples),
            ("ios", WINDOWS_MAX),
            ("iops", most(&steady_samples)),
            ("bw", most(&steady_samples)),
        ];
        Limits {
            items_of: classes.map(|name| (name, CLASSES_MAX)).chain(others).collect(),
            items: MEMBERS_MAX,
            name_bytes: NAME_BYTES_MAX,
            string_bytes: TEXT_BYTES_MAX + most(&|job| job.name.len()) + most(&options),
        }
    }

    /// Checks that a report within the [limits](Self::limits) is of these jobs, or of the first of
    /// them: a run may end early.
    ///
    /// # Errors
    /// The first job that is another.
    pub fn check(&self, report: &Report) -> Result<()> {
        const ADVICE: &str = "use guest and tool of the same version";
        let planned = results::reported(&self.jobs);
        for ((number, job), (groupid, members)) in (1..).zip(&report.jobs).zip(planned) {
            let name = members.first().map_or("", |first| &first.name);
            let is_named = match self.by_disk {
                true => is_disk(&job.jobname),
                false => job.jobname == name,
            };
            let shown = display::text(&job.jobname);
            ensure!(is_named, "job {number} of the result is {shown}, not {name}; {ADVICE}");
            ensure!(
                job.groupid == groupid,
                "job {shown} is of group {}, not {groupid}; {ADVICE}",
                job.groupid
            );
            let (sum, members) = (job.ringmark.as_ref(), members.len());
            if let Some(sum) = sum.filter(|sum| sum.members != members as u64) {
                bail!(
                    "{shown} has the figures of {} jobs, not of {members}; {ADVICE}",
                    sum.members
                );
            }
        }
        Ok(())
    }

    /// Returns the number of stages, whose jobs run together.
    pub fn stage_count(&self) -> u32 {
        u32::try_from(fio_job::stages(&self.jobs).count()).unwrap_or(u32::MAX)
    }

    /// Returns how long the jobs take at least: those that end by their time (`time_based`) take
    /// all of it, unless they may be steady before (`steadystate=`).
    pub fn least_time(&self) -> Duration {
        let takes_all = |job: &Job| job.time_based && job.steady_state.is_none();
        let time = |job: &Job| time_ns(job).filter(|_| takes_all(job)).unwrap_or(0);
        let stage = |jobs: &[Job]| jobs.iter().map(time).max().unwrap_or(0);
        let all_ns = fio_job::stages(&self.jobs).map(stage).fold(0, u64::saturating_add);
        Duration::from_nanos(all_ns)
    }

    /// Returns how long a guest may take for all of it: `None` if a job ends with its bytes and not
    /// by its time (`runtime=`), or reads back what it wrote.
    pub fn time_limit(&self) -> Option<Duration> {
        Some(self.expected_time()?.saturating_mul(2).saturating_add(GRACE))
    }

    /// Returns how long the jobs take by their times: `None` if one ends otherwise, as for
    /// [`time_limit`](Self::time_limit).
    pub fn expected_time(&self) -> Option<Duration> {
        let stage =
            |jobs: &[Job]| jobs.iter().map(time_ns).try_fold(0, |most, ns| Some(ns?.max(most)));
        let all_ns = fio_job::stages(&self.jobs)
            .map(stage)
            .try_fold(0_u64, |sum, ns| Some(sum.saturating_add(ns?)))?;
        Some(Duration::from_nanos(all_ns))
    }
}

/// Returns whether a name may be that of a disk in the guest: `xvda`, `51712`.
fn is_disk(name: &str) -> bool {
    (1..=16).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns the number of the samples by which a job is judged, if fio's rule is to end it.
fn steady_samples(job: &Job) -> usize {
    match &job.steady_state {
        Some(SteadyState::Within(judged)) => judged.samples as usize,
        Some(SteadyState::Auto) | None => 0,
    }
}

/// Returns the longest time of a job, from the start of its stage, if it has a limit.
fn time_ns(job: &Job) -> Option<u64> {
    let parts = [job.runtime_ns?, job.pace.start_delay_ns, job.pace.ramp_ns];
    (!job.reads_back()).then(|| parts.into_iter().fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_those_of_the_guest() {
        let file = Plan::of_file(Path::new("x"), "[a]\nnumjobs=3\n[b]\n").unwrap();
        assert_eq!(file.jobs().len(), 4);
        assert!(
            file.result_bytes_max()
                > Plan::of_line("bs=8k", &["xvda".into()]).unwrap().result_bytes_max()
        );
        for (line, count) in [
            ("bs=4k hold mode=ls", 1),
            ("--name=a --rw=read --name=b", 2),
            ("", 6),
            ("hypercall=page", 6),
        ] {
            assert_eq!(
                Plan::of_line(line, &["xvda".into(), "xvdb".into()]).unwrap().jobs().len(),
                count,
                "{line}"
            );
        }
    }

    #[test]
    fn the_least_time_is_that_of_jobs_that_end_by_it() {
        for (line, least) in [
            ("runtime=10", 0),
            ("runtime=10 time_based startdelay=5 ramp_time=1", 16),
            ("time_based --name=a --runtime=10 --name=b --runtime=30", 30),
            ("time_based --name=a --runtime=10 --name=b --runtime=30 --stonewall", 40),
            ("--name=a --runtime=10 --time_based --name=b --size=1g", 10),
        ] {
            let plan = Plan::of_line(line, &["xvda".to_owned()]).unwrap();
            assert_eq!(plan.least_time().as_secs(), least, "{line}");
        }
    }

    #[test]
    fn time_is_limited_where_all_jobs_are() {
        let limit_s = |line: &str| {
            let limit = Plan::of_line(line, &["xvda".into()]).unwrap().time_limit();
            limit.map(|limit| limit.as_secs().saturating_sub(GRACE.as_secs()))
        };
        for (line, limit) in [
            ("runtime=10", Some(20)),
            ("runtime=10 time_based startdelay=5 ramp_time=1", Some(32)),
            ("--name=a --runtime=10 --name=b --runtime=30", Some(60)),
            ("--name=a --runtime=10 --name=b --runtime=30 --stonewall", Some(80)),
            ("runtime=10; runtime=5", Some(30)),
            ("hold", Some(18)),
            ("size=1m", None),
            ("--name=a --runtime=10 --name=b", None),
            ("runtime=10; size=1m", None),
            ("rw=write runtime=10 verify=crc32c filename=xvda", None),
            ("rw=write runtime=10 verify=crc32c do_verify=0 filename=xvda", Some(20)),
        ] {
            assert_eq!(limit_s(line), limit, "{line}");
        }
    }

    #[test]
    fn what_the_guest_would_refuse_is_refused() {
        let error = Plan::of_file(Path::new("job.fio"), "[a]\niodpeth=4").unwrap_err();
        let expected = "job.fio: line 2: unknown option \"iodpeth\"; did you mean iodepth?";
        assert!(error.is::<Exit>() && error.to_string() == expected, "{error}");
        assert!(Plan::of_line("bs=x", &["xvda".into()]).unwrap_err().is::<Exit>());
        assert!(Plan::of_line("mode=x", &["xvda".into()]).unwrap_err().is::<Exit>());
    }
}
