//! The job that a curve is of, and the job files made of it: one that finds its saturation, and one
//! with a stage for each level of load.

use anyhow::Result;
use fio_job::number::NS_PER_SECOND;
use fio_job::{IODEPTH_MAX, Job, LatencyFrom, Pace, Rate, RateProcess, Reporting};
use fio_output::log_names;

use super::file::Header;
use super::levels;
use crate::display;
use crate::dry_run;
use crate::exit::Exit;

/// Iodepth of the levels of load, if the job's own is not greater. In M/M/1 at 95 % one arrival in
/// 500,000 finds more before it.
pub const DEPTH: u32 = 256;
/// Most bytes in flight with that iodepth.
const IN_FLIGHT_BYTES_MAX: u32 = 32 << 20;
/// Runtime of a job that has none, in seconds.
pub const RUNTIME_S: u64 = 10;

/// I/Os a second of reads and of writes.
pub type Rates = [f64; 2];

/// A job that can be rated.
#[derive(Debug)]
pub struct Subject {
    /// The job as it is, but that its time ends it and nothing else, and that nothing holds its
    /// I/Os back.
    job: Job,
    /// Iodepth of the levels of load.
    depth: u32,
    /// Whether the runtime is not the job's own.
    pub has_default_runtime: bool,
}

impl Subject {
    /// Returns the job of a job file, with an iodepth for the levels of load if one is asked for.
    ///
    /// # Errors
    /// [`Exit::Usage`]: there are several, or it cannot be rated.
    pub fn of(jobs: &[Job], depth: Option<u32>) -> Result<Self> {
        let wrong = |why: String| Err(Exit::Usage(why).into());
        let [job] = jobs else {
            let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).take(4).collect();
            return wrong(format!(
                "{} jobs ({}); a load curve is of one: write a file for each, and raise iodepth= \
                 instead of numjobs=",
                jobs.len(),
                display::text(&names.join(", "))
            ));
        };
        if job.rw.trims() {
            return wrong(
                "a curve of trims is not drawn; give a job that reads or writes".to_owned(),
            );
        }
        if job.rw.reads() && job.rw.writes() && job.verify.is_some() {
            let why = "reads and writes that are checked keep their order, whatever is due; leave \
                       verify= out";
            return wrong(why.to_owned());
        }
        if job.number_ios.is_some() {
            let why = "each level ends by its time; leave number_ios= out, and set runtime=";
            return wrong(why.to_owned());
        }
        if !log_names(jobs).is_empty() {
            return wrong("curve keeps no logs; leave out the write_.._log options".to_owned());
        }
        let mut plain =
            Job { time_based: true, stonewall: false, steady_state: None, ..job.clone() };
        let has_default_runtime = job.runtime_ns.is_none();
        plain.runtime_ns = job.runtime_ns.or(Some(RUNTIME_S * NS_PER_SECOND));
        let Pace { start_delay_ns, ramp_ns, flush_after, sync_writes, batch, .. } =
            job.pace.clone();
        plain.pace =
            Pace { start_delay_ns, ramp_ns, flush_after, sync_writes, batch, ..Pace::default() };
        plain.reporting = Reporting { with_group: false, ..Reporting::default() };
        let most = (IN_FLIGHT_BYTES_MAX / job.bs_bytes.max(1)).clamp(1, DEPTH);
        let depth = depth.unwrap_or_else(|| job.iodepth.max(most)).min(IODEPTH_MAX);
        Ok(Self { job: plain, depth, has_default_runtime })
    }

    /// Returns what is kept of it, with its rates at saturation.
    pub fn header(&self, saturation: Rates) -> Header {
        let Job { name, iodepth, .. } = &self.job;
        Header { job: name.clone(), iodepth: *iodepth, depth: self.depth, saturation }
    }

    /// Returns the time that each of its runs takes, in milliseconds.
    pub fn runtime_ms(&self) -> u64 {
        self.job.runtime_ns.unwrap_or(0) / 1_000_000
    }

    /// Returns the iodepth of the levels of load.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Returns the job file that finds its saturation.
    pub fn saturating(&self) -> String {
        dry_run::jobs(std::slice::from_ref(&self.job))
    }

    /// Returns the job file with these levels of load, in per cent of these rates, each a stage.
    pub fn loaded(&self, saturation: Rates, levels: &[f64]) -> String {
        let stages = levels.iter().enumerate().map(|(index, &percent)| {
            let job = Job { stonewall: index != 0, ..self.level(saturation, percent) };
            dry_run::jobs(&[job])
        });
        stages.collect()
    }

    /// Returns the job of a level of load.
    fn level(&self, [reads, writes]: Rates, percent: f64) -> Job {
        let Job { rw, .. } = self.job;
        // That of a direction which the job does not have is never used.
        let [read, write] = match (rw.reads(), rw.writes()) {
            (true, true) => [reads, writes],
            _ => [reads + writes; 2],
        };
        let [read, write] = [read, write].map(|rate| Some(levels::rate(rate, percent)));
        let mut job = self.job.clone();
        job.name = format!("{}@{percent}%", self.job.name);
        job.pace.rate = Some(Rate { in_ios: true, read, write, trim: write });
        (job.pace.process, job.pace.latency_from) = (RateProcess::Poisson, LatencyFrom::Due);
        // A synchronous engine would keep one in flight, whatever the depth.
        (job.iodepth, job.ioengine) = (self.depth, None);
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fio_job::{Direction, parse_file};

    fn subject(options: &str) -> Result<Subject, String> {
        let text = format!("[job]\n{}\n", options.replace(' ', "\n"));
        let jobs = parse_file(&text).expect(&text);
        Subject::of(&jobs, None).map_err(|error| {
            assert!(error.is::<Exit>());
            error.to_string()
        })
    }

    #[test]
    fn a_level_is_the_job_with_its_rate() {
        let options = "rw=randrw rwmixread=70 bs=8k iodepth=1 runtime=5 filename=xvda \
                       ioengine=sync ramp_time=1 norandommap";
        let subject = subject(options).unwrap();
        let levels = parse_file(&subject.loaded([700.0, 300.4], &[10.0, 97.5])).unwrap();
        let [first, last] = &levels[..] else { panic!("{levels:#?}") };
        assert_eq!((&*first.name, &*last.name), ("job@10%", "job@97.5%"));
        assert_eq!((first.stonewall, last.stonewall), (false, true));
        for (job, rates) in [(first, [70, 30]), (last, [683, 293])] {
            let of = |direction| job.pace.rate.and_then(|rate| rate.of(direction)).unwrap();
            assert_eq!([Direction::Read, Direction::Write].map(of), rates);
            assert_eq!(job.pace.process, RateProcess::Poisson);
            assert_eq!(job.pace.latency_from, LatencyFrom::Due);
            assert_eq!((job.iodepth, job.ioengine), (256, None));
            let mut plain = job.clone();
            plain.pace = Pace { ramp_ns: job.pace.ramp_ns, ..Pace::default() };
            (plain.name, plain.stonewall) = ("job".to_owned(), false);
            (plain.iodepth, plain.ioengine) = (subject.job.iodepth, subject.job.ioengine);
            assert_eq!(plain, subject.job);
        }
    }

    #[test]
    fn saturation_is_that_of_the_job_without_what_holds_it_back() {
        let held = "rate_iops=5 rate_process=poisson thinktime=9 percentile_list=50 number_ios=";
        let plain = subject("rw=read iodepth=4 ramp_time=2").unwrap();
        assert!(plain.has_default_runtime);
        let options =
            format!("rw=read iodepth=4 ramp_time=2 {}", held.trim_end_matches(" number_ios="));
        assert_eq!(subject(&options).unwrap().saturating(), plain.saturating());
        let [job] = &parse_file(&plain.saturating()).unwrap()[..] else { panic!("{plain:?}") };
        assert_eq!((job.runtime_ns, job.time_based), (Some(10 * NS_PER_SECOND), true));
        assert_eq!((job.pace.rate, job.iodepth, &*job.name), (None, 4, "job"));
        assert!(!subject("rw=read runtime=3").unwrap().has_default_runtime);
        let ends_early = subject("rw=read runtime=99 steadystate=auto").unwrap();
        let whole = subject("rw=read runtime=99").unwrap();
        assert_eq!(ends_early.saturating(), whole.saturating());
    }

    #[test]
    fn the_depth_is_large_but_not_of_large_ios() {
        for (options, depth, expected) in [
            ("iodepth=1", None, 256),
            ("iodepth=1000", None, 1000),
            ("iodepth=1 bs=1m", None, 32),
            ("iodepth=64 bs=1m", None, 64),
            ("iodepth=64 bs=16m", Some(3), 3),
        ] {
            let text = format!("[a]\n{}\n", options.replace(' ', "\n"));
            let subject = Subject::of(&parse_file(&text).unwrap(), depth).unwrap();
            assert_eq!(subject.depth(), expected, "{options}");
        }
    }

    #[test]
    fn a_job_that_cannot_be_rated_is_refused_with_what_to_do() {
        for (options, told) in [
            ("numjobs=3", "3 jobs (job, job, job); a load curve is of one: write a file for each"),
            ("rw=trim filename=xvda", "a curve of trims"),
            ("rw=randrw verify=crc32c filename=xvda", "leave verify= out"),
            ("number_ios=5", "leave number_ios= out, and set runtime="),
            ("write_iops_log=x log_avg_msec=500 runtime=5", "curve keeps no logs"),
        ] {
            let error = subject(options).unwrap_err();
            assert!(error.contains(told), "{options}: {error}");
        }
    }
}
