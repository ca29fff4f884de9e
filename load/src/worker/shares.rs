//! Division of a stage between its loops.

use alloc::vec::Vec;

use fio_job::Job;

use crate::engine::{Disk, Share, StageJob};
use crate::plan::Dealing;

/// Gives each vCPU its jobs, and its queue pairs of their disks, in turn; the shares come from the
/// lowest vCPU on.
///
/// # Panics
/// If no job uses a disk, which is a bug of the caller.
pub fn share_out<'a>(
    jobs: &[Job],
    dealing: &Dealing,
    disks: impl IntoIterator<Item = Disk<'a>>,
) -> Vec<Share<'a>> {
    let all = StageJob::all(jobs.to_vec());
    let share = |(vcpu, numbers): (u32, Vec<usize>)| {
        let jobs = numbers.into_iter().map(|number| all[number].clone()).collect();
        Share { vcpu, jobs, disks: Vec::new() }
    };
    let mut shares: Vec<_> = dealing.by_vcpu().into_iter().map(share).collect();
    for Disk { name, info, queues, files } in disks {
        let users = dealing.users(&name, jobs);
        for (queue, &user) in queues.into_iter().zip(users.iter().cycle()) {
            let share = shares.iter_mut().find(|share| share.vcpu == user);
            let Share { jobs, disks, .. } = share.expect("a vCPU with jobs");
            if disks.last().is_none_or(|disk| disk.name != name) {
                let is_used = |path| jobs.iter().any(|one| one.job.file.as_ref() == Some(path));
                let files = files.iter().filter(|file| is_used(&file.path)).cloned().collect();
                disks.push(Disk { name: name.clone(), info, queues: Vec::new(), files });
            }
            disks.last_mut().expect("just pushed").queues.push(queue);
        }
    }
    shares
}
