//! Passes of a job through its regions: how many there are, and how much each does, as in fio's
//! loop with an engine that is asynchronous (fio 3.33: backend.c, `keep_running` and `do_io`).
//!
//! fio goes through all regions as often as `loops=` says, and then again as long as less than
//! `io_size=` is done. It stops, even within a pass, once `io_size=`, or else the regions' length,
//! is done `loops=` times, or `number_ios=` I/Os as often. A disk that has been gone through is
//! left alone until the next pass; one whose blocks are drawn without a map never is gone through.
//!
//! After each pass of a job that reads back what it wrote, it does so. These reads count as bytes
//! done, which `io_size=` asks for, and as I/Os for `number_ios=`.

use fio_job::number::Amount;
use fio_job::{Job, Region};

use super::target::Target;
use crate::pattern::is_drawn;

/// Work that a job has yet to do.
#[derive(Debug)]
pub(super) struct Passes {
    bs_bytes: u64,
    /// Amount of a whole pass, in bytes.
    pass_bytes: u64,
    /// Number of passes to come.
    passes: u64,
    /// Bytes left: without the pass under way if that is divided among the disks beforehand.
    bytes: u64,
    /// Number of I/Os left, likewise.
    ios: u64,
    /// Bytes left of the pass under way, if each I/O is counted.
    in_pass: u64,
    /// Whether each I/O is counted: sizes differ, or disks are not taken in turn.
    counts: bool,
    /// Whether any number of I/Os may go to one disk.
    is_served: bool,
    /// Whether only time ends the job.
    is_endless: bool,
    /// Most passes that there may be.
    most: u64,
    /// Bytes done, if what is read back counts as well.
    done: Option<u64>,
    /// Bytes until which passes follow in that case.
    until_bytes: u64,
}

impl Passes {
    /// Returns the passes of a job through these regions, of which none has begun; `is_served` says
    /// that they are not taken in turn.
    pub(super) fn new(job: &Job, regions: &[Region], is_served: bool) -> Self {
        let bs_bytes = u64::from(job.bs_bytes.max(1));
        let sizes = regions.iter().map(|region| region.size_bytes);
        let region_bytes = sizes.fold(0, u64::saturating_add);
        let parts = regions.iter().filter_map(|region| region.io_bytes);
        let limit_bytes = match job.io_size {
            Some(Amount::Bytes(bytes)) => bytes,
            _ => parts.fold(0, u64::saturating_add),
        };
        let pass_bytes = match job.io_size {
            Some(Amount::Percent(_)) => limit_bytes,
            // fio does not let the regions' length end what writes without a map.
            Some(_) if job.rw.writes() && is_drawn(job) => region_bytes.max(limit_bytes),
            None if is_drawn(job) => limit_bytes,
            // A pass ends with size=, which may end within a block.
            None if job.filesize.is_none() => region_bytes.min(limit_bytes),
            _ => region_bytes,
        };
        let pass_bytes = pass_bytes.max(1);
        // A rest of less than a block is left.
        let whole_bytes = limit_bytes.saturating_add(1).saturating_sub(bs_bytes);
        let number = job.number_ios.map_or(u64::MAX, |ios| ios.saturating_mul(job.loops));
        let ended = Self {
            bs_bytes,
            pass_bytes,
            passes: u64::MAX,
            bytes: u64::MAX,
            ios: u64::MAX,
            in_pass: 0,
            counts: job.bs_mix.is_some()
                || is_served
                || job.number_ios.is_some() && job.reads_back(),
            is_served,
            is_endless: true,
            most: u64::MAX,
            done: None,
            until_bytes: 0,
        };
        if job.time_based {
            return ended;
        }
        let most = job.loops.max(whole_bytes.div_ceil(pass_bytes));
        let by_size = matches!(job.io_size, Some(Amount::Bytes(_)));
        Self {
            passes: if job.reads_back() { job.loops } else { most },
            most,
            done: job.reads_back().then_some(0),
            until_bytes: if by_size { whole_bytes } else { 0 },
            bytes: limit_bytes.max(1).saturating_mul(job.loops),
            ios: number,
            is_endless: false,
            ..ended
        }
    }

