//! Jobs that are reported together (`group_reporting`): their figures, summed as they come.

use alloc::boxed::Box;
use alloc::vec::Vec;

use fio_job::Direction;
use results::Together;

use super::active_job::ActiveJob;

/// Figures of the jobs of a loop that are reported together, maybe with jobs of other loops.
pub(super) type Group = Box<Together>;

/// Finds the groups of the stage that jobs of the loop are in; then each job has the number of its
/// group in the loop.
pub(super) fn find(jobs: &mut [ActiveJob]) -> Vec<Group> {
    let mut numbers: Vec<usize> = jobs.iter().filter_map(|job| job.group).collect();
    numbers.dedup();
    for job in &mut *jobs {
        job.group = job.group.and_then(|group| numbers.iter().position(|&number| number == group));
    }
    let runtime_ns = |number| {
        let members = jobs.iter().filter(|job| job.group == Some(number));
        let runtimes = members.map(|job| job.result.job.runtime_ns);
        runtimes.reduce(|one, other| Some(one?.max(other?))).flatten()
    };
    (0..numbers.len()).map(|number| Box::new(Together::new(runtime_ns(number)))).collect()
}

/// Gives the figures of all jobs of a group to the first of them. All I/Os have ended.
pub(super) fn end(groups: Vec<Group>, jobs: &mut [ActiveJob]) {
    for (number, mut all) in groups.into_iter().enumerate() {
        let members = || jobs.iter().filter(|job| job.group == Some(number));
        for direction in Direction::ALL {
            let end_ns = members().map(|job| job.end_together(direction)).max();
            all.finish(direction, end_ns.unwrap_or(0));
        }
        let first = jobs.iter_mut().find(|job| job.group == Some(number));
        if let Some(first) = first {
            first.result.together = Some(all);
        }
    }
}
