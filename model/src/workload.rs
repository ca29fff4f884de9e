//! Random I/O that is checked against what the disk should hold.

use drivers::Vcpu;
use drivers::blkfront::{Broken, Completion, IoError, Operation, QueuePair, Slot};
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::SECTOR_SIZE;

use crate::guest::{Device, await_any};
use crate::hypervisor::ModelXen;

const SECTOR: usize = SECTOR_SIZE as usize;

/// Why a workload ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The device can't be used any more.
    Broken(Broken),
    /// No completion came.
    Stalled,
    /// A request failed.
    Io(Operation, IoError),
    /// A read brought something else than was written there.
    Corrupt {
        /// First sector that is wrong.
        sector: u64,
    },
}

/// A request in flight.
#[derive(Clone, Copy, Debug)]
struct Flight {
    operation: Operation,
    sector: u64,
    bytes: u32,
}

/// Random I/O on one disk.
pub struct Workload {
    rng: fastrand::Rng,
    /// Data that the disk should hold.
    pub shadow: Vec<u8>,
    /// Requests in flight, by queue and slot.
    flights: Vec<Vec<Option<Flight>>>,
    /// Requests that ended well.
    pub done: u64,
    writes: u32,
    /// Largest request in bytes.
    max_bytes: u32,
    /// Smallest unit in bytes.
    unit: u32,
}

impl Workload {
    /// Makes a workload for a disk that holds `content`, with requests of `unit` to `max_bytes`
    /// bytes; of 16 requests, some `writes` are writes.
    pub fn new(seed: u64, content: Vec<u8>, unit: u32, max_bytes: u32, writes: u32) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            shadow: content,
            flights: Vec::new(),
            done: 0,
            writes,
            max_bytes,
            unit,
        }
    }

    /// Does `count` requests, at most `depth` at once, on all queues of the device.
    ///
    /// # Errors
    /// [`Failure`], at the first thing that goes wrong.
    pub fn run(
        &mut self,
        xen: &ModelXen,
        device: &mut Device<'_>,
        count: u64,
        depth: usize,
    ) -> Result<(), Failure> {
        let until = self.done + count;
        let mut started = self.done;
        self.flights = device.queues.iter().map(|queue| vec![None; queue.slots()]).collect();
        while self.done < until {
            for _ in 0..self.rng.usize(1..=depth) {
                let in_flight = self.flights.iter().flatten().flatten().count();
                if in_flight < depth && started < until && self.start(device) {
                    started += 1;
                }
            }
            device
                .queues
                .iter_mut()
                .try_for_each(|queue| queue.kick(xen))
                .map_err(Failure::Broken)?;
            let first = await_any(xen, device).map_err(Failure::Broken)?;
            let (queue, completion) = first.ok_or(Failure::Stalled)?;
            self.end(device, queue, completion)?;
            for queue in 0..device.queues.len() {
                while let Some(completion) = device.queues[queue].poll().map_err(Failure::Broken)? {
                    self.end(device, queue, completion)?;
                }
            }
            if self.rng.u32(0..8) == 0 {
                // The guest thinks for a while.
                xen.now_ns();
            }
        }
        Ok(())
    }

    /// Starts a request; not if it would overlap one in flight, or no slot is free.
    fn start(&mut self, device: &mut Device<'_>) -> bool {
        let discard = device.info().discard;
        let operation = match self.rng.u32(0..64) {
            0 if device.info().flush.is_some() => Operation::Flush,
            1 if self.writes != 0 && discard.is_some() => Operation::Discard,
            2 if self.writes != 0 && discard.is_some_and(|discard| discard.secure) => {
                Operation::SecureDiscard
            }
            n if n % 16 < self.writes => Operation::Write,
            _ => Operation::Read,
        };
        let units = self.shadow.len() / self.unit as usize;
        let most = (self.max_bytes / self.unit).min(units as u32);
        let bytes = match operation {
            Operation::Flush => 0,
            _ => self.unit * self.rng.u32(1..=most),
        };
        let last = units - (bytes / self.unit) as usize;
        let sector = (self.rng.usize(0..=last) * (self.unit / SECTOR_SIZE) as usize) as u64;
        let flight = Flight { operation, sector, bytes };
        let end = |flight: &Flight| flight.sector + u64::from(flight.bytes / SECTOR_SIZE);
        let overlaps = |other: &Flight| other.sector < end(&flight) && sector < end(other);
        if self.flights.iter().flatten().flatten().any(overlaps) {
            return false;
        }
        let queue = self.rng.usize(0..device.queues.len());
        let Some(slot) = device.queues[queue].acquire() else {
            return false;
        };
        if operation == Operation::Write {
            let start = sector as usize * SECTOR;
            let target = &mut self.shadow[start..start + bytes as usize];
            for (page, chunk) in target.chunks_mut(PAGE_SIZE).enumerate() {
                self.rng.fill(chunk);
                device.queues[queue].write_data(&slot, page * PAGE_SIZE, chunk);
            }
        }
        self.flights[queue][slot.index()] = Some(flight);
        device.queues[queue].submit(slot, operation, sector, bytes);
        true
    }

    /// Checks a completion.
    fn end(
        &mut self,
        device: &mut Device<'_>,
        queue: usize,
        completion: Completion,
    ) -> Result<(), Failure> {
        let Completion { slot, result } = completion;
        let flight = self.flights[queue][slot.index()].take();
        let flight = flight.expect("the queue completes only what was submitted");
        let failed = result.map_err(|error| Failure::Io(flight.operation, error));
        let wrong = match flight.operation {
            Operation::Read if failed.is_ok() => {
                self.mismatch(&device.queues[queue], &slot, &flight)
            }
            Operation::Discard | Operation::SecureDiscard if failed.is_ok() => {
                // The model's backend leaves zeroes.
                let start = flight.sector as usize * SECTOR;
                self.shadow[start..start + flight.bytes as usize].fill(0);
                None
            }
            _ => None,
        };
        device.queues[queue].release(slot);
        failed?;
        if let Some(sector) = wrong {
            return Err(Failure::Corrupt { sector });
        }
        self.done += 1;
        Ok(())
    }

    /// The first sector of a read that is not as it should be.
    fn mismatch(&self, queue: &QueuePair<'_>, slot: &Slot, flight: &Flight) -> Option<u64> {
        let mut got = [0; SECTOR];
        (0..flight.bytes as usize / SECTOR).find_map(|index| {
            queue.read_data(slot, index * SECTOR, &mut got);
            let sector = flight.sector + index as u64;
            let start = sector as usize * SECTOR;
            (got != self.shadow[start..start + SECTOR]).then_some(sector)
        })
    }
}