    /// Returns the most I/Os of all passes on a disk on which a pass does up to `most`, one of
    /// `disks`, before the first pass has begun.
    pub(super) fn ios_on_disk(&self, most: u64, disks: usize) -> u64 {
        if self.is_endless {
            return u64::MAX;
        }
        let all = self.bytes.div_ceil(self.bs_bytes).min(self.ios);
        match most {
            u64::MAX if self.is_served => all,
            u64::MAX => all.div_ceil(disks.max(1) as u64).saturating_add(self.most).min(all),
            most => most.saturating_mul(self.most).min(all),
        }
    }

    /// Returns whether another pass follows the one under way.
    pub(super) fn has_next(&self) -> bool {
        let is_due = self.passes != 0 || self.done.is_some_and(|done| done < self.until_bytes);
        is_due && self.bytes != 0 && self.ios != 0
    }

    /// Begins the next pass, if there is one: each disk gets its share, as if they were taken in
    /// turn from number `first` on. Returns whether there is one.
    pub(super) fn begin(&mut self, targets: &mut [Target], first: usize) -> bool {
        if !self.has_next() {
            return false;
        }
        targets.iter_mut().for_each(Target::refill);
        if self.is_endless {
            return true;
        }
        self.passes = self.passes.saturating_sub(1);
        let bytes = self.bytes.min(self.pass_bytes);
        if self.counts {
            self.in_pass = bytes;
            return true;
        }
        let ios = bytes.div_ceil(self.bs_bytes).min(self.ios);
        self.bytes = self.bytes.saturating_sub(ios.saturating_mul(self.bs_bytes));
        self.ios -= ios;
        divide(ios, targets, first);
        true
    }

    /// Counts an I/O of a job whose I/Os are counted one by one; returns whether it is the last of
    /// its pass.
    pub(super) fn count(&mut self, bytes: u32) -> bool {
        let bytes = u64::from(bytes);
        self.count_done(bytes);
        if self.is_endless || !self.counts {
            return false;
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        self.in_pass = self.in_pass.saturating_sub(bytes);
        self.ios = self.ios.saturating_sub(1);
        self.in_pass == 0 || self.ios == 0
    }

    /// Counts a read of what was written; returns whether it is the last I/O of all passes.
    pub(super) fn count_read_back(&mut self, bytes: u32) -> bool {
        self.count_done(bytes.into());
        if self.is_endless || !self.counts {
            return false;
        }
        self.ios = self.ios.saturating_sub(1);
        self.ios == 0
    }

    fn count_done(&mut self, bytes: u64) {
        if let Some(done) = &mut self.done {
            *done = done.saturating_add(bytes);
        }
    }

    /// Begins no more passes.
    pub(super) fn end(&mut self) {
        (self.passes, self.done) = (0, None);
    }

    /// Returns the bytes to come, if the pass under way has `in_pass` left; `None` if only time
    /// ends the job.
    pub(super) fn bytes_to_go(&self, in_pass: Option<u64>) -> Option<u64> {
        if self.is_endless && self.passes != 0 {
            return None;
        }
        let later = self.passes.saturating_mul(self.pass_bytes);
        let most = self.ios.saturating_mul(self.bs_bytes).min(self.bytes);
        if self.counts {
            return Some(later.saturating_add(self.in_pass).min(most));
        }
        in_pass.map(|in_pass| in_pass.saturating_add(later.min(most)))
    }
}

/// Cuts what targets have left to `ios` in all, as if they were taken in turn from number `first`
/// on; those that end early leave their share to the others.
fn divide(ios: u64, targets: &mut [Target], first: usize) {
    let taken = |targets: &[Target], rounds: u64| {
        targets.iter().map(|target| target.left.min(rounds)).fold(0, u64::saturating_add)
    };
    if taken(targets, u64::MAX) <= ios {
        return;
    }
    // The most rounds that are whole: fewer than `ios` + 1, in which a target would do too many.
    let (mut rounds, mut beyond) = (0, ios.saturating_add(1));
    while beyond - rounds > 1 {
        let middle = rounds + (beyond - rounds) / 2;
        if taken(targets, middle) <= ios {
            rounds = middle;
        } else {
            beyond = middle;
        }
    }
    let mut rest = ios - taken(targets, rounds);
    let count = targets.len();
    for number in first..first + count {
        let target = &mut targets[number % count];
        let one_more = u64::from(target.left > rounds && rest != 0);
        target.left = target.left.min(rounds) + one_more;
        rest -= one_more;
    }
}
