//! BSD disklabels, of either byte order, anywhere in the first 8 KiB of a disk or slice.

use super::kind::{Base, PartitionKind};
use super::name::{LETTERS, Outer, PartitionName};
use super::table::Tables;
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

/// Adds the partitions of the label in `outer`, which begins at `start_bytes`, if it has one.
pub(super) fn read<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    outer: Outer,
    start_bytes: u64,
    base: Base,
    tables: &mut Tables,
) -> Result<(), Error<D::Error>> {
    let bytes = searched(store, start_bytes)?;
    if let Some((label, header, endian)) = find(bytes) {
        let label = Label::check(label, &Fields::new(header, endian), endian)?;
        label.partitions(outer, start_bytes, base, tables);
    }
    Ok(())
}

/// Returns whether something like a label is at this place, right or not.
pub(super) fn is_at<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    start_bytes: u64,
) -> Result<bool, Error<D::Error>> {
    Ok(find(searched(store, start_bytes)?).is_some())
}

/// Reads the bytes that a label may be in. There are none beyond the disk: opening such a slice
/// reports why.
fn searched<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    start_bytes: u64,
) -> Result<&[u8], Error<D::Error>> {
    match store.size_bytes().saturating_sub(start_bytes).min(SEARCHED_BYTES) {
        0 => Ok(&[]),
        len => store.block(Slot::Data, start_bytes, len as usize),
    }
}

/// Returns the bytes from a label on, its header, and its byte order.
fn find(bytes: &[u8]) -> Option<(&[u8], &[u8; HEADER_BYTES], Endian)> {
    let starts = (0..bytes.len().saturating_sub(HEADER_BYTES)).step_by(4);
    for label in starts.filter_map(|start| bytes.get(start..)) {
        let header = label.first_chunk::<HEADER_BYTES>()?;
        for endian in [Endian::Little, Endian::Big] {
            let fields = Fields::new(header, endian);
            if fields.u32::<0>() == DISKMAGIC && fields.u32::<132>() == DISKMAGIC {
                return Some((label, header, endian));
            }
        }
    }
    None
}

/// Label whose checksum is right.
struct Label<'a> {
    entries: &'a [[u8; ENTRY_BYTES]],
    endian: Endian,
    sector_bytes: u32,
    /// Flag: the entries have high halves of offset and size in place of the fragment size, by
    /// OpenBSD's version 1 of the label.
    has_high_halves: bool,
}

impl<'a> Label<'a> {
    fn check(
        label: &'a [u8],
        fields: &Fields<'_, HEADER_BYTES>,
        endian: Endian,
    ) -> Result<Self, Corrupt> {
        let place = Place::Disklabel(0);
        let count = fields.u16::<138>();
        let end = HEADER_BYTES + usize::from(count) * ENTRY_BYTES;
        let whole = label.get(..end).unwrap_or_default();
        let must = "the number of partitions in 8 KiB";
        place.check(!whole.is_empty(), "d_npartitions", count, must)?;
        let (words, _) = whole.as_chunks();
        let sum = words.iter().fold(0, |sum, word| sum ^ endian.u16(*word));
        place.check(sum == 0, "d_checksum", fields.u16::<136>(), "the label's checksum")?;
        let sector_bytes = fields.u32::<40>();
        let right = sector_bytes.is_power_of_two() && (512..=4096).contains(&sector_bytes);
        place.check(right, "d_secsize", sector_bytes, "a power of two from 512 to 4096")?;
        let (entries, _) = whole.get(HEADER_BYTES..).unwrap_or_default().as_chunks();
        Ok(Self { entries, endian, sector_bytes, has_high_halves: fields.u16::<114>() == 1 })
    }

    /// Returns start and size of an entry in sectors.
    fn sectors(&self, entry: &[u8; ENTRY_BYTES]) -> (u64, u64) {
        let fields = Fields::new(entry, self.endian);
        let high = |half: u16| if self.has_high_halves { u64::from(half) << 32 } else { 0 };
        let start = u64::from(fields.u32::<4>()) | high(fields.u16::<8>());
        let size = u64::from(fields.u32::<0>()) | high(fields.u16::<10>());
        (start, size)
    }

    fn partitions(&self, outer: Outer, start_bytes: u64, base: Base, tables: &mut Tables) {
        let raw = self.entries.get(RAW_PARTITION).map_or(0, |entry| self.sectors(entry).0);
        for (index, entry) in (0..LETTERS).zip(self.entries) {
            let kind = PartitionKind::Label(entry[12]);
            let (start, size) = self.sectors(entry);
            let (base_bytes, first) = match base {
                Base::Disk => (0, Some(start)),
                Base::Slice => (start_bytes, start.checked_sub(raw)),
            };
            let Some(first) = first else {
                if kind.is_tried() {
                    let place = Place::Disklabel(u32::from(index) + 1);
                    let read = place.check(false, "p_offset", start, "inside partition c");
                    tables.skipped = tables.skipped.or(read.err());
                }
                continue;
            };
            let name = PartitionName { outer, letter: Some(index) };
            tables.add(name, kind, (base_bytes, first, size), self.sector_bytes.into(), 0);
        }
    }
}
