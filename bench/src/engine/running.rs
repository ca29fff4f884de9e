//! A job under way: which I/O comes next, and what came of those before.

use alloc::vec;
use alloc::vec::Vec;

use drivers::hypervisor::Hypervisor;

use super::data::{Checks, Place};
use super::{Disk, InFlight, RunError, SLOTS_MAX};
use crate::file_map::Lookup;
use crate::job::Job;
use crate::pattern::{Direction, Pattern};
use crate::result::{Counters, Done, JobResult};

/// An end that has come for a job that failed or was stopped.
const STOPPED: u64 = 0;

/// A job that is under way.
pub(super) struct Running {
    pub(super) result: JobResult,
    lanes: Vec<Lane>,
    next_lane: usize,
    pub(super) outstanding: u32,
    /// I/Os put and completed in this pass of the loop.
    put: u32,
    completed: u32,
    pub(super) checks: Option<Checks>,
    phase: Phase,
    begin_ns: u64,
    /// When the I/Os of its phase began.
    start_ns: u64,
    /// How long the reads took that came before those of the read-back.
    read_before_ns: u64,
    /// No I/O is put from then on.
    end_ns: u64,
    sleeps: u64,
}

/// Which of the I/Os that come next are put, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// All, as they come.
    Free,
    /// Those to blocks that have none of the job's in flight, so that each block's data is known
    /// (fio's `serialize_overlap`, but the next block is taken instead of waiting for this one).
    Apart,
    /// The writes once more, as reads.
    ReadBack,
}

/// What a job has in flight.
pub(super) struct Flights<'e> {
    /// That of all jobs, by disk and slot.
    pub(super) all: &'e [[Option<InFlight>; SLOTS_MAX]],
    /// The job's number.
    pub(super) running: u32,
}

impl Flights<'_> {
    fn on(&self, disk: usize) -> impl Iterator<Item = &InFlight> {
        self.all[disk].iter().flatten().filter(|io| io.running == self.running)
    }
}

/// The I/O that comes next.
#[derive(Clone, Copy)]
pub(super) struct Next {
    pub(super) place: Place,
    pub(super) direction: Direction,
    /// Where on the disk it goes, in bytes.
    pub(super) disk_offset: u64,
}

/// A job's part on one disk, or in a file there.
struct Lane {
    disk: usize,
    file: Option<Lookup>,
    /// As it was at the start, to read back what was written.
    from_start: Pattern,
    pattern: Pattern,
    /// I/Os yet to be put.
    left: u64,
    /// I/Os taken from the pattern, put or passed over.
    drawn: u64,
    /// Blocks of the region.
    blocks: u64,
}

impl Running {
    /// The job that is number `number` of the run that begins at `run_ns`.
    pub(super) fn new<H: Hypervisor>(
        job: Job,
        number: usize,
        run_ns: u64,
        disks: &[Disk<'_, '_, H>],
    ) -> Result<Self, RunError> {
        // Jobs that run together visit different blocks; the first of each stage the same.
        let seed = job.randseed.unwrap_or(run_ns).wrapping_add(number as u64);
        let mut lanes = Vec::new();
        let mut regions = vec![None; disks.len()];
        for (disk_number, disk) in disks.iter().enumerate() {
            if !job.disks.iter().any(|name| name == disk.name) {
                continue;
            }
            if job.rw.writes() && disk.info.read_only {
                return Err(RunError::ReadOnly { job: job.name, disk: disk.name.into() });
            }
            let most_bytes = disk.info.request_bytes_max;
            if job.bs_bytes > most_bytes {
                let (bs_bytes, disk) = (job.bs_bytes, disk.name.into());
                return Err(RunError::BlockTooLarge { job: job.name, bs_bytes, disk, most_bytes });
            }
            let sector_bytes = disk.info.logical_sector_bytes;
            let file = disk.file(&job).map_err(RunError::Job)?;
            let size_bytes = file.map_or(disk.info.bytes(), |file| file.size_bytes);
            let region = job.resolve(disk.name, size_bytes, sector_bytes).map_err(RunError::Job)?;
            if let Some(file) = file {
                file.check(&job, region, sector_bytes).map_err(RunError::Job)?;
            }
            let pattern = Pattern::new(&job, region, seed);
            let bs_bytes = u64::from(job.bs_bytes);
            lanes.push(Lane {
                disk: disk_number,
                file: file.map(Lookup::new),
                from_start: pattern.clone(),
                pattern,
                left: region.io_bytes.map_or(u64::MAX, |bytes| bytes / bs_bytes),
                drawn: 0,
                blocks: region.size_bytes / bs_bytes,
            });
            regions[disk_number] = Some(region);
        }
        if let Some(ios) = job.number_ios {
            share_out(ios, &mut lanes);
        }
        let checks = Checks::new(&job, number, run_ns, &regions).map_err(RunError::Job)?;
        let apart = job.rw.writes() && checks.as_ref().is_some_and(Checks::needs_blocks_apart);
        Ok(Self {
            phase: if apart { Phase::Apart } else { Phase::Free },
            checks,
            result: JobResult::new(job),
            lanes,
            next_lane: 0,
            outstanding: 0,
            put: 0,
            completed: 0,
            begin_ns: 0,
            start_ns: 0,
            read_before_ns: 0,
            end_ns: 0,
            sleeps: 0,
        })
    }

    /// Its time runs from now on.
    pub(super) fn begin(&mut self, now_ns: u64) {
        self.begin_ns = now_ns;
        self.start_ns = now_ns;
        let runtime_ns = self.result.job.runtime_ns;
        self.end_ns = runtime_ns.map_or(u64::MAX, |runtime| now_ns.saturating_add(runtime));
    }

