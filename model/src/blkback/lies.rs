//! A backend that lies: one named injector for each way to break the block protocol.
//!
//! Names in brackets are the fault classes of the test registry (`tests/faults`).

use drivers::ring::ENTRIES;
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::{
    OP_FLUSH_DISKCACHE, OP_READ, OP_WRITE, OP_WRITE_BARRIER, RSP_OKAY, SECTOR_SIZE,
};

use super::cache::Mapped;
use super::io::{Job, Link, Medium};
use super::request::Request;
use super::ring::{RawResponse, response};
use crate::xen::Xen;

/// Wrong behaviour of a backend, in place of what it should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Answers for a slot that does not exist (B1).
    NoSuchSlot,
    /// Answers for a slot that is free (B2).
    FreeSlot,
    /// Answers on another queue, if there is one (B2).
    OtherQueue,
    /// Answers a request twice (B3).
    Twice,
    /// Answers with the id that the slot had one request earlier (B3).
    StaleId,
    /// Answers with this bit of the id flipped, one above the slot's 16 (B4).
    HighBit(u32),
    /// Answers another operation (B5).
    Operation(u8),
    /// Answers with this status and does nothing (B6, B7).
    Status(i16),
    /// Answers flushes and barriers alone as [`Status`](Self::Status) does (B7, B8).
    FlushStatus(i16),
    /// Claims so many more responses than it gave, modulo 2^32 (B9, B10, B11).
    ProdAhead(u32),
    /// Changes `rsp_prod` again and again (B12).
    RestlessProd,
    /// A response of random bytes (B13).
    Noise,
    /// Overwrites the frontend's indices, and entries that are nobody's now (B15).
    Scribble,
    /// Answers, and again when nothing is asked (B18).
    Unasked,
    /// Answers first and moves the data later (B19).
    Early,
    /// Takes a request and never answers it (B20).
    Silent,
    /// Answers success without doing anything (B22).
    Lost,
    /// Does it eight sectors away (B22).
    Misdirected,
    /// Changes one bit of the data (B23).
    BitFlip,
    /// Changes the last sector (B23).
    LastSector,
    /// Moves only the first page (B24).
    Partial,
    /// Fills the padding of the response (B25).
    Padding,
    /// Keeps the request's pages mapped (G5).
    KeepMapped,
    /// Writes to the pages of a write (G8).
    SpoilWrite,
    /// Keeps what lies in a write's pages beyond its data, for [`super::Blkback::loot`] (G10).
    Snoop,
    /// Keeps what lies in any page that it has mapped and is no data of a request that it got,
    /// zeros aside (G10).
    Spy,
}

/// A lie, how often to tell it, and how often it was told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mischief {
    lie: Option<Lie>,
    /// Lies in 16 responses.
    chance: u32,
    /// Lies told so far.
    pub told: u64,
}

impl Mischief {
    /// Nothing but the truth.
    pub fn none() -> Self {
        Self::default()
    }

    /// One kind of lie, in `chance` of 16 responses.
    pub fn of(lie: Lie, chance: u32) -> Self {
        Self { lie: Some(lie), chance, told: 0 }
    }

    /// Returns the lie to tell now, if this is a time to lie.
    pub(super) fn choose(&mut self, xen: &mut Xen, job: &Job) -> Option<Lie> {
        let lie = self.lie.filter(|lie| !job.answered && lie.fits(&job.request))?;
        (xen.rng.u32(0..16) < self.chance).then(|| {
            self.told += 1;
            lie
        })
    }
}

