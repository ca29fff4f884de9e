//! Plan of a run, made from its jobs, the VBDs that the guest has, and its memory. Nothing here
//! needs a guest.

mod deal;
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
pub use persistent::persistent_warning;
pub use refusal::{Conflict, Refusal};
pub use sectors::sector_warning;
pub use setup::setup_for;
pub use stage::{DiskPlan, Stage};

use deal::{allowed, common};

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
    /// their numbers, with a heap of `heap_bytes`.
    ///
    /// # Errors
    /// Returns the first [`Refusal`] that applies before all stages.
    pub fn new(jobs: Vec<Job>, vbds: &[Vbd], heap_bytes: usize) -> Result<Self, Refusal> {
        let names: Vec<String> = vbds.iter().map(|vbd| vbd.vdev.to_string()).collect();
        // There may be thousands of VBDs.
        let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Refusal::TwoDisks { name: pair[0].into() });
        }
        let jobs = if chooses_disks(&jobs) { choose(jobs, vbds)? } else { jobs };
        check_heap(&jobs, heap_bytes)?;
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

fn check_heap(jobs: &[Job], heap_bytes: usize) -> Result<(), Refusal> {
    let need_bytes = results::heap_bytes(jobs);
    if need_bytes <= heap_bytes {
        return Ok(());
    }
    let (need_kib, heap_kib) = (need_bytes.div_ceil(1024), heap_bytes / 1024);
    let logs = jobs.iter().any(|job| job.reporting.has_log());
    Err(Refusal::Memory { jobs: jobs.len(), need_kib, heap_kib, logs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use drivers::blkfront::Room;
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

    fn plan(line: &str, vbds: &[Vbd], heap_bytes: usize) -> Result<Plan, String> {
        let jobs = parse(line).expect(line);
        Plan::new(jobs, vbds, heap_bytes).map_err(|refusal| refusal.to_string())
    }

    fn disks(plan: &Plan) -> Vec<String> {
        plan.jobs.iter().map(|job| job.disks.join(":")).collect()
    }

    #[test]
    fn without_jobs_each_writable_disk_is_read_in_each_grant_mode() {
        let plan = plan("", &vbds(&[RW, RO, RW]), usize::MAX).expect("a plan");
        assert_eq!(disks(&plan), ["xvda", "xvda", "xvda", "xvdc", "xvdc", "xvdc"]);
        let stages: Vec<Stage<'_>> = plan.stages().collect();
        assert!(stages.iter().all(|stage| stage.jobs.len() == 1));
        let modes = stages.iter().map(|stage| stage.jobs[0].grants);
        assert!(modes.eq(GrantMode::ALL.into_iter().cycle().take(6)));
    }

    #[test]
    fn a_job_that_names_no_disk_gets_all_that_are_writable() {
        let line = "--name=a --name=b --filename=xvdb --name=c --filename=xvdc:xvda";
        let plan = plan(line, &vbds(&[RW, RO, RW]), usize::MAX).expect("a plan");
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
            let planned = plan(line, &vbds(&[RO, RO]), usize::MAX);
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
            assert_eq!(plan(line, &vbds(writable), usize::MAX).unwrap_err(), text, "{line}");
        }
    }

    #[test]
    fn a_run_whose_results_do_not_fit_is_refused() {
        for (options, way_out) in [
            ("numjobs=3", "name fewer disks with filename="),
            ("numjobs=3 runtime=60 write_bw_log log_avg_msec=100", "log_avg_msec="),
        ] {
            let line = format!("filename=xvda {options}");
            let vbds = vbds(&[RW]);
            let need_bytes = results::heap_bytes(&parse(&line).expect(&line));
            assert!(plan(&line, &vbds, need_bytes).is_ok(), "{line}");
            let text = format!(
                "the results of 3 jobs need {} KiB of heap, and this guest has {} KiB; raise \
                 memory= or {way_out}",
                need_bytes.div_ceil(1024),
                (need_bytes - 1) / 1024
            );
            assert_eq!(plan(&line, &vbds, need_bytes - 1).unwrap_err(), text);
        }
    }

    #[test]
    fn the_first_reason_is_the_one_that_is_reported() {
        // Extended number of the first disk (vbd-interface(7)).
        let mut twice = vbds(&[RO, RO]);
        twice.push(Vbd { vdev: Vdev(1 << 28), is_writable: false });
        assert_eq!(plan("", &twice, 0).unwrap_err(), TWO_DISKS);
        assert_eq!(plan("", &[], 0).unwrap_err(), NO_DISK);
        let heap = plan("filename=xvdz", &vbds(&[RW]), 0).unwrap_err();
        assert!(heap.starts_with("the results of 1 jobs need "), "{heap}");
        // A missing name is refused before any stage, a conflict when its stage begins.
        let poll = "--filename=xvda --name=a --ringmark_poll_us=1 --name=b --ringmark_poll_us=2";
        let missing = format!("{poll} --name=c --stonewall --filename=xvdz");
        let missing = plan(&missing, &vbds(&[RW]), usize::MAX).unwrap_err();
        assert!(missing.starts_with("filename=/dev/xvdz: no such disk"), "{missing}");
    }

    #[test]
    fn a_stage_is_refused_at_its_turn() {
        let line = "--filename=xvda --name=a --name=b --stonewall --name=c --ringmark_poll_us=2 \
                    --name=d --stonewall";
        let plan = plan(line, &vbds(&[RW]), usize::MAX).expect("a plan");
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
            let plan = plan(line, &vbds(&[RW]), usize::MAX).expect(line);
            assert_eq!(plan.vcpu_max(vcpus), max, "{line}");
        }
    }

    #[test]
    fn disks_without_a_run_are_planned_in_one_stage() {
        let line = "--name=a --filename=xvda --ringmark_poll_us=1 \
                    --name=b --stonewall --filename=xvdb --ringmark_poll_us=2";
        let plan = plan(line, &vbds(&[RW, RW]), usize::MAX).expect("a plan");
        assert_eq!(plan.at_once().jobs.len(), 2);
        let stage = plan.at_once();
        let dealing = Dealing::on_one(2);
        let enough = Room { pages: u64::MAX, grants: u64::MAX };
        let disks = stage.disks(&dealing, enough);
        let names: Result<Vec<String>, Refusal> = disks.map(|disk| disk.map(|d| d.name)).collect();
        assert_eq!(names, Ok(["xvda", "xvdb"].map(String::from).into()));
    }
}
