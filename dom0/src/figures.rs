//! The figures that are compared and plotted: those of each job and direction of a report, ours or
//! fio's own.

use anyhow::{Result, bail, ensure};
use results::{Extra, JobReport, Report, Side};

use crate::result;

/// Figures of a job in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// `jobname`.
    pub job: String,
    /// `read`, `write` or `trim`.
    pub direction: &'static str,
    /// I/Os a second.
    pub iops: f64,
    /// Bytes a second.
    pub bytes_per_second: f64,
    /// The mean of all latencies, from submission to completion, in nanoseconds.
    pub mean_ns: f64,
    /// Percentiles of the completion latency, ascending: per cent, nanoseconds.
    pub percentiles: Vec<(f64, f64)>,
    /// Numbers of I/Os that completed in so many nanoseconds, ascending, where the report has bins
    /// (`json+`).
    pub bins: Vec<(f64, u64)>,
    /// `iodepth=`, 1 unless the job has it.
    pub iodepth: u32,
    /// Kind of I/O, as the job's options spell it: `randread 4k`.
    pub kind: String,
    /// Grant mode; empty in fio's own reports.
    pub grants: String,
    /// Pages that the backends kept mapped, of those that the I/Os used, if that was counted.
    pub kept: Option<(u64, u64)>,
    /// Time stolen from the vCPU, in nanoseconds and in per cent, if it is known.
    pub stolen: Option<(u64, f64)>,
}

/// Strongest reasons to doubt the figures of some runs of one job.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Doubts {
    /// The least share of pages kept.
    pub kept: Option<(u64, u64)>,
    /// The greatest share of time stolen.
    pub stolen: Option<(u64, f64)>,
}

impl Doubts {
    /// Returns the reasons to doubt these runs.
    pub fn about<'a>(runs: impl Iterator<Item = &'a Figures> + Clone) -> Self {
        let share = |&(kept, used): &(u64, u64)| kept as f64 / used.max(1) as f64;
        let kept = runs.clone().filter_map(|run| run.kept).filter(|(_, used)| *used != 0);
        Self {
            kept: kept.min_by(|one, other| share(one).total_cmp(&share(other))),
            stolen: runs
                .filter_map(|run| run.stolen)
                .max_by(|one, other| one.1.total_cmp(&other.1)),
        }
    }

    /// Returns the notes to print below the figures, one line each; empty if there are none.
    pub fn marks(&self) -> Vec<String> {
        let extra = Extra {
            backend_pages_kept: self.kept.map(|(kept, _)| kept),
            pages_used: self.kept.map(|(_, used)| used),
            stolen_ns: self.stolen.map(|(ns, _)| ns),
            stolen_percent: self.stolen.map(|(_, percent)| percent),
            ..Extra::default()
        };
        extra.marks()
    }
}

impl Figures {
    /// Returns the figures of each job's directions that did any I/O, in order.
    ///
    /// # Errors
    /// When the run or a job failed, or none did any I/O.
    pub fn of(report: &Report) -> Result<Vec<Self>> {
        if let Some(reason) = result::failure(report) {
            bail!("the run failed: {reason}");
        }
        let mut all = Vec::new();
        for job in &report.jobs {
            ensure!(job.error == 0, "job {} ended with error {}", job.jobname, job.error);
            let sides = job.sides().into_iter().filter(|(_, side)| side.total_ios != 0);
            all.extend(sides.map(|(direction, side)| Self::read(report, job, direction, side)));
        }
        ensure!(!all.is_empty(), "no job did any I/O");
        Ok(all)
    }

    fn read(report: &Report, job: &JobReport, direction: &'static str, side: &Side) -> Self {
        let option = |names: [&str; 2]| {
            let all = [&job.options, &report.global_options].into_iter();
            let found = all.flat_map(|options| names.map(|name| options.value(name))).flatten();
            found.map(String::as_str).next()
        };
        let iodepth = option(["iodepth"; 2]).and_then(|text| text.parse().ok());
        let rw = option(["rw", "readwrite"]).unwrap_or("read");
        let bs = option(["bs", "blocksize"]).unwrap_or("4k");
        let clat = &side.clat_ns;
        let extra = job.ringmark.as_ref();
        let percentiles = clat.percentile.iter();
        let percentiles = percentiles.filter_map(|(of, ns)| Some((of.parse().ok()?, *ns as f64)));
        Self {
            job: job.jobname.clone(),
            direction,
            iops: side.iops,
            bytes_per_second: side.bw_bytes as f64,
            mean_ns: if side.lat_ns.count != 0 { side.lat_ns.mean } else { clat.mean },
            percentiles: percentiles.collect(),
            bins: clat.bins.iter().map(|&(ns, count)| (ns as f64, count)).collect(),
            iodepth: iodepth.unwrap_or(1),
            kind: format!("{rw} {bs}"),
            grants: extra.map(|extra| extra.grants.clone()).unwrap_or_default(),
            kept: extra.and_then(|extra| extra.backend_pages_kept.zip(extra.pages_used)),
            stolen: extra.and_then(|extra| extra.stolen_ns.zip(extra.stolen_percent)),
        }
    }

