//! The loop: keeps the I/Os of jobs in flight on their disks' queue pairs, and times each.
//!
//! One pass looks at every queue, completes what that look found, puts the next I/O of the same job
//! in its place, and then tells the backends, once each. The clock is read once for each queue with
//! completions, after the look at it: what comes later waits for the next pass, so no latency is
//! shorter than the backend's own. An I/O put in that pass starts with the same reading, which is
//! before anybody can see it, so the wait for the rest of its batch counts into its latency; where
//! it takes long to make the data of a write or to check that of a read, it is read again for each.
//! While all goes well nothing here allocates once the first I/Os are out.

mod data;
mod kept;
mod lane;
mod outcome;
mod owed;
mod ramp;
mod rules;
mod running;
mod span;
mod stolen;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use drivers::Vcpu;
use drivers::blkfront::{Completion, DiskInfo, IoError, Operation, QueuePair, Slot};
use xen_abi::blkif::SECTOR_SIZE;

use crate::file_map::FileMap;
use crate::wait::{Step, Waiter};
use data::Place;
use fio_job::Direction;
use fio_job::{Job, JobError, Poll};
use kept::Windows;
use lane::Next;
use owed::{Flights, InFlight, Late, Owed, requests};
use results::{Counters, DirectionResult, Together};
use rules::NEVER;
use running::Running;
use stolen::Theft;

pub use outcome::{Moved, Outcome, Progress, RunError, Verdict};

/// A backend that completes nothing for so long, or leaves requests out, is given up, in
/// nanoseconds.
pub const REQUEST_TIMEOUT_NS: u64 = 30_000_000_000;
/// How often the observer is asked, in nanoseconds.
pub const TICK_NS: u64 = 1_000_000_000;

/// A connected disk that jobs may name.
#[derive(Debug)]
pub struct Disk<'d, 'a> {
    /// As in `filename=`.
    pub name: &'d str,
    /// What the backend said of it.
    pub info: DiskInfo,
    /// Its data path, with nothing in flight and, over all queues, a free slot for each I/O of each
    /// of its jobs. An I/O goes to the queue that has the fewest in flight.
    pub queues: &'d mut [QueuePair<'a>],
    /// The files on it that jobs name.
    pub files: &'d [FileMap],
}

impl Disk<'_, '_> {
    /// A slot of the queue with the fewest requests in flight, and that queue's number.
    ///
    /// # Panics
    /// When there is none: more is in flight than the disk's jobs may have.
    #[inline]
    fn acquire(&mut self) -> (usize, Slot) {
        let queues = self.queues.iter_mut().enumerate();
        let (number, queue) =
            queues.min_by_key(|(_, queue)| queue.outstanding()).expect("a disk has a queue");
        (number, queue.acquire().expect("a slot for each I/O"))
    }

    /// The file that a job of this disk names, if it names one.
    fn file(&self, job: &Job) -> Result<Option<&FileMap>, JobError> {
        let Some(path) = &job.file else { return Ok(None) };
        let file = self.files.iter().find(|file| file.path == *path);
        file.map(Some).ok_or_else(|| JobError::NoFile(path.clone()))
    }
}

/// Runs jobs together, each on its disks, and asks `observe` when the first I/O has completed and
/// then about once a second. The time that `observe` takes is part of the measurement.
///
/// The disks are polled as the first job says.
pub fn run<V: Vcpu>(
    vcpu: &V,
    jobs: Vec<Job>,
    disks: &mut [Disk<'_, '_>],
    observe: &mut impl FnMut(&Progress) -> Verdict,
) -> Outcome {
    let before: Vec<Counters> = disks.iter().map(counters).collect();
    let mut engine = Engine {
        running: Vec::new(),
        owed: disks.iter().map(|disk| disk.queues.iter().map(Owed::new).collect()).collect(),
        before,
        groups: Vec::new(),
        ruled: true,
        wake_ns: NEVER,
        takes_long: jobs.iter().any(data::takes_long),
        writes: 0,
        first_failure: None,
    };
    let error = engine
        .start(vcpu, jobs, disks)
        .and_then(|()| engine.run(vcpu, disks, observe))
        .inspect_err(|_| engine.abandon(vcpu.now_ns()))
        .err();
    engine.running.iter_mut().for_each(|running| running.theft.end(vcpu));
    if error.is_none() {
        let nothing_measured = engine.running.iter().find_map(Running::nothing_measured);
        engine.first_failure = engine.first_failure.or(nothing_measured);
    }
    let used = engine.used(disks);
    let kept = kept::count(disks);
    engine.end_groups();
    let shared: Vec<bool> = (0..disks.len()).map(|disk| engine.jobs_on(disk) > 1).collect();
    let result = |running: Running| running.into_result(&used, &shared, &kept);
    let results = engine.running.into_iter().map(result).collect();
    Outcome { results, error, first_failure: engine.first_failure }
}

