//! Writes that are still to be read back while others go on (`verify_backlog=`).
//!
//! As in fio a write that overlaps others takes their place, unless a map keeps all apart.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use fio_job::{Direction, Distribution, Job, JobError};

use crate::verify::has_headroom;

/// Write that is still to be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Number of the target.
    pub(super) target: usize,
    pub(super) offset: u64,
    pub(super) bytes: u32,
}

impl Block {
    /// Returns whether all of it is before another one.
    fn is_before(&self, other: &Self) -> bool {
        let end = self.offset.saturating_add(self.bytes.max(1).into());
        self.target < other.target || self.target == other.target && end <= other.offset
    }
}

/// Blocks that were written and not read back yet: in the order of the writes, or in that of the
/// disk where a block may come again, as fio keeps them.
#[derive(Debug)]
pub(super) struct Backlog {
    options: fio_job::Backlog,
    is_sorted: bool,
    blocks: VecDeque<Block>,
    /// Most blocks.
    most: usize,
    /// Number of reads that are still due.
    batch: u64,
    /// Whether the last I/O was a read.
    has_read: bool,
}

impl Backlog {
    /// Returns an empty one for a job of at most `ios` I/Os, if it needs one; leaves room for each
    /// of the `loops` of the stage.
    ///
    /// # Errors
    /// Fails if there is no memory for it.
    pub(super) fn of(job: &Job, ios: u64, loops: usize) -> Result<Option<Box<Self>>, JobError> {
        let verify = job.verify.as_ref().filter(|_| job.reads_back());
        let Some(options) = verify.and_then(|verify| verify.backlog) else { return Ok(None) };
        let is_mapped =
            job.rw.is_random() && job.distribution == Distribution::Random && !job.norandommap;
        let backlog = Self::new(options, !is_mapped, job.iodepth, ios);
        let no_memory = || JobError::NoMemory { job: job.name.clone() };
        backlog.filter(|_| has_headroom(loops)).ok_or_else(no_memory).map(|one| Some(Box::new(one)))
    }

    /// Returns an empty one for a job of `iodepth` and at most `ios` writes; `None` if there is no
    /// memory for it.
    fn new(options: fio_job::Backlog, is_sorted: bool, iodepth: u32, ios: u64) -> Option<Self> {
        // A write may stay in flight while others end.
        let most = options.writes.saturating_add(2 * u64::from(iodepth)).min(ios.saturating_add(1));
        let most = usize::try_from(most).ok()?;
        let mut blocks = VecDeque::new();
        blocks.try_reserve_exact(most).ok()?;
        Some(Self { options, is_sorted, blocks, most, batch: 0, has_read: false })
    }

    /// Notes an I/O of the job's pattern.
    pub(super) fn note(&mut self, direction: Direction, block: Block) {
        self.has_read = direction == Direction::Read;
        if direction != Direction::Write {
            return;
        }
        if !self.is_sorted {
            self.blocks.push_back(block);
            return;
        }
        let place = self.blocks.partition_point(|other| other.is_before(&block));
        let overlaps = |other: &&Block| !block.is_before(other);
        let end = place + self.blocks.range(place..).take_while(overlaps).count();
        if place == end {
            self.blocks.insert(place, block);
        } else {
            self.blocks[place] = block;
            self.blocks.drain(place + 1..end);
        }
    }

    /// Returns whether no other write may be noted.
    pub(super) fn is_full(&self) -> bool {
        self.blocks.len() >= self.most
    }

    /// Returns the block to read back now, if it is time to.
    pub(super) fn due(&mut self) -> Option<Block> {
        let first = *self.blocks.front()?;
        let is_whole = (self.blocks.len() as u64).is_multiple_of(self.options.writes);
        if self.batch == 0 && is_whole && !self.has_read {
            self.batch = self.options.batch;
        }
        (self.batch != 0).then_some(first)
    }

