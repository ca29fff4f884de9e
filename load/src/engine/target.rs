//! Part of a job on one disk: its pattern, the I/Os left, and the next one.

use drivers::blkfront::Operation;
use xen_abi::blkif::SECTOR_SIZE;

use super::data::Place;
use super::in_flight::InFlight;
use crate::file_map::{FileMap, Lookup};
use crate::pattern::{Io, Pattern, is_drawn};
use crate::verify::has_headroom;
use fio_job::Direction;
use fio_job::{Job, Region};

/// Part of a job on one disk, or in a file there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) disk: usize,
    pub(super) region: Region,
    file: Option<Lookup>,
    /// Operation of a trim.
    discard: Operation,
    /// Pattern as it was at the start of the pass, to read back what was written.
    from_start: Pattern,
    pattern: Pattern,
    /// Direction of the next I/O, if it is known.
    direction: Option<Direction>,
    /// I/Os yet to be issued in this pass; none before the first.
    pub(super) left: u64,
    /// Bytes yet to be issued in it, if I/Os have several sizes; otherwise they never end.
    bytes_left: u64,
    /// Both, as they are at the start of a pass.
    pass: (u64, u64),
    /// Most I/Os of the whole job.
    pub(super) most_ios: u64,
    /// I/Os taken from the pattern, issued or skipped.
    drawn: u64,
}

impl Target {
    pub(super) fn new(
        disk: usize,
        file: Option<&FileMap>,
        job: &Job,
        region: Region,
        pattern: Pattern,
    ) -> Self {
        Self {
            disk,
            region,
            file: file.map(Lookup::new),
            discard: match job.secure_discard {
                true => Operation::SecureDiscard,
                false => Operation::Discard,
            },
            from_start: pattern.clone(),
            pattern,
            direction: None,
            left: 0,
            bytes_left: 0,
            pass: pass_of(job, region),
            most_ios: u64::MAX,
            drawn: 0,
        }
    }

    /// Makes the random map of its pattern, if that needs one, with room left for each of the
    /// `loops` of the stage.
    ///
    /// # Errors
    /// Returns the bytes that it takes, if there is no memory for it.
    pub(super) fn make_map(&mut self, loops: usize) -> Result<(), u64> {
        let map_bytes = self.pattern.map_bytes();
        let fits = map_bytes == 0 || self.pattern.make_map() && has_headroom(loops);
        if fits { Ok(()) } else { Err(map_bytes) }
    }

    /// Returns the most I/Os of a pass; `u64::MAX` if it never ends on this disk.
    pub(super) fn most_in_pass(&self) -> u64 {
        self.pass.0
    }

    /// Takes all that it may do in another pass.
    pub(super) fn refill(&mut self) {
        (self.left, self.bytes_left) = self.pass;
        self.drawn = 0;
    }

    /// Gives it no more to do in this pass.
    pub(super) fn end_pass(&mut self) {
        self.left = 0;
    }

    /// Goes back to where its pattern begins; with `anew`, it draws other blocks than before.
    pub(super) fn rewind(&mut self, anew: bool) {
        if anew {
            self.pattern.rewind();
            self.from_start = self.pattern.as_start();
        } else {
            self.pattern.restart(&self.from_start);
        }
        self.direction = None;
    }

    /// Returns whether nothing is left in this pass.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Returns the bytes left in this pass; `None` if it never ends.
    pub(super) fn bytes_to_go(&self, bs_bytes: u32) -> Option<u64> {
        // An endless count is counted down, too.
        let ends = |count: u64| (count <= u64::MAX / 2).then_some(count);
        let ios = ends(self.left).map(|ios| ios.saturating_mul(bs_bytes.into()));
        match (ios, ends(self.bytes_left)) {
            (Some(0), _) => Some(0),
            (_, Some(bytes)) => Some(bytes),
            (ios, None) => ios,
        }
    }

    /// Returns the next I/O of a job that has only its pattern to follow.
    #[inline(always)]
    pub(super) fn next_fast(&mut self) -> Option<Next> {
        self.left = self.left.checked_sub(1)?;
        let io = self.pattern.next_fast();
        Some(Next::new(self, io))
    }

