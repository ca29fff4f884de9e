//! Data of I/Os, in the pages of slots: filled before a write, checked after a read.

use alloc::vec::Vec;

use drivers::blkfront::{Held, QueuePair, Slot};
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::SECTOR_SIZE;

use super::covered;
use super::io_data::{IoData, Noise, parts};
use crate::verify::{Header, Known, Mismatch, Written, has_headroom};
use fio_job::{Buffers, Headers, Job, JobError, Method, Order, Region, VerifyPattern};

/// Returns whether a job's I/Os take long to make or check, apart from the disk's own time.
pub(super) fn takes_long(job: &Job) -> bool {
    job.verify.is_some() || job.rw.writes() && job.buffers != Buffers::Stamped
}

/// Fills all slots with noise, each with its own; [`fill`] does the rest for each write.
pub(super) fn fill_all(queue: &mut QueuePair<'_>, bytes: u32) {
    let bytes = bytes.min(queue.request_bytes_max());
    // Held, so that those without an entry of the ring come, too.
    let slots: Vec<Held> =
        core::iter::from_fn(|| queue.acquire().map(|slot| queue.hold(slot))).collect();
    for slot in slots {
        let mut noise = Noise(slot.as_ref().index() as u64);
        for offset in (0..bytes as usize).step_by(8) {
            queue.write_data(slot.as_ref(), offset, &noise.next_word());
        }
        queue.release_held(slot);
    }
}

/// Part of a block that one request moves.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Offset of the block, as of its [`Place`].
    pub(super) block_offset: u64,
    /// Bytes of the block before the part.
    pub(super) at: u32,
    /// Length in bytes.
    pub(super) bytes: u32,
}

/// Fills a slot for a write that nobody checks, or for a part of it, the run's write number
/// `number`.
#[inline]
pub(super) fn fill(
    buffers: &Buffers,
    queue: &mut QueuePair<'_>,
    slot: &Slot,
    part: Part,
    number: u64,
) {
    let Part { block_offset, at, bytes } = part;
    let offset = block_offset + u64::from(at);
    match buffers {
        // fio's `scramble_buffers`, which is on by default: no backend saves work on equal data.
        Buffers::Stamped => queue.stamp(slot, bytes, offset, number),
        Buffers::Pattern(pattern) => {
            fill_pattern(pattern, &mut IoData::of_slot(queue, slot), part);
        }
        Buffers::Refilled { zeros_percent } => {
            refill(*zeros_percent, queue, slot, offset ^ number.rotate_left(32), bytes);
        }
    }
}

/// Fills a slot with noise, of which a given percentage at the end of each sector is zeros (fio's
/// `buffer_compress_chunk` is 512 by default).
#[cold]
fn refill(zeros_percent: u8, queue: &mut QueuePair<'_>, slot: &Slot, seed: u64, bytes: u32) {
    let mut noise = Noise(seed);
    let mut sector = [0; SECTOR_SIZE as usize];
    let noise_bytes = sector.len() * usize::from(100 - zeros_percent) / 100;
    for start in (0..bytes as usize).step_by(sector.len()) {
        noise.fill(&mut sector[..noise_bytes]);
        queue.write_data(slot, start, &sector);
    }
}

/// Block of an I/O.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Number of the disk in the run.
    pub(super) disk: usize,
    /// Offset from the start of the disk, or of the job's file there, in bytes.
    pub(super) offset: u64,
}

/// Rules by which a job fills what it writes and checks what it reads (`verify=`).
#[derive(Debug)]
pub(super) struct Checks {
    method: Method,
    /// Whether writes may overlap others before them.
    overlaps: bool,
    /// Knowledge of the blocks that it wrote.
    known: Known,
    /// Number of its writes so far.
    writes: u64,
    /// Whether some blocks are read back between the writes.
    has_backlog: bool,
    /// Time at which the run began, in nanoseconds.
    run_ns: u64,
    /// Number of the job in its run, from 1.
    job: u16,
    /// Last writes, by disk; `None` for a disk that the job does not use or does not read back.
    written: Vec<Option<Written>>,
}

impl Checks {
    /// Returns the checks of `job`, number `number` of the run that begins at `run_ns` on `disks`
    /// disks, and perhaps `is_alone` with what it writes; `None` if it verifies nothing.
    pub(super) fn new(
        job: &Job,
        number: usize,
        is_alone: bool,
        run_ns: u64,
        disks: usize,
    ) -> Option<Self> {
        let known = match is_alone {
            true => Known::Write,
            // As in fio, copies of a job find each other's blocks right if they write them in the
            // same order.
            false if job.bs_mix.is_none() && !job.time_based => Known::Number,
            false => Known::Place,
        };
        let verify = job.verify.as_ref()?;
        Some(Self {
            method: verify.method.clone(),
            overlaps: overlaps(job),
            has_backlog: verify.backlog.is_some() && job.reads_back(),
            known,
            writes: 0,
            run_ns,
            job: (number as u16).wrapping_add(1),
            written: (0..disks).map(|_| None).collect(),
        })
    }

