//! Cache lines of the grant table: no two queues have entries in one, whatever disks come and go,
//! and nothing of the table is lost.

use std::collections::BTreeSet;
use std::iter;

use drivers::blkfront::{GrantMode, Operation, Setup};
use drivers::grant::{ENTRIES_PER_LINE, Grant, GrantTable};
use model::fixture::{Machine, assert_nothing_is_left, vdev};
use model::guest::{Device, perform};
use model::{Disk, Guest, ModelXen};

const DISKS: u32 = 5;
/// Connects in all lives together.
const CONNECTS: u32 = 1000;
/// Entries of the tool stack.
const RESERVED: u64 = 8;

/// References of what is granted now.
fn permitted(xen: &ModelXen) -> BTreeSet<u32> {
    let world = xen.world();
    world.xen.grants.permitted_grefs(&world.xen.memory).collect()
}

/// References of the pages of each queue's ring, as xenstore has them.
fn rings(xen: &ModelXen, device: &Device<'_>, ring_pages: u32) -> Vec<Vec<u32>> {
    let (world, vdev) = (xen.world(), device.vdev().0);
    let ring = |number| {
        let directory = match device.queues.len() {
            1 => format!("/local/domain/1/device/vbd/{vdev}"),
            _ => format!("/local/domain/1/device/vbd/{vdev}/queue-{number}"),
        };
        let text = |key: String| world.store.tree.text(&format!("{directory}/{key}")).to_owned();
        let page =
            |index| if ring_pages == 1 { "ring-ref".into() } else { format!("ring-ref{index}") };
        let gref = |index| text(page(index)).parse().unwrap();
        (0..ring_pages).map(gref).collect()
    };
    (0..device.queues.len()).map(ring).collect()
}

/// References of each queue: those of its ring, and those that are granted when all of its slots
/// are used. Nothing is shown to the backend.
fn grefs(xen: &ModelXen, device: &mut Device<'_>, ring_pages: u32, bytes: u32) -> Vec<Vec<u32>> {
    let mut all = rings(xen, device, ring_pages);
    for (queue, grefs) in device.queues.iter_mut().zip(&mut all) {
        let before = permitted(xen);
        while let Some(slot) = queue.acquire() {
            queue.submit(slot, Operation::Read, 0, bytes);
        }
        grefs.extend(permitted(xen).difference(&before));
    }
    all
}

/// Lines of these entries.
fn lines(grefs: &[u32]) -> BTreeSet<u32> {
    grefs.iter().map(|gref| gref / ENTRIES_PER_LINE).collect()
}

/// Returns the number of entries that can be had.
fn free_entries(guest: &mut Guest<'_>) -> u64 {
    let lines: Vec<_> = iter::from_fn(|| guest.grants.reserve(1).ok()).collect();
    let count = lines.iter().map(|line| line.len() as u64).sum();
    lines.into_iter().for_each(|line| guest.grants.release(line));
    count
}

/// A disk that is connected, with the lines of each of its queues.
type Connected<'a> = (u32, Device<'a>, Vec<BTreeSet<u32>>);

/// Connects a disk with queues of any number and size; checks that each has as few lines as it can.
fn connect<'a>(
    xen: &ModelXen,
    guest: &mut Guest<'a>,
    vdev: u32,
    rng: &mut fastrand::Rng,
) -> Connected<'a> {
    let (queues, slots) = (rng.u32(1..=4), rng.u32(1..=40));
    let pages_per_slot = rng.usize(1..=(40 / slots as usize).clamp(1, 13));
    let grants = GrantMode::PerRequest;
    let setup = Setup { grants, queues, slots, pages_per_slot, ..Setup::ONE };
    let mut device = guest.connect(vdev, &setup).unwrap();
    assert_eq!(device.queues.len(), queues as usize);
    let ring_pages = slots.div_ceil(32);
    let grefs = grefs(xen, &mut device, ring_pages, 4096 * pages_per_slot as u32);
    let each = ring_pages + slots * (pages_per_slot as u32 + u32::from(pages_per_slot > 11));
    assert!(grefs.iter().all(|grefs| grefs.len() == each as usize), "{setup:?}: {grefs:?}");
    let lines: Vec<_> = grefs.iter().map(|grefs| lines(grefs)).collect();
    let fewest = each.div_ceil(ENTRIES_PER_LINE) as usize;
    assert!(lines.iter().all(|lines| lines.len() == fewest), "{setup:?}: {lines:?}");
    (vdev, device, lines)
}

