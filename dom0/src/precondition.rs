//! `--precondition`: stages in front of a job that bring its disks into the state in which they
//! stay.
//!
//! First writes to new blocks of a thin volume, or to an SSD that was trimmed, take other times
//! than all later ones. So what the job uses of its disks is written once in full, then as the job
//! writes until that is steady, and only then the job runs; all in one guest. What these stages did
//! is none of the job's figures: the report has it by itself.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use fio_job::number::{Amount, NS_PER_SECOND};
use fio_job::{Job, Reporting, Rw, SteadyState};
use results::{Preconditioning, Report};
use xl_config::Config;

use crate::dry_run;
use crate::exit::Exit;

/// Largest block that disks are filled with, in bytes.
const FILL_BYTES: u32 = 1 << 20;
/// I/Os in flight while they are filled.
const FILL_IODEPTH: u32 = 8;

/// Disks that may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Disks that the job itself writes
    Written,
    /// Disks that it only reads, too: their data is lost
    Force,
}

/// Options of the writes before a job.
#[derive(Args, Debug)]
pub struct Precondition {
    /// Before the job, write what it uses of its disks once in full, then as the job writes until
    /// that is steady; with =force also where the job only reads, which destroys what is there
    #[arg(long, value_enum, value_name = "WAY", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "written")]
    precondition: Option<Way>,
    /// Longest time to wait until writes are steady, in seconds, for each stage of the job
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "precondition")]
    #[arg(value_parser = clap::value_parser!(u32).range(30..=86_400))]
    precondition_limit: u32,
}

/// Jobs that run before those that are measured.
#[derive(Debug)]
pub struct Preparation(Vec<Job>);

impl Precondition {
    /// Returns what is to run before these jobs on a guest's disks; `None` if nothing is asked for.
    ///
    /// # Errors
    /// [`Exit::Usage`]: what would be destroyed, or cannot be written.
    pub fn before(&self, jobs: &[Job], config: &Config) -> Result<Option<Preparation>> {
        let Some(way) = self.precondition else { return Ok(None) };
        let named = named(jobs, config)?;
        for job in &named {
            check(job, &named, way, config)?;
        }
        let mut first: Vec<Job> = Vec::new();
        for job in named.iter().map(fill) {
            if first.iter().all(|one| Job { name: job.name.clone(), ..one.clone() } != job) {
                first.push(job);
            }
        }
        let limit = Duration::from_secs(self.precondition_limit.into());
        for stage in fio_job::stages(&named) {
            let writes = stage.iter().filter(|job| job.rw.writes()).map(|job| settle(job, limit));
            let begin = first.len();
            first.extend(writes);
            if let Some(job) = first.get_mut(begin) {
                job.stonewall = true;
            }
        }
        Ok(Some(Preparation(first)))
    }
}

impl Preparation {
    /// Returns a job file of its jobs and then these.
    pub fn with(&self, jobs: &[Job]) -> String {
        let mut all = self.0.clone();
        all.extend(jobs.iter().cloned());
        if let Some(job) = all.get_mut(self.0.len()) {
            job.stonewall = true;
        }
        dry_run::jobs(&all)
    }

    /// Takes its jobs out of a report, which says then what they did.
    pub fn take_from(&self, report: &mut Report) {
        let entries = results::reported(&self.0).count().min(report.jobs.len());
        let done: Vec<_> = report.jobs.drain(..entries).collect();
        let stages = fio_job::stages(&self.0).count() as u64;
        for job in &mut report.jobs {
            job.groupid = job.groupid.saturating_sub(stages);
        }
        let Some(run) = &mut report.ringmark else { return };
        let settling =
            |name: &str| self.0.iter().any(|job| job.name == name && job.steady_state.is_some());
        let (settled, filled): (Vec<_>, Vec<_>) =
            done.iter().partition(|job| settling(&job.jobname));
        let steadiness = settled.iter().filter_map(|job| job.ringmark.as_ref()?.steadiness.clone());
        run.preconditioning = Some(Preconditioning {
            filled_bytes: filled.iter().map(|job| job.write.io_bytes).fold(0, u64::saturating_add),
            filled_ms: filled.iter().map(|job| job.job_runtime).fold(0, u64::saturating_add),
            settled: steadiness.collect(),
        });
    }
}

