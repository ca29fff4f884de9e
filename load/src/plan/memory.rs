//! Division of a guest's room, its memory and its grants, between the disks of a stage.
//!
//! A job's iodepth is over all of its disks. All of its I/Os may be on one of them, so each gets
//! room for all while there is enough; otherwise at least for an equal share, or for one I/O, as
//! far as there is room for that, and I/Os to a disk whose slots are taken wait. How many slots a
//! disk has in its room is known when its backend has said what it takes.

use core::iter;

use drivers::blkfront::{Offer, Room, Setup, Takes};
use fio_job::Job;

use super::deal::Dealing;
use super::refusal::Conflict;
use super::setup::setup_for;
use crate::engine;

/// Offers of the backends of disks by name, as far as they are known.
pub type Offers<'o> = &'o dyn Fn(&str) -> Option<Offer>;

/// Room of a stage's disks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// All that there is.
    room: Room,
    /// Sums that the disks would take, by [`levels`].
    all: [Room; LEVELS],
}

/// Number of [`levels`].
const LEVELS: usize = 3;

impl Memory {
    /// Returns the division of `room` between jobs that run together on disks of these names, whose
    /// backends have these offers.
    pub(super) fn new(
        jobs: &[Job],
        disks: impl Iterator<Item = impl AsRef<str>>,
        dealing: &Dealing,
        room: Room,
        offers: Offers<'_>,
    ) -> Self {
        let setups = disks.filter_map(|disk| {
            let setup = setup_for(disk.as_ref(), jobs, dealing).ok()??;
            Some(levels(disk.as_ref(), jobs, &setup, offers))
        });
        let mut all = [Room { pages: 0, grants: 0 }; LEVELS];
        for levels in setups {
            for (sum, one) in iter::zip(&mut all, levels) {
                sum.pages += one.pages;
                sum.grants += one.grants;
            }
        }
        Self { room: Room { pages: pages_used(room.pages), ..room }, all }
    }

    /// Returns the room of a disk.
    pub(super) fn of(&self, disk: &str, jobs: &[Job], setup: &Setup, offers: Offers<'_>) -> Room {
        let own = levels(disk, jobs, setup, offers);
        let part = |what: fn(&Room) -> u64| {
            let amounts = |levels: &[Room; LEVELS]| levels.each_ref().map(what);
            part(what(&self.room), amounts(&self.all), amounts(&own))
        };
        Room { pages: part(|room| room.pages), grants: part(|room| room.grants) }
    }
}

/// Returns a disk's part of `room`, where it would take `own` by each level, and all disks together
/// `all`: as much as by the highest level for which there is room, and its part of what is left
/// over of that.
fn part(room: u64, all: [u64; LEVELS], own: [u64; LEVELS]) -> u64 {
    let scaled = |of: u64, one: u64, all: u64| {
        (u128::from(of) * u128::from(one) / u128::from(all.max(1))) as u64
    };
    let mut below = (0, 0);
    for (all, own) in iter::zip(all, own) {
        let (all_below, own_below) = below;
        if room < all {
            let (all_more, own_more) = (all - all_below, own.saturating_sub(own_below));
            return own_below + scaled(room - all_below, own_more, all_more);
        }
        below = (all, own);
    }
    let (all, own) = below;
    scaled(room, own, all)
}

/// Memory and grants that jobs need, so that as many I/Os can be in flight as they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Pages beside the heap.
    pub pages: u64,
    /// Entries of the grant table.
    pub grants: u64,
    /// Entries without which some disk could have no I/O in flight.
    pub grants_least: u64,
    /// Heap, in bytes.
    pub heap_bytes: u64,
}

impl Need {
    /// Need of no disk.
    pub(super) const NONE: Self = Self { pages: 0, grants: 0, grants_least: 0, heap_bytes: 0 };

    /// Returns what jobs that run together need for their disks, of which each takes what `takes`
    /// says, with slots for the whole iodepths on each or, if they are `to_share`, for its share of
    /// them.
    ///
    /// # Errors
    /// Returns a [`Conflict`] if jobs differ in a setting that a disk has only once.
    pub(super) fn of_disks(
        jobs: &[Job],
        disks: impl Iterator<Item = impl AsRef<str>>,
        dealing: &Dealing,
        takes: &dyn Fn(&str, &Setup) -> Takes,
        to_share: bool,
    ) -> Result<Self, Conflict> {
        let mut need = Self::NONE;
        for disk in disks {
            let Some(setup) = setup_for(disk.as_ref(), jobs, dealing)? else { continue };
            need.grants_least += takes(disk.as_ref(), &one(&setup)).room.grants;
            let setup = if to_share { share(disk.as_ref(), jobs, &setup) } else { setup };
            let Takes { room, slots, heap_bytes } = takes(disk.as_ref(), &setup);
            need.pages += room.pages;
            need.grants += room.grants;
            need.heap_bytes += heap_bytes + slots * engine::SLOT_HEAP_BYTES as u64;
        }
        Ok(Self { pages: pages_for(need.pages), ..need })
    }

