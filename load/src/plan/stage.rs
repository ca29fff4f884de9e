//! Single stage of a run: jobs that run together, and the settings that their disks are connected
//! with.

use alloc::format;
use alloc::string::{String, ToString};

use drivers::blkfront::{Offer, Room, Setup, Takes};
use fio_job::{Job, QUEUES_MAX};
use xen_abi::vdev::Vdev;

use super::deal::{Dealing, is_without_vcpu};
use super::memory::{Memory, Need, Offers};
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
    /// Room that it has for these.
    pub room: Room,
    /// Offer of its backend that it is planned with, if it was known.
    pub offer: Option<Offer>,
    /// Whether the events of each queue go to the vCPU that uses it.
    pub bind: bool,
}

impl<'p> Stage<'p> {
    /// Returns the jobs as a stage.
    pub(super) fn of(jobs: &'p [Job], vdevs: &'p [Vdev]) -> Self {
        Self { jobs, vdevs }
    }

    /// Returns notices for the user before the stage begins on a guest with these vCPUs, a line
    /// each.
    pub fn notices(&self, vcpus: &[u32]) -> impl Iterator<Item = String> {
        let engine = |job: &Job| {
            let (name, engine) = (&job.name, job.ioengine?);
            Some(format!(
                "{name}: ioengine={engine} is accepted; every job drives the ring directly"
            ))
        };
        let vcpus = move |job: &Job| {
            let (name, cpus) = (&job.name, job.cpus.as_ref()?);
            is_without_vcpu(job, vcpus).then(|| {
                format!(
                    "{name}: this guest has no vCPU of cpus_allowed={cpus}; the job runs on any"
                )
            })
        };
        self.jobs.iter().flat_map(move |job| engine(job).into_iter().chain(vcpus(job)))
    }

    /// Deals the jobs to `vcpus`, the guest's, as if each backend had as many queues as its disk
    /// needs, but no more than `ringmark_queues=`.
    ///
    /// # Errors
    /// Returns [`Refusal::Apart`], or a [`Conflict`] between jobs of one vCPU.
    pub fn deal(&self, vcpus: &[u32]) -> Result<Dealing, Refusal> {
        let queues = |disk: &str| {
            let mut users =
                self.jobs.iter().filter(|job| job.disks.iter().any(|name| name == disk));
            users.next().and_then(|job| job.queues).unwrap_or(QUEUES_MAX)
        };
        Dealing::new(self.jobs, vcpus, queues)
    }

    /// Returns what the jobs need for their disks, if they are dealt like this: slots for a share
    /// of the iodepth on each. An offer that is not known is the one that takes the least.
    ///
    /// # Errors
    /// Returns a [`Conflict`] if jobs differ in a setting that a disk has only once.
    pub fn need(&self, dealing: &Dealing, offers: Offers<'_>) -> Result<Need, Conflict> {
        self.need_of(dealing, &|disk, setup| takes(offers(disk), setup), true)
    }

    /// Returns what the jobs would use for their disks: slots for the whole iodepth on each.
    ///
    /// # Errors
    /// As for [`need`](Self::need).
    pub fn full_need(&self, dealing: &Dealing, offers: Offers<'_>) -> Result<Need, Conflict> {
        self.need_of(dealing, &|disk, setup| takes(offers(disk), setup), false)
    }

    /// Returns the most that the jobs need for their disks, with backends that take as many
    /// segments as Linux's or QEMU's ([`Setup::takes_most`]), some of which may not be trusted.
    ///
    /// # Errors
    /// As for [`need`](Self::need).
    pub fn most_need(
        &self,
        dealing: &Dealing,
        is_trusted: &dyn Fn(&str) -> bool,
    ) -> Result<Need, Conflict> {
        self.need_of(dealing, &|disk, setup| setup.takes_most(is_trusted(disk)), true)
    }

    fn need_of(
        &self,
        dealing: &Dealing,
        takes: &dyn Fn(&str, &Setup) -> Takes,
        to_share: bool,
    ) -> Result<Need, Conflict> {
        Need::of_disks(self.jobs, self.vdevs.iter().map(Vdev::to_string), dealing, takes, to_share)
    }

    /// Returns the VBDs that the jobs use, with their names.
    pub fn vbds(&self) -> impl Iterator<Item = (Vdev, String)> {
        let named = self.vdevs.iter().map(|&vdev| (vdev, vdev.to_string()));
        named.filter(|(_, name)| self.jobs.iter().any(|job| job.disks.contains(name)))
    }

    /// Returns the disks that the jobs use, in the order in which they are connected, for jobs that
    /// are dealt like this in a guest with this `room` for all of them. Each is planned at its
    /// turn: an earlier one that cannot be connected is reported first.
    ///
    /// # Errors
    /// Returns a [`Conflict`] if jobs differ in a setting that this disk has only once.
    pub fn disks(
        &self,
        dealing: &Dealing,
        room: Room,
        offers: Offers<'_>,
    ) -> impl Iterator<Item = Result<DiskPlan, Refusal>> {
        let names = self.vdevs.iter().map(Vdev::to_string);
        let memory = Memory::new(self.jobs, names, dealing, room, offers);
        let plan = move |&vdev: &Vdev| {
            self.disk(vdev, dealing, &memory, offers).map_err(Refusal::Conflict).transpose()
        };
        self.vdevs.iter().filter_map(plan)
    }

    fn disk(
        &self,
        vdev: Vdev,
        dealing: &Dealing,
        memory: &Memory,
        offers: Offers<'_>,
    ) -> Result<Option<DiskPlan>, Conflict> {
        let name = vdev.to_string();
        let Some(setup) = setup_for(&name, self.jobs, dealing)? else { return Ok(None) };
        let room = memory.of(&name, self.jobs, &setup, offers);
        let bind = self.jobs.iter().all(|job| job.bind || !job.disks.contains(&name));
        let offer = offers(&name);
        Ok(Some(DiskPlan { vdev, name, setup, room, offer, bind }))
    }
}

