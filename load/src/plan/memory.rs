//! Slots of disks, as far as there is memory for them.
//!
//! A job's iodepth is over all of its disks. All of its I/Os may be on one of them, so each gets
//! slots for all while there is memory for that; otherwise at least for an equal share, and I/Os to
//! a disk whose slots are taken wait.

use drivers::blkfront::{GrantMode, Setup};
use drivers::ring::ENTRIES_MAX;
use fio_job::Job;

use super::deal::Dealing;
use super::setup::setup_for;

/// Grants that a guest has unless its `max_grant_frames=` says otherwise, less those for all else.
const GRANTS: u64 = 64 * 512 * 15 / 16;

/// Pages for the slots of all disks of a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Pages that there are.
    room: u64,
    /// Pages that slots for the whole iodepth on each disk would take.
    full: u64,
    /// Pages that slots for an equal share on each disk would take.
    least: u64,
}

impl Memory {
    /// Returns the memory of jobs that run together on disks of these names, if `pages_available`
    /// pages are free.
    pub(super) fn new(
        jobs: &[Job],
        disks: impl Iterator<Item = impl AsRef<str>>,
        dealing: &Dealing,
        pages_available: u64,
    ) -> Self {
        // Rings, the table of grants and segments have pages, too.
        let mut memory = Self { room: pages_available / 16 * 15, full: 0, least: 0 };
        for disk in disks {
            if let Ok(Some(setup)) = setup_for(disk.as_ref(), jobs, dealing) {
                memory.full += pages(&setup, setup.slots);
                memory.least += pages(&setup, share(disk.as_ref(), jobs, &setup));
                if setup.grants != GrantMode::PersistentCopy {
                    memory.room = memory.room.min(GRANTS);
                }
            }
        }
        memory
    }

    /// Returns the setup of a disk with as many of its slots as there is memory for.
    pub(super) fn cut(&self, disk: &str, jobs: &[Job], setup: Setup) -> Setup {
        if self.full <= self.room {
            return setup;
        }
        // Beyond these nothing was counted, and no ring has entries.
        let slots = setup.slots.min(ENTRIES_MAX);
        let share = share(disk, jobs, &setup).min(slots);
        let more = u64::from(slots - share);
        let (room, wanted) = (self.room.saturating_sub(self.least), self.full - self.least);
        let more = u128::from(more) * u128::from(room) / u128::from(wanted.max(1));
        Setup { slots: share + more as u32, ..setup }
    }
}

/// Returns the slots of each queue of a disk for its share of the iodepths.
fn share(disk: &str, jobs: &[Job], setup: &Setup) -> u32 {
    let here = jobs.iter().filter(|job| job.disks.iter().any(|name| name == disk));
    let share: u32 = here.map(|job| job.iodepth.div_ceil(job.disks.len() as u32)).sum();
    share.div_ceil(setup.queues).min(setup.slots)
}

/// Returns the pages of `slots` slots on each queue of a disk, as far as a ring has entries.
fn pages(setup: &Setup, slots: u32) -> u64 {
    let copies = if setup.grants == GrantMode::PersistentCopy { 2 } else { 1 };
    let slots = u64::from(setup.queues) * u64::from(slots.min(ENTRIES_MAX));
    slots * setup.pages_per_slot as u64 * copies
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    const MIB: u64 = 256;

    /// Returns the slots of each of `count` disks that all jobs use, if they are alike.
    fn slots(line: &str, count: usize, pages_available: u64) -> Option<u32> {
        let names: Vec<String> =
            (b'a'..).take(count).map(|c| format!("xvd{}", c as char)).collect();
        let jobs = fio_job::parse(&format!("{line} filename={}", names.join(":"))).expect(line);
        let one = Dealing::on_one(jobs.len());
        let memory = Memory::new(&jobs, names.iter(), &one, pages_available);
        let mut slots = names.iter().map(|name| {
            let setup =
                setup_for(name, &jobs, &one).expect("jobs that agree").expect("a disk in use");
            memory.cut(name, &jobs, setup).slots
        });
        let first = slots.next()?;
        slots.all(|one| one == first).then_some(first)
    }

    #[test]
    fn each_disk_has_slots_for_all_while_there_is_memory() {
        for (line, disks, available, expected) in [
            ("bs=4k iodepth=32", 4, 1000, 32),
            ("bs=1m iodepth=48", 1, 10, 48),
            ("bs=1m iodepth=48", 24, 8 * 1024 * MIB, 5),
            ("bs=1m iodepth=48", 24, 100 * MIB, 3),
            ("bs=1m iodepth=48", 24, 50 * MIB, 2),
            ("bs=1m iodepth=48", 24, 1, 2),
            ("bs=1m iodepth=48", 2, 64 * MIB, 30),
            ("bs=1m iodepth=48 grants=persistent-copy", 2, 128 * MIB, 30),
            ("bs=1m iodepth=4 numjobs=3", 4, 1, 3),
            ("bs=1m iodepth=5 ringmark_queues=2", 4, 1, 1),
            ("bs=4k iodepth=60000", 2, 1200, 60000),
        ] {
            assert_eq!(
                slots(line, disks, available),
                Some(expected),
                "{line}, {disks}, {available}"
            );
        }
    }

    #[test]
    fn a_cut_disk_gets_no_more_than_was_counted() {
        let setup =
            Setup { grants: GrantMode::Persistent, queues: 1, slots: 2400, pages_per_slot: 1 };
        // Full for 24 disks of 512 entries, a share of 100 for each, and room between them.
        let memory = Memory { room: 4500, full: 24 * 512, least: 24 * 100 };
        let names: Vec<String> = (b'a'..=b'x').map(|end| format!("xvd{}", end as char)).collect();
        let jobs = fio_job::parse(&format!(
            "--name=a --rw=randread --iodepth=2400 --filename={}",
            names.join(":")
        ));
        let jobs = jobs.expect("a job");
        let slots: u32 = names.iter().map(|name| memory.cut(name, &jobs, setup).slots).sum();
        assert!((2400..=4500).contains(&slots), "{slots}");
    }
}
