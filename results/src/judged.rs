//! Rate of a job over time, and the judgement of it.

use fio_job::Direction;

use crate::over_time::{OverTime, Series};
use crate::record::JobResult;
use crate::samples::Together;
use crate::steadiness::Steadiness;

impl JobResult {
    /// Returns its I/Os over time; `None` if it did none.
    ///
    /// Reads that only check what the job wrote are none of its pattern, and are left out.
    pub fn over_time(&self) -> Option<OverTime> {
        let of_own = |direction| self.direction(direction).samples.series();
        let series = self.of_pattern(of_own)?;
        let is_over = self.job.reads_back() && self.write.runtime_ns != 0;
        Some(if is_over { series.until(self.write.runtime_ns) } else { series })
    }

    /// Returns the I/Os over time of jobs that are reported together, of which it is one.
    pub fn series_of(&self, together: &Together) -> Option<OverTime> {
        self.of_pattern(|direction| together.samples(direction).series())
    }

    /// Returns the sum of the series of the directions of its pattern.
    fn of_pattern<'s>(&self, series: impl Fn(Direction) -> &'s Series) -> Option<OverTime> {
        let rw = self.job.rw;
        let has = |direction: &Direction| match direction {
            Direction::Read => rw.reads(),
            Direction::Write => rw.writes(),
            Direction::Trim => rw.trims(),
        };
        let mut sum = OverTime::default();
        Direction::ALL.into_iter().filter(has).for_each(|one| sum.add(series(one).closed()));
        (!sum.ios.is_empty()).then_some(sum)
    }

    /// Returns whether its rate is steady; `None` if it did nothing. A job that was ended because
    /// it was steady is judged by what it was judged by then.
    pub fn steadiness(&self) -> Option<Steadiness> {
        let series = self.over_time()?.until(self.steady_ns.unwrap_or(u64::MAX));
        Some(Steadiness::of(&series))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Returns a job's result whose reads and writes have so many I/Os each millisecond.
    fn result(line: &str, per_ms: [u32; 2], read_ms: u64, write_ms: u64) -> JobResult {
        let mut result = JobResult::new(fio_job::parse(line).expect(line).remove(0));
        let sides = [(per_ms[0], read_ms), (per_ms[1], write_ms)];
        for (direction, (ios, ms)) in Direction::ALL.into_iter().zip(sides) {
            let side = result.direction_mut(direction);
            (1..=ms).for_each(|ms| side.samples.record(ms * 1_000_000, 512, ios));
            side.runtime_ns = ms * 1_000_000;
            side.samples.finish(side.runtime_ns);
        }
        result
    }

    #[test]
    fn directions_add_up_and_what_only_checks_is_left_out() {
        let ios = |line, read_ms, write_ms| {
            let result = result(line, [2, 3], read_ms, write_ms);
            result.over_time().map(|series| series.ios)
        };
        assert_eq!(ios("rw=randrw filename=xvda", 200, 200), Some(Vec::from([500, 500])));
        assert_eq!(ios("rw=randread filename=xvda", 200, 0), Some(Vec::from([200, 200])));
        let verify = "rw=randwrite verify=crc32c filename=xvda";
        assert_eq!(ios(verify, 300, 200), Some(Vec::from([300, 300])));
        let both = "rw=randrw verify=crc32c filename=xvda";
        assert_eq!(ios(both, 300, 200), Some(Vec::from([500, 500])));
        assert_eq!(ios("rw=randread filename=xvda", 50, 0), None);
    }

    #[test]
    fn a_job_that_was_ended_is_judged_by_what_ended_it() {
        let mut result = result("rw=randread filename=xvda", [1, 0], 31_000, 0);
        assert_eq!(result.steadiness().map(|one| one.windows), Some(310));
        result.steady_ns = Some(30_000_000_000);
        assert_eq!(result.steadiness().map(|one| one.windows), Some(300));
        assert_eq!(result.over_time().map(|series| series.ios.len()), Some(310));
    }
}
