//! Choice of the next I/O of a job that is held back, or whose blocks must not overlap.

use drivers::blkfront::Operation;
use fio_job::{Direction, Job};

use super::{ActiveJob, Phase};
use crate::engine::backlog::Block;
use crate::engine::batches::Hold;
use crate::engine::data::{Checks, Place};
use crate::engine::in_flight::{InFlight, JobInFlight};
use crate::engine::open_loop::OpenLoop;
use crate::engine::pacer::Turn;
use crate::engine::target::Next;
use crate::engine::time::NEVER;
use crate::pattern::Io;

/// Number of I/Os that a read-back skips at once because others already covered the same block. A
/// long job has billions, and in between the loop must notice completions and requests to stop.
const READ_BACK_LOOKS: u32 = 1000;
/// Number of blocks of a disk that are looked at for one that has none of the job's I/Os in flight.
const BLOCK_LOOKS_MAX: u32 = 16;

impl ActiveJob {
    /// Returns the next I/O of any job.
    ///
    /// # Errors
    /// Returns what holds it back, if anything does. Then [`wake_ns`](Self::wake_ns) says when to
    /// ask again, unless the job waits for a completion or for nothing at all.
    pub(in crate::engine) fn next_paced(
        &mut self,
        now_ns: u64,
        in_flight: &JobInFlight<'_>,
    ) -> Result<Next, Hold> {
        (self.wake_ns, self.awaits_room) = (self.timeline.ramp_end_ns(), false);
        self.open_loop.iter_mut().for_each(OpenLoop::forget);
        if self.phase == Phase::EndFlush {
            self.wake_ns = NEVER;
            return self.next_end_flush(in_flight);
        }
        if self.timeline.is_over(now_ns) || self.is_out_of_ios() {
            self.wake_ns = NEVER;
            return Err(Hold::End);
        }
        let start_ns = self.timeline.start_ns();
        if now_ns < start_ns {
            self.wake_ns = start_ns;
            return Err(Hold::Pause);
        }
        if let Some(next) = self.next_besides(now_ns, in_flight)? {
            return Ok(next);
        }
        self.begin_pass_if_due();
        // Blocks that are read back must hold the pattern.
        let Job { rw, iodepth, .. } = self.result.job;
        let may_switch = rw.reads() && rw.writes() && self.checks.is_none();
        for _ in 0..self.targets.len() {
            let Some(number) = self.choose_target() else { break };
            let target = &mut self.targets[number];
            // Blocks drawn at random may never be free, so the search has an end. It is repeated
            // when an I/O completes, and one is in flight: with none, the first block would have
            // been free.
            for _ in 0..iodepth.saturating_add(1).min(BLOCK_LOOKS_MAX) {
                if target.is_done() {
                    break;
                }
                if !in_flight.has_room(target.disk) {
                    return self.wait_for_room();
                }
                let drawn = target.next_direction();
                match self.pacer.direction(drawn, may_switch, start_ns, now_ns) {
                    Ok(direction) => target.turn_to(direction),
                    Err(due_ns) => return self.wait_until(due_ns, Hold::Rate),
                }
                let Some(io) = target.next_io() else { break };
                let is_free = || in_flight.on(target.disk).all(|other| !overlaps(other, &io));
                if self.phase == Phase::Free || is_free() {
                    let due_ns = self.pacer.due_ns(io.direction, start_ns);
                    let open_loop = self.open_loop.iter_mut().zip(due_ns);
                    open_loop.for_each(|(one, due_ns)| one.choose(due_ns));
                    self.pacer.count(io.direction, io.bytes);
                    (self.last_disk, self.has_flushed) = (target.disk, false);
                    let next = Next::new(target, io);
                    if let Some(backlog) = &mut self.backlog {
                        let Io { offset, bytes, .. } = io;
                        backlog.note(io.direction, Block { target: number, offset, bytes });
                    }
                    self.count_chosen(io.bytes);
                    self.leave_target();
                    return Ok(next);
                }
                target.pass_over(&io);
            }
            self.advance_target();
        }
        Err(Hold::Block)
    }

    /// Returns what comes before the next I/O of the pattern, if anything does: a read back, or a
    /// flush.
    fn next_besides(
        &mut self,
        now_ns: u64,
        in_flight: &JobInFlight<'_>,
    ) -> Result<Option<Next>, Hold> {
        if self.phase == Phase::ReadBack {
            return self.next_read_back(now_ns, in_flight).map(Some);
        }
        if let Some(next) = self.next_of_backlog(in_flight)? {
            return Ok(Some(next));
        }
        if self.pacer.is_flush_due() && !in_flight.has_room(self.last_disk) {
            return self.wait_for_room().map(Some);
        }
        match self.pacer.turn(now_ns, self.depth()) {
            Turn::Io => Ok(None),
            Turn::Flush => {
                self.has_flushed = true;
                Ok(Some(Next::flush(self.last_disk)))
            }
            Turn::Completion => Err(Hold::Pause),
            Turn::Until(wake_ns) => self.wait_until(wake_ns, Hold::Pause).map(Some),
        }
    }

    fn wait_until(&mut self, wake_ns: u64, hold: Hold) -> Result<Next, Hold> {
        // A runtime that ends earlier ends the job, and a ramp's end must not be missed.
        self.wake_ns = wake_ns.min(self.timeline.end_ns()).min(self.timeline.ramp_end_ns());
        Err(hold)
    }

