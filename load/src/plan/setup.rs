//! Conversion of jobs that run together to the setup of their disks.

use alloc::borrow::ToOwned;

use drivers::blkfront::{self, Setup};
use fio_job::{GrantMode, Job};
use xen_abi::PAGE_SIZE;

use super::refusal::Conflict;

// The limits of jobs are those of the frontend.
const _: () = assert!(fio_job::QUEUES_MAX == blkfront::QUEUES_MAX);
const _: () = assert!(fio_job::BS_BYTES_MAX as usize == blkfront::PAGES_PER_SLOT_MAX * PAGE_SIZE);

/// Returns the setup of the disk; `None` if no job uses it.
///
/// # Errors
/// Returns a [`Conflict`] if jobs differ in a setting that a disk has only once.
pub fn setup_for(disk: &str, jobs: &[Job]) -> Result<Option<Setup>, Conflict> {
    let conflict = |what| Conflict { on: disk.to_owned(), what };
    let (mut setup, mut iodepth): (Option<Setup>, u32) = (None, 0);
    for job in jobs.iter().filter(|job| job.disks.iter().any(|name| name == disk)) {
        let pages = (job.data_bytes() as usize).div_ceil(PAGE_SIZE);
        let grants = frontends(job.grants);
        let setup =
            setup.get_or_insert(Setup { grants, queues: job.queues, slots: 0, pages_per_slot: 1 });
        if setup.grants != grants {
            return Err(conflict("ask for different grants"));
        }
        if setup.queues != job.queues {
            return Err(conflict("ask for different ringmark_queues"));
        }
        iodepth += job.iodepth;
        setup.slots = iodepth.div_ceil(setup.queues);
        setup.pages_per_slot = setup.pages_per_slot.max(pages);
    }
    Ok(setup)
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
        setup_for("xvda", &jobs).map_err(|conflict| conflict.what)
    }

    #[test]
    fn a_disk_has_room_for_all_its_jobs() {
        let grants = blkfront::GrantMode::Persistent;
        let expected = |queues, slots, pages_per_slot| {
            Ok(Some(Setup { grants, queues, slots, pages_per_slot }))
        };
        assert_eq!(setup("bs=4k iodepth=32 filename=xvda"), expected(1, 32, 1));
        assert_eq!(setup("bs=6k iodepth=8 filename=xvdb:xvda"), expected(1, 8, 2));
        let two = "--name=a --filename=xvda --iodepth=3 --bs=512 \
                   --name=b --filename=xvda --iodepth=4 --bs=128k";
        assert_eq!(setup(two), expected(1, 7, 32));
        let falling = two.replace("--bs=512", "--bs=64k").replace("--bs=128k", "--bs=4k");
        assert_eq!(setup(&falling), expected(1, 7, 16));
        assert_eq!(setup("iodepth=33 ringmark_queues=2 filename=xvda"), expected(2, 17, 1));
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
    fn jobs_that_run_together_agree() {
        for (options, what) in [
            (["grants=persistent", "grants=per-request"], Some("grants")),
            (["ringmark_queues=1", "ringmark_queues=2"], Some("ringmark_queues")),
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
