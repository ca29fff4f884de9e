//! Parts that the classes share: a guest with one disk, and the ways in which a fault may end.

use boot_info::memory_map::Range;
use boot_info::special_page::{self, Absent};
use drivers::Vcpu;
use drivers::blkfront::{Broken, GrantMode, Setup};
use load::engine::Outcome;
use model::blkback::{Lie, Mischief};
use model::fixture::{Machine, XVDA, run_line};
use model::guest::Device;
use model::{Disk, Failure, Guest, ModelXen, Workload};
use xen_abi::{Errno, Port};

pub const SECTORS: u64 = 512;

/// Seeds with which each class is tried.
pub const SEEDS: std::ops::Range<u64> = 0..5;

/// A plain disk.
pub fn disk() -> Disk {
    Disk::new(XVDA, SECTORS)
}

/// All slots, two pages each.
pub fn setup(grants: GrantMode) -> Setup {
    Setup { grants, slots: drivers::ring::ENTRIES, pages_per_slot: 2, ..Setup::ONE }
}

/// Three queues with few slots, two pages each.
pub fn queues(grants: GrantMode) -> Setup {
    Setup { queues: 3, slots: 5, ..setup(grants) }
}

/// A workload that knows what is on the first disk now.
pub fn workload(xen: &ModelXen, seed: u64) -> Workload {
    Workload::new(seed, xen.world().disks[0].data.clone(), 512, 8192, 6)
}

/// A machine with one disk, its content made from the seed.
pub fn machine(seed: u64, disk: Disk) -> ModelXen {
    let xen = Machine::seeded(seed).disk(disk).build();
    fastrand::Rng::with_seed(seed).fill(&mut xen.world().disks[0].data);
    xen
}

/// Runs `test` with every seed and mode, on a device that has already worked for a while.
pub fn with_device(
    disk: Disk,
    modes: &[GrantMode],
    test: impl for<'a> Fn(&'a ModelXen, &mut Guest<'a>, Device<'a>, Workload),
) {
    for seed in SEEDS {
        for &mode in modes {
            let xen = machine(seed, disk.clone());
            let mut guest = Guest::boot(&xen);
            let mut device = guest.connect(XVDA, &setup(mode)).unwrap();
            let mut work = workload(&xen, seed);
            work.run(&xen, &mut device, 30, 8).unwrap();
            test(&xen, &mut guest, device, work);
        }
    }
}

/// The first disk's backend tells this lie from now on, in `chance` of 16 responses.
pub fn lie(xen: &ModelXen, lie: Lie, chance: u32) {
    xen.world().disks[0].mischief = Mischief::of(lie, chance);
}

pub fn told(xen: &ModelXen) -> u64 {
    xen.world().disks[0].mischief.told
}

pub fn be_honest(xen: &ModelXen) {
    xen.world().disks[0].mischief = Mischief::none();
}

/// Outcome `Error`: the lie breaks the device at once and for good; it closes, and works when it
/// is connected again.
pub fn breaks_the_device(lies: &[Lie], expected: fn(&Broken) -> bool) {
    for &the_lie in lies {
        with_device(disk(), &GrantMode::ALL, |xen, guest, mut device, mut work| {
            lie(xen, the_lie, 4);
            let start_ns = xen.now_ns();
            let broken = match work.run(xen, &mut device, 10_000, 8) {
                Err(Failure::Broken(broken)) => broken,
                other => panic!("{the_lie:?} ended as {other:?}"),
            };
            assert!(expected(&broken), "{the_lie:?} ended as {broken}");
            assert!(told(xen) != 0 && xen.now_ns() - start_ns < 1_000_000_000);
            assert_eq!(device.queues[0].poll().unwrap_err(), broken);
            assert_eq!(device.queues[0].broken(), Some(broken));
            be_honest(xen);
            closes_and_opens(xen, guest, device);
        });
    }
}

/// Outcome `Fail` or `Ignore`: the device works on, and data is right.
pub fn works_on(xen: &ModelXen, device: &mut Device<'_>, mut work: Workload) {
    work.run(xen, device, 200, 8).unwrap();
    assert!(xen.world().disks[0].data == work.shadow);
}

/// The device closes and gives everything back but what is still mapped; then it is connected
/// again and works.
pub fn closes_and_opens<'a>(xen: &'a ModelXen, guest: &mut Guest<'a>, device: Device<'a>) {
    let left = guest.disconnect(device);
    assert!(!left.timed_out);
    assert_eq!(xen.world().xen.pages_out(), left.quarantined_pages as usize);
    let mut device = guest.connect(XVDA, &setup(GrantMode::Persistent)).unwrap();
    works_on(xen, &mut device, workload(xen, 77));
    let again = guest.disconnect(device);
    assert_eq!((again.quarantined_pages, again.timed_out), (0, false));
    let world = xen.world();
    assert_eq!(world.xen.pages_out(), left.quarantined_pages as usize);
    assert_eq!(world.xen.events.open_ports(), 2);
    assert_eq!(world.store.guest_watches(), 0);
}

/// Runs a job of the load generator on a device.
pub fn run_job(xen: &ModelXen, device: &mut Device<'_>, options: &str) -> Outcome {
    run_line(xen, std::slice::from_mut(device), options)
}

/// Tries everything that Xen may return for the parameters of a page that the tool stack made; only
/// the first pair can be used.
pub fn refuses_absent_pages() {
    let ours = [Range { start: 0x10_0000, end: 0x20_0000 }, Range { start: 4096, end: 8192 }];
    let place = |gfn, port| special_page::place(gfn, port, ours);
    let at = |address| Ok((address, Port(2)));
    assert_eq!(place(Ok(0xfeff8), Ok(2)), at(0xfeff_8000));
    assert_eq!(place(Ok(0x200), Ok(2)), at(0x20_0000));
    assert_eq!(place(Ok(0xff), Ok(2)), at(0xf_f000));
    for gfn in [0, 0x10_0000, u64::from(u32::MAX), u64::MAX / 4096, u64::MAX] {
        assert_eq!(place(Ok(gfn), Ok(2)), Err(Absent::Gfn(gfn)));
    }
    for port in [0, 1 << 32, u64::MAX] {
        assert_eq!(place(Ok(0xfeff8), Ok(port)), Err(Absent::Port(port)));
    }
    for gfn in [1, 0x100, 0x1ff] {
        assert_eq!(place(Ok(gfn), Ok(2)), Err(Absent::Ours(gfn * 4096)));
    }
    let refused = Err(Errno::EINVAL);
    assert_eq!(place(refused, Ok(2)), Err(Absent::Refused(Errno::EINVAL)));
    assert_eq!(place(Ok(0xfeff8), refused), Err(Absent::Refused(Errno::EINVAL)));
}