    /// Takes the block that is due.
    pub(super) fn take(&mut self) {
        self.blocks.pop_front();
        self.batch -= 1;
        self.has_read = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use fio_job::{Method, parse};

    fn backlog(line: &str, ios: u64) -> Option<Box<Backlog>> {
        let line = std::format!("filename=xvda iodepth=4 verify=md5 {line}");
        let job = parse(&line).expect(&line).remove(0);
        assert!(matches!(job.verify.as_ref().expect(&line).method, Method::Headers(_)));
        Backlog::of(&job, ios, 1).expect("some KiB")
    }

    fn write(backlog: &mut Backlog, offsets: &[u64]) {
        offsets.iter().for_each(|&offset| write_of(backlog, offset, 1));
    }

    fn write_of(backlog: &mut Backlog, offset: u64, bytes: u32) {
        backlog.note(Direction::Write, Block { target: 0, offset, bytes });
    }

    /// Returns the blocks that are read back in a row now.
    fn batch(backlog: &mut Backlog) -> Vec<u64> {
        core::iter::from_fn(|| {
            let block = backlog.due()?;
            backlog.take();
            Some(block.offset)
        })
        .collect()
    }

    #[test]
    fn jobs_that_read_nothing_back_have_none() {
        for line in
            ["rw=write", "rw=write verify_backlog=4 do_verify=0", "rw=read verify_backlog=4"]
        {
            assert!(backlog(line, 9).is_none(), "{line}");
        }
    }

    #[test]
    fn a_batch_begins_once_after_a_write() {
        let mut backlog = backlog("rw=randwrite verify_backlog=2", 99).expect("one");
        // Four of them while the first was in flight.
        write(&mut backlog, &[7, 5, 3, 1]);
        assert_eq!(batch(&mut backlog), [7, 5]);
        // Two are left, and there was a read.
        assert_eq!(backlog.due(), None);
        write(&mut backlog, &[9]);
        assert_eq!(backlog.due(), None);
        write(&mut backlog, &[8]);
        assert_eq!(batch(&mut backlog), [3, 1]);
        backlog.note(Direction::Read, Block { target: 0, offset: 3, bytes: 1 });
        assert_eq!(backlog.due(), None);
    }

    #[test]
    fn what_is_left_of_a_batch_is_for_the_next_writes() {
        let mut backlog =
            backlog("rw=write verify_backlog=2 verify_backlog_batch=3", 99).expect("one");
        write(&mut backlog, &[1, 2]);
        assert_eq!(batch(&mut backlog), [1, 2]);
        write(&mut backlog, &[3]);
        assert_eq!(batch(&mut backlog), [3]);
        write(&mut backlog, &[4]);
        assert_eq!(backlog.due(), None);
        write(&mut backlog, &[5]);
        assert_eq!(batch(&mut backlog), [4, 5]);
    }

    #[test]
    fn blocks_that_may_come_again_are_sorted_and_come_once() {
        for rw in ["randwrite norandommap=1", "randwrite random_distribution=zipf:1.2", "write"] {
            let mut backlog = backlog(&std::format!("rw={rw} verify_backlog=4"), 99).expect("one");
            write(&mut backlog, &[7, 5, 7, 3, 5]);
            assert_eq!(backlog.due(), None, "{rw}");
            write(&mut backlog, &[9]);
            assert_eq!(batch(&mut backlog), [3, 5, 7, 9], "{rw}");
        }
    }

    #[test]
    fn a_write_takes_the_place_of_those_that_it_overlaps() {
        let mut backlog = backlog("rw=randwrite norandommap=1 verify_backlog=3", 99).expect("one");
        for (offset, bytes) in [(0, 4), (8, 4), (12, 4), (4, 4), (2, 8)] {
            write_of(&mut backlog, offset, bytes);
        }
        backlog.note(Direction::Write, Block { target: 1, offset: 0, bytes: 20 });
        assert_eq!(backlog.due(), Some(Block { target: 0, offset: 2, bytes: 8 }));
    }

    #[test]
    fn the_list_has_room_for_a_batch_and_what_is_in_flight_or_for_all() {
        for (writes, ios, most) in [(2, 99, 10), (2, 3, 4), (1_u64 << 40, 99, 100)] {
            let line = std::format!("rw=randwrite verify_backlog={writes}");
            let mut backlog = backlog(&line, ios).expect("one");
            write(&mut backlog, &[0; 3]);
            assert!(!backlog.is_full());
            write(&mut backlog, &std::vec![0; most - 3]);
            assert!(backlog.is_full());
        }
        let job = parse("rw=write filename=xvda verify=md5 verify_backlog=0x7fffffffffffffff");
        let error = Backlog::of(&job.expect("a job")[0], u64::MAX, 1).expect_err("no memory");
        assert!(matches!(error, JobError::NoMemory { .. }));
    }
}
