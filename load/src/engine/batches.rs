//! fio's loop of a job with batch options, told which I/Os are put and have ended: when the loop
//! shows what it has put, when it waits and for how many, and how it counts (fio 3.33: backend.c,
//! ioengines.c, engines/libaio.c).
//!
//! The loop takes completions in batches, though they were found on the ring one by one before. An
//! I/O that it has not taken still counts for its iodepth.

use fio_job::Batch;
use results::Classes;

/// Progress of a job in fio's loop.
#[derive(Debug)]
pub(super) struct Batches {
    options: Batch,
    iodepth: u32,
    /// I/Os put whose class of iodepth is not counted yet.
    unclassed: u32,
    /// I/Os put that the backends are not shown yet.
    unshown: u32,
    /// I/Os that have ended, and which the loop has not taken.
    ended: u32,
    wait: Option<Wait>,
}

/// Wait of the loop, in which it puts nothing.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// Fewest completions to take at a time.
    least: u32,
    /// Number of I/Os left at which it is over.
    until: u32,
}

/// Reason why a job's next I/O is not put now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// End of the job: no I/O is left, or its time is over.
    End,
    /// Iodepth of the job, or the wait of its batches.
    Depth,
    /// Rate of the job, by which it is not due yet.
    Rate,
    /// Pause that has not ended, or the time before the job's start.
    Pause,
    /// Block of the I/O, which has one in flight.
    Block,
    /// Room for it, which its disk does not have.
    Room,
    /// Search for it, which goes on in the next pass.
    Search,
}

impl Batches {
    /// Returns the state of a job that has put nothing.
    pub(super) fn new(options: Batch, iodepth: u32) -> Self {
        Self { options, iodepth, unclassed: 0, unshown: 0, ended: 0, wait: None }
    }

    /// Returns the number of I/Os that have ended and still count for the iodepth.
    pub(super) fn ended(&self) -> u32 {
        self.ended
    }

    /// Takes completions as the loop's wait says, if it waits: `ended` more have come, and
    /// `in_flight` are left. Returns whether it waits no more.
    pub(super) fn take(&mut self, ended: u32, in_flight: u32, classes: &mut Classes) -> bool {
        self.ended += ended;
        while let Some(Wait { least, until }) = self.wait {
            let depth = in_flight + self.ended;
            let least = least.min(depth);
            if self.ended < least {
                return false;
            }
            let taken = self.ended.min(self.options.complete_max.max(least));
            self.ended -= taken;
            classes.completed(taken);
            if depth - taken <= until {
                self.wait = None;
            }
        }
        true
    }

    /// Notes an I/O that was put, the last of `in_flight`; returns whether to show now all that was
    /// put.
    pub(super) fn put(&mut self, in_flight: u32, classes: &mut Classes) -> bool {
        let depth = in_flight + self.ended;
        self.unclassed += 1;
        self.unshown += 1;
        let is_whole = self.unclassed >= self.options.submit;
        if is_whole {
            self.count_depth(depth, classes);
        }
        let Batch { complete_min, complete_max, low, .. } = self.options;
        let is_full = depth >= self.iodepth;
        if is_full || complete_min.max(complete_max) == 0 {
            // Unless it is full, it takes completions once.
            let until = if is_full { low } else { depth };
            self.wait = Some(Wait { least: complete_min.max(1), until });
        }
        let shows = is_whole || self.wait.is_some();
        if shows {
            self.show(classes);
        }
        shows
    }

    /// Notes why no I/O is put, and that what was put is shown; returns whether the loop waits for
    /// completions then.
    pub(super) fn hold(&mut self, hold: Hold, in_flight: u32, classes: &mut Classes) -> bool {
        self.show(classes);
        let depth = in_flight + self.ended;
        let wait = match hold {
            Hold::Depth | Hold::Room | Hold::Search => return false,
            Hold::End => Wait { least: depth, until: 0 },
            Hold::Rate | Hold::Pause => {
                // The I/O that its rate holds back is in hand already.
                self.count_depth(depth + u32::from(hold == Hold::Rate), classes);
                Wait { least: 1, until: 0 }
            }
            Hold::Block => {
                self.count_depth(depth, classes);
                Wait { least: self.options.complete_min.max(1), until: self.options.low }
            }
        };
        self.wait = (depth != 0).then_some(wait);
        self.wait.is_some()
    }

    /// Counts what is shown to the backends now.
    fn show(&mut self, classes: &mut Classes) {
        if self.unshown != 0 {
            classes.submitted(self.unshown);
        }
        self.unshown = 0;
    }

    /// Counts the class of iodepth of all I/Os for which that is due, once nothing more is put.
    pub(super) fn finish(&self, classes: &mut Classes) {
        classes.put_unclassed(self.unclassed);
    }

    fn count_depth(&mut self, depth: u32, classes: &mut Classes) {
        classes.put(depth, self.unclassed);
        self.unclassed = 0;
    }
}
