//! BSD disklabels, of either byte order, anywhere in the first 8 KiB of a disk or slice.

use super::table::{Partitions, Table, add};
use crate::ReadBlocks;
use crate::endian::{Endian, Fields};
use crate::error::{Corrupt, Error, Place};
use crate::store::{Slot, Store};

const SEARCHED_BYTES: u64 = 8192;
const DISKMAGIC: u32 = 0x8256_4557;
/// Sizes of `struct disklabel` up to its partitions, and of a partition.
const HEADER_BYTES: usize = 148;
const ENTRY_BYTES: usize = 16;
/// Index of partition `c`: the whole slice or disk.
const RAW_PARTITION: usize = 2;
/// `p_fstype` of an FFS.
const FS_BSDFFS: u8 = 7;

/// Origin of the partitions' offsets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// The disk: NetBSD, OpenBSD, and labels that are not in a slice.
    Disk,
    /// Start of partition `c`, which is the slice: FreeBSD.
    Slice,
}

/// Adds the FFS partitions of the label in the slice that begins at `slice_bytes`, if it has one.
pub(super) fn read<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    slice_bytes: u64,
    base: Base,
    found: &mut Partitions,
) -> Result<(), Error<D::Error>> {
    // A slice that begins beyond the disk has no label; opening it reports why.
    let len = store.size_bytes().saturating_sub(slice_bytes).min(SEARCHED_BYTES);
    if len == 0 {
        return Ok(());
    }
    let bytes = store.block(Slot::Data, slice_bytes, len as usize)?;
    let starts = (0..bytes.len().saturating_sub(HEADER_BYTES)).step_by(4);
    for label in starts.filter_map(|start| bytes.get(start..)) {
        let Some(header) = label.first_chunk::<HEADER_BYTES>() else { break };
        for endian in [Endian::Little, Endian::Big] {
            let fields = Fields::new(header, endian);
            if fields.u32::<0>() == DISKMAGIC && fields.u32::<132>() == DISKMAGIC {
                return Ok(decode(label, &fields, endian, (slice_bytes, base), found)?);
            }
        }
    }
    Ok(())
}

fn decode(
    label: &[u8],
    fields: &Fields<'_, HEADER_BYTES>,
    endian: Endian,
    (slice_bytes, base): (u64, Base),
    found: &mut Partitions,
) -> Result<(), Corrupt> {
    let place = Place::Disklabel(0);
    let count = fields.u16::<138>();
    let end = HEADER_BYTES + usize::from(count) * ENTRY_BYTES;
    let whole = label.get(..end).unwrap_or_default();
    place.check(!whole.is_empty(), "d_npartitions", count, "the number of partitions in 8 KiB")?;
    let (words, _) = whole.as_chunks();
    let sum = words.iter().fold(0, |sum, word| sum ^ endian.u16(*word));
    place.check(sum == 0, "d_checksum", fields.u16::<136>(), "the label's checksum")?;
    let sector_bytes = fields.u32::<40>();
    let right = sector_bytes.is_power_of_two() && (512..=4096).contains(&sector_bytes);
    place.check(right, "d_secsize", sector_bytes, "a power of two from 512 to 4096")?;

    let (entries, _) = whole.get(HEADER_BYTES..).unwrap_or_default().as_chunks::<ENTRY_BYTES>();
    let sectors = |entry| {
        let fields = Fields::new(entry, endian);
        (u64::from(fields.u32::<4>()), u64::from(fields.u32::<0>()))
    };
    let raw_start = entries.get(RAW_PARTITION).map_or(0, |entry| sectors(entry).0);
    for (number, entry) in (1..).zip(entries) {
        if entry[12] != FS_BSDFFS {
            continue;
        }
        let place = Place::Disklabel(number);
        let (start, size) = sectors(entry);
        let start = match base {
            Base::Disk => start,
            Base::Slice => {
                place.check(start >= raw_start, "p_offset", start, "inside partition c")?;
                slice_bytes / u64::from(sector_bytes) + start - raw_start
            }
        };
        add(found, place, (Table::Disklabel, number), (start, size), sector_bytes.into())?;
    }
    Ok(())
}
