//! One seed of the soak: a guest with several disks lives through whatever the seed draws.
//!
//! Each episode connects a disk, does checked I/O while its backend tells at most one kind of lie,
//! and disconnects. Around it events storm, watches get lost, xenstored sends bytes one by one.
//! Every end must be one that the lie allows; an honest backend allows none but success.

use std::borrow::Cow;
use std::collections::BTreeMap;

use drivers::Vcpu;
use drivers::blkfront::{Broken, GrantMode, QueuePair, Setup};
use drivers::ring::ENTRIES;
use serde::{Deserialize, Serialize};
use xen_abi::blkif::MAX_SEGMENTS;
use xen_abi::xenstore::Header;
use xen_abi::{DomId, Port};

use crate::blkback::{Disk, Lie, Mischief};
use crate::fixture::vdev;
use crate::guest::{Device, Guest};
use crate::hypervisor::ModelXen;
use crate::workload::{Failure, Workload};
use crate::xen::Config;
use crate::xenstored::wire::watch_event;

/// Disks of each guest.
const DISKS: usize = 3;
/// Pages of data that a device has at most.
const PAGES_MAX: usize = 512;
/// Most queues of a device.
const QUEUES_MAX: u32 = 4;
/// Most slots of a queue: four pages of ring, which are found also where many are lost.
const SLOTS_MAX: u32 = drivers::ring::entries(2);

/// Counts of what was done and injected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Seeds that passed.
    pub seeds: u64,
    /// I/Os that were checked.
    pub ios: u64,
    /// Connections made.
    pub connects: u64,
    /// Simulated time in nanoseconds.
    pub simulated_ns: u128,
    /// Faults injected, by class.
    pub faults: BTreeMap<Cow<'static, str>, u64>,
    /// Ends that a lie brought about: device given up, I/O failed, data found wrong, stall.
    pub ends: BTreeMap<Cow<'static, str>, u64>,
}

impl Tally {
    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.ios += other.ios;
        self.connects += other.connects;
        self.simulated_ns += other.simulated_ns;
        for (mine, theirs) in [(&mut self.faults, &other.faults), (&mut self.ends, &other.ends)] {
            for (name, count) in theirs {
                *mine.entry(name.clone()).or_default() += count;
            }
        }
    }

    fn fault(&mut self, class: &'static str, count: u64) {
        if count != 0 {
            *self.faults.entry(class.into()).or_default() += count;
        }
    }
}

/// Lives through one seed with at least `ios` I/Os.
///
/// # Errors
/// What went wrong that no lie allows.
pub fn run_seed(seed: u64, ios: u64) -> Result<Tally, String> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let xen = ModelXen::new(Config { pages: 2048, ..Config::seeded(seed) });
    let mut tally = Tally { seeds: 1, ..Tally::default() };
    for index in 0..DISKS {
        xen.attach(draw_disk(&mut rng, vdev(index as u32)));
    }
    surround(&xen, &mut rng, &mut tally);
    let mut guest = Guest::boot(&xen);
    let mut quarantined = 0;
    while tally.ios < ios {
        quarantined += episode(&xen, &mut guest, &mut rng, &mut tally, quarantined)?;
        let out = xen.world().xen.pages_out() as u64;
        if out != quarantined {
            return Err(format!("{out} pages are out, {quarantined} in quarantine"));
        }
        let ports = xen.world().xen.events.open_ports();
        if ports != 2 {
            return Err(format!("{ports} ports are open"));
        }
        let violations = xen.world().xen.take_violations();
        if let Some(violation) = violations.first() {
            return Err(format!("the guest broke a rule: {violation}"));
        }
        if quarantined > 600 {
            // Enough memory is lost on purpose.
            break;
        }
    }
    tally.simulated_ns = xen.now_ns().into();
    let store = &xen.world().store;
    if store.forger.is_some() {
        for class in ["X4", "X9", "X10"] {
            tally.fault(class, store.requests);
        }
    }
    Ok(tally)
}

fn draw_disk(rng: &mut fastrand::Rng, vdev: u32) -> Disk {
    let mut disk = Disk::new(vdev, 8 * rng.u64(16..128));
    disk.sector_bytes = if rng.u32(0..4) == 0 { 4096 } else { 512 };
    disk.flush = rng.bool();
    disk.discard = rng.bool();
    disk.queues_max = QUEUES_MAX;
    disk.indirect_max = [0, 32, 256][rng.usize(0..3)];
    disk.backend = DomId(rng.u16(0..4) & !1);
    disk.persistent = rng.u32(0..4) != 0;
    disk.persistent_max = [8, 60, 1056][rng.usize(0..3)];
    disk.service_ns = [1_000..20_000, 20_000..200_000, 1_000..5_000_000][rng.usize(0..3)].clone();
    if rng.u32(0..4) == 0 {
        disk = disk.copying();
    }
    disk.barrier = rng.bool();
    disk.trusted = [None, Some("1"), Some("0")][rng.usize(0..3)];
    disk.deaf = (rng.u32(0..8) == 0).then(|| rng.u32(..));
    disk
}

