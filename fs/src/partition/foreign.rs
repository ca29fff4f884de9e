//! Partition tables that are known by their magic numbers but not read, so that an error can name
//! them. Facts from Linux's block/partitions and the systems' own headers.

use super::table::{Partition, Tables};
use crate::ReadBlocks;
use crate::error::{Error, Foreign};
use crate::store::{Slot, Store};

/// Sector sizes by which an Apple map's first entry may follow block 0.
const APPLE_AT: [u64; 4] = [512, 1024, 2048, 4096];
/// Sectors of the copies of a NeXT label.
const NEXT_AT: [u64; 4] = [0, 15, 30, 45];
const SUN_MAGIC: [u8; 2] = 0xdabe_u16.to_be_bytes();
const DISKMAGIC64: [u8; 4] = 0xc446_4c59_u32.to_le_bytes();
const VTOC_SANE: [u8; 4] = 0x600d_deee_u32.to_le_bytes();

/// Searches the disk and its partitions for such a table; the window is the whole disk.
pub(crate) fn find<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &Tables,
) -> Result<Option<Foreign>, Error<D::Error>> {
    for at in APPLE_AT {
        if starts_with(store, at, b"PM\0\0")? {
            return Ok(Some(Foreign::Apple));
        }
    }
    if is_sun(sector(store, 0)?) {
        return Ok(Some(Foreign::Sun));
    }
    let starts = tables.partitions.iter().map(|Partition { start_bytes, .. }| *start_bytes);
    for start in core::iter::once(0).chain(starts) {
        let second = start.saturating_add(512);
        if starts_with(store, second, &DISKMAGIC64)? {
            return Ok(Some(Foreign::DragonFly));
        }
        if sector(store, second)?.get(12..16) == Some(&VTOC_SANE) {
            return Ok(Some(Foreign::Solaris));
        }
        for at in NEXT_AT {
            let at = start.saturating_add(at * 512);
            for magic in [b"NeXT", b"dlV2", b"dlV3"] {
                if starts_with(store, at, magic)? {
                    return Ok(Some(Foreign::Next));
                }
            }
        }
    }
    Ok(None)
}

/// Returns whether a sector has a Sun label's magic number and checksum.
fn is_sun(sector: &[u8]) -> bool {
    let (words, _) = sector.as_chunks();
    let sum = words.iter().fold(0, |sum, word| sum ^ u16::from_be_bytes(*word));
    sector.get(508..510) == Some(&SUN_MAGIC) && sum == 0
}

fn starts_with<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    at_bytes: u64,
    magic: &[u8],
) -> Result<bool, Error<D::Error>> {
    Ok(sector(store, at_bytes)?.starts_with(magic))
}

/// Reads a sector; it is empty beyond the disk and between sectors.
fn sector<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    at_bytes: u64,
) -> Result<&[u8], Error<D::Error>> {
    let inside = at_bytes.checked_add(512).is_some_and(|end| end <= store.size_bytes());
    match inside && at_bytes.is_multiple_of(512) {
        true => store.block(Slot::Inodes, at_bytes, 512),
        false => Ok(&[]),
    }
}