/// Returns what a disk takes of a backend with this offer; where it is not known, the least.
fn takes(offer: Option<Offer>, setup: &Setup) -> Takes {
    offer.map_or_else(|| setup.takes_least(), |offer| setup.takes(&offer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use fio_job::parse;

    const XVDA: Vdev = Vdev(51712);
    const XVDB: Vdev = Vdev(51728);
    const ENOUGH: Room = Room { pages: u64::MAX, grants: u64::MAX };

    #[test]
    fn each_job_with_an_ioengine_gets_a_notice() {
        let line = "filename=xvda --name=a --ioengine=libaio --name=b --name=c --ioengine=psync";
        let jobs = parse(line).expect(line);
        let notices: Vec<String> = Stage::of(&jobs, &[XVDA]).notices(&[0]).collect();
        let rest = "is accepted; every job drives the ring directly";
        let expected = [format!("a: ioengine=libaio {rest}"), format!("c: ioengine=psync {rest}")];
        assert_eq!(notices, expected);
    }

    #[test]
    fn a_job_whose_vcpus_are_not_there_gets_a_notice() {
        let jobs = parse("filename=xvda cpus_allowed=2-3").expect("a job");
        let stage = Stage::of(&jobs, &[XVDA]);
        let notices: Vec<String> = stage.notices(&[0, 1]).collect();
        let text = "job1: this guest has no vCPU of cpus_allowed=2-3; the job runs on any";
        assert_eq!(notices, [text]);
        assert_eq!(stage.notices(&[0, 3]).count(), 0);
    }

    #[test]
    fn a_disk_has_a_queue_for_each_vcpu_that_uses_it() {
        for (options, queues, slots) in [
            ("numjobs=3", 3, 8),
            ("numjobs=5", 4, 16),
            ("numjobs=3 ringmark_queues=2", 2, 16),
            ("numjobs=3 ringmark_queues=1", 1, 24),
            ("ringmark_queues=4", 4, 8),
            ("numjobs=2 ringmark_queues=6", 6, 8),
            ("numjobs=2 ringmark_queues=5", 5, 8),
        ] {
            let jobs = parse(&format!("iodepth=8 filename=xvda {options}")).expect(options);
            let stage = Stage::of(&jobs, &[XVDA]);
            let dealing = stage.deal(&[0, 1, 2, 3]).expect(options);
            let disk = stage
                .disks(&dealing, ENOUGH, &|_| None)
                .next()
                .expect("a disk")
                .expect("no conflict");
            assert_eq!((disk.setup.queues, disk.setup.slots), (queues, slots), "{options}");
        }
        // Each vCPU has room for its own jobs.
        let line = "--filename=xvda --name=a --iodepth=64 --name=b --iodepth=2";
        let jobs = parse(line).expect(line);
        let stage = Stage::of(&jobs, &[XVDA]);
        let dealing = stage.deal(&[0, 1]).expect(line);
        let disk =
            stage.disks(&dealing, ENOUGH, &|_| None).next().expect("a disk").expect("no conflict");
        assert_eq!((disk.setup.queues, disk.setup.slots, disk.bind), (2, 64, true));
    }

    #[test]
    fn disks_of_the_jobs_come_in_the_guests_order() {
        let line = "filename=xvdb --name=a --iodepth=3 --name=b --filename=xvda --bs=128k \
                    --iodepth=64";
        let jobs = parse(line).expect(line);
        let vdevs = [XVDA, XVDB, Vdev(51744)];
        let stage = Stage::of(&jobs, &vdevs);
        let disks: Result<Vec<DiskPlan>, Refusal> =
            stage.disks(&Dealing::on_one(jobs.len()), ENOUGH, &|_| None).collect();
        let disks = disks.expect("no conflict");
        let found: Vec<(Vdev, &str, u32)> =
            disks.iter().map(|disk| (disk.vdev, disk.name.as_str(), disk.setup.slots)).collect();
        assert_eq!(found, [(XVDA, "xvda", 64), (XVDB, "xvdb", 3)]);
    }

    #[test]
    fn disks_have_the_room_that_there_is() {
        let jobs = parse("bs=1m iodepth=8 filename=xvda:xvdb").expect("a line");
        let vdevs = [XVDA, XVDB];
        let stage = Stage::of(&jobs, &vdevs);
        let one = Dealing::on_one(jobs.len());
        let room = Room { pages: 16 << 10, grants: 4000 };
        let disks = stage.disks(&one, room, &|_| None).map(|disk| disk.expect("no conflict"));
        let half = Room { pages: 15 << 9, grants: 2000 };
        assert!(disks.map(|disk| (disk.setup.slots, disk.room)).eq([(8, half); 2]));
    }

    #[test]
    fn a_conflict_names_its_disk() {
        let line = "--name=a --filename=xvda:xvdb --name=b --filename=xvdb --grants=per-request";
        let jobs = parse(line).expect(line);
        let vdevs = [XVDA, XVDB];
        let stage = Stage::of(&jobs, &vdevs);
        let disks: Vec<Result<DiskPlan, Refusal>> =
            stage.disks(&Dealing::on_one(jobs.len()), ENOUGH, &|_| None).collect();
        let [Ok(first), Err(why)] = &disks[..] else { panic!("{disks:?}") };
        assert_eq!(first.name, "xvda");
        let text = "jobs that run together on xvdb ask for different grants; separate them with \
                    stonewall";
        assert_eq!(why.to_string(), text);
    }
}