struct Engine {
    running: Vec<Running>,
    /// By disk and queue.
    owed: Vec<Vec<Owed>>,
    /// By disk, what it had counted before the run.
    before: Vec<Counters>,
    /// Jobs that are reported together, where there are several.
    groups: Vec<Group>,
    /// A job is to be asked anew whenever something completes.
    ruled: bool,
    /// When a job is to be asked anew though nothing completes.
    wake_ns: u64,
    /// The data of I/Os takes a time to make or to check that is no part of any latency.
    takes_long: bool,
    /// Writes put, so that no two carry the same data.
    writes: u64,
    first_failure: Option<String>,
}

/// Jobs that are reported together.
struct Group {
    /// The number of the first.
    first: usize,
    all: Box<Together>,
}

/// Where an I/O is in flight, or may be.
struct Seat {
    disk: usize,
    queue: usize,
    slot: Slot,
}

impl Engine {
    /// Fits the jobs to the disks and puts their first I/Os.
    fn start<V: Vcpu>(
        &mut self,
        vcpu: &V,
        jobs: Vec<Job>,
        disks: &mut [Disk<'_, '_>],
    ) -> Result<(), RunError> {
        let run_ns = vcpu.now_ns();
        for (number, job) in jobs.into_iter().enumerate() {
            self.running.push(Running::new(job, number, run_ns, disks)?);
        }
        self.make_groups();
        self.running.iter_mut().try_for_each(Running::make_tables)?;
        for (number, disk) in disks.iter_mut().enumerate() {
            let writers = self.running.iter().filter(|running| running.writes_to(number));
            if let Some(bytes) = writers.map(|running| running.result.job.bs_bytes).max() {
                disk.queues.iter_mut().for_each(|queue| data::fill_all(queue, bytes));
            }
        }
        // All of the above takes time that is no I/O's.
        let now_ns = vcpu.now_ns();
        self.owed.iter_mut().flatten().for_each(|owed| owed.progress_ns = now_ns);
        let theft = Theft::new(vcpu);
        self.running.iter_mut().for_each(|running| running.begin(now_ns, theft));
        self.attend(vcpu, disks, now_ns);
        self.running.iter_mut().for_each(Running::end_pass);
        kick_all(vcpu, disks)
    }

    /// Finds the jobs that are reported together.
    fn make_groups(&mut self) {
        let mut first = 0;
        for members in self.running.chunk_by_mut(|_, next| next.is_with_group()) {
            if members.len() > 1 {
                let group = Some(self.groups.len());
                members.iter_mut().for_each(|running| running.group = group);
                self.groups.push(Group { first, all: Box::default() });
            }
            first += members.len();
        }
    }

    /// All I/Os have ended: tells what jobs did together.
    fn end_groups(&mut self) {
        self.running.iter_mut().for_each(Running::end_phase);
        for (number, Group { first, mut all }) in self.groups.drain(..).enumerate() {
            for direction in Direction::ALL {
                let members = self.running.iter().filter(|running| running.group == Some(number));
                let end_ns = members.map(|running| running.end_together(direction)).max();
                all.finish(direction, end_ns.unwrap_or(0));
            }
            self.running[first].result.together = Some(all);
        }
    }

    /// What the disks counted since the run began.
    fn used(&self, disks: &[Disk<'_, '_>]) -> Vec<Counters> {
        let now = disks.iter().map(counters);
        now.zip(&self.before).map(|(now, before)| now - *before).collect()
    }

    fn jobs_on(&self, disk: usize) -> usize {
        self.running.iter().filter(|running| running.uses(disk)).count()
    }

