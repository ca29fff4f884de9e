//! A job under way: which I/O comes next, and what came of those before.

use alloc::vec::Vec;

use drivers::hypervisor::Hypervisor;

use super::{Disk, RunError};
use crate::job::Job;
use crate::pattern::{Direction, Pattern};
use crate::result::{Counters, JobResult};
use crate::verify::VerifyPattern;

/// An end that has come for a job that failed or was stopped.
const STOPPED: u64 = 0;

/// A job that is under way.
pub(super) struct Running {
    pub(super) result: JobResult,
    lanes: Vec<Lane>,
    next_lane: usize,
    pub(super) outstanding: u32,
    pub(super) verify: Option<VerifyPattern>,
    /// The I/Os read back what was written.
    reading_back: bool,
    start_ns: u64,
    /// How long the reads took that came before those of the read-back.
    read_before_ns: u64,
    /// No I/O is put from then on.
    end_ns: u64,
    sleeps: u64,
}

/// A job's part on one disk.
struct Lane {
    disk: usize,
    /// As it was at the start, to read back what was written.
    from_start: Pattern,
    pattern: Pattern,
    /// I/Os yet to be put.
    left: u64,
    /// I/Os put.
    put: u64,
}

impl Running {
    pub(super) fn new<H: Hypervisor>(
        job: Job,
        seed: u64,
        disks: &[Disk<'_, '_, H>],
    ) -> Result<Self, RunError> {
        let mut lanes = Vec::new();
        for (number, disk) in disks.iter().enumerate() {
            if !job.disks.iter().any(|name| name == disk.name) {
                continue;
            }
            if job.rw.writes() && disk.info.read_only {
                return Err(RunError::ReadOnly { job: job.name, disk: disk.name.into() });
            }
            let region = job
                .resolve(disk.name, disk.info.bytes(), disk.info.logical_sector_bytes)
                .map_err(RunError::Job)?;
            let pattern = Pattern::new(&job, region, seed);
            let ios = region.io_bytes.map_or(u64::MAX, |bytes| bytes / u64::from(job.bs_bytes));
            let from_start = pattern.clone();
            lanes.push(Lane { disk: number, from_start, pattern, left: ios, put: 0 });
        }
        Ok(Self {
            verify: job.verify.as_ref().map(|verify| verify.pattern.clone()),
            result: JobResult::new(job),
            lanes,
            next_lane: 0,
            outstanding: 0,
            reading_back: false,
            start_ns: 0,
            read_before_ns: 0,
            end_ns: 0,
            sleeps: 0,
        })
    }

    /// Its time runs from now on.
    pub(super) fn begin(&mut self, now_ns: u64) {
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

    /// An I/O has succeeded.
    #[inline]
    pub(super) fn count(&mut self, direction: Direction, now_ns: u64, latency_ns: u64) {
        let before_ns = if direction == Direction::Read { self.read_before_ns } else { 0 };
        let bytes = self.result.job.bs_bytes;
        let figures = self.result.direction_mut(direction);
        figures.ios += 1;
        figures.bytes += u64::from(bytes);
        figures.runtime_ns = before_ns + (now_ns - self.start_ns);
        figures.latency.record(latency_ns);
    }

    /// The vCPU sleeps; that is one of this job's sleeps if it waits for something.
    pub(super) fn count_sleep(&mut self) {
        self.sleeps += u64::from(self.outstanding != 0);
    }

    /// The next I/O, on the job's disks in turn, as fio takes its files.
    #[inline]
    pub(super) fn next_io(&mut self, now_ns: u64) -> Option<(usize, Direction, u64)> {
        if now_ns >= self.end_ns {
            return None;
        }
        for _ in 0..self.lanes.len() {
            let number = self.next_lane;
            self.next_lane = if number + 1 == self.lanes.len() { 0 } else { number + 1 };
            let lane = &mut self.lanes[number];
            while lane.left != 0 {
                lane.left -= 1;
                lane.put += 1;
                let (direction, offset) = lane.pattern.next_io();
                match (self.reading_back, direction) {
                    (false, _) => return Some((lane.disk, direction, offset)),
                    (true, Direction::Write) => return Some((lane.disk, Direction::Read, offset)),
                    (true, Direction::Read) => {}
                }
            }
        }
        None
    }

    /// Whether all writes are done and are to be read back.
    pub(super) fn is_reading_back_due(&self) -> bool {
        self.outstanding == 0
            && !self.reading_back
            && self.end_ns != STOPPED
            && self.result.job.rw.writes()
            && self.result.job.verify.as_ref().is_some_and(|verify| verify.after_write)
    }

    /// Goes through the same I/Os again, to read what was written.
    pub(super) fn begin_reading_back(&mut self, now_ns: u64) {
        self.reading_back = true;
        self.read_before_ns = self.result.read.runtime_ns;
        self.start_ns = now_ns;
        self.end_ns = u64::MAX;
        for lane in &mut self.lanes {
            lane.pattern = lane.from_start.clone();
            (lane.left, lane.put) = (lane.put, 0);
        }
    }

    /// Puts no more I/Os.
    pub(super) fn stop(&mut self) {
        self.end_ns = STOPPED;
    }

    /// What a read at this point must find, if it is to be checked.
    pub(super) fn expected(&self) -> Option<&VerifyPattern> {
        let checks = self.reading_back || !self.result.job.rw.writes();
        self.verify.as_ref().filter(|_| checks)
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
