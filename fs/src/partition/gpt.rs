//! GUID partition table: the primary one or its copy at the disk's end, with both checksums.

use super::area::add_label;
use super::kind::PartitionKind;
use super::name::{Outer, PartitionName};
use super::table::{Partition, Tables};
use crate::ReadBlocks;
use crate::endian::{Endian, Fields};
use crate::error::{Corrupt, Error, Place};
use crate::limits::BLOCK_BYTES_MAX;
use crate::store::{Slot, Store};
use core::fmt;
use crc::{CRC_32_ISO_HDLC, Crc};

static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Sector sizes to try: the header follows the first sector, and its copy is in the last.
const SECTOR_BYTES: [u64; 2] = [512, 4096];
const HEADER_BYTES: usize = 92;
const HEADER_CRC: usize = 16;
const ENTRY_BYTES: usize = 128;
/// Place of the name in an entry: 36 units of UTF-16.
const NAME_AT: u64 = 56;
const NAME_BYTES: usize = 72;
/// Most bytes of a table; the usual one takes 16 KiB.
const TABLE_BYTES_MAX: u64 = 1 << 20;

/// Copy of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Copy {
    Primary,
    Backup,
}

/// Adds the partitions of this copy, with those of the labels in them; returns the size of the
/// sectors in which it counts if there is a good one. The error of a bad one is kept.
pub(super) fn read<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    copy: Copy,
    tables: &mut Tables,
) -> Result<Option<u64>, Error<D::Error>> {
    for sector_bytes in SECTOR_BYTES {
        let disk_bytes = store.size_bytes();
        if disk_bytes < 2 * sector_bytes {
            continue;
        }
        let at_bytes = match copy {
            Copy::Primary => sector_bytes,
            Copy::Backup => (disk_bytes / sector_bytes - 1) * sector_bytes,
        };
        let header = store.block(Slot::Inodes, at_bytes, 512)?;
        if !header.starts_with(b"EFI PART") {
            continue;
        }
        let read = match EntryTable::check(header, sector_bytes, disk_bytes) {
            Ok(entries) => entries.read(store, tables),
            Err(corrupt) => Err(corrupt.into()),
        };
        let right = read.is_ok();
        tables.skip(read)?;
        if right {
            add_labels(store, tables)?;
            return Ok(Some(sector_bytes));
        }
    }
    Ok(None)
}

fn add_labels<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &mut Tables,
) -> Result<(), Error<D::Error>> {
    let mut index = 0;
    while index < tables.partitions.len() {
        index += 1 + add_label(store, index, tables)?;
    }
    Ok(())
}

/// Table of the entries, by a header whose checksum is right.
struct EntryTable {
    start_bytes: u64,
    len_bytes: u64,
    entry_bytes: u32,
    crc: u32,
    sector_bytes: u64,
}

impl EntryTable {
    fn check(header: &[u8], sector_bytes: u64, disk_bytes: u64) -> Result<Self, Corrupt> {
        let place = Place::Gpt(0);
        let bytes = header.first_chunk::<HEADER_BYTES>().unwrap_or(&[0; HEADER_BYTES]);
        let fields = Fields::new(bytes, Endian::Little);
        let len = fields.u32::<12>();
        let hashed = header.get(..len as usize).filter(|hashed| hashed.len() >= HEADER_BYTES);
        place.check(hashed.is_some(), "HeaderSize", len, "from 92 to 512")?;
        let mut digest = CRC32.digest();
        let (before, after) = hashed.unwrap_or(bytes).split_at(HEADER_CRC);
        digest.update(before);
        digest.update(&[0; 4]);
        digest.update(after.get(4..).unwrap_or_default());
        let crc = fields.u32::<HEADER_CRC>();
        place.check(digest.finalize() == crc, "HeaderCRC32", crc, "the header's checksum")?;

        let (first, count, size) = (fields.u64::<72>(), fields.u32::<80>(), fields.u32::<84>());
        let right = size.is_power_of_two() && (ENTRY_BYTES as u32..=4096).contains(&size);
        place.check(right, "SizeOfPartitionEntry", size, "a power of two from 128 to 4096")?;
        let len_bytes = u64::from(count) * u64::from(size);
        let right = (1..=TABLE_BYTES_MAX).contains(&len_bytes);
        place.check(right, "NumberOfPartitionEntries", count, "a table of at most 1 MiB")?;
        let start_bytes = first.saturating_mul(sector_bytes);
        let end_bytes = start_bytes.saturating_add(len_bytes.next_multiple_of(512));
        place.check(end_bytes <= disk_bytes, "PartitionEntryLBA", first, "on the disk")?;
        let crc = fields.u32::<88>();
        Ok(Self { start_bytes, len_bytes, entry_bytes: size, crc, sector_bytes })
    }

