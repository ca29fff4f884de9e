//! GUID partition table: the primary one, with both of its checksums.

use super::table::{Partitions, Table, add};
use crate::ReadBlocks;
use crate::endian::{Endian, Fields};
use crate::error::{Error, Place};
use crate::limits::BLOCK_BYTES_MAX;
use crate::store::{Slot, Store};
use crc::{CRC_32_ISO_HDLC, Crc};

static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Sector sizes to try: the header follows the first sector.
const SECTOR_BYTES: [u64; 2] = [512, 4096];
const HEADER_BYTES: usize = 92;
const HEADER_CRC: usize = 16;
const ENTRY_BYTES: usize = 128;
/// Most bytes of a table; the usual one takes 16 KiB.
const TABLE_BYTES_MAX: u64 = 1 << 20;

/// Adds the partitions; returns whether there is a GPT at all.
pub(super) fn read<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    found: &mut Partitions,
) -> Result<bool, Error<D::Error>> {
    for sector_bytes in SECTOR_BYTES {
        if store.size_bytes() < 2 * sector_bytes {
            continue;
        }
        let header = store.block(Slot::Inodes, sector_bytes, 512)?;
        if !header.starts_with(b"EFI PART") {
            continue;
        }
        let Some(bytes) = header.first_chunk::<HEADER_BYTES>() else { continue };
        let fields = Fields::new(bytes, Endian::Little);
        let place = Place::Gpt(0);
        let len = fields.u32::<12>();
        let hashed = header.get(..len as usize).filter(|hashed| hashed.len() >= HEADER_BYTES);
        place.check(hashed.is_some(), "HeaderSize", len, "from 92 to 512")?;
        let mut digest = CRC32.digest();
        let (before, after) = hashed.unwrap_or_default().split_at(HEADER_CRC);
        digest.update(before);
        digest.update(&[0; 4]);
        digest.update(after.get(4..).unwrap_or_default());
        let crc = fields.u32::<HEADER_CRC>();
        place.check(digest.finalize() == crc, "HeaderCRC32", crc, "the header's checksum")?;
        let table = EntryTable {
            start: fields.u64::<72>(),
            count: fields.u32::<80>(),
            entry_bytes: fields.u32::<84>(),
            crc: fields.u32::<88>(),
        };
        table.read(store, sector_bytes, found)?;
        return Ok(true);
    }
    Ok(false)
}

struct EntryTable {
    /// First sector of the table.
    start: u64,
    count: u32,
    entry_bytes: u32,
    crc: u32,
}

impl EntryTable {
    fn read<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        sector_bytes: u64,
        found: &mut Partitions,
    ) -> Result<(), Error<D::Error>> {
        let place = Place::Gpt(0);
        let size = self.entry_bytes;
        let right = size.is_power_of_two() && (ENTRY_BYTES as u32..=4096).contains(&size);
        place.check(right, "SizeOfPartitionEntry", size, "a power of two from 128 to 4096")?;
        let table_bytes = u64::from(self.count) * u64::from(size);
        let right = (1..=TABLE_BYTES_MAX).contains(&table_bytes);
        place.check(right, "NumberOfPartitionEntries", self.count, "a table of at most 1 MiB")?;
        let start_bytes = self.start.saturating_mul(sector_bytes);

        let mut digest = CRC32.digest();
        let mut number = 0;
        for done in (0..table_bytes).step_by(BLOCK_BYTES_MAX) {
            let len = (table_bytes - done).min(BLOCK_BYTES_MAX as u64) as usize;
            let at = start_bytes.saturating_add(done);
            let block = store.block(Slot::Data, at, len.next_multiple_of(512))?;
            let block = block.get(..len).unwrap_or_default();
            digest.update(block);
            for entry in block.chunks_exact(size as usize) {
                number += 1;
                let Some(entry) = entry.first_chunk::<ENTRY_BYTES>() else { continue };
                let fields = Fields::new(entry, Endian::Little);
                if fields.bytes::<0, 16>() == [0; 16] {
                    continue;
                }
                let place = Place::Gpt(number);
                let (first, last) = (fields.u64::<32>(), fields.u64::<40>());
                let right = last >= first && last < u64::MAX;
                place.check(right, "EndingLBA", last, "at or behind StartingLBA")?;
                let sectors = (first, (last - first).saturating_add(1));
                add(found, place, (Table::Gpt, number), sectors, sector_bytes)?;
            }
        }
        let right = digest.finalize() == self.crc;
        place.check(right, "PartitionEntryArrayCRC32", self.crc, "the entries' checksum")?;
        Ok(())
    }
}