    /// The latency that so many per cent of the I/Os did not exceed, in nanoseconds, if the report
    /// tells.
    pub fn percentile_ns(&self, percent: f64) -> Option<f64> {
        let found = self.percentiles.iter().find(|(of, _)| (of - percent).abs() < 1e-6);
        found.map(|&(_, ns)| ns)
    }
}

/// A report of one job that reads, for tests.
#[cfg(test)]
pub fn sample(job: &str, grants: Option<&str>, iops: f64) -> Report {
    use results::{Latency, Run};

    let lat = Latency { mean: 2000.0, count: 9, ..Latency::default() };
    let percentile = [("50.000000", 1500), ("99.000000", 4096)];
    let percentile = percentile.map(|(of, ns)| (of.to_owned(), ns)).into_iter().collect();
    let bins = [(1500, 8), (4096, 1)].into_iter().collect();
    let read = Side {
        total_ios: 9,
        iops,
        bw_bytes: (iops * 4096.0) as u64,
        clat_ns: Latency { percentile, bins, ..lat.clone() },
        lat_ns: lat,
        ..Side::default()
    };
    let extra = grants.map(|grants| Extra { grants: grants.to_owned(), ..Extra::default() });
    let options = [("iodepth".to_owned(), "8".to_owned())].into_iter().collect();
    let jobname = job.to_owned();
    let job = JobReport { jobname, options, read, ringmark: extra, ..JobReport::default() };
    Report {
        version: if grants.is_some() { "ringmark-1" } else { "fio-3.33" }.to_owned(),
        jobs: vec![job],
        ringmark: grants.map(|_| Run { ok: true, ..Run::default() }),
        ..Report::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::Run;

    #[test]
    fn sides_that_did_something_are_read() {
        let all = Figures::of(&sample("a", Some("persistent"), 4.5)).unwrap();
        let [figures] = &all[..] else { panic!("{all:?}") };
        assert_eq!((figures.direction, figures.iops, figures.mean_ns), ("read", 4.5, 2000.0));
        assert_eq!(figures.percentiles, [(50.0, 1500.0), (99.0, 4096.0)]);
        assert_eq!(figures.bins, [(1500.0, 8), (4096.0, 1)]);
        assert_eq!(
            (figures.percentile_ns(99.0), figures.percentile_ns(98.0)),
            (Some(4096.0), None)
        );
        assert_eq!(figures.kind, "read 4k");
        assert_eq!((figures.iodepth, figures.grants.as_str()), (8, "persistent"));
    }

    #[test]
    fn the_worst_run_is_marked() {
        let run = |kept, percent| {
            let mut report = sample("a", Some("persistent"), 1.0);
            report.jobs[0].ringmark = Some(Extra {
                backend_pages_kept: Some(kept),
                pages_used: Some(40),
                stolen_ns: Some(5),
                stolen_percent: Some(percent),
                ..Extra::default()
            });
            Figures::of(&report).unwrap().remove(0)
        };
        let good = [run(40, 0.5), run(40, 1.0)];
        assert_eq!(Doubts::about(good.iter()).marks(), [""; 0]);
        let bad = [run(40, 0.0), run(9, 7.5), run(20, 80.0)];
        let doubts = Doubts::about(bad.iter());
        assert_eq!(doubts, Doubts { kept: Some((9, 40)), stolen: Some((5, 80.0)) });
        assert_eq!(doubts.marks().len(), 2);
        let fios = Figures::of(&sample("a", None, 1.0)).unwrap();
        assert_eq!(Doubts::about(fios.iter()), Doubts::default());
    }

    #[test]
    fn what_failed_has_no_figures() {
        let mut report = sample("a", None, 1.0);
        report.ringmark = Some(Run { error: Some("no xvdz".to_owned()), ..Run::default() });
        assert_eq!(Figures::of(&report).unwrap_err().to_string(), "the run failed: no xvdz");
        report.ringmark = None;
        report.jobs[0].error = 5;
        assert!(Figures::of(&report).unwrap_err().to_string().contains("a ended with error 5"));
        report.jobs.clear();
        assert_eq!(Figures::of(&report).unwrap_err().to_string(), "no job did any I/O");
    }
}