impl Lie {
    /// The class of faults that it belongs to.
    pub fn class(self) -> &'static str {
        match self {
            Self::NoSuchSlot => "B1",
            Self::FreeSlot | Self::OtherQueue => "B2",
            Self::Twice | Self::StaleId => "B3",
            Self::HighBit(_) => "B4",
            Self::Operation(_) => "B5",
            Self::Status(-2) | Self::FlushStatus(-2) => "B7",
            Self::Status(_) => "B6",
            Self::FlushStatus(_) => "B8",
            Self::ProdAhead(by) => match by {
                0x8000_0001.. => "B11",
                ENTRIES.. => "B9",
                _ => "B10",
            },
            Self::RestlessProd => "B12",
            Self::Noise => "B13",
            Self::Scribble => "B15",
            Self::Unasked => "B18",
            Self::Early => "B19",
            Self::Silent => "B20",
            Self::Lost | Self::Misdirected => "B22",
            Self::BitFlip | Self::LastSector => "B23",
            Self::Partial => "B24",
            Self::Padding => "B25",
            Self::KeepMapped => "G5",
            Self::SpoilWrite => "G8",
            Self::Snoop | Self::Spy => "G10",
        }
    }

    /// Returns whether the lie makes a difference to this request.
    fn fits(self, request: &Request) -> bool {
        let operation = request.operation;
        match self {
            Self::Partial => request.segments.len() > 1,
            Self::FlushStatus(_) => matches!(operation, OP_FLUSH_DISKCACHE | OP_WRITE_BARRIER),
            Self::SpoilWrite | Self::Snoop => operation == OP_WRITE,
            Self::Operation(lie) => lie != operation,
            Self::Lost
            | Self::Misdirected
            | Self::BitFlip
            | Self::LastSector
            | Self::Early
            | Self::KeepMapped => request.has_data(),
            _ => true,
        }
    }

    /// Ends a job of link `number` with a lie.
    pub(super) fn tell(
        self,
        links: &mut [Link],
        number: usize,
        xen: &mut Xen,
        medium: &mut Medium<'_>,
        mut job: Job,
    ) {
        let request = job.request.clone();
        if self == Self::OtherQueue {
            links[number].finish(xen, medium, &mut job);
            let other = (number + 1) % links.len();
            return links[other].answer(xen, medium, &response(&request, job.status));
        }
        let link = &mut links[number];
        match self {
            Self::Silent => return link.stuck.push(job),
            Self::Early => {
                link.answer(xen, medium, &response(&request, job.status));
                return link.finish_later(xen, job);
            }
            _ => self.move_data(link, xen, medium, &mut job),
        }
        let raw = self.response(link, xen, &job);
        link.answer(xen, medium, &raw);
        match self {
            Self::Twice => link.answer(xen, medium, &response(&request, job.status)),
            Self::Unasked if link.jobs.is_empty() => {
                link.answer(xen, medium, &response(&request, job.status));
            }
            Self::ProdAhead(by) => {
                link.ring.forge_rsp_prod(link.ring.rsp_prod_pvt.wrapping_add(by))
            }
            Self::RestlessProd => link.ring.forge_rsp_prod(xen.rng.u32(..)),
            Self::Scribble => {
                link.ring.scribble(xen.rng.u32(..));
                // It took the frontend's wish for an event away with the rest.
                xen.notify(link.port);
            }
            _ => {}
        }
    }

    /// The response that this lie gives.
    fn response(self, link: &mut Link, xen: &mut Xen, job: &Job) -> RawResponse {
        let request = &job.request;
        let mut raw = response(request, job.status);
        let mut id = request.id;
        match self {
            Self::NoSuchSlot => id |= 0x8000,
            Self::FreeSlot => {
                // A slot whose request has not been taken yet is not free.
                let other = if link.ring.waiting() == Some(0) { 0 } else { 1 << 63 };
                id = (id ^ other) & !0xffff | u64::from(link.free_slot());
            }
            Self::StaleId => id = link.ids_of(id)[0],
            Self::HighBit(bit) => id ^= 1 << bit,
            Self::Operation(operation) => raw[8] = operation,
            Self::Status(status) | Self::FlushStatus(status) => return response(request, status),
            Self::Padding => {
                raw[9] = 0xff;
                raw[12..].fill(0xff);
            }
            Self::Noise => {
                xen.rng.fill(&mut raw);
                return raw;
            }
            _ => {}
        }
        raw[..8].copy_from_slice(&id.to_le_bytes());
        raw
    }

    /// Moves a job's data in the way of this lie.
    fn move_data(self, link: &mut Link, xen: &mut Xen, medium: &mut Medium<'_>, job: &mut Job) {
        match self {
            Self::Lost | Self::Status(_) | Self::FlushStatus(_) => {
                return link.release(xen, job, 0);
            }
            Self::BitFlip | Self::LastSector if job.status == RSP_OKAY => {
                self.spoil(xen, medium, job);
                return link.release(xen, job, 0);
            }
            Self::Partial => link.release(xen, job, 1),
            Self::Misdirected => {
                let room = job.range().end + 8 * SECTOR_SIZE as usize <= medium.data.len();
                let sector = &mut job.request.sector_number;
                *sector = match sector.checked_sub(8) {
                    Some(before) => before,
                    None => *sector + if room { 8 } else { 0 },
                };
            }
            Self::Snoop => medium.snoop(xen, job),
            Self::Spy => link.spy(xen, medium, job),
            _ => {}
        }
        medium.transfer(xen, job);
        match self {
            Self::KeepMapped => link.hoard.extend(job.pages.iter_mut().filter_map(Option::take)),
            Self::SpoilWrite => {
                for page in job.pages.iter().flatten() {
                    if let Mapped::Kept { gfn, .. } = page {
                        xen.memory.write(*gfn, 0, &[0xee; PAGE_SIZE]);
                    }
                }
            }
            _ => {}
        }
        link.release(xen, job, 0);
    }

    /// Moves a job's data, with an error on the side that gets it.
    fn spoil(self, xen: &mut Xen, medium: &mut Medium<'_>, job: &Job) {
        let range = job.range();
        let last = range.end - SECTOR_SIZE as usize..range.end;
        let at = xen.rng.usize(range.clone());
        let spoil = |data: &mut [u8]| match self {
            Self::LastSector => data[last.clone()].fill(0),
            _ => data[at] ^= 0x10,
        };
        if job.request.operation == OP_READ {
            let honest = medium.data[range.clone()].to_vec();
            spoil(medium.data);
            medium.transfer(xen, job);
            medium.data[range].copy_from_slice(&honest);
        } else {
            medium.transfer(xen, job);
            spoil(medium.data);
        }
    }
}
