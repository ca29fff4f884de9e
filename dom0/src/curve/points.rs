//! Points of a curve: what the results say of each level of load.

use results::{Extra, JobReport};

use super::file::{CurveFile, Header};
use super::knee::{Knee, Level, knee, least_ns};
use super::levels::rate;

/// Percentiles of a point.
pub const PERCENTILES: [f64; 3] = [50.0, 99.0, 99.9];
/// Share of what was asked for that may be missing where the disk kept up: of the I/Os done, and of
/// those that were due and did not start.
const MISSING_MAX: f64 = 0.02;
const BACKLOG_MAX: f64 = 0.01;
/// Standard deviations of the number of arrivals that may be missing besides.
const DEVIATIONS: f64 = 3.0;

/// Level of load as it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Load, in per cent of saturation.
    pub percent: f64,
    /// I/Os a second that were asked for, and that were done.
    pub asked: f64,
    pub done: f64,
    /// [`PERCENTILES`] of the latency from the time at which an I/O was due, in nanoseconds.
    pub latency_ns: [Option<f64>; 3],
    /// Greatest latency, in nanoseconds.
    pub max_ns: Option<f64>,
    /// I/Os that the iodepth held back, and those that were due and had not started at the end.
    pub held_back: Option<u64>,
    pub backlog: Option<u64>,
    /// Whether the disk kept up.
    pub kept_up: bool,
    /// Reasons to doubt its figures.
    pub marks: Vec<String>,
}

/// Curve of one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name of the job.
    pub job: String,
    /// `read` or `write`.
    pub direction: &'static str,
    /// I/Os a second at saturation.
    pub saturation: f64,
    /// Iodepth at saturation, and that of the levels.
    pub iodepth: u32,
    pub depth: u32,
    /// Points with ascending loads.
    pub points: Vec<Point>,
}

impl Curve {
    /// Returns its knee, if enough was measured to tell.
    pub fn knee(&self) -> Option<Knee> {
        knee(&self.levels())
    }

    /// Returns the least latency of the percentile that has the knee, in nanoseconds.
    pub fn least_ns(&self) -> Option<f64> {
        least_ns(&self.levels())
    }

    fn levels(&self) -> Vec<Level> {
        let level = |point: &Point| {
            let [_, latency_ns, _] = point.latency_ns;
            Level { percent: point.percent, latency_ns, kept_up: point.kept_up }
        };
        self.points.iter().map(level).collect()
    }
}

/// Returns the curves of a file: of reads, of writes, or of both.
pub fn curves(file: &CurveFile) -> Vec<Curve> {
    let Header { job, iodepth, depth, saturation: [reads, writes] } = &file.curve;
    let sides = [("read", *reads), ("write", *writes)];
    let curve = |(direction, saturation)| {
        let runs = file.runs.iter();
        let jobs = runs.flat_map(|run| run.levels.iter().copied().zip(&run.result.jobs));
        let mut points: Vec<Point> =
            jobs.filter_map(|(percent, job)| point(percent, saturation, job, direction)).collect();
        points.sort_by(|one, other| one.percent.total_cmp(&other.percent));
        let (job, iodepth, depth) = (job.clone(), *iodepth, *depth);
        Curve { job, direction, saturation, iodepth, depth, points }
    };
    let all = sides.into_iter().filter(|(_, saturation)| *saturation > 0.0).map(curve);
    all.filter(|curve| !curve.points.is_empty()).collect()
}

fn point(percent: f64, saturation: f64, job: &JobReport, direction: &str) -> Option<Point> {
    let (_, side) = job.sides().into_iter().find(|(name, _)| *name == direction)?;
    let asked = rate(saturation, percent) as f64;
    let extra = job.ringmark.as_ref();
    let due = extra.and_then(|extra| extra.open_loop.as_ref()?.side(direction));
    let done = if side.iops.is_finite() { side.iops.clamp(0.0, 1e12) } else { 0.0 };
    let lat_ns = due.map(|due| &due.lat_ns).filter(|lat_ns| lat_ns.count != 0);
    let latency = |percent| lat_ns?.percentile_ns(percent).map(|ns| ns as f64);
    let seconds = side.runtime as f64 / 1e3;
    Some(Point {
        percent,
        asked,
        done,
        latency_ns: PERCENTILES.map(latency),
        max_ns: lat_ns.map(|lat_ns| lat_ns.max as f64),
        held_back: due.map(|due| due.held.count),
        backlog: due.map(|due| due.backlog),
        kept_up: keeps_up(asked, done, seconds, side.total_ios, due.map_or(0, |due| due.backlog)),
        marks: extra.map(Extra::marks).unwrap_or_default(),
    })
}