    /// Returns where on the disk the job's byte at `offset` is.
    #[inline]
    pub(super) fn disk_offset(&mut self, offset: u64) -> u64 {
        self.file.as_mut().map_or(offset, |file| file.disk_offset(offset))
    }

    /// Returns the direction of the next I/O.
    pub(super) fn next_direction(&mut self) -> Direction {
        *self.direction.get_or_insert_with(|| self.pattern.next_direction())
    }

    /// Sets the direction of the next I/O.
    pub(super) fn turn_to(&mut self, direction: Direction) {
        self.direction = Some(direction);
    }

    /// Returns the next I/O, unless nothing is left.
    pub(super) fn next_io(&mut self) -> Option<Io> {
        self.left = self.left.checked_sub(1)?;
        let direction = self.next_direction();
        self.direction = None;
        let io = self.pattern.next_in(direction);
        self.drawn += 1;
        self.bytes_left = self.bytes_left.saturating_sub(io.bytes.into());
        if self.bytes_left == 0 {
            self.left = 0;
        }
        Some(io)
    }

    /// Notes that the last I/O was skipped, and so is not done.
    pub(super) fn pass_over(&mut self, io: &Io) {
        self.bytes_left = self.bytes_left.saturating_add(io.bytes.into());
        // Bytes end a pass, or a number of I/Os does.
        let is_ended = self.left == 0 && self.pass.1 != u64::MAX;
        self.left = if is_ended { u64::MAX } else { self.left + 1 };
    }

    /// Goes back to the start of the pass, for as many I/Os as were taken in it.
    pub(super) fn go_back(&mut self) {
        self.pattern.restart(&self.from_start);
        self.direction = None;
        (self.left, self.bytes_left, self.drawn) = (self.drawn, u64::MAX, 0);
    }
}

/// Next I/O to issue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) place: Place,
    /// Offset on the disk, in bytes.
    pub(super) disk_offset: u64,
    pub(super) operation: Operation,
    pub(super) bytes: u32,
}

impl Next {
    #[inline]
    pub(super) fn new(target: &mut Target, io: Io) -> Self {
        let operation = match io.direction {
            Direction::Read => Operation::Read,
            Direction::Write => Operation::Write,
            Direction::Trim => target.discard,
        };
        let place = Place { disk: target.disk, offset: io.offset };
        Self { place, disk_offset: target.disk_offset(io.offset), operation, bytes: io.bytes }
    }

    /// Returns where on the disk it begins, in units of 512 bytes.
    #[inline(always)]
    pub(super) fn sector(&self) -> u64 {
        self.disk_offset / u64::from(SECTOR_SIZE)
    }

    /// Returns it as in flight, an I/O of job number `job_index`.
    #[inline(always)]
    pub(super) fn in_flight(&self, job_index: u32, start_ns: u64) -> InFlight {
        let Self { place, operation, bytes, .. } = *self;
        InFlight { job_index, operation, bytes, offset: place.offset, start_ns }
    }
}

/// Returns the direction that an operation counts as; `None` for a flush.
#[inline]
pub(super) fn direction_of(operation: Operation) -> Option<Direction> {
    match operation {
        Operation::Read => Some(Direction::Read),
        Operation::Write => Some(Direction::Write),
        Operation::Discard | Operation::SecureDiscard => Some(Direction::Trim),
        _ => None,
    }
}

/// Returns the I/Os and bytes of a pass through a region, as far as they end it.
fn pass_of(job: &Job, region: Region) -> (u64, u64) {
    // The only disk of a job that its time ends begins again by itself, in each direction.
    let begins_again = job.rw.is_random() || job.disks.len() == 1;
    let ends = if job.time_based { !begins_again } else { !is_drawn(job) };
    match job.bs_mix {
        _ if !ends => (u64::MAX, u64::MAX),
        Some(_) => (u64::MAX, region.size_bytes),
        None => (region.size_bytes / u64::from(job.bs_bytes), u64::MAX),
    }
}
