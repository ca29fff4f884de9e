//! I/Os of several requests, and I/Os that wait for room on the ring: the part of the engine that
//! jobs never enter whose I/Os take a request each and always find room.
//!
//! One I/O of a disk at a time is entering: its parts are put as there is room, and nobody else's
//! before them, so that no I/O waits forever for all of its slots while others take what gets free.

use alloc::vec::Vec;

use drivers::Vcpu;
use drivers::blkfront::{Held, IoError, Operation, QueuePair, Slot};
use xen_abi::blkif::SECTOR_SIZE;

use super::Engine;
use super::active_job::ActiveJob;
use super::batches::Hold;
use super::data::{self, Part};
use super::disk::Disk;
use super::in_flight::{InFlight, JobInFlight};
use super::io_data::IoData;
use super::lane::Lane;
use super::parts::{Parts, SplitIo};
use super::pass::Route;
use super::target::Next;

/// State of a disk's I/Os that are split or wait.
#[derive(Debug)]
pub(super) struct Split {
    /// Most bytes of a request.
    request_bytes: u32,
    /// I/O of which not all parts are put.
    entering: Option<Entering>,
    /// Slots of its data, filled and in reverse order, if all are filled before any is put.
    gathered: Vec<Held>,
    /// I/Os that have not ended, by queue.
    pub(super) queues: Vec<Parts>,
}

/// I/O of which not all parts are put.
#[derive(Clone, Copy, Debug)]
struct Entering {
    job_index: usize,
    next: Next,
    queue: usize,
    /// Number of the I/O among those of its queue.
    io: u32,
    /// Number of the write in its run.
    write: u64,
    /// Whether [`Split::gathered`] has its data.
    is_filled: bool,
    /// Bytes of the parts that were put.
    put_bytes: u32,
}

/// Notes in the jobs whether their I/Os may take several requests or wait for room; returns the
/// state of the disks.
///
/// # Panics
/// If a queue has too few slots for a whole I/O whose data is checked, which is a bug of the
/// caller.
pub(super) fn prepare(disks: &[Disk<'_>], jobs: &mut [ActiveJob]) -> Vec<Split> {
    for (number, disk) in disks.iter().enumerate() {
        let users = || jobs.iter().filter(|job| job.uses(number));
        let wanted = users().map(|job| u64::from(job.result.job.iodepth)).sum::<u64>();
        let is_split = wanted > disk.depth() as u64 || requests(disk, users()) > 1;
        for job in jobs.iter_mut().filter(|job| job.uses(number)) {
            job.is_split |= is_split;
        }
    }
    let splits = disks.iter().enumerate().map(|(number, disk)| {
        let users = || jobs.iter().filter(|job| job.uses(number) && job.is_split);
        // Only these have all of an I/O's slots at once; parts of others may follow on parts.
        let most = requests(disk, users().filter(|job| job.checks.is_some()));
        let slots = disk.queues.iter().map(QueuePair::slots).min().unwrap_or(0);
        assert!(most <= slots, "slots for a whole I/O");
        let used = if users().next().is_some() { &disk.queues[..] } else { &[] };
        Split {
            request_bytes: disk.request_bytes(),
            entering: None,
            gathered: Vec::with_capacity(most),
            queues: used.iter().map(Parts::new).collect(),
        }
    });
    splits.collect()
}

/// Returns the most requests on a disk that an I/O of these jobs takes.
fn requests<'j>(disk: &Disk<'_>, jobs: impl Iterator<Item = &'j ActiveJob>) -> usize {
    let most_bytes = jobs.map(|job| job.result.job.data_bytes()).max().unwrap_or(0);
    most_bytes.div_ceil(disk.request_bytes()) as usize
}

/// Returns the most slots that an I/O holds until its data is checked.
pub(super) fn held_max(splits: &[Split]) -> usize {
    splits.iter().map(|split| split.gathered.capacity()).max().unwrap_or(0)
}

/// Returns whether a disk has room for the first part of another I/O.
fn has_room(split: &Split, disk: &Disk<'_>) -> bool {
    split.entering.is_none() && disk.queue_with_room().is_some()
}

impl<V: Vcpu> Engine<'_, '_, V> {
    /// Notes whether the next I/O of a job, or the rest of one, waits for room on a ring.
    pub(super) fn note_wait(&mut self, index: usize, waits: bool, now_ns: u64) {
        self.jobs[index].note_wait(waits, now_ns);
        self.any_waits |= waits;
    }

