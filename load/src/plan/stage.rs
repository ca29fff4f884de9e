//! Single stage of a run: jobs that run together, and the settings that their disks are connected
//! with.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use drivers::blkfront::Setup;
use fio_job::Job;
use xen_abi::vdev::Vdev;

use super::memory::Memory;
use super::persistent;
use super::refusal::{Conflict, Refusal};
use super::setup::setup_for;

/// Jobs that run together. Disks are connected anew for each stage, because the way in which pages
/// are granted is agreed on at connect.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'p> {
    /// Jobs, in their order.
    pub jobs: &'p [Job],
    /// VBDs of the guest, whether a job uses them or not.
    vdevs: &'p [Vdev],
}

/// Disk that jobs of a stage use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPlan {
    /// Number of the VBD.
    pub vdev: Vdev,
    /// Name, as in `filename=`.
    pub name: String,
    /// Settings that it is connected with.
    pub setup: Setup,
    /// Warning to show if its backend is Linux's and offers to keep pages mapped.
    pub persistent_warning: Option<String>,
}

impl<'p> Stage<'p> {
    /// Returns the jobs as a stage, without checking whether they can run together.
    pub(super) fn of(jobs: &'p [Job], vdevs: &'p [Vdev]) -> Self {
        Self { jobs, vdevs }
    }

    /// Returns the stage if the one loop that runs its jobs can do so.
    ///
    /// # Errors
    /// Returns a [`Conflict`] if the jobs ask for different polling times.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        let mut polls = self.jobs.windows(2).map(|pair| pair[0].poll == pair[1].poll);
        if polls.all(|same| same) {
            return Ok(self);
        }
        let what = "ask for different ringmark_poll_us";
        Err(Conflict { on: "one vCPU".to_owned(), what }.into())
    }

    /// Returns notices for the user before the stage begins, a line each.
    pub fn notices(&self) -> impl Iterator<Item = String> {
        self.jobs.iter().filter_map(|job| {
            let engine = job.ioengine?;
            Some(format!(
                "{}: ioengine={engine} is accepted; every job drives the ring directly",
                job.name
            ))
        })
    }

    /// Returns the disks that the jobs use, in the order in which they are connected, for a guest
    /// with `pages_available` free pages. Each is planned at its turn: an earlier one that cannot
    /// be connected is reported first.
    ///
    /// # Errors
    /// Returns a [`Conflict`] if jobs differ in a setting that this disk has only once.
    pub fn disks(&self, pages_available: u64) -> impl Iterator<Item = Result<DiskPlan, Refusal>> {
        let names = self.vdevs.iter().map(Vdev::to_string);
        let memory = Memory::new(self.jobs, names, pages_available);
        let plan =
            move |&vdev: &Vdev| self.disk(vdev, &memory).map_err(Refusal::Conflict).transpose();
        self.vdevs.iter().filter_map(plan)
    }

    fn disk(&self, vdev: Vdev, memory: &Memory) -> Result<Option<DiskPlan>, Conflict> {
        let name = vdev.to_string();
        let Some(setup) = setup_for(&name, self.jobs)? else { return Ok(None) };
        let setup = memory.cut(&name, self.jobs, setup);
        let persistent_warning = persistent::warning(self.jobs, &name);
        Ok(Some(DiskPlan { vdev, name, setup, persistent_warning }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use fio_job::parse;

    const XVDA: Vdev = Vdev(51712);
    const XVDB: Vdev = Vdev(51728);

    #[test]
    fn jobs_of_one_loop_must_agree_on_polling() {
        let vdevs = [XVDA];
        for (line, agree) in [
            ("filename=xvda numjobs=3", true),
            ("filename=xvda ringmark_poll_us=5 numjobs=2", true),
            ("filename=xvda ringmark_poll_us=5 --name=a --name=b", true),
            ("filename=xvda --name=a --name=b --name=c --ringmark_poll_us=5", false),
            ("filename=xvda --name=a --ringmark_poll_us=5 --name=b", false),
        ] {
            let jobs = parse(line).expect(line);
            let refused = Stage::of(&jobs, &vdevs).checked().err().map(|why| why.to_string());
            let text = "jobs that run together on one vCPU ask for different ringmark_poll_us; \
                        separate them with stonewall";
            assert_eq!(refused.as_deref(), (!agree).then_some(text), "{line}");
        }
    }

    #[test]
    fn each_job_with_an_ioengine_gets_a_notice() {
        let line = "filename=xvda --name=a --ioengine=libaio --name=b --name=c --ioengine=psync";
        let jobs = parse(line).expect(line);
        let notices: Vec<String> = Stage::of(&jobs, &[XVDA]).notices().collect();
        let rest = "is accepted; every job drives the ring directly";
        let expected = [format!("a: ioengine=libaio {rest}"), format!("c: ioengine=psync {rest}")];
        assert_eq!(notices, expected);
    }

    #[test]
    fn disks_of_the_jobs_come_in_the_guests_order() {
        let line = "filename=xvdb --name=a --iodepth=3 --name=b --filename=xvda --bs=128k \
                    --iodepth=64";
        let jobs = parse(line).expect(line);
        let vdevs = [XVDA, XVDB, Vdev(51744)];
        let stage = Stage::of(&jobs, &vdevs);
        let disks: Result<Vec<DiskPlan>, Refusal> = stage.disks(u64::MAX).collect();
        let disks = disks.expect("no conflict");
        let found: Vec<(Vdev, &str, u32, bool)> = disks
            .iter()
            .map(|disk| {
                let warned = disk.persistent_warning.is_some();
                (disk.vdev, disk.name.as_str(), disk.setup.slots, warned)
            })
            .collect();
        assert_eq!(found, [(XVDA, "xvda", 64, true), (XVDB, "xvdb", 3, false)]);
    }

    #[test]
    fn slots_are_as_many_as_there_is_memory_for() {
        let jobs = parse("bs=1m iodepth=8 filename=xvda:xvdb").expect("a line");
        let vdevs = [XVDA, XVDB];
        let stage = Stage::of(&jobs, &vdevs);
        for (pages_available, slots) in [(u64::MAX, 8), (1 << 12, 7), (1 << 10, 4)] {
            let disks = stage.disks(pages_available).map(|disk| disk.expect("no conflict"));
            assert!(disks.map(|disk| disk.setup.slots).eq([slots; 2]), "{pages_available}");
        }
    }

    #[test]
    fn a_conflict_names_its_disk() {
        let line = "--name=a --filename=xvda:xvdb --name=b --filename=xvdb --grants=per-request";
        let jobs = parse(line).expect(line);
        let vdevs = [XVDA, XVDB];
        let stage = Stage::of(&jobs, &vdevs);
        let disks: Vec<Result<DiskPlan, Refusal>> = stage.disks(u64::MAX).collect();
        let [Ok(first), Err(why)] = &disks[..] else { panic!("{disks:?}") };
        assert_eq!(first.name, "xvda");
        let text = "jobs that run together on xvdb ask for different grants; separate them with \
                    stonewall";
        assert_eq!(why.to_string(), text);
    }
}
