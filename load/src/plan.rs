//! Plan of a run, made from its jobs, the VBDs that the guest has, and its memory. Nothing here
//! needs a guest.

mod deal;
mod floor;
mod memory;
mod persistent;
mod refusal;
mod sectors;
mod setup;
mod stage;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use fio_job::Job;
use xen_abi::vdev::Vdev;

pub use deal::Dealing;
pub use drivers::blkfront::Offer;
pub use floor::{GRANT_FRAMES_MAX, NeededMib, Stock};
pub use memory::{Need, Offers};
pub use persistent::persistent_warning;
pub use refusal::{Conflict, Refusal};
pub use sectors::{cut_warnings, sector_warning};
pub use setup::setup_for;
pub use stage::{DiskPlan, Stage};

use deal::{allowed, common};

/// Pages that a vCPU takes besides the boot vCPU: its stack, those of its exceptions, a guard below
/// each, its tables, and a page table for each guard.
pub const VCPU_PAGES: u64 = 32;

/// Heap that a guest takes besides slots and results, in bytes: the job file, twice while it is
/// read, jobs and names of disks, messages of xenstore, the last page of the grant table, whose
/// entries are listed when one of them is needed.
pub const BASE_HEAP_BYTES: u64 = 256 << 10;

/// vCPUs that a guest can use: those whose words are in the page that Xen shares.
pub const VCPUS_MAX: usize = xen_abi::shared_info::LEGACY_MAX_VCPUS;

/// VBD that the guest has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vbd {
    /// Number, from which its name follows.
    pub vdev: Vdev,
    /// Whether the tool stack attached it for writing. Read only where [`chooses_disks`] says so.
    pub is_writable: bool,
}

/// Plan of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Jobs, each with the disks that it uses.
    jobs: Vec<Job>,
    /// VBDs, in the order in which they are connected.
    vdevs: Vec<Vdev>,
}

/// Returns whether the plan of these jobs depends on which VBDs are writable.
pub fn chooses_disks(jobs: &[Job]) -> bool {
    jobs.is_empty() || jobs.iter().any(|job| job.disks.is_empty())
}

impl Plan {
    /// Plans the run of `jobs`, or of the default ones if there are none, on VBDs in the order of
    /// their numbers.
    ///
    /// # Errors
    /// Returns the first [`Refusal`] that applies before all stages.
    pub fn new(jobs: Vec<Job>, vbds: &[Vbd]) -> Result<Self, Refusal> {
        let names: Vec<String> = vbds.iter().map(|vbd| vbd.vdev.to_string()).collect();
        // There may be thousands of VBDs.
        let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Refusal::TwoDisks { name: pair[0].into() });
        }
        let jobs = if chooses_disks(&jobs) { choose(jobs, vbds)? } else { jobs };
        let mut named = jobs.iter().flat_map(|job| &job.disks);
        if let Some(missing) = named.find(|name| sorted.binary_search(&name.as_str()).is_err()) {
            return Err(Refusal::NoDisk { name: missing.clone(), found: names });
        }
        Ok(Self { jobs, vdevs: vbds.iter().map(|vbd| vbd.vdev).collect() })
    }

    /// Returns the stages in their order.
    pub fn stages(&self) -> impl Iterator<Item = Stage<'_>> {
        fio_job::stages(&self.jobs).map(|jobs| Stage::of(jobs, &self.vdevs))
    }

    /// Returns the number of the highest of `vcpus` that a job may be dealt to.
    pub fn vcpu_max(&self, vcpus: &[u32]) -> u32 {
        let of_stage = |jobs: &[Job]| {
            // A vCPU gets a second job only when all that the job may run on have one.
            let numbers = 0..jobs.len();
            let may = numbers.map(|number| allowed(&jobs[number], number, vcpus));
            let apart = may.flat_map(|vcpus| vcpus.into_iter().take(jobs.len()));
            apart.chain(common(jobs, vcpus)).max()
        };
        fio_job::stages(&self.jobs).filter_map(of_stage).max().unwrap_or(0)
    }

    /// Returns what a guest with these vCPUs needs for all of it. What is wrong with a stage is
    /// found at its turn.
    pub fn need(&self, vcpus: &[u32], offers: Offers<'_>) -> Need {
        self.with_vcpus(vcpus, self.run_need(vcpus, offers))
    }

    /// Returns the most that it needs with backends like Linux's and QEMU's
    /// ([`Stage::most_need`]), some of which may not be trusted.
    pub fn most_need(&self, vcpus: &[u32], is_trusted: &dyn Fn(&str) -> bool) -> Need {
        let run =
            self.of_stages(vcpus, &|stage, dealing| stage.most_need(dealing, is_trusted).ok());
        self.with_vcpus(vcpus, run)
    }

    fn with_vcpus(&self, vcpus: &[u32], run: Need) -> Need {
        Need { pages: run.pages + self.vcpu_pages(vcpus), ..run }
    }

    fn of_stages(
        &self,
        vcpus: &[u32],
        need: &dyn Fn(&Stage<'_>, &Dealing) -> Option<Need>,
    ) -> Need {
        let of_stage = |stage: Stage<'_>| need(&stage, &stage.deal(vcpus).ok()?);
        self.with_results(self.stages().filter_map(of_stage).fold(Need::NONE, Need::max))
    }

    /// Returns what it needs besides the pages of other vCPUs.
    pub fn run_need(&self, vcpus: &[u32], offers: Offers<'_>) -> Need {
        self.of_stages(vcpus, &|stage, dealing| stage.need(dealing, offers).ok())
    }

    /// Returns the pages of all vCPUs that it uses besides the boot vCPU.
    pub fn vcpu_pages(&self, vcpus: &[u32]) -> u64 {
        u64::from(self.vcpu_max(vcpus)) * VCPU_PAGES
    }

    /// Returns what is needed for disks and the results of all jobs, and for what a guest has on
    /// the heap in any case.
    pub fn with_results(&self, disks: Need) -> Need {
        let results = results::heap_bytes(&self.jobs) as u64;
        Need { heap_bytes: disks.heap_bytes + results + BASE_HEAP_BYTES, ..disks }
    }

    /// Returns all jobs as one stage, for a caller that connects their disks and does not run them.
    pub fn at_once(&self) -> Stage<'_> {
        Stage::of(&self.jobs, &self.vdevs)
    }
}

