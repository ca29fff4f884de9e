//! Limits of a job's options; for the block protocol, those of the frontend.

use xen_abi::PAGE_SIZE;

use crate::number::NS_PER_SECOND;

/// Most completions on a queue after which an event is asked for: entries of the largest ring.
pub const EVENT_AFTER_MAX: u32 = 512;
/// Most queues of a disk.
pub const QUEUES_MAX: u32 = 32;
/// Most segments of a request, which are pages.
pub const SEGMENTS_MAX: u32 = 4096;
/// Most I/Os in flight. Those for which a disk's ring has no room wait for it.
pub const IODEPTH_MAX: u32 = 65_536;
/// Most data of one I/O that is in memory at once, in bytes: one request of the driver's largest
/// size. Where a disk's backend accepts less, it takes several requests. Of a larger block the
/// parts follow one another, if they are not checked together.
pub const BS_BYTES_MAX: u32 = SEGMENTS_MAX * PAGE_SIZE as u32;
/// Largest block in bytes.
pub const BLOCK_BYTES_MAX: u32 = u32::MAX - (SECTOR_BYTES - 1);
/// Sector of the block protocol in bytes, and so the smallest unit of a block (blkif.h).
pub const SECTOR_BYTES: u32 = 512;
/// Longest `runtime=`: 30 days.
pub const RUNTIME_NS_MAX: u64 = 30 * 24 * 60 * 60 * NS_PER_SECOND;
/// Longest `ringmark_poll_us=`: a second.
pub const POLL_US_MAX: u32 = 1_000_000;
/// Most jobs in a job file or a command line, and the greatest `numjobs=`.
pub const NUMJOBS_MAX: usize = 512;
/// Seed of a job that gives none. Constant, so that runs repeat (fio's `randrepeat=1`).
pub const RANDSEED: u64 = u64::from_be_bytes(*b"ringmark");

/// Most samples of a log, for each direction of a job: a guest's memory is small.
pub const LOG_SAMPLES_MAX: u64 = 8192;
