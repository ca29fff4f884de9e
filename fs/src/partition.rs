//! Partition tables that an FFS may lie behind. All are read in bounded work; a partition that does
//! not fit on the disk is reported when it is opened.

mod disklabel;
mod gpt;
mod mbr;

use crate::error::{Error, Place};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Corrupt, ReadBlocks};
use mbr::BootRecord;

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

/// Returns the partitions of a disk: those of a GPT or of an MBR, and of BSD disklabels. `scratch`
/// is at least [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
///
/// # Errors
/// [`Error::Corrupt`] for a table that contradicts itself; errors of the disk.
pub fn partitions<D: ReadBlocks, B: AsMut<[u8]>>(
    disk: D,
    scratch: B,
) -> Result<Partitions, Error<D::Error>> {
    Ok(search(&mut Store::new(disk, scratch)?)?.partitions)
}

/// Contents of the tables of a disk.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) partitions: Partitions,
    /// Whether a valid table leaves the disk's beginning unused. Then a superblock of the whole
    /// disk is a leftover of an older volume: writing a table over it leaves no trace.
    pub(crate) take_the_disk: bool,
}

/// Reads the tables of a store whose window is the whole disk. A GPT counts if the MBR has an entry
/// for it; without any MBR it is still searched for, but proves nothing.
pub(crate) fn search<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
) -> Result<Tables, Error<D::Error>> {
    let mut tables = Tables::default();
    let found = &mut tables.partitions;
    let mbr = BootRecord::read(store)?;
    if mbr.as_ref().is_none_or(BootRecord::is_protective) && gpt::read(store, found)? {
        tables.take_the_disk = mbr.is_some();
        return Ok(tables);
    }
    if let Some(mbr) = mbr {
        mbr.partitions(store, found)?;
        tables.take_the_disk = mbr.spares_the_beginning();
        return Ok(tables);
    }
    disklabel::read(store, 0, disklabel::Base::Disk, found)?;
    tables.take_the_disk = all_behind(found, 0);
    Ok(tables)
}

/// Returns whether there are partitions, and all begin behind `start_bytes`.
fn all_behind(partitions: &Partitions, start_bytes: u64) -> bool {
    let behind = |partition: &Partition| partition.start_bytes > start_bytes;
    !partitions.is_empty() && partitions.iter().all(behind)
}

/// Adds a partition of which start and size are in units of `sector_bytes`, unless it is empty.
fn add(
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