/// Returns the jobs, each with the disks that it uses: without a name, all that may be written.
fn named(jobs: &[Job], config: &Config) -> Result<Vec<Job>> {
    let names = config.disk_names()?;
    let writable = || names.iter().zip(&config.disks).filter(|(_, disk)| !disk.is_read_only());
    let all: Vec<String> = writable().map(|(name, _)| name.clone()).collect();
    let with_disks = |job: &Job| Job {
        disks: if job.disks.is_empty() { all.clone() } else { job.disks.clone() },
        ..job.clone()
    };
    Ok(jobs.iter().map(with_disks).collect())
}

/// Checks that what a job uses of its disks may be written.
fn check(job: &Job, all: &[Job], way: Way, config: &Config) -> Result<()> {
    let name = &job.name;
    let refuse = |is_refused: bool, why: String| {
        ensure!(!is_refused, Exit::Usage(format!("--precondition: {why}")));
        Ok(())
    };
    refuse(
        job.file.is_some(),
        format!("job {name} is on a file, and only whole disks are written; leave it out"),
    )?;
    refuse(
        !job.rw.changes() && job.verify.is_some(),
        format!(
            "job {name} checks what is on its disks already, which would be lost; leave it out"
        ),
    )?;
    let names = config.disk_names()?;
    for disk in &job.disks {
        let mut found = names.iter().zip(&config.disks);
        refuse(
            found.any(|(name, given)| name == disk && given.is_read_only()),
            format!("{disk} is read-only; attach it with access w, or leave --precondition out"),
        )?;
        // Parts are compared as they are written: a percentage is not known to be within another.
        let writes_there = |one: &Job| {
            let is_all = one.offset == Amount::Bytes(0) && one.size.is_none();
            let is_same = (one.offset, one.size) == (job.offset, job.size);
            one.rw.changes() && one.disks.contains(disk) && (is_all || is_same)
        };
        refuse(
            way == Way::Written && !all.iter().any(writes_there),
            format!(
                "no job writes to {disk} where job {name} reads, and what is there would be lost; \
                 use --precondition=force if it may be"
            ),
        )?;
    }
    Ok(())
}

/// Returns the job that writes what this one uses of its disks, once, in order.
fn fill(job: &Job) -> Job {
    let size = match job.size {
        Some(Amount::Bytes(bytes)) => bytes,
        Some(Amount::Percent(_)) | None => 0,
    };
    // The largest power of two that leaves nothing over, if all is known.
    let bs_bytes = match size.trailing_zeros() {
        zeros if size != 0 && zeros < FILL_BYTES.trailing_zeros() => 1 << zeros,
        _ => FILL_BYTES,
    };
    Job {
        name: "precondition: fill".to_owned(),
        rw: Rw::Write,
        bs_bytes,
        iodepth: FILL_IODEPTH,
        stonewall: true,
        offset: job.offset,
        size: job.size,
        ..on_the_disks_of(job)
    }
}

/// Returns the job that writes as this one does until that is steady, or for so long.
fn settle(job: &Job, limit: Duration) -> Job {
    let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    let own = on_the_disks_of(job);
    Job {
        name: "precondition: settle".to_owned(),
        runtime_ns: Some(limit_ns.max(NS_PER_SECOND)),
        time_based: true,
        steady_state: Some(SteadyState::Auto),
        stonewall: false,
        io_size: None,
        loops: 1,
        number_ios: None,
        // As fast as it goes, and nothing else.
        pace: own.pace,
        verify: None,
        reporting: Reporting::default(),
        ..job.clone()
    }
}