    /// Adds the entries, all or none.
    fn read<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        tables: &mut Tables,
    ) -> Result<(), Error<D::Error>> {
        let skipped = tables.skipped;
        let mut digest = CRC32.digest();
        let mut number = 0;
        for done in (0..self.len_bytes).step_by(BLOCK_BYTES_MAX) {
            let len = (self.len_bytes - done).min(BLOCK_BYTES_MAX as u64) as usize;
            let at_bytes = self.start_bytes + done;
            let block = store.block(Slot::Data, at_bytes, len.next_multiple_of(512))?;
            let block = block.get(..len).unwrap_or_default();
            digest.update(block);
            let places = (at_bytes..).step_by(self.entry_bytes as usize);
            for (at_bytes, entry) in places.zip(block.chunks_exact(self.entry_bytes as usize)) {
                number += 1;
                if let Some(entry) = entry.first_chunk() {
                    self.entry(number, at_bytes, entry, tables);
                }
            }
        }
        let right = digest.finalize() == self.crc;
        let place = Place::Gpt(0);
        let read =
            place.check(right, "PartitionEntryArrayCRC32", self.crc, "the entries' checksum");
        if read.is_err() {
            tables.partitions.clear();
            tables.skipped = skipped;
        }
        Ok(read?)
    }

    fn entry(&self, number: u16, at_bytes: u64, entry: &[u8; ENTRY_BYTES], tables: &mut Tables) {
        let fields = Fields::new(entry, Endian::Little);
        let guid = fields.bytes::<0, 16>();
        if guid == [0; 16] {
            return;
        }
        let (first, last) = (fields.u64::<32>(), fields.u64::<40>());
        let right = last >= first && last < u64::MAX;
        let place = Place::Gpt(number.into());
        match place.check(right, "EndingLBA", last, "at or behind StartingLBA") {
            Ok(()) => {
                let name = PartitionName::from(Outer::Gpt(number));
                let sectors = (0, first, last - first + 1);
                let label_bytes = at_bytes + NAME_AT;
                let kind = PartitionKind::Gpt(guid);
                tables.add(name, kind, sectors, self.sector_bytes, label_bytes);
            }
            Err(corrupt) => _ = tables.skipped.get_or_insert(corrupt),
        }
    }
}

/// Name in a GPT's entry, in UTF-16; shown up to its first zero, with what is no character
/// replaced. It may have control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GptLabel([u8; NAME_BYTES]);

impl fmt::Display for GptLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, _) = self.0.as_chunks();
        let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
        for character in char::decode_utf16(units.take_while(|unit| *unit != 0)) {
            write!(f, "{}", character.unwrap_or(char::REPLACEMENT_CHARACTER))?;
        }
        Ok(())
    }
}

impl Partition {
    /// Reads the name that a GPT has for this partition; `None` if it is not in a GPT.
    ///
    /// # Errors
    /// Errors of the disk.
    pub fn gpt_label<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        disk: D,
        scratch: B,
    ) -> Result<Option<GptLabel>, Error<D::Error>> {
        if self.label_bytes == 0 {
            return Ok(None);
        }
        let mut store = Store::new(disk, scratch)?;
        let (sector, at) = (self.label_bytes & !511, (self.label_bytes % 512) as usize);
        let block = store.block(Slot::Data, sector, 512)?;
        Ok(block.get(at..).and_then(|name| name.first_chunk()).map(|name| GptLabel(*name)))
    }
}