    /// Looks after the jobs that are not plain: puts what may be put, ends ramps, and begins to
    /// read back. Notes which of all jobs have ended.
    #[cold]
    fn attend<V: Vcpu>(&mut self, vcpu: &V, disks: &mut [Disk<'_, '_>], now_ns: u64) {
        (self.ruled, self.wake_ns) = (false, NEVER);
        for number in 0..self.running.len() {
            if self.running[number].plain {
                self.running[number].note_end(vcpu);
                continue;
            }
            if self.running[number].is_ramp_over(now_ns) {
                self.end_ramp(number, disks);
            }
            self.running[number].note_begin(vcpu, now_ns);
            self.top_up(vcpu, number, disks, now_ns);
            if self.running[number].is_reading_back_due() {
                self.running[number].begin_reading_back(now_ns);
                self.top_up(vcpu, number, disks, now_ns);
            }
            let running = &mut self.running[number];
            running.settle();
            running.note_end(vcpu);
            self.ruled |= !running.plain;
            self.wake_ns = self.wake_ns.min(running.wake_ns);
        }
    }

    #[cold]
    fn end_ramp(&mut self, number: usize, disks: &[Disk<'_, '_>]) {
        let used = self.used(disks);
        self.running[number].end_ramp(used);
    }

    /// Puts what a job may put now.
    fn top_up<V: Vcpu>(
        &mut self,
        vcpu: &V,
        number: usize,
        disks: &mut [Disk<'_, '_>],
        now_ns: u64,
    ) {
        for _ in 0..self.running[number].batch() {
            let flights = Flights { all: &self.owed, running: number as u32 };
            let Some(next) = self.running[number].next_ruled(now_ns, &flights) else { return };
            let disk = next.place.disk;
            let (queue, slot) = disks[disk].acquire();
            if next.operation == Operation::Read
                && let Some(checks) = self.running[number].read_checks()
            {
                checks.spoil(&mut disks[disk].queues[queue], &slot, next.place);
            }
            self.put(vcpu, number, next, Seat { disk, queue, slot }, disks, now_ns);
        }
        self.running[number].go_on_at(now_ns);
    }

    fn run<V: Vcpu>(
        &mut self,
        vcpu: &V,
        disks: &mut [Disk<'_, '_>],
        observe: &mut impl FnMut(&Progress) -> Verdict,
    ) -> Result<(), RunError> {
        let start_ns = vcpu.now_ns();
        let poll = self.running.first().map_or(Poll::Auto, |first| first.result.job.poll);
        let mut waiter = Waiter::new(poll);
        let mut windows = Windows::begin(disks, start_ns);
        let mut tick_ns = start_ns.saturating_add(TICK_NS);
        let mut begun = false;
        while self.running.iter().any(|running| !running.is_done()) {
            let completed_ns = self.complete_all(vcpu, disks)?;
            if let Some(now_ns) = completed_ns {
                if self.ruled {
                    self.attend(vcpu, disks, now_ns);
                }
                self.running.iter_mut().for_each(Running::end_pass);
            }
            kick_all(vcpu, disks)?;
            let now_ns = completed_ns.unwrap_or_else(|| vcpu.now_ns());
            let begins = completed_ns.is_some() && !begun;
            if begins || now_ns >= tick_ns {
                begun |= begins;
                tick_ns = now_ns.saturating_add(TICK_NS);
                self.give_up_the_stuck(disks, now_ns)?;
                windows.tick(disks, now_ns);
                match observe(&self.progress(start_ns, now_ns)) {
                    Verdict::Continue => {}
                    Verdict::Stop => {
                        self.running.iter_mut().for_each(|running| running.stop(now_ns));
                    }
                    Verdict::Abandon => return Err(RunError::Abandoned),
                }
            }
            if completed_ns.is_some() {
                waiter.progress(now_ns);
                continue;
            }
            if now_ns >= self.wake_ns {
                self.attend(vcpu, disks, now_ns);
                self.running.iter_mut().for_each(Running::end_pass);
                continue;
            }
            match waiter.idle(now_ns) {
                Step::Poll => core::hint::spin_loop(),
                Step::Sleep => {
                    vcpu.prepare_wait();
                    // All of them, also behind one that has work: each must be armed anew.
                    let mut until_ns = Some(tick_ns);
                    for queue in disks.iter_mut().flat_map(|disk| disk.queues.iter_mut()) {
                        let armed = queue.arm(vcpu);
                        until_ns = until_ns.zip(armed).map(|(until, one)| until.min(one));
                    }
                    if let Some(until_ns) = until_ns {
                        self.running.iter_mut().for_each(Running::count_sleep);
                        let latest_ns = until_ns.min(now_ns.saturating_add(TICK_NS));
                        vcpu.wait(latest_ns.min(self.wake_ns));
                    }
                }
            }
        }
        Ok(())
    }