/// A life in which disks connect and disconnect in any order.
fn life(seed: u64) -> u32 {
    let frames = 3;
    let queues = |index| Disk { queues_max: 4, ..Disk::new(vdev(index), 1024) };
    let machine = Machine::seeded(seed).pages(2048).grant_frames(frames);
    let xen = (0..DISKS).map(queues).fold(machine, Machine::disk).build();
    let mut guest = Guest::boot(&xen);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut connected: Vec<Connected<'_>> = Vec::new();
    let (mut connects, mut most) = (0, 0);
    for _ in 0..50 {
        let vdev = vdev(rng.u32(0..DISKS));
        if let Some(index) = connected.iter().position(|(other, ..)| *other == vdev) {
            let (_, device, _) = connected.swap_remove(index);
            assert_eq!(guest.disconnect(device).quarantined_pages, 0);
            continue;
        }
        connected.push(connect(&xen, &mut guest, vdev, &mut rng));
        connects += 1;
        let of_queues = || connected.iter().flat_map(|(.., lines)| lines);
        let sum = of_queues().map(BTreeSet::len).sum();
        let distinct: BTreeSet<u32> = of_queues().flatten().copied().collect();
        assert_eq!(distinct.len(), sum, "seed {seed}: two queues have entries in one line");
        most = most.max(sum);
    }
    for (_, device, _) in connected {
        guest.disconnect(device);
    }
    assert_nothing_is_left(&xen);
    // Lines are not split, so the table never grows beyond what was in use at one time.
    let grown = xen.world().xen.grant_frames as usize;
    assert_eq!(grown, (most + 1).div_ceil(64), "seed {seed}");
    assert_eq!(free_entries(&mut guest), frames as u64 * 512 - RESERVED, "seed {seed}");
    connects
}

#[test]
fn no_line_has_entries_of_two_queues() {
    let (mut connects, mut seed) = (0, 0);
    while connects < CONNECTS {
        connects += life(seed);
        seed += 1;
    }
}

/// Entries that a backend keeps mapped are lost, and no more: the others of their line are still
/// for one owner alone.
#[test]
fn a_line_of_which_a_backend_keeps_a_page_has_the_others() {
    let xen = Machine::seeded(3).grant_frames(1).disks(2, 1024).build();
    let mut guest = Guest::boot(&xen);
    let setup = Setup { slots: 5, ..Setup::ONE };
    let devices = [0, 1].map(|index| {
        let mut device = guest.connect(vdev(index), &setup).unwrap();
        let slot = device.queues[0].acquire().unwrap();
        let done = perform(&xen, &mut device, slot, Operation::Read, 0, 4096).unwrap().unwrap();
        device.queues[0].release(done.slot);
        xen.world().disks[index as usize].disk.clings = true;
        device
    });
    // Of each, the ring and the page of the read.
    for device in devices {
        assert_eq!(guest.disconnect(device).quarantined_pages, 2);
    }
    let [first, second] = [8, 1].map(|count| guest.grants.reserve(count).unwrap());
    let of_lines = |grants: &[Grant<'_>]| {
        let lines = grants.iter().map(|grant| grant.gref().0 / ENTRIES_PER_LINE);
        lines.collect::<BTreeSet<_>>().len()
    };
    assert_eq!((first.len(), of_lines(&first)), (12, 2));
    assert_eq!((second.len(), of_lines(&second)), (8, 1));
    guest.grants.release(first);
    guest.grants.release(second);
    assert_eq!(free_entries(&mut guest), 512 - RESERVED - 4);
}

/// Low references are the first to be had, also of what was given back in another order.
#[test]
fn entries_come_in_the_order_of_their_references() {
    let xen = ModelXen::seeded(1);
    let mut table = GrantTable::new(&xen);
    for _ in 0..2 {
        let mut grants = table.reserve(20).unwrap();
        assert!(grants.iter().map(|grant| grant.gref().0).eq(8..32));
        grants.reverse();
        table.release(grants);
    }
}
