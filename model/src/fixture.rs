//! Fixtures of tests, the soak and the examples: a machine with its disks, the devices that a guest
//! has connected, and jobs on them.

use drivers::console::Console;
use fio_job::Job;
use load::engine::{Control, Disk as Lent, Engine, Outcome, Progress, Share, StageJob};
use load::plan::{Dealing, setup_for};
use load::worker::{self, Relay, Words};

use crate::blkback::Disk;
use crate::guest::{Device, Guest};
use crate::hypervisor::ModelXen;
use crate::xen::Config;

/// Device number of the first disk, `xvda`.
pub const XVDA: u32 = 51712;

/// Returns the device number of the disk with this index: `xvda`, `xvdb`, and so on.
pub const fn vdev(index: u32) -> u32 {
    XVDA + 16 * index
}

/// A machine that is still to be built.
#[derive(Clone, Debug)]
pub struct Machine {
    config: Config,
    disks: Vec<Disk>,
}

impl Machine {
    /// Begins with the usual machine, which has no disk.
    pub fn seeded(seed: u64) -> Self {
        Self { config: Config::seeded(seed), disks: Vec::new() }
    }

    /// Sets how many pages the guest can allocate.
    #[must_use]
    pub fn pages(mut self, pages: usize) -> Self {
        self.config.pages = pages;
        self
    }

    /// Sets how many pages Xen lets the grant table grow to.
    #[must_use]
    pub fn grant_frames(mut self, grant_frames: usize) -> Self {
        self.config.grant_frames = grant_frames;
        self
    }

    /// Sets how many vCPUs the guest has.
    #[must_use]
    pub fn vcpus(mut self, vcpus: u32) -> Self {
        self.config.vcpus = vcpus;
        self
    }

    /// Adds a disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// Adds `count` plain disks of `sectors` sectors each, from `xvda` on.
    #[must_use]
    pub fn disks(self, count: u32, sectors: u64) -> Self {
        (0..count).fold(self, |machine, index| machine.disk(Disk::new(vdev(index), sectors)))
    }

    /// Builds it, with the disks in the order in which they were added.
    pub fn build(self) -> ModelXen {
        let xen = ModelXen::new(self.config);
        for disk in self.disks {
            xen.attach(disk);
        }
        xen
    }
}

/// Returns bytes that differ everywhere, made from the seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// Opens the guest's console.
pub fn open_console(xen: &ModelXen) -> Console<'_, ModelXen> {
    let (port, page) = xen.console_channel();
    Console::new(xen, port, page)
}

/// Connects a disk as the jobs need it.
///
/// # Panics
/// If no job names it, if the jobs need different things of it, or if the connect fails.
pub fn connect<'a>(guest: &mut Guest<'a>, vdev: u32, jobs: &[Job]) -> Device<'a> {
    let name = xen_abi::vdev::Vdev(vdev).to_string();
    let setup = setup_for(&name, jobs, &Dealing::on_one(jobs.len()))
        .expect("jobs that agree")
        .expect("a job on the disk");
    guest.connect(vdev, &setup).expect("a disk")
}

/// Runs jobs on disks as the only loop, as a guest of one vCPU does; returns the disks too.
pub fn run_engine<'a>(
    xen: &ModelXen,
    jobs: Vec<Job>,
    disks: Vec<Lent<'a>>,
    mut observe: &mut dyn FnMut(&Progress) -> Control,
) -> (Outcome, Vec<Lent<'a>>) {
    let share = Share { vcpu: 0, jobs: StageJob::all(jobs), disks };
    let (words, relay) = (Words::new(0), Relay::default());
    worker::join(worker::lead(xen, Some(share), &words, &relay, &mut || None, &mut observe))
}

/// Returns the engine of the only loop, which has begun, to be stepped by the caller.
pub fn start_engine<'v, 'a>(
    xen: &'v ModelXen,
    jobs: Vec<Job>,
    disks: Vec<Lent<'a>>,
) -> Engine<'v, 'a, ModelXen> {
    let mut engine = Engine::prepare(xen, Share { vcpu: 0, jobs: StageJob::all(jobs), disks });
    engine.make_tables(1);
    engine.begin();
    engine
}

/// Most calls of `tick`, about one in a second of simulated time, between two I/Os: many more than
/// a backend or a pause of a job takes. Jobs that wait for longer wait for ever.
const IDLE_TICKS_MAX: u32 = 600;

/// Runs jobs on devices, each under its own name, until all have ended or `tick` ends them.
///
/// # Panics
/// If the jobs neither end nor complete anything.
pub fn run_jobs(
    xen: &ModelXen,
    devices: &mut [Device<'_>],
    jobs: Vec<Job>,
    tick: &mut dyn FnMut(&Progress) -> Control,
) -> Outcome {
    let disks = devices.iter_mut().map(Device::lend).collect();
    let (mut ios, mut idle_ticks) = (0, 0);
    let (outcome, disks) = run_engine(xen, jobs, disks, &mut |progress| {
        let is_idle = progress.ios() == ios;
        (ios, idle_ticks) = (progress.ios(), if is_idle { idle_ticks + 1 } else { 0 });
        assert!(idle_ticks < IDLE_TICKS_MAX, "jobs hang after {ios} I/Os");
        tick(progress)
    });
    devices.iter_mut().zip(disks).for_each(|(device, disk)| device.queues = disk.queues);
    outcome
}

/// Runs the jobs of a command line on devices until they have ended.
///
/// # Panics
/// If the command line is refused.
pub fn run_line(xen: &ModelXen, devices: &mut [Device<'_>], line: &str) -> Outcome {
    run_jobs(xen, devices, fio_job::parse(line).expect(line), &mut |_| Control::Continue)
}

/// Checks that nobody has anything of the guest's, and that the guest holds no page.
///
/// # Panics
/// If something is left.
pub fn assert_nothing_is_left(xen: &ModelXen) {
    let world = xen.world();
    assert_eq!(world.xen.pages_out(), 0, "pages");
    assert_eq!(world.xen.grants.standing(), 0, "mappings");
    assert_eq!(world.xen.events.open_ports(), 2, "ports");
    assert_eq!(world.store.guest_watches(), 0, "watches");
    assert_eq!(world.store.open_transactions(), 0, "transactions");
}