    /// Returns the part of `room` for which a heap of `heap_bytes` suffices, where this is needed
    /// at least and `full` is what would be used: slots of all disks take heap as they take pages.
    pub fn room(&self, full: &Self, heap_bytes: u64, room: Room) -> Room {
        let more = full.heap_bytes.saturating_sub(self.heap_bytes);
        let spare = heap_bytes.saturating_sub(self.heap_bytes);
        if spare >= more {
            return room;
        }
        let pages = u128::from(full.pages.saturating_sub(self.pages));
        let pages = (pages * u128::from(spare) / u128::from(more.max(1))) as u64;
        Room { pages: room.pages.min(self.pages + pages), ..room }
    }

    /// Returns what suffices for one and then the other.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            pages: self.pages.max(other.pages),
            grants: self.grants.max(other.grants),
            grants_least: self.grants_least.max(other.grants_least),
            heap_bytes: self.heap_bytes.max(other.heap_bytes),
        }
    }
}

/// Returns how many of the pages that there are may be planned with. Not all: those of a larger
/// ring must lie one behind the other.
const fn pages_used(pages: u64) -> u64 {
    15 * (pages / 16)
}

/// Returns how many pages there must be to plan with as many.
const fn pages_for(used: u64) -> u64 {
    used.div_ceil(15) * 16
}

/// Returns what a disk takes with slots for one I/O, for its share of the iodepths, and for the
/// whole, of a backend whose offer is all that we can use if it is not known.
fn levels(disk: &str, jobs: &[Job], setup: &Setup, offers: Offers<'_>) -> [Room; LEVELS] {
    let offer = offers(disk).unwrap_or(Offer::MOST);
    [one(setup), share(disk, jobs, setup), *setup].map(|setup| setup.takes(&offer).room)
}

/// Returns the setup of a disk with slots for one I/O.
fn one(setup: &Setup) -> Setup {
    Setup { slots: 1, queues: 1, ..*setup }
}

