//! A request, as blkback reads it out of an entry of the ring (`blkif_get_x86_64_req`).

use smallvec::SmallVec;
use xen_abi::blkif::{
    self, MAX_INDIRECT_PAGES, MAX_SEGMENTS, OP_DISCARD, OP_INDIRECT, SEGMENTS_PER_INDIRECT_PAGE,
    Segment,
};
use zerocopy::FromBytes;

/// Size of a request's entry in bytes.
pub const ENTRY: usize = size_of::<blkif::Request>();

/// A request of any kind.
#[derive(Clone, Debug)]
pub struct Request {
    /// The operation; of an indirect request, the inner one.
    pub operation: u8,
    /// Echoed in the response.
    pub id: u64,
    /// The disk, as the frontend numbers it.
    pub handle: u16,
    /// First sector, in units of 512 bytes.
    pub sector_number: u64,
    /// Pages of data. Of an indirect request there are none before its pages have been read.
    pub segments: SmallVec<[Segment; MAX_SEGMENTS]>,
    /// The kind, with what only that kind has.
    pub kind: Kind,
    /// Some field that is not used is not 0.
    pub padded: bool,
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All that [`Request`] has, and so many segments by its own account.
    Direct {
        /// `nr_segments`.
        count: usize,
    },
    /// The segments are elsewhere.
    Indirect {
        /// `nr_segments`.
        count: usize,
        /// Pages that hold the segments.
        grefs: [u32; MAX_INDIRECT_PAGES],
    },
    /// Sectors to give up.
    Discard {
        /// `flag`.
        flag: u8,
        /// `nr_sectors`.
        sectors: u64,
    },
}

impl Request {
    /// Reads an entry; of a direct request no more segments than there can be.
    pub fn parse(bytes: &[u8; ENTRY]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let half = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let mut request = Self {
            operation: bytes[0],
            id: word(8),
            handle: (half(0) >> 16) as u16,
            sector_number: word(16),
            segments: SmallVec::new(),
            kind: Kind::Direct { count: bytes[1].into() },
            padded: half(4) != 0,
        };
        match request.operation {
            OP_INDIRECT => {
                let grefs = std::array::from_fn(|n| half(28 + 4 * n));
                request.operation = bytes[1];
                request.handle = half(24) as u16;
                request.padded |= half(24) >> 16 != 0 || half(60) != 0;
                request.kind = Kind::Indirect { count: (half(0) >> 16) as usize, grefs };
            }
            OP_DISCARD => request.kind = Kind::Discard { flag: bytes[1], sectors: word(24) },
            _ => {
                let segments = (0..MAX_SEGMENTS.min(bytes[1].into())).map(|n| 24 + 8 * n);
                let segment = |at| Segment::read_from_bytes(&bytes[at..at + 8]).expect("8 bytes");
                request.segments.extend(segments.map(segment));
            }
        }
        request
    }

    /// Returns whether it moves data.
    pub fn has_data(&self) -> bool {
        matches!(self.operation, blkif::OP_READ | blkif::OP_WRITE)
    }

    /// Sectors of its data, or to be given up.
    pub fn sectors(&self) -> u64 {
        match self.kind {
            Kind::Discard { sectors, .. } => sectors,
            _ => self.segments.iter().map(sectors_of).sum(),
        }
    }
}

/// Sectors of a sane segment; 0 of any other.
fn sectors_of(segment: &Segment) -> u64 {
    (u64::from(segment.last_sect) + 1).saturating_sub(segment.first_sect.into())
}

/// The pages that so many segments take.
pub fn indirect_pages(count: usize) -> usize {
    count.div_ceil(SEGMENTS_PER_INDIRECT_PAGE)
}
