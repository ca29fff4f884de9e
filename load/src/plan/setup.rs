//! Conversion of jobs that run together to the setup of their disks.

use alloc::borrow::ToOwned;

use drivers::blkfront::{self, Setup};
use fio_job::{GrantMode, Job};
use xen_abi::PAGE_SIZE;

use super::deal::Dealing;
use super::persistent::ios_kept;
use super::refusal::Conflict;

// The limits of jobs are those of the frontend.
const _: () = assert!(fio_job::QUEUES_MAX == blkfront::QUEUES_MAX);
const _: () = assert!(fio_job::SEGMENTS_MAX as usize == blkfront::PAGES_PER_SLOT_MAX);
const _: () = assert!(fio_job::BS_BYTES_MAX as usize == blkfront::PAGES_PER_SLOT_MAX * PAGE_SIZE);

/// Returns the setup of the disk for jobs that are dealt to vCPUs like this; `None` if no job uses
/// it. Each vCPU gets enough slots on its own queues for its own jobs: on each for all, as long as
/// that is no more than Linux's backend keeps mapped.
///
/// # Errors
/// Returns a [`Conflict`] if jobs differ in a setting that a disk has only once.
pub fn setup_for(disk: &str, jobs: &[Job], dealing: &Dealing) -> Result<Option<Setup>, Conflict> {
    let conflict = |what| Conflict { on: disk.to_owned(), what };
    let uses = |job: &Job| job.disks.iter().any(|name| name == disk);
    let Some(first) = jobs.iter().find(|job| uses(job)) else { return Ok(None) };
    let grants = frontends(first.grants);
    let users = dealing.users(disk, jobs);
    let queues = first.queues.unwrap_or(users.len() as u32).min(blkfront::QUEUES_MAX);
    let segments_max = first.indirect.unwrap_or(Setup::ONE.segments_max);
    let all: u32 = jobs.iter().filter(|job| uses(job)).map(|job| job.iodepth).sum();
    let mut setup = Setup { grants, queues, requests_max: all, segments_max, ..Setup::ONE };
    for job in jobs.iter().filter(|job| uses(job)) {
        if frontends(job.grants) != grants {
            return Err(conflict("ask for different grants"));
        }
        if job.queues != first.queues {
            return Err(conflict("ask for different ringmark_queues"));
        }
        if job.indirect != first.indirect {
            return Err(conflict("ask for different ringmark_indirect"));
        }
        if job.bind != first.bind {
            return Err(conflict("ask for different ringmark_bind"));
        }
        // The parts of a larger I/O go one after the other.
        let pages = (job.data_bytes() as usize).div_ceil(PAGE_SIZE);
        let pages = pages.min(blkfront::PAGES_PER_SLOT_MAX);
        setup.pages_per_slot = setup.pages_per_slot.max(pages);
    }
    let by_vcpu = dealing.by_vcpu();
    let numbers = by_vcpu.iter().map(|(_, numbers)| numbers);
    let using = numbers.filter(|numbers| numbers.iter().any(|&number| uses(&jobs[number])));
    for (place, jobs_on) in using.enumerate() {
        let jobs_here = || jobs_on.iter().map(|&number| &jobs[number]).filter(|job| uses(job));
        let depth: u32 = jobs_here().map(|job| job.iodepth).sum();
        let own = Dealing::own_queues(place, queues, users.len());
        let kept = jobs_here().map(ios_kept).min().unwrap_or(0);
        let slots = depth.min(kept).max(depth.div_ceil(own));
        setup.slots = setup.slots.max(slots);
    }
    Ok(Some(setup))
}