    /// Fails when a disk owes requests on a queue that it does not answer.
    fn give_up_the_stuck(&mut self, disks: &[Disk<'_, '_>], now_ns: u64) -> Result<(), RunError> {
        for (Disk { name, queues, .. }, owed) in disks.iter().zip(&mut self.owed) {
            for (queue, owed) in queues.iter().zip(owed) {
                let disk = || (*name).into();
                let outstanding = queue.outstanding();
                match owed.late(queue, now_ns) {
                    None => {}
                    Some(Late::Silent) => {
                        return Err(RunError::Stuck { disk: disk(), outstanding });
                    }
                    Some(Late::LeftOut(overdue)) => {
                        return Err(RunError::Overdue { disk: disk(), overdue, outstanding });
                    }
                }
            }
        }
        Ok(())
    }

    /// The run ends with an error: what is still in flight has failed, and took until now.
    #[cold]
    fn abandon(&mut self, now_ns: u64) {
        for io in self.owed.iter().flatten().flat_map(Owed::in_flight) {
            self.running[io.running as usize].count_lost(io, now_ns);
        }
        self.running.iter_mut().for_each(|running| running.stop(now_ns));
    }

    /// Completes what a look finds on each queue; answers the time of the last that found anything.
    #[inline]
    fn complete_all<V: Vcpu>(
        &mut self,
        vcpu: &V,
        disks: &mut [Disk<'_, '_>],
    ) -> Result<Option<u64>, RunError> {
        let mut time_ns = None;
        for disk in 0..disks.len() {
            for queue in 0..disks[disk].queues.len() {
                let Disk { name, queues, .. } = &mut disks[disk];
                let found = queues[queue].look();
                if !found.map_err(|broken| RunError::Broken((*name).into(), broken))? {
                    continue;
                }
                let now_ns = vcpu.now_ns();
                time_ns = Some(now_ns);
                self.owed[disk][queue].progress_ns = now_ns;
                loop {
                    let Disk { name, queues, .. } = &mut disks[disk];
                    let broken = |broken| RunError::Broken((*name).into(), broken);
                    let taken = queues[queue].poll_seen().map_err(broken)?;
                    let Some(Completion { slot, result }) = taken else { break };
                    self.complete(vcpu, Seat { disk, queue, slot }, result, disks, now_ns);
                    vcpu.has_completed();
                }
            }
        }
        // What ends with its time is not to go on because others took theirs.
        Ok(if self.takes_long { time_ns.map(|_| vcpu.now_ns()) } else { time_ns })
    }

    #[inline]
    fn complete<V: Vcpu>(
        &mut self,
        vcpu: &V,
        seat: Seat,
        result: Result<(), IoError>,
        disks: &mut [Disk<'_, '_>],
        now_ns: u64,
    ) {
        let Seat { disk, queue, slot } = &seat;
        let (disk, queue) = (*disk, *queue);
        let io = self.owed[disk][queue].ios[slot.index()].take().expect("the queue checked the id");
        let number = io.running as usize;
        if !self.running[number].plain && self.running[number].has_left_ramp(now_ns) {
            self.end_ramp(number, disks);
        }
        let running = &mut self.running[number];
        running.count_completed(now_ns);
        match result {
            Ok(()) => {
                running.count(&io, now_ns);
                if let Some(group) = running.group {
                    running.count_together(&io, now_ns, &mut self.groups[group].all);
                }
                if !running.plain && io.operation == Operation::Read {
                    self.check(&seat, &io, disks, now_ns);
                }
            }
            Err(error) => self.fail(disks[disk].name, &io, error, now_ns),
        }
        if self.running[number].plain {
            self.put_next(vcpu, number, seat, disks, now_ns);
        } else {
            disks[disk].queues[queue].release(seat.slot);
        }
    }

    /// Checks what a read brought, if its job does so; a plain one does not.
    fn check(&mut self, seat: &Seat, io: &InFlight, disks: &[Disk<'_, '_>], now_ns: u64) {
        let number = io.running as usize;
        let running = &mut self.running[number];
        let Some(checks) = running.read_checks() else { return };
        let Disk { name, queues, .. } = &disks[seat.disk];
        let place = Place { disk: seat.disk, offset: io.offset };
        if let Err(wrong) = checks.check(&queues[seat.queue], &seat.slot, place) {
            let ends = running.count_mismatch(now_ns);
            if ends || !running.result.job.on_error.verify {
                self.first_failure.get_or_insert_with(|| format!("{name}: {wrong}"));
            }
            self.end_all_if(ends, number, now_ns);
        }
    }