/// Faults that last for the seed's whole life.
fn surround(xen: &ModelXen, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let world = &mut *xen.world();
    for port in 1..8 {
        if rng.u32(0..24) == 0 {
            world.xen.storm(Port(port), rng.u64(2_000..200_000));
            tally.fault(if port == 2 { "C6" } else { "G1" }, 1);
        }
    }
    world.store.contention = rng.u32(0..8);
    if rng.u32(0..8) == 0 {
        world.store.wire.piece_max = 1;
        tally.fault("X7", 1);
    }
    if rng.u32(0..8) == 0 {
        world.store.wire.loses_events = true;
        tally.fault("X11", 1);
    }
    if rng.u32(0..8) == 0 {
        world.store.forger = Some(Box::new(with_noise));
    }
    let deaf = world.disks.iter().filter(|back| back.disk.deaf.is_some()).count();
    tally.fault("B16", deaf as u64);
}

/// A reply among others that nobody asked for, and events of no watch or of a flood.
fn with_noise(header: Header, body: Vec<u8>) -> Vec<(Header, Vec<u8>)> {
    let stray = (Header { req_id: header.req_id.wrapping_add(1000), ..header }, body.clone());
    let mut messages = vec![watch_event("device", b"A"); 8];
    messages.extend([stray, watch_event("", b"\xff\xff"), (header, body)]);
    messages
}

/// Returns a disk's setup within the limits of the model's memory.
fn draw_setup(rng: &mut fastrand::Rng) -> Setup {
    let pages_per_slot = match rng.u32(0..8) {
        0..4 => 1,
        4..7 => rng.usize(1..=MAX_SEGMENTS),
        _ => rng.usize(1..=PAGES_MAX / 2),
    };
    let slots_max = if rng.u32(0..8) == 0 { SLOTS_MAX } else { ENTRIES };
    // Where several requests make up for one, their pages may be up to twice as many.
    let pages = if pages_per_slot > MAX_SEGMENTS { 2 * pages_per_slot } else { pages_per_slot };
    let slots_max = slots_max.min((PAGES_MAX / pages) as u32);
    let queues = if rng.u32(0..4) == 0 { rng.u32(1..=QUEUES_MAX.min(slots_max)) } else { 1 };
    let slots_max = slots_max / queues;
    Setup {
        grants: GrantMode::ALL[rng.usize(0..3)],
        queues,
        slots: rng.u32(1..=slots_max),
        pages_per_slot,
        ..Setup::ONE
    }
}

/// One life of one disk, after `quarantined` pages were lost; returns how many more are.
fn episode<'a>(
    xen: &'a ModelXen,
    guest: &mut Guest<'a>,
    rng: &mut fastrand::Rng,
    tally: &mut Tally,
    quarantined: u64,
) -> Result<u64, String> {
    let index = rng.usize(0..DISKS);
    let setup = draw_setup(rng);
    let mut device = guest
        .connect(vdev(index as u32), &setup)
        .map_err(|error| format!("an honest handshake failed: {error}"))?;
    tally.connects += 1;

    let lie = (rng.u32(0..4) == 0).then(|| draw_lie(rng, setup.queues));
    let clings = rng.u32(0..64) == 0;
    tally.fault("G6", clings.into());
    let content = {
        let back = &mut xen.world().disks[index];
        back.mischief = lie.map_or(Mischief::none(), |lie| Mischief::of(lie, rng.u32(1..=4)));
        back.disk.clings = clings;
        back.data.clone()
    };
    let unit = device.info().logical_sector_bytes;
    let most = device.queues[0].request_bytes_max();
    let mut work = Workload::new(rng.u64(..), content, unit, most, rng.u32(0..=16));
    let depth = rng.usize(1..=device.queues.iter().map(QueuePair::depth).sum());
    let end = work.run(xen, &mut device, rng.u64(100..2000), depth);
    tally.ios += work.done;

    let told = {
        let back = &mut xen.world().disks[index];
        back.loot.clear();
        if end.is_ok() && lie.is_none() && back.data != work.shadow {
            return Err("an honest disk does not hold what was written".into());
        }
        std::mem::take(&mut back.mischief).told
    };
    if let Some(lie) = lie {
        tally.fault(lie.class(), told);
    }
    let lie = lie.filter(|_| told != 0);
    judge(lie, setup.grants, &end)?;
    if let Err(failure) = &end {
        *tally.ends.entry(name_of(failure).into()).or_default() += 1;
    }

    if end.is_ok() {
        check_permitted(xen, &device, setup.grants, quarantined)?;
    }
    let left = guest.disconnect(device);
    if left.timed_out {
        if lie != Some(Lie::Silent) {
            return Err(format!("the close timed out after {lie:?}"));
        }
        let world = &mut *xen.world();
        world.disks[index].abandon(&mut world.store);
    }
    Ok(left.quarantined_pages.into())
}