/// Returns the frontend's grant mode for a job's.
fn frontends(mode: GrantMode) -> blkfront::GrantMode {
    match mode {
        GrantMode::Persistent => blkfront::GrantMode::Persistent,
        GrantMode::PersistentCopy => blkfront::GrantMode::PersistentCopy,
        GrantMode::PerRequest => blkfront::GrantMode::PerRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fio_job::parse;

    fn setup(line: &str) -> Result<Option<Setup>, &'static str> {
        let jobs = parse(line).expect(line);
        setup_for("xvda", &jobs, &Dealing::on_one(jobs.len())).map_err(|conflict| conflict.what)
    }

    #[test]
    fn a_disk_has_room_for_all_its_jobs() {
        let of = |queues, slots, requests_max, pages_per_slot| {
            Ok(Some(Setup { queues, slots, requests_max, pages_per_slot, ..Setup::ONE }))
        };
        let expected = |queues, all, pages_per_slot| of(queues, all, all, pages_per_slot);
        assert_eq!(setup("bs=4k iodepth=32 filename=xvda"), expected(1, 32, 1));
        assert_eq!(setup("bs=6k iodepth=8 filename=xvdb:xvda"), expected(1, 8, 2));
        let two = "--name=a --filename=xvda --iodepth=3 --bs=512 \
                   --name=b --filename=xvda --iodepth=4 --bs=128k";
        assert_eq!(setup(two), expected(1, 7, 32));
        let falling = two.replace("--bs=512", "--bs=64k").replace("--bs=128k", "--bs=4k");
        assert_eq!(setup(&falling), expected(1, 7, 16));
        // All may be on one queue.
        assert_eq!(setup("iodepth=33 ringmark_queues=2 filename=xvda"), expected(2, 33, 1));
        // No more than pages that the backend keeps, but all of them on some queue.
        let large = "bs=128k ringmark_queues=2 filename=xvda";
        assert_eq!(setup(&alloc::format!("{large} iodepth=33")), of(2, 32, 33, 32));
        assert_eq!(setup(&alloc::format!("{large} iodepth=80")), of(2, 40, 80, 32));
        assert_eq!(setup("bs=1g iodepth=2 filename=xvda"), of(1, 2, 2, 4096));
        // A trim has no data.
        assert_eq!(setup("rw=trim bs=1m filename=xvda"), expected(1, 1, 1));
        assert_eq!(setup("filename=xvdb"), Ok(None));
        for (word, mode) in [
            ("per-request", blkfront::GrantMode::PerRequest),
            ("persistent-copy", blkfront::GrantMode::PersistentCopy),
        ] {
            let setup = setup(&alloc::format!("grants={word} filename=xvda")).unwrap();
            assert_eq!(setup.map(|setup| setup.grants), Some(mode));
        }
    }

    #[test]
    fn a_disk_has_the_jobs_limit_of_segments() {
        for (word, segments_max) in [("auto", 4096), ("0", 0), ("32", 32), ("4096", 4096)] {
            let setup = setup(&alloc::format!("ringmark_indirect={word} filename=xvda")).unwrap();
            assert_eq!(setup.map(|setup| setup.segments_max), Some(segments_max), "{word}");
        }
    }

    #[test]
    fn jobs_that_run_together_agree() {
        for (options, what) in [
            (["grants=persistent", "grants=per-request"], Some("grants")),
            (["ringmark_queues=1", "ringmark_queues=2"], Some("ringmark_queues")),
            (["ringmark_indirect=32", "ringmark_indirect=auto"], Some("ringmark_indirect")),
            (["ringmark_bind=1", "ringmark_bind=0"], Some("ringmark_bind")),
            (["iodepth=512", "iodepth=1024"], None),
        ] {
            let words = |options: &str| options.replace(' ', " --");
            let [one, two] = options.map(words);
            let line = alloc::format!("--filename=xvda --name=a --{one} --name=b --{two}");
            match (setup(&line), what) {
                (Err(found), Some(what)) => assert!(found.ends_with(what), "{line}: {found}"),
                (found, what) => assert!(found.is_ok() && what.is_none(), "{line}: {found:?}"),
            }
        }
    }
}