    pub(super) fn uses(&self, disk: usize) -> bool {
        self.lanes.iter().any(|lane| lane.disk == disk)
    }

    pub(super) fn writes_to(&self, disk: usize) -> bool {
        self.result.job.rw.writes() && self.uses(disk)
    }

    /// An I/O is in flight now.
    #[inline]
    pub(super) fn count_put(&mut self) {
        self.outstanding += 1;
        self.put += 1;
        self.result.distribution.put(self.outstanding);
    }

    /// An I/O is no more in flight.
    #[inline]
    pub(super) fn count_completed(&mut self) {
        self.outstanding -= 1;
        self.completed += 1;
    }

    /// The backends are told of what was put.
    #[inline]
    pub(super) fn end_pass(&mut self) {
        if self.put > 0 {
            self.result.distribution.submitted(self.put);
        }
        if self.completed > 0 {
            self.result.distribution.completed(self.completed);
        }
        (self.put, self.completed) = (0, 0);
    }

    /// An I/O has succeeded.
    #[inline]
    pub(super) fn count(&mut self, direction: Direction, now_ns: u64, latency_ns: u64) {
        let before_ns = if direction == Direction::Read { self.read_before_ns } else { 0 };
        self.result.count(&Done {
            direction,
            bytes: self.result.job.bs_bytes,
            latency_ns,
            runtime_ns: before_ns + (now_ns - self.start_ns),
            elapsed_ns: now_ns - self.begin_ns,
        });
    }

    /// The vCPU sleeps; that is one of this job's sleeps if it waits for something.
    pub(super) fn count_sleep(&mut self) {
        self.sleeps += u64::from(self.outstanding != 0);
    }

    /// The next I/O, on the job's disks in turn, as fio takes its files.
    #[inline]
    pub(super) fn next_io(&mut self, now_ns: u64, flights: &Flights<'_>) -> Option<Next> {
        if now_ns >= self.end_ns {
            return None;
        }
        for _ in 0..self.lanes.len() {
            let number = self.next_lane;
            self.next_lane = if number + 1 == self.lanes.len() { 0 } else { number + 1 };
            let lane = &mut self.lanes[number];
            while lane.left != 0 {
                lane.left -= 1;
                lane.drawn += 1;
                let (direction, offset) = lane.pattern.next_io();
                let place = Place { disk: lane.disk, offset };
                let mut next = |direction| {
                    let disk_offset =
                        lane.file.as_mut().map_or(offset, |file| file.disk_offset(offset));
                    Some(Next { place, direction, disk_offset })
                };
                match self.phase {
                    Phase::Free => return next(direction),
                    Phase::Apart => {
                        if flights.on(lane.disk).all(|io| io.offset != offset) {
                            return next(direction);
                        }
                        // What is passed over is not done.
                        lane.left += 1;
                        if flights.on(lane.disk).count() as u64 >= lane.blocks {
                            break;
                        }
                    }
                    Phase::ReadBack => {
                        let checks = self.checks.as_mut();
                        if direction == Direction::Write
                            && checks.is_some_and(|checks| checks.claim(place))
                        {
                            return next(Direction::Read);
                        }
                    }
                }
            }
        }
        None
    }

    /// Whether all writes are done and are to be read back.
    pub(super) fn is_reading_back_due(&self) -> bool {
        self.outstanding == 0
            && self.phase != Phase::ReadBack
            && self.end_ns != STOPPED
            && self.result.job.rw.writes()
            && self.result.job.verify.as_ref().is_some_and(|verify| verify.after_write)
    }

    /// Goes through the same I/Os again, to read what was written.
    pub(super) fn begin_reading_back(&mut self, now_ns: u64) {
        self.phase = Phase::ReadBack;
        self.read_before_ns = self.result.read.runtime_ns;
        self.start_ns = now_ns;
        self.end_ns = u64::MAX;
        for lane in &mut self.lanes {
            lane.pattern = lane.from_start.clone();
            (lane.left, lane.drawn) = (lane.drawn, 0);
        }
    }

    /// Puts no more I/Os.
    pub(super) fn stop(&mut self) {
        self.end_ns = STOPPED;
    }

    /// How a read at this point is checked, if it is.
    pub(super) fn read_checks(&self) -> Option<&Checks> {
        let checked = self.phase != Phase::Free || !self.result.job.rw.writes();
        self.checks.as_ref().filter(|_| checked)
    }

    /// A read brought the wrong data.
    pub(super) fn count_mismatch(&mut self) {
        self.result.read.errors += 1;
        if self.result.job.verify.as_ref().is_some_and(|verify| verify.fatal) {
            self.stop();
        }
    }

    /// The result, with what its disks counted unless other jobs used them too.
    pub(super) fn into_result(mut self, used: &[Counters], shared: &[bool]) -> JobResult {
        if !self.lanes.iter().any(|lane| shared[lane.disk]) {
            let disks = self.lanes.iter().map(|lane| used[lane.disk]);
            let sum = disks.fold(Counters::default(), |sum, disk| sum + disk);
            self.result.counters = Some(Counters { sleeps: self.sleeps, ..sum });
        }
        self.result
    }
}

/// Cuts what lanes have left to `ios` in all, as if they were taken in turn.
fn share_out(ios: u64, lanes: &mut [Lane]) {
    let mut open: Vec<&mut Lane> = lanes.iter_mut().collect();
    // What those that end early leave goes to the others.
    open.sort_by_key(|lane| lane.left);
    let (mut ios_left, lanes_count) = (ios, open.len());
    for (index, lane) in open.iter_mut().enumerate() {
        let lanes_left = (lanes_count - index) as u64;
        lane.left = lane.left.min(ios_left.div_ceil(lanes_left));
        ios_left -= lane.left;
    }
}