    /// Puts the rest of a job's entering I/O, if there is one; returns whether none is left.
    pub(super) fn put_rest(&mut self, index: usize, now_ns: u64) -> bool {
        let entering = |split: &Split| split.entering.is_some_and(|one| one.job_index == index);
        let disk = self.splits.iter().position(entering);
        disk.is_none_or(|disk| self.put_parts(disk, now_ns))
    }

    /// Issues the next I/O of a job whose I/Os are split, as [`issue`](Self::issue) does.
    pub(super) fn issue_split(&mut self, index: usize, now_ns: u64) -> Result<bool, Hold> {
        let (splits, disks) = (&self.splits, &self.disks);
        let room = |disk: usize| has_room(&splits[disk], &disks[disk]);
        let (all, job_index) = (&self.in_flight[..], index as u32);
        let in_flight = JobInFlight { all, job_index, room: Some(&room) };
        let next = self.jobs[index].next_paced(now_ns, &in_flight)?;
        let shows = self.enter(index, next, now_ns);
        if self.put_parts(next.place.disk, now_ns) { Ok(shows) } else { Err(Hold::Room) }
    }

    /// Begins an I/O on a disk that has room; returns whether the backends must see at once what
    /// was issued.
    fn enter(&mut self, index: usize, next: Next, now_ns: u64) -> bool {
        let Next { place, operation, bytes, .. } = next;
        let queue = self.disks[place.disk].queue_with_room().expect("a disk with room");
        let job = &mut self.jobs[index];
        let is_checked = operation == Operation::Read && job.read_checks().is_some();
        let job_index = index as u32;
        let io = InFlight { job_index, operation, bytes, offset: place.offset, start_ns: now_ns };
        let split = &mut self.splits[place.disk];
        let io = split.queues[queue].begin(io, job.due_ns(), is_checked, job.is_flushed(&io));
        let write = self.writes;
        self.writes += u64::from(operation == Operation::Write);
        let (is_filled, put_bytes) = (false, 0);
        let entering = Entering { job_index: index, next, queue, io, write, is_filled, put_bytes };
        split.entering = Some(entering);
        job.count_paced()
    }

    /// Puts the parts of the entering I/O for which there is room; returns whether these were the
    /// last ones.
    fn put_parts(&mut self, disk: usize, now_ns: u64) -> bool {
        let Some(mut entering) = self.splits[disk].entering.take() else { return true };
        let done = self.put_some(&mut entering, now_ns);
        let split = &mut self.splits[disk];
        if done {
            split.queues[entering.queue].complete(entering.io);
        } else {
            split.entering = Some(entering);
        }
        done
    }

    fn put_some(&mut self, entering: &mut Entering, now_ns: u64) -> bool {
        let Next { place, operation, bytes, .. } = entering.next;
        let split = &mut self.splits[place.disk];
        let queue = &mut self.disks[place.disk].queues[entering.queue];
        let checks = self.jobs[entering.job_index].checks.as_mut();
        // A checksum stands before the data that it covers, which may be all of the I/O's.
        let checks = checks.filter(|_| operation == Operation::Write);
        let fills_first = checks.is_some();
        if let Some(checks) = checks.filter(|_| !entering.is_filled) {
            let most = bytes.div_ceil(split.request_bytes) as usize;
            while split.gathered.len() < most {
                let Some(slot) = queue.acquire() else { return false };
                split.gathered.push(queue.hold(slot));
            }
            let data = IoData::of_slots(queue, &split.gathered, split.request_bytes);
            checks.fill(data, place, bytes);
            split.gathered.reverse();
            entering.is_filled = true;
        }
        loop {
            let queue = &mut self.disks[place.disk].queues[entering.queue];
            let gathered = &mut self.splits[place.disk].gathered;
            let slot = if fills_first { resume(queue, gathered) } else { queue.acquire() };
            let Some(slot) = slot else { return false };
            self.put_part(entering, slot, now_ns);
            if entering.put_bytes >= bytes {
                return true;
            }
        }
    }

