//! Master boot record, its chain of logical partitions, and the disklabels in its slices.

use super::area::add_label;
use super::disklabel;
use super::kind::{EXTENDED, PROTECTIVE, PartitionKind};
use super::name::{Outer, PartitionName};
use super::table::Tables;
use crate::endian::{Endian, Fields};
use crate::error::{Error, Place};
use crate::store::{Slot, Store};
use crate::superblock::Superblock;
use crate::{PARTITIONS_MAX, ReadBlocks};

const SECTOR_BYTES: u64 = 512;
/// Sector sizes in which a record may count: that of most disks first.
const UNITS: [u64; 2] = [SECTOR_BYTES, 4096];
/// Number of the first logical partition.
const LOGICAL: u16 = 5;

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

    fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind)
    }

    /// Returns whether what its type announces, or a volume, is where it leads in these units.
    fn leads_to_something<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        unit_bytes: u64,
    ) -> Result<bool, Error<D::Error>> {
        let disk_bytes = store.size_bytes();
        let start_bytes = self.start * unit_bytes;
        // Every unit leads to the beginning.
        if self.start == 0 || start_bytes >= disk_bytes || self.kind == PROTECTIVE {
            return Ok(false);
        }
        if self.is_extended() {
            return Ok(entries(store, start_bytes)?.is_some());
        }
        let has_label = PartitionKind::Mbr(self.kind).label_base().is_some();
        if has_label && disklabel::is_at(store, start_bytes)? {
            return Ok(true);
        }
        store.set_window(start_bytes, disk_bytes - start_bytes);
        let found = Superblock::find(store);
        store.set_window(0, disk_bytes);
        match found {
            Err(error @ (Error::Read { .. } | Error::Stopped)) => Err(error),
            Err(Error::NotFfs) => Ok(false),
            _ => Ok(true),
        }
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
        self.0.iter().any(|entry| entry.is_used() && entry.kind == PROTECTIVE)
    }

    /// Returns whether it has slices, and none begins with the disk, as that of a dedicated disk
    /// does.
    pub(super) fn spares_the_beginning(&self) -> bool {
        let mut slices = self.0.iter().filter(|entry| entry.is_used() && entry.kind != PROTECTIVE);
        slices.next().is_some_and(|first| first.start > 0) && slices.all(|slice| slice.start > 0)
    }

    /// Returns the size of the sectors in which the entries count, in bytes: 512 unless they lead
    /// to something in the other units only.
    fn unit_bytes<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
    ) -> Result<u64, Error<D::Error>> {
        for unit_bytes in UNITS {
            for entry in self.0.iter().filter(|entry| entry.is_used()) {
                if entry.leads_to_something(store, unit_bytes)? {
                    return Ok(unit_bytes);
                }
            }
        }
        Ok(SECTOR_BYTES)
    }

    /// Adds the partitions, with those of the labels in them; returns the size of the sectors in
    /// which it counts.
    pub(super) fn partitions<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        tables: &mut Tables,
    ) -> Result<u64, Error<D::Error>> {
        let unit_bytes = self.unit_bytes(store)?;
        let mut logical = LOGICAL;
        for (number, entry) in (1..).zip(&self.0).filter(|(_, entry)| entry.is_used()) {
            add(store, tables, (number, 0, entry), unit_bytes)?;
            if entry.is_extended() {
                let read = read_logical(store, entry.start, &mut logical, unit_bytes, tables);
                tables.skip(read)?;
            }
        }
        Ok(unit_bytes)
    }
}

/// Adds the partition of an entry that counts from sector `base`, with those of its label.
fn add<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &mut Tables,
    (number, base, entry): (u16, u64, &Entry),
    unit_bytes: u64,
) -> Result<(), Error<D::Error>> {
    let index = tables.partitions.len();
    let name = PartitionName::from(Outer::Slice(number));
    let sectors = (base * unit_bytes, entry.start, entry.size);
    tables.add(name, PartitionKind::Mbr(entry.kind), sectors, unit_bytes, 0);
    add_label(store, index, tables)?;
    Ok(())
}

/// Follows the chain of logical partitions. Each link must lead forwards, so there is an end.
fn read_logical<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    first: u64,
    logical: &mut u16,
    unit_bytes: u64,
    tables: &mut Tables,
) -> Result<(), Error<D::Error>> {
    let mut at = first;
    while usize::from(*logical - LOGICAL) < PARTITIONS_MAX {
        let number = *logical;
        *logical += 1;
        let place = Place::Mbr(number.into());
        let inside = at < store.size_bytes() / unit_bytes;
        place.check(inside, "start", at, "on the disk")?;
        let Some([entry, next, ..]) = entries(store, at * unit_bytes)? else {
            return Ok(());
        };
        if entry.is_used() {
            add(store, tables, (number, at, &entry), unit_bytes)?;
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
