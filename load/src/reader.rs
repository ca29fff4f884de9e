//! Queue pair as the blocks of a volume, through which a file system reads.
//!
//! Reading is set-up work, never measured: a read is cut into requests, issued together, and the
//! caller waits until all of them are done.

use alloc::vec::Vec;
use core::fmt;

use drivers::Vcpu;
use drivers::blkfront::{Broken, DiskInfo, IoError, Operation, QueuePair};
use drivers::patience::Patience;
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::SECTOR_SIZE;

use crate::engine::REQUEST_TIMEOUT_NS;

/// Reason why a read failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The backend failed a request that begins at this byte.
    Io(u64, IoError),
    /// The backend broke the protocol.
    Broken(Broken),
    /// The backend has this many requests in flight and completed none for [`REQUEST_TIMEOUT_NS`].
    Stuck(u32),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(offset, error) => write!(f, "read at byte {offset}: {error}"),
            Self::Broken(broken) => broken.fmt(f),
            Self::Stuck(outstanding) => write!(
                f,
                "backend completed none of {outstanding} requests for {} s",
                REQUEST_TIMEOUT_NS / 1_000_000_000
            ),
        }
    }
}

impl core::error::Error for ReadError {}

/// Reader of a disk through its queue pair, which has nothing else to do meanwhile.
#[derive(Debug)]
pub struct BlockReader<'q, 'a, V> {
    vcpu: &'q V,
    queue: &'q mut QueuePair<'a>,
    size_bytes: u64,
    /// Sector length; reads start and end at multiples of it.
    sector_bytes: u64,
    /// Most bytes that one request moves: a multiple of the sector.
    request_bytes: u64,
    /// Pieces in flight, by slot.
    pieces: Vec<Piece>,
}

/// Part of a read, in one request.
#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    /// Offset of its first wanted byte in the caller's buffer.
    to: usize,
    /// Number of wanted bytes.
    len: usize,
    /// Bytes of the request before the first wanted one.
    skip: usize,
}

impl<'q, 'a, V: Vcpu> BlockReader<'q, 'a, V> {
    /// Returns a reader of a connected disk.
    pub fn new(vcpu: &'q V, queue: &'q mut QueuePair<'a>, info: &DiskInfo) -> Self {
        let sector_bytes = u64::from(info.logical_sector_bytes);
        let request_bytes = u64::from(queue.request_bytes_max());
        Self {
            vcpu,
            size_bytes: info.bytes() / sector_bytes * sector_bytes,
            sector_bytes,
            request_bytes: request_bytes / sector_bytes * sector_bytes,
            pieces: alloc::vec![Piece::default(); queue.slots()],
            queue,
        }
    }

    /// Issues the request for the next piece of `left` wanted bytes that go to `to` on, if a slot
    /// is free; returns how many of them it reads.
    fn put(&mut self, offset: u64, to: usize, left: usize) -> usize {
        let Some(slot) = self.queue.acquire() else { return 0 };
        let start = offset / self.sector_bytes * self.sector_bytes;
        let skip = (offset - start) as usize;
        let end = (offset + left as u64).next_multiple_of(self.sector_bytes);
        let bytes = (end - start).min(self.request_bytes);
        let len = left.min(bytes as usize - skip);
        self.pieces[slot.index()] = Piece { to, len, skip };
        let sector = start / u64::from(SECTOR_SIZE);
        self.queue.submit(slot, Operation::Read, sector, bytes as u32);
        len
    }

    /// Takes the completed requests; returns whether there were any.
    fn take(&mut self, offset: u64, buffer: &mut [u8]) -> Result<bool, ReadError> {
        let mut any = false;
        let mut failed = None;
        while let Some(completion) = self.queue.poll().map_err(ReadError::Broken)? {
            any = true;
            let Piece { to, len, skip } = self.pieces[completion.slot.index()];
            match completion.result {
                Ok(()) => {
                    // The slot's pages are not contiguous.
                    let (mut from, mut rest) = (skip, &mut buffer[to..to + len]);
                    while !rest.is_empty() {
                        let here = rest.len().min(PAGE_SIZE - from % PAGE_SIZE);
                        let (page, others) = rest.split_at_mut(here);
                        self.queue.read_data(&completion.slot, from, page);
                        (from, rest) = (from + here, others);
                    }
                }
                Err(error) => failed = Some(ReadError::Io(offset + to as u64, error)),
            }
            self.queue.release(completion.slot);
        }
        failed.map_or(Ok(any), Err)
    }

    /// Returns the time that the backend has for the next completion.
    fn patience(&self) -> Patience {
        Patience::new(self.vcpu.now_ns(), REQUEST_TIMEOUT_NS)
    }

    /// Waits until something completes, after a poll that found nothing.
    fn wait(&mut self, patience: &Patience) -> Result<(), ReadError> {
        if patience.is_over() {
            return Err(ReadError::Stuck(self.queue.outstanding()));
        }
        self.vcpu.prepare_wait();
        if let Some(until_ns) = self.queue.arm(self.vcpu) {
            self.vcpu.wait(patience.look_again_ns().min(until_ns));
        }
        Ok(())
    }

    /// Lets requests in flight end, after a failure.
    fn drain(&mut self, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut patience = self.patience();
        while self.queue.outstanding() != 0 {
            patience.count(self.vcpu.now_ns());
            match self.take(0, buffer) {
                Ok(false) => self.wait(&patience)?,
                Ok(true) | Err(ReadError::Io(..)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn fill(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut put = 0;
        let mut patience = self.patience();
        while put < buffer.len() || self.queue.outstanding() != 0 {
            while put < buffer.len() {
                match self.put(offset + put as u64, put, buffer.len() - put) {
                    0 => break,
                    len => put += len,
                }
            }
            self.queue.kick(self.vcpu).map_err(ReadError::Broken)?;
            patience.count(self.vcpu.now_ns());
            if self.take(offset, buffer)? {
                patience = self.patience();
            } else {
                self.wait(&patience)?;
            }
        }
        Ok(())
    }
}

impl<V: Vcpu> fs::ReadBlocks for BlockReader<'_, '_, V> {
    type Error = ReadError;

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.fill(offset_bytes, buffer).inspect_err(|error| {
            if let ReadError::Io(..) = error {
                // Its result adds nothing to the error already reported.
                let _ = self.drain(buffer);
            }
        })
    }
}