    #[cold]
    fn fail(&mut self, disk: &str, io: &InFlight, error: IoError, now_ns: u64) {
        let number = io.running as usize;
        let ends = self.running[number].count_failure(io.operation, now_ns);
        if ends {
            let failure = || format!("{disk}: {:?} at byte {}: {error}", io.operation, io.offset);
            self.first_failure.get_or_insert_with(failure);
        }
        self.end_all_if(ends, number, now_ns);
    }

    /// Ends all jobs if a job ended by a failure and that is to end all (`exitall_on_error`).
    fn end_all_if(&mut self, ends: bool, number: usize, now_ns: u64) {
        if ends && self.running[number].result.job.exitall_on_error {
            self.running.iter_mut().for_each(|running| running.stop(now_ns));
        }
    }

    /// Puts a plain job's next I/O, if it has one, where one just ended if that is its disk.
    #[inline]
    fn put_next<V: Vcpu>(
        &mut self,
        vcpu: &V,
        number: usize,
        seat: Seat,
        disks: &mut [Disk<'_, '_>],
        now_ns: u64,
    ) {
        let Some(next) = self.running[number].next_plain(now_ns) else {
            // It ends with this I/O or one of those in flight, which is to be noted.
            self.ruled = true;
            disks[seat.disk].queues[seat.queue].release(seat.slot);
            return;
        };
        let seat = if seat.disk == next.place.disk {
            seat
        } else {
            disks[seat.disk].queues[seat.queue].release(seat.slot);
            let disk = next.place.disk;
            let (queue, slot) = disks[disk].acquire();
            Seat { disk, queue, slot }
        };
        self.put(vcpu, number, next, seat, disks, now_ns);
    }

    #[inline(always)]
    fn put<V: Vcpu>(
        &mut self,
        vcpu: &V,
        number: usize,
        next: Next,
        seat: Seat,
        disks: &mut [Disk<'_, '_>],
        now_ns: u64,
    ) {
        let Next { place, disk_offset, operation, bytes } = next;
        let offset = place.offset;
        let running = &mut self.running[number];
        let Seat { disk, queue, slot } = seat;
        let owed = &mut self.owed[disk][queue];
        let queue = &mut disks[disk].queues[queue];
        if queue.outstanding() == 0 {
            owed.progress_ns = now_ns;
        }
        if operation == Operation::Write {
            match &mut running.checks {
                Some(checks) => checks.fill(queue, &slot, place, self.writes),
                None => {
                    let buffers = &running.result.job.buffers;
                    data::fill(buffers, queue, &slot, offset, self.writes, bytes);
                }
            }
            self.writes += 1;
        }
        let start_ns = if self.takes_long { vcpu.now_ns() } else { now_ns };
        owed.ios[slot.index()] =
            Some(InFlight { running: number as u32, operation, bytes, offset, start_ns });
        running.count_put();
        queue.submit(slot, operation, disk_offset / u64::from(SECTOR_SIZE), bytes);
    }

    fn progress(&self, start_ns: u64, now_ns: u64) -> Progress {
        let results = || self.running.iter().map(|running| &running.result);
        let expected_ns = self.running.iter().map(|running| running.expected_ns(start_ns, now_ns));
        Progress {
            elapsed_ns: now_ns - start_ns,
            read: moved(results().map(|result| &result.read)),
            written: moved(results().map(|result| &result.write)),
            expected_ns: expected_ns.reduce(|one, other| Some(one?.max(other?))).flatten(),
        }
    }
}

fn moved<'r>(sides: impl Iterator<Item = &'r DirectionResult> + Clone) -> Moved {
    Moved {
        ios: sides.clone().map(|side| side.ios).sum(),
        bytes: sides.map(|side| side.bytes).sum(),
    }
}

fn kick_all(vcpu: &impl Vcpu, disks: &mut [Disk<'_, '_>]) -> Result<(), RunError> {
    for Disk { name, queues, .. } in disks {
        for queue in queues.iter_mut() {
            queue.kick(vcpu).map_err(|broken| RunError::Broken((*name).into(), broken))?;
        }
    }
    Ok(())
}

/// The counters of a disk's queues, as results name them.
fn counters(disk: &Disk<'_, '_>) -> Counters {
    let counted = disk.queues.iter().map(QueuePair::counters).map(|counters| Counters {
        requests: requests(&counters),
        notifications: counters.notifications,
        events: counters.events,
        grants_made: counters.grants,
        copies_made: counters.copies,
        sleeps: 0,
    });
    counted.fold(Counters::default(), |sum, one| sum + one)
}