/// Returns a job on the same disks, connected in the same way.
fn on_the_disks_of(job: &Job) -> Job {
    Job {
        disks: job.disks.clone(),
        grants: job.grants,
        queues: job.queues,
        indirect: job.indirect,
        bind: job.bind,
        ..Job::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use results::{JobReport, Run, Side, Steadiness};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        precondition: Precondition,
    }

    fn options(arguments: &[&str]) -> Precondition {
        Line::try_parse_from([&["x"], arguments].concat()).expect("options").precondition
    }

    fn config() -> Config {
        let disks = ["phy:/dev/a,xvda,w", "phy:/dev/b,xvdb,w", "phy:/dev/c,xvdc,r"];
        let disks = disks.map(|disk| xl_config::Disk::parse(disk).expect(disk));
        Config { name: "x".into(), disks: disks.into(), ..Config::default() }
    }

    /// Returns the job file with what runs before these jobs.
    fn whole(arguments: &[&str], file: &str) -> Result<String, String> {
        let jobs = fio_job::parse_file(file).expect(file);
        let before = options(arguments).before(&jobs, &config());
        let before = before.map_err(|error| {
            assert!(error.is::<Exit>());
            error.to_string()
        })?;
        Ok(before.map_or_else(|| dry_run::jobs(&jobs), |before| before.with(&jobs)))
    }

    #[test]
    fn what_the_job_uses_is_written_and_then_as_it_writes() {
        let file = "[a]\nrw=randwrite\nbs=8k\niodepth=4\nfilename=xvda\noffset=1g\nsize=50%\n\
                    rate_iops=9\nramp_time=5\nruntime=60\ntime_based\nnumjobs=2\ngroup_reporting\n\
                    [b]\nrw=randread\nfilename=xvda\nstonewall\n";
        // What the second job reads is more than the first writes.
        let error = whole(&["--precondition"], file).expect_err("it would be lost");
        assert!(error.contains("no job writes to xvda where job b reads"), "{error}");
        let options = ["--precondition=force", "--precondition-limit=90"];
        let text = whole(&options, file).expect("a file");
        let jobs = fio_job::parse_file(&text).expect(&text);
        let stages: Vec<usize> = fio_job::stages(&jobs).map(<[Job]>::len).collect();
        assert_eq!(stages, [1, 1, 2, 2, 1], "{text}");
        let [fill, all, settle, other, measured @ ..] = &jobs[..] else { panic!("{text}") };
        assert_eq!((fill.rw, fill.bs_bytes, fill.runtime_ns), (Rw::Write, 1 << 20, None));
        let part = |job: &Job| (job.offset, job.size);
        assert_eq!(part(fill), (Amount::Bytes(1 << 30), Some(Amount::Percent(50))));
        assert_eq!(part(all), (Amount::Bytes(0), None), "what the second job reads");
        assert_eq!((settle.rw, settle.bs_bytes, settle.iodepth), (Rw::RandWrite, 8192, 4));
        assert_eq!(settle.steady_state, Some(SteadyState::Auto));
        assert_eq!((settle.runtime_ns, settle.time_based), (Some(90 * NS_PER_SECOND), true));
        assert_eq!((&settle.pace, part(settle)), (&Job::default().pace, part(fill)));
        assert!(!settle.reporting.with_group && other.stonewall != settle.stonewall);
        let mut asked = fio_job::parse_file(file).expect(file);
        asked[0].stonewall = true;
        assert_eq!(measured, asked);
    }

    #[test]
    fn equal_parts_are_written_once_and_small_ones_to_the_end() {
        let fills = |file: &str| {
            let text = whole(&["--precondition"], file).expect("a file");
            let jobs = fio_job::parse_file(&text).expect(&text);
            let fills = jobs.into_iter().filter(|job| job.name.ends_with("fill"));
            fills.map(|job| job.bs_bytes).collect::<Vec<_>>()
        };
        let job = "[a]\nrw=write\nfilename=xvda:xvdb\n";
        assert_eq!(fills(&format!("{job}numjobs=3\n")), [1 << 20]);
        assert_eq!(fills(&format!("{job}numjobs=2\noffset_increment=1m\n")), [1 << 20; 2]);
        assert_eq!(fills(&format!("{job}size=80k\n")), [16 << 10]);
        assert_eq!(fills(&format!("{job}size=4m\n")), [1 << 20]);
    }

    #[test]
    fn what_would_be_lost_is_not_written_unless_it_may_be() {
        let read = "[a]\nrw=randread\nfilename=xvdb\n";
        let error = whole(&["--precondition"], read).expect_err("only read");
        assert!(error.contains("no job writes to xvdb") && error.contains("=force"), "{error}");
        let text = whole(&["--precondition=force"], read).expect("allowed");
        assert!(text.starts_with("[precondition: fill]\nrw=write\n"), "{text}");
        assert!(!text.contains("settle"), "it writes nothing: {text}");
        assert_eq!(whole(&[], read), Ok(dry_run::jobs(&fio_job::parse_file(read).unwrap())));
        // A disk that another job writes may be.
        assert!(
            whole(&["--precondition"], &format!("{read}[b]\nrw=write\nfilename=xvdb\n")).is_ok()
        );
        for (job, why) in [
            ("rw=write\nfilename=xvda:/f\nallow_file_overwrite=1\nsize=1m", "is on a file"),
            ("rw=randread\nfilename=xvda\nverify=crc32c", "checks what is on its disks"),
            ("rw=randread\nfilename=xvdc", "xvdc is read-only"),
        ] {
            let file = format!("[a]\n{job}\n");
            let error = whole(&["--precondition=force"], &file).expect_err(job);
            assert!(error.contains(why), "{error}");
        }
        // Disks that are not named are those that may be written.
        let text = whole(&["--precondition=force"], "[a]\nrw=read\n").expect("allowed");
        assert!(
            text.contains("\nfilename=/dev/xvda:/dev/xvdb\n") && !text.contains("xvdc"),
            "{text}"
        );
    }

    #[test]
    fn a_report_is_of_the_job_and_says_what_was_before() {
        let file = "[a]\nrw=randwrite\nfilename=xvda\n";
        let jobs = fio_job::parse_file(file).expect(file);
        let before = options(&["--precondition"]).before(&jobs, &config()).expect("allowed");
        let before = before.expect("asked for");
        let entry = |name: &str, groupid, io_bytes| JobReport {
            jobname: name.to_owned(),
            groupid,
            job_runtime: 7,
            write: Side { io_bytes, ..Side::default() },
            ringmark: Some(results::Extra {
                steadiness: Some(Steadiness { windows: io_bytes, ..Steadiness::default() }),
                ..results::Extra::default()
            }),
            ..JobReport::default()
        };
        let [fill, settle] = ["precondition: fill", "precondition: settle"];
        let all = [entry(fill, 0, 100), entry(settle, 1, 300), entry("a", 2, 9)];
        for count in 0..=3 {
            let mut report = Report {
                jobs: all[..count].to_vec(),
                ringmark: Some(Run::default()),
                ..Report::default()
            };
            before.take_from(&mut report);
            assert_eq!(report.jobs.len(), count.saturating_sub(2));
            assert!(report.jobs.iter().all(|job| (job.groupid, &*job.jobname) == (0, "a")));
            let done = report.ringmark.and_then(|run| run.preconditioning).expect("what was done");
            let filled = if count > 0 { (100, 7) } else { (0, 0) };
            assert_eq!((done.filled_bytes, done.filled_ms), filled);
            assert_eq!(done.settled.len(), usize::from(count > 1));
            assert!(done.settled.iter().all(|one| one.windows == 300));
        }
    }
}
