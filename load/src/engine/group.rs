//! Jobs that are reported together (`group_reporting`): their figures, summed as they come.

use alloc::boxed::Box;
use alloc::vec::Vec;

use fio_job::Direction;
use results::Together;

use super::active_job::ActiveJob;

/// Several jobs of a run that are reported together.
#[derive(Debug)]
pub(super) struct Group {
    /// Number of the first job in the run.
    first: usize,
    /// Figures of all its jobs.
    pub(super) all: Box<Together>,
}

/// Finds the groups among the jobs, and notes in each job the number of its own.
pub(super) fn find(jobs: &mut [ActiveJob]) -> Vec<Group> {
    let (mut groups, mut first) = (Vec::new(), 0);
    for members in jobs.chunk_by_mut(|_, next| next.is_with_group()) {
        if members.len() > 1 {
            let group = Some(groups.len());
            members.iter_mut().for_each(|job| job.group = group);
            groups.push(Group { first, all: Box::default() });
        }
        first += members.len();
    }
    groups
}

/// Gives the figures of all jobs of a group to the first of them. All I/Os have ended.
pub(super) fn end(groups: Vec<Group>, jobs: &mut [ActiveJob]) {
    for (number, Group { first, mut all }) in groups.into_iter().enumerate() {
        for direction in Direction::ALL {
            let members = jobs.iter().filter(|job| job.group == Some(number));
            let end_ns = members.map(|job| job.end_together(direction)).max();
            all.finish(direction, end_ns.unwrap_or(0));
        }
        jobs[first].result.together = Some(all);
    }
}
