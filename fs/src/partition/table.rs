//! Partitions, as all kinds of tables have them.

use crate::ReadBlocks;
use crate::error::{Corrupt, Error, Place};
use crate::store::Store;
use crate::superblock::Superblock;

/// Most partitions that are read of a disk; later entries of a table are ignored.
pub const PARTITIONS_MAX: usize = 64;

/// Partitions of a disk in the order in which they are tried, none of them empty. That is the order
/// of their tables, except for a BSD slice whose label has all of its FFS partitions behind the
/// slice's beginning: they come before it.
pub type Partitions = heapless::Vec<Partition, PARTITIONS_MAX>;

/// Kind of a partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A master boot record, with logical partitions.
    Mbr,
    /// A GUID partition table.
    Gpt,
    /// A BSD disklabel, on the whole disk or in an MBR's partition (a slice).
    Disklabel,
}

/// Partition as its table has it; it may reach beyond the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Kind of its table.
    pub table: Table,
    /// Number, from 1. Logical partitions begin with 5; a disklabel's `a` is 1.
    pub number: u32,
    /// Offset on the disk in bytes.
    pub start_bytes: u64,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl Partition {
    /// Returns whether `inner` lies within this one, but does not begin with it.
    pub(crate) fn holds(&self, inner: &Partition) -> bool {
        let end =
            |partition: &Partition| partition.start_bytes.saturating_add(partition.size_bytes);
        self.start_bytes < inner.start_bytes && end(inner) <= end(self)
    }

    /// Moves the window to this partition and searches it.
    pub(crate) fn open<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        disk_bytes: u64,
    ) -> Result<Superblock, Error<D::Error>> {
        let place = match self.table {
            Table::Mbr => Place::Mbr(self.number),
            Table::Gpt => Place::Gpt(self.number),
            Table::Disklabel => Place::Disklabel(self.number),
        };
        let end = self.start_bytes.saturating_add(self.size_bytes);
        place.check(end <= disk_bytes, "end in bytes", end, "on the disk")?;
        let start = self.start_bytes;
        place.check(start.is_multiple_of(512), "start in bytes", start, "a multiple of 512")?;
        store.set_window(self.start_bytes, self.size_bytes);
        Superblock::find(store)
    }
}

/// Returns whether there are partitions, and all begin behind `start_bytes`.
pub(super) fn all_behind(partitions: &Partitions, start_bytes: u64) -> bool {
    let behind = |partition: &Partition| partition.start_bytes > start_bytes;
    !partitions.is_empty() && partitions.iter().all(behind)
}

/// Adds a partition of which start and size are in units of `sector_bytes`, unless it is empty.
pub(super) fn add(
    found: &mut Partitions,
    place: Place,
    (table, number): (Table, u32),
    (start, size): (u64, u64),
    sector_bytes: u64,
) -> Result<(), Corrupt> {
    let start_bytes = start.checked_mul(sector_bytes);
    place.check(start_bytes.is_some(), "start", start, "a sector's number")?;
    let size_bytes = size.checked_mul(sector_bytes);
    place.check(size_bytes.is_some(), "size", size, "a number of sectors")?;
    if let (Some(start_bytes), Some(size_bytes @ 1..)) = (start_bytes, size_bytes) {
        // One too many is ignored.
        let _ = found.push(Partition { table, number, start_bytes, size_bytes });
    }
    Ok(())
}
