//! Connected disk, as jobs see it.

use alloc::string::String;
use alloc::vec::Vec;

use drivers::blkfront::{DiskInfo, QueuePair};
use fio_job::{Job, JobError};
use results::Counters;

use super::in_flight::requests;
use super::outcome::RunError;
use crate::file_map::FileMap;
use crate::wait::Work;

/// Connected disk that jobs may name.
#[derive(Debug)]
pub struct Disk<'a> {
    /// Name, as in `filename=`.
    pub name: String,
    /// Properties that the backend published.
    pub info: DiskInfo,
    /// Queue pairs, with nothing in flight, each with slots for at least one whole I/O.
    pub queues: Vec<QueuePair<'a>>,
    /// Files on it that jobs name.
    pub files: Vec<FileMap>,
}

impl Disk<'_> {
    /// Checks that the disk takes the operations of a job.
    ///
    /// # Errors
    /// [`RunError`] that names the job, the disk and what it does not take.
    pub(super) fn check(&self, job: &Job) -> Result<(), RunError> {
        let wrong =
            |error: fn(String, String) -> RunError| Err(error(job.name.clone(), self.name.clone()));
        if job.rw.changes() && self.info.read_only {
            return wrong(|job, disk| RunError::ReadOnly { job, disk });
        }
        if job.pace.flushes() && self.info.flush.is_none() {
            return wrong(|job, disk| RunError::NoFlush { job, disk });
        }
        if job.rw.trims() && self.info.discard.is_none() {
            return wrong(|job, disk| RunError::NoDiscard { job, disk });
        }
        let is_secure = self.info.discard.is_some_and(|discard| discard.secure);
        if job.rw.trims() && job.secure_discard && !is_secure {
            return wrong(|job, disk| RunError::NoSecureDiscard { job, disk });
        }
        Ok(())
    }

    /// Returns the number of the queue with the fewest requests in flight among those with a free
    /// slot.
    pub(super) fn queue_with_room(&self) -> Option<usize> {
        let queues = self.queues.iter().enumerate().filter(|(_, queue)| queue.has_free_slot());
        queues.min_by_key(|(_, queue)| queue.outstanding()).map(|(number, _)| number)
    }

    /// Returns the most bytes that one request moves: no limit on a broken device, which puts none.
    pub(super) fn request_bytes(&self) -> u32 {
        let limits = self.queues.iter().map(QueuePair::request_bytes_max);
        limits.min().filter(|&bytes| bytes != 0).unwrap_or(u32::MAX)
    }

    /// Returns how many requests can be in flight at once, over all queues.
    pub(super) fn depth(&self) -> usize {
        self.queues.iter().map(QueuePair::depth).sum()
    }

    /// Returns the file on this disk that a job names, if it names one.
    pub(super) fn file(&self, job: &Job) -> Result<Option<&FileMap>, JobError> {
        let Some(path) = &job.file else { return Ok(None) };
        let file = self.files.iter().find(|file| file.path == *path);
        file.map(Some).ok_or_else(|| JobError::NoFile(path.clone()))
    }

    /// Returns what the backends of these disks have completed, and have yet to.
    pub(super) fn work(disks: &[Self]) -> Work {
        let mut work = Work::default();
        for queue in disks.iter().flat_map(|disk| &disk.queues) {
            let in_flight = u64::from(queue.outstanding());
            work.completed += requests(&queue.counters()) - in_flight;
            work.in_flight += in_flight;
        }
        work
    }

    /// Returns the counters of its queues since connect, in the form that results use.
    pub(super) fn counters(&self) -> Counters {
        let counted = self.queues.iter().map(QueuePair::counters).map(|counters| Counters {
            requests: requests(&counters),
            notifications: counters.notifications,
            events: counters.events,
            grants_made: counters.grants,
            copies_made: counters.copies,
            sleeps: 0,
        });
        counted.fold(Counters::default(), |sum, one| sum + one)
    }
}