    /// Starts tracking the last write of each place of a region of `job`, in which there are at
    /// most `ios` I/Os, if the job needs it; leaves room for each of the `loops` of the stage.
    ///
    /// # Errors
    /// Fails if there is no memory for the table.
    pub(super) fn track(
        &mut self,
        job: &Job,
        disk: usize,
        region: Region,
        ios: u64,
        loops: usize,
    ) -> Result<(), JobError> {
        let reads_own = job.rw.writes() && job.rw.reads() || job.reads_back();
        if reads_own && self.needs_blocks_apart() {
            let table = Written::of(job, region, ios).filter(|_| has_headroom(loops));
            let no_memory = || JobError::NoMemory { job: job.name.clone() };
            self.written[disk] = Some(table.ok_or_else(no_memory)?);
        }
        Ok(())
    }

    /// Returns whether no I/O may go to a block that has one in flight: the expected data is known
    /// only for one at a time.
    pub(super) fn needs_blocks_apart(&self) -> bool {
        matches!(self.method, Method::Headers(_)) || self.has_backlog || self.overlaps
    }

    /// Returns whether a block of `bytes` at `place` must be read back now: where blocks are kept
    /// apart, each once, and none that a later write overlaps.
    pub(super) fn claim(&mut self, place: Place, bytes: u32) -> bool {
        match &mut self.written[place.disk] {
            Some(written) => written.claim(place.offset, bytes),
            None => true,
        }
    }

    /// Fills `data` for the job's next write, of `bytes` at `place`.
    pub(super) fn fill<S: AsRef<Slot>>(
        &mut self,
        mut data: IoData<'_, '_, S>,
        place: Place,
        bytes: u32,
    ) {
        let write = Written::name(self.writes);
        self.writes += 1;
        if let Some(written) = &mut self.written[place.disk] {
            written.set(place.offset, bytes, write);
        }
        match &self.method {
            Method::Pattern(pattern) => {
                let block = Part { block_offset: place.offset, at: 0, bytes };
                fill_pattern(pattern, &mut data, block);
            }
            Method::Headers(headers) => {
                for header in self.headers(headers, place.offset, bytes, write) {
                    covered::fill(headers, header, place.offset, &mut data);
                }
            }
            Method::Null => {}
        }
    }

    /// Makes the first `bytes` of a slot differ from the block at `place`, before that or a part of
    /// it is read there: the slot may hold it from an earlier I/O, and a backend that does nothing
    /// would pass. No sector of a block begins with this noise, except one in 2^64; and all of a
    /// sector is checked.
    pub(super) fn poison(&self, queue: &mut QueuePair<'_>, slot: &Slot, place: Place, bytes: u32) {
        queue.poison(slot, bytes, Noise(!(self.run_ns ^ place.offset)).next_word());
    }

    /// Checks the `bytes` of data read at `place`. In a job that writes, blocks that it has not
    /// written itself may hold anything, and so may what is not a block as it was written.
    pub(super) fn check<S: AsRef<Slot>>(
        &self,
        data: IoData<'_, '_, S>,
        place: Place,
        bytes: u32,
    ) -> Result<(), Mismatch> {
        let write = match &self.written[place.disk] {
            Some(written) => match written.get(place.offset, bytes) {
                None => return Ok(()),
                write => write,
            },
            None => None,
        };
        match &self.method {
            Method::Pattern(pattern) => check_pattern(pattern, &data, place.offset, bytes),
            Method::Headers(headers) => {
                let name = write.unwrap_or_default();
                let known = write.map_or(Known::Place, |_| self.known);
                self.headers(headers, place.offset, bytes, name).try_for_each(|header| {
                    covered::check(headers, header, known, place.offset, &data)
                })
            }
            Method::Null => Ok(()),
        }
    }

    /// Returns the headers of the block of `bytes` at `offset`.
    fn headers(
        &self,
        headers: &Headers,
        offset: u64,
        bytes: u32,
        write: u32,
    ) -> impl Iterator<Item = Header> + use<> {
        let (run_ns, job) = (self.run_ns, self.job);
        let Headers { checksum, interval_bytes, .. } = *headers;
        (0..bytes).step_by(interval_bytes as usize).map(move |start| Header {
            checksum,
            interval_bytes,
            offset_bytes: offset + u64::from(start),
            run_ns,
            job,
            write,
        })
    }
}

/// Returns whether writes of a job may begin within others before them.
fn overlaps(job: &Job) -> bool {
    job.bs_mix.is_some() || job.aligns.is_some() || matches!(job.order, Some(Order::Holes(_)))
}

/// Fills `data`, which begins with this part of a block, with the block's pattern.
fn fill_pattern<S: AsRef<Slot>>(pattern: &VerifyPattern, data: &mut IoData<'_, '_, S>, part: Part) {
    let mut page = [0; PAGE_SIZE];
    for range in parts(0..part.bytes as usize) {
        let bytes = &mut page[..range.len()];
        pattern.fill(part.block_offset, part.at as usize + range.start, bytes);
        data.write(range.start, bytes);
    }
}

/// Compares what was read with the pattern of the block at `offset`.
fn check_pattern<S: AsRef<Slot>>(
    pattern: &VerifyPattern,
    data: &IoData<'_, '_, S>,
    offset: u64,
    bytes: u32,
) -> Result<(), Mismatch> {
    let mut page = [0; PAGE_SIZE];
    parts(0..bytes as usize).try_for_each(|part| {
        let bytes = &mut page[..part.len()];
        data.read(part.start, bytes);
        pattern.check(offset, part.start, bytes).map_err(Mismatch::from)
    })
}