/// Returns whether the disk kept up with so many I/Os a second for so many seconds.
fn keeps_up(asked: f64, done: f64, seconds: f64, ios: u64, backlog: u64) -> bool {
    let chance = DEVIATIONS * (asked / seconds.max(1e-3)).sqrt();
    let is_done = asked - done <= MISSING_MAX * asked + chance;
    is_done && backlog as f64 <= BACKLOG_MAX * ios as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::file::CurveRun;
    use crate::figures::sample;
    use crate::saved::System;
    use results::{Delays, Latency, OpenLoop, OpenSide};

    /// A level at which reads were done at this rate, with this p99 and backlog.
    fn level(iops: f64, p99: u64, backlog: u64) -> JobReport {
        let mut job = sample("a", Some("persistent"), iops).jobs.remove(0);
        (job.read.runtime, job.read.total_ios) = (10_000, iops as u64 * 10);
        let percentile =
            [("50.000000", p99 / 2), ("99.000000", p99), ("99.900000", p99.saturating_mul(2))];
        let percentile = percentile.map(|(of, ns)| (of.to_owned(), ns)).into_iter().collect();
        let lat_ns =
            Latency { count: 9, max: p99.saturating_mul(3), percentile, ..Latency::default() };
        let held = Delays { count: 4, ..Delays::default() };
        let side = OpenSide { due: 9, backlog, held, lat_ns, ..OpenSide::default() };
        if let Some(extra) = &mut job.ringmark {
            extra.open_loop = Some(OpenLoop { read: Some(side), ..OpenLoop::default() });
        }
        job
    }

    fn file(levels: &[f64], jobs: Vec<JobReport>) -> CurveFile {
        let run = |levels: &[f64], jobs| {
            let result = results::Report { jobs, ..sample("a", Some("persistent"), 1.0) };
            CurveRun { who: System::Ringmark, levels: levels.into(), result }
        };
        let job = "a".to_owned();
        let curve = Header { job, iodepth: 8, depth: 256, saturation: [1000.0, 0.0] };
        CurveFile { curve, runs: vec![run(&[], vec![level(1000.0, 1, 0)]), run(levels, jobs)] }
    }

    #[test]
    fn points_are_of_the_latency_from_due() {
        let jobs = vec![level(900.0, 9000, 500), level(100.0, 2000, 0)];
        let [curve] = &curves(&file(&[90.0, 10.0], jobs))[..] else { panic!() };
        assert_eq!((curve.direction, curve.saturation), ("read", 1000.0));
        let [first, last] = &curve.points[..] else { panic!("{curve:?}") };
        assert_eq!((first.percent, first.asked, first.done), (10.0, 100.0, 100.0));
        assert_eq!(first.latency_ns, [Some(1000.0), Some(2000.0), Some(4000.0)]);
        assert_eq!(
            (first.max_ns, first.held_back, first.backlog),
            (Some(6000.0), Some(4), Some(0))
        );
        assert!(first.kept_up && !last.kept_up);
        assert_eq!((curve.knee(), curve.least_ns()), (None, Some(2000.0)));
    }

    #[test]
    fn what_is_missing_is_no_latency() {
        let mut silent = level(500.0, 1, 0);
        silent.ringmark = None;
        let mut absurd = level(f64::NAN, u64::MAX, u64::MAX);
        absurd.read.runtime = 0;
        // A third level has no job.
        let [curve] = &curves(&file(&[50.0, 60.0, 70.0], vec![silent, absurd]))[..] else {
            panic!()
        };
        let [silent, absurd] = &curve.points[..] else { panic!("{curve:?}") };
        assert_eq!((silent.latency_ns, silent.backlog), ([None; 3], None));
        assert!(silent.kept_up && !absurd.kept_up && absurd.done == 0.0);
        assert!(curves(&file(&[], vec![level(1.0, 1, 0)])).is_empty());
    }

    #[test]
    fn absurd_files_are_refused() {
        let text = file(&[10.0], vec![level(100.0, 2000, 0)]).text().unwrap();
        assert!(CurveFile::read(&text).is_ok());
        for (from, to) in [
            ("\"levels\":[10.0]", "\"levels\":[-1]"),
            ("\"levels\":[10.0]", "\"levels\":[1e300]"),
            ("\"saturation\":[1000.0,0.0]", "\"saturation\":[-5,0]"),
            ("\"saturation\":[1000.0,0.0]", "\"saturation\":[1e300,0]"),
            ("\"levels\":[10.0]", &format!("\"levels\":[{}1]", "1,".repeat(5000))),
            ("\"depth\":256", "\"depth\":-1"),
        ] {
            assert!(
                text.contains(from) && CurveFile::read(&text.replace(from, to)).is_err(),
                "{to}"
            );
        }
    }

    #[test]
    fn a_disk_that_falls_behind_is_above_saturation() {
        for (asked, done, seconds, ios, backlog, expected) in [
            (1000.0, 1000.0, 10.0, 10_000, 0, true),
            (1000.0, 985.0, 10.0, 9850, 0, true),
            // Three deviations of 10,000 arrivals are 3 %; 5 % in all.
            (1000.0, 951.0, 10.0, 9510, 0, true),
            (1000.0, 949.0, 10.0, 9490, 0, false),
            (1000.0, 970.0, 1000.0, 970_000, 0, false),
            (1000.0, 1000.0, 10.0, 10_000, 100, true),
            (1000.0, 1000.0, 10.0, 10_000, 101, false),
            (5.0, 3.0, 10.0, 30, 0, true),
            (1000.0, 0.0, 10.0, 0, 0, false),
            (1000.0, f64::NAN, 10.0, 1, 0, false),
        ] {
            let found = keeps_up(asked, done, seconds, ios, backlog);
            assert_eq!(found, expected, "{asked} {done} {seconds} {backlog}");
        }
    }
}
