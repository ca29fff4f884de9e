//! Jobs that end once their rate is steady (`steadystate=`), looked at about once a second.

use alloc::vec::Vec;

use drivers::Vcpu;
use fio_job::SteadyState;
use results::{OverTime, Steadiness, SteadyWatch, Verdict};

use super::Engine;
use super::active_job::ActiveJob;
use super::group::Group;
use super::time::TICK_NS;

/// Time from one judgement of all windows to the next, in nanoseconds: one may take milliseconds.
const JUDGE_NS: u64 = 5 * TICK_NS;

/// Watch over a job, or over jobs that are reported together and so end together.
#[derive(Debug)]
pub(super) struct Watch {
    /// First of the jobs.
    first: usize,
    group: Option<usize>,
    /// Time at which the first of them began to be measured, in nanoseconds; once one has.
    begin_ns: Option<u64>,
    by: By,
}

#[derive(Debug)]
enum By {
    /// fio's samples.
    Samples(SteadyWatch),
    /// The series of windows; the field is the time of the last look, in nanoseconds since the
    /// start.
    Windows(u64),
}

/// Returns the watches over jobs of a loop that end once they are steady.
pub(super) fn find(jobs: &[ActiveJob]) -> Vec<Watch> {
    let is_first = |index: usize| {
        let group = jobs[index].group;
        group.is_none() || jobs[..index].iter().all(|before| before.group != group)
    };
    let rules = jobs.iter().map(|job| job.result.job.steady_state);
    let watch = |(first, rule): (usize, Option<SteadyState>)| {
        let by = match rule? {
            SteadyState::Within(rule) => By::Samples(SteadyWatch::new(rule)),
            SteadyState::Auto => By::Windows(0),
        };
        Some(Watch { first, group: jobs[first].group, begin_ns: None, by })
    };
    rules.enumerate().filter(|&(index, _)| is_first(index)).filter_map(watch).collect()
}

impl Watch {
    /// Returns the jobs.
    fn members<'j>(&self, jobs: &'j mut [ActiveJob]) -> impl Iterator<Item = &'j mut ActiveJob> {
        let (first, group) = (self.first, self.group);
        let all = jobs.iter_mut().enumerate();
        all.filter(move |(index, job)| match group {
            Some(_) => job.group == group,
            None => *index == first,
        })
        .map(|(_, job)| job)
    }

    /// Looks at the jobs at `now_ns`; returns whether they are steady.
    fn look(&mut self, jobs: &mut [ActiveJob], groups: &[Group], now_ns: u64) -> bool {
        let (mut measured_ns, mut ios, mut bytes) = (None, 0, 0);
        // What those that have ended did stays in the sum.
        for job in self.members(jobs) {
            measured_ns = measured_ns.max(job.measured_ns(now_ns));
            let done = job.done();
            (ios, bytes) = (ios + done.ios, bytes + done.bytes);
        }
        let Some(measured_ns) = measured_ns else { return false };
        let begin_ns = *self.begin_ns.get_or_insert(now_ns - measured_ns);
        let elapsed_ns = now_ns.saturating_sub(begin_ns);
        match &mut self.by {
            By::Samples(watch) => {
                watch.is_due(elapsed_ns, TICK_NS) && watch.look(elapsed_ns, ios, bytes)
            }
            By::Windows(last_ns) if elapsed_ns - (*last_ns).min(elapsed_ns) < JUDGE_NS => false,
            By::Windows(last_ns) => {
                *last_ns = elapsed_ns;
                let group = self.group.and_then(|group| groups.get(group));
                let first = &mut jobs[self.first].result;
                let series =
                    group.map_or_else(|| first.over_time(), |group| first.series_of(group));
                // Windows in which nothing is done are not there before something is again.
                let stalls = |series: &OverTime| {
                    elapsed_ns.saturating_sub(series.length_ns()) > 2 * series.window_ns
                };
                let is_steady = |series: &OverTime| {
                    !stalls(series) && Steadiness::of(series).verdict == Verdict::Steady
                };
                let steady = series.filter(is_steady);
                first.steady_ns = steady.as_ref().map(OverTime::length_ns);
                steady.is_some()
            }
        }
    }
}

impl<V: Vcpu> Engine<'_, '_, V> {
    /// Ends the jobs that are steady, from `now_ns` on.
    #[cold]
    pub(super) fn end_the_steady(&mut self, now_ns: u64) {
        let Self { watches, jobs, groups, .. } = self;
        for watch in watches {
            if watch.look(jobs, groups, now_ns) {
                let members = watch.members(jobs).filter(|job| !job.is_reading_back());
                members.for_each(|job| job.stop(now_ns));
                // Their ends must be noted.
                self.any_paced = true;
            }
        }
    }
}

/// Gives the samples of each watch to the first of its jobs.
pub(super) fn end(watches: Vec<Watch>, jobs: &mut [ActiveJob]) {
    for Watch { first, by, .. } in watches {
        if let By::Samples(watch) = by {
            jobs[first].result.steady_state = Some(watch.report());
        }
    }
}
