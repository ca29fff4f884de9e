//! Data that a header of `verify=` covers: filled and checked, with the header in front of it or
//! moved into it (`verify_offset=`).

use core::ops::Range;

use drivers::blkfront::Slot;
use fio_job::{Checksum, Difference, HEADER_BYTES, Headers};
use xen_abi::PAGE_SIZE;

use super::io_data::{IoData, Noise, parts};
use crate::verify::{Field, Header, Known, Mismatch, Sum};

/// Longest header with a value, in bytes.
const HEAD_BYTES_MAX: usize = HEADER_BYTES + 128;

/// Place of a header in the data of an I/O, and of what it covers.
struct Layout {
    /// Header and value.
    head: Range<usize>,
    /// Pieces of what it covers, in the order in which it is covered.
    pieces: [Piece; 3],
}

/// Piece of what a header covers.
struct Piece {
    /// Bytes from the block's start to where it would stand if the header were not moved.
    at: usize,
    place: Range<usize>,
}

/// Returns where things are in the interval whose header would stand at byte `start` of the block.
fn layout(headers: &Headers, start: usize) -> Layout {
    let head_bytes = headers.checksum.header_bytes();
    let end = start + headers.interval_bytes as usize;
    let head = start + headers.offset_bytes as usize;
    let piece = |at: usize, place: Range<usize>| Piece { at, place };
    let behind = start + head_bytes;
    let pieces = if head == start {
        [piece(behind, behind..end), piece(end, end..end), piece(end, end..end)]
    } else {
        // What stood where the header is now takes its place in front.
        let after = head + head_bytes;
        [piece(behind, behind..head), piece(head, start..behind), piece(after, after..end)]
    };
    Layout { head: head..head + head_bytes, pieces }
}

impl Layout {
    /// Calls `each` with what is covered, page by page: where it would stand in the block, and
    /// where it is.
    fn for_each(
        &self,
        mut each: impl FnMut(usize, Range<usize>) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        for Piece { at, place } in &self.pieces {
            for part in parts(place.clone()) {
                each(at + (part.start - place.start), part)?;
            }
        }
        Ok(())
    }
}

/// Returns noise that no other write has.
fn noise(header: &Header) -> Noise {
    let job = u64::from(header.job).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Noise(job ^ header.run_ns ^ header.offset_bytes ^ u64::from(header.write) << 32)
}

/// Writes a header into the data of a block, and around it the data that it covers.
pub(super) fn fill<S: AsRef<Slot>>(
    headers: &Headers,
    header: Header,
    block_offset: u64,
    data: &mut IoData<'_, '_, S>,
) {
    let layout = layout(headers, (header.offset_bytes - block_offset) as usize);
    let mut noise = noise(&header);
    let mut sum = Sum::new(headers.checksum);
    let mut page = [0; PAGE_SIZE];
    let filled = layout.for_each(|at, part| {
        let bytes = &mut page[..part.len()];
        match &headers.pattern {
            Some(pattern) => pattern.fill(block_offset, at, bytes),
            None => noise.fill(bytes),
        }
        sum.update(bytes);
        data.write(part.start, bytes);
        Ok(())
    });
    debug_assert!(filled.is_ok(), "nothing is compared");
    let mut head = [0; HEAD_BYTES_MAX];
    head[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    let value = sum.finish();
    head[HEADER_BYTES..][..value.as_bytes().len()].copy_from_slice(value.as_bytes());
    let mut rest = &head[..layout.head.len()];
    for part in parts(layout.head) {
        let (bytes, behind) = rest.split_at(part.len());
        data.write(part.start, bytes);
        rest = behind;
    }
}

/// Checks a header in the data of a block and what it covers.
///
/// # Errors
/// Returns the first difference.
pub(super) fn check<S: AsRef<Slot>>(
    headers: &Headers,
    header: Header,
    known: Known,
    block_offset: u64,
    data: &IoData<'_, '_, S>,
) -> Result<(), Mismatch> {
    let layout = layout(headers, (header.offset_bytes - block_offset) as usize);
    let mut head = [0; HEAD_BYTES_MAX];
    let mut rest = &mut head[..layout.head.len()];
    for part in parts(layout.head.clone()) {
        let (bytes, behind) = rest.split_at_mut(part.len());
        data.read(part.start, bytes);
        rest = behind;
    }
    let (found, value) = head.split_first_chunk().expect("longer than a header");
    header.check(found, known)?;
    let pattern = headers.pattern.as_ref();
    // fio compares a pattern where nothing else covers it.
    let compared = pattern.filter(|_| headers.checksum == Checksum::Meta);
    // What it would not cover is known of what this job wrote.
    let knows_noise =
        headers.checksum == Checksum::Sha512 && known == Known::Write && headers.pattern.is_none();
    let mut noise = noise(&header);
    let mut sum = Sum::new(headers.checksum);
    let mut page = [0; PAGE_SIZE];
    let mut written = [0; PAGE_SIZE];
    layout.for_each(|at, part| {
        let bytes = &mut page[..part.len()];
        data.read(part.start, bytes);
        sum.update(bytes);
        if let Some(pattern) = compared {
            pattern.check(block_offset, at, bytes)?;
        }
        if knows_noise {
            let written = &mut written[..part.len()];
            noise.fill(written);
            if let Some(index) = (0..bytes.len()).find(|&index| bytes[index] != written[index]) {
                let offset_bytes = block_offset + (part.start + index) as u64;
                let (expected, found) = (written[index], bytes[index]);
                return Err(Difference { offset_bytes, expected, found }.into());
            }
        }
        Ok(())
    })?;
    let sum = sum.finish();
    let (expected, found) = sum.compare(&value[..headers.checksum.bytes()]);
    header.same(Field::DataChecksum, expected, found)
}