/// Returns the setup of a disk with slots for its share of the iodepths.
fn share(disk: &str, jobs: &[Job], setup: &Setup) -> Setup {
    let here = jobs.iter().filter(|job| job.disks.iter().any(|name| name == disk));
    let share: u32 = here.map(|job| job.iodepth.div_ceil(job.disks.len() as u32)).sum();
    Setup { slots: share.div_ceil(setup.queues).min(setup.slots), ..*setup }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    const MIB: u64 = 256;
    /// Grants of a guest whose table may grow to 64 pages, as usual.
    const GRANTS: u64 = 64 * 512 - 8;

    /// Returns the names of `count` disks.
    fn names(count: usize) -> Vec<String> {
        (b'a'..).take(count).map(|c| format!("xvd{}", c as char)).collect()
    }

    /// Returns the setups of the disks, all of which jobs use, and their rooms.
    fn rooms(line: &str, names: &[String], room: Room) -> Vec<(Setup, Room)> {
        let jobs = fio_job::parse(line).expect(line);
        let one = Dealing::on_one(jobs.len());
        let memory = Memory::new(&jobs, names.iter(), &one, room, &|_| None);
        let of = |name: &String| {
            let setup =
                setup_for(name, &jobs, &one).expect("jobs that agree").expect("a disk in use");
            (setup, memory.of(name, &jobs, &setup, &|_| None))
        };
        names.iter().map(of).collect()
    }

    fn fits(takes: Room, room: Room) -> bool {
        takes.pages <= room.pages && takes.grants <= room.grants
    }

    /// Returns the slots of each of the disks, if they are alike and the backend takes each request
    /// whole.
    fn slots(line: &str, count: usize, room: Room) -> Option<u32> {
        let names = names(count);
        let rooms = rooms(&format!("{line} filename={}", names.join(":")), &names, room);
        let mut slots = rooms.into_iter().map(|(setup, room)| {
            let slots = setup.slots.min(drivers::ring::ENTRIES_MAX);
            let mut fewer = (0..=slots).rev();
            fewer.find(|&slots| fits(Setup { slots, ..setup }.takes(&Offer::MOST).room, room))
        });
        let first = slots.next()?;
        first.filter(|_| slots.all(|one| one == first))
    }

    #[test]
    fn each_disk_has_slots_for_all_while_there_is_room() {
        for (line, disks, pages, expected) in [
            ("bs=4k iodepth=32", 4, 1000, 32),
            ("bs=1m iodepth=48", 24, 8 * 1024 * MIB, 5),
            ("bs=1m iodepth=48", 24, 100 * MIB, 3),
            ("bs=1m iodepth=48", 24, 50 * MIB, 1),
            ("bs=1m iodepth=48", 24, 53 * MIB, 2),
            ("bs=1m iodepth=48", 2, 64 * MIB, 29),
            ("bs=1m iodepth=48 grants=persistent-copy", 2, 128 * MIB, 29),
            ("bs=1m iodepth=48 grants=persistent-copy", 2, 1024 * MIB, 48),
            ("bs=1m iodepth=4 numjobs=3", 4, 13 * MIB, 3),
            ("bs=1m iodepth=5 ringmark_queues=2", 4, 10 * MIB, 1),
            // More than the ring has entries.
            ("bs=4k iodepth=60000", 2, 1200, 512),
            // Pages for segments are granted as well.
            ("bs=48k iodepth=512", 5, 1024 * MIB, 502),
            // One disk alone is cut to what there is, too.
            ("bs=1m iodepth=48", 1, 40 * MIB, 37),
            ("bs=16m iodepth=65536", 1, 8 * 1024 * MIB, 7),
            ("bs=16m iodepth=65536", 1, 33 * MIB, 1),
        ] {
            let room = Room { pages, grants: GRANTS };
            assert_eq!(slots(line, disks, room), Some(expected), "{line}, {disks}, {pages}");
        }
        // As many as Xen lets the table have.
        for (grants, expected) in [(32 * 512 - 8, 251), (128 * 512 - 8, 512)] {
            let room = Room { pages: 1024 * MIB, grants };
            assert_eq!(slots("bs=48k iodepth=512", 5, room), Some(expected), "{grants}");
        }
    }

    #[test]
    fn rooms_are_within_what_there_is_and_use_it() {
        let own = "--name=b --filename=xvda --bs=1m --iodepth=7 --grants=persistent-copy";
        let amounts = [0, 1, 100, 5_000, 100_000, 1_000_000, u64::MAX / 16];
        for (pages, grants) in amounts.iter().flat_map(|&n| amounts.map(|m| (n, m))) {
            for count in [1, 2, 24] {
                let (names, room) = (names(count), Room { pages, grants });
                let all = names.join(":");
                let line = format!(
                    "--grants=persistent-copy --name=a --iodepth=2400 {own} \
                                    --name=c --filename={all}"
                );
                let rooms = rooms(&line, &names, room);
                for (what, most) in [
                    ((|room| room.pages) as fn(&Room) -> u64, pages / 16 * 15),
                    (|room| room.grants, grants),
                ] {
                    let sum: u64 = rooms.iter().map(|(_, room)| what(room)).sum();
                    let context = || format!("{count} in {room:?}: {rooms:?}");
                    assert!(sum <= most && most - sum < 24, "{}", context());
                }
            }
        }
    }

    #[test]
    fn a_disk_has_what_it_takes_where_all_have() {
        // The first has much, of which an equal share is all; the others have a share of the rest.
        let names = names(4);
        let line = "--bs=64k --ringmark_queues=2 --name=a --filename=xvda --iodepth=100 \
                    --name=b --filename=xvda:xvdb:xvdc:xvdd --iodepth=40";
        let takes = |room: Room| rooms(line, &names, room);
        let enough = Room { pages: u64::MAX, grants: u64::MAX };
        let all: u64 =
            takes(enough).iter().map(|(setup, _)| setup.takes(&Offer::MOST).room.grants).sum();
        let exact = takes(Room { grants: all, ..enough });
        assert!(
            exact.iter().all(|(setup, room)| setup.takes(&Offer::MOST).room.grants == room.grants),
            "{exact:?}"
        );
        // With less, nobody has less than a share, and nobody has what another lacks.
        for grants in [all - 1, all * 3 / 4, 2500] {
            let less = takes(Room { grants, ..enough });
            for (slots, (setup, room)) in [55, 5, 5, 5].into_iter().zip(&less) {
                let share = Setup { slots, ..*setup }.takes(&Offer::MOST).room;
                let has = share.grants..=setup.takes(&Offer::MOST).room.grants;
                assert!(has.contains(&room.grants), "{grants}: {less:?}");
            }
        }
    }
}