/// Assigns disks to jobs that name none, and the default jobs to a run that has none: all writable
/// disks, because a read-only one is no ordinary disk.
fn choose(mut jobs: Vec<Job>, vbds: &[Vbd]) -> Result<Vec<Job>, Refusal> {
    let name = |vbd: &Vbd| vbd.vdev.to_string();
    let writable: Vec<String> = vbds.iter().filter(|vbd| vbd.is_writable).map(name).collect();
    if writable.is_empty() {
        return Err(Refusal::NothingToDo { found: vbds.iter().map(name).collect() });
    }
    if jobs.is_empty() {
        return Ok(writable.iter().flat_map(|name| Job::defaults_for(name)).collect());
    }
    for job in jobs.iter_mut().filter(|job| job.disks.is_empty()) {
        job.disks.clone_from(&writable);
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;
    use drivers::blkfront::{Room, Setup};
    use fio_job::{GrantMode, parse};

    const RW: bool = true;
    const RO: bool = false;
    const NO_DISK: &str =
        "this guest has no disk; add disk = [ 'phy:/dev/vg/lv,xvda,w' ] to its configuration";
    const TWO_DISKS: &str =
        "two disks are called xvda; give them different names in the configuration";

    /// Returns VBDs named `xvda`, `xvdb`, ...
    fn vbds(writable: &[bool]) -> Vec<Vbd> {
        let numbers = (51712..).step_by(16).map(Vdev);
        let vbds = numbers.zip(writable);
        vbds.map(|(vdev, &is_writable)| Vbd { vdev, is_writable }).collect()
    }

    fn plan(line: &str, vbds: &[Vbd]) -> Result<Plan, String> {
        let jobs = parse(line).expect(line);
        Plan::new(jobs, vbds).map_err(|refusal| refusal.to_string())
    }

    fn disks(plan: &Plan) -> Vec<String> {
        plan.jobs.iter().map(|job| job.disks.join(":")).collect()
    }

    #[test]
    fn without_jobs_each_writable_disk_is_read_in_each_grant_mode() {
        let plan = plan("", &vbds(&[RW, RO, RW])).expect("a plan");
        assert_eq!(disks(&plan), ["xvda", "xvda", "xvda", "xvdc", "xvdc", "xvdc"]);
        let stages: Vec<Stage<'_>> = plan.stages().collect();
        assert!(stages.iter().all(|stage| stage.jobs.len() == 1));
        let modes = stages.iter().map(|stage| stage.jobs[0].grants);
        assert!(modes.eq(GrantMode::ALL.into_iter().cycle().take(6)));
    }

    #[test]
    fn a_job_that_names_no_disk_gets_all_that_are_writable() {
        let line = "--name=a --name=b --filename=xvdb --name=c --filename=xvdc:xvda";
        let plan = plan(line, &vbds(&[RW, RO, RW])).expect("a plan");
        assert_eq!(disks(&plan), ["xvda:xvdc", "xvdb", "xvdc:xvda"]);
    }

    #[test]
    fn writability_matters_only_if_disks_are_chosen() {
        for (line, chooses) in [
            ("", true),
            ("rw=read", true),
            ("--name=a --filename=xvda --name=b", true),
            ("filename=xvda", false),
            ("--name=a --filename=xvda --name=b --filename=xvdb", false),
        ] {
            assert_eq!(chooses_disks(&parse(line).expect(line)), chooses, "{line}");
            let planned = plan(line, &vbds(&[RO, RO]));
            assert_eq!(planned.is_err(), chooses, "{line}");
        }
    }

    #[test]
    fn a_run_without_its_disks_is_refused() {
        for (line, writable, text) in [
            ("", &[][..], NO_DISK),
            ("rw=read", &[], NO_DISK),
            (
                "",
                &[RO, RO],
                "no writable disk to measure; to read a read-only one, name it: \
                 filename=/dev/xvda:/dev/xvdb",
            ),
            (
                "filename=xvda:xvdc",
                &[RW, RW],
                "filename=/dev/xvdc: no such disk; this guest has xvda, xvdb",
            ),
            (
                "filename=xvdb --name=a --filename=xvda --name=b",
                &[],
                "filename=/dev/xvda: no such disk; this guest has none, add a disk= line to its \
                 configuration",
            ),
        ] {
            assert_eq!(plan(line, &vbds(writable)).unwrap_err(), text, "{line}");
        }
    }

    /// Returns what a plan needs of a guest with these vCPUs, where the backends have this offer.
    fn need(line: &str, disks: usize, vcpus: &[u32], offer: Option<Offer>) -> Need {
        let plan = plan(line, &vbds(&vec![RW; disks])).expect(line);
        plan.need(vcpus, &|_| offer)
    }

    #[test]
    fn a_run_needs_slots_for_a_share_of_the_iodepth_on_each_disk() {
        const MOST: Option<Offer> = Some(Offer::MOST);
        for (line, disks, offer, (queues, each)) in [
            // Queues, and pages of the ring and of all slots of each.
            ("filename=xvda", 1, MOST, (1, 1_u64 + 1)),
            ("filename=xvda iodepth=256", 1, MOST, (1, 8 + 256)),
            ("filename=xvda iodepth=256", 1, None, (1, 1 + 32)),
            ("iodepth=256", 8, MOST, (8, 1 + 32)),
            ("iodepth=256 numjobs=8", 8, MOST, (8, 8 + 256)),
            ("filename=xvda iodepth=60000", 1, MOST, (1, 16 + 512)),
            ("filename=xvda bs=1m iodepth=4", 1, MOST, (1, 1 + 4 * 257)),
            ("filename=xvda bs=1m iodepth=4", 1, None, (1, 1 + 32 * 11)),
            ("filename=xvda ringmark_queues=4 iodepth=16", 1, MOST, (4, 1 + 4)),
            ("filename=xvda ringmark_queues=4 iodepth=16", 1, None, (1, 1 + 16)),
            // The larger of the stages.
            ("iodepth=8 --name=a --filename=xvda --name=b --stonewall", 2, MOST, (2, 1 + 4)),
        ] {
            let need = need(line, disks, &[0], offer);
            // Each queue has whole lines of the grant table.
            assert_eq!(need.grants, queues * each.next_multiple_of(8), "{line}");
            assert_eq!(need.pages, (queues * each).div_ceil(15) * 16, "{line}");
        }
        let copies = need("filename=xvda iodepth=32 grants=persistent-copy", 1, &[0], MOST);
        assert_eq!((copies.grants, copies.pages), (40, (33_u64 + 32).div_ceil(15) * 16));
    }

    #[test]
    fn a_run_needs_heap_for_its_results_and_memory_for_its_vcpus() {
        let one = need("filename=xvda", 1, &[0], None);
        let line = "filename=xvda numjobs=3 runtime=60 write_bw_log log_avg_msec=100";
        let three = need(line, 1, &[0], None);
        let results = |line| results::heap_bytes(&parse(line).expect(line)) as u64;
        let more = results(line) - results("filename=xvda");
        assert!(three.heap_bytes - one.heap_bytes >= more, "{one:?}, {three:?}");
        let on_three = need("filename=xvda numjobs=3", 1, &[0, 1, 2], None);
        assert!(on_three.pages >= 2 * VCPU_PAGES, "{on_three:?}");
    }

    #[test]
    fn a_run_needs_grants_for_one_io_on_each_disk() {
        const MOST: Option<Offer> = Some(Offer::MOST);
        for (line, disks, offer, (disks_used, each)) in [
            // Of each disk, pages of the ring and of one I/O: data, and segments of each request.
            ("filename=xvda iodepth=256", 1, MOST, (1, 1 + 1_u64)),
            ("bs=4m iodepth=64", 2, MOST, (2, 1 + 1024 + 2)),
            ("filename=xvda bs=1m iodepth=4", 1, None, (1, 1 + 256 + 1)),
            ("filename=xvda ringmark_queues=4 bs=64k iodepth=16", 1, MOST, (1, 1 + 17)),
        ] {
            let need = need(line, disks, &[0], offer);
            assert_eq!(need.grants_least, disks_used * each.next_multiple_of(8), "{line}");
            assert!(need.grants >= need.grants_least, "{line}");
        }
    }

    /// Slots for which there is no heap are not made.
    #[test]
    fn room_is_as_large_as_the_heap() {
        let need = |pages, heap_bytes| Need { pages, heap_bytes, ..Need::NONE };
        let (least, full) = (need(100, 1000), need(500, 3000));
        let room = |pages| Room { pages, grants: 9 };
        for (heap, has, expected) in [
            (3000, 900, 900),
            (2999, 900, 499),
            (2000, 900, 300),
            (2000, 200, 200),
            (1000, 900, 100),
            (0, 900, 100),
        ] {
            assert_eq!(least.room(&full, heap, room(has)), room(expected), "{heap}");
        }
        let none = need(u64::MAX, u64::MAX);
        assert_eq!(none.room(&none, 0, room(7)), room(7));
    }

    /// Checks that each disk gets what it needs with the room that is needed, whatever disks and
    /// jobs are like.
    #[test]
    fn what_is_needed_suffices() {
        for line in [
            "iodepth=100",
            "iodepth=33 bs=1m",
            "bs=48k iodepth=64 grants=persistent-copy",
            "--name=a --filename=xvda --iodepth=300 --name=b --bs=64k --iodepth=7",
        ] {
            for offer in [Offer::LEAST, Offer::MOST] {
                let plan = plan(line, &vbds(&[RW; 5])).expect(line);
                let offers = |_: &str| Some(offer);
                let stage = plan.at_once();
                let dealing = stage.deal(&[0]).expect(line);
                let need = stage.need(&dealing, &offers).expect(line);
                let room = Room { pages: need.pages, grants: need.grants };
                let mut pages = 0;
                for disk in stage.disks(&dealing, room, &offers).map(|disk| disk.expect(line)) {
                    let share: u32 = stage
                        .jobs
                        .iter()
                        .filter(|job| job.disks.contains(&disk.name))
                        .map(|job| job.iodepth.div_ceil(job.disks.len() as u32))
                        .sum();
                    let takes = Setup { slots: share, ..disk.setup }.takes(&offer).room;
                    let fits = takes.pages <= disk.room.pages && takes.grants <= disk.room.grants;
                    assert!(fits, "{line}: {takes:?}, {disk:?}");
                    pages += disk.room.pages;
                }
                assert!(pages <= need.pages, "{line}");
            }
        }
    }

    /// Checks that no disk has so little of scarce grants that it could have no I/O in flight.
    #[test]
    fn each_disk_has_grants_for_one_io() {
        let line = "--name=a --filename=xvda --iodepth=300 --name=b --filename=xvdb:xvdc --bs=4m \
                    --iodepth=64 --name=c --filename=xvdc --bs=64k --ringmark_queues=2";
        let line = line.replace("--name=b", "--name=b --ringmark_queues=2");
        for offer in [Offer::LEAST, Offer::MOST] {
            let plan = plan(&line, &vbds(&[RW; 3])).expect(&line);
            let offers = |_: &str| Some(offer);
            let stage = plan.at_once();
            let dealing = stage.deal(&[0, 1]).expect(&line);
            let need = stage.need(&dealing, &offers).expect(&line);
            for grants in [need.grants_least, need.grants_least + 1, need.grants - 1] {
                let room = Room { pages: u64::MAX >> 8, grants };
                let mut taken = 0;
                for disk in stage.disks(&dealing, room, &offers).map(|disk| disk.expect(&line)) {
                    let one = Setup { slots: 1, queues: 1, ..disk.setup }.takes(&offer).room;
                    assert!(one.grants <= disk.room.grants, "{offer:?}, {grants}: {disk:?}");
                    taken += disk.room.grants;
                }
                assert!(taken <= grants, "{offer:?}: {taken} of {grants}");
            }
        }
    }

    #[test]
    fn the_first_reason_is_the_one_that_is_reported() {
        // Extended number of the first disk (vbd-interface(7)).
        let mut twice = vbds(&[RO, RO]);
        twice.push(Vbd { vdev: Vdev(1 << 28), is_writable: false });
        assert_eq!(plan("", &twice).unwrap_err(), TWO_DISKS);
        assert_eq!(plan("", &[]).unwrap_err(), NO_DISK);
        // A missing name is refused before any stage, a conflict when its stage begins.
        let poll = "--filename=xvda --name=a --ringmark_poll_us=1 --name=b --ringmark_poll_us=2";
        let missing = format!("{poll} --name=c --stonewall --filename=xvdz");
        let missing = plan(&missing, &vbds(&[RW])).unwrap_err();
        assert!(missing.starts_with("filename=/dev/xvdz: no such disk"), "{missing}");
    }

    #[test]
    fn a_stage_is_refused_at_its_turn() {
        let line = "--filename=xvda --name=a --name=b --stonewall --name=c --ringmark_poll_us=2 \
                    --name=d --stonewall";
        let plan = plan(line, &vbds(&[RW])).expect("a plan");
        let dealt: Vec<bool> = plan.stages().map(|stage| stage.deal(&[0]).is_ok()).collect();
        assert_eq!(dealt, [true, false, true]);
    }

    #[test]
    fn as_many_vcpus_are_needed_as_can_have_a_job() {
        for (line, vcpus, max) in [
            ("filename=xvda", &[0, 1, 2, 3][..], 0),
            ("filename=xvda numjobs=3", &[0, 1, 2, 3], 2),
            ("filename=xvda numjobs=9", &[0, 1, 2, 3], 3),
            ("filename=xvda numjobs=2 cpus_allowed=1-3", &[0, 1, 2, 3], 2),
            ("filename=xvda cpus_allowed=3", &[0, 1, 2, 3], 3),
            ("filename=xvda cpus_allowed=9", &[0, 1, 2, 3], 0),
            ("filename=xvda numjobs=2 stonewall", &[0, 1], 1),
            // All of them, if the backend has one queue.
            (
                "filename=xvda --name=a --cpus_allowed=0,1,5 --name=b --cpus_allowed=2,3,5",
                &[0, 1, 2, 3, 4, 5],
                5,
            ),
        ] {
            let plan = plan(line, &vbds(&[RW])).expect(line);
            assert_eq!(plan.vcpu_max(vcpus), max, "{line}");
        }
    }

    #[test]
    fn disks_without_a_run_are_planned_in_one_stage() {
        let line = "--name=a --filename=xvda --ringmark_poll_us=1 \
                    --name=b --stonewall --filename=xvdb --ringmark_poll_us=2";
        let plan = plan(line, &vbds(&[RW, RW])).expect("a plan");
        assert_eq!(plan.at_once().jobs.len(), 2);
        let stage = plan.at_once();
        let dealing = Dealing::on_one(2);
        let enough = Room { pages: u64::MAX, grants: u64::MAX };
        let disks = stage.disks(&dealing, enough, &|_| None);
        let names: Result<Vec<String>, Refusal> = disks.map(|disk| disk.map(|d| d.name)).collect();
        assert_eq!(names, Ok(["xvda", "xvdb"].map(String::from).into()));
    }
}