    /// Returns the next block to read back between the writes, if it is time to.
    fn next_of_backlog(&mut self, in_flight: &JobInFlight<'_>) -> Result<Option<Next>, Hold> {
        let Some(backlog) = &mut self.backlog else { return Ok(None) };
        while let Some(Block { target: number, offset, bytes }) = backlog.due() {
            let target = &mut self.targets[number];
            let disk = target.disk;
            let io = Io { direction: Direction::Read, offset, bytes };
            if in_flight.on(disk).any(|other| overlaps(other, &io)) {
                // As in fio, writes go on meanwhile.
                return if backlog.is_full() { Err(Hold::Block) } else { Ok(None) };
            }
            if !in_flight.has_room(disk) {
                return self.wait_for_room().map(Some);
            }
            backlog.take();
            let place = Place { disk, offset };
            if self.checks.as_mut().is_some_and(|checks| checks.claim(place, bytes)) {
                let next = Next::new(target, io);
                self.has_flushed = false;
                self.count_read_back(bytes);
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Waits until one of the requests in flight leaves room for the next I/O's.
    pub(super) fn wait_for_room(&mut self) -> Result<Next, Hold> {
        self.awaits_room = true;
        self.wait_until(NEVER, Hold::Room)
    }

    fn next_read_back(&mut self, now_ns: u64, in_flight: &JobInFlight<'_>) -> Result<Next, Hold> {
        let mut looks = 0..READ_BACK_LOOKS;
        for number in 0..self.targets.len() {
            while !self.targets[number].is_done() {
                let target = &mut self.targets[number];
                if !in_flight.has_room(target.disk) {
                    return self.wait_for_room();
                }
                let Some(io) = target.next_io() else { break };
                let place = Place { disk: target.disk, offset: io.offset };
                let claims = |checks: &mut Checks| checks.claim(place, io.bytes);
                if io.direction == Direction::Write && self.checks.as_mut().is_some_and(claims) {
                    let next = Next::new(&mut self.targets[number], io);
                    self.count_read_back(io.bytes);
                    return Ok(Next { operation: Operation::Read, ..next });
                }
                if looks.next().is_none() {
                    self.wake_ns = now_ns;
                    return Err(Hold::Search);
                }
            }
        }
        Err(Hold::End)
    }
}

/// Returns whether an I/O would move data of a place that one in flight does. A flush moves none,
/// unless it is of a write.
fn overlaps(other: &InFlight, io: &Io) -> bool {
    let (start, end) = (io.offset, io.offset + u64::from(io.bytes));
    other.offset < end && start < other.offset.saturating_add(other.bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    use alloc::vec;
    use alloc::vec::Vec;
    use drivers::blkfront::DiskInfo;

    use crate::engine::disk::Disk;
    use crate::engine::in_flight::InFlightTable;
    use crate::engine::share::StageJob;
    use crate::engine::stolen::Theft;

    #[test]
    fn only_data_in_flight_is_in_the_way() {
        let io = Io { direction: Direction::Write, offset: 8192, bytes: 4096 };
        let other = |operation, offset, bytes| {
            overlaps(&InFlight { job_index: 0, operation, bytes, offset, start_ns: 1 }, &io)
        };
        for (offset, bytes, expected) in [
            (8192, 4096, true),
            (0, 8192, false),
            (0, 8704, true),
            (11_776, 512, true),
            (12_288, 512, false),
        ] {
            assert_eq!(other(Operation::Write, offset, bytes), expected, "{offset} {bytes}");
        }
        assert!(other(Operation::Flush, 8192, 4096), "of a write");
        assert!(!other(Operation::Flush, 8192, 0));
    }

    #[test]
    fn few_blocks_are_looked_at_where_all_are_in_flight() {
        let info = DiskInfo {
            sectors: 64,
            logical_sector_bytes: 512,
            physical_sector_bytes: 512,
            read_only: false,
            cdrom: false,
            flush: None,
            trusted: true,
            persistent: true,
            request_bytes_max: 44 << 10,
            discard: None,
        };
        let disk = Disk { name: "xvda".into(), info, queues: Vec::new(), files: Vec::new() };
        for rw in ["randwrite", "write"] {
            let line = "bs=4k norandommap verify=crc32c iodepth=4096 loops=1000 filename=xvda";
            let jobs = fio_job::parse(&alloc::format!("{line} rw={rw}")).expect(line);
            let disks = core::slice::from_ref(&disk);
            let mut job =
                ActiveJob::new(StageJob::all(jobs).remove(0), 1, disks).expect("a job that fits");
            job.begin(1, Theft::default());
            let write = |offset| {
                let operation = Operation::Write;
                InFlight { job_index: 0, operation, bytes: 4096, offset, start_ns: 1 }
            };
            let table = InFlightTable::of((0..8).map(|block| write(block * 4096)));
            let all = vec![vec![table]];
            let looks = Cell::new(0);
            let room = |_| {
                looks.set(looks.get() + 1);
                true
            };
            let in_flight = JobInFlight { all: &all, job_index: 0, room: Some(&room) };
            assert_eq!(job.next_paced(2, &in_flight).err(), Some(Hold::Block));
            assert!(looks.get() <= BLOCK_LOOKS_MAX, "{rw}: {}", looks.get());
        }
    }
}