    /// Issues the next part of an I/O; the backend sees it at the end of the pass.
    fn put_part(&mut self, entering: &mut Entering, slot: Slot, now_ns: u64) {
        let Entering { job_index, next, queue: number, io, write, put_bytes: at, .. } = *entering;
        let Next { place, disk_offset, operation, bytes } = next;
        let split = &mut self.splits[place.disk];
        let moves_data = matches!(operation, Operation::Read | Operation::Write);
        let bytes = if moves_data { (bytes - at).min(split.request_bytes) } else { bytes };
        entering.put_bytes += bytes;
        let table = &mut self.in_flight[place.disk][number];
        let queue = &mut self.disks[place.disk].queues[number];
        let job = &mut self.jobs[job_index];
        match operation {
            Operation::Write if job.checks.is_none() => {
                let part = Part { block_offset: place.offset, at, bytes };
                data::fill(&job.result.job.buffers, queue, &slot, part, write);
            }
            Operation::Read => {
                if let Some(checks) = job.read_checks() {
                    checks.poison(queue, &slot, place, bytes);
                }
            }
            _ => {}
        }
        let start_ns = if self.takes_long { self.vcpu.now_ns() } else { now_ns };
        let offset = place.offset;
        let job_index = job_index as u32;
        let part = InFlight { job_index, operation, bytes, offset, start_ns };
        let due_ns = split.queues[number].put(io, slot.index(), offset + u64::from(at), start_ns);
        if let Some(due_ns) = due_ns {
            job.count_arrival(operation, due_ns, now_ns, start_ns);
        }
        let sector = (disk_offset + u64::from(at)) / u64::from(SECTOR_SIZE);
        Lane { queue, table }.put(slot, sector, part);
    }

    /// Completes a part of an I/O, and the I/O with its last part.
    #[inline(never)]
    pub(super) fn complete_part(&mut self, route: Route, result: Result<(), IoError>, now_ns: u64) {
        let Route { disk, queue: number, slot } = route;
        let queue = &mut self.disks[disk].queues[number];
        let parts = &mut self.splits[disk].queues[number];
        let (io, ends) = parts.end(slot.index(), result);
        if ends && let Some(write) = parts.begin_flush(io, slot.index()) {
            let table = &mut self.in_flight[disk][number];
            return Lane { queue, table }.put_flush(slot, write);
        }
        if parts.is_checked(io) {
            parts.hold(queue.hold(slot));
        } else {
            queue.release(slot);
        }
        if ends {
            let mut slots = core::mem::take(&mut self.ended_slots);
            let split = parts.take(io, &mut slots);
            self.complete_split(disk, number, &split, &slots, now_ns);
            let queue = &mut self.disks[disk].queues[number];
            slots.drain(..).for_each(|slot| queue.release_held(slot));
            self.ended_slots = slots;
        }
    }

    /// Counts an I/O whose last part has ended, and checks its data.
    fn complete_split(
        &mut self,
        disk: usize,
        queue: usize,
        split: &SplitIo,
        slots: &[Held],
        now_ns: u64,
    ) {
        let SplitIo { io, due_ns, failed, is_checked, .. } = *split;
        let job = &mut self.jobs[io.job_index as usize];
        job.count_completed(now_ns);
        if let Some((offset, error)) = failed {
            return self.fail(disk, &InFlight { offset, ..io }, error, now_ns);
        }
        let group = job.group.map(|group| &mut self.groups[group]);
        job.count(&io, now_ns, group);
        job.count_from_due(io.operation, due_ns, io.start_ns, now_ns);
        self.judge_latency(&io, now_ns);
        if is_checked {
            let request_bytes = self.splits[disk].request_bytes;
            let queue = &mut self.disks[disk].queues[queue];
            let data = IoData::of_slots(queue, slots, request_bytes);
            let place = data::Place { disk, offset: io.offset };
            let checks = self.jobs[io.job_index as usize].read_checks();
            let wrong = checks.and_then(|checks| checks.check(data, place, io.bytes).err());
            self.note_check(disk, &io, wrong, now_ns);
        }
    }
}

/// Returns the next of the filled slots once there is an entry of the ring for it.
fn resume(queue: &mut QueuePair<'_>, gathered: &mut Vec<Held>) -> Option<Slot> {
    match queue.resume(gathered.pop()?) {
        Ok(slot) => Some(slot),
        Err(held) => {
            gathered.push(held);
            None
        }
    }
}
