//! Limits of a job's options, of which those of the block protocol are what our frontend can do.

use xen_abi::PAGE_SIZE;

use crate::number::NS_PER_SECOND;

/// The most queues of a disk.
pub const QUEUES_MAX: u32 = 32;
/// The most I/Os in flight: the entries of the largest block ring. Whether a disk's backend has
/// one is known when it is connected.
pub const IODEPTH_MAX: u32 = 512;
/// The largest block: one request, as large as the driver makes them. Whether a disk's backend
/// takes so much is known once it is connected.
pub const BS_BYTES_MAX: u32 = 256 * PAGE_SIZE as u32;
/// Every sector of the block protocol, and so every block's least unit (blkif.h).
pub const SECTOR_BYTES: u32 = 512;
/// The longest `runtime=`: 30 days.
pub const RUNTIME_NS_MAX: u64 = 30 * 24 * 60 * 60 * NS_PER_SECOND;
/// The most jobs in a job file or a command line, and the greatest `numjobs=`.
pub const NUMJOBS_MAX: usize = 512;
/// The seed of a job that names none. Constant, so that runs repeat (fio's `randrepeat=1`).
pub const RANDSEED: u64 = u64::from_be_bytes(*b"ringmark");

/// The most samples of a log, for each direction of a job: a guest's memory is small.
pub const LOG_SAMPLES_MAX: u64 = 8192;
