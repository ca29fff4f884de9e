//! Master boot record, its chain of logical partitions, and the disklabels in its slices.

use super::disklabel::{self, Base};
use super::table::{Partitions, Table, add, all_behind};
use crate::endian::{Endian, Fields};
use crate::error::{Error, Place};
use crate::store::{Slot, Store};
use crate::{PARTITIONS_MAX, ReadBlocks};

const SECTOR_BYTES: u64 = 512;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const FREEBSD: u8 = 0xa5;
const OPENBSD: u8 = 0xa6;
const NETBSD: u8 = 0xa9;
/// Kind of a GPT's protective entry.
const GPT: u8 = 0xee;

/// Entry of a boot record; start and size in sectors.
#[derive(Clone, Copy)]
struct Entry {
    status: u8,
    kind: u8,
    start: u64,
    size: u64,
}

impl Entry {
    fn is_used(&self) -> bool {
        self.kind != 0 && self.size != 0
    }
}

/// Boot record: the four entries of a disk's first sector.
pub(super) struct BootRecord([Entry; 4]);

impl BootRecord {
    /// Reads the boot record, if there is one.
    pub(super) fn read<D: ReadBlocks, B: AsMut<[u8]>>(
        store: &mut Store<D, B>,
    ) -> Result<Option<Self>, Error<D::Error>> {
        if store.size_bytes() < SECTOR_BYTES {
            return Ok(None);
        }
        let Some(entries) = entries(store, 0)? else { return Ok(None) };
        // Boot code without an MBR ends with the same two bytes.
        let boot = entries.iter().all(|entry| entry.status & 0x7f == 0);
        Ok((boot && entries.iter().any(Entry::is_used)).then_some(Self(entries)))
    }

    /// Returns whether it is there to protect a GPT.
    pub(super) fn is_protective(&self) -> bool {
        self.0.iter().any(|entry| entry.is_used() && entry.kind == GPT)
    }

    /// Returns whether it has slices, and none begins with the disk, as that of a dedicated disk
    /// does.
    pub(super) fn spares_the_beginning(&self) -> bool {
        let mut slices = self.0.iter().filter(|entry| entry.is_used() && entry.kind != GPT);
        slices.next().is_some_and(|first| first.start > 0) && slices.all(|slice| slice.start > 0)
    }

    /// Adds the partitions.
    pub(super) fn partitions<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        found: &mut Partitions,
    ) -> Result<(), Error<D::Error>> {
        for (number, entry) in (1..).zip(&self.0).filter(|(_, entry)| entry.is_used()) {
            if EXTENDED.contains(&entry.kind) {
                read_logical(store, entry.start, found)?;
                continue;
            }
            let start_bytes = entry.start * SECTOR_BYTES;
            let mut labelled = Partitions::new();
            match entry.kind {
                FREEBSD => disklabel::read(store, start_bytes, Base::Slice, &mut labelled)?,
                OPENBSD | NETBSD => disklabel::read(store, start_bytes, Base::Disk, &mut labelled)?,
                _ => {}
            }
            let sectors = (entry.start, entry.size);
            let slice = |found: &mut Partitions| {
                add(found, Place::Mbr(number), (Table::Mbr, number), sectors, SECTOR_BYTES)
            };
            // The slice's beginning, unused by the label, has at most an older volume's superblock.
            let label_first = all_behind(&labelled, start_bytes);
            if !label_first {
                slice(found)?;
            }
            for partition in labelled {
                let _ = found.push(partition);
            }
            if label_first {
                slice(found)?;
            }
        }
        Ok(())
    }
}

/// Follows the chain of logical partitions. Each link must lead forwards, so there is an end.
fn read_logical<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    first: u64,
    found: &mut Partitions,
) -> Result<(), Error<D::Error>> {
    let mut at = first;
    for number in (5..).take(PARTITIONS_MAX) {
        let place = Place::Mbr(number);
        let inside = at < store.size_bytes() / SECTOR_BYTES;
        place.check(inside, "start", at, "on the disk")?;
        let Some([logical, next, ..]) = entries(store, at * SECTOR_BYTES)? else {
            return Ok(());
        };
        if logical.kind != 0 {
            let sectors = (at + logical.start, logical.size);
            add(found, place, (Table::Mbr, number), sectors, SECTOR_BYTES)?;
        }
        if next.kind == 0 {
            break;
        }
        let next = first + next.start;
        place.check(next > at, "next logical partition", next, "behind this one")?;
        at = next;
    }
    Ok(())
}

/// Returns the four entries of a boot record, if it ends like one. `at_bytes` is on the disk.
fn entries<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    at_bytes: u64,
) -> Result<Option<[Entry; 4]>, Error<D::Error>> {
    let sector = store.block(Slot::Inodes, at_bytes, SECTOR_BYTES as usize)?;
    let Some(bytes) = sector.first_chunk::<512>() else { return Ok(None) };
    let fields = Fields::new(bytes, Endian::Little);
    if fields.u16::<510>() != 0xaa55 {
        return Ok(None);
    }
    let entries = [
        fields.bytes::<446, 16>(),
        fields.bytes::<462, 16>(),
        fields.bytes::<478, 16>(),
        fields.bytes::<494, 16>(),
    ];
    Ok(Some(entries.map(|bytes| {
        let fields = Fields::new(&bytes, Endian::Little);
        let (start, size) = (fields.u32::<8>().into(), fields.u32::<12>().into());
        Entry { status: fields.u8::<0>(), kind: fields.u8::<4>(), start, size }
    })))
}