/// Checks that between requests just those grants stand that the device keeps, and those of the
/// `quarantined` pages.
fn check_permitted(
    xen: &ModelXen,
    device: &Device<'_>,
    grants: GrantMode,
    quarantined: u64,
) -> Result<(), String> {
    let of_queue = |queue: &QueuePair<'_>| {
        let pages = queue.request_bytes_max() as usize / 4096;
        let indirect = usize::from(pages > MAX_SEGMENTS);
        let kept = if grants.is_persistent() { queue.slots() } else { 0 };
        let ring = queue.depth().div_ceil(ENTRIES as usize).next_power_of_two();
        ring + kept * (pages + indirect)
    };
    let expected = quarantined as usize + device.queues.iter().map(of_queue).sum::<usize>();
    let world = xen.world();
    let permitted = world.xen.grants.permitted(&world.xen.memory);
    if permitted != expected {
        return Err(format!("{permitted} grants stand between requests, not {expected}"));
    }
    Ok(())
}

/// Returns an error unless the end is one that the lie that was told allows.
fn judge(lie: Option<Lie>, mode: GrantMode, end: &Result<(), Failure>) -> Result<(), String> {
    let fine = match (lie, end) {
        (None, end) => end.is_ok(),
        // A request that was answered so never ends well.
        (
            Some(
                Lie::NoSuchSlot
                | Lie::FreeSlot
                | Lie::OtherQueue
                | Lie::HighBit(_)
                | Lie::Operation(_),
            ),
            Ok(()),
        ) => false,
        (Some(Lie::Status(status) | Lie::FlushStatus(status)), Ok(())) => status == 0,
        (Some(_), Ok(())) => true,
        (Some(lie), Err(failure)) => allows(lie, mode, failure),
    };
    if fine { Ok(()) } else { Err(format!("{lie:?} in {mode} ended as {end:?}")) }
}

fn draw_lie(rng: &mut fastrand::Rng, queues: u32) -> Lie {
    let lies = [
        Lie::NoSuchSlot,
        Lie::FreeSlot,
        Lie::Twice,
        Lie::StaleId,
        Lie::HighBit(rng.u32(16..64)),
        Lie::Operation(rng.u8(..)),
        Lie::Status(rng.i16(..)),
        Lie::FlushStatus(rng.i16(-2..0)),
        Lie::ProdAhead(rng.u32(1..)),
        Lie::ProdAhead(rng.u32(1..40)),
        Lie::RestlessProd,
        Lie::Noise,
        Lie::Scribble,
        Lie::Unasked,
        Lie::Early,
        Lie::Silent,
        Lie::Lost,
        Lie::Misdirected,
        Lie::BitFlip,
        Lie::LastSector,
        Lie::Partial,
        Lie::Padding,
        Lie::KeepMapped,
        Lie::SpoilWrite,
        Lie::Snoop,
        // The last, for it needs another.
        Lie::OtherQueue,
    ];
    lies[rng.usize(0..lies.len() - usize::from(queues == 1))]
}

/// Returns whether a lie may bring this about.
fn allows(lie: Lie, mode: GrantMode, failure: &Failure) -> bool {
    let per_request = mode == GrantMode::PerRequest;
    match (lie, failure) {
        (
            Lie::NoSuchSlot | Lie::FreeSlot | Lie::Twice | Lie::StaleId | Lie::HighBit(_),
            Failure::Broken(Broken::ForeignId(_)),
        )
        // A request put meanwhile lies where the answer was, and is taken for one.
        | (Lie::Unasked, Failure::Broken(Broken::ForeignId(_)))
        | (Lie::Operation(_), Failure::Broken(Broken::ForeignOperation { .. }))
        | (Lie::OtherQueue, Failure::Broken(Broken::ForeignId(_) | Broken::Overrun(_)))
        | (Lie::Twice | Lie::Unasked, Failure::Broken(Broken::Overrun(_)))
        | (
            Lie::ProdAhead(_) | Lie::RestlessProd,
            Failure::Broken(Broken::Overrun(_) | Broken::ForeignId(_)) | Failure::Stalled,
        )
        | (Lie::Noise, Failure::Broken(_) | Failure::Io(..))
        | (Lie::Status(_) | Lie::FlushStatus(_), Failure::Io(..))
        | (Lie::Silent, Failure::Stalled)
        | (
            Lie::Lost
            | Lie::Misdirected
            | Lie::BitFlip
            | Lie::LastSector
            | Lie::Partial
            | Lie::Early,
            Failure::Corrupt { .. },
        ) => true,
        (Lie::Early | Lie::KeepMapped, Failure::Broken(Broken::StillMapped)) => per_request,
        // A status of 0 is a success with nothing done.
        (Lie::Status(0), Failure::Corrupt { .. }) => true,
        // A write beyond the disk's end, where the lie sent it.
        (Lie::Misdirected, Failure::Io(..)) => true,
        _ => false,
    }
}

fn name_of(failure: &Failure) -> &'static str {
    match failure {
        Failure::Broken(_) => "device given up",
        Failure::Stalled => "stall noticed",
        Failure::Io(..) => "I/O failed",
        Failure::Corrupt { .. } => "wrong data found",
    }
}
