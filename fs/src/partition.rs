//! Partition tables, in so far as an FFS may lie behind them. All are read in bounded work; a
//! partition that does not fit on the disk is told of when it is opened.

mod disklabel;
mod gpt;
mod mbr;

use crate::error::{Error, Place};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Corrupt, ReadBlocks};

/// How many partitions are looked at; what lies behind them in a table is not.
pub const PARTITIONS_MAX: usize = 64;

/// The partitions of a disk in the order of their tables, none of them empty.
pub type Partitions = heapless::Vec<Partition, PARTITIONS_MAX>;

/// A kind of partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A master boot record, with logical partitions.
    Mbr,
    /// A GUID partition table.
    Gpt,
    /// A BSD disklabel, on the whole disk or in an MBR's partition (a slice).
    Disklabel,
}

/// A partition as its table has it; it may reach beyond the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The table that it is in.
    pub table: Table,
    /// Its number, from 1. Logical partitions begin with 5; a disklabel's `a` is 1.
    pub number: u32,
    /// Where it begins on the disk.
    pub start_bytes: u64,
    /// How large it is.
    pub size_bytes: u64,
}

impl Partition {
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

/// The partitions of a disk: those of a GPT or of an MBR, and of BSD disklabels. `scratch` is at
/// least [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
///
/// # Errors
/// [`Error::Corrupt`] for a table that contradicts itself; what the disk said.
pub fn partitions<D: ReadBlocks, B: AsMut<[u8]>>(
    disk: D,
    scratch: B,
) -> Result<Partitions, Error<D::Error>> {
    search(&mut Store::new(disk, scratch)?)
}

/// The partitions, by a store whose window is the whole disk.
pub(crate) fn search<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
) -> Result<Partitions, Error<D::Error>> {
    let mut found = Partitions::new();
    if gpt::read(store, &mut found)? {
        return Ok(found);
    }
    if mbr::read(store, &mut found)? {
        return Ok(found);
    }
    disklabel::read(store, 0, disklabel::Base::Disk, &mut found)?;
    Ok(found)
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
        // One too many is not looked at.
        let _ = found.push(Partition { table, number, start_bytes, size_bytes });
    }
    Ok(())
}
